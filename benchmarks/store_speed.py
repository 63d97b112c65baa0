"""How fast the store of a large study is: resume, compaction, one question to all of it.

``python benchmarks/store_speed.py [--runs 2000] [--days 365] [--folder DIR]`` writes a made-up
study through the store and prints one table. Times are of one cold call each; the peak is the
whole process's, the writing of the study included.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

SCENARIOS = 20
OUTCOMES = ("crime.true.all", "crime.recorded.all", "crime.hazard.all",
            "crime.true.all_but_vandalism", "crime.recorded.all_but_vandalism",
            "crime.hazard.all_but_vandalism", "safety.safe_after_dark", "trust.police",
            "night.users", "place.upkeep", "place.disorder", "cost.total", "youth.in_work")
QUERY = ("select scenario, day, avg(value) as value from daily "
         "where outcome = 'crime.hazard.all' group by all")


def write_study(folder: Path, runs: int, days: int) -> list[str]:
    """Write a made-up study; returns the keys of its runs."""
    from citysim.study.store import Store

    store, rng = Store(folder), np.random.default_rng(1)
    keys = [f"{number:016x}" for number in range(runs)]
    day = pa.array(np.tile(np.arange(days, dtype=np.int32), len(OUTCOMES)))
    outcome = pa.array(np.repeat(OUTCOMES, days))
    everyone = pa.array(["all"] * len(outcome))
    for number, key in enumerate(keys):
        daily = pa.table({"day": day, "outcome": outcome, "group": everyone,
                          "value": rng.normal(1, 0.1, len(outcome))})
        whole = pa.table({"outcome": OUTCOMES, "group": ["all"] * len(OUTCOMES),
                          "unit": ["share"] * len(OUTCOMES),
                          "value": rng.normal(1, 0.1, len(OUTCOMES))})
        store.write_run({"key": key, "scenario": f"option_{number % SCENARIOS:02}", "future": 0,
                         "seed": number // SCENARIOS, "status": "done", "seconds": 2.0,
                         "attempts": 1, "parameters": "{}", "error": ""},
                        {"outcomes": whole, "daily": daily})
    store.write_manifest({"name": "made up", "study_key": "made up", "keys": keys})
    return keys


def measure(folder: Path, runs: int, days: int) -> list[tuple[str, float, str]]:
    """Rows of figure, value and unit."""
    import duckdb  # noqa: F401  loading libraries is not what is measured
    import polars as pl

    from citysim import results
    from citysim.study.store import Store

    rows: list[tuple[str, float, str]] = []

    def timed(name, act):
        begin = time.perf_counter()
        found = act()
        rows.append((name, time.perf_counter() - begin, "s"))
        return found

    keys = timed("writing the study", lambda: write_study(folder, runs, days))
    store = Store(folder)
    for state in ("parts", "compacted"):
        if state == "compacted":
            timed("compaction", store.compact)
        done = timed(f"resume decides, {state}", lambda: store.done(keys))
        assert len(done) == runs
        study = timed(f"opening, {state}", lambda: results.open(folder))
        connection = timed(f"DuckDB connection, {state}", study.duckdb)
        first = timed(f"scenario by day, DuckDB, {state}",
                      lambda c=connection: c.execute(QUERY).fetchall())
        frame = timed(f"scenario by day, polars, {state}", lambda s=study: s.polars(
            "daily", "crime.hazard.all", columns=["scenario", "day", "value"])
            .group_by("scenario", "day").agg(pl.col("value").mean()))
        assert len(first) == len(frame) == min(runs, SCENARIOS) * days
        size = sum(p.stat().st_size for p in folder.glob("results/*/*.parquet"))
        rows.append((f"size, {state}", size / 1e6, "MB"))
    # Linux tells kilobytes.
    rows.append(("peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "MB"))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--folder", type=Path, help="an empty folder on the disk to measure")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        rows = measure(Path(folder), wanted.runs, wanted.days)
    print(f"{wanted.runs} runs of {wanted.days} days and {len(OUTCOMES)} outcomes, "
          f"{os.cpu_count()} processors")
    for name, value, unit in rows:
        print(f"{name:<36}{value:>10.3f} {unit}")


if __name__ == "__main__":
    main()

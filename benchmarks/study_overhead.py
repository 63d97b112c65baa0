"""What the machinery of a study costs: ``python benchmarks/study_overhead.py``.

Runs that do nothing but keep a core busy for a given time, and write tables of the usual size,
go through the executor, the store and the manifest of a real study. Three figures come out:

- overhead: wall time x cores / (runs x seconds) - 1, start of the workers and writing included
- the driver's peak memory in a study of many short runs, each with parameters of its own
- how long the same command takes to find out that everything is done

``--runs 512 --seconds 2`` is the full measurement; it keeps all cores busy for runs x seconds /
cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from citysim.config.compose import compose_study
from citysim.study.executor import cores
from citysim.study.program import Program
from citysim.study.run import run_study
from citysim.study.store import Store

HERE = "study_overhead"
PROGRAM = Program(check=f"{HERE}:nothing", build_world=f"{HERE}:World", load_world=f"{HERE}:World",
                  simulate=f"{HERE}:busy", summarise=f"{HERE}:summary",
                  write_report=f"{HERE}:report")
SECONDS = "model.guardianship.saturation"  # any number will do to tell a run how long it takes
OPTIONS, DAYS, PLACES = 4, 84, 1500
LIMITS = {"overhead": (0.05, "share"), "driver_mb": (500, "MB"), "resume_s": (3, "s")}


class World:
    """A world that weighs nothing."""

    def __init__(self, settings=None):
        pass

    def save(self, path):
        """Leave an empty file."""
        Path(path).touch()


def nothing(settings):
    """No city to check."""


def busy(settings, scenario, seed, world):
    """Keep a core busy by the clock, and return tables as large as a real run's."""
    import pyarrow as pa

    end = time.perf_counter() + settings.city["busy_seconds"]
    while time.perf_counter() < end:
        pass
    rng = np.random.default_rng(seed)

    def table(rows, **columns):
        return pa.table({**columns, "value": rng.random(rows)})

    def ids(kinds, each):
        return np.repeat([f"crime.true.{i}" for i in range(kinds)], each)

    days, places = np.arange(DAYS, dtype=np.int32), np.arange(PLACES, dtype=np.int32)
    return {"outcomes": table(300, outcome=ids(300, 1), group=["all"] * 300,
                              unit=["crimes"] * 300),
            "daily": table(DAYS * 13, day=np.tile(days, 13), outcome=ids(13, DAYS),
                           group=["all"] * (DAYS * 13)),
            "places": table(PLACES * 7, place=np.tile(places, 7), outcome=ids(7, PLACES))}


def summary(folder):
    """An empty summary."""
    import pandas as pd

    return pd.DataFrame({"scenario": []})


def report(folder, world):
    """An empty report."""
    path = Path(folder) / "report.html"
    path.touch()
    return path


def settings_for(folder: str, runs: int, seconds: float, many: bool):
    """A study of so many runs: four options by seeds, or as many points of a sample."""
    words = ["experiment=smoke", f"output_dir={folder}", "executor=local", "parameters=point"]
    if many:
        words += ["policy=[]", "seeds=1", "scenarios={option:{}}",
                  f"uncertainties={{{SECONDS}:{{low:0.3,high:3}}}}",
                  f"design={{kind:latin_hypercube,points:{runs}}}"]
    else:
        words += [f"seeds={runs // OPTIONS}",
                  "scenarios={" + ",".join(f"o{i}:{{}}" for i in range(OPTIONS)) + "}"]
    settings = compose_study(words)
    return settings.replace({"city": {**settings.city, "busy_seconds": seconds}})


def measure(part: str, folder: str, runs: int, seconds: float) -> dict:
    """One figure, in this process."""
    settings = settings_for(folder, runs, seconds, part != "overhead")
    look, decided = Store.done, []

    def done(store, keys):
        found = look(store, keys)
        decided.append(time.perf_counter())
        return found

    Store.done = done
    begin, busy_before = time.perf_counter(), time.process_time()
    result = run_study(settings, program=PROGRAM)
    wall = time.perf_counter() - begin
    assert result.exit_status == 0, result.problems or result.failed["error"].iloc[0]
    assert len(result.runs) == runs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_s": wall, "decided_s": decided[0] - begin, "driver_mb": peak,
            "driver_cpu_s": time.process_time() - busy_before, "kept": result.kept}


def in_fresh_process(part: str, folder: str, runs: int, seconds: float) -> dict:
    """The same in a process of its own, so that memory and imports are its own."""
    done = subprocess.run([sys.executable, __file__, "--part", part, "--folder", folder, "--runs",
                           str(runs), "--seconds", str(seconds)], stdout=subprocess.PIPE,
                          text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(words: list[str] | None = None) -> int:
    """Print the figures; the exit status is 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=64, help="a multiple of 4")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--many", type=int, default=2000, help="runs for memory and resume")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    if chosen.part:
        sys.path.insert(0, str(Path(__file__).parent))
        print(json.dumps(measure(chosen.part, chosen.folder, chosen.runs, chosen.seconds)))
        return 0
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        found = in_fresh_process("overhead", f"{folder}/a", chosen.runs, chosen.seconds)
        work = chosen.runs * chosen.seconds
        figures["overhead"] = found["wall_s"] * cores() / work - 1
        print(f"{chosen.runs} runs of {chosen.seconds:g} s on {cores()} cores: "
              f"{found['wall_s']:.1f} s")
        found = in_fresh_process("many", f"{folder}/b", chosen.many, 0.0)
        figures["driver_mb"], worked = found["driver_mb"], found["driver_cpu_s"]
        print(f"{chosen.many} runs of no length: {found['wall_s']:.1f} s, "
              f"{found['wall_s'] * cores() / chosen.many * 1000:.1f} ms of a core each")
        found = in_fresh_process("resume", f"{folder}/b", chosen.many, 0.0)
        assert found["kept"] == chosen.many
        figures["resume_s"] = found["decided_s"]
        worked -= found["driver_cpu_s"]
        print(f"of that the driver's own: {worked / chosen.many * 1000:.2f} ms a run")
        print(f"the same again: decided in {found['decided_s']:.2f} s, over in "
              f"{found['wall_s']:.2f} s")
    for name, value in figures.items():
        limit, unit = LIMITS[name]
        print(f"{name:<10} {value:8.3g} {unit:<6} at most {limit:g}: "
              f"{'met' if value <= limit else 'missed'}")
    return int(any(value > LIMITS[name][0] for name, value in figures.items()))


if __name__ == "__main__":
    sys.exit(main())

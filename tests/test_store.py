"""The folder of a study: parts, compaction, kills at any point, other designs, older versions."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from citysim import results
from citysim.config.errors import InputError
from citysim.study import compaction, parts
from citysim.study.store import Store

SCENARIOS = ("no_action", "lamps")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No power is cut here: what counts is the order of renaming and removal."""
    monkeypatch.setattr("os.fsync", lambda file: None)


def write(folder, keys, study="s"):
    """A study of the runs ``key = scenario.seed``; values tell which run they are of."""
    store = Store(folder)
    for key in keys:
        write_run(store, key)
    store.write_manifest({"study_key": study, "keys": list(keys)})
    return store


def write_run(store, key, status="done"):
    scenario, seed = key.split(".")
    value = float(seed) + 100 * SCENARIOS.index(scenario)
    size = 3 + int(seed) % 2
    tables = {"outcomes": pa.table({"outcome": ["crime.true.all", "cost.total"],
                                    "group": ["all"] * 2, "value": [value, 2 * value]}),
              "daily": pa.table({"day": pa.array(range(size), pa.int32()),
                                 "outcome": ["crime.true.all"] * size, "value": [value] * size}),
              "events": pa.table({"step": pa.array([], pa.int32())})}
    record = {"key": key, "scenario": scenario, "future": 0, "seed": int(seed), "status": status,
              "parameters": "{}", "error": None if status == "done" else "Traceback\nValueError"}
    store.write_run(record, tables if status == "done" else {})


def keys_of(seeds):
    return [f"{scenario}.{seed}" for seed in seeds for scenario in SCENARIOS]


def content(store):
    """All rows of all tables, in an order of their own."""
    found = {name: store.read(name) for name in ("outcomes", "daily", "events")}
    found["runs"] = store.runs()
    return {name: rows[sorted(rows.columns)].sort_values(
        [c for c in ("key", "day", "outcome") if c in rows], ignore_index=True)
        for name, rows in found.items()}


def assert_same(store, expected):
    """The same rows by pandas and by DuckDB."""
    counts = results.open(store.folder).duckdb()
    for name in ("outcomes", "daily", "events", "runs"):
        there = counts.execute(f"select count(*), count(distinct key) from {name}").fetchall()
        assert there == [(len(expected[name]), expected[name]["key"].nunique())], name
    for name, rows in content(Store(store.folder)).items():
        pd.testing.assert_frame_equal(rows, expected[name], obj=name)


def files(store):
    return sorted(p.relative_to(store.folder / "results").as_posix()
                  for p in (store.folder / "results").rglob("*") if p.is_file())


def test_compaction_changes_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "GROUP_ROWS", 8)
    store = write(tmp_path, keys_of(range(5)))
    expected = content(store)
    assert len(expected["daily"]) == 2 * (3 + 4 + 3 + 4 + 3)
    done = store.compact()
    assert (done.runs, done.files_before, done.files_after) == (10, 40, 4)
    assert files(store) == [f"{t}/all.parquet" for t in ("daily", "events", "outcomes", "runs")]
    assert pq.ParquetFile(tmp_path / "results/daily/all.parquet").num_row_groups > 2
    assert_same(store, expected)
    assert store.done([*keys_of(range(5)), "lamps.9"]) == set(keys_of(range(5)))
    outside = duckdb.sql(f"select count(*), sum(value) from '{tmp_path}/results/daily/*.parquet'")
    assert outside.fetchall() == [(len(expected["daily"]), expected["daily"]["value"].sum())]


def test_more_runs_after_compaction(tmp_path):
    store = write(tmp_path, keys_of(range(2)))
    store.compact()
    store = write(tmp_path, keys_of(range(2, 4)))
    write_run(store, "lamps.7", status="failed")
    store.write_manifest({"study_key": "s", "keys": [*keys_of(range(4)), "lamps.7", "lamps.8"]})
    expected = content(store)
    assert len(expected["outcomes"]) == 16 and set(expected["runs"]["status"]) == {"done", "failed"}
    store.compact()
    assert_same(store, expected)
    assert files(store).count("runs/lamps.7.parquet") == 1 and len(files(store)) == 5
    before = [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("all.parquet"))]
    store.compact()  # nothing new: no file is written again
    assert [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("all.parquet"))] == before


class Killed(BaseException):
    """Stands in for SIGKILL: nothing in the way catches it but ``finally``."""


@pytest.mark.parametrize("half_compacted", [False, True])
def test_compaction_survives_an_end_at_every_point(tmp_path, monkeypatch, half_compacted):
    """Whichever renaming or removal is the last one, no row is lost or counted twice."""
    for last in range(100):
        folder = tmp_path / str(last)
        if half_compacted:
            write(folder, keys_of([1])).compact()
        store = write(folder, keys_of([0] if half_compacted else [0, 1]))
        store.write_manifest({"study_key": "s", "keys": keys_of([0, 1])})
        expected, left = content(store), [last]

        def counting(method, left=left):
            def act(path, *arguments, **options):
                if path.name == ".lock":
                    return method(path, *arguments, **options)
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return method(path, *arguments, **options)
            return act

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", counting(Path.replace))
            patch.setattr(Path, "unlink", counting(Path.unlink))
            try:
                store.compact()
                break
            except Killed:
                pass
        assert_same(store, expected)
        Store(folder).compact()
        assert_same(store, expected)
        assert len(files(store)) == 4
    assert last > 10


def test_a_really_killed_compaction_goes_on(tmp_path):
    store = write(tmp_path / "out", keys_of(range(3)))
    expected = content(store)
    script = tmp_path / "kill.py"
    script.write_text(textwrap.dedent(f"""
        import os, signal
        from citysim.study import compaction
        from citysim.study.store import Store
        merge, seen = compaction._merge, []
        def stop(found, table, keys):
            if seen:
                (found.folder / "results" / table / "all.1.part").write_bytes(b"half")
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append(table)
            merge(found, table, keys)
        compaction._merge = stop
        Store({str(store.folder)!r}).compact()
        """))
    assert subprocess.run([sys.executable, script]).returncode == -signal.SIGKILL
    assert "daily/all.parquet" in files(store) and "runs/all.parquet" not in files(store)
    assert_same(store, expected)
    store.compact()
    assert_same(store, expected)
    assert len(files(store)) == 4


@pytest.mark.parametrize("table", ["runs", "daily"])
def test_a_cut_off_part_is_a_missing_run(tmp_path, table):
    store = write(tmp_path, keys_of(range(2)))
    part = tmp_path / "results" / table / "lamps.1.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    rest = set(keys_of(range(2))) - {"lamps.1"}
    assert store.done(keys_of(range(2))) == rest == set(store.runs()["key"])
    assert set(store.read("outcomes")["key"]) == set(store.read("daily")["key"]) == rest
    store.compact()
    assert set(store.read("daily")["key"]) == rest
    write_run(store, "lamps.1")
    assert store.done(keys_of(range(2))) == set(keys_of(range(2)))


def test_a_cut_off_compacted_table_means_to_run_again(tmp_path):
    store = write(tmp_path, keys_of(range(2)))
    expected = content(store)
    store.compact()
    whole = tmp_path / "results/daily/all.parquet"
    whole.write_bytes(whole.read_bytes()[:-9])
    assert store.done(keys_of(range(2))) == set() and len(store.runs()) == 0
    assert len(store.read("outcomes")) == 0
    for key in keys_of(range(2)):
        write_run(store, key)
    assert_same(store, expected)
    store.compact()
    assert_same(store, expected)
    assert len(files(store)) == 4


def test_a_part_that_cannot_be_read_stops_compaction_before_anything_goes(tmp_path):
    store = write(tmp_path, keys_of(range(2)))
    part = tmp_path / "results/daily/lamps.1.parquet"
    part.write_bytes(b"x" * part.stat().st_size)
    before = files(store)
    with pytest.raises(InputError, match="cannot read") as caught:
        store.compact()
    assert caught.value.where == str(part)
    assert set(before) <= set(files(store)) and not list(tmp_path.rglob("*.part"))


def test_compaction_waits_for_nobody(tmp_path):
    store = write(tmp_path, keys_of([0]))
    with store.locked(), pytest.raises(InputError, match="another citysim"):
        Store(tmp_path).compact()


def prepare(store, keys, study):
    with store.locked():
        store.prepare(study, keys)
        store.write_manifest({"study_key": study, "keys": keys})


def test_a_killed_write_leaves_the_file_as_it_was_and_is_cleared_up(tmp_path):
    store = write(tmp_path, keys_of([0]))
    path = tmp_path / "report.html"
    path.write_text("whole")
    script = tmp_path / "kill.py"
    script.write_text(textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from citysim.study.whole import replacing
        with replacing(Path({str(path)!r})) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """))
    assert subprocess.run([sys.executable, script]).returncode == -signal.SIGKILL
    assert path.read_text() == "whole" and list(tmp_path.glob("*.part"))
    prepare(store, keys_of([0]), "s")
    assert path.read_text() == "whole" and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("compacted", [False, True])
def test_other_seeds_take_over_what_they_share(tmp_path, compacted):
    store = write(tmp_path, keys_of(range(3)), "three")
    expected = content(store)
    if compacted:
        store.compact()
    more, fewer = keys_of(range(4)), keys_of([1])
    prepare(store, more, "four")
    assert store.done(more) == set(keys_of(range(3)))
    assert_same(store, expected)
    prepare(store, fewer, "one")
    assert set(store.runs()["key"]) == set(fewer) == set(store.read("daily")["key"])
    seeds = duckdb.sql(f"select distinct seed from '{tmp_path}/results/*/*.parquet'").fetchall()
    assert seeds == [(1,)], "no row of another design in the folder"
    own = {name: rows[rows["key"].isin(fewer)].reset_index(drop=True)
           for name, rows in expected.items()}
    for name, rows in content(store).items():
        same = [c for c in rows.columns if c != "tables"]  # sizes of files may differ
        pd.testing.assert_frame_equal(rows[same], own[name][same])
    prepare(store, keys_of(range(3)), "three")
    assert_same(store, expected)


def test_two_compacted_designs_without_a_name_never_cover_each_other(tmp_path):
    for seed in (1, 2):
        store = write(tmp_path, keys_of([seed]))
        (tmp_path / "manifest.json").unlink()
        store.compact()
        with store.locked():
            store.prepare("next", [])
    assert store.done(keys_of([1, 2])) == set(keys_of([1, 2]))


def test_parts_of_an_older_version_read_as_future_0(tmp_path):
    store = write(tmp_path, keys_of([0, 1]))
    for table in ("outcomes", "daily", "runs"):
        path = parts.part_path(tmp_path, table, "lamps.0")
        pq.write_table(pq.read_table(path).drop_columns(["future"]), path)
    row = pq.read_table(path)
    sizes = {name: parts.part_path(tmp_path, name, "lamps.0").stat().st_size
             for name in json.loads(row["tables"][0].as_py())}
    at = row.column_names.index("tables")
    row = row.set_column(at, "tables", pa.array([json.dumps(sizes)]))
    pq.write_table(row.drop_columns(["mesa", "attempts"]), path)
    for _ in range(2):
        assert store.done(keys_of([0, 1])) == set(keys_of([0, 1]))
        assert set(store.runs()["future"]) == set(store.read("daily")["future"]) == {0}
        assert len(store.read("outcomes")) == 8
        view = results.open(tmp_path).duckdb()
        assert view.execute("select distinct future from outcomes").fetchall() == [(0,)]
        store.compact()


def test_fingerprints_follow_the_content(tmp_path):
    store = write(tmp_path, keys_of([0]))
    (tmp_path / "summary.csv").write_text("abc")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/map.svg").write_text("abc")
    store.write_design(pa.table({"scenario": ["lamps"], "future": [0], "sample": [-1]}))
    found = store.fingerprint()
    assert set(found) == {"summary.csv", "figures/map.svg", "design.parquet"}
    # SHA-256 of "abc", from the standard's own example
    assert found["summary.csv"] == found["figures/map.svg"] == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    (tmp_path / "summary.csv").write_text("abd")
    assert store.fingerprint(["summary.csv"])["summary.csv"] != found["summary.csv"]
    assert pq.read_table(tmp_path / "design.parquet")["scenario"].to_pylist() == ["lamps"]


def test_the_benchmark_of_the_store_runs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import store_speed

    rows = {name: value for name, value, _ in store_speed.measure(tmp_path, 4, 3)}
    assert {"compaction", "resume decides, parts", "resume decides, compacted"} <= set(rows)
    assert all(value > 0 for value in rows.values())
    assert Store(tmp_path).manifest["keys"] and len(files(Store(tmp_path))) == 3

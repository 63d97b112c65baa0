"""Nothing lost, nothing mixed: studies that are really broken, and what is left of them."""

import json
import re
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from citysim.config.errors import InputError
from citysim.study.run import run_study
from citysim.study.status import read_status
from citysim.study.store import Store
from citysim.study.worker import ATTEMPTS
from study_stub import (
    PROGRAM,
    alive,
    calls,
    compose,
    nothing_lost,
    processes,
    start_driver,
    wait_for,
)

TESTS = Path(__file__).parent
ALL = {(name, seed) for name in ("no_action", "lamps", "beats", "together") for seed in (1, 2)}


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """Where the stand-in leaves its traces; workers inherit a mark and find the stand-in."""
    monkeypatch.setenv("CITYSIM_TEST", str(tmp_path / "out"))
    monkeypatch.syspath_prepend(str(TESTS))
    path = tmp_path / "trace"
    path.mkdir()
    return path


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own with little room, where that may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def check(out, done, failed=()):
    """What must hold after every accident: results readable, failures told, nobody left."""
    nothing_lost(out, done, failed)
    wait_for(lambda: not processes(out), 10)


def test_runs_that_raise_die_or_hang_leave_the_others_intact(folder, tmp_path, trace):
    settings = compose(folder, tmp_path / "out", trace, "executor=local", "jobs=2", "seeds=1",
                       "time_limit_s=3", "policy=[lamps,beats,benches]", lamps="raise",
                       beats="kill", together="hang", benches="kill_once")
    result = run_study(settings, program=PROGRAM)
    check(tmp_path / "out", [("no_action", 1), ("benches", 1)],
          [("lamps", 1), ("beats", 1), ("together", 1)])
    by_name = result.runs.set_index("scenario")
    assert "no luck with seed 1" in by_name.loc["lamps", "error"]
    assert "Traceback" in by_name.loc["lamps", "error"]
    assert "SIGKILL" in by_name.loc["beats", "error"]
    assert "time limit" in by_name.loc["together", "error"]
    assert "Traceback" in by_name.loc["together", "error"]
    assert len(calls(trace, "beats")) == ATTEMPTS and len(calls(trace, "benches")) == 2
    assert by_name.loc["benches", "attempts"] == 2
    assert result.exit_status == 1 and read_status(tmp_path / "out").status == "failed"


def test_a_run_that_ignores_its_limit_is_killed(folder, tmp_path, trace, monkeypatch):
    monkeypatch.setattr("citysim.study.local.GRACE", 0.3)
    settings = compose(folder, tmp_path / "out", trace, "executor=local", "jobs=1", "seeds=1",
                       "time_limit_s=0.3", "policy=[]", no_action="deaf")
    result = run_study(settings, program=PROGRAM)
    assert "killed" in result.failed["error"].item() and len(calls(trace)) == 1
    wait_for(lambda: not processes(tmp_path / "out"), 10)


def test_a_killed_driver_leaves_no_orphans_and_loses_nothing(folder, tmp_path, trace):
    out = tmp_path / "out"
    driver = start_driver(folder, out, trace, "executor=local", "jobs=2", together="hang")
    try:
        wait_for(lambda: len(calls(trace, "together")) == 2)
        settings = compose(folder, out, trace, "executor=serial", together="hang")
        with pytest.raises(InputError, match="another citysim"):
            run_study(settings, program=PROGRAM)
        second = start_driver(folder, out, trace, "executor=local", together="hang")
        assert "another citysim" in second.communicate()[1] and second.returncode == 2
        status = read_status(out)
        assert (status.status, status.done, status.left) == ("running", 6, 2)
        hanging = [process for _, _, process in calls(trace, "together")]
        assert all(alive(p) for p in hanging)
    finally:
        driver.kill()
        driver.communicate()
    wait_for(lambda: not processes(out))
    status = read_status(out)
    assert (status.status, status.done, status.failed, status.left) == ("interrupted", 6, 0, 2)
    result = run_study(settings.replace({"time_limit_s": 0.2}), program=PROGRAM)
    assert result.kept == 6 and len(result.failed) == 2 and result.exit_status == 1
    lost = {("together", 1), ("together", 2)}
    check(out, ALL - lost, lost)


def test_a_driver_that_is_asked_to_end_takes_its_workers_along(folder, tmp_path, trace):
    out = tmp_path / "out"
    driver = start_driver(folder, out, trace, "executor=local", "jobs=2", together="hang")
    try:
        wait_for(lambda: len(calls(trace, "together")) == 2)
        driver.terminate()
        driver.communicate(timeout=30)
    finally:
        driver.kill()
    assert driver.returncode == 143
    check(out, {run for run in ALL if run[0] != "together"})
    assert Store(out).manifest["status"] == read_status(out).status == "interrupted"


def test_of_two_drivers_started_at_once_one_runs(folder, tmp_path, trace):
    out = tmp_path / "out"
    drivers = [start_driver(folder, out, trace, "executor=local", "jobs=1", seconds=0.3)
               for _ in range(2)]
    told = [driver.communicate(timeout=60) for driver in drivers]
    assert sorted(driver.returncode for driver in drivers) == [0, 2]
    loser = next(i for i, driver in enumerate(drivers) if driver.returncode == 2)
    assert "another citysim is writing" in told[loser][1]
    assert len(calls(trace)) == 8
    check(out, ALL)


def test_a_full_disk_stops_the_study_and_room_lets_it_go_on(folder, small_disk, trace):
    out, filler = small_disk / "out", small_disk / "filler"
    settings = compose(folder, out, trace, "executor=local", "jobs=2", seconds=0.1)

    def fill(news):
        if news.phase == "runs" and news.done == 3 and not filler.exists():
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"0" * 4096)
                except OSError:
                    pass

    result = run_study(settings, fill, PROGRAM)
    done = len(result.runs) - len(result.failed)
    assert filler.exists() and 3 <= done < 8 and result.exit_status == 1
    assert all("No space left" in error for error in result.failed["error"])
    assert len(result.failed) and "No space left" in result.problems[0]
    assert "goes on" in result.problems[0] and len(calls(trace)) < 8 + 2
    kept = {(r.scenario, r.seed) for r in result.runs.itertuples() if r.status == "done"}
    read = duckdb.sql(f"select scenario, seed from '{out}/results/runs/*.parquet' "
                      "where status = 'done'").fetchall()
    assert set(read) == kept
    status = read_status(out)
    assert status.status in ("failed", "interrupted") and status.done == done
    filler.unlink()
    again = run_study(settings, program=PROGRAM)
    assert again.kept == done and again.exit_status == 0
    check(out, ALL)


def test_a_disk_that_is_full_from_the_start_is_refused(folder, small_disk, trace):
    with (small_disk / "filler").open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"0" * 4096)
    with pytest.raises(InputError, match="No space left"):
        run_study(compose(folder, small_disk / "out", trace), program=PROGRAM)
    assert not calls(trace)


def test_a_folder_that_has_become_read_only_is_refused_and_stays_readable(folder, small_disk,
                                                                         trace):
    out = small_disk / "out"
    settings = compose(folder, out, trace)
    run_study(settings, program=PROGRAM)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match="cannot write"):
        run_study(settings.replace({"seeds": 3}), program=PROGRAM)
    assert len(calls(trace)) == 8
    assert read_status(out).status == "done"
    check(out, ALL)


def test_writing_that_fails_now_and_then_does_not_stop_the_others(folder, tmp_path, trace,
                                                                 monkeypatch):
    written = Store.write_run

    def write(self, record, tables):
        if tables and record["scenario"] == "lamps":
            raise OSError(5, "Input/output error")
        written(self, record, tables)

    monkeypatch.setattr(Store, "write_run", write)
    result = run_study(compose(folder, tmp_path / "out", trace), program=PROGRAM)
    assert result.exit_status == 1 and not result.problems
    check(tmp_path / "out", {run for run in ALL if run[0] != "lamps"},
          [("lamps", 1), ("lamps", 2)])


def test_a_truncated_part_is_run_again(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace)
    first = run_study(settings, program=PROGRAM)
    torn, cut = first.runs["key"][:2]
    for path in (out / f"results/outcomes/{torn}.parquet", out / f"results/runs/{cut}.parquet"):
        path.write_bytes(path.read_bytes()[:-20])
    status = read_status(out)
    assert (status.status, status.done, status.left) == ("interrupted", 6, 2) or \
        (status.status, status.done, status.left) == ("failed", 6, 2)
    assert len(Store(out).read("outcomes")) == 2 * 6
    second = run_study(settings, program=PROGRAM)
    assert second.kept == 6 and second.exit_status == 0 and len(calls(trace)) == 10
    check(out, ALL)


def test_results_of_an_older_version_are_kept_and_read(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace)
    first = run_study(settings, program=PROGRAM)
    old = set(first.runs["key"][:4])
    for key in old:
        part = out / f"results/outcomes/{key}.parquet"
        pq.write_table(pq.read_table(part).drop_columns(["future"]), part)
        marker = out / f"results/runs/{key}.parquet"
        row = pq.read_table(marker).to_pylist()[0]
        row["tables"] = json.dumps({"outcomes": part.stat().st_size})
        for name in ("future", "attempts", "mesa"):  # columns that came later
            del row[name]
        pq.write_table(pa.Table.from_pylist([row]), marker)
    second = run_study(settings.replace({"seeds": 3}), program=PROGRAM)
    assert second.kept == 8 and second.exit_status == 0 and len(calls(trace)) == 12
    data = Store(out).read("outcomes")
    assert set(data["future"]) == {0} and len(data) == 2 * 12
    check(out, ALL | {(name, 3) for name, _ in ALL})


def test_a_changed_configuration_keeps_the_old_results_apart(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace, together="raise")
    run_study(settings, program=PROGRAM)
    other = settings.replace({"model.guardianship.saturation": 0.5})
    result = run_study(other, program=PROGRAM)
    assert result.kept == 0 and result.exit_status == 1
    lost = {("together", 1), ("together", 2)}
    check(out, ALL - lost, lost)
    status = read_status(out)
    [(key, name, state, done)] = status.earlier
    assert (name, state, done) == ("main", "interrupted", 6) and re.fullmatch(r"[0-9a-f]{16}", key)
    check(out / "earlier" / key, ALL - lost, lost)
    assert [f[:3] for f in status.failures] == [("together", 0, 1), ("together", 0, 2)]
    assert "no luck" in status.failures[0][3]

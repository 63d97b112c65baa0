"""Designs, the store, and runs that go wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.study import design
from citysim.study.design import data_files, runs_of, scenarios_of, study_key
from citysim.study.executor import execute
from citysim.study.local import Queue, WorkersDoNotStart, kept_workers
from citysim.study.program import Program
from citysim.study.run import run_study
from citysim.study.store import Store
from citysim.study.worker import Setup
from study_stub import PROGRAM, calls, compose, stillborn

TESTS = Path(__file__).parent


def test_scenarios_are_nothing_each_policy_and_all_together(folder):
    found = scenarios_of(compose_study([], folder, folder))
    assert [(s.name, s.policies) for s in found] == [
        ("no_action", ()), ("lamps", ("lamps",)), ("beats", ("beats",)),
        ("together", ("lamps", "beats"))]
    one = scenarios_of(compose_study(["policy=lamps"], folder, folder))
    assert [s.name for s in one] == ["no_action", "lamps"]


def test_scenarios_written_out_set_parameters(folder):
    settings = compose_study(
        ["scenarios={base:{},dark:{policies:[lamps],set:{model.guardianship.saturation:0.4}}}"],
        folder, folder)
    runs = runs_of(settings)
    assert [r.settings.model.guardianship.saturation for r in runs] == [0.7, 0.4, 0.7, 0.4]
    with pytest.raises(InputError) as caught:
        runs_of(settings.replace({"scenarios": {"a": {"policies": ["lamp"]}}}))
    assert caught.value.closest == "lamps"
    with pytest.raises(InputError):
        runs_of(settings.replace({"scenarios": {"a": {"set": {"model.guardanship.x": 1}}}}))


def test_keys_of_runs_follow_what_can_change_a_result(folder):
    settings = compose_study([], folder, folder)

    def keys(other):
        return {(r.scenario.name, r.seed): r.key for r in runs_of(other)}

    base = keys(settings)
    assert len(set(base.values())) == len(base) == 8
    assert keys(settings.replace({"jobs": 7, "threads": 2, "output_dir": "x"})) == base
    assert all(keys(settings.replace({"seeds": 3}))[k] == v for k, v in base.items())
    lamps = keys(settings.replace({"policies.lamps.measures.0.amount": 0.3}))
    changed = {name for (name, seed), key in lamps.items() if key != base[name, seed]}
    assert changed == {"lamps", "together"}
    drift = keys(settings.replace({"model.drift": -0.1}))
    assert not set(drift.values()) & set(base.values())
    assert study_key(runs_of(settings)) == study_key(runs_of(settings)[::-1])


def test_data_files_count_by_content(tmp_path):
    file = tmp_path / "streets.gpkg"
    file.write_text("one")
    city = {"layers": [{"streets": str(file)}], "name": "No. 1"}
    before = data_files(city)
    file.write_text("two")
    assert list(before) == [str(file)] and data_files(city) != before


def test_a_study_leaves_results_manifest_and_report(folder, tmp_path):
    news = []
    result = run_study(compose(folder, tmp_path / "out", None, "seeds=3"), news.append, PROGRAM)
    out = tmp_path / "out"
    assert result.exit_status == 0 and len(result.runs) == 12 and not len(result.failed)
    assert {n.phase for n in news} == {"city", "runs", "summary", "report"}
    assert [n.done for n in news if n.record] == list(range(1, 13))
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["status"] == "done" and manifest["seeds"] == [1, 2, 3]
    assert set(manifest["keys"]) == set(result.runs["key"])
    assert manifest["parameters"]["model.guardianship.saturation"]["source"] == "Smith 2001"
    assert not (out / ".scratch").exists() and not list(out.rglob("*.part"))
    assert (out / "summary.csv").exists() and result.report.read_text() == "report"
    data = Store(out).read("outcomes")
    crime = data[data["outcome"] == "crime.true.all"]
    assert (crime["value"] == crime["seed"]).all() and len(crime) == 12
    rows = duckdb.sql(f"select scenario, seed, status from '{out}/results/runs/*.parquet'")
    assert {r[2] for r in rows.fetchall()} == {"done"}


def test_a_second_start_runs_only_what_is_missing(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace)
    first = run_study(settings, program=PROGRAM)
    gone, torn = first.runs["key"][:2]
    (out / "results/runs" / f"{gone}.parquet").unlink()
    part = out / "results/outcomes" / f"{torn}.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    before = len(calls(trace))
    second = run_study(settings, program=PROGRAM)
    assert len(calls(trace)) - before == 2 and second.kept == 6 and second.exit_status == 0
    assert len(Store(out).read("outcomes")) == 2 * 8
    third = run_study(settings, program=PROGRAM)
    assert third.kept == 8 and len(calls(trace)) - before == 2
    assert third.summary.shape == second.summary.shape and third.report.exists()
    third.report.unlink()
    assert run_study(settings, program=PROGRAM).report.exists()


def test_more_seeds_and_other_policies_keep_what_is_shared(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace)
    run_study(settings, program=PROGRAM)
    assert run_study(settings.replace({"seeds": 3}), program=PROGRAM).kept == 8
    assert len(calls(trace)) == 12
    fewer = run_study(settings.replace({"seeds": [3]}), program=PROGRAM)
    assert fewer.kept == 4 and set(fewer.summary["value"]) == {3.0, 0.7}
    assert len(calls(trace)) == 12 and fewer.report.exists()


def test_another_configuration_neither_mixes_nor_loses(folder, tmp_path, trace):
    out = tmp_path / "out"
    settings = compose(folder, out, trace)
    (out / "figures").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    run_study(settings, program=PROGRAM)
    other = settings.replace({"model.guardianship.saturation": 0.5})
    result = run_study(other, program=PROGRAM)
    assert result.kept == 0
    table = Store(out).read("outcomes")
    assert set(table[table["outcome"] == "saturation"]["value"]) == {0.5}
    everywhere = duckdb.sql(f"select distinct value from '{out}/results/outcomes/*.parquet' "
                            "where outcome = 'saturation'").fetchall()
    assert everywhere == [(0.5,)]
    old = Store(next((out / "earlier").iterdir()))
    assert set(old.read("outcomes").query("outcome == 'saturation'")["value"]) == {0.7}
    assert (old.folder / "summary.csv").exists() and (out / "notes.txt").read_text() == "mine"
    back = run_study(settings, program=PROGRAM)
    assert back.kept == 8 and len(calls(trace)) == 16
    assert set(back.summary.query("outcome == 'saturation'")["value"]) == {0.7}
    assert [p.name for p in (out / "earlier").iterdir()] == [study_key(runs_of(other))]


def test_workers_that_cannot_start_are_not_blamed_on_runs(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("citysim.study.local.serve", stillborn)
    monkeypatch.syspath_prepend(str(TESTS))
    settings = compose(folder, tmp_path / "out")
    setup = Setup(PROGRAM, settings, str(tmp_path), str(tmp_path), "s")
    with pytest.raises(WorkersDoNotStart):
        list(execute(runs_of(settings), setup, {"kind": "local"}, 1))


def test_a_worker_stays_with_its_seed_and_then_takes_one_that_is_free(folder):
    runs = runs_of(compose_study(["seeds=3"], folder, folder))
    queue = Queue(runs)
    first = queue.take(None, set())
    assert (first.task.seed, queue.take(first.group, set()).task.seed) == (1, 1)
    second = queue.take(None, {first.group})
    assert second.task.seed == 2
    taken = [queue.take(first.group, {second.group}).task.seed for _ in range(3)]
    assert taken == [1, 1, 3]
    third = queue.take(None, {first.group})  # all that is left is somebody's or free
    assert third.task.seed == 2
    queue.put_back(third)
    assert queue.take(third.group, set()) is third
    left = [queue.take(("nobody",), {second.group, ("other",)}).task.seed for _ in range(5)]
    assert sorted(left) == [2, 2, 3, 3, 3] and not queue


def test_keys_follow_the_source_of_a_program_of_its_own(folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    settings, source = compose_study(["seeds=1"], folder, folder), tmp_path / "own_program.py"

    def keys(program, text=""):
        source.write_text(text)
        design._source_hash.cache_clear()
        return {run.key for run in runs_of(settings, program=program)}

    own = Program(simulate="own_program:simulate", code=("own_program",))
    assert keys(None) == keys(PROGRAM)  # what drives the stub is nobody's source
    assert keys(own, "a = 1") == keys(own, "a = 1")
    assert not keys(own, "a = 1") & keys(own, "a = 2") and not keys(own) & keys(None)


def test_runs_of_other_worlds_do_not_share_a_group(folder):
    settings = compose_study(
        ["scenarios={a:{},b:{set:{city.residents:300}},c:{set:{model.drift:-0.1}}}", "seeds=1"],
        folder, folder)
    queue = Queue(runs_of(settings))
    groups = [queue.take(None, set()).group for _ in range(3)]
    assert groups[0] == groups[1] != groups[2]


def test_each_world_is_built_once_by_the_worker_that_needs_it(folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    (tmp_path / "worlds").mkdir()
    settings = compose(
        folder, tmp_path / "out", None, "executor=local", "jobs=2", "seeds=4",
        "scenarios={base:{},big:{set:{city.residents:300}},small:{set:{city.residents:100}}}",
        worlds=str(tmp_path / "worlds"))
    result = run_study(settings, program=PROGRAM)
    assert result.exit_status == 0 and len(result.runs) == 12
    built = sorted(p.name.split(".")[:2] for p in (tmp_path / "worlds").iterdir())
    assert [residents for residents, _ in built] == ["100", "200", "300"]
    by = {residents: int(process) for residents, process in built}
    assert by["200"] == os.getpid() and os.getpid() not in (by["100"], by["300"])
    assert not (tmp_path / "out/.scratch").exists()


def test_an_interrupt_keeps_finished_runs(folder, tmp_path):
    out = tmp_path / "out"
    settings = compose(folder, out, None, beats="interrupt")
    with pytest.raises(KeyboardInterrupt):
        run_study(settings, program=PROGRAM)
    assert Store(out).manifest["status"] == "interrupted"
    assert set(Store(out).runs()["scenario"]) == {"no_action", "lamps"}


@pytest.mark.parametrize("changes", [{"city.orders": {"broken_streets": True}},
                                     {"city.residents": 0}])
def test_bad_input_leaves_nothing_behind(folder, tmp_path, changes):
    settings = compose(folder, tmp_path / "out").replace(changes)
    with pytest.raises(InputError):
        run_study(settings, program=PROGRAM)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_a_file_or_cannot_be_written_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError) as caught:
            run_study(compose(folder, out), program=PROGRAM)
        assert "output_dir" in caught.value.where
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failing_report_does_not_lose_results(folder, tmp_path):
    program = Program(**{**PROGRAM.__dict__, "write_report": "study_stub:nowhere",
                         "summarise": "study_stub:nowhere"})
    result = run_study(compose(folder, tmp_path / "out"), program=program)
    assert len(result.problems) == 2 and result.exit_status == 1
    assert len(Store(tmp_path / "out").read("outcomes")) == 16


def test_the_flagships_script_reads_a_summary(tmp_path):
    row = {"outcome": "crime.hazard.all", "group": "all", "unit": "per 100k", "mean": 100.0,
           "diff": -7.5, "diff_lo90": -9.0, "diff_hi90": -6.0, "relative": -0.075,
           "relative_lo90": -0.09, "relative_hi90": -0.06, "p_better": 0.99, "better": "lower",
           "baseline": "no_action"}
    rows = [{**row, "scenario": "lamps"},
            {**row, "scenario": "beats", "diff": 0.5, "diff_lo90": -1.0, "diff_hi90": 2.0,
             "relative": 0.005, "relative_lo90": -0.01, "relative_hi90": 0.02},
            {**row, "scenario": "no_action", "diff": 0.0, "diff_lo90": 0.0, "diff_hi90": 0.0}]
    pd.DataFrame(rows).to_csv(tmp_path / "summary.csv", index=False)
    script = TESTS.parent / "experiments" / "flagship" / "answer.py"
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "7.5 % (" in lines["Lamps"] and "9.0 to " in lines["Lamps"]
    assert lines["Lamps"].endswith("better") and "no difference shown" in lines["Beats"]
    assert len(lines) == 2


@pytest.mark.parametrize(("words", "where"), [
    (["city=file", "city.streets=nowhere.gpkg"], "command line, city.streets"),
    (["policy=street_lighting", "policies.street_lighting.measures.0.lever=lamps"],
     "command line, policies.street_lighting.measures.0.lever"),
])
def test_the_check_says_what_was_set_by_hand(words, where):
    from citysim.study.check import check_inputs

    with pytest.raises(InputError) as caught:
        check_inputs(compose_study(words))
    assert caught.value.where == where


def test_the_overhead_of_a_study_can_be_measured():
    script = TESTS.parent / "benchmarks" / "study_overhead.py"
    done = subprocess.run([sys.executable, str(script), "--runs", "4", "--seconds", "0.05",
                           "--many", "8"], capture_output=True, text=True)
    assert done.stderr == "" and done.returncode in (0, 1)
    figures = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()
               if "at most" in line}
    assert set(figures) == {"overhead", "driver_mb", "resume_s"}
    assert figures["overhead"] > 0 and 50 < figures["driver_mb"] < 500


def test_studies_hand_their_workers_on_and_none_outlives_them(folder, tmp_path, trace):
    first = compose(folder, tmp_path / "first", trace, "executor=local")
    lasting = {"model.guardianship.saturation": 0.4, "output_dir": str(tmp_path / "second")}
    with kept_workers():
        run_study(first.replace({"jobs": 2}), program=PROGRAM)
        before = {process for *_, process in calls(trace)}
        second = run_study(first.replace({"jobs": 2, **lasting}), program=PROGRAM)
        assert {process for *_, process in calls(trace)} == before and len(before) == 2
        assert len(second.runs) == 8 and not len(second.failed)
        table = Store(tmp_path / "second").read("outcomes")
        assert set(table[table["outcome"] == "saturation"]["value"]) == {0.4}
    for process in before:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    run_study(first.replace({"jobs": 2, "output_dir": str(tmp_path / "third")}), program=PROGRAM)
    assert len({process for *_, process in calls(trace)}) == 4


def test_a_kept_worker_that_has_died_is_replaced(folder, tmp_path, trace):
    settings = compose(folder, tmp_path / "first", trace, "executor=local").replace({"jobs": 1})
    with kept_workers():
        run_study(settings, program=PROGRAM)
        (process,) = {process for *_, process in calls(trace)}
        os.kill(process, signal.SIGKILL)
        result = run_study(settings.replace({"output_dir": str(tmp_path / "second")}),
                           program=PROGRAM)
    assert not len(result.failed) and len(result.runs) == 8
    assert len({process for *_, process in calls(trace)}) == 2


def test_a_kept_worker_forgets_the_world_of_the_study_before(folder, tmp_path):
    streets = tmp_path / "streets"
    settings = compose(folder, tmp_path / "out", None, "executor=local", streets=str(streets))
    with kept_workers():
        for crimes in ("40", "50"):  # another city below the same name, in the same folder
            streets.write_text(crimes)
            changed = settings.replace({"jobs": 1, "seeds": [int(crimes)]})
            run_study(changed, program=PROGRAM)
            table = Store(tmp_path / "out").read("outcomes").query("outcome == 'crime.true.all'")
            assert set(table["value"]) == {float(crimes)}


def test_an_interrupt_leaves_no_kept_worker_and_the_next_start_is_as_usual(folder, tmp_path, trace):
    settings = compose(folder, tmp_path / "out", trace, "executor=local").replace({"jobs": 1})
    with pytest.raises(KeyboardInterrupt), kept_workers():
        run_study(settings, program=PROGRAM)
        raise KeyboardInterrupt
    run_study(settings.replace({"output_dir": str(tmp_path / "next")}), program=PROGRAM)
    processes = {process for *_, process in calls(trace)}
    assert len(processes) == 2
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

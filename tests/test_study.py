"""Designs, the store, and runs that go wrong."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.study.design import code_hash, data_files, runs_of, scenarios_of, study_key
from citysim.study.executor import ATTEMPTS, WorkersDoNotStart, execute
from citysim.study.program import Program
from citysim.study.run import run_study
from citysim.study.store import Store
from citysim.study.worker import Setup
from study_stub import PROGRAM, calls, compose, stillborn, write_configs

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_configs(tmp_path_factory.mktemp("configs"))


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace"
    path.mkdir()
    return path


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


def test_the_command_in_the_manifest_makes_the_same_study(folder, tmp_path):
    import shlex

    settings = compose(folder, tmp_path / "out", None, "question='What is it, then?'") \
        .replace({"model.drift": -0.4, "model.guardianship.shape": "linear"})
    run_study(settings, program=PROGRAM)
    words = shlex.split(Store(tmp_path / "out").manifest["command"])
    assert words[:3] == ["citysim", "run", "--config-path"]
    again = compose_study(words[4:], words[3], folder)
    assert again.to_dict() == settings.to_dict()


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


def test_runs_that_raise_die_or_hang_leave_the_others_intact(folder, tmp_path, trace, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    settings = compose(folder, tmp_path / "out", trace, "executor=local", "jobs=2", "seeds=1",
                       "time_limit_s=3", "policy=[lamps,beats,benches]", lamps="raise",
                       beats="kill", together="hang", benches="kill_once")
    result = run_study(settings, program=PROGRAM)
    by_name = result.runs.set_index("scenario")
    assert by_name["status"].to_dict() == {"no_action": "done", "benches": "done",
                                           "lamps": "failed", "beats": "failed",
                                           "together": "failed"}
    assert "no luck with seed 1" in by_name.loc["lamps", "error"]
    assert "Traceback" in by_name.loc["lamps", "error"]
    assert "SIGKILL" in by_name.loc["beats", "error"]
    assert "time limit" in by_name.loc["together", "error"]
    assert len(calls(trace, "beats")) == ATTEMPTS and len(calls(trace, "benches")) == 2
    assert by_name.loc["benches", "attempts"] == 2
    assert result.exit_status == 1
    assert Store(tmp_path / "out").manifest["status"] == "failed"
    assert set(Store(tmp_path / "out").read("outcomes")["scenario"]) == {"no_action", "benches"}
    assert not any(_alive(process) for _, _, process in calls(trace))


def test_a_run_that_ignores_its_limit_is_killed(folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TESTS))
    monkeypatch.setattr("citysim.study.executor._GRACE", 0.3)
    program = Program(**{**PROGRAM.__dict__, "simulate": "study_stub:deaf"})
    settings = compose(folder, tmp_path / "out", None, "executor=local", "jobs=1", "seeds=1",
                       "time_limit_s=0.3", "policy=[]")
    result = run_study(settings, program=program)
    assert "killed" in result.failed["error"].item()


def test_workers_that_cannot_start_are_not_blamed_on_runs(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("citysim.study.executor.serve", stillborn)
    monkeypatch.syspath_prepend(str(TESTS))
    runs = runs_of(compose(folder, tmp_path / "out"))
    with pytest.raises(WorkersDoNotStart):
        list(execute(runs, Setup(PROGRAM, str(tmp_path), "s"), "local", 1))


def test_a_killed_driver_leaves_no_orphans_and_loses_nothing(folder, tmp_path, trace):
    out = tmp_path / "out"
    script = tmp_path / "drive.py"
    script.write_text(textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(TESTS)!r})
        if __name__ == "__main__":
            from study_stub import PROGRAM, compose
            from citysim.study import design, manifest
            from citysim.study.run import run_study
            # The same code as the test's, even if a file is edited while the tests run.
            design.code_hash = manifest.code_hash = lambda: {code_hash()!r}
            run_study(compose({str(folder)!r}, {str(out)!r}, {str(trace)!r}, "executor=local",
                              "jobs=2", together="hang"), program=PROGRAM)
        """))
    driver = subprocess.Popen([sys.executable, str(script)])
    try:
        _wait_for(lambda: len(calls(trace, "together")) == 2)
        settings = compose(folder, out, trace, "executor=serial", together="hang")
        with pytest.raises(InputError, match="another citysim"):
            run_study(settings, program=PROGRAM)
        hanging = [process for _, _, process in calls(trace, "together")]
        assert all(_alive(p) for p in hanging)
    finally:
        driver.kill()
        driver.wait()
    _wait_for(lambda: not any(_alive(p) for p in hanging))
    done = Store(out).done(run.key for run in runs_of(settings))
    assert len(done) == 6
    result = run_study(settings.replace({"time_limit_s": 0.2}), program=PROGRAM)
    assert result.kept == 6 and len(result.failed) == 2
    assert not (out / ".scratch").exists()


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
    row = {"outcome": "crime.true.all", "group": "all", "unit": "per 100k", "mean": 100.0,
           "diff": -7.5, "diff_lo90": -9.0, "diff_hi90": -6.0, "relative": -0.075,
           "p_better": 0.99}
    rows = [{**row, "scenario": "lamps"},
            {**row, "scenario": "beats", "diff": 0.5, "diff_lo90": -1.0, "diff_hi90": 2.0},
            {**row, "scenario": "no_action", "diff": 0.0, "diff_lo90": 0.0, "diff_hi90": 0.0}]
    pd.DataFrame(rows).to_csv(tmp_path / "summary.csv", index=False)
    script = TESTS.parent / "experiments" / "flagship" / "answer.py"
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "falls by 7.5" in lines["lamps"] and "no change" in lines["beats"]
    assert "no_action" not in lines


def _alive(process):
    """Whether a process runs (one that ended but was not collected does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


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

"""The command plan: numbers of runs, the estimate and what it rests on, nothing written."""

import re
import time
from dataclasses import replace

import pyarrow as pa
import pytest

from citysim.cli.main import main
from citysim.config.errors import InputError
from citysim.study.design import runs_of
from citysim.study.estimate import estimate
from citysim.study.run import run_study
from citysim.study.store import Store
from study_stub import PROGRAM, compose

AMOUNT, SATURATION = "policies.lamps.measures.0.amount", "model.guardianship.saturation"
START, A_DAY = 0.1, 0.02  # seconds of the slow stand-in: each run, and each of its days
SLOW = replace(PROGRAM, simulate="test_plan:slow")


def slow(settings, scenario, seed, world):
    """A run whose time and tables grow with its days."""
    time.sleep(START + A_DAY * (settings.days + settings.warmup_days))
    values = [float((i * 7919) % 10007) for i in range(1000 * settings.days)]
    return {"daily": pa.table({"value": pa.array(values, pa.float64())})}


def short_days_fail(settings, scenario, seed, world):
    """A run that cannot be with a policy in so few days."""
    if scenario.policies:
        raise InputError("too short", where="days")
    return slow(settings, scenario, seed, world)


def breaks(settings, scenario, seed, world):
    """A run that raises."""
    raise ValueError("broken")


def test_the_size_of_a_sweep_and_its_first_points(here, capsys):
    words = [f"levers={{{AMOUNT}:[0.1,0.2,0.5]}}",
             f"uncertainties={{{SATURATION}:{{low:0.3,high:3}}}}",
             "futures={kind:latin_hypercube,points:5}", "seeds=2", "jobs=2"]
    assert main(["plan", *words], PROGRAM) == 0
    told = capsys.readouterr().out
    assert "20 scenarios x 2 seeds = 40 runs" in told  # (3 options + baseline) x 5 futures
    assert "4 options in 5 futures" in told
    assert "grid of 1 lever, latin hypercube of 1 uncertainty (5 points)" in told
    assert "first points (10 of 20)" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["scenario", "future", "amount", "saturation", "done"] in lines
    assert len([w for w in lines if w[:2] == ["amount=0.1", "1"] and w[2] == "0.1"]) == 1
    assert list(here.iterdir()) == []


def test_a_rule_for_more_seeds_says_how_many_runs_at_most(here, capsys):
    rule = "replicates={until_half_width:5,of:crime.true.all,max:9}"
    assert main(["plan", rule], PROGRAM) == 0
    assert "9 seeds, 36 runs at most" in capsys.readouterr().out


def test_a_probe_tells_start_from_days(folder, tmp_path):
    settings = compose(folder, tmp_path / "out", None, "days=50", "seeds=3", "jobs=1",
                       "warmup_days=10")
    runs = runs_of(settings)
    found = estimate(settings, runs, set(), SLOW)
    one = START + A_DAY * 50
    assert found.run_seconds == pytest.approx(one, rel=0.15)
    assert found.seconds == pytest.approx(12 * one + 3 * A_DAY * 10, rel=0.15)  # 3 warm-ups
    assert "28 days" in found.basis and "probe" in found.basis
    run = runs[1]
    Store(tmp_path / "real").write_run(
        {"key": run.key, "scenario": run.scenario.name, "future": 0, "seed": run.seed},
        slow(run.settings, run.scenario, run.seed, None))
    real = sum(p.stat().st_size for p in (tmp_path / "real").rglob("*.parquet"))
    assert found.run_size == pytest.approx(real, rel=0.1)
    assert found.size == pytest.approx(12 * found.run_size)
    assert not (tmp_path / "out").exists()


def test_two_at_a_time_take_half_as_long(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("citysim.study.estimate._time_days",
                        lambda *given: ((2, 4), 1.0, [(1.0, 100.0), (2.0, 200.0)]))

    def seconds(*words):
        settings = compose(folder, tmp_path / "out", None, "days=10", "seeds=4", *words)
        return estimate(settings, runs_of(settings), set(), PROGRAM)

    one, two = seconds("executor=local", "jobs=1"), seconds("executor=local", "jobs=2")
    # Half a second a day and none to start: 16 runs of 10 days, 4 warm-ups of 28 days.
    assert one.seconds == pytest.approx(16 * 5 + 4 * 14, abs=0.1)
    assert two.seconds == pytest.approx(one.seconds / 2, abs=0.1)
    assert one.run_size == 500 and one.size == 16 * 500
    assert seconds("executor=serial", "jobs=2").seconds == pytest.approx(one.seconds, abs=0.1)


def test_finished_runs_are_the_better_basis(here, capsys):
    settings = compose(here.parent / "stub", "outputs/main", None, "seeds=1")
    run_study(settings, program=PROGRAM)
    store = Store("outputs/main")
    before = sorted(p.stat().st_mtime_ns for p in here.rglob("*"))
    runs = runs_of(settings.replace({"seeds": 3}))
    done = store.done(r.key for r in runs)
    rows = store.runs(done)
    found = estimate(settings.replace({"seeds": 3}), runs, done, PROGRAM)
    assert len(done) == 4 and found.run_seconds == pytest.approx(rows["seconds"].mean())
    assert found.seconds == pytest.approx(8 * found.run_seconds)  # serial
    assert main(["plan", "seeds=3", "city.orders={}"], PROGRAM) == 0
    told = capsys.readouterr().out
    assert "4 of them are done already" in told and "measured on 4 finished runs" in told
    assert len(re.findall(r"1 of 3$", told, re.M)) == 4
    assert main(["plan", "seeds=1"], PROGRAM) == 0
    assert "nothing is left to run" in capsys.readouterr().out
    assert sorted(p.stat().st_mtime_ns for p in here.rglob("*")) == before


def test_a_window_too_short_for_a_policy_is_probed_without_one(folder, tmp_path):
    settings = compose(folder, tmp_path / "out", None, "seeds=1", "days=3")
    program = replace(PROGRAM, simulate="test_plan:short_days_fail")
    assert "'no_action'" in estimate(settings, runs_of(settings), set(), program).basis


def test_a_failing_probe_leaves_the_plan_standing(here, capsys):
    assert main(["plan"], replace(PROGRAM, simulate="test_plan:breaks")) == 0
    told = capsys.readouterr().out
    assert "8 runs" in told and "no estimate" in told and "broken" in told


def test_a_city_that_cannot_be_built_is_bad_input(here, capsys):
    assert main(["plan", "city.orders={broken_streets:true}"], PROGRAM) == 2
    assert "not a street file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(("words", "said"), [
    ([f"levers={{{AMOUNT}:{{low:0.1,high:0.5}}}}", "design={kind:sobol,points:9}"],
     "8 is near 9"),
    ([f"levers={{{AMOUNT}x:[1,2]}}"], f"did you mean '{AMOUNT}'"),
    ([f"levers={{{AMOUNT}:[1]}}", "design={kind:table,file:none.csv}"], "no file 'none.csv'"),
    (["design={kind:morris,points:4}"], "nothing that varies"),
])
def test_a_refused_design_ends_with_status_2_and_writes_nothing(here, capsys, command, words,
                                                                said):
    assert main([command, *words], PROGRAM) == 2
    told = capsys.readouterr()
    assert said in told.err and not told.out
    assert list(here.iterdir()) == []

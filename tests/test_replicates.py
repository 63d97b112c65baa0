"""Seeds that a study adds until its contrast is as narrow as asked."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from citysim.analysis.contrasts import summarise
from citysim.analysis.replicates import half_width
from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.study.check import check_inputs
from citysim.study.replicates import more_seeds
from citysim.study.run import run_study
from citysim.study.store import Store
from study_stub import PROGRAM, calls, compose

TESTS = Path(__file__).parent


def test_seeds_are_added_until_the_contrast_is_narrow(folder, tmp_path, trace):
    out = tmp_path / "out"
    rule = "replicates={until_half_width:0.9,of:crime.true.all,max:40}"
    settings = compose(folder, out, trace, "policy=lamps", "seeds=2", rule, noise=1.0)
    news = []
    result = run_study(settings, news.append, PROGRAM)
    manifest = Store(out).manifest
    told = manifest["replicates"]
    n = len(manifest["seeds"])
    # Differences are +1 and -1 in turn: with n even their deviation is sqrt(n / (n - 1)). Two
    # seeds ask for more than twice as many, four as well, eight are enough.
    width = {k: stats.t.ppf(0.95, k - 1) / np.sqrt(k - 1) for k in range(2, 41, 2)}
    assert told["stopped"] == "narrow enough" and told["half_width"] <= 0.9
    assert told["half_width"] == pytest.approx(width[n]) and n == 8
    assert manifest["seeds"] == list(range(1, 9)) and len(manifest["keys"]) == 2 * n
    assert len(result.runs) == 2 * n == len(calls(trace)) and result.exit_status == 0
    assert any("more seeds" in item.note for item in news)
    assert news[-1].total == 2 * n
    again = run_study(settings, program=PROGRAM)
    assert again.kept == 2 * n and len(calls(trace)) == 2 * n
    assert Store(out).manifest["seeds"] == manifest["seeds"] and not (out / "earlier").exists()
    assert Store(out).manifest["replicates"]["stopped"] == "narrow enough"


def test_an_interrupted_study_goes_on_with_the_seeds_it_had_added(folder, tmp_path, trace):
    out = tmp_path / "out"
    rule = "replicates={until_half_width:0.9,of:crime.true.all,max:40}"
    settings = compose(folder, out, trace, "policy=lamps", "seeds=2", rule, noise=1.0)

    def stop(news):
        if news.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(settings, stop, PROGRAM)
    assert Store(out).manifest["seeds"] == [1, 2, 3, 4]
    result = run_study(settings, program=PROGRAM)
    assert result.kept == 6 and len(calls(trace)) == len(result.runs) == 16
    assert not (out / "earlier").exists()


@pytest.mark.parametrize(("changes", "orders", "seeds", "reason"), [
    ("max:5", {"noise": 9.0}, 5, "as many seeds as allowed"),
    ("max:40", {"noise": 0.0}, 2, "narrow enough"),
    ("max:40", {"noise": 9.0, "lamps": "raise"}, 2, "runs failed"),
])
def test_seeds_end_at_the_most_or_when_runs_fail(folder, tmp_path, changes, orders, seeds, reason):
    rule = f"replicates={{until_half_width:0.9,of:crime.true.all,{changes}}}"
    run_study(compose(folder, tmp_path / "out", None, "policy=lamps", "seeds=2", rule,
                      **orders),
              program=PROGRAM)
    manifest = Store(tmp_path / "out").manifest
    assert len(manifest["seeds"]) == seeds and manifest["replicates"]["stopped"] == reason


def test_an_outcome_that_runs_do_not_have_is_told(folder, tmp_path):
    rule = "replicates={until_half_width:1,of:crime.true.al,max:4}"
    result = run_study(compose(folder, tmp_path / "out", None, rule), program=PROGRAM)
    assert "crime.true.all" in result.problems[0] and result.exit_status == 1
    assert len(result.runs) == 8 and result.summary is not None


def test_how_many_seeds_are_added():
    rule = {"until_half_width": 1.0, "max": 30}
    assert more_seeds([1, 2, 3, 4], 1.4, 0, rule) == [5, 6, 7, 8]
    assert more_seeds([3, 9, 1, 2], 9.0, 0, rule) == [4, 5, 6, 7], "at most twice as many"
    assert len(more_seeds(range(20), 3.0, 0, rule)) == 10
    assert more_seeds([7], np.inf, 0, rule) == [1] and more_seeds([7], 0.5, 0, rule) == []
    # 1.21 of variance, 0.64 of it for good: 0.57 n / 20 must come down to 0.36 n / 32.
    assert len(more_seeds(range(20), 1.1, 0.8, {**rule, "max": 99})) == 12
    assert more_seeds(range(20), 1.1, 1.0, rule) == [], "no seeds narrow what futures differ by"


def study_of(folder, values, names="abc"):
    """A finished study from ``values(name, future, seed)``; None for a run that is not there."""
    store = Store(folder)
    for name, future, seed in product(names, (1, 2, 3), (1, 2, 3, 4)):
        value = values(name, future, seed)
        if value is not None:
            store.write_run({"key": f"{name}{future}{seed}", "scenario": name, "future": future,
                             "seed": seed, "status": "done"},
                            {"outcomes": pa.table({"outcome": ["x"], "group": ["all"],
                                                   "unit": ["1"], "value": [float(value)]})})
    store.write_manifest({"scenarios": [{"name": n} for n in names], "keys": []})
    return folder


def test_the_rule_looks_at_the_interval_of_the_table(tmp_path):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(3, 4, 5))
    luck = {"b": lambda f, s: s, "c": lambda f, s: 2 * f + noise[0, f, s]}
    folder = study_of(tmp_path, lambda name, f, s: 10 * f + noise[1, f - 1, s] +
                      (luck[name](f - 1, s) if name in luck else 0))
    rows = summarise(folder).set_index("scenario").loc[["b", "c"]]
    halves = (rows["diff_hi90"] - rows["diff_lo90"]) / 2
    width = half_width(folder, "x")
    assert halves.idxmax() == "c" and width.half == pytest.approx(halves["c"])
    assert 0 < width.floor < width.half


def test_what_futures_differ_by_is_the_floor(tmp_path):
    """Effects 0, 3 and 6 in three futures, with luck of +-1 that averages out."""
    noise = {1: 1, 2: -1, 3: 1, 4: -1}
    folder = study_of(tmp_path, lambda name, f, s: (name == "b") * (
        3 * f + noise[s] * (-1) ** f), "ab")
    # Remainder: the seeds' means are -1/3 or 1/3, so 2/3, 4/3 and 2/3 squared over 4 seeds,
    # which is 32/3 on 2 x 3 degrees of freedom.
    width = half_width(folder, "x")
    stays = (9 - 32 / 3 / 6 / 4) / 3
    error = np.sqrt(9 / 3 + 4 / 9 / 3 / 4)  # futures' means, and seeds' means of +-1/3
    assert width.floor / width.half == pytest.approx(np.sqrt(stays) / error)


def test_an_option_is_judged_in_the_futures_that_it_ran_in(tmp_path):
    """Options of a joint design each have a future of their own."""
    own = {"b": 1, "c": 2}
    folder = study_of(tmp_path, lambda name, f, s: None if own.get(name, f) != f else
                      f + s + (name == "c") * s)
    deviation = np.std([1, 2, 3, 4], ddof=1)
    assert half_width(folder, "x").half == pytest.approx(stats.t.ppf(0.95, 3) * deviation / 2)


def test_a_baseline_without_the_outcome_is_told(tmp_path):
    folder = study_of(tmp_path, lambda name, f, s: 1.0)
    for part in (folder / "results/outcomes").glob("a*"):
        pq.write_table(pq.read_table(part).slice(0, 0), part)
        marker = folder / "results/runs" / part.name
        row = pq.read_table(marker).to_pylist()[0]
        sizes = {**json.loads(row["tables"]), "outcomes": part.stat().st_size}
        pq.write_table(pa.Table.from_pylist([{**row, "tables": json.dumps(sizes)}]), marker)
    with pytest.raises(InputError, match="'a' has no outcome 'x'"):
        half_width(folder, "x")


def test_futures_that_differ_too_much_end_the_rule(folder, tmp_path):
    rule = "replicates={until_half_width:0.9,of:crime.true.all,max:40}"
    settings = compose(folder, tmp_path / "out", None, "policy=lamps", "seeds=2", rule,
                       "uncertainties={model.drift:[-9,0,9]}", "design={kind:grid}",
                       noise=0.1, drift=True)
    news = []
    result = run_study(settings, news.append, PROGRAM)
    told = Store(tmp_path / "out").manifest["replicates"]
    assert result.exit_status == 0 and told["seeds"] == 2 and told["floor"] > 0.9
    assert "more of them would narrow it" in told["stopped"]
    assert any("more of them would narrow it" in item.note for item in news)


@pytest.mark.parametrize(("outcome", "closest"), [
    ("crime.true.robery", "crime.true.robbery"), ("crime.true", "crime.true.all"),
    ("crime.hazard.al", "crime.hazard.all"), ("policy.dose.street_lighting", None),
    ("safety.safe_after_drak", "safety.safe_after_dark")])
def test_an_outcome_that_not_every_scenario_has_is_refused(outcome, closest):
    rule = f"replicates={{until_half_width:1,of:{outcome},max:9}}"
    with pytest.raises(InputError) as caught:
        check_inputs(compose_study(["city=town", "policy=street_lighting", rule]))
    assert caught.value.where == "command line, replicates.of" and caught.value.allowed
    assert closest is None or caught.value.closest == closest

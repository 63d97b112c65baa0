"""Scenario discovery: the box that was put in is found, and where there is none it says so."""

import numpy as np
import pandas as pd
import pytest

from citysim.analysis import discovery
from citysim.analysis.cases import Cases
from citysim.analysis.discovery import discover, failing, no_gain
from citysim.analysis.points import read_points
from citysim.config.errors import InputError
from made_results import made_sweep

CRIME, SAFE = "crime.hazard.all", "safety.safe_after_dark"
FACTORS = {"dark": {"role": "uncertainty", "label": "Dark hours", "unit": "h"},
           "poor": "uncertainty", "mood": {"role": "uncertainty", "values": ["calm", "tense"]}}
HURT, HELP = 5.0, -20.0


def states(n=150):
    """Futures spread evenly over the factors."""
    rng = np.random.default_rng(1)
    return pd.DataFrame({"future": np.arange(1, n + 1), "sample": np.arange(n),
                         "dark": rng.random(n) * 10, "poor": rng.random(n),
                         "mood": rng.choice(["calm", "tense"], n)})


def found_in(model, rules, n=150):
    """Discovery in a study of one option, ``lamps``, whose effect is ``model(row)``."""
    design = pd.concat([states(n).assign(scenario=s, sample=-(s == "no_action"))
                        for s in ("no_action", "lamps")])
    study = made_sweep(design, FACTORS, lambda row, seed: {
        CRIME: 1000.0 * row["poor"] + seed + (row["scenario"] == "lamps") * model(row),
        SAFE: 0.5}, seeds=(1,), manifest={"futures": {"kind": "latin_hypercube"}})
    return discover(read_points(study), Cases(study), rules)


def in_box(row):
    """It fails in long tense nights: a box that holds a fifth of the futures."""
    return HURT if row["dark"] > 6 and row["mood"] == "tense" else HELP


def test_box_that_was_put_in_is_found():
    table = found_in(in_box, [no_gain(CRIME)]).set_index("factor")
    assert set(table.index) == {"dark", "mood"}  # poverty has no part in it
    truth = states().apply(in_box, axis=1) == HURT
    assert set(table["failing"]) == {truth.sum()} and set(table["cases"]) == {150}
    assert table.loc["mood", "words"] == "tense"
    assert table.loc["dark", "low"] == pytest.approx(6, abs=0.4)
    assert table.loc["dark", "high"] == table.loc["dark", "full_high"]
    assert (table["coverage"] > 0.9).all() and (table["density"] > 0.9).all()
    assert (table["quasi_p"] < 0.05).all()
    said = table["said"].iloc[0]
    assert "dark hours is above" in said and "mood is tense" in said
    assert f"fails in {truth.sum()} of 150 futures" in said


def test_coverage_and_density_are_those_of_the_box():
    """Counted again from the limits alone."""
    table = found_in(lambda row: HURT if row["dark"] > 6 or row["poor"] > 0.9 else HELP,
                     [no_gain(CRIME)])
    points = states()
    fails = ((points["dark"] > 6) | (points["poor"] > 0.9)).to_numpy()
    inside = np.ones(len(points), bool)
    for row in table.itertuples():
        inside &= points[row.factor].between(row.low, row.high).to_numpy()
    first = table.iloc[0]
    assert first["coverage"] == pytest.approx((fails & inside).sum() / fails.sum())
    assert first["density"] == pytest.approx((fails & inside).sum() / inside.sum())
    assert first["mass"] == pytest.approx(inside.mean()) and 0 < inside.mean() < 1


@pytest.mark.parametrize(("model", "n", "said"), [
    (lambda row: HELP, 60, "fails in 0 of 60 futures: there is nothing to look for"),
    (lambda row: HURT, 60, "it fails everywhere"),
    (lambda row: HURT if row["future"] < 4 else HELP, 60, "fails in 3 of 60 futures: too few"),
    (in_box, 12, "at least 20 are needed"),
])
def test_too_few_cases_are_told_in_words(model, n, said):
    table = found_in(model, [no_gain(CRIME)], n)
    assert len(table) == 1 and said in table["said"].iloc[0]
    assert table["factor"].isna().all()


def test_failures_by_luck_alone_are_mostly_in_no_box():
    luck = np.random.default_rng(7).random(151) < 0.3
    table = found_in(lambda row: HURT if luck[int(row["future"])] else HELP,
                     [no_gain(CRIME)])
    if table["factor"].notna().any():  # a box of luck stays thin
        assert table["density"].iloc[0] < 0.75 or table["coverage"].iloc[0] < 0.5


def test_a_rule_may_be_relative_to_the_baseline():
    table = found_in(in_box, [failing(f"{CRIME}>-5%")])
    points = states()
    effect = points.apply(in_box, axis=1)
    assert table["failing"].iloc[0] == (effect / (1000 * points["poor"] + 1) > -0.05).sum()


def test_points_of_a_sample_are_searched_together_over_levers_too():
    rng = np.random.default_rng(3)
    n = 120
    dose, dark = rng.random(n), rng.random(n)
    rows = pd.DataFrame({"scenario": [f"p{i:04d}" for i in range(n)], "dose": dose, "dark": dark,
                         "future": np.arange(1, n + 1), "sample": np.arange(n)})
    design = pd.concat([rows.assign(scenario="no_action", dose=np.nan, sample=-1), rows])
    study = made_sweep(design, {"dose": "lever", "dark": "uncertainty"}, lambda row, seed: {
        CRIME: 0.0 if row["scenario"] == "no_action" else 1.0 if row["dose"] < 0.3 else -1.0},
        seeds=(1,), manifest={"design": {"kind": "latin_hypercube", "points": n}})
    table = discover(read_points(study), Cases(study), [no_gain(CRIME)])
    assert table["option"].tolist() == ["all points"] and table["factor"].tolist() == ["dose"]
    assert table["high"].iloc[0] == pytest.approx(0.3, abs=0.03)


# --- rules -----------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "effect", "fails"), [
    ("a.b>=0", [-1, 0, 1], [False, True, True]), ("a.b<0.5", [0, 0.5, 1], [True, False, False]),
    ("a.b <= -2 ", [-3, -2, -1], [True, True, False]),
    ("a.b>-1%", [-3, -2, -1], [False, False, True])])
def test_rules_compare_the_effect(text, effect, fails):
    cases = pd.DataFrame({"effect": effect, "base": [200.0, -200.0, 200.0]})
    rule = failing(text)
    assert rule.outcome == "a.b" and rule(cases).tolist() == fails


@pytest.mark.parametrize("text", ["", "crime", "crime=0", "crime<x", "<3", "a<1<2", "a<1.2.3"])
def test_a_rule_that_cannot_be_read_is_refused(text):
    with pytest.raises(InputError, match="cannot read") as caught:
        failing(text)
    assert caught.value.where == "--fails"


def test_default_rule_follows_the_better_direction():
    assert str(no_gain(CRIME)) == f"change of {CRIME} at least 0"
    assert str(no_gain(SAFE)) == f"change of {SAFE} at most 0"
    assert no_gain("crime.recorded.all") is None


def test_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ema_workbench.analysis", None)
    with pytest.raises(InputError, match="ema_workbench") as caught:
        discovery._prim()
    assert "citysim[discovery]" in caught.value.allowed

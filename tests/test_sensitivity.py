"""What drives an outcome, against functions whose indices are known."""

import numpy as np
import pandas as pd
import pytest
from SALib.sample import morris as morris_sample
from SALib.sample import sobol as sobol_sample

from citysim.analysis.cases import Cases
from citysim.analysis.points import read_points
from citysim.analysis.sensitivity import sensitivity, share_explained
from made_results import made_sweep

CRIME = "crime.hazard.all"
ROLES = {"x1": "uncertainty", "x2": "uncertainty", "x3": "uncertainty"}
PROBLEM = {"num_vars": 3, "names": list(ROLES), "bounds": [[-np.pi, np.pi]] * 3}
# Ishigami and Homma (1990) with a = 7, b = 0.1, worked out by hand from its variances.
A, B = 7.0, 0.1
V1 = 0.5 * (1 + B * np.pi ** 4 / 5) ** 2
V2 = A ** 2 / 8
V13 = B ** 2 * np.pi ** 8 * (1 / 18 - 1 / 50)
TOTAL = V1 + V2 + V13
FIRST_ORDER = {"x1": V1 / TOTAL, "x2": V2 / TOTAL, "x3": 0.0}
TOTAL_ORDER = {"x1": (V1 + V13) / TOTAL, "x2": V2 / TOTAL, "x3": V13 / TOTAL}


def ishigami(row):
    """The function itself, of a row of the design."""
    return np.sin(row["x1"]) + A * np.sin(row["x2"]) ** 2 + B * row["x3"] ** 4 * np.sin(row["x1"])


def sampled(values, scenario="lamps"):
    """A design without levers: one scenario, every sample a future of its own."""
    rows = pd.DataFrame(values, columns=list(ROLES))
    n = np.arange(len(rows))
    return rows.assign(scenario=scenario, future=n + 1, sample=n)


def analysed(*arguments, **keys):
    """Sensitivity of crime in a study made up in memory."""
    study = made_sweep(*arguments, **keys)
    return sensitivity(read_points(study), Cases(study), [CRIME])


def measured(found, measure, of="level", option=None):
    """Value by factor of one measure."""
    rows = found.table[(found.table["measure"] == measure) & (found.table["of"] == of)]
    rows = rows if option is None else rows[rows["option"] == option]
    return rows.set_index("factor")["value"].to_dict()


@pytest.fixture(scope="module")
def values():
    return sobol_sample.sample(PROBLEM, 1024, calc_second_order=False, seed=3)


def test_sobol_indices_of_the_ishigami_function(values):
    found = analysed(sampled(values), ROLES, lambda row, seed: {CRIME: ishigami(row)},
                     seeds=(1,), manifest={"design": {"kind": "sobol", "points": 1024}})
    assert found.main == "ST" and not found.notes
    assert measured(found, "S1") == pytest.approx(FIRST_ORDER, abs=0.08)
    assert measured(found, "ST") == pytest.approx(TOTAL_ORDER, abs=0.08)
    total = found.table[found.table["measure"] == "ST"].set_index("factor")
    assert all(total.loc[f, "lo90"] < v < total.loc[f, "hi90"] for f, v in TOTAL_ORDER.items())
    assert set(total["n"]) == {len(values)}


def test_effect_is_explained_apart_from_the_level():
    values = sobol_sample.sample(PROBLEM, 256, calc_second_order=False, seed=3)
    design = pd.concat([sampled(values, "no_action"), sampled(values)])

    def model(row, seed):
        acts = row["scenario"] == "lamps"
        return {CRIME: 50 * row["x1"] + 100 * seed - acts * (10 + row["x2"])}

    found = analysed(design, ROLES, model, seeds=(2,),
                     manifest={"futures": {"kind": "sobol", "points": 256}})
    level, effect = (measured(found, "ST", of, "lamps") for of in ("level", "effect"))
    assert level["x1"] > 0.95 and effect["x1"] == pytest.approx(0, abs=1e-9)
    assert effect["x2"] == pytest.approx(1, abs=0.1)  # linear: all of the spread is its own
    assert not (found.table["option"] == "no_action")[found.table["of"] == "effect"].any()


def test_missing_runs_take_their_block_and_it_is_said(values):
    gone = {("lamps", 7, 1), ("lamps", 8, 1), ("lamps", 300, 1)}  # of two blocks of five
    found = analysed(sampled(values), ROLES, lambda row, seed: {CRIME: ishigami(row)},
                     seeds=(1,), skip=gone, manifest={"design": {"kind": "sobol", "points": 1024}})
    assert "2 blocks of 5 points left out" in found.notes[0]
    assert set(found.table["n"]) == {len(values) - 10}
    assert measured(found, "ST") == pytest.approx(TOTAL_ORDER, abs=0.08)


def test_an_outcome_that_never_varies_is_named_and_left_out(values):
    found = analysed(sampled(values[:40]), ROLES, lambda row, seed: {CRIME: 5.0},
                     seeds=(1,), manifest={"design": {"kind": "sobol", "points": 8}})
    assert not len(found.table) and "does not vary" in found.notes[0]


def test_morris_effects_of_a_plane_with_a_word():
    """A linear function has the same elementary effect everywhere: slope times range."""
    problem = {"num_vars": 3, "names": list(ROLES), "bounds": [[0, 1]] * 3}
    unit = morris_sample.sample(problem, 6, num_levels=4, seed=2)
    words = np.array(["none", "some", "more", "most"])
    design = sampled(unit).assign(x1=10 + 20 * unit[:, 0],
                                  x3=words[np.round(unit[:, 2] * 3).astype(int)])
    factors = {**ROLES, "x3": {"role": "uncertainty", "values": list(words)}}

    def model(row, seed):
        step = list(words).index(row["x3"]) / 3
        return {CRIME: 3 * row["x1"] - 7 * row["x2"] + 5 * step}

    found = analysed(design, factors, model, seeds=(1,),
                     manifest={"design": {"kind": "morris", "points": 6, "levels": 4}})
    assert measured(found, "mu") == pytest.approx({"x1": 60, "x2": -7, "x3": 5})
    assert measured(found, "mu_star") == pytest.approx({"x1": 60, "x2": 7, "x3": 5})
    assert measured(found, "sigma") == pytest.approx(dict.fromkeys(ROLES, 0), abs=1e-9)


def test_morris_tells_interaction_by_its_spread():
    values = morris_sample.sample(PROBLEM, 40, num_levels=4, seed=1)
    found = analysed(sampled(values), ROLES, lambda row, seed: {CRIME: ishigami(row)},
                     seeds=(1,), manifest={"design": {"kind": "morris", "points": 40, "levels": 4}})
    sigma = measured(found, "sigma")
    assert sigma["x1"] > 1 and sigma["x3"] > 1  # they act on each other
    # Half a turn apart on four levels, sin^2 of x2 takes the values 0, 3/4, 3/4, 0: steps of
    # two levels change it by 3/4, over a step of 2/3 of the range.
    assert measured(found, "mu_star")["x2"] == pytest.approx(A * 0.75 / (2 / 3))


def test_one_at_a_time_swings():
    design = pd.DataFrame([("no_action", None, None), ("reference", 1, "slow"), ("a=2", 2, "slow"),
                           ("a=4", 4, "slow"), ("b=fast", 1, "fast")],
                          columns=["scenario", "a", "b"])
    design = design.assign(future=0, sample=[-1, 0, 1, 2, 3], a=design["a"].astype(float))

    def model(row, seed):
        return {CRIME: 100.0 if row["scenario"] == "no_action"
                else 80 - 5 * row["a"] + 12 * (row["b"] == "fast")}

    found = analysed(design, {"a": "lever", "b": "lever"}, model, seeds=(1,),
                     manifest={"design": {"kind": "one_at_a_time"}})
    assert measured(found, "swing") == pytest.approx({"a": 15, "b": 12})
    assert measured(found, "swing", "effect") == pytest.approx({"a": 15, "b": 12})


def test_share_explained_is_the_first_order_share():
    rng = np.random.default_rng(0)
    x, z = rng.random((2, 4000))
    square = (x - 0.5) ** 2  # its rank correlation with x is none
    y = square / square.std() + 0.5 * (z - z.mean()) / z.std()
    share, half = share_explained(x, y)
    # 1 of 1.25, less what eight bins blur: the variance of the bins' means by hand over
    # that of the square.
    kept = (21 / 4096) / (1 / 80 - 1 / 144)
    assert share == pytest.approx(0.8 * kept, abs=0.02) and 0 < half < 0.05
    assert share_explained(z, y)[0] == pytest.approx(0.2 * (1 - 1 / 64), abs=0.03)


def test_points_of_one_future_are_no_independent_witnesses():
    """A factor that does nothing, in twenty futures of a hundred options each."""
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(60):
        u, luck = rng.random((2, 20))
        shares.append(share_explained(u.repeat(100), luck.repeat(100))[0])
    assert np.median(shares) < 0.06


def test_share_explained_by_nothing_is_about_nothing():
    """Without the correction, eight groups among forty points would explain 7/39 by chance."""
    rng = np.random.default_rng(1)
    shares = [share_explained(rng.integers(8, size=40).astype(float), rng.normal(size=40))[0]
              for _ in range(60)]
    assert np.median(shares) < 0.05
    assert np.isnan(share_explained(np.ones(9), rng.normal(size=9))[0])


def test_crossed_design_scores_levers_and_uncertainties_together():
    rng = np.random.default_rng(2)
    rows = []
    for future, u in enumerate(rng.random(40), start=1):
        rows.append(("no_action", future, -1, np.nan, u))
        rows += [(f"a={a}", future, future - 1, float(a), u) for a in (0, 1, 2)]
    design = pd.DataFrame(rows, columns=["scenario", "future", "sample", "a", "u"])

    def model(row, seed):
        dose = 0 if row["scenario"] == "no_action" else row["a"]
        return {CRIME: 100 * row["u"] - 3 * dose}

    found = analysed(design, {"a": "lever", "u": "uncertainty"}, model, seeds=(1,),
                     manifest={"design": {"kind": "grid"}, "futures": {"kind": "latin_hypercube"}})
    assert found.kind == "crossed" and set(found.table["option"]) == {"all points"}
    assert measured(found, "share")["u"] > 0.9 and measured(found, "share")["a"] < 0.1
    effect = measured(found, "share", "effect")
    assert effect["a"] == pytest.approx(1) and effect["u"] < 0.1
    assert measured(found, "rank_correlation")["u"] > 0.9


def test_study_without_a_design_has_no_points():
    design = pd.DataFrame({"scenario": ["no_action"], "future": 0, "sample": -1})
    study = made_sweep(design, {}, lambda row, seed: {CRIME: 1.0})
    assert read_points(study) is None

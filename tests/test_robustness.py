"""Regret, satisficing, worst tenth and the Pareto set, against examples worked by hand."""

import numpy as np
import pandas as pd
import pytest

from citysim.analysis.cases import Cases
from citysim.analysis.discovery import failing
from citysim.analysis.robustness import non_dominated, objectives, pareto, robustness, worst_tenth
from made_results import made_sweep

CRIME, SAFE, COST = "crime.hazard.all", "safety.safe_after_dark", "cost.total"
FAIR = "victimisation.poorest_richest"
# Crime by option in four futures; the seeds lie evenly around it.
LEVELS = {"no_action": [100, 200, 150, 120], "lamps": [90, 205, 140, 120],
          "patrol": [95, 160, 155, 110]}


def study_of(levels, more=None, skip=()):
    """Cases of a study whose crime by option and future is given."""
    n = len(levels["no_action"])
    design = pd.DataFrame([(s, f + 1, -1, float(f)) for f in range(n) for s in levels],
                          columns=["scenario", "future", "sample", "u"])

    def model(row, seed):
        f = int(row["future"]) - 1
        found = {CRIME: levels[row["scenario"]][f] + (-1) ** seed}
        return found | ({} if more is None else more(row["scenario"], f))

    return Cases(made_sweep(design, {"u": "uncertainty"}, model, skip=skip))


def test_regret_by_hand():
    table = robustness(study_of(LEVELS), [CRIME]).set_index("option")
    # Best in each future: 90, 160, 140, 110.
    regrets = {"no_action": [10, 40, 10, 10], "lamps": [0, 45, 0, 10], "patrol": [5, 0, 15, 0]}
    for name, values in regrets.items():
        assert table.loc[name, "regret_max"] == pytest.approx(max(values))
        assert table.loc[name, "regret_p90"] == pytest.approx(np.quantile(values, 0.9))
    assert (table["futures"] == 4).all()


def test_share_of_good_futures_and_worst_tenth_by_hand():
    table = robustness(study_of(LEVELS), [CRIME]).set_index("option")
    # Effects: lamps -10, 5, -10, 0; patrol -5, -40, 5, -10.
    assert table.loc["lamps", "share_better"] == 0.5  # 0 is not better
    assert table.loc["patrol", "share_better"] == 0.75
    assert table.loc["lamps", "effect"] == pytest.approx(-3.75)
    assert table.loc["lamps", "effect_worst_tenth"] == pytest.approx(5)  # of four: the worst one
    assert table.loc["patrol", "level_worst_tenth"] == pytest.approx(160)
    assert np.isnan(table.loc["no_action", "share_better"])
    assert table["good"].unique().tolist() == ["better than the baseline"]


def test_good_enough_is_what_does_not_fail():
    rule = failing(f"{CRIME}>-10")
    table = robustness(study_of(LEVELS), [CRIME], [rule]).set_index("option")
    assert table.loc["lamps", "share_good"] == 0.5 and table.loc["patrol", "share_good"] == 0.5
    assert str(rule) in table.loc["lamps", "good"]


def test_higher_may_be_better():
    cases = study_of(LEVELS, lambda s, f: {SAFE: 0.5 + (s == "lamps") * [
        0.1, -0.2, 0.0, 0.3][f]})
    table = robustness(cases, [SAFE]).set_index("option")
    assert table.loc["lamps", "regret_max"] == pytest.approx(0.2)
    assert table.loc["no_action", "regret_max"] == pytest.approx(0.3)
    assert table.loc["lamps", "effect_worst_tenth"] == pytest.approx(-0.2)
    assert table.loc["lamps", "share_better"] == 0.5


def test_missing_futures_do_not_count_as_good_or_bad():
    gone = {("lamps", 2, 1), ("lamps", 2, 2)}  # the future in which lamps do worst
    levels = {name: values * 4 for name, values in LEVELS.items()}
    table = robustness(study_of(levels, skip=gone), [CRIME]).set_index("option")
    assert table.loc["lamps", "futures"] == 15 and table.loc["patrol", "futures"] == 16
    assert table.loc["lamps", "share_better"] == pytest.approx(8 / 15)


def test_options_in_futures_of_their_own_are_not_compared():
    rows = [("no_action", f, -1, float(f)) for f in range(1, 21)]
    rows += [(f"p{f:04d}", f, f - 1, float(f)) for f in range(1, 21)]
    design = pd.DataFrame(rows, columns=["scenario", "future", "sample", "u"])
    cases = Cases(made_sweep(design, {"u": "uncertainty"},
                             lambda row, seed: {CRIME: row["u"], COST: 1.0}, seeds=(1,)))
    assert not len(robustness(cases, [CRIME])) and not len(pareto(cases))


@pytest.mark.parametrize(("values", "expected"), [
    ([3.0], 3), ([5, 1, 9], 1), (list(range(20)), 0.5), (list(range(21)), 1), ([], np.nan)])
def test_worst_tenth(values, expected):
    assert worst_tenth(np.array(values, float)) == pytest.approx(expected, nan_ok=True)


# --- Pareto --------------------------------------------------------------------------------

def test_non_dominated_by_hand():
    losses = [[1, 5], [2, 3], [3, 3], [4, 1], [4, 2], [1, 5], [0, np.nan]]
    # (3, 3) loses to (2, 3), (4, 2) to (4, 1); equals stand together; a gap has no place.
    assert non_dominated(losses).tolist() == [True, True, False, True, False, True, False]


def test_non_dominated_agrees_with_its_definition():
    losses = np.random.default_rng(0).integers(0, 6, (40, 3))
    plain = [not any((other <= own).all() and (other < own).any() for other in losses)
             for own in losses]
    assert non_dominated(losses).tolist() == plain and 0 < sum(plain) < 40


def goals(name, future):
    """Cost, safety and equity; ``waste`` is worse than lamps in everything."""
    cost = {"no_action": 0, "lamps": 100, "patrol": 300, "waste": 400}[name]
    return {COST: cost, SAFE: 0.5 + {"lamps": 0.04, "patrol": 0.01}.get(name, 0),
            FAIR: 1.5 - 0.1 * (name == "patrol")}


def test_pareto_set_of_four_goals():
    levels = {**LEVELS, "waste": [101, 206, 151, 121]}
    cases = study_of(levels, goals)
    assert objectives(cases) == [COST, CRIME, SAFE, FAIR]
    table = pareto(cases).set_index("option")
    assert table["pareto"].to_dict() == {"no_action": True, "lamps": True, "patrol": True,
                                         "waste": False}
    assert table.loc["lamps", CRIME] == pytest.approx(-3.75)
    assert table.loc["patrol", FAIR] == pytest.approx(-0.1)
    assert table.loc["waste", "pareto_share"] == 0 and table.loc["lamps", "pareto_share"] == 1


def test_pareto_share_says_how_sure_the_set_is():
    """Two options at one price whose crime is a toss-up: each is in the set about half the time."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 10, 30)
    noise -= noise.mean()
    levels = {"no_action": [100.0] * 30, "lamps": list(80 + noise), "patrol": [80.0] * 30}
    cases = study_of(levels, lambda s, f: {COST: 100.0 * (s != "no_action")})
    table = pareto(cases).set_index("option")
    assert table.loc["no_action", "pareto_share"] == 1  # nothing is cheaper
    assert 0.35 < table.loc["lamps", "pareto_share"] < 0.65
    assert table.loc[["lamps", "patrol"], "pareto_share"].sum() == pytest.approx(1, abs=0.02)


def test_pareto_set_over_seeds_where_there_is_one_future():
    one = {name: values[:1] for name, values in LEVELS.items()}
    table = pareto(study_of(one, lambda s, f: {COST: 1.0 * (s != "no_action")}))
    assert table.set_index("option")["pareto"].to_dict() == {"no_action": True, "lamps": True,
                                                             "patrol": False}
    assert table["pareto_share"].between(0, 1).all()

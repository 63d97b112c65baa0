"""Contrasts, costs, wording and the terminal's table, against plain numbers worked by hand."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from citysim.analysis.contrasts import contrast, interval, summarise, verdict, who_gains
from citysim.analysis.costs import CRIMES_AVOIDED, FEEL_SAFE, SAFE_POINTS, cost_per_unit, fieller
from citysim.analysis.leading import leading, left_out
from citysim.analysis.measures import HEADLINE, meaning
from citysim.analysis.multiplicity import benjamini_hochberg, holm
from citysim.analysis.terminal import main_table
from citysim.analysis.wording import amount, change, euro, level, number
from citysim.config.errors import InputError
from citysim.results import open as open_study
from citysim.results import order_scenarios
from citysim.study.store import Store
from made_results import SCENARIOS, write_run, write_study, write_sweep

CRIME = "crime.true.all"


def long(values, outcome=CRIME, group="all", unit="crimes"):
    """{scenario: {seed: value}} as rows of an outcomes table."""
    return pd.DataFrame([(s, seed, outcome, group, unit, v) for s, seeds in values.items()
                         for seed, v in seeds.items()],
                        columns=["scenario", "seed", "outcome", "group", "unit", "value"])


def one(frame, scenario="b"):
    """The single row of a scenario."""
    rows = frame[frame["scenario"] == scenario]
    assert len(rows) == 1
    return rows.iloc[0]


def compare(base, other, **kind):
    """Contrast of two scenarios given as lists by seed 0, 1, ... (None: run missing)."""
    values = {s: {i: v for i, v in enumerate(x) if v is not None}
              for s, x in (("a", base), ("b", other))}
    return contrast(long(values, **kind), ["a", "b"])


# --- intervals and pairing -----------------------------------------------------------------

def test_interval_is_students_t_and_skips_gaps():
    samples = np.random.default_rng(0).normal(5, 2, (40, 9))
    mean, half, error, n = interval(samples)
    for row, m, h, se in zip(samples, mean, half, error, strict=True):
        low, high = stats.t.interval(0.90, 8, row.mean(), stats.sem(row))
        assert (m - h, m + h) == pytest.approx((low, high))
        assert se == pytest.approx(stats.sem(row))
    samples[:, 3] = np.nan
    gapped = interval(samples)
    closed = interval(np.delete(samples, 3, axis=1))
    for left, right in zip(gapped, closed, strict=True):
        np.testing.assert_allclose(left, right)


def test_difference_by_hand():
    row = one(compare([10, 20, 30], [11, 22, 33]))
    half = 2.919986 / math.sqrt(3)  # t(0.95; 2 degrees of freedom), standard deviation 1
    assert row["mean"] == pytest.approx(22)
    assert row["diff"] == pytest.approx(2)
    assert (row["diff_lo90"], row["diff_hi90"]) == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert row["relative"] == pytest.approx(2 / 20)
    assert (row["relative_lo90"], row["relative_hi90"]) == \
        pytest.approx(((2 - half) / 20, (2 + half) / 20), rel=1e-6)
    assert row["n"] == 3 and row["note"] == ""


def test_pairing_takes_shared_luck_away():
    luck = np.random.default_rng(1).normal(100, 20, 10)
    row = one(compare(list(luck), list(luck - 3 + np.random.default_rng(2).normal(0, 0.5, 10))))
    assert row["hi90"] - row["lo90"] > 10
    assert row["diff_hi90"] - row["diff_lo90"] < 1
    assert row["diff_lo90"] < -3 < row["diff_hi90"]


def test_only_common_seeds_are_paired():
    frame = compare([10, 20, None, 40, 1000], [11, 21, 500, 43, None])
    row = one(frame)
    assert row["n"] == 3
    assert row["diff"] == pytest.approx((1 + 1 + 3) / 3)
    assert row["relative"] == pytest.approx(row["diff"] / ((10 + 20 + 40) / 3))
    assert row["mean"] == pytest.approx((11 + 21 + 500 + 43) / 4)
    assert "1 of 4" in row["note"]
    assert one(frame, "a")["n"] == 4


def test_missing_value_breaks_its_pair_only():
    row = one(compare([10, np.nan, 30], [11, 25, 32]))
    assert row["n"] == 2 and row["diff"] == pytest.approx(1.5)


@pytest.mark.parametrize(("base", "other", "n"), [([10, 20], [12, None], 1),
                                                 ([10, None], [None, 12], 0)])
def test_fewer_than_two_pairs_give_no_interval(base, other, n):
    row = one(compare(base, other))
    assert row["n"] == n and "fewer than two" in row["note"]
    assert row[["diff_lo90", "diff_hi90", "p_better"]].isna().all()
    assert verdict(row) == "no difference shown"


def test_relative_of_zero_baseline_is_nan():
    row = one(compare([0, 0, 0], [1, 2, 3]))
    assert math.isnan(row["relative"]) and row["diff"] == pytest.approx(2)


def test_scenarios_that_agree_show_nothing():
    row = one(compare([0.1, 0.7, 1 / 3], [0.1, 0.7, 1 / 3]))
    assert row["diff"] == 0 and math.isnan(row["p_better"])
    assert "equal" in row["note"] and verdict(row) == "no difference shown"


# --- chance of being better ----------------------------------------------------------------

def at_the_edge():
    """Pairs whose 90 % interval just touches zero from below."""
    noise = np.array([-1.0, 0.5, 2.0, -1.5, 0.0])
    return list(noise - interval(noise)[1] - noise.mean())


@pytest.mark.parametrize(("outcome", "expected"), [
    (CRIME, 0.95), ("safety.safe_after_dark", 0.05), ("crime.recorded.all", math.nan)])
def test_chance_follows_the_better_direction(outcome, expected):
    assert {"lower": 0.95, "higher": 0.05}.get(meaning(outcome).better, math.nan) == \
        pytest.approx(expected, nan_ok=True)
    frame = compare([0.0] * 5, at_the_edge(), outcome=outcome)
    assert one(frame)["p_better"] == pytest.approx(expected, nan_ok=True)
    assert math.isnan(one(frame, "a")["p_better"])


def test_chance_is_certain_without_spread():
    assert one(compare([5, 6, 7], [4, 5, 6]))["p_better"] == 1
    assert one(compare([5, 6, 7], [6, 7, 8]))["p_better"] == 0


def test_intervals_hold_the_truth_nine_times_in_ten():
    rng = np.random.default_rng(3)
    effect, hits, worlds = -2.0, 0, 600
    base = rng.normal(50, 5, (worlds, 6))
    other = base + effect + rng.normal(0, 1.5, base.shape)
    frame = pd.concat([long({"a": dict(enumerate(x)), "b": dict(enumerate(y))}, group=f"g{i}")
                       for i, (x, y) in enumerate(zip(base, other, strict=True))])
    rows = contrast(frame, ["a", "b"]).query("scenario == 'b'")
    hits = ((rows["diff_lo90"] <= effect) & (effect <= rows["diff_hi90"])).mean()
    assert 0.86 < hits < 0.94  # three standard errors around 0.90


# --- futures -------------------------------------------------------------------------------

def in_futures(values, **kind):
    """{scenario: {(future, seed): value}} as rows of an outcomes table."""
    frame = long({s: dict(enumerate(v.values())) for s, v in values.items()}, **kind)
    keys = [k for v in values.values() for k in v]
    return frame.assign(future=[f for f, _ in keys], seed=[s for _, s in keys])


def test_difference_over_futures_by_hand():
    """Futures of unequal numbers of seeds count alike; seeds do not count as futures."""
    base = {(1, 1): 10.0, (1, 2): 12.0, (2, 1): 20.0, (2, 2): 21.0, (3, 1): 30.0}
    gain = {(1, 1): 1.0, (1, 2): 3.0, (2, 1): 4.0, (2, 2): 4.0, (3, 1): 6.0}
    own = {k: base[k] - gain[k] for k in base}
    row = one(contrast(in_futures({"a": base, "b": own}), ["a", "b"]))
    half = 2.919986 * 2 / math.sqrt(3)  # futures gain 2, 4 and 6: standard deviation 2
    assert row["diff"] == pytest.approx(-4)
    assert row["diff_hi90"] - row["diff"] == pytest.approx(half, rel=1e-6)
    assert row["relative"] == pytest.approx(-4 / ((11 + 20.5 + 30) / 3))
    assert (row["n"], row["futures"]) == (5, 3)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(4 / (2 / math.sqrt(3)), 2))
    assert row["p_better"] == pytest.approx(stats.t.cdf(4 / (2 / math.sqrt(3)), 2))


def test_runs_pair_within_their_future_only():
    base = {(1, 1): 10.0, (2, 1): 50.0}
    row = one(contrast(in_futures({"a": base, "b": {(1, 1): 11.0, (3, 1): 7.0}}), ["a", "b"]))
    assert row["n"] == 1 and row["diff"] == 1 and math.isnan(row["diff_lo90"])


def test_an_option_with_a_future_of_its_own_is_judged_by_its_seeds():
    base = {(f, s): 10.0 * f + s for f in (1, 2) for s in (1, 2, 3)}
    own = {(2, 1): 20.0, (2, 2): 20.5, (2, 3): 22.0}
    row = one(contrast(in_futures({"a": base, "b": own}), ["a", "b"]))
    plain = one(compare([21, 22, 23], [20, 20.5, 22]))
    for column in ("diff", "diff_lo90", "diff_hi90", "relative", "p_better", "p_value"):
        assert row[column] == pytest.approx(plain[column])
    assert row["futures"] == 1 and row["note"] == ""


def test_intervals_over_futures_hold_the_truth_nine_times_in_ten():
    """The truth is the mean over all futures; taking seeds for futures would hold it too rarely."""
    rng = np.random.default_rng(8)
    worlds, futures, seeds, effect = 400, 8, 3, -2.0
    of_future = rng.normal(effect, 2.0, (worlds, futures, 1))
    base = rng.normal(50, 5, (worlds, futures, seeds))
    other = base + of_future + rng.normal(0, 0.5, base.shape)
    keys = [(f, s) for f in range(1, futures + 1) for s in range(seeds)]
    frame = pd.concat([in_futures({"a": dict(zip(keys, x.ravel(), strict=True)),
                                   "b": dict(zip(keys, y.ravel(), strict=True))}, group=f"g{i}")
                       for i, (x, y) in enumerate(zip(base, other, strict=True))])
    rows = contrast(frame, ["a", "b"]).query("scenario == 'b'")
    hits = ((rows["diff_lo90"] <= effect) & (effect <= rows["diff_hi90"])).mean()
    assert 0.855 < hits < 0.945  # three standard errors around 0.90
    naive = contrast(frame.assign(future=0, seed=frame["future"] * 10 + frame["seed"]), ["a", "b"])
    naive = naive.query("scenario == 'b'")
    assert ((naive["diff_lo90"] <= effect) & (effect <= naive["diff_hi90"])).mean() < 0.8


def test_cost_is_paired_within_futures(tmp_path):
    design = pd.DataFrame([(s, f, f, 0.0) for f in (1, 2, 3) for s in ("no_action", "lamps")],
                          columns=["scenario", "future", "sample", "u"])

    def model(row, seed):
        acts = row["scenario"] == "lamps"
        return {"crime.count.hazard": 100 * row["future"] + seed - acts * (9 + row["future"]),
                "cost.total": acts * 110.0}

    study = open_study(write_sweep(tmp_path, design, {"u": "uncertainty"}, model))
    row = cost_per_unit(study).iloc[0]
    assert row["gain"] == pytest.approx(11) and row["n"] == 3  # three futures, not six runs
    assert row["gain_hi90"] - row["gain"] == pytest.approx(2.919986 / math.sqrt(3), rel=1e-6)
    assert row["per_unit"] == pytest.approx(10)


# --- many comparisons ----------------------------------------------------------------------

def test_holm_by_hand():
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    # In order: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 raised to the one before.
    assert holm(p) == pytest.approx([0.03, 0.06, np.nan, 0.06, 0.02], nan_ok=True)
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]
    assert np.isnan(holm(np.array([np.nan]))).all()


def test_benjamini_hochberg_by_hand():
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    # 0.005 x 4 / 1, 0.01 x 4 / 2, 0.03 x 4 / 3, 0.04 x 4 / 4, each lowered to the one after.
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, np.nan, 0.04, 0.02], nan_ok=True)


def test_holm_calls_a_false_difference_once_in_ten_families():
    """Twenty comparisons a family without any effect: alone, one of them errs nearly always."""
    rng = np.random.default_rng(9)
    p = stats.ttest_1samp(rng.normal(size=(400, 20, 6)), 0, axis=2).pvalue
    alone = (p < 0.10).any(axis=1).mean()
    among_all = np.mean([(holm(row) < 0.10).any() for row in p])
    assert alone > 0.8 and 0.05 < among_all < 0.145  # three standard errors above 0.10


def test_family_is_the_headline_for_everyone(folder):
    summary = summarise(folder)
    family = summary[summary["p_holm"].notna()]
    assert set(family["group"]) == {"all"} and set(family["outcome"]) <= set(HEADLINE)
    assert "no_action" not in set(family["scenario"])
    assert len(family) == 4 * 5
    assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p_value"].to_numpy()))
    tested = summary[summary["p_value"].notna()]
    assert (tested["q_value"] >= tested["p_value"]).all() and len(tested) > len(family)


def test_what_is_spent_by_plan_is_not_tested(folder):
    cost = summarise(folder).query("outcome == 'cost.total' and scenario != 'no_action'")
    assert len(cost) and cost[["p_value", "p_holm", "q_value"]].isna().all(axis=None)


# --- many options --------------------------------------------------------------------------

def test_of_many_options_the_best_are_shown():
    values = {"no_action": {1: 100.0, 2: 101.0},
              **{f"p{i}": {1: 100.0 - i, 2: 101.0 - i} for i in range(30)}}
    summary = contrast(long(values), list(values))
    shown = leading(summary, list(values))
    assert shown == ["no_action", *(f"p{i}" for i in range(29, 22, -1))]
    assert "Of 30 options" in left_out(shown, list(values))
    assert leading(summary, ["no_action", "p3", "p1"]) == ["no_action", "p3", "p1"]
    console = Console(width=200, color_system=None, record=True, file=io.StringIO())
    console.print(main_table(summary))
    assert "P29" in console.export_text() and "p3" not in console.export_text().lower().split()


# --- groups --------------------------------------------------------------------------------

def test_gains_are_signed_so_that_positive_is_good():
    frame = contrast(pd.concat([
        long({"a": {0: 10, 1: 20, 2: 30}, "b": {0: 8, 1: 18.5, 2: 27}}, group="women"),
        long({"a": {0: .5, 1: .6, 2: .7}, "b": {0: .4, 1: .45, 2: .6}}, "safety.safe_after_dark",
             "district:Aurora", "share"),
        long({"a": {0: 1, 1: 2, 2: 3}, "b": {0: 2, 1: 2.9, 2: 4}}, "crime.recorded.all", "men"),
    ]), ["a", "b"])
    gains = who_gains(frame).set_index("group")
    assert set(gains.index) == {"women", "district:Aurora"}  # recorded crime has no direction
    women, aurora = gains.loc["women"], gains.loc["district:Aurora"]
    assert women["gain"] == pytest.approx(6.5 / 3) and women["verdict"] == "gains"
    assert women["gain_lo90"] < women["gain"] < women["gain_hi90"]
    assert women["gain_relative"] == pytest.approx(6.5 / 60)
    assert aurora["gain"] == pytest.approx(-0.35 / 3) and aurora["verdict"] == "loses"
    assert (women["kind"], aurora["kind"]) == ("people", "district")


# --- cost ----------------------------------------------------------------------------------

def test_fieller_bounds_meet_their_definition():
    rng = np.random.default_rng(4)
    cost, gain = rng.normal(900, 60, 8), rng.normal(30, 6, 8)
    ratio, low, high = fieller(cost, gain)
    assert low < ratio < high and ratio == pytest.approx(cost.mean() / gain.mean())
    limit = stats.t.ppf(0.95, 7)
    for bound, sign in ((low, 1), (high, -1)):
        rest = cost - bound * gain
        assert rest.mean() / stats.sem(rest) == pytest.approx(sign * limit)


def test_fieller_of_a_fixed_cost_turns_the_gains_interval_over():
    gain = np.array([20.0, 24, 31, 28, 22])
    mean, half, _, _ = interval(gain)
    assert fieller(np.full(5, 1000.0), gain) == pytest.approx(
        (1000 / mean, 1000 / (mean + half), 1000 / (mean - half)))


def test_fieller_covers_nine_times_in_ten():
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(600):
        gain = rng.normal(10, 3, 8)
        _, low, high = fieller(400 + 5 * gain + rng.normal(0, 20, 8), gain)
        hits.append(low <= 45 <= high)
    assert 0.86 < np.mean(hits) < 0.94


def test_cost_per_unit_tells_gain_from_no_gain(tmp_path):
    study = open_study(write_study(tmp_path, places=3, days=14))
    table = cost_per_unit(study, residents=1000).set_index(["unit", "scenario"])
    crime = table.loc[CRIMES_AVOIDED]
    assert crime.loc["night_activation", "status"] == "loss shown"
    assert math.isnan(crime.loc["night_activation", "per_unit"])
    beat = crime.loc["community_policing"]
    assert beat["status"] == "gain shown" and beat["extra_cost"] == pytest.approx(395_000)
    assert beat["per_unit"] == pytest.approx(beat["extra_cost"] / beat["gain"])
    assert beat["per_unit_lo90"] < beat["per_unit"] < beat["per_unit_hi90"]
    safe = table.loc[FEEL_SAFE]
    assert safe.loc["night_activation", "status"] == "gain shown"
    assert safe.loc["night_activation", "gain"] == pytest.approx(21, abs=4)  # .021 of 1000
    assert safe.loc["youth_programme", "status"] == "no gain shown"
    assert SAFE_POINTS in set(cost_per_unit(study)["unit"])  # residents not known


def test_crimes_avoided_prefer_the_hazard_and_fall_back_to_events(tmp_path):
    def counts(frame, scenario, seed):
        rows = {"crime.count.hazard": 100 - 10 * (scenario == "together") + 0.1 * seed,
                "crime.count.true": 500.0, "cost.total": 100.0 * (scenario == "together")}
        rows["crime.count.true"] += seed
        return pd.DataFrame([(o, "all", "1", v) for o, v in rows.items()],
                            columns=["outcome", "group", "unit", "value"])

    two = ("no_action", "together")
    found = cost_per_unit(open_study(write_study(tmp_path / "a", two, range(3), places=3, days=7,
                                                 change=counts)))
    assert found["gain"].tolist() == pytest.approx([10])
    assert found["per_unit"].tolist() == pytest.approx([10])

    def only_cost(frame, scenario, seed):
        return counts(frame, scenario, seed).query("outcome == 'cost.total'")

    def events(scenario, seed):
        return {"events": pd.DataFrame({"step": np.arange(
            40 if scenario == "no_action" else 38 + seed % 2)})}

    folder = write_study(tmp_path / "b", two, range(3), places=3, days=7, change=only_cost,
                         more=events)
    assert cost_per_unit(open_study(folder))["gain"].tolist() == pytest.approx([5 / 3])


# --- the whole study -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), places=3, days=14,
                       fail={("youth_programme", 3)}, skip={("together", 5)})


def test_summary_of_a_study(folder):
    summary = summarise(folder)
    assert list(dict.fromkeys(summary["scenario"])) == list(SCENARIOS)
    assert not summary.duplicated(["scenario", "outcome", "group"]).any()
    rows = summary[(summary["outcome"] == "crime.hazard.all")].set_index("scenario")
    assert rows["n"].to_dict() == {**dict.fromkeys(SCENARIOS, 8), "youth_programme": 7,
                                   "together": 7}
    # The effects that the maker put in lie within four standard errors of what is found.
    for name, effect in (("community_policing", -0.055), ("night_activation", 0.012)):
        row = rows.loc[name]
        error = (row["relative_hi90"] - row["relative_lo90"]) / 2 / stats.t.ppf(0.95, 7)
        assert abs(row["relative"] - effect) < 4 * error
        assert verdict(row) == ("better" if effect < 0 else "worse")


def test_failed_and_missing_runs_are_told(folder):
    study = open_study(folder)
    assert study.failed[["scenario", "seed"]].values.tolist() == [["youth_programme", 3]]
    assert study.missing == 1
    assert len(study.table("outcomes", ["cost.total"])) == len(study.done) == 38


def test_runs_of_another_design_stay_out(tmp_path):
    write_study(tmp_path, ("no_action", "together"), range(2), places=3, days=7)
    write_study(tmp_path, ("no_action", "youth_programme"), range(2), places=3, days=7)
    assert open_study(tmp_path).scenarios == ["no_action", "youth_programme"]
    assert set(open_study(tmp_path).table("daily")["scenario"]) == {"no_action",
                                                                    "youth_programme"}


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="no results"):
        summarise(tmp_path)


def test_two_runs_of_one_seed_are_refused(tmp_path):
    write_study(tmp_path, ("no_action",), range(2), places=3, days=7)
    write_run(Store(tmp_path), "other", "no_action", 0, 1, {})
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(InputError, match="two finished runs"):
        open_study(tmp_path)


def test_baseline_leads():
    assert order_scenarios(["b", "no_action", "a"]) == ["no_action", "a", "b"]
    assert order_scenarios(["b", "a"], {"scenarios": ["b", "a", "gone"]}) == ["b", "a"]
    assert order_scenarios(["x", "a"], {"scenarios": [{"name": "x"}]}) == ["x", "a"]


def test_terminal_table_says_it_without_colour(folder):
    console = Console(width=150, color_system=None, record=True, file=io.StringIO())
    console.print(main_table(summarise(folder)))
    text = console.export_text()
    for part in ("Community policing", "Feel safe after dark", "pts", "\u25bc", "\u25b2",
                 "no difference"):
        assert part in text


# --- words ---------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (1234.5, "1,234"), (-0.01234, "\u22120.0123"), (12.34, "12.3"),
    (math.nan, "\u2013"), (math.inf, "\u2013"), (1e6, "1,000,000")])
def test_numbers_are_readable(value, text):
    assert number(value) == text


def test_money_and_shares():
    assert euro(395_432) == "\u20ac 395,000" and euro(-3.456) == "\u2212\u20ac 3.46"
    assert level(0.5432, "share") == "54.3 %" and level(1200, "EUR") == "\u20ac 1,200"


def test_change_is_told_in_the_unit_that_reads_best():
    share = one(compare([.50, .52, .54], [.53, .54, .57], outcome="safety.safe_after_dark",
                        unit="share"))
    assert change(share)[0] == "+2.7 pts"
    rate = one(compare([100, 110, 120], [90, 101, 109]))
    assert change(rate)[0] == "\u22129.1 %"
    assert amount(rate).startswith("9.1 % less (") and amount(share).startswith("2.7 points more")
    assert change(one(compare([0, 0, 0], [5, 5, 5], unit="EUR"))) == ("+\u20ac 5.00", "")

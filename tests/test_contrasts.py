"""Paired contrasts, their chances, many comparisons, and who gains, by plain numbers."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from citysim.analysis.contrasts import contrast, verdict, who_gains
from citysim.analysis.leading import leading, left_out
from citysim.analysis.measures import meaning
from citysim.analysis.multiplicity import benjamini_hochberg, holm
from citysim.analysis.repetitions import over_runs
from citysim.analysis.terminal import main_table
from made_contrasts import CRIME, by_seed, compare, long, one

# --- intervals and pairing -----------------------------------------------------------------

def test_difference_by_hand():
    row = one(compare([10, 20, 30], [11, 22, 33]))
    half = 2.919986 / math.sqrt(3)  # t(0.95; 2 degrees of freedom), standard deviation 1
    assert row["mean"] == pytest.approx(22)
    assert row["diff"] == pytest.approx(2)
    assert (row["diff_lo90"], row["diff_hi90"]) == pytest.approx((2 - half, 2 + half), rel=1e-6)
    assert row["relative"] == pytest.approx(2 / 20)
    assert row["n"] == 3 and row["note"] == ""


def test_a_share_is_surer_than_its_difference_where_seeds_differ_in_level():
    same = one(compare([10, 20, 30], [11, 22, 33]))  # a tenth more with every seed
    assert (same["relative_lo90"], same["relative_hi90"]) == pytest.approx((0.1, 0.1))
    row = one(compare([10, 20], [11, 24]))
    half = 6.313752 * (4 - 20 / 6) / 15  # t(0.95; 1), what the seeds are off a share of 1/6
    assert (row["relative_lo90"], row["relative_hi90"]) == \
        pytest.approx((1 / 6 - half, 1 / 6 + half), rel=1e-6)
    fall = one(compare([-10, -20], [-11, -24]))
    assert fall["relative_hi90"] > fall["relative"] > fall["relative_lo90"]


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
    return list(noise - over_runs(by_seed(noise[None])).half - noise.mean())


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

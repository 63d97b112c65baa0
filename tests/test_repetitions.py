"""Means over runs: seeds, futures, and the luck that futures share."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from citysim.analysis.contrasts import contrast
from citysim.analysis.repetitions import over_runs, share_of, share_over_runs
from made_contrasts import by_seed, compare, in_futures, one


def test_interval_is_students_t_and_skips_gaps():
    samples = np.random.default_rng(0).normal(5, 2, (40, 9))
    for row, m, h, se, _ in zip(samples, *over_runs(by_seed(samples)), strict=True):
        low, high = stats.t.interval(0.90, 8, row.mean(), stats.sem(row))
        assert (m - h, m + h) == pytest.approx((low, high))
        assert se == pytest.approx(stats.sem(row))
    samples[:, 3] = np.nan
    gapped = over_runs(by_seed(samples))
    closed = over_runs(by_seed(np.delete(samples, 3, axis=1)))
    for left, right in zip(gapped, closed, strict=True):
        np.testing.assert_allclose(left, right)


# --- shares of the baseline ----------------------------------------------------------------

def test_share_is_a_ratio_of_means_and_its_interval_knows_that_the_baseline_varies():
    """A tenth less with some noise, of levels that differ by seed: nine in ten hold it."""
    rng = np.random.default_rng(3)
    base = rng.uniform(50, 150, (500, 8))
    change = -0.1 * base + rng.normal(0, 1, base.shape)
    ratio, half = share_over_runs(by_seed(change), by_seed(base))
    assert ratio == pytest.approx(change.mean(axis=1) / base.mean(axis=1))
    assert 0.86 < (np.abs(ratio + 0.1) <= half).mean() < 0.94  # three standard errors
    as_known = over_runs(by_seed(change)).half / base.mean(axis=1)
    assert np.median(as_known) > 2 * np.median(half)


def test_share_by_hand():
    base, change = [10.0, 20.0, 30.0], [1.0, 3.0, 5.0]  # 3/20; off it by -1/2, 0 and 1/2
    half = 2.919986 * 0.5 / math.sqrt(3) / 20  # t(0.95; 2)
    for sign in (1, -1):
        found = share_over_runs(by_seed(np.array([change])), by_seed(sign * np.array([base])))
        assert np.ravel(found) == pytest.approx([sign * 0.15, half])


def test_share_pairs_counts_futures_alike_and_needs_a_baseline():
    row = np.array([0, 0, 0, 0, 1, 1])
    future, seed = np.array([1, 1, 1, 2, 1, 1]), np.array([1, 2, 3, 1, 1, 2])
    base = np.array([10.0, 20.0, 900.0, 30.0, 1.0, -1.0])
    change = np.array([1.0, 2.0, np.nan, 6.0, 1.0, 1.0])
    ratio, half = share_of(change, base, row, future, seed, 2)
    assert ratio[0] == pytest.approx((1.5 + 6) / (15 + 30)) and half[0] > 0
    assert np.isnan([ratio[1], half[1]]).all()


# --- futures -------------------------------------------------------------------------------

def test_difference_over_futures_by_hand():
    """Futures of unequal numbers of seeds count alike; seeds do not count as futures."""
    base = {(1, 1): 10.0, (1, 2): 12.0, (2, 1): 20.0, (2, 2): 21.0, (3, 1): 30.0}
    gain = {(1, 1): 1.0, (1, 2): 3.0, (2, 1): 4.0, (2, 2): 4.0, (3, 1): 6.0}
    own = {k: base[k] - gain[k] for k in base}
    row = one(contrast(in_futures({"a": base, "b": own}), ["a", "b"]))
    # Futures gain 2, 4 and 6: variance 4 of three. Seeds gain -1/3 and 1/2 more than their
    # futures: variance (5/6)^2 / 2 of two.
    futures, seeds = 4 / 3, (5 / 6) ** 2 / 2 / 2
    error = math.sqrt(futures + seeds)
    freedom = error ** 4 / (futures ** 2 / 2 + seeds ** 2 / 1)
    assert row["diff"] == pytest.approx(-4)
    assert row["diff_hi90"] - row["diff"] == pytest.approx(stats.t.ppf(0.95, freedom) * error)
    assert row["relative"] == pytest.approx(-4 / ((11 + 20.5 + 30) / 3))
    assert (row["n"], row["futures"]) == (5, 3)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(4 / error, freedom))
    assert row["p_better"] == pytest.approx(stats.t.cdf(4 / error, freedom))


def test_one_seed_is_one_draw_of_luck_however_many_futures():
    base = {(f, 1): 10.0 + f for f in range(20)}
    row = one(contrast(in_futures({"a": base, "b": {k: v - 2 for k, v in base.items()}}),
                       ["a", "b"]))
    assert row["diff"] == -2 and row["n"] == row["futures"] == 20
    assert row[["diff_lo90", "p_value", "p_better"]].isna().all()
    assert "fewer than two seeds" in row["note"]


def test_luck_that_all_futures_share_is_held():
    """The same dice are thrown in every future: more futures do not make them more dice."""
    rng = np.random.default_rng(5)
    worlds, futures, seeds, effect = 500, 12, 5, -2.0
    values = effect + rng.normal(0, 1.0, (worlds, futures, 1)) \
        + rng.normal(0, 3.0, (worlds, 1, seeds)) + rng.normal(0, 0.5, (worlds, futures, seeds))
    runs = pd.MultiIndex.from_product([range(futures), range(seeds)], names=["future", "seed"])
    mean, half, _, _ = over_runs(pd.DataFrame(values.reshape(worlds, -1), columns=runs))
    assert 0.855 < (np.abs(mean - effect) <= half).mean() < 0.945  # three standard errors
    of_futures, alone, _, _ = over_runs(by_seed(values.mean(axis=2)))
    assert (np.abs(of_futures - effect) <= alone).mean() < 0.5


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

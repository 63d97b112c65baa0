"""Estimators against made-up trials whose effect is known."""

import math

import numpy as np
import pandas as pd
import pytest

from citysim.analysis.displacement import displacement_quotient
from citysim.evidence.trials.entries import load_trial
from citysim.evidence.trials.estimators import Panel, estimate
from citysim.evidence.trials.pool import agrees, pooled, ratio_of_sums
from citysim.evidence.trials.schema import EstimatorKeys, Published
from citysim.evidence.trials.spillover import moved


def panel(r, units=60, ratio=1.0, pairs=False, blocks=1, spread=8.0):
    """Units of unequal crime, half of them treated; the treated have ``ratio`` times as much."""
    level = r.gamma(0.8, 1 / 0.8, units)
    base = r.poisson(4 * level).astype(float)
    stratum, arm = np.zeros(units, int), np.zeros(units, int)
    order = np.argsort(-base, kind="stable")
    size = 2 if pairs else units // blocks
    stratum[order] = np.arange(units) // size
    for s in np.unique(stratum):
        members = np.flatnonzero(stratum == s)
        arm[r.permutation(members)[:len(members) // 2]] = 1
    noise = r.gamma(spread, 1 / spread, units)
    value = r.poisson(8 * level * noise * np.where(arm == 1, ratio, 1.0)).astype(float)
    return two_periods(base, value, arm, stratum)


def two_periods(base, value, arm, stratum=None, mean=False, days=(7.0, 14.0)):
    n = len(value)
    stratum = np.zeros(n, int) if stratum is None else stratum
    return Panel(np.concatenate([base, value]), np.repeat(days, n), np.tile(arm, 2),
                 np.repeat([0, 1], n), np.tile(np.arange(n), 2), np.tile(stratum, 2),
                 np.zeros(2 * n, int), np.zeros(2 * n), mean)


KINDS = {
    "rate_ratio": ({"kind": "rate_ratio", "adjust": "baseline"}, {}),
    "negative_binomial": ({"kind": "rate_ratio", "family": "negative_binomial",
                           "adjust": "baseline"}, {}),
    "pairs": ({"kind": "rate_ratio", "adjust": "baseline"}, {"pairs": True}),
    "blocks": ({"kind": "rate_ratio"}, {"blocks": 5}),
    "differences": ({"kind": "difference_in_differences"}, {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_ratio_is_found_and_covered(name):
    keys, design = KINDS[name]
    keys, r, truth = EstimatorKeys(**keys), np.random.default_rng(5), 100 * (0.7 - 1)
    found = [estimate(panel(r, ratio=0.7, **design), keys, name == "pairs")[0]
             for _ in range(250)]
    covered = np.mean([e.low <= truth <= e.high for e in found])
    # 90 % intervals, 250 of them: three standard errors are 5.7 points
    assert 0.843 <= covered <= 0.957
    assert np.median([e.percent for e in found]) == pytest.approx(truth, abs=4)


def test_rate_ratio_without_covariates_is_the_ratio_of_rates():
    arm = np.repeat([0, 1], 10)
    value = np.where(arm == 1, 3.0, 4.0)
    effect, = estimate(two_periods(np.ones(20), value, arm), EstimatorKeys(kind="rate_ratio"))
    assert effect.percent == pytest.approx(-25)
    assert effect.units == 20


def test_risk_difference_is_the_difference_of_means_and_covers():
    r, keys = np.random.default_rng(8), EstimatorKeys(kind="risk_difference")
    hits = 0
    for _ in range(250):
        arm = r.permutation(np.repeat([0, 1], 100))
        value = (r.random(200) < np.where(arm == 1, 0.2, 0.3)).astype(float)
        effect, = estimate(two_periods(np.zeros(200), value, arm), keys)
        assert effect.change == pytest.approx(value[arm == 1].mean() - value[arm == 0].mean())
        hits += effect.change_low <= -0.1 <= effect.change_high
    assert 0.843 <= hits / 250 <= 0.957


@pytest.mark.parametrize("arm_with_events", [0, 1])
@pytest.mark.parametrize("units", [200, 500])
def test_an_arm_without_events_leaves_a_difference_and_no_ratio(units, arm_with_events):
    """Least squares leave a control arm's level at some 1e-18, which is not a level; a treated
    arm without events would always count as all gone, and nobody as the contrary."""
    arm = np.random.default_rng(units).permutation(np.repeat([0, 1], units // 2))
    value = np.zeros(units)
    value[np.flatnonzero(arm == arm_with_events)[:2]] = 1.0
    effect, = estimate(two_periods(np.zeros(units), value, arm),
                       EstimatorKeys(kind="risk_difference"))
    assert math.isnan(effect.percent) and math.isnan(effect.low) and math.isnan(effect.high)
    assert effect.change == pytest.approx((1 if arm_with_events else -1) * 4 / units)
    assert effect.change_low < effect.change < effect.change_high


def test_differences_of_means_are_differences_in_differences():
    arm = np.array([0, 0, 1, 1])
    base, value = np.array([1.0, 3, 2, 4]), np.array([2.0, 4, 6, 8])
    effect, = estimate(two_periods(base, value, arm, mean=True),
                       EstimatorKeys(kind="difference_in_differences"))
    assert effect.change == pytest.approx(3.0)  # 4 more there, 1 more here


def test_one_area_on_each_side_rests_on_its_counts():
    keys = EstimatorKeys(kind="difference_in_differences")
    data = two_periods(np.array([100.0, 80.0]), np.array([90.0, 60.0]), np.array([0, 1]),
                       days=(10.0, 10.0))
    effect, = estimate(data, keys)
    ratio = (60 / 80) / (90 / 100)
    se = math.sqrt(1 / 100 + 1 / 80 + 1 / 90 + 1 / 60)
    assert effect.percent == pytest.approx(100 * (ratio - 1))
    assert effect.low == pytest.approx(100 * (ratio * math.exp(-1.6449 * se) - 1), abs=0.01)
    wider, = estimate(data, EstimatorKeys(kind="difference_in_differences", overdispersion=2))
    assert wider.low < effect.low and wider.high > effect.high


def test_slope_over_a_panel():
    r, keys, hits, middle = np.random.default_rng(2), EstimatorKeys(kind="slope"), 0, []
    units, windows = 12, 6
    unit, window = (g.ravel() for g in np.mgrid[0:units, 0:windows])
    for _ in range(200):
        x = r.choice([-1, 0, 1], units * windows).astype(float)
        rate = 30 * r.gamma(5, 1 / 5, units)[unit] * r.gamma(50, 1 / 50, windows)[window]
        value = r.poisson(rate * np.exp(0.15 * x)).astype(float)
        data = Panel(value, np.full(len(x), 28.0), np.zeros(len(x), int), np.ones(len(x), int),
                     unit, np.zeros(len(x), int), window, x)
        effect, = estimate(data, keys)
        truth = 100 * math.expm1(0.15)
        hits += effect.low <= truth <= effect.high
        middle.append(effect.percent)
    assert np.median(middle) == pytest.approx(truth, abs=1)
    assert 0.836 <= hits / 200 <= 0.964


@pytest.mark.parametrize("kind", ["rate_ratio", "difference_in_differences"])
def test_arms_without_any_event_say_nothing(kind):
    arm = np.repeat([0, 1], 10)
    value = np.where(arm == 1, 0.0, 2.0)
    effect, = estimate(two_periods(np.ones(20), value, arm), EstimatorKeys(kind=kind))
    assert math.isnan(effect.percent)


def test_a_baseline_without_any_event_gives_no_difference():
    arm = np.repeat([0, 1], 10)
    effect, = estimate(two_periods(1.0 - arm, np.ones(20), arm),
                       EstimatorKeys(kind="difference_in_differences"))
    assert math.isnan(effect.percent)


def test_several_arms_are_estimated_together():
    arm = np.repeat([0, 1, 2], 20)
    value = np.array([10.0, 5.0, 20.0])[arm]
    effects = estimate(two_periods(np.ones(60), value, arm), EstimatorKeys(kind="rate_ratio"))
    assert [(e.arm, round(e.percent)) for e in effects] == [(1, -50), (2, 100)]


# --- displacement


def test_displacement_quotient_by_hand():
    """Control 100 to 100; treated 50 to 30; buffer 40 to 45: a quarter of the gain moved next door.

    (45/100 - 40/100) / (30/100 - 50/100) = 0.05 / -0.20 = -0.25
    """
    assert displacement_quotient((50, 30), (40, 45), (100, 100)) == pytest.approx(-0.25)
    assert displacement_quotient((50, 30), (40, 30), (100, 100)) == pytest.approx(0.5)
    # everything falls by a tenth in the city: neither gain nor displacement
    assert math.isnan(displacement_quotient((50, 45), (40, 36), (100, 90)))
    # the control doubles: the buffer's rise from 40 to 60 is a fall in relation to it
    assert displacement_quotient((50, 50), (40, 60), (100, 200)) == pytest.approx(
        (0.3 - 0.4) / (0.25 - 0.5))
    assert math.isnan(displacement_quotient((1, 0), (1, 1), (0, 5)))


def test_moved_has_the_sign_of_the_quotient():
    assert moved(-20, 5) == pytest.approx(-0.25)
    assert moved(-20, -10) == pytest.approx(0.5)
    assert math.isnan(moved(3, -1))


# --- seeds together


def test_ratio_of_sums_covers():
    r, hits = np.random.default_rng(4), 0
    for _ in range(300):
        untreated = r.poisson(80, 8).astype(float)
        treated = r.binomial(untreated.astype(int), 0.8).astype(float)
        _, low, high = ratio_of_sums(treated, untreated, 90)
        hits += low <= -20 <= high
    assert 0.848 <= hits / 300 <= 0.952


@pytest.mark.parametrize("bases, expected", [
    (("counts", "hazards"), -0.5), (("hazards", "counts"), -0.5), (("counts",), -2.0)])
def test_the_change_per_unit_is_that_of_hazards_where_there_are_any(bases, expected):
    """Whatever is counted: hazards are of that, true crime, reports or records."""
    change = {"counts": -2.0, "hazards": -0.5}
    trial = load_trial("london_bus_stops")
    rows = pd.DataFrame([
        {"seed": seed, "outcome": "victim_reports", "arm": "visits", "scope": "units",
         "basis": basis, "change": change[basis], "treated": 10.0 + seed, "untreated": 12.0}
        for seed in (1, 2) for basis in bases])
    row, = pooled(trial, rows).to_dict("records")
    assert row["change"] == row["change_low"] == expected
    assert all(row[basis] == pytest.approx(100 * (11.5 / 12 - 1)) for basis in bases)


def test_ratio_of_sums_at_the_edges():
    assert ratio_of_sums(np.array([8.0]), np.array([10.0]), 90)[0] == pytest.approx(-20)
    assert math.isnan(ratio_of_sums(np.array([8.0]), np.array([10.0]), 90)[1])
    assert math.isnan(ratio_of_sums(np.zeros(3), np.zeros(3), 90)[0])


@pytest.mark.parametrize("figure, simulated, row, expected", [
    ({"value": -7, "low": -10, "high": -3}, (-2, -4, 0), {}, True),
    ({"value": -7, "low": -10, "high": -3}, (-1, -2, 0), {}, False),
    ({"value": -16}, (-9, -12, -6), {}, True),
    ({"value": -16}, (-7, -12, -2), {}, False),
    ({"value": -16}, (9, 6, 12), {}, False),
    ({}, (-3, -4, -2), {"trial_low": -20, "trial_high": 15}, True),
    ({}, (-30, -33, -27), {"trial_low": -40, "trial_high": -15}, False),
    ({"value": -3, "agreement": "at_least"}, (-1, -2, 0), {}, True),
    ({"value": -3, "agreement": "at_least"}, (-5, -6, -4), {}, False),
    ({"agreement": "direction", "direction": "up"}, (2, 1, 3), {}, True),
    ({"agreement": "direction", "direction": "up"}, (-2, -3, -1), {}, False),
    ({"agreement": "none"}, (-2, -3, -1), {}, None),
    ({"value": -16}, (math.nan,) * 3, {}, None)])
def test_agreement(figure, simulated, row, expected):
    assert agrees(Published(outcome="o", arm="a", **figure), simulated, row) is expected

"""Ratios of paired means, and what a unit of gain costs."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from citysim.analysis.costs import CRIMES_AVOIDED, FEEL_SAFE, SAFE_POINTS, cost_per_unit, fieller
from citysim.analysis.repetitions import over_runs
from citysim.results import open as open_study
from made_results import write_study, write_sweep

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
    low, high = stats.t.interval(0.9, 4, gain.mean(), stats.sem(gain))
    assert fieller(np.full(5, 1000.0), gain) == pytest.approx(
        (1000 / gain.mean(), 1000 / high, 1000 / low))


def test_fieller_covers_nine_times_in_ten():
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(600):
        gain = rng.normal(10, 3, 8)
        _, low, high = fieller(400 + 5 * gain + rng.normal(0, 20, 8), gain)
        hits.append(low <= 45 <= high)
    assert 0.86 < np.mean(hits) < 0.94


def test_fieller_over_futures_meets_its_definition():
    rng = np.random.default_rng(6)
    runs = pd.MultiIndex.from_product([range(9), range(4)], names=["future", "seed"])
    shared = np.tile(rng.normal(0, 2, 4), 9) + np.repeat(rng.normal(0, 2, 9), 4)
    gain = pd.Series(30 + shared + rng.normal(0, 1, 36), runs)
    cost = pd.Series(900 + 5 * shared + rng.normal(0, 9, 36), runs)
    ratio, low, high = fieller(cost, gain)
    freedom = min(over_runs(cost).freedom[0], over_runs(gain).freedom[0])
    assert low < ratio < high and ratio == pytest.approx(cost.mean() / gain.mean())
    for bound, sign in ((low, 1), (high, -1)):
        rest = over_runs(cost - bound * gain)
        assert rest.mean[0] / rest.error[0] == pytest.approx(sign * stats.t.ppf(0.95, freedom))


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


def test_cost_is_paired_within_futures(tmp_path):
    design = pd.DataFrame([(s, f, f, 0.0) for f in (1, 2, 3) for s in ("no_action", "lamps")],
                          columns=["scenario", "future", "sample", "u"])

    def model(row, seed):
        acts = row["scenario"] == "lamps"
        return {"crime.count.hazard": 100 * row["future"] + seed - acts * (9 + row["future"]),
                "cost.total": acts * 110.0}

    study = open_study(write_sweep(tmp_path, design, {"u": "uncertainty"}, model))
    row = cost_per_unit(study).iloc[0]
    assert row["gain"] == pytest.approx(11) and row["n"] == 6
    # Three futures gain 10, 11 and 12 with either seed: three repetitions, not six.
    assert row["gain_hi90"] - row["gain"] == pytest.approx(2.919986 / math.sqrt(3), rel=1e-6)
    assert row["per_unit"] == pytest.approx(10)

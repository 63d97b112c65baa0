"""Units, rings and lots of virtual trials."""

import numpy as np
import pytest

from citysim.config.errors import InputError
from citysim.evidence.trials.assignment import assign
from citysim.evidence.trials.entries import parse_trial
from citysim.evidence.trials.units import find_units, ring_labels
from made_policies import make_tables
from test_trials_schema import ENTRY


def trial(units=None, assignment=None, arms=("light",), kind="rate_ratio"):
    return parse_trial({
        **ENTRY, "units": {"kind": "places", "number": 40, **(units or {})},
        "arms": {"control": {}, **{a: {"policies": ["street_lighting"], "x": 1} for a in arms}},
        "assignment": assignment or {"kind": "simple"}, "estimator": {"kind": kind},
        "published": []})


@pytest.fixture(scope="module")
def tables():
    return make_tables()


@pytest.fixture(scope="module")
def recorded(tables):
    return np.random.default_rng(6).poisson(2.0, len(tables["places"])).astype(float)


def test_top_by_recorded_crime_of_the_baseline(tables, recorded):
    before = tables["places"].recorded.copy()
    units = find_units(trial({"eligible": {"table": "places", "rank_by": "recorded",
                                           "share": 0.2}}), tables, recorded, 3)
    taken = np.concatenate(units.rows)
    assert len(units) == 40 and len(np.unique(taken)) == 40
    assert recorded[taken].min() >= np.delete(recorded, taken).max()
    assert (tables["places"].recorded == before).all()


def test_spacing_and_clusters_do_not_touch(tables, recorded):
    p = tables["places"]
    here = np.column_stack((p.x, p.y)).astype(float)
    units = find_units(trial({"spacing": 120, "number": 20}), tables, recorded, 3)
    at = here[np.concatenate(units.rows)]
    apart = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))[~np.eye(20, dtype=bool)]
    assert apart.min() > 120
    units = find_units(trial({"kind": "clusters", "radius": 80, "number": 20}), tables,
                       recorded, 3)
    rows = np.concatenate(units.rows)
    assert len(np.unique(rows)) == len(rows) > 20
    assert (np.bincount(units.labels(len(p))[rows]) == [len(r) for r in units.rows]).all()


def test_a_cluster_can_be_judged_as_a_whole(tables, recorded):
    units = {"kind": "clusters", "radius": 120, "number": 5, "spacing": 250,
             "eligible": {"table": "places", "rank_by": "lighting", "order": "low"}}
    lamps = tables["places"].lighting.copy()
    means = {}
    for judged in ("centre", "whole"):
        found = find_units(trial({**units, "judged": judged}), tables, recorded, 3)
        means[judged] = [lamps[rows].mean() for rows in found.rows]
    assert np.mean(means["whole"]) < np.mean(means["centre"])  # dark areas, not dark spots
    p = tables["places"]
    here = np.column_stack((p.x, p.y)).astype(float)
    near = np.hypot(*(here[:, None] - here[None]).transpose(2, 0, 1)) <= 120
    assert means["whole"][0] == pytest.approx(np.min(near @ lamps / near.sum(axis=1)), abs=1e-6)
    assert (tables["places"].lighting == lamps).all()


def test_venues_areas_and_people(tables, recorded):
    venues = find_units(trial({"kind": "venues", "radius": 40, "number": 10}), tables, recorded, 1)
    assert all(tables["places"].venues[rows].max() >= 1 for rows in venues.rows)
    areas = find_units(trial({"kind": "areas", "number": 4}), tables, recorded, 1)
    assert all(len(np.unique(tables["places"].district[rows])) == 1 for rows in areas.rows)
    assert sum(map(len, areas.rows)) == len(tables["places"])
    squares = find_units(trial({"kind": "areas", "grid": 400, "number": 9}), tables, recorded, 1)
    assert all(np.ptp(tables["places"].x[rows]) <= 400 for rows in squares.rows)
    people = find_units(_youths(), tables, recorded, 1)
    ages = tables["people"].age[np.concatenate(people.rows)]
    assert len(people) == 50 and ages.min() >= 14 and ages.max() <= 21


def _youths(number=50):
    return parse_trial({
        **ENTRY, "units": {"kind": "people", "number": number, "pick": "random", "eligible": {
            "table": "people", "filter": [{"column": "age", "at_least": 14, "at_most": 21}],
            "rank_by": "risk", "share": 0.5}},
        "outcomes": {"arrests": {"measure": "arrests"}}, "published": [],
        "estimator": {"kind": "risk_difference"}})


@pytest.mark.parametrize("units", [
    {"number": 601}, {"number": 40, "spacing": 700},
    {"number": 31, "eligible": {"table": "places", "rank_by": "lighting", "share": 0.05}}])
def test_more_units_than_the_city_has(tables, recorded, units):
    with pytest.raises(InputError, match=r"needs \d+ units, town has \d+"):
        find_units(trial(units), tables, recorded, 1)


def test_random_pick_follows_the_seed(tables, recorded):
    entry = trial({"pick": "random", "eligible": {"table": "places", "rank_by": "lighting",
                                                  "share": 0.5}})
    rows = [np.concatenate(find_units(entry, tables, recorded, seed).rows) for seed in (1, 1, 2)]
    assert (rows[0] == rows[1]).all() and set(rows[0]) != set(rows[2])
    median = np.median(tables["places"].lighting)
    assert tables["places"].lighting[rows[0]].min() >= median - 0.01


def test_rings_surround_units_and_leave_them_out(tables, recorded):
    p = tables["places"]
    units = find_units(trial({"number": 12, "spacing": 300}), tables, recorded, 1)
    near, far = ring_labels(p, units, [100.0, 200.0])
    inside = np.concatenate(units.rows)
    assert (near[inside] == -1).all() and (far[inside] == -1).all()
    assert not np.any((near >= 0) & (far >= 0))
    here = np.column_stack((p.x, p.y)).astype(float)
    distance = np.hypot(*(here[:, None] - here[inside][None]).transpose(2, 0, 1))
    for label, low, high in ((near, 0, 100), (far, 100, 200)):
        wanted = (distance.min(axis=1) > low) & (distance.min(axis=1) <= high)
        wanted[inside] = False
        assert ((label >= 0) == wanted).all() and wanted.any()
        nearest = units.labels(len(p))[inside][distance.argmin(axis=1)]
        assert (label[wanted] == nearest[wanted]).all()


# --- lots


@pytest.mark.parametrize("assignment", [
    {"kind": "simple"}, {"kind": "blocked", "blocks": 4}, {"kind": "matched_pairs"}])
def test_lots_are_balanced_and_follow_the_seed(assignment):
    entry, score = trial(assignment=assignment), np.random.default_rng(1).gamma(1, 5, 40)
    one, again, other = (assign(entry, score, seed) for seed in (1, 1, 2))
    assert (one.arm == again.arm).all() and (one.arm != other.arm).any()
    for stratum in np.unique(one.stratum):
        arms = one.arm[one.stratum == stratum, 0]
        assert abs((arms == 0).sum() - (arms == 1).sum()) <= 1


def test_lots_favour_no_unit_and_no_arm():
    entry = trial({"number": 9}, arms=("a", "b"))
    drawn = np.array([assign(entry, np.zeros(9), seed).arm[:, 0] for seed in range(600)])
    share = np.array([(drawn == a).mean(axis=0) for a in range(3)])
    assert share == pytest.approx(np.full((3, 9), 1 / 3), abs=4 * np.sqrt(2 / 9 / 600))
    odd = trial({"number": 7}, arms=("a", "b"))
    sizes = np.array([np.bincount(assign(odd, np.zeros(7), s).arm[:, 0]) for s in range(600)])
    assert sizes.mean(axis=0) == pytest.approx([7 / 3] * 3, abs=0.1)


def test_pairs_are_alike():
    score = np.random.default_rng(1).gamma(1, 5, 40)
    pairs = assign(trial(assignment={"kind": "matched_pairs"}), score, 1)
    within = [np.ptp(score[pairs.stratum == s]) for s in range(20)]
    rank = np.sort(score)[::-1]
    assert sorted(within) == pytest.approx(sorted(rank[::2] - rank[1::2]))


def test_shares_of_arms():
    entry = trial(assignment={"kind": "simple", "shares": {"control": 1, "light": 3}})
    assert np.bincount(assign(entry, np.zeros(40), 1).arm[:, 0]).tolist() == [10, 30]


def test_before_and_after_treats_the_first_without_lots():
    entry = trial(assignment={"kind": "before_after", "treated": 3},
                  kind="difference_in_differences")
    for seed in (1, 2):
        assert assign(entry, np.zeros(40), seed).arm[:, 0].tolist() == [1] * 3 + [0] * 37


def test_units_that_switch():
    entry = trial(assignment={"kind": "switch_back", "windows": 7}, kind="slope")
    arm = assign(entry, np.zeros(40), 1).arm
    assert arm.shape == (40, 7)
    assert (np.apply_along_axis(np.bincount, 0, arm, minlength=2) == 20).all()
    assert len({tuple(row) for row in arm}) > 20

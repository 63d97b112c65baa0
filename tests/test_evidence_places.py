"""Measures of where crime is and where it returns: by hand, brute force, other packages."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citysim.config.errors import InputError
from citysim.evidence.crimes import CityData, Crimes
from citysim.evidence.measures import take
from citysim.evidence.measures.concentration import (
    at_random,
    holding,
)
from citysim.evidence.measures.near_repeat import close_pairs, knox_table
from made_crimes import city, counted, places, value

TEN = (5, 3, 1, 1, 0, 0, 0, 0, 0, 0)


# --- concentration

@pytest.mark.parametrize(("share", "held"), [(0.25, 0.1), (0.5, 0.1), (0.51, 0.2), (1.0, 0.4)])
def test_segments_that_hold_a_share(share, held):
    assert value("segments_holding", counted(TEN), share=share) == pytest.approx(held)


def test_gini_is_half_the_relative_mean_difference():
    x = np.array(TEN, float)
    by_pairs = np.abs(x[:, None] - x).sum() / (2 * len(x) ** 2 * x.mean())
    assert value("gini", counted(TEN)) == pytest.approx(by_pairs)


def test_gini_is_what_the_lorenz_curve_leaves():
    curve = take("lorenz", counted(TEN)).more
    area = np.trapezoid(curve["crimes"], curve["places"])
    assert 1 - 2 * area == pytest.approx(value("gini", counted(TEN)))
    assert value("lorenz", counted(TEN), worst=0.2) == pytest.approx(0.8)


def test_generalised_gini_goes_by_what_whole_crimes_allow():
    even = counted((1, 1, 1, 1, 1, 0, 0, 0, 0, 0))
    assert value("generalised_gini", even) == pytest.approx(0)
    assert value("gini", even) == pytest.approx(0.5)
    # Five crimes on ten places as 3, 1, 1: G = 2 (8 + 9 + 3 10) / 50 - 11 / 10 = 0.78, and
    # max(10 / 5, 1) (0.78 - 1) + 1 = 0.56.
    assert value("generalised_gini", counted((3, 1, 1, 0, 0, 0, 0, 0, 0, 0))) == pytest.approx(0.56)
    many = counted((20, 5, 3, 2))
    assert value("generalised_gini", many) == pytest.approx(value("gini", many))


def test_crimes_at_random_touch_the_expected_share_of_places():
    n, crimes = 200, 150
    found = at_random(crimes, np.ones(n), lambda c: holding(c, 1.0))
    assert found == pytest.approx(1 - (1 - 1 / n) ** crimes, abs=0.005)


def test_random_places_may_go_by_length():
    data = counted(TEN)
    long = np.array([1e6] + [1.0] * 9)
    data = CityData("x", data.crimes, type(data.places)(data.places.x, data.places.y, long),
                    offences=data.offences, totals=data.totals)
    by_length = take("segments_holding", data, {"share": 1.0, "random": "length"})
    assert by_length.more["at_random"] == pytest.approx(0.1, abs=0.01)
    assert take("segments_holding", data, {"share": 1.0}).more["at_random"] > 0.5


def test_thinning_leaves_so_many_crimes_and_is_no_change_when_there_are_as_few():
    plenty = counted((500, 300, 100, 100))
    thin = take("gini", plenty, {"per_place": 1.0})
    assert "4 of 1000" in thin.note
    assert thin.value > value("gini", plenty)  # four crimes cannot lie as evenly as a thousand
    assert value("gini", counted(TEN), per_place=1.0) == value("gini", counted(TEN))


def test_gini_over_areas_needs_enough_of_them():
    assert not take("gini_areas", counted(TEN)).measurable
    assert value("gini_areas", counted(TEN), fewest=2) == pytest.approx(0.5)  # 10 crimes against 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=30).filter(any))
def test_more_crime_never_lies_on_fewer_places(counts):
    held = [holding(np.array(counts), share) for share in (0.1, 0.25, 0.5, 0.9, 1.0)]
    assert held == sorted(held)
    assert held[-1] == np.count_nonzero(counts) / len(counts)


def test_a_missing_package_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "inequality.gini", None)
    with pytest.raises(InputError, match="inequality.*citysim.evidence"):
        take("gini", counted(TEN))


# --- near repeats

def scattered(n=120, side=1500.0, days=120, seed=3):
    rng = np.random.default_rng(seed)
    x, y, t = rng.uniform(0, side, n), rng.uniform(0, side, n), rng.uniform(0, days, n)
    return CityData("x", Crimes(np.zeros(n, int), x, y, np.full(n, "theft"), time=24 * t),
                    places(), offences=("theft",), totals=("theft",))


def test_knox_counts_every_close_pair_once():
    data, metres, days = scattered(), [100, 250], [3, 10]
    c = data.crimes
    observed, expected, _ = knox_table(data, c, metres, days)
    by_hand = np.zeros((2, 2))
    for i, j in combinations(range(len(c)), 2):
        d, t = np.hypot(c.x[i] - c.x[j], c.y[i] - c.y[j]), abs(c.time[i] - c.time[j]) / 24
        if d <= 250 and t <= 10:
            by_hand[int(d > 100), int(t > 3)] += 1
    assert np.array_equal(observed, by_hand)
    assert observed.sum() > 10
    rng, shuffled = np.random.default_rng(0), np.zeros((2, 2))
    for _ in range(400):
        mixed = CityData("x", Crimes(c.place, c.x, c.y, c.offence, rng.permutation(c.time)),
                         data.places)
        shuffled += knox_table(mixed, mixed.crimes, metres, days)[0]
    assert shuffled / 400 == pytest.approx(expected, rel=0.1)


def test_knox_agrees_with_pointpats():
    knox = pytest.importorskip("pointpats").Knox
    data = scattered(300)
    c = data.crimes
    theirs = knox(np.column_stack([c.x, c.y]), c.time[:, None] / 24, 120, 5, permutations=0)
    ours = take("near_repeats", data, {"metres": 120, "days": 5, "permutations": 0})
    assert ours.more["observed"][0, 0] == theirs.statistic_
    assert ours.value == pytest.approx(theirs.statistic_ / theirs.expected[0, 0])


def test_distance_along_the_network():
    data = city([0, 3, 9, 9, 4], n=10)
    first, second, apart = close_pairs(data, data.crimes, 350, "network")
    graph = nx.path_graph(10)
    by_hand = {}
    for i, j in combinations(range(5), 2):
        d = 100 * nx.shortest_path_length(graph, int(data.crimes.place[i]),
                                          int(data.crimes.place[j]))
        if d <= 350:
            by_hand[i, j] = d
    assert {(i, j): d for i, j, d in zip(first, second, apart, strict=True)} == by_hand
    assert by_hand[2, 3] == 0


def test_the_network_takes_the_way_round():
    # Two parallel streets 20 m apart that meet only at their far ends.
    n = 6
    x = np.array([50.0, 150, 250, 50, 150, 250])
    y = np.array([0.0, 0, 0, 20, 20, 20])
    from citysim.city.network import neighbours
    from citysim.evidence.crimes import Places

    ends = np.array([[0, 1], [1, 2], [2, 3], [4, 5], [5, 6], [6, 3]])
    there = Places(x, y, np.full(n, 100.0), neighbours(ends))
    crimes = Crimes(np.array([0, 3]), x[[0, 3]], y[[0, 3]], np.full(2, "a"), np.zeros(2))
    data = CityData("x", crimes, there)
    assert len(close_pairs(data, crimes, 100, "straight")[0]) == 1
    assert len(close_pairs(data, crimes, 499, "network")[0]) == 0
    assert close_pairs(data, crimes, 501, "network")[2] == pytest.approx([500])


def test_planted_near_repeats_are_found_and_chance_is_not():
    rng = np.random.default_rng(5)
    n, segments = 150, 400
    place, day = rng.integers(0, segments, n), rng.uniform(0, 300, n)
    chance = city(place, segments, time=24 * day)
    followed = city(np.concatenate([place, np.minimum(place[:60] + 1, segments - 1)]), segments,
                    time=24 * np.concatenate([day, day[:60] + rng.uniform(0, 3, 60)]))
    close = {"metres": 150, "days": 7}
    for along in ("straight", "network"):
        found = take("near_repeats", followed, {**close, "along": along})
        assert found.value > 3
        assert found.more["p"][0, 0] == pytest.approx(1 / 200)
        assert take("near_repeats", chance, {**close, "along": along}).more["p"][0, 0] > 0.01


def test_pairs_at_the_same_spot_may_be_left_out():
    data = city([2, 2, 3, 9], time=[0.0, 5.0, 10.0, 20.0])
    close = {"metres": 150, "days": 1, "permutations": 0}
    assert take("near_repeats", data, close).more["observed"].item() == 3
    assert take("near_repeats", data, {**close, "same_place": False}).more["observed"].item() == 2


@pytest.mark.parametrize("along", ["straight", "network"])
def test_more_pairs_than_memory_holds_are_refused(monkeypatch, along):
    from citysim.evidence.measures import near_repeat

    data = city([0] * 10 + [1] * 10, time=np.arange(20.0))  # 190 pairs
    close = {"metres": 150, "along": along}
    monkeypatch.setattr(near_repeat, "MOST_PAIRS", 190)
    assert take("near_repeats", data, close).more["observed"].item() == 190
    monkeypatch.setattr(near_repeat, "MOST_PAIRS", 180)
    assert "too many" in take("near_repeats", data, close).note

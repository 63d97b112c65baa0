"""Measures against worked examples, brute force, planted truth, and other people's packages."""

from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citysim.config.errors import InputError
from citysim.evidence.crimes import CityData, Crimes
from citysim.evidence.measures import all_measures, take
from citysim.evidence.measures.concentration import (
    at_random,
    holding,
    top_share,
    top_share_bounds,
)
from citysim.evidence.measures.journeys import fit_decay
from citysim.evidence.measures.near_repeat import close_pairs, knox_table
from citysim.evidence.measures.registry import measure
from citysim.evidence.measures.victims import fit_shape, repeat_share
from made_crimes import city, counted, people, places

TEN = (5, 3, 1, 1, 0, 0, 0, 0, 0, 0)


def value(name, data, **arguments):
    found = take(name, data, arguments)
    assert found.measurable, found.note
    return found.value


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


# --- victims

def test_repeat_victims_by_person_and_household_in_the_last_year():
    data = city([0] * 6, time=24.0 * np.array([0, 400, 500, 600, 700, 710]), days=720.0,
                victim=[1, 1, 2, 3, 3, -1], household=[7, 7, 8, 8, 9, -1])
    # The first crime is older than a year: person 1 was hit once since, 2 once, 3 twice.
    assert value("repeat_victims", data) == pytest.approx(1 / 3)
    assert value("repeat_victims", data, unit="household") == pytest.approx(1 / 3)
    short = take("repeat_victims", city([0, 0], time=[0.0, 1.0], victim=[1, 1], days=30.0))
    assert not short.measurable
    assert "need a year" in short.note


def hits(counts, unit="person", **rest):
    """A year in which each person (of 30) or household (of two people) was hit so often."""
    n = len(counts)
    who = np.repeat(np.arange(n), counts)
    folk = people(np.full(n, 30), household=np.arange(n) // (1 if unit == "person" else 2), **rest)
    return city(np.zeros(len(who), int), time=np.full(len(who), 24.0), victim=who,
                household=folk.household[who], people=folk)


@pytest.mark.parametrize("shape", [0.05, 0.5])
def test_repeats_at_a_rate_are_those_of_a_city_with_that_rate(shape):
    """People of known proneness: a year with a quarter of the crime tells that of the full one."""
    rng, n, rate = np.random.default_rng(4), 200_000, 0.08
    prone = rng.gamma(shape, 1 / shape, n)
    full, quarter = rng.poisson(rate * prone), rng.poisson(rate / 4 * prone)
    share = (full > 1).sum() / (full > 0).sum()
    found = take("repeat_victims", hits(quarter), {"rate": rate})
    assert found.more["counted"] == pytest.approx((quarter > 1).sum() / (quarter > 0).sum())
    assert found.more["counted"] < 0.75 * share, "the rate alone makes a difference"
    assert found.value == pytest.approx(share, rel=0.08)
    assert found.more["shape"] == pytest.approx(shape, rel=0.15)


def test_the_shape_is_that_of_the_greatest_likelihood():
    sm = pytest.importorskip("statsmodels.api")
    counts = np.random.default_rng(5).negative_binomial(0.7, 0.6, 3000)
    fitted = sm.NegativeBinomial(counts, np.ones(len(counts))).fit(disp=0)
    assert fit_shape(counts) == pytest.approx(1 / fitted.params[1], rel=0.01)
    assert np.isinf(fit_shape(np.array([0, 1] * 50))), "spread less than chance"
    assert np.isnan(fit_shape(np.zeros(9, int)))


def test_repeats_of_chance_alone_at_a_rate():
    assert repeat_share(0.5, np.inf) == pytest.approx(1 - 0.5 * np.exp(-0.5) / (1 - np.exp(-0.5)))
    assert repeat_share(0.5, 1e7) == pytest.approx(repeat_share(0.5, np.inf), rel=1e-5)
    assert repeat_share(0.5, 0.1) > repeat_share(0.5, 1.0) > repeat_share(0.5, np.inf)


def test_repeats_at_a_rate_count_whom_a_survey_asks():
    """Children and who lives elsewhere are left out; households count whoever is hit."""
    counts = np.array([2, 1, 1, 0, 0, 0, 0, 0])
    found = take("repeat_victims", hits(counts, "household"), {"rate": 1.0, "unit": "household"})
    assert found.more["mean"] == 1.0 and found.more["counted"] == 0.5
    data = hits(counts)
    data.people.age[0] = 15
    assert take("repeat_victims", data, {"rate": 1.0}).more["mean"] == pytest.approx(2 / 7)
    data.people.age[:3] = 15
    assert "survey" in take("repeat_victims", data, {"rate": 1.0}).note
    unknown = city([0], time=[24.0], victim=[1])
    assert "people" in take("repeat_victims", unknown, {"rate": 1.0}).note


def test_repeats_as_counted_leave_out_whom_no_survey_asks():
    folk = people([15, 30, 30], others=1)
    data = city([0] * 6, time=np.full(6, 24.0), victim=[0, 0, 1, 2, 3, 3], people=folk)
    assert value("repeat_victims", data) == 0  # a child and a visitor were hit twice
    folk.age[0] = 16
    assert value("repeat_victims", data) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("offender", "offence", "mean"), [
    ([7] * 9, ["a"] * 9, 3),  # one series, and the other victim
    ([7] * 5 + [8] * 4, ["a"] * 9, 5),  # two, none above five
    ([7] * 9, ["a"] * 6 + ["b"] * 3, 4.5),
    ([-1] * 9, ["a"] * 9, 5)])  # nobody knows who did it
def test_a_series_counts_as_often_as_the_survey_counts_it(offender, offence, mean):
    data = city([0] * 10, time=24.0 + np.arange(10), victim=[0] * 9 + [1],
                offender=[*offender, 9], offence=[*offence, "a"], people=people([30, 30]))
    found = take("repeat_victims", data, {"offences": ["a", "b"] if "b" in offence else "a",
                                          "rate": 0.5, "series": 5})
    assert found.more["mean"] == mean
    assert found.more["counted"] == 0.5


def test_residents_hit_are_scaled_to_a_year():
    folk = people([20, 30, 70, 80], sexes=[0, 1, 1, 0, 0], others=1)
    data = city([0] * 4, victim=[0, 0, 2, 4], people=folk, days=182.5)
    assert value("victimised", data) == pytest.approx(2 * 2 / 4)  # the fifth is no resident
    assert value("victimised", data, sex="women") == pytest.approx(2 * 1 / 2)
    assert value("victimised", data, ages=[65, 110]) == pytest.approx(2 * 1 / 2)


def test_relative_risk_finds_a_planted_ratio():
    rng, n = np.random.default_rng(2), 20_000
    goes = rng.random(n) < 0.4
    hit = rng.random(n) < np.where(goes, 0.06, 0.02)
    folk = people(np.full(n, 30), habits={"evening": goes})
    found = take("relative_risk", city(np.zeros(hit.sum(), int), victim=np.flatnonzero(hit),
                                       people=folk))
    assert found.value == pytest.approx((hit[goes].mean()) / hit[~goes].mean())
    assert found.more["low"] < 3 < found.more["high"]
    assert not take("relative_risk", city([0], victim=[0], people=folk),
                    {"habit": "chess"}).measurable


# --- offenders

def test_worst_tenth_of_people_and_of_offenders():
    folk = people(np.concatenate([np.full(20, 30), np.full(10, 5)]), others=3)
    done = {0: 6, 1: 3, 2: 1, 31: 9}  # the last is no resident
    who = np.repeat(list(done), list(done.values()))
    data = city(np.zeros(len(who), int), offender=who, people=folk)
    assert value("worst_offenders", data) == pytest.approx(0.9)  # two of twenty over 12
    assert value("worst_offenders", data, among="offenders") == pytest.approx(0.6)


@pytest.mark.parametrize("among", ["people", "offenders"])
def test_crimes_by_small_children_alone_have_no_worst_offenders(among):
    data = city([0, 0], offender=[1, 1], people=people([30, 5]))
    assert "from age 12" in take("worst_offenders", data, {"among": among}).note


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.sampled_from([0.1, 0.3]))
@settings(max_examples=60, deadline=None)
def test_the_worst_share_lies_within_its_bounds(counts, share):
    counts = np.array([*counts, 1])
    for least in (0, 1) if counts.min() else (0,):
        low, high = top_share_bounds(counts.sum(), len(counts), share, least)
        assert low - 1e-9 <= top_share(counts, share) <= high + 1e-9


@pytest.mark.parametrize(("total", "entries", "least"), [(37, 20, 0), (9, 20, 0), (37, 20, 1)])
def test_the_bounds_of_the_worst_share_are_reached(total, entries, least):
    low, high = top_share_bounds(total, entries, 0.1, least)
    even = np.full(entries, total // entries)
    even[:total % entries] += 1
    one = np.full(entries, least)
    one[0] += total - one.sum()
    assert top_share(even, 0.1) == pytest.approx(low)
    assert top_share(one, 0.1) == pytest.approx(high)


def test_age_peak_goes_by_rate_not_by_number():
    ages = np.repeat([17, 40], [10, 1000])
    who = np.concatenate([np.arange(10), 10 + np.arange(200)])
    data = city(np.zeros(len(who), int), offender=who, people=people(ages))
    assert value("age_peak", data, window=1) == 17


def test_arrests_follow_what_kind_is_cleared():
    """Boys of 15 damage, men of 25 fight; fewer fights, but every one of them is cleared."""
    folk = people(np.repeat([15, 25], 10))
    who = np.concatenate([np.arange(10), np.arange(10), 10 + np.arange(10)])
    offence = ["vandalism"] * 20 + ["assault"] * 10
    cleared = np.array([True] + [False] * 19 + [True] * 10)
    data = city(np.zeros(30, int), offender=who, offence=offence, cleared=cleared, people=folk)
    assert value("age_peak", data, window=1) == 15
    assert value("age_peak", data, window=1, by="arrests") == 25
    plain = city(np.zeros(30, int), offender=who, offence=offence, people=folk)
    assert "cleared" in take("age_peak", plain, {"by": "arrests"}).note
    assert "neither" in take("age_peak", data, {"by": "hearsay"}).note


def test_three_years_leave_the_peak_of_the_models_own_curve_where_it_is():
    """Five would not: the curve of propensity rises faster than it falls."""
    from citysim.config.compose import compose_study
    from citysim.model.constants import age_curve

    model = compose_study([]).model
    curve, each = age_curve(model)[:80], 2000
    done = np.repeat(np.arange(80), np.round(curve * each).astype(int))
    folk = people(np.repeat(np.arange(80), each))
    data = city(np.zeros(len(done), int), offender=done * each, people=folk)
    assert value("age_peak", data, window=3) == model.offending.age_peak
    assert value("age_peak", data, window=5) > model.offending.age_peak


def test_co_offending_of_juveniles():
    folk = people([15, 16, 30])
    who, together = [0, 0, 0, 1, 1, 2], [True, True, False, True, False, True]
    data = city([0] * 6, offender=who, people=folk, together=together)
    assert value("co_offending", data) == pytest.approx(0.5)  # half of crimes are not most
    found = take("co_offending", city([0], offender=[0], people=folk))
    assert "each offence here names one offender" in found.note


def test_journey_is_the_median_from_home():
    folk = people([20, 20], homes=[0, 9])
    data = city([0, 1, 5], offender=[0, 0, 1], people=folk)
    assert value("journey_to_crime", data) == pytest.approx(100)  # of 0, 100 and 400 m


@pytest.mark.parametrize(("form", "parameter"), [
    ("exponential", 700.0), ("power", 1.5), ("edge", 2000.0)])
def test_the_right_form_of_decay_is_found(form, parameter):
    ring, middle = 100.0, 50 + 100.0 * np.arange(60)
    offered = middle / 50  # more places the farther out
    weight = {"exponential": np.exp(-middle / 700), "power": middle ** -1.5,
              "edge": (middle < 2000) * 1.0}[form]
    share = offered * weight / (offered * weight).sum()
    fits = fit_decay(np.random.default_rng(1).multinomial(5000, share), offered, ring)
    assert min(fits, key=lambda name: fits[name]["aic"]) == form
    assert fits[form]["parameter"] == pytest.approx(parameter, rel=0.07)


# --- hours, levels, minds

def test_hours_past_midnight_and_the_busiest():
    data = city([0] * 6, hour=[21, 22, 23, 3, 4, 22], weekday=[5, 5, 5, 0, 1, 2])
    assert value("hours_share", data) == pytest.approx(4 / 6)
    assert value("hours_share", data, start=3, end=5) == pytest.approx(2 / 6)
    assert value("busiest_hour", data) == 22
    found = take("busiest_day", data)
    assert found.value == 5
    assert found.more["profile"] == pytest.approx(np.array([1, 1, 1, 0, 0, 3, 0]) / 6)


def test_rates_and_reporting():
    data = city([0] * 4, offence=["a", "a", "a", "b"], reported=[True, True, False, False],
                recorded=[True, False, False, False], residents=2000, days=73.0)
    assert value("true_rate", data, offences="a") == pytest.approx(3 / 2000 * 1e5 * 5)
    assert value("recorded_rate", data) == pytest.approx(1 / 2000 * 1e5 * 5)
    assert value("reporting_rate", data, offences=["a"]) == pytest.approx(2 / 3)
    assert take("true_rate", data, {"offences": "c"}).note == "no offence 'c' here"


def test_slope_over_city_size():
    cities = [city(np.zeros(round(0.01 * n ** 1.3), int), residents=n, name=str(n), seed=seed)
              for n in (5_000, 20_000, 80_000) for seed in (1, 2)]
    assert value("size_slope", cities) == pytest.approx(0.3, abs=0.01)
    assert not take("size_slope", cities[:2]).measurable


def test_fear_by_sex_and_age():
    outcomes = pd.DataFrame([("safety.safe_after_dark", "all", 0.8),
                             ("safety.safe_after_dark", "women", 0.7)],
                            columns=["outcome", "group", "value"])
    folk = people([13, 20, 30, 70], sexes=[1, 1, 0, 1], afraid=0.5,
                  fear_after_dark=np.array([1.0, 0.5, 0.1, 0.2]),
                  odds_kept=np.array([0.0, 0.4, 1.0, 0.8]))
    data = city([0], people=folk, outcomes=outcomes)
    assert value("feel_safe", data) == 0.8
    assert value("feel_unsafe", data, group="women") == pytest.approx(0.3)
    assert not take("feel_safe", data, {"group": "elves"}).measurable
    assert value("feel_unsafe_at_end", data, sex="women") == pytest.approx(1 / 2)
    assert value("stay_in_from_fear", data, sex="women") == pytest.approx((0.6 + 0.2) / 2)


def test_a_missing_package_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "inequality.gini", None)
    with pytest.raises(InputError, match="inequality.*citysim.evidence"):
        take("gini", counted(TEN))


# --- the registry

def test_crimes_at_home_do_not_count_among_all():
    data = CityData("x", city([0, 0], offence=["theft", "domestic_abuse"]).crimes, places(),
                    offences=("theft", "domestic_abuse", "harassment"),
                    totals=("theft", "domestic_abuse"))
    assert data.kinds("all") == ["theft"]
    assert data.kinds("any") == ["theft", "domestic_abuse", "harassment"]


def test_every_measure_says_what_it_lacks_and_never_fails():
    bare = CityData("bare", city([0, 1]).crimes, type(places())(np.zeros(2), np.zeros(2),
                                                              np.ones(2)),
                    offences=("theft",), totals=("theft",))
    told = {name: take(name, [bare] if m.of_many else bare) for name, m in all_measures().items()}
    assert {n for n, r in told.items() if r.measurable} == {
        "segments_holding", "gini", "generalised_gini", "lorenz"}
    assert all(r.note for r in told.values())
    assert len(told) > 20
    assert all(m.about.endswith(".") and m.unit for m in all_measures().values())


def test_no_crime_is_no_number():
    none = city([])
    for name in ("gini", "segments_holding", "near_repeats", "hours_share"):
        found = take(name, none)
        assert not found.measurable, name
        assert found.note


def test_unknown_measures_and_arguments_are_refused():
    with pytest.raises(InputError) as refusal:
        take("ginni", city([0]))
    assert refusal.value.closest == "gini"
    with pytest.raises(InputError) as refusal:
        take("near_repeats", city([0]), {"meters": 100})
    assert refusal.value.closest == "metres"
    with pytest.raises(ValueError, match="name taken"):
        measure("1")(all_measures()["gini"].function)

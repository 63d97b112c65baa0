"""Measures of people, hours and levels: worked examples, brute force, planted truth."""


import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citysim.config.errors import InputError
from citysim.evidence.crimes import CityData
from citysim.evidence.measures import all_measures, take
from citysim.evidence.measures.concentration import (
    top_share,
    top_share_bounds,
)
from citysim.evidence.measures.journeys import fit_decay
from citysim.evidence.measures.registry import measure
from citysim.evidence.measures.victims import fit_shape, repeat_share
from made_crimes import city, people, places, value

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


def test_hours_outdoors_leave_out_what_happened_in_venues():
    hours = {"hour": [22, 23, 1, 12]}
    data = city([0] * 4, in_venue=[True, False, True, False], **hours)
    assert value("hours_share", data) == pytest.approx(3 / 4)
    assert value("hours_share", data, outdoors=True) == pytest.approx(1 / 2)
    assert value("hours_share", city([0] * 4, **hours), outdoors=True) == pytest.approx(3 / 4)


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

"""Risky facilities: a few hold the published share, the mean stays, the seed decides which.

Derelict sites: run by nobody until they are put right.
"""

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from citysim.kernels.random import address
from citysim.model import facilities, start
from citysim.state.columns import PLACES
from citysim.state.table import Table

KEY = address(1, 0, 0)


@pytest.fixture(scope="module")
def offences(town):
    return town().constants.offences


def street(n, **columns):
    """Places with nothing on them but what is said."""
    places = Table("places", PLACES, n)
    for name, value in columns.items():
        places[name] = value
    return places


def top_fifth(x):
    return np.sort(x)[-len(x) // 5:].sum() / x.sum()


@pytest.mark.parametrize("share", (0.3, 0.6, 0.85))
def test_spread_is_the_one_at_which_the_worst_fifth_holds_its_share(share):
    # Lorenz curve of a lognormal: the poorest four fifths hold Phi(Phi^-1(0.8) - spread).
    held = 1 - norm.cdf(norm.ppf(0.8) - facilities.spread_of(share))
    assert held == pytest.approx(share)
    assert facilities.spread_of(0.2) == 0


def test_venues_and_their_surroundings_together_hold_the_published_share(offences):
    """Pure venues, with the background that all places have: no spread is counted twice."""
    n, share = 100_000, 0.69
    places = street(n, leisure=1, venues=1)
    crime = start.backgrounds(places, offences, 3) * facilities.facility_factors(
        places, np.ones(n), offences, (share, share), {}, 3)
    # A lognormal of this spread has 2.2 times its mean as standard deviation: four errors.
    for name in ("theft_person", "assault", "vandalism"):
        held = top_fifth(crime[:, offences.names.index(name)])
        assert held == pytest.approx(share, abs=4 * 2.2 / np.sqrt(n)), name


def test_the_mean_over_what_facilities_attract_is_one():
    rng = np.random.default_rng(2)
    count, weight = rng.integers(0, 4, 500), rng.exponential(size=500)
    run = facilities.management(count, weight, np.array([0.0, 1.3]), KEY)
    some = count > 0
    np.testing.assert_allclose(run[:, 0], 1)
    assert (run[~some] == 1).all() and run[:, 1].std() > 0.3
    assert np.average(run[some, 1], weights=weight[some]) == pytest.approx(1)


def test_many_shops_on_a_street_average_out():
    count = np.repeat([1, 25], 4000)
    run = facilities.management(count, np.ones(8000), np.array([1.0]), KEY)[:, 0]
    # The standard deviation of a mean of 25 is a fifth; that of heavy tails is known roughly.
    assert run[:4000].std() / run[4000:].std() == pytest.approx(5, rel=0.25)


def test_facilities_count_by_their_share_of_the_place(offences):
    half, whole = (facilities.facility_factors(street(50, leisure=share, venues=1), np.ones(50),
                                               offences, (0.8, 0.8), {}, 1) for share in (0.5, 1.0))
    np.testing.assert_allclose(half - 1, 0.5 * (whole - 1), rtol=1e-5, atol=1e-6)
    column = dict(zip(offences.names, whole.T, strict=True))
    for home in ("burglary_home", "domestic_abuse", "shop_theft"):
        assert (column[home] == 1).all(), f"venues make no {home}"
    assert column["robbery"].std() > 0.3


def test_shop_theft_goes_by_the_shops_alone(offences):
    places = street(50, retail=0.2, shops=1, leisure=0.8, venues=1)
    other = street(50, retail=0.2, shops=1)
    theft = offences.names.index("shop_theft")
    a, b = (facilities.facility_factors(p, np.ones(50), offences, (0.8, 0.8), {}, 1)[:, theft]
            for p in (places, other))
    np.testing.assert_array_equal(a, b)
    assert a.std() > 0.3


def test_a_new_shop_elsewhere_changes_no_shop_but_the_mean():
    count = np.array([1, 0, 2, 1])
    more = np.array([1, 1, 2, 1])
    a, b = (facilities.management(c, np.ones(4), np.array([1.2]), KEY)[:, 0]
            for c in (count, more))
    np.testing.assert_allclose(a[[0, 2, 3]] / a[0], b[[0, 2, 3]] / b[0])


def test_seeds_differ_and_nothing_else_does(town, offences):
    p = town().places
    foot = np.ones(len(p))
    a, again, b = (facilities.facility_factors(p, foot, offences, (0.69, 0.82), {}, s)
                   for s in (1, 1, 2))
    np.testing.assert_array_equal(a, again)
    assert abs(np.corrcoef(a[:, 0], b[:, 0])[0, 1]) < 0.3 and (a > 0).all()


def test_no_spread_is_left_where_the_surroundings_explain_it_all(offences):
    wide = dataclasses.replace(offences, sigma=np.full(len(offences.names), 2.0))
    places = street(20, leisure=1, venues=1)
    assert (facilities.facility_factors(places, np.ones(20), wide, (0.69, 0.69), {}, 1) == 1).all()


def test_premises_of_unequal_size_together_hold_the_published_share(offences):
    """Crime by size, where it goes by size, and by how each is run: no spread is counted twice."""
    n, spread = 100_000, 0.9
    size = np.exp(np.random.default_rng(4).standard_normal(n) * spread)
    background = start.backgrounds(street(n), offences, 3)

    def factors(sizes, **columns):
        return facilities.facility_factors(street(n, **columns), np.ones(n), offences,
                                           (0.69, 0.82), sizes, 3)

    venues, shops = {"leisure": 1, "venues": 1}, {"retail": 1, "shops": 1}
    for name, kind, sizes, share in (
            ("theft_person", venues, {"leisure": spread}, 0.69),
            ("assault", venues, {"leisure": spread}, 0.69),
            ("shop_theft", shops, {"retail": spread}, 0.82)):
        o = offences.names.index(name)
        held = top_fifth(size * background[:, o] * factors(sizes, **kind)[:, o])
        assert held == pytest.approx(share, abs=4 * 3.2 / np.sqrt(n)), name
    # What is no more frequent for size keeps all of its spread; so do facilities of other kinds.
    drawn, alone = factors({"leisure": spread}, **venues), factors({}, **venues)
    for name in ("robbery", "vandalism", "harassment"):
        o = offences.names.index(name)
        np.testing.assert_array_equal(drawn[:, o], alone[:, o])
    np.testing.assert_array_equal(factors({"retail": spread}, **venues), alone)


def test_a_derelict_site_works_along_a_usual_length_until_it_is_put_right():
    places = street(5, derelict=[0, 1, 1, 1, 2], remediation=[1, 0, 0.5, 0, 0])
    factor = facilities.derelict_factors(places, np.array([1, 1, 1, 4, 0.5]), np.array([1, 1.4]))
    np.testing.assert_array_equal(factor[:, 0], 1)
    np.testing.assert_allclose(factor[:, 1], [1, 1.4, 1.2, 1.1, 1.4])


def test_derelict_sites_move_crime_to_where_they_are_until_they_are_put_right(town):
    m = town()
    plain = town({f"offences.{name}.derelict": 1 for name in m.constants.offences.names})
    ratio, sites = m.attract / plain.attract, m.places.derelict > 0
    assert 0 < sites.sum() < len(sites) / 3
    np.testing.assert_allclose(np.average(ratio, axis=0, weights=m.stretch), 1, rtol=1e-5)
    more = m.constants.offences.derelict > 1
    assert (ratio[sites][:, more].min() > 1) and (ratio[~sites][:, more].max() < 1)
    assert (ratio[:, ~more] == 1).all() and more.sum() == len(more) - 2
    m.places.remediation = 1.0
    m.run_days(1)
    m.step()  # past midnight
    np.testing.assert_allclose(m.attract[sites] / plain.attract[sites],
                               np.broadcast_to(ratio[~sites][0], ratio[sites].shape), rtol=1e-5)


def test_a_model_that_goes_on_from_another_finds_its_sites_as_they_are(town):
    first, second = town(), town()
    first.places.remediation = 0.5
    first.run_days(1)
    first.step()  # past midnight
    second.take_over(first.standing())
    np.testing.assert_array_equal(second.attract, first.attract)
    assert (second.attract != town().attract).any()

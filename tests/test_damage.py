"""What there is to damage on a street, and whose it is."""

from types import SimpleNamespace

import numpy as np
import pytest

from citysim.config.errors import InputError
from citysim.model.damage import breakable

SHARES = SimpleNamespace(damage_vehicles=0.5, damage_dwellings=0.2, damage_premises=0.1)


def street(**stocks):
    given = {"vehicles": [30.0, 10.0], "dwellings": [0, 40], "shops": [3, 0], "venues": [1, 0]}
    return SimpleNamespace(**{name: np.array(values)
                              for name, values in (given | stocks).items()})


def test_every_kind_has_its_share_and_every_street_its_part():
    """By hand: shares times the part of the stock, in two usual lengths of street in all.

    One vehicle for each dwelling: the thirty where nobody lives are nobody's.
    """
    amount, owned = breakable(street(), np.array([0.5, 1.5]), SHARES)
    first = 0.5 * 30 / 40 + 0.2 * 0 + 0.1 * 1 + 0.2 * 0.25
    second = 0.5 * 10 / 40 + 0.2 * 1 + 0.1 * 0 + 0.2 * 0.75
    np.testing.assert_allclose(amount, [2 * first, 2 * second], rtol=1e-6)
    np.testing.assert_allclose(owned, [0, 0.325 / second], rtol=1e-6)
    assert amount.mean() == pytest.approx(1.0)


def test_the_share_of_what_a_city_lacks_falls_to_the_street():
    bare = street(vehicles=[0, 0], dwellings=[0, 0], shops=[0, 0], venues=[0, 0])
    length = np.array([0.5, 1.5])
    amount, owned = breakable(bare, length, SHARES)
    np.testing.assert_allclose(amount, length)
    np.testing.assert_array_equal(owned, 0)


def test_a_street_cut_in_two_has_as_much_as_before():
    whole, _ = breakable(street(), np.array([0.5, 1.5]), SHARES)
    cut = street(vehicles=[30.0, 4.0, 6.0], dwellings=[0, 10, 30], shops=[3, 0, 0],
                 venues=[1, 0, 0])
    parts, _ = breakable(cut, np.array([0.5, 0.6, 0.9]), SHARES)
    assert parts[1] + parts[2] == pytest.approx(whole[1], rel=1e-6)


def test_city_wide_the_shares_are_those_configured(town):
    m = town()
    o = m.settings.model.opportunity
    owned = np.average(m.household_damage, weights=m.breakable)
    most = o.damage_vehicles + o.damage_dwellings
    assert 0.7 * most < owned < most
    assert m.breakable.mean() == pytest.approx(m.stretch.mean(), rel=1e-5)


def test_who_has_more_vehicles_at_the_door_than_others_owns_as_many_as_others():
    """Ten dwellings each, forty vehicles in all: two for each dwelling of the city are owned."""
    homes = street(vehicles=[35.0, 5.0], dwellings=[10, 10], shops=[0, 0], venues=[0, 0])
    _, owned = breakable(homes, np.ones(2), SHARES)
    amount = np.array([0.5 * 35 / 40 + 0.2 / 2 + 0.3 / 2, 0.5 * 5 / 40 + 0.2 / 2 + 0.3 / 2])
    np.testing.assert_allclose(owned, np.array([0.5 * 20 / 40 + 0.1, 0.5 * 5 / 40 + 0.1]) / amount,
                               rtol=1e-6)


def test_shares_above_one_are_refused():
    with pytest.raises(InputError, match="add up to 1.1"):
        breakable(street(), np.ones(2), SimpleNamespace(
            damage_vehicles=0.6, damage_dwellings=0.4, damage_premises=0.1))

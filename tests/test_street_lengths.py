"""Lengths of generated streets, and that a street counts for what it is long."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from citysim.city.generator import generate_streets
from citysim.city.spec import CitySpec
from citysim.kernels.network import components
from citysim.model import phases
from made_cities import city, mapping
from test_places import seen


def streets(name="town", seed=None, **layout):
    spec = CitySpec.read(mapping(name, **{f"layout__{k}": v for k, v in layout.items()}))
    return generate_streets(spec.layout, spec.seed if seed is None else seed,
                            spec.reading.max_length)


def spread(made):
    return np.log(made.lengths()).std()


@pytest.mark.parametrize(("name", "seed"), [("turin_dora", None), ("turin_dora", 101),
                                            ("town", None), ("town", 101), ("town", 102)])
def test_lengths_spread_as_asked_around_the_same_mean(name, seed):
    even, uneven = streets(name, seed, length_spread=0.0), streets(name, seed)
    asked = mapping(name)["layout"]["length_spread"]
    assert spread(uneven) == pytest.approx(asked, rel=0.1)
    assert spread(even) < 0.2 < asked
    assert uneven.lengths().mean() == pytest.approx(even.lengths().mean(), rel=0.05)
    assert len(uneven) == len(even) == mapping(name)["layout"]["segments"]


def test_the_shipped_spread_is_that_of_the_real_streets_at_hand():
    real = np.log(city("geodanet").places.length.astype(float)).std()
    assert mapping()["layout"]["length_spread"] == pytest.approx(real, abs=0.05)


@pytest.mark.parametrize("asked", [0.3, 0.6])
def test_other_spreads_come_out_as_asked(asked):
    assert spread(streets("turin_dora", length_spread=asked)) == pytest.approx(asked, rel=0.1)


def test_without_spread_bends_and_sprawl_all_streets_are_equally_long():
    plain = {"length_spread": 0.0, "irregularity": 0.0, "sprawl": 0.0, "rivers": {}}
    lengths = streets(**plain).lengths()
    assert np.ptp(lengths) < 1e-6 * lengths.mean()
    lengths = streets(**{**plain, "length_spread": 0.4}).lengths()
    assert np.log(lengths).std() == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("name", ["town", "turin_dora"])
def test_uneven_streets_are_connected_and_cross_at_their_ends_only(name):
    made = streets(name)
    near = city(name).neighbours
    assert components(near.start, near.items).max() == 0
    lines = [shapely.LineString(line) for line in made.lines]
    tree = shapely.STRtree(lines)
    assert len(tree.query(lines, predicate="crosses")[0]) == 0
    assert len(tree.query(lines, predicate="overlaps")[0]) == 0


def test_lengths_lie_between_what_a_street_file_would_close_up_and_cut():
    for name in ("town", "turin_dora"):
        reading, lengths = CitySpec.read(mapping(name)).reading, streets(name).lengths()
        assert reading.min_length < lengths.min() and lengths.max() <= reading.max_length


def test_no_street_goes_on_where_nothing_joins_it():
    """Two pieces that meet where nothing else does are one street, as in a file."""
    made = streets("turin_dora")
    node, count = np.unique(made.ends, return_counts=True)
    through = np.isin(made.ends, node[count == 2])
    at = {}
    for segment, end in zip(*np.nonzero(through), strict=True):
        at.setdefault(made.ends[segment, end], []).append(segment)
    bridge = made.crosses(made.water)
    lengths, longest = made.lengths(), CitySpec.read(mapping("turin_dora")).reading.max_length
    for a, b in at.values():
        assert (made.main[a] != made.main[b] or bridge[a] or bridge[b]
                or lengths[a] + lengths[b] > longest)


def test_same_seed_same_streets():
    first, again = streets(), streets()
    assert all(np.array_equal(a, b) for a, b in zip(first.lines, again.lines, strict=True))


def test_homes_and_vehicles_follow_the_length():
    """Streets of one land use have as many per metre whether they are short or long."""
    places = city("turin_dora").places
    homes = (places.dwelling > 0.6) & (places.district == 0)
    long = places.length > np.median(places.length[homes])
    for column in ("dwellings", "vehicles"):
        density = [places[column][homes & side].sum()
                   / (places.length * places.dwelling)[homes & side].sum()
                   for side in (long, ~long)]
        assert density[0] == pytest.approx(density[1], rel=0.1)


# --- what a street is worth


def calm_never(model):
    """A host in sight calms however long the street is: that is left out here."""
    model.constants = replace(model.constants,
                              watch=model.constants.watch._replace(comfort=0.0))


def grow(model, factor):
    """Every street ``factor`` times as long, with as many times the people and targets."""
    model.stretch *= np.float32(factor)
    model.seconds *= np.float32(factor)  # a passage takes as many times longer
    p = model.places
    for values in (model.stock, p.shops, p.venues, p.vehicles, p.services, p.hosts, model.homes,
                   model.breakable, model.friction):
        values[:] = values * factor


def test_a_street_of_twice_the_length_is_worth_twice_as_much(evening):
    """As busy, as lively and as well watched a metre: two halves are worth what the whole is."""
    m = seen(evening)
    calm_never(m)
    phases.observe_places(m)
    value, guard, unease = m.value.copy(), m.places.guardianship.copy(), m.places.unease.copy()
    assert np.count_nonzero(value) > 100
    grow(m, 2)
    phases.observe_places(m)
    np.testing.assert_allclose(m.value, 2 * value, rtol=1e-5)
    np.testing.assert_allclose(m.places.guardianship, guard, rtol=1e-5)
    np.testing.assert_allclose(m.places.unease, unease, rtol=1e-5)


def test_damage_shows_less_on_a_longer_street(evening):
    loss = 1 - evening.damage
    np.testing.assert_allclose(loss ** (evening.stretch * evening.scale),
                               1 - evening.settings.model.upkeep.damage, rtol=1e-6)
    assert np.ptp(evening.damage) > 0

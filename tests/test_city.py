"""Generated cities: what was asked for, refusals of bad descriptions, the account."""

import pickle
import time

import networkx as nx
import numpy as np
import pytest
import shapely

from citysim.city.city import build_city
from citysim.city.describe import describe, draw
from citysim.city.generator import generate_streets
from citysim.city.landuse import USES
from citysim.city.network import neighbours
from citysim.city.spec import CitySpec
from citysim.config.errors import InputError
from citysim.kernels.network import components
from made_cities import city, mapping


@pytest.mark.parametrize("name", ["town", "turin_dora"])
def test_generated_cities_hold_what_was_asked_for(name):
    spec = CitySpec.read(mapping(name))
    made = city(name)
    places = made.places
    made.validate()
    assert len(made) == spec.layout.segments
    assert sum(d.population for d in spec.districts) == spec.population
    assert nx.is_connected(made.graph())
    jobs = sum(d.population * d.employed_share for d in spec.districts) \
        * spec.economy.jobs_per_worker
    assert places.jobs.sum() == round(jobs)
    assert places.venues.sum() == round(spec.population * spec.economy.venues_per_10k / 1e4)
    assert sum(places[u] for u in USES).max() <= 1 + 1e-6
    for k, d in enumerate(made.spec.districts):
        here = places.district == k
        assert places.dwellings[here].sum() >= d.households
        assert np.average(places.deprivation[here], weights=places.dwellings[here]) \
            == pytest.approx(d.deprivation, abs=0.005)
    assert places.gateway.sum() >= 1 and places.stop.sum() >= 2
    assert (places.dwellings[places.dwelling == 0] == 0).all()
    assert (places.venues[places.leisure == 0] == 0).all()


def test_districts_are_connected_and_near_their_due_size():
    made = city("turin_dora")
    graph = made.graph()
    metres = np.bincount(made.places.district, made.places.length)
    due = np.array([d.population / d.density for d in made.spec.districts])
    for k in range(len(made.districts)):
        part = graph.subgraph(np.flatnonzero(made.places.district == k).tolist())
        biggest = max(nx.connected_components(part), key=len)
        assert len(biggest) >= 0.9 * len(part)
    assert np.abs(metres / metres.sum() - due / due.sum()).max() < 0.1


def test_same_seed_same_city_other_seed_another():
    again, other = build_city(mapping()), build_city(mapping(seed=2))
    for name in again.places:
        assert np.array_equal(again.places[name], city().places[name]), name
    assert np.array_equal(again.lines.items, city().lines.items)
    assert not np.array_equal(other.lines.items, again.lines.items)


@pytest.mark.parametrize("bridges", [1, 2, 4])
def test_a_river_is_crossed_by_its_bridges_only(bridges):
    spec = CitySpec.read(mapping(layout__rivers__Brook__bridges=bridges))
    streets = generate_streets(spec.layout, spec.seed)
    crossing = streets.crosses(streets.water)
    assert 1 <= crossing.sum() <= bridges
    # Without the bridges the banks are apart.
    near = neighbours(streets.keep(~crossing).ends)
    assert components(near.start, near.items).max() == 1


def test_bridges_have_no_homes_and_no_venues():
    made = city("turin_dora")
    water = shapely.multilinestrings([shapely.LineString(w) for w in made.water])
    bridges = [i for i in range(len(made))
               if shapely.LineString(made.lines[i]).intersects(water)]
    assert len(bridges) > 3
    assert made.places.dwellings[bridges].sum() == 0 and made.places.venues[bridges].sum() == 0


def test_parameters_move_what_they_name():
    base = city().places
    dark = build_city(mapping(lighting__deprivation=-0.6)).places
    lively = build_city(mapping(economy__venues_per_10k=150.0)).places
    green = build_city(mapping(green__share=0.3)).places
    late = build_city(mapping(night__centre_closing_hour=28.0)).places
    assert (dark.lighting <= base.lighting).all() and dark.lighting.mean() < base.lighting.mean()
    assert lively.venues.sum() > 2 * base.venues.sum()
    assert np.average(green.green, weights=green.length) \
        > 2 * np.average(base.green, weights=base.length)
    assert late.closing_hour.max() == 28 and base.closing_hour.max() == 26


def test_premises_differ_in_size_and_their_totals_stay():
    even, uneven = (build_city(mapping("turin_dora", economy__shop_spread=s,
                                       economy__venue_spread=0.0)) for s in (0.0, 1.2))
    for name in ("shops", "venues", "venue_space", "length", "vehicles", "disorder", "pupils"):
        np.testing.assert_array_equal(even.places[name], uneven.places[name], name)
    np.testing.assert_array_equal(even.places.shop_space, even.places.shops)
    p = uneven.places
    assert p.shop_space.sum() == pytest.approx(p.shops.sum(), rel=1e-4)
    assert ((p.shop_space > 0) == (p.shops > 0)).all()
    alone = np.log(p.shop_space[p.shops == 1])
    assert alone.std() == pytest.approx(1.2, abs=4 * 1.2 / np.sqrt(2 * len(alone)))
    big = p.shop_space > 4 * np.maximum(p.shops, 1)
    assert big.any() and (p.jobs[big] > even.places.jobs[big]).all()
    assert p.jobs.sum() == even.places.jobs.sum()


def test_the_night_centre_gathers_venues():
    made = city("turin_dora")
    gap = np.hypot(made.places.x[:, None] - made.night_centres[:, 0],
                   made.places.y[:, None] - made.night_centres[:, 1]).min(axis=1)
    inside = gap < made.spec.night.radius
    density = made.places.venues / made.places.length
    assert density[inside].mean() > 4 * density[~inside].mean()


def test_a_city_survives_pickling():
    back = pickle.loads(pickle.dumps(city()))
    assert back.spec == city().spec and np.array_equal(back.places.x, city().places.x)


def test_turin_meets_its_sources_in_time():
    before = time.perf_counter()
    made = city("turin")
    assert time.perf_counter() - before < 8
    people = [d.population for d in made.spec.districts]
    foreign = sum(d.population * d.foreign_share for d in made.spec.districts)
    assert len(people) == 8 and sum(people) == 860_826
    # Sourced counts are of 861,636 residents.
    assert foreign == pytest.approx(131_594 * 860_826 / 861_636, rel=1e-4)
    assert 9_000 <= len(made) <= 11_000


def test_turin_dora_meets_its_sources():
    spec = CitySpec.read(mapping("turin_dora"))
    assert spec.population == 83_067
    assert sum(d.population * d.foreign_share for d in spec.districts) \
        == pytest.approx(16_226, abs=1)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"nigt": 1}, ["nigt", "'night'"]),
    ({"night__radus": 1}, ["city.night.radus", "'radius'"]),
    ({"night__radius": -3}, ["city.night.radius", "above 0"]),
    ({"kind": "generat"}, ["'generate'"]),
    ({"population": 0}, ["city.population", "at least 1"]),
    ({"districts__Hill__deprivation": 1.5}, ["city.districts.Hill.deprivation", "at most 1"]),
    ({"districts__Hill__popultion": 3}, ["popultion", "'population'"]),
    ({"margins__age_shares": [0.1] * 5}, ["age_shares", "0.500"]),
    ({"police__local__per_100k": 150_000}, ["city.police", "more police than residents"]),
    ({"police__national": 5}, ["city.police.national", "a group of keys", "per_100k"]),
    ({"seed": "abc"}, ["city.seed"]),
    ({"layout": None}, ["layout"]),
    ({"districts": {}}, ["city.districts", "no district"]),
    ({"districts": ""}, ["city.districts", "no district"]),
    ({"layout__missing_links": 0.45, "layout__segments": 20, "layout__avenue_every": 50,
      "layout__rivers__Brook__bridges": 0}, ["bridges", "at least 1"]),
])
def test_bad_specifications_are_refused_with_the_key(changes, expected):
    with pytest.raises(InputError) as caught:
        build_city(mapping(**changes))
    assert all(word in str(caught.value) for word in expected), str(caught.value)


def test_a_missing_key_is_named():
    broken = mapping()
    del broken["economy"]["vacancy"]
    with pytest.raises(InputError, match=r"'vacancy' is missing.*city\.economy\.vacancy"):
        build_city(broken)


def test_a_city_that_is_no_mapping_is_refused():
    with pytest.raises(InputError) as caught:
        CitySpec.read(["a"])
    assert caught.value.where == "city"


def test_the_account_names_districts_and_notes(tmp_path):
    text = describe(city("turin_dora"))
    for word in ("Aurora", "Sassi-Madonna del Pilone", "83,067", "2,300 segments", "night centre"):
        assert word in text
    assert "Notes" not in describe(city()) and "cut" in describe(city("geodanet"))


def test_the_map_is_an_image_with_ink_on_both_halves(tmp_path):
    from matplotlib.image import imread

    path = draw(city(), tmp_path / "town.png")
    pixels = imread(path)[:, :, :3]
    half = pixels.shape[1] // 2
    for side in (pixels[:, :half], pixels[:, half:]):
        assert 0.01 < (side.min(axis=2) < 0.9).mean() < 0.5


def test_derelict_sites_are_so_many_for_each_dwelling_and_change_nothing_else():
    none, some = (build_city(mapping("turin_dora", condition__derelict=s)) for s in (0, 0.008))
    for name, column in none.places.arrays().items():
        if name != "derelict":
            np.testing.assert_array_equal(some.places[name], column, err_msg=name)
    sites = some.places.derelict
    assert not none.places.derelict.any()
    assert sites.sum() == round(0.008 * int(some.places.dwellings.sum()))
    # As many on each street as length, disorder and what is no park give it, by independent draws;
    # a handful of bridges has none.
    weight = some.places.length * some.places.disorder * (1 - some.places.green)
    expected = sites.sum() * weight / weight.sum()
    chi = ((sites - expected) ** 2).sum() / expected.sum()
    assert chi == pytest.approx(1, abs=4 * np.sqrt(2 / len(sites)) + 0.15)

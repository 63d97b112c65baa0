"""Streets from files and from the generator, districts, land use, and the graph kernels."""

import copy
import functools
import pickle
import time
import warnings
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from citysim.city.apportion import largest_remainder
from citysim.city.city import build_city
from citysim.city.describe import describe, draw
from citysim.city.generator import generate_streets
from citysim.city.landuse import USES
from citysim.city.network import Streets, neighbours, tidy
from citysim.city.readers import read_streets
from citysim.city.spec import CitySpec, plain
from citysim.config.errors import InputError
from citysim.kernels.network import bounded_dijkstra, components, passages, reset, walk_back
from citysim.state.csr import Ragged

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
MILAN = next(ROOT.parent.glob("*/data/milan_duomo_streets.gpkg"), None)
METRIC = "EPSG:32632"
CORNER = np.array([500_000.0, 5_000_000.0])


@functools.cache
def _composed(name):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return plain(OmegaConf.to_container(compose(overrides=[f"+city={name}"]).city))


def mapping(name="town", **changes):
    """The shipped city as a plain mapping, with dotted keys (``__`` for a dot) replaced."""
    result = copy.deepcopy(_composed(name))
    for key, value in changes.items():
        *path, last = key.split("__")
        node = functools.reduce(lambda n, k: n[k], path, result)
        node[last] = value
    return result


@functools.cache
def city(name="town"):
    return build_city(_composed(name))


# --- kernels ---------------------------------------------------------------------------------

def _random_graph(n=400, m=700, seed=3):
    graph = nx.gnm_random_graph(n, m, seed=seed)
    pairs = np.array([(a, b) for a, b in graph.edges] + [(b, a) for a, b in graph.edges])
    near = Ragged.from_pairs(pairs[:, 0], pairs[:, 1], n)
    length = np.random.default_rng(seed).uniform(5, 200, n).astype("f4")
    for a, b in graph.edges:
        graph[a][b]["metres"] = (float(length[a]) + float(length[b])) / 2
    return graph, near, length


def _scratch(n, edges):
    return (np.full(n, np.inf, "f4"), np.full(n, -1, "i4"), np.empty(edges + 1, "f4"),
            np.empty(edges + 1, "i4"), np.empty(n, "i4"))


@pytest.mark.parametrize("limit", [0.0, 150.0, 600.0, np.inf])
def test_bounded_dijkstra_agrees_with_networkx(limit):
    graph, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    for source in (0, 7, 399):
        count = bounded_dijkstra(near.start, near.items, length, source, limit, distance, parent,
                                 key, item, visited)
        truth = nx.single_source_dijkstra_path_length(graph, source, weight="metres",
                                                      cutoff=None if limit == np.inf else limit)
        found = {int(i): float(distance[i]) for i in visited[:count]}
        assert set(found) == set(truth)
        assert all(abs(found[i] - truth[i]) < 0.01 for i in truth)
        assert (np.diff(distance[visited[:count]]) >= 0).all()
        assert np.isinf(distance).sum() == len(length) - count  # nothing else was touched
        reset(distance, parent, visited, count)
        assert np.isinf(distance).all() and (parent == -1).all()


def test_walk_back_follows_neighbours_and_adds_up():
    graph, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    count = bounded_dijkstra(near.start, near.items, length, 5, np.inf, distance, parent, key,
                             item, visited)
    target = int(visited[count - 1])
    route = np.empty(400, np.uint16)
    n = walk_back(parent, target, route)
    walk = route[:n].tolist()
    assert walk[0] == 5 and walk[-1] == target
    total = sum(graph[a][b]["metres"] for a, b in zip(walk[:-1], walk[1:], strict=True))
    assert total == pytest.approx(float(distance[target]), abs=0.05)
    assert walk_back(parent, target, route[:n - 1]) == -1


def test_a_heap_that_is_too_small_is_reported():
    _, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    assert bounded_dijkstra(near.start, near.items, length, 5, np.inf, distance, parent, key[:2],
                            item[:2], visited) == -1


def test_components_agree_with_networkx():
    graph, near, _ = _random_graph(m=250)
    label = components(near.start, near.items)
    for part in nx.connected_components(graph):
        assert len(set(label[list(part)])) == 1
    assert label.max() + 1 == nx.number_connected_components(graph)


def test_passages_count_inner_places_of_shortest_walks():
    # A path graph has one walk between any two places, so the count is known by hand.
    pairs = np.array([(i, i + 1) for i in range(4)] + [(i + 1, i) for i in range(4)])
    near = Ragged.from_pairs(pairs[:, 0], pairs[:, 1], 5)
    counted = passages(near.start, near.items, np.ones(5, "f4"), np.arange(5), np.inf)
    assert counted.tolist() == [0, 6, 8, 6, 0]


# --- joining streets -------------------------------------------------------------------------

def _streets(*coordinates, ends):
    return Streets([np.array(c, float) for c in coordinates], np.array(ends),
                   np.zeros(len(ends), np.uint8))


def test_pieces_between_intersections_become_one_segment_and_length_is_kept():
    star = _streets([(0, 0), (50, 0)], [(50, 0), (100, 0)], [(100, 0), (100, 80)],
                    [(100, 0), (190, 0)], ends=[(0, 1), (1, 2), (2, 3), (2, 4)])
    done = tidy(star, min_length=1, max_length=1000)
    assert sorted(done.lengths().tolist()) == [80, 90, 100]
    assert [len(neighbours(done.ends)[i]) for i in range(3)] == [2, 2, 2]


def test_long_segments_are_cut_and_strays_left_out_with_a_note():
    raw = _streets([(0, 0), (1000, 0)], [(1000, 0), (1000, 90)], [(1000, 0), (1090, 0)],
                   [(5000, 0), (5070, 0)], ends=[(0, 1), (1, 2), (1, 3), (8, 9)])
    done = tidy(raw, min_length=1, max_length=300)
    assert done.lengths().sum() == pytest.approx(1180)
    assert done.lengths().max() <= 300
    assert any("1 stray component" in n and "70 m" in n for n in done.notes)


def test_largest_remainder_is_exact_and_proportional():
    counts = largest_remainder([1, 1, 2, 0], 10)
    assert counts.sum() == 10 and counts[3] == 0 and counts[2] == 5
    assert largest_remainder([0, 0], 5).tolist() == [0, 0]


# --- generator -------------------------------------------------------------------------------

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


# --- files -----------------------------------------------------------------------------------

def _grid_lines(n=4, step=100.0, corner=CORNER):
    """An n x n grid of intersections: lines between them as (u, v, line)."""
    rows = []
    for i in range(n):
        for j in range(n):
            here = corner + step * np.array([i, j])
            if i < n - 1:
                rows.append((n * i + j, n * (i + 1) + j,
                             shapely.LineString([here, here + [step, 0]])))
            if j < n - 1:
                rows.append((n * i + j, n * i + j + 1,
                             shapely.LineString([here, here + [0, step]])))
    return rows


def _edges(rows, **columns):
    frame = gpd.GeoDataFrame({"u": [r[0] for r in rows], "v": [r[1] for r in rows],
                              "key": 0, "highway": "residential"},
                             geometry=[r[2] for r in rows], crs=METRIC)
    return frame.assign(**columns)


def read(path, **changes):
    return read_streets(CitySpec.read(mapping("file", streets=str(path), **changes)))[0]


def _as_osmnx(path, rows):
    frame = _edges(rows)
    nodes = sorted({n for r in rows for n in r[:2]})
    at = {r[0]: r[2].coords[0] for r in rows} | {r[1]: r[2].coords[-1] for r in rows}
    gpd.GeoDataFrame({"osmid": nodes}, geometry=[shapely.Point(at[n]) for n in nodes],
                     crs=METRIC).to_file(path, layer="nodes", engine="pyogrio")
    frame.to_file(path, layer="edges", engine="pyogrio")


def test_osmnx_geopackage_one_segment_per_physical_street(tmp_path):
    rows = _grid_lines()
    twins = [(v, u, line.reverse()) for u, v, line in rows[:5]]
    beside = [(rows[6][0], rows[6][1], shapely.affinity.translate(rows[6][2], 3, 0))]
    # A crescent between the same two intersections is a street of its own.
    u, v, line = rows[-1]
    (x0, y0), (x1, y1) = line.coords
    crescent = [(u, v, shapely.LineString([(x0, y0), (x0 + 60, y0 + 20), (x1, y1)]))]
    path = tmp_path / "town.gpkg"
    _as_osmnx(path, rows + twins + beside + crescent)
    streets = read(path)
    # Corners of the grid pass through: their two sides join, except where the crescent ends.
    corners = 3 if {u, v} & {15} else 4
    assert len(streets) == len(rows) + 1 - corners
    total = sum(r[2].length for r in rows + crescent)
    assert streets.lengths().sum() == pytest.approx(total, rel=1e-6)


def test_classes_that_are_no_street_are_left_out(tmp_path):
    rows = _grid_lines()
    path = tmp_path / "streets.gpkg"
    kind = ["residential"] * len(rows)
    kind[0], kind[1], kind[2] = "motorway", "['footway', 'steps']", "['footway', 'residential']"
    _edges(rows, highway=kind).to_file(path, layer="edges", engine="pyogrio")
    streets = read(path)
    assert streets.lengths().sum() == pytest.approx((len(rows) - 2) * 100, abs=1)
    assert any("2 lines of classes" in note for note in streets.notes)


def test_graphml_as_osmnx_saves_it(tmp_path):
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    for k, (x, y) in enumerate([(7.70, 45.07), (7.701, 45.07), (7.702, 45.07), (7.701, 45.071)]):
        graph.add_node(k, x=str(x), y=str(y))
    for u, v in [(0, 1), (1, 2), (1, 3)]:
        graph.add_edge(u, v, highway="residential", osmid=str(u))
        graph.add_edge(v, u, highway="residential", osmid=str(u))
    graph.edges[0, 1, 0]["geometry"] = "LINESTRING (7.70 45.07, 7.7005 45.0704, 7.701 45.07)"
    graph.edges[1, 0, 0]["geometry"] = "LINESTRING (7.701 45.07, 7.7005 45.0704, 7.70 45.07)"
    path = tmp_path / "streets.graphml"
    nx.write_graphml(graph, path)
    streets = read(path)
    assert len(streets) == 3
    # At 45 degrees, a thousandth of a degree is 78.7 m eastwards and 111.1 m northwards; the
    # bent street is twice the hypotenuse of 39.4 m and 44.4 m.
    assert sorted(streets.lengths().tolist()) == pytest.approx([78.7, 111.1, 118.8], abs=1)


@pytest.mark.parametrize("crs", [METRIC, "EPSG:4326", "EPSG:2225"])
def test_any_line_layer_is_split_where_lines_meet(tmp_path, crs):
    # Two long streets cross; a third stops 1 m short of one of them; one lies apart.
    corner = CORNER if crs != "EPSG:2225" else np.array([0.0, 0.0])
    lines = [[(0, 100), (200, 100)], [(100, 0), (100, 200)], [(150, 101), (150, 180)],
             [(600, 600), (650, 600)]]
    frame = gpd.GeoDataFrame(geometry=[shapely.LineString(np.array(c) + corner) for c in lines],
                             crs=METRIC)
    if crs == "EPSG:2225":  # US survey feet: the same shape near the middle of that zone
        feet = 0.3048006096
        frame = gpd.GeoDataFrame(geometry=[
            shapely.LineString(np.array(c) / feet + [6_600_000, 2_000_000]) for c in lines],
            crs=crs)
    path = tmp_path / "lines.geojson" if crs == "EPSG:4326" else tmp_path / "lines.gpkg"
    frame.to_crs(crs).to_file(path, engine="pyogrio")
    streets = read(path)
    near = neighbours(streets.ends)
    assert len(streets) == 6
    assert sorted(np.diff(near.start).tolist()) == [2, 2, 3, 3, 3, 5]
    assert streets.lengths().sum() == pytest.approx(480, rel=0.01)
    assert any("1 stray component" in note and "1 segments" in note for note in streets.notes)


def test_geodanet_comes_out_in_metres():
    made = city("geodanet")
    # The file's 293 lines are 104,414 US survey feet long.
    assert made.places.length.sum() == pytest.approx(104_414 * 1200 / 3937, rel=0.005)
    assert made.latitude == pytest.approx(33.4, abs=0.1)
    assert made.longitude == pytest.approx(-111.8, abs=0.1)


def test_districts_of_a_polygon_layer_carry_shares_and_income(tmp_path):
    streets, polygons = tmp_path / "streets.gpkg", tmp_path / "quarters.gpkg"
    _edges(_grid_lines(6)).to_file(streets, layer="edges", engine="pyogrio")
    x, y = CORNER - 10
    boxes = [shapely.box(x, y, x + 245, y + 520), shapely.box(x + 245, y, x + 520, y + 520),
             shapely.box(x + 9000, y, x + 9500, y + 500)]
    gpd.GeoDataFrame({"label": ["West", "East", "Far"], "people": [0.3, 0.1, 0.6],
                      "eur": [10_000, 40_000, 90_000]}, geometry=boxes, crs=METRIC) \
        .to_crs("EPSG:4326").to_file(polygons, engine="pyogrio")
    made = build_city(mapping(
        "file", streets=str(streets), districts=str(polygons), population=4000,
        reading__district_columns={"name": "label", "share": "people", "income": "eur"}))
    assert set(made.districts) == {"West", "East"}
    by_name = {d.name: d for d in made.spec.districts}
    assert by_name["West"].population == pytest.approx(3000, abs=120)
    assert by_name["West"].population + by_name["East"].population == 4000
    assert by_name["West"].income_level < 1 < by_name["East"].income_level
    assert by_name["West"].deprivation > by_name["East"].deprivation
    west = made.places.district == made.districts.index("West")
    assert made.places.x[west].max() < made.places.x[~west].min() + 60


def test_a_district_column_that_is_named_must_exist(tmp_path):
    path = tmp_path / "streets.gpkg"
    _edges(_grid_lines()).to_file(path, layer="edges", engine="pyogrio")
    box = shapely.box(*(CORNER - 50), *(CORNER + 400))
    gpd.GeoDataFrame({"quarter": ["A"]}, geometry=[box], crs=METRIC) \
        .to_file(tmp_path / "quarters.gpkg", engine="pyogrio")
    with pytest.raises(InputError, match="no column 'quartr'.*did you mean 'quarter'"):
        build_city(mapping("file", streets=str(path), districts=str(tmp_path / "quarters.gpkg"),
                           reading__district_columns__name="quartr"))
    gpd.GeoDataFrame(geometry=[shapely.affinity.translate(box, 50_000, 0)], crs=METRIC) \
        .to_file(tmp_path / "far.gpkg", engine="pyogrio")
    with pytest.raises(InputError, match="no district touches the streets"):
        build_city(mapping("file", streets=str(path), districts=str(tmp_path / "far.gpkg")))


def _with_buildings(tmp_path, homes):
    streets, buildings = tmp_path / "streets.gpkg", tmp_path / "buildings.gpkg"
    _edges(_grid_lines(4)).to_file(streets, layer="edges", engine="pyogrio")
    x, y = CORNER
    shapes = [shapely.box(x + 40, y - 30, x + 60, y - 10), shapely.box(x + 140, y - 30, x + 160,
              y - 10), shapely.Point(x + 250, y - 12)]
    gpd.GeoDataFrame({"home": homes, "work": [None, 1, None], "open_day": [None, 1, 1],
                      "open_night": [None, None, 1]}, geometry=shapes, crs=METRIC) \
        .to_file(buildings, engine="pyogrio")
    return mapping("file", streets=str(streets), buildings=str(buildings), population=300)


def test_buildings_say_where_homes_and_shops_are(tmp_path):
    made = build_city(_with_buildings(tmp_path, [1, None, None]))
    homes = np.flatnonzero(made.places.dwellings)
    assert len(homes) == 1
    x, y = made.places.x[homes] + made.origin[0], made.places.y[homes] + made.origin[1]
    assert np.hypot(x - CORNER[0] - 50, y - CORNER[1])[0] < 60
    assert made.places.shops[homes].sum() == 0 and made.places.shops.sum() > 0


def test_land_use_polygons_and_venue_points_count(tmp_path):
    streets, uses, venues = (tmp_path / f"{n}.gpkg" for n in ("streets", "uses", "venues"))
    _edges(_grid_lines(4)).to_file(streets, layer="edges", engine="pyogrio")
    x, y = CORNER
    gpd.GeoDataFrame({"leisure": ["park"]}, geometry=[shapely.box(x + 120, y + 120, x + 280,
                     y + 280)], crs=METRIC).to_file(uses, engine="pyogrio")
    gpd.GeoDataFrame(geometry=[shapely.Point(x + 150 + k, y + 1) for k in range(7)],
                     crs=METRIC).to_file(venues, engine="pyogrio")
    made = build_city(mapping("file", streets=str(streets), land_use_layer=str(uses),
                              venues_layer=str(venues), population=500, green__share=0.0))
    places = made.places
    px, py = places.x + made.origin[0] - x, places.y + made.origin[1] - y
    inside = (px > 120) & (px < 280) & (py > 120) & (py < 280)
    assert inside.any() and (places.green[inside] > 0.5).all()
    assert (places.green[~inside] == 0).all()
    assert places.venues.sum() == 7 and places.venues.max() == 7
    assert np.hypot(*(made.night_centres[0] + made.origin - CORNER - [150, 0])) < 400


# --- refusals --------------------------------------------------------------------------------

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
    ({"seed": "abc"}, ["city.seed"]),
    ({"layout": None}, ["layout"]),
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


def _refused(**changes):
    with pytest.raises(InputError) as caught:
        build_city(mapping("file", **changes))
    return str(caught.value)


def _without_crs(frame, path):
    with warnings.catch_warnings():  # the writer warns of just what the test is about
        warnings.simplefilter("ignore", UserWarning)
        frame[["geometry"]].set_crs(None, allow_override=True).to_file(path, engine="pyogrio")


def test_street_files_that_cannot_be_used_are_refused(tmp_path):
    good, broken, points, bare = (tmp_path / n for n in
                                  ("streets.gpkg", "broken.gpkg", "points.gpkg", "bare.shp"))
    frame = _edges(_grid_lines())
    frame.to_file(good, layer="edges", engine="pyogrio")
    broken.write_bytes(b"not a geopackage at all")
    frame.assign(geometry=frame.geometry.centroid).to_file(points, engine="pyogrio")
    _without_crs(frame, bare)
    assert "city.streets" in _refused()
    assert "streets.gpkg" in _refused(streets=str(tmp_path / "street.gpkg"))
    assert "cannot be read" in _refused(streets=str(broken))
    assert "no lines" in _refused(streets=str(points))
    assert "coordinate system" in _refused(streets=str(bare))
    assert "'edges'" in _refused(streets=str(good), layer="edgs")
    assert "is a folder" in _refused(streets=str(tmp_path))
    with pytest.raises(InputError, match="city.buildings"):
        CitySpec.read(mapping("file", streets=str(good), buildings="none.gpkg")).check_files()
    assert build_city(mapping("file", streets=str(bare), crs=METRIC)).crs == METRIC


@pytest.mark.parametrize(("crs", "expected"), [("EPSG:4326", "no degrees"),
                                               ("EPSG:99999", "unknown coordinate system")])
def test_a_wrong_coordinate_system_is_refused(tmp_path, crs, expected):
    path = tmp_path / "bare.shp"
    _without_crs(_edges(_grid_lines()), path)
    assert expected in _refused(streets=str(path), crs=crs)


def test_degrees_declared_as_metres_are_refused(tmp_path):
    path = tmp_path / "streets.gpkg"
    frame = _edges(_grid_lines()).to_crs("EPSG:4326").set_crs(METRIC, allow_override=True)
    frame.to_file(path, layer="edges", engine="pyogrio")
    assert "seems wrong" in _refused(streets=str(path))


def test_broken_graphml_is_refused(tmp_path):
    path = tmp_path / "streets.graphml"
    path.write_text("<graphml><graph>")
    assert "cannot be read as GraphML" in _refused(streets=str(path))
    graph = nx.MultiGraph()
    graph.add_edge(0, 1)
    nx.write_graphml(graph, path)
    assert "nodes with x and y" in _refused(streets=str(path))


def test_a_city_without_homes_is_refused(tmp_path):
    with pytest.raises(InputError, match="no building by these streets is a home"):
        build_city(_with_buildings(tmp_path, [None, None, None]))
    with pytest.raises(InputError, match="has dwellings"):
        build_city(mapping(land_use__dwelling=0.0))


# --- telling ---------------------------------------------------------------------------------

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


def test_every_number_in_the_city_files_has_unit_and_source():
    def check(node, where):
        if isinstance(node, dict) and "value" in node:
            assert node.get("unit") and node.get("source"), where
        elif isinstance(node, dict):
            for key, inner in node.items():
                check(inner, f"{where}.{key}")
        else:
            assert isinstance(node, bool) or not isinstance(node, int | float), where
    files = sorted((CONFIGS / "city").rglob("*.yaml"))
    assert len(files) >= 8
    for file in files:
        check(yaml.safe_load(file.read_text(encoding="utf-8")), file.name)


@pytest.mark.shared
@pytest.mark.skipif(MILAN is None, reason="no extra data beside the checkout")
def test_the_centre_of_milan_loads_with_quarters_and_buildings():
    folder = MILAN.parent
    made = build_city(mapping(
        "file", streets=str(MILAN), districts=str(folder / "milan_neighbourhoods.gpkg"),
        buildings=str(folder / "milan_duomo_buildings.gpkg")))
    edges = gpd.read_file(MILAN, layer="edges")
    assert "DUOMO" in made.districts
    assert 200 < len(made) < len(edges) / 2
    assert made.latitude == pytest.approx(45.46, abs=0.02)
    made.validate()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_coordinates_that_are_not_finite_are_refused(tmp_path):
    lost = shapely.LineString([(CORNER[0], CORNER[1]), (float("nan"), CORNER[1])])
    file = tmp_path / "streets.gpkg"
    gpd.GeoDataFrame(geometry=[*(line for _, _, line in _grid_lines()), lost],
    crs=32632).to_file(file)
    with pytest.raises(InputError) as caught:
        read(file)
    assert "not finite" in caught.value.message and "streets.gpkg" in caught.value.where


def test_a_city_that_is_no_mapping_is_refused():
    with pytest.raises(InputError) as caught:
        CitySpec.read(["a"])
    assert caught.value.where == "city"

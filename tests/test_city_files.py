"""Cities from files: streets, districts, buildings, land use, and files that are refused."""

import warnings

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely

from citysim.city.city import build_city
from citysim.city.network import neighbours
from citysim.city.readers import read_streets
from citysim.city.spec import CitySpec
from citysim.config.errors import InputError
from made_cities import CORNER, METRIC, ROOT, city, mapping

MILAN = next(ROOT.parent.glob("*/data/milan_duomo_streets.gpkg"), None)


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

"""Real points: reading, snapping, times, refusals, and the figures known of the geodanet crimes."""

from io import StringIO
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from citysim.city.readers import geodanet_path
from citysim.cli.main import main
from citysim.config.errors import InputError
from citysim.evidence.measures import take
from citysim.evidence.points import Columns, nearest, read_points, read_segments

CRS = "EPSG:32632"
ORIGIN = np.array([395_000.0, 4_990_000.0])
GEODANET = Path(geodanet_path()).parent


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Five streets of 400 m each way, 100 m apart, in pieces of 100 m."""
    path = tmp_path_factory.mktemp("streets") / "streets.gpkg"
    lines = [shapely.LineString([ORIGIN + a, ORIGIN + b]) for i in range(5) for j in range(4)
             for a, b in (((100 * j, 100 * i), (100 * j + 100, 100 * i)),
                          ((100 * i, 100 * j), (100 * i, 100 * j + 100)))]
    gpd.GeoDataFrame({"name": range(len(lines))}, geometry=lines, crs=CRS).to_file(path)
    return str(path)


def table(path, rows, columns=("x", "y", "when", "type"), sep=","):
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False, sep=sep)
    return str(path)


ROWS = [(*(ORIGIN + at), when, kind) for at, when, kind in (
    ((50, 3), "2024-03-04 21:30", "theft"), ((50, -4), "2024-03-05 22:10", "theft"),
    ((203, 150), "2024-03-09 02:00", "robbery"), ((350, 410), "2024-04-01 12:00", "theft"))]


def test_points_go_to_their_segment(tmp_path, streets):
    data, notes = read_points(table(tmp_path / "a.csv", ROWS), streets, Columns(time="when"))
    assert notes == []
    assert len(data.places) == 40
    at = np.column_stack([data.places.x, data.places.y])[data.crimes.place] - ORIGIN
    assert at == pytest.approx(np.array([(50, 0), (50, 0), (200, 150), (350, 400)]))
    assert data.crimes.hour.tolist() == [21, 22, 2, 12]
    assert data.crimes.weekday.tolist() == [0, 1, 5, 0]
    assert np.diff(data.crimes.time) == pytest.approx([24 + 40 / 60, 4 * 24 - 20.167, 562], abs=0.1)
    assert data.offences == ("robbery", "theft")
    assert take("hours_share", data).value == pytest.approx(2 / 4)
    assert take("near_repeats", data, {"permutations": 0, "along": "network"}).measurable


def test_degrees_geopackage_and_table_agree(tmp_path, streets):
    plain, _ = read_points(table(tmp_path / "a.csv", ROWS), streets, Columns(time="when"))
    frame = gpd.GeoDataFrame({"date": [r[2] for r in ROWS], "type": [r[3] for r in ROWS]},
                             geometry=[shapely.Point(r[:2]) for r in ROWS], crs=CRS)
    frame.to_crs("EPSG:4326").to_file(tmp_path / "points.gpkg")
    degrees = frame.to_crs("EPSG:4326").geometry
    rows = [(p.x, p.y, *r[2:]) for p, r in zip(degrees, ROWS, strict=True)]
    others = [read_points(str(tmp_path / "points.gpkg"), streets)[0],
              read_points(table(tmp_path / "b.csv", rows, ("Longitude", "Latitude", "date", "type"),
                                ";"), streets)[0]]
    for other in others:
        assert np.array_equal(other.crimes.place, plain.crimes.place)
        assert other.crimes.x == pytest.approx(plain.crimes.x, abs=0.01)
        assert other.crimes.time == pytest.approx(plain.crimes.time)
        assert other.crimes.offence.tolist() == plain.crimes.offence.tolist()


def test_clock_on_the_wall_days_without_hours_and_unreadable_times(tmp_path, streets):
    rows = [(*r[:2], f"2024-03-04T23:15:0{i}+02:00", "a") for i, r in enumerate(ROWS)]
    data, _ = read_points(table(tmp_path / "a.csv", rows), streets, Columns(time="when"))
    assert data.crimes.hour.tolist() == [23] * 4
    days = [(*r[:2], r[2][:10], "a") for r in ROWS]
    data, notes = read_points(table(tmp_path / "b.csv", days), streets, Columns(time="when"))
    assert data.crimes.hour is None
    assert any("without hours" in n for n in notes)
    many = [(*ROWS[0][:2], "2024-01-01 10:00", "a")] * 39 + [(*ROWS[0][:2], "noonish", "a")]
    data, notes = read_points(table(tmp_path / "c.csv", many), streets, Columns(time="when"))
    assert len(data.crimes) == 39
    assert any("1 points whose time" in n for n in notes)


def test_far_points_are_left_out_and_counted(tmp_path, streets):
    rows = [*ROWS, (*(ORIGIN + (200, 900)), "2024-03-04 10:00", "theft")]
    data, notes = read_points(table(tmp_path / "a.csv", rows), streets, Columns(time="when"))
    assert len(data.crimes) == 4
    assert any(n.startswith("1 of 5 points lie more than 100 m") for n in notes)
    data, _ = read_points(table(tmp_path / "a.csv", rows), streets, Columns(time="when"),
                          within=600)
    assert len(data.crimes) == 5


def test_points_without_a_position_are_left_out_and_counted(tmp_path, streets):
    rows = [*ROWS, (np.inf, ORIGIN[1], "2024-03-04 10:00", "theft")]
    data, notes = read_points(table(tmp_path / "a.csv", rows), streets, Columns(time="when"))
    assert len(data.crimes) == 4 and notes[0].startswith("1 points have no position")
    nowhere = tmp_path / "points.geojson"
    nowhere.write_text('{"type": "FeatureCollection", "features": [{"type": "Feature", '
                       '"properties": {"type": "theft"}, "geometry": null}]}')
    with pytest.raises(InputError, match="points.geojson"):
        read_points(str(nowhere), streets)
    for within in (0.0, -5.0, np.nan, np.inf):
        with pytest.raises(InputError, match="--within"):
            read_points(table(tmp_path / "b.csv", ROWS), streets, within=within)


@pytest.mark.parametrize(("name", "content", "word"), [
    ("empty.csv", b"", "as a table"), ("latin.csv", "x,y,type\n1,2,caf\xe9".encode("latin-1"),
                                      "as a table"), ("empty.geojson", b"", "as geodata")])
def test_files_that_are_none_are_one_message_of_the_command(tmp_path, streets, capsys, name,
                                                            content, word):
    (tmp_path / name).write_bytes(content)
    assert main(["evidence", "measure", str(tmp_path / name), "--streets", streets]) == 2
    told = capsys.readouterr()
    assert word in told.err and name in told.err and told.out == ""


def test_only_some_offences(tmp_path, streets):
    data, _ = read_points(table(tmp_path / "a.csv", ROWS), streets, only=["robbery"])
    assert data.crimes.offence.tolist() == ["robbery"]


def test_of_equally_near_segments_the_first_is_taken():
    lines = [shapely.LineString([(0, 0), (1, 0)]), shapely.LineString([(0, 0), (0, 1)])]
    line, away = nearest(lines, np.array([(-1.0, -1.0), (0.5, 0.2)]))
    assert line.tolist() == [0, 0]
    assert away == pytest.approx([np.sqrt(2), 0.2])


def test_segments_of_a_file_meet(streets):
    _, places, crs = read_segments(streets)
    assert crs == CRS
    assert places.length == pytest.approx(np.full(40, 100))
    assert np.diff(places.neighbours.start).max() == 6  # both ends at a crossing of four


# --- an independent check: figures published for this data set

def test_known_figures_of_geodanet():
    data, notes = read_points(str(GEODANET / "crimes.shp"), str(GEODANET / "streets.shp"))
    assert (len(data.crimes), len(data.places)) == (287, 293)
    assert take("gini", data).value == pytest.approx(0.81, abs=0.005)
    for share, held in ((0.25, 0.017), (0.5, 0.058), (1.0, 0.36)):
        assert take("segments_holding", data, {"share": share}).value == pytest.approx(
            held, abs=0.0051 if share == 1 else 0.0005)
    assert any("POLYID" in n for n in notes)
    assert not take("near_repeats", data).measurable


def test_streets_may_be_cut_as_a_city_cuts_them():
    as_city, _, _ = read_segments(str(GEODANET / "streets.shp"), "city")
    assert len(as_city) < 293


# --- refusals

@pytest.mark.parametrize(("columns", "rows", "given", "words"), [
    (("east", "north", "when", "type"), ROWS, {}, ["no columns of coordinates", "east, north"]),
    (("x", "y", "when", "type"), ROWS, {"time": "hour"}, ["no column 'hour'"]),
    (("x", "y", "when", "type"), ROWS, {"x": "x"}, ["no column is named"]),
    (("x", "y", "when", "type"), [("here", "there", "now", "a")], {}, ["hold no numbers"]),
    (("x", "y", "time", "type"), [(*r[:2], 5, "a") for r in ROWS], {}, ["plain numbers"]),
    (("x", "y", "time", "type"), [(*r[:2], "soon", "a") for r in ROWS], {}, ["0% of the column"]),
    (("x", "y", "when", "type"), [(1.0, 2.0, "2024-01-01", "a")], {}, ["every point lies more"]),
    (("lon", "lat", "when", "type"), [(7.6, 95.0, "2024-01-01", "a")], {}, ["no point has"]),
])
def test_bad_tables_are_refused(tmp_path, streets, columns, rows, given, words):
    path = table(tmp_path / "points.csv", rows, columns)
    with pytest.raises(InputError) as refusal:
        read_points(path, streets, Columns(**given))
    text = str(refusal.value)
    assert "points.csv" in text
    for word in words:
        assert word in text


def test_an_unknown_offence_or_kind_of_segments_is_refused(tmp_path, streets):
    path = table(tmp_path / "points.csv", ROWS)
    with pytest.raises(InputError) as refusal:
        read_points(path, streets, only=["robery"])
    assert refusal.value.closest == "robbery"
    with pytest.raises(InputError):
        read_points(path, streets, segments="blocks")
    with pytest.raises(InputError, match="no such file"):
        read_points(path, str(tmp_path / "none.gpkg"))
    with pytest.raises(InputError, match="not points alone"):
        read_points(streets, streets)


# --- the command

def test_the_command_measures_and_refuses(tmp_path, streets, capsys):
    path = table(tmp_path / "points.csv", ROWS)
    assert main(["evidence", "measure", path, "--streets", streets, "--time", "when",
                 "--csv"]) == 0
    out = capsys.readouterr().out
    rows = pd.read_csv(StringIO(out)).set_index("measure")
    assert float(rows.loc["segments_holding", "value"]) == pytest.approx(1 / 40)
    assert float(rows.loc["hours_share", "value"]) == pytest.approx(0.5)
    assert main(["evidence", "measure", path, "--streets", streets, "--time", "when", "--csv",
                 "--fact", "gini_small_network"]) == 0
    assert "gini_small_network" in capsys.readouterr().out
    for words, word in (
            (["measure", path], "which streets?"),
            (["measure", path, "--streets", streets, "--measure", "near_repeats"], "cannot be"),
            (["measure", path, "--streets", streets, "--measure", "ginni"], "did you mean 'gini'"),
            (["measure", path, "--streets", streets, "--fact", "age_peek"], "'age_peak'"),
            (["measuer"], "did you mean 'measure'"),
            (["facts", "--study", str(tmp_path)], "no results of a study")):
        assert main(["evidence", *words]) == 2
        told = capsys.readouterr()
        assert word in told.err
        assert told.out == ""

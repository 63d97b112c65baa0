"""Real crimes from a file of points, brought to street segments, for the same measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from citysim.city.files import existing, read_layer, to_metres, with_crs
from citysim.city.network import neighbours, number_ends
from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir
from citysim.evidence.crimes import CityData, Crimes, Places

POSITIONS = (("lon", "lat"), ("longitude", "latitude"), ("lng", "lat"), ("long", "lat"),
             ("x", "y"), ("easting", "northing"), ("coord_x", "coord_y"))
"""Column names that hold coordinates; the first ones are degrees."""
DEGREES = {"lon", "longitude", "lng", "long"}
TIMES = ("time", "datetime", "date_time", "timestamp", "date", "occurred", "occurred_at",
         "occ_date", "occurrencedate", "start_time")
OFFENCES = ("offence", "offense", "crime_type", "type", "category", "primary_type")
TABLES = (".csv", ".tsv", ".txt")
SEGMENTS = ("file", "city")
WITHIN = 100.0  # m: farther from any street a point is left out
_JOIN = 1.0  # m: ends of lines this near are one intersection
_HOURS, _READABLE = 24.0, 0.95
_OFFSET = r"(:\d\d(?:\.\d+)?)\s*(?:Z|[+-]\d\d:?\d\d)$"
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Columns:
    """Columns of a file of points; ``None`` looks for a known name.

    Attributes
    ----------
    x, y
        Coordinates (tables only).
    time, offence
        When, and which kind.
    """

    x: str | None = None
    y: str | None = None
    time: str | None = None
    offence: str | None = None


def read_points(path: str, streets: str, columns: Columns | None = None, crs: str | None = None,
                layer: str | None = None, segments: str = "file", within: float = WITHIN,
                only: Iterable[str] = ()) -> tuple[CityData, list[str]]:
    """Read points, bring each to its nearest street segment.

    Parameters
    ----------
    path
        CSV with coordinates, or GeoPackage, Shapefile, GeoJSON of points.
    streets
        Lines of streets.
    columns
        Names of columns.
    crs
        System of coordinates of files that name none. A table of lon and lat is taken as
        EPSG:4326, one of x and y as the system of the streets.
    layer
        Layer of the points.
    segments
        ``file``: the lines as the street file has them; ``city``: as a simulated city cuts and
        joins them (``city=file``).
    within
        Points farther from every street are left out, m.
    only
        Keep only these offences.

    Returns
    -------
    data, notes
        The crimes of this file; what was left out or could not be told.

    Raises
    ------
    InputError
        Missing or broken files, no coordinates or no such column (naming the columns there are).
    """
    if not 0 < within < np.inf:
        raise InputError(f"{within} is no distance", where="--within", allowed="above 0 [m]")
    lines, places, street_crs = read_segments(streets, segments, crs)
    columns = columns or Columns()
    notes: list[str] = []
    frame = _placed(_located(path, columns, crs, layer, street_crs), path, notes)
    moments = _moments(frame, columns, path, notes)
    if moments is not None and moments.isna().any():
        notes.append(f"{moments.isna().sum()} points whose time cannot be read are left out")
        frame, moments = frame[moments.notna()], moments[moments.notna()]
    offence = _offences(frame, columns, path)
    if only := list(only):
        _refuse_unknown(only, offence, path)
        keep = np.isin(offence, only)
        frame, offence = frame[keep], offence[keep]
        moments = None if moments is None else moments[keep]
    at, away = nearest(lines, np.column_stack([frame.geometry.x, frame.geometry.y]))
    near = away <= within
    if not near.any():
        raise InputError(f"every point lies more than {within:g} m from the streets (the nearest "
                         f"{away.min():,.0f} m)", where=path,
                         allowed="points of the same city, with their coordinate system (--crs)")
    if not near.all():
        notes.append(f"{(~near).sum()} of {len(near)} points lie more than {within:g} m from any "
                     "street and are left out")
    time, hour, weekday = _clock(None if moments is None else moments[near], notes)
    x, y = frame.geometry.x.to_numpy()[near], frame.geometry.y.to_numpy()[near]
    crimes = Crimes(at[near], x, y, offence[near], time, hour, weekday)
    kinds = tuple(np.unique(offence[near]).tolist())
    days = None if time is None else max(1.0, np.ceil((time.max() - time.min()) / _HOURS))
    return CityData(Path(path).stem, crimes, places, days=days, offences=kinds,
                    totals=kinds), notes


# --- streets

def read_segments(path: str, segments: str = "file", crs: str | None = None):
    """Street segments of a file.

    Returns
    -------
    lines, places, crs
        shapely lines (m), the places, and the system of coordinates they are in.
    """
    import shapely

    if segments not in SEGMENTS:
        raise InputError(f"'{segments}' is not allowed", where="--segments", allowed=SEGMENTS,
                         closest=closest_match(segments, SEGMENTS))
    spec = _spec(path, crs)
    if segments == "city":
        from citysim.city.readers import read_streets

        streets, street_crs = read_streets(spec)
        coordinates, ends = streets.lines, streets.ends
    else:
        frame = read_layer(path, "--streets", None, ("edges",), ("Line",))
        frame = frame[frame.geom_type.isin(["LineString", "MultiLineString"])]
        if frame.empty:
            raise InputError("the layer holds no lines", where=f"--streets {path}",
                             allowed="a layer of street lines")
        frame = to_metres(frame, crs, f"--streets {path}", spec.reading.max_extent)
        frame, street_crs = frame.explode(index_parts=False), frame.crs.to_string()
        coordinates = [np.asarray(line.coords)[:, :2] for line in frame.geometry]
        ends = number_ends(coordinates, _JOIN)
    lines = np.array([shapely.LineString(line) for line in coordinates])
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    places = Places(middle[:, 0], middle[:, 1], shapely.length(lines), neighbours(ends))
    return lines, places, street_crs


def _spec(path: str, crs: str | None):
    """Reading rules of a city of these streets, as configured."""
    from citysim.city.spec import CitySpec

    existing(path, "--streets")
    settings = _city_of_files(find_config_dir())
    return CitySpec.read(settings.replace({"city.streets": str(path), "city.crs": crs}).city)


@cache
def _city_of_files(folder: Path):
    """Settings of ``city=file``, composed once."""
    from citysim.config.compose import compose_study

    return compose_study(["experiment=single", "city=file"], folder)


def nearest(lines: Sequence, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest line of each point and its distance; of equally near ones the first."""
    import shapely

    tree = shapely.STRtree(lines)
    (point, line), away = tree.query_nearest(shapely.points(points), return_distance=True,
                                             all_matches=True)
    order = np.lexsort((line, point))
    first = order[np.unique(point[order], return_index=True)[1]]
    return line[first].astype(np.int64), away[first]


# --- points

def _located(path: str, columns: Columns, crs: str | None, layer: str | None, street_crs: str):
    """A frame of points in the streets' system of coordinates."""
    if Path(path).suffix.lower() in TABLES:
        frame = _table(path, columns, crs, street_crs)
    else:
        frame = read_layer(path, "FILE", layer, kinds=("Point",))
        if not (frame.geom_type == "Point").all():
            kinds = ", ".join(sorted(set(frame.geom_type)))
            raise InputError(f"the layer holds {kinds}, not points alone", where=path,
                             allowed="a layer of points")
        frame = with_crs(frame, crs, path)
    return frame.to_crs(street_crs).reset_index(drop=True)


def _placed(frame, path: str, notes: list[str]):
    """The points that have a position which the streets' system of coordinates knows."""
    placed = np.isfinite(frame.geometry.x) & np.isfinite(frame.geometry.y)
    if not placed.any():
        raise InputError("no point has a position on the map", where=path,
                         allowed="points with coordinates, and their own system (--crs)")
    if not placed.all():
        notes.append(f"{(~placed).sum()} points have no position on the map and are left out")
    return frame[placed].reset_index(drop=True)


def _table(path: str, columns: Columns, crs: str | None, street_crs: str):
    import geopandas as gpd
    import pandas as pd

    file = existing(path, "FILE")
    try:
        with file.open(encoding="utf-8-sig") as text:
            header = text.readline()
        frame = pd.read_csv(file, sep=max(_SEPARATORS, key=header.count), encoding="utf-8-sig")
    except ValueError as error:  # not UTF-8, not a table, or empty
        raise InputError(f"cannot be read as a table: {str(error).splitlines()[0]}", where=path,
                         allowed="CSV with a header") from None
    x, y = _coordinates(frame, columns, path)
    at = [pd.to_numeric(frame[name], errors="coerce") for name in (x, y)]
    placed = at[0].notna() & at[1].notna()
    if not placed.any():
        raise InputError(f"the columns {x} and {y} hold no numbers", where=path,
                         allowed="coordinates as numbers")
    system = crs or ("EPSG:4326" if x.lower() in DEGREES else street_crs)
    geometry = gpd.points_from_xy(at[0][placed], at[1][placed])
    return with_crs(gpd.GeoDataFrame(frame[placed], geometry=geometry), system, path)


def _coordinates(frame, columns: Columns, path: str) -> tuple[str, str]:
    if columns.x or columns.y:
        return _column(frame, columns.x, "--x", path), _column(frame, columns.y, "--y", path)
    known = {name.lower().strip(): name for name in frame.columns}
    for x, y in POSITIONS:
        if x in known and y in known:
            return known[x], known[y]
    raise InputError("no columns of coordinates; its columns are "
                     + ", ".join(map(str, frame.columns)), where=path,
                     allowed="--x NAME --y NAME, or columns named "
                     + ", ".join(f"{x} and {y}" for x, y in POSITIONS))


def _column(frame, name: str | None, option: str, path: str) -> str:
    """A column named by hand.

    Raises
    ------
    InputError
        If it is not there, naming the columns that are.
    """
    there = [str(c) for c in frame.columns if c != "geometry"]
    if name not in there:
        raise InputError("no column is named" if name is None else f"no column '{name}'",
                         where=f"{path}: {option}", allowed=there,
                         closest=closest_match(str(name), there))
    return name


def _offences(frame, columns: Columns, path: str) -> np.ndarray:
    name = _found(frame, columns.offence, "--offence", OFFENCES, path)
    return np.full(len(frame), "crime") if name is None else frame[name].astype(str).to_numpy(str)


def _found(frame, given: str | None, option: str, names: tuple[str, ...], path: str):
    """The column asked for, or the first with a known name, or ``None``."""
    if given is not None:
        return _column(frame, given, option, path)
    known = {str(name).lower().strip(): name for name in frame.columns}
    return next((known[name] for name in names if name in known), None)


def _moments(frame, columns: Columns, path: str, notes: list[str]):
    """Times by the clock on the wall (offsets are dropped); ``None`` if the file tells none."""
    import pandas as pd

    name = _found(frame, columns.time, "--time", TIMES, path)
    if name is None:
        there = ", ".join(str(c) for c in frame.columns if c != "geometry")
        notes.append(f"no column of times among: {there or 'none at all'} (--time NAME says "
                     "which); what needs times is not measurable")
        return None
    column = frame[name]
    if pd.api.types.is_numeric_dtype(column):
        raise InputError(f"the column '{name}' holds plain numbers, no times", where=path,
                         allowed="dates and times such as 2024-03-04 21:30")
    if not pd.api.types.is_datetime64_any_dtype(column):
        text = column.astype(str).str.replace(_OFFSET, r"\1", regex=True)
        column = pd.to_datetime(text, errors="coerce", format="mixed")
    moments = column if column.dt.tz is None else column.dt.tz_localize(None)
    told = moments.notna().mean()
    if told < _READABLE:
        raise InputError(f"only {told:.0%} of the column '{name}' can be read as times", where=path,
                         allowed="dates and times such as 2024-03-04 21:30")
    return moments


def _clock(moments, notes: list[str]):
    """Hours since the first, hour of the day, weekday."""
    if moments is None:
        return None, None, None
    hours = (moments - moments.min()).dt.total_seconds().to_numpy() / 3600
    hour = moments.dt.hour.to_numpy(np.int64)
    if (moments == moments.dt.normalize()).all():
        notes.append("the times are days without hours")
        hour = None
    return hours, hour, moments.dt.day_of_week.to_numpy(np.int64)


def _refuse_unknown(only: list[str], offence: np.ndarray, path: str) -> None:
    there = np.unique(offence).tolist()
    for name in only:
        if name not in there:
            raise InputError(f"no offence '{name}'", where=f"{path}: --only", allowed=there,
                             closest=closest_match(name, there))

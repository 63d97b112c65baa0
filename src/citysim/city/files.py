"""Open geodata files: layers, coordinate systems, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from citysim.config.errors import InputError, closest_match


def existing(path: str, key: str) -> Path:
    """The path if there is such a file; otherwise an InputError with the nearest name."""
    file = Path(path).expanduser()
    if file.is_file():
        return file
    if file.is_dir():
        raise InputError(f"'{path}' is a folder, not a file", where=key)
    beside = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
    raise InputError(f"no such file: '{path}'", where=key, allowed="a readable file",
                     closest=closest_match(file.name, beside))


def read_layer(path: str, key: str, layer: str | None = None, prefer: tuple[str, ...] = (),
               kinds: tuple[str, ...] = ()):
    """Read one layer of a geodata file.

    Parameters
    ----------
    path, key
        File; configuration key that names it, for messages.
    layer
        Layer to read; ``None`` takes a preferred name, then the only layer of the right kind.
    prefer
        Layer names to take first.
    kinds
        Geometry types that count as the right kind, by their beginning (``"Line"``).

    Returns
    -------
    GeoDataFrame with at least one geometry.

    Raises
    ------
    InputError
        Missing, broken or empty file, unknown or ambiguous layer.
    """
    import geopandas as gpd
    import pyogrio

    file = existing(path, key)
    where = f"{key} ({path})"
    try:
        layers = [(str(name), str(kind)) for name, kind in pyogrio.list_layers(file)]
        chosen = _choose(layers, layer, prefer, kinds, where)
        frame = gpd.read_file(file, layer=chosen)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"cannot be read as geodata: {_first_line(error)}", where=where,
                         allowed="GeoPackage, Shapefile, GeoJSON or another format that "
                                 "geopandas reads") from None
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError(f"layer '{chosen}' is a table without geometry", where=where)
    if frame.empty:
        raise InputError(f"layer '{chosen}' holds no features", where=where)
    frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty].reset_index(drop=True)
    _refuse_unplaced(frame.geometry.to_numpy(), where)
    return frame


def _refuse_unplaced(geometries, where: str) -> None:
    """Refuse coordinates that are not finite: no distance can be worked out from them."""
    import numpy as np
    import shapely

    points, owner = shapely.get_coordinates(geometries, return_index=True)
    lost = np.unique(owner[~np.isfinite(points).all(axis=1)])
    if len(lost):
        raise InputError(f"{len(lost)} features have coordinates that are not finite, the first "
                         f"is feature {lost[0] + 1}", where=where, allowed="finite coordinates")


def _choose(layers, layer, prefer, kinds, where) -> str:
    names = [name for name, _ in layers]
    if layer is not None:
        if layer not in names:
            raise InputError(f"no layer '{layer}'", where=where, allowed=names,
                             closest=closest_match(layer, names))
        return layer
    for name in prefer:
        if name in names:
            return name
    fitting = [name for name, kind in layers
               if any(k.lower() in kind.lower() for k in kinds)] if kinds else names
    if not fitting:  # some formats do not say; reading will tell
        fitting = [name for name, kind in layers if kind in ("None", "Unknown")] or names
    if len(fitting) > 1:
        raise InputError("the file holds several layers", where=where,
                         allowed="city.layer = one of " + ", ".join(fitting))
    return fitting[0]


def _first_line(error) -> str:
    text = str(error).strip().splitlines()
    # GDAL goes on with advice on its drivers, which none of our readers can take.
    return text[0].split("; It might help")[0] if text else type(error).__name__


def to_metres(frame, crs: str | None, key: str, max_extent: float):
    """Reproject to a coordinate system in metres; metric ones stay as they are.

    Parameters
    ----------
    frame
        GeoDataFrame with or without a coordinate system.
    crs
        System to assume where the frame has none.
    key
        Configuration key, for messages.
    max_extent
        Greatest plausible width or height, m.

    Raises
    ------
    InputError
        No or unknown coordinate system, or coordinates that do not fit it.
    """
    frame = with_crs(frame, crs, key)
    bounds = frame.total_bounds
    if frame.crs.is_geographic and (np.abs(bounds[[0, 2]]).max() > 360
                                    or np.abs(bounds[[1, 3]]).max() > 90):
        raise InputError(f"coordinates up to {np.abs(bounds).max():,.0f} are no degrees, but the "
                         f"coordinate system is {frame.crs.name}", where=key,
                         allowed="a file with its true coordinate system, or city.crs")
    metric = frame.crs.is_projected and all(
        abs(axis.unit_conversion_factor - 1) < 1e-9 for axis in frame.crs.axis_info)
    if not metric:
        try:
            frame = frame.to_crs(frame.estimate_utm_crs())
        except Exception as error:
            raise InputError(f"cannot be brought to metres: {_first_line(error)}", where=key,
                             allowed="a file with its true coordinate system, or city.crs"
                             ) from None
    check_extent(frame.total_bounds, key, max_extent)
    return frame


def check_extent(bounds, key: str, max_extent: float) -> None:
    """Refuse extents that no city has: not finite, nothing, or beyond ``max_extent`` metres."""
    if not np.isfinite(bounds).all():
        raise InputError("coordinates are not finite in the coordinate system given", where=key,
                         allowed="a file with its true coordinate system, or city.crs")
    size = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    if size > max_extent or size <= 1:
        raise InputError(f"the streets span {size:,.1f} m: the coordinate system seems wrong",
                         where=key, allowed=f"1 to {max_extent:,.0f} m")


def with_crs(frame, crs: str | None, key: str):
    """The frame with its own coordinate system, or the one to assume."""
    if frame.crs is not None:
        return frame
    if crs is None:
        raise InputError("the file names no coordinate system", where=key,
                         allowed="city.crs, such as EPSG:4326 (degrees) or EPSG:32632 (metres)")
    try:
        return frame.set_crs(crs)
    except Exception:
        raise InputError(f"unknown coordinate system '{crs}'", where="city.crs",
                         allowed="a code such as EPSG:32632") from None

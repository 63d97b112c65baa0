"""Optional layers: what buildings, land-use polygons and venue points say about the streets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from citysim.city.files import read_layer, with_crs
from citysim.city.landuse import USES, Evidence
from citysim.city.network import Streets
from citysim.city.spec import CitySpec
from citysim.config.errors import InputError

_FLAGS = {"home": ("home",), "work": ("work", "activity"), "day": ("open_day",),
          "night": ("open_night",)}


def read_evidence(spec: CitySpec, streets: Streets, crs: str) -> Evidence:
    """What buildings, land-use polygons and venue points say about each segment.

    Parameters
    ----------
    spec
        Names the optional layers; none of them is needed.
    streets, crs
        Street segments and their coordinate system.

    Raises
    ------
    InputError
        A layer that cannot be read, says nothing known, or lies elsewhere.
    """
    evidence = Evidence()
    if spec.buildings:
        evidence = replace(evidence, **_from_buildings(spec, streets, crs))
    if spec.land_use_layer:
        evidence = replace(evidence, use=_from_land_use(spec, streets, crs))
    if spec.venues_layer:
        frame = _beside(spec.venues_layer, "city.venues_layer", spec, crs)
        nearest = _nearest(frame.geometry.representative_point(), streets,
                           spec.reading.building_reach)
        counts = np.bincount(nearest[nearest >= 0], minlength=len(streets))
        evidence = replace(evidence, venues=counts)
    return evidence


def _beside(path, key, spec: CitySpec, crs):
    """Read an optional layer in the streets' coordinate system."""
    frame = with_crs(read_layer(path, key), spec.crs, key)
    try:
        return frame.to_crs(crs)
    except Exception as error:
        raise InputError(f"cannot be brought to the streets' coordinates: {error}",
                         where=key) from None


def _nearest(points, streets: Streets, reach) -> np.ndarray:
    """Nearest segment of each point within ``reach`` metres, -1 where none."""
    import shapely

    tree = shapely.STRtree([shapely.LineString(line) for line in streets.lines])
    found = np.full(len(points), -1, np.int64)
    point, segment = tree.query_nearest(np.asarray(points), max_distance=reach,
                                        all_matches=False)
    found[point] = segment
    return found


def _from_buildings(spec: CitySpec, streets: Streets, crs) -> dict[str, np.ndarray]:
    """Floor area per flag of the buildings nearest to each segment, m2."""
    key = f"city.buildings ({spec.buildings})"
    frame = _beside(spec.buildings, "city.buildings", spec, crs)
    flags = [c for columns in _FLAGS.values() for c in columns]
    if not set(flags) & set(frame.columns):
        raise InputError("the buildings carry no use flags", where=key, allowed=flags)
    nearest = _nearest(frame.geometry.representative_point(), streets,
                       spec.reading.building_reach)
    if (nearest < 0).all():
        raise InputError("no building lies by a street", where=key,
                         allowed=f"within {spec.reading.building_reach:g} m "
                                 "(reading.building_reach)")
    area = np.where(frame.geometry.area > 0, frame.geometry.area, spec.reading.point_area)
    near = nearest >= 0
    result = {}
    for name, columns in _FLAGS.items():
        flagged = np.zeros(len(frame), bool)
        for column in columns:
            if column in frame.columns:
                flagged |= _truthy(frame[column])
        result[name] = np.bincount(nearest[near], (area * flagged)[near], minlength=len(streets))
    if result["home"].sum() <= 0:
        raise InputError("no building by these streets is a home", where=key,
                         allowed="at least one building with home = 1")
    return result


def _truthy(column) -> np.ndarray:
    """Flags as written in files: 1, 1.0, '1', 'yes', 'true'."""
    return column.astype(str).str.lower().isin(["1", "1.0", "yes", "true", "y"]).to_numpy()


def _from_land_use(spec: CitySpec, streets: Streets, crs) -> np.ndarray:
    """Index into ``USES`` of the smallest land-use polygon around each middle, -1 where none."""
    import shapely

    key = f"city.land_use_layer ({spec.land_use_layer})"
    frame = _beside(spec.land_use_layer, "city.land_use_layer", spec, crs)
    lookup = {value: USES.index(use) for use, values in spec.reading.land_use_classes.items()
              for value in values if use in USES}
    use = np.full(len(frame), -1)
    for column in frame.columns.drop("geometry"):
        found = frame[column].astype(str).str.lower().map(lookup)
        use = np.where((use < 0) & found.notna(), found.fillna(-1), use).astype(int)
    if (use < 0).all():
        raise InputError("no attribute names a land use that is known", where=key,
                         allowed=sorted(lookup))
    area = frame.geometry.area.to_numpy()
    rows = np.flatnonzero(use >= 0)
    rows = rows[np.argsort(-area[rows], kind="stable")]
    tree = shapely.STRtree(shapely.points(streets.middles()))
    result = np.full(len(streets), -1)
    for row in rows:  # larger ones first, so that the smallest has the last word
        result[tree.query(frame.geometry.iloc[row], predicate="covers")] = use[row]
    return result

"""Districts: grown over the streets of a generated city, or taken from polygons."""

from __future__ import annotations

import heapq

import numpy as np
from scipy.spatial import cKDTree

from citysim.city.apportion import largest_remainder
from citysim.city.spec import CitySpec, District
from citysim.config.errors import InputError, closest_match
from citysim.state.csr import Ragged


def grow_districts(points, length, neighbours: Ragged, bridge, districts: tuple[District, ...],
                   seed: int) -> np.ndarray:
    """Give every place a district by growing all districts side by side.

    Each district starts at the place nearest to its ``position`` (a random one where it has
    none) and always the one that has the least of its due street length takes the nearest
    place on its border; bridges come last, so that rivers part districts. What is due follows
    from residents over ``density``.

    Parameters
    ----------
    points, length
        Middles ``(n, 2)`` and lengths ``(n,)`` of the places, m.
    neighbours
        Places next to each other.
    bridge
        Flags of bridges ``(n,)``.
    districts
        What to grow.
    seed
        For the positions of districts that have none.

    Returns
    -------
    uint8 ``(n,)``, indices into ``districts``.
    """
    if len(districts) == 1:
        return np.zeros(len(points), np.uint8)
    due = np.array([max(d.population, 1) / d.density for d in districts])
    due *= length.sum() / due.sum()
    seeds = _seed_places(points, districts, seed)
    owner = np.full(len(points), -1, np.int64)
    got = np.zeros(len(districts))
    frontiers: list[list[tuple[float, int]]] = [[(0.0, int(place))] for place in seeds]
    home = points[seeds]
    detour = np.where(bridge, np.ptp(points, axis=0).sum(), 0.0)
    turn = [(0.0, k) for k in range(len(districts))]
    heapq.heapify(turn)
    while turn:
        _, k = heapq.heappop(turn)
        frontier = frontiers[k]
        while frontier and owner[frontier[0][1]] >= 0:
            heapq.heappop(frontier)
        if not frontier:
            continue  # hemmed in: the others share what is left
        place = heapq.heappop(frontier)[1]
        owner[place] = k
        got[k] += length[place]
        for j in neighbours[place].tolist():
            if owner[j] < 0:
                gap = float(np.hypot(*(points[j] - home[k])) + max(detour[j], detour[place]))
                heapq.heappush(frontier, (gap, j))
        heapq.heappush(turn, (got[k] / due[k], k))
    return _without_islets(owner, neighbours).astype(np.uint8)


def _seed_places(points, districts, seed) -> np.ndarray:
    """One starting place per district, no two the same."""
    rng = np.random.Generator(np.random.Philox(seed))
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    taken: list[int] = []
    for district in districts:
        where = rng.uniform(0, 1, 2) if district.position is None else district.position
        gap = np.hypot(*(points - (low + size * np.asarray(where))).T)
        gap[taken] = np.inf
        if len(taken) >= len(points):
            raise InputError(f"{len(districts)} districts for {len(points)} segments",
                             where="city.districts")
        taken.append(int(np.argmin(gap)))
    return np.array(taken)


def _without_islets(owner, neighbours: Ragged) -> np.ndarray:
    """Hand single places that none of their own district touches to the district around them."""
    row = np.repeat(np.arange(len(neighbours)), np.diff(neighbours.start))
    own = np.bincount(row[owner[row] == owner[neighbours.items]], minlength=len(owner))
    result = owner.copy()
    for i in np.flatnonzero(own == 0):
        if len(neighbours[i]):
            result[i] = np.bincount(owner[neighbours[i]]).argmax()
    return result


def districts_from_polygons(frame, columns: dict, spec: CitySpec, points, length,
                            hull, where: str) -> tuple[CitySpec, np.ndarray]:
    """Districts of a polygon layer that the streets touch.

    Parameters
    ----------
    frame
        Polygons in the coordinate system of the streets (GeoDataFrame).
    columns
        Columns that hold ``name``, ``share`` of residents, mean ``income``: a name, candidates,
        or ``None``.
    spec
        Specification so far; its margins are the districts' defaults.
    points, length, hull
        Middles and lengths of the places, m; outline of all streets (shapely polygon).
    where
        File, for messages.

    Returns
    -------
    The specification with these districts, and uint8 ``(n,)`` district of each place: the
    polygon it lies in, else the nearest one.
    """
    import geopandas as gpd

    frame = frame[frame.geom_type.isin(["Polygon", "MultiPolygon"])].reset_index(drop=True)
    if frame.empty:
        raise InputError("the layer holds no polygons", where=where)
    middles = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*points.T), crs=frame.crs)
    joined = middles.sjoin_nearest(frame[["geometry"]], how="left")
    polygon = joined[~joined.index.duplicated()]["index_right"].to_numpy()
    polygon = _without_slivers(polygon, points, length, spec.reading.least_district)
    used, district = np.unique(polygon, return_inverse=True)
    if len(used) > 255:
        raise InputError(f"{len(used)} districts touch the streets", where=where,
                         allowed="at most 255")
    frame = frame.iloc[used].reset_index(drop=True)
    covered = (frame.geometry.intersection(hull).area / frame.geometry.area).to_numpy()
    weight = np.bincount(district, length)
    share_column = _column(frame, columns.get("share"), where)
    if share_column is not None:
        weight = np.nan_to_num(frame[share_column].to_numpy(float)) * covered
    if weight.sum() <= 0 or (weight < 0).any():
        raise InputError("the districts' shares of residents are not positive", where=where)
    people = largest_remainder(weight, spec.population)
    names = _names(frame, _column(frame, columns.get("name"), where))
    income = _incomes(frame, _column(frame, columns.get("income"), where))
    slope = spec.reading.income_to_deprivation
    rows = []
    for k, name in enumerate(names):
        row = {**spec.margins.model_dump(), "name": name, "population": int(people[k])}
        if income is not None:
            level = float(income[k])
            row["income_level"] = level * spec.margins.income_level
            # Halving the income adds the slope, whatever the level it starts from.
            row["deprivation"] = float(np.clip(
                spec.margins.deprivation - slope * np.log2(level), 0, 1))
        rows.append(row)
    return spec.with_districts(rows, district_file=None), district.astype(np.uint8)


def _without_slivers(polygon, points, length, least) -> np.ndarray:
    """Give places of a polygon that holds too little of the streets to the nearest other one.

    A street file that ends a few metres into the next district would otherwise crowd that
    district's residents onto a segment or two.
    """
    metres = np.bincount(polygon, length)
    sliver = (metres < least * length.sum())[polygon]
    if not sliver.any() or sliver.all():
        return polygon
    nearest = cKDTree(points[~sliver]).query(points[sliver])[1]
    result = polygon.copy()
    result[sliver] = polygon[~sliver][nearest]
    return result


def _column(frame, names, where):
    """The first of some columns that the layer has; a single name must be there."""
    present = {str(c).lower(): c for c in frame.columns if c != frame.geometry.name}
    if isinstance(names, str):
        if names.lower() not in present:
            raise InputError(f"no column '{names}'", where=where, allowed=present.values(),
                             closest=closest_match(names, present.values()))
        return present[names.lower()]
    return next((present[n.lower()] for n in names or () if n.lower() in present), None)


def _names(frame, column) -> list[str]:
    if column is None:
        return [f"District {k + 1}" for k in range(len(frame))]
    names = [str(v) for v in frame[column]]
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _incomes(frame, column):
    """Income relative to the mean of the layer's districts, missing ones at the mean."""
    if column is None:
        return None
    values = frame[column].to_numpy(float)
    values = np.where(values > 0, values, np.nan)
    if np.isnan(values).all():
        return None
    return np.nan_to_num(values / np.nanmean(values), nan=1.0)

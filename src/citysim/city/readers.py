"""Real streets from files, with what optional layers say about them."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np

from citysim.city.districts import districts_from_polygons
from citysim.city.evidence import read_evidence
from citysim.city.files import check_extent, existing, read_layer, to_metres, with_crs
from citysim.city.network import Streets, number_ends, tidy
from citysim.city.spec import CitySpec
from citysim.config.errors import InputError


def read_city(spec: CitySpec):
    """Read streets and optional layers.

    Returns
    -------
    spec, streets, district, evidence, crs
        The arguments of :func:`citysim.city.city.assemble`; the specification is completed
        with position, residents and districts where files give them.
    """
    streets, crs = read_streets(spec)
    spec = _complete(spec, streets, crs)
    points, length = streets.middles(), streets.lengths()
    district = None
    if spec.district_file:
        frame = read_layer(spec.district_file, "city.districts", kinds=("Polygon",))
        frame = with_crs(frame, spec.crs, "city.districts").to_crs(crs)
        if not frame.intersects(_outline(streets)).any():
            raise InputError("no district touches the streets", where="city.districts",
                             allowed="polygons of the same city, with their coordinate system")
        spec, district = districts_from_polygons(
            frame, spec.reading.district_columns, spec, points, length, _outline(streets),
            f"city.districts ({spec.district_file})")
    evidence = read_evidence(spec, streets, crs)
    return spec, streets, district, evidence, crs


def read_streets(spec: CitySpec) -> tuple[Streets, str]:
    """Street segments of the file that the specification names, and their coordinate system.

    Raises
    ------
    InputError
        Missing or broken file, no lines, or a coordinate system that cannot be right.
    """
    reading = spec.reading
    path = geodanet_path() if spec.kind == "geodanet" else spec.streets
    key = f"city.streets ({path})"
    if str(path).lower().endswith((".graphml", ".xml")):
        frame = read_graphml(path)
    else:
        frame = read_layer(path, "city.streets", spec.layer, ("edges",), ("Line",))
    frame = frame[frame.geom_type.isin(["LineString", "MultiLineString"])]
    if frame.empty:
        raise InputError("the layer holds no lines", where=key, allowed="a layer of street lines")
    frame = to_metres(frame, spec.crs, key, reading.max_extent)
    frame = frame.explode(index_parts=False).reset_index(drop=True)
    notes: list[str] = []
    frame = _wanted(frame, spec, notes, key)
    if {"u", "v"} <= set(frame.columns):
        streets = _from_edges(frame, reading, notes)
    else:
        streets = _from_lines(frame, reading, notes)
    streets = tidy(streets, min_length=reading.min_length, max_length=reading.max_length)
    if len(streets) < 2:
        raise InputError("fewer than two street segments are left", where=key,
                         allowed="streets that meet; see reading.drop_classes and reading.snap")
    bounds = np.array([line[k] for line in streets.lines for k in (0, -1)])
    check_extent([*bounds.min(axis=0), *bounds.max(axis=0)], key, reading.max_extent)
    return streets, str(frame.crs.to_string())


def geodanet_path() -> str:
    """Where libpysal keeps the geodanet streets."""
    package = importlib.util.find_spec("libpysal")
    if package is not None and package.origin:
        # Importing all of libpysal takes seconds; the file is where it has long been.
        file = Path(package.origin).parent / "examples" / "geodanet" / "streets.shp"
        if file.is_file():
            return str(file)
    from libpysal import examples

    return examples.get_path("streets.shp")


def read_graphml(path: str):
    """Edges of a GraphML file as OSMnx saves it: GeoDataFrame with u, v, highway, geometry.

    Edges without a geometry run straight between their nodes.
    """
    import geopandas as gpd
    import networkx as nx
    import shapely

    key = f"city.streets ({path})"
    file = existing(path, "city.streets")
    try:
        graph = nx.read_graphml(file, force_multigraph=True)
        at = {node: (float(d["x"]), float(d["y"])) for node, d in graph.nodes(data=True)}
        crs = graph.graph.get("crs")
        rows = [{"u": u, "v": v, "highway": d.get("highway"), "osmid": d.get("osmid"),
                 "geometry": shapely.from_wkt(d["geometry"]) if d.get("geometry")
                 else shapely.LineString([at[u], at[v]])}
                for u, v, d in graph.edges(data=True)]
    except KeyError as error:
        raise InputError(f"nodes lack the attribute {error}", where=key,
                         allowed="GraphML as OSMnx saves it, nodes with x and y") from None
    except Exception as error:
        raise InputError(f"cannot be read as GraphML: {str(error).splitlines()[0][:120]}",
                         where=key, allowed="GraphML as OSMnx saves it") from None
    if not rows:
        raise InputError("the graph has no edges", where=key)
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=crs)


def _classes(value) -> list[str]:
    """Street classes of one feature: OSMnx writes several as the text of a list."""
    if isinstance(value, list | tuple):
        return [str(v) for v in value]
    if not isinstance(value, str):
        return []
    if value.startswith("["):
        try:
            return [str(v) for v in ast.literal_eval(value)]
        except (ValueError, SyntaxError):
            return [value]
    return [value]


def _wanted(frame, spec: CitySpec, notes, key):
    """Leave out street classes that are no public space; mark main streets in ``main``."""
    column = "highway" if "highway" in frame.columns else \
        "fclass" if "fclass" in frame.columns else None
    if column is None:
        return frame.assign(main=0)
    classes = [_classes(v) for v in frame[column]]
    drop, main = set(spec.reading.drop_classes), set(spec.reading.main_classes)
    kept = np.array([not c or any(k not in drop for k in c) for c in classes])
    if not kept.any():
        raise InputError("every street is of a class that is left out", where=key,
                         allowed="at least one class that reading.drop_classes does not list")
    if not kept.all():
        gone = frame.geometry[~kept].length.sum()
        notes.append(f"{(~kept).sum()} lines of classes that are no street left out "
                     f"({gone / 1000:,.1f} km)")
    frame = frame.assign(main=[int(any(k in main for k in c)) for c in classes])
    return frame[kept].reset_index(drop=True)


def _coordinates(geometries) -> list[np.ndarray]:
    import shapely

    flat, owner = shapely.get_coordinates(geometries, return_index=True)
    cuts = np.flatnonzero(np.diff(owner)) + 1
    return np.split(flat, cuts)


def _from_edges(frame, reading, notes) -> Streets:
    """Edges that name their intersections: one segment per physical street.

    Twins (both directions, parallel edges) are edges between the same two intersections
    whose lines stay within ``twin_distance`` of each other.
    """
    import shapely

    _, ends = np.unique(frame[["u", "v"]].astype(str).to_numpy(), return_inverse=True)
    ends = ends.reshape(-1, 2).astype(np.int64)
    pair = np.sort(ends, axis=1)
    geometry = frame.geometry.to_numpy()
    order = np.lexsort((shapely.length(geometry), pair[:, 1], pair[:, 0]))
    kept: list[int] = []
    group: list[int] = []
    last = None
    for i in order:
        this = (pair[i, 0], pair[i, 1])
        if this != last:
            group, last = [], this
        if any(shapely.hausdorff_distance(geometry[i], geometry[j]) <= reading.twin_distance
               for j in group):
            continue
        group.append(i)
        kept.append(i)
    rows = np.sort(np.array(kept))
    if len(rows) < len(frame):
        notes.append(f"{len(frame) - len(rows)} parallel or opposite edges joined with their twin")
    return Streets(_coordinates(geometry[rows]), ends[rows],
                   frame["main"].to_numpy(np.uint8)[rows], notes=notes)


def _from_lines(frame, reading, notes) -> Streets:
    """Lines of any kind: cut where they cross or touch, ends within ``snap`` brought together.

    Noding on a grid of half the snapping distance lets near misses meet.
    """
    import shapely

    lines = _snapped_ends(frame.geometry.to_numpy(), reading.snap)
    grid = reading.snap / 2
    parts = []
    for main in (1, 0):
        chosen = lines[frame["main"].to_numpy() == main]
        parts.append(shapely.MultiLineString(list(chosen)))
    noded = shapely.union_all(shapely.set_precision(np.array(parts), grid), grid_size=grid)
    pieces = [p for p in shapely.get_parts(noded) if p.length > 0]
    coordinates = _coordinates(np.array(pieces))
    main = _on_main(pieces, parts[0], grid)
    crossings = len(pieces) - len(lines)
    if crossings > 0:
        notes.append(f"{len(lines)} lines were cut into {len(pieces)} pieces where they meet")
    return Streets(coordinates, number_ends(coordinates, grid), main, notes=notes)


def _snapped_ends(geometries, snap):
    """Move line ends that lie within ``snap`` of each other to their common middle."""
    import shapely
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    lines = _coordinates(geometries)
    ends = np.array([line[[0, -1]] for line in lines]).reshape(-1, 2)
    pairs = cKDTree(ends).query_pairs(snap, output_type="ndarray")
    if len(pairs):
        n = len(ends)
        label = connected_components(coo_matrix((np.ones(len(pairs)), pairs.T), shape=(n, n)),
                                     directed=False)[1]
        size = np.bincount(label)
        middle = np.column_stack([np.bincount(label, ends[:, k]) / size for k in (0, 1)])
        ends = middle[label]
    moved = []
    for line, pair in zip(lines, ends.reshape(-1, 2, 2), strict=True):
        fresh = line.copy()
        fresh[0], fresh[-1] = pair
        moved.append(shapely.LineString(fresh))
    moved = np.array(moved)
    # An end that stops just short of another line is carried onto it.
    tree = shapely.STRtree(moved)
    return _reach_lines(moved, tree, snap)


def _reach_lines(lines, tree, snap):
    import shapely

    ends = shapely.points(np.array([shapely.get_coordinates(g)[k] for g in lines
                                    for k in (0, -1)]))
    end, line = tree.query(ends, predicate="dwithin", distance=snap)
    other = (end // 2) != line
    end, line = end[other], line[other]
    at = shapely.line_locate_point(lines[line], ends[end])
    inner = (at > snap) & (at < shapely.length(lines[line]) - snap)
    for e, target in zip(end[inner], shapely.get_coordinates(
            shapely.line_interpolate_point(lines[line[inner]], at[inner])), strict=True):
        coordinates = shapely.get_coordinates(lines[e // 2])
        coordinates[0 if e % 2 == 0 else -1] = target
        lines[e // 2] = shapely.LineString(coordinates)
    return lines


def _on_main(pieces, main, grid) -> np.ndarray:
    import shapely

    if main.is_empty:
        return np.zeros(len(pieces), np.uint8)
    middle = shapely.line_interpolate_point(np.array(pieces), 0.5, normalized=True)
    shapely.prepare(main)
    return (shapely.distance(main, middle) <= grid).astype(np.uint8)


def _complete(spec: CitySpec, streets: Streets, crs: str) -> CitySpec:
    """Fill in position and residents from the streets where the specification leaves them."""
    from pyproj import Transformer

    changes = {}
    if spec.latitude is None or spec.longitude is None:
        middle = streets.middles().mean(axis=0)
        longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(
            *middle)
        changes = {"latitude": float(latitude), "longitude": float(longitude)}
    if spec.population is None:
        given = sum(d.population for d in spec.districts)
        people = given or max(1, round(streets.lengths().sum() / 1000
                                       * spec.reading.residents_per_km))
        changes["population"] = int(people)
        districts = [d if given else d.model_copy(update={"population": people})
                     for d in spec.districts]
        return spec.with_districts(districts, **changes)
    return spec.model_copy(update=changes)


def _outline(streets: Streets):
    import shapely

    return shapely.MultiPoint(np.vstack(streets.lines)).convex_hull

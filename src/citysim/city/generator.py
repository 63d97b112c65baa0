"""A plausible street layout where there is no street file.

A grid of intersections is warped (larger blocks outwards, smooth bends, jitter), opened along
rivers with a few bridges, trimmed to a rounded shape, and thinned without ever being cut in
two, until it has exactly the segments asked for. Every draw comes from one counter-based
generator (Philox) keyed by the city's seed.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from citysim.city.fields import smooth_field
from citysim.city.network import Streets
from citysim.city.spec import Layout, River
from citysim.config.errors import InputError

_RIVER_POINTS = 120  # of a river's line, for drawing
_ATTEMPTS, _GROWTH = 12, 1.06  # rivers cost links: how often and by how much to lay out more


def generate_streets(layout: Layout, seed: int) -> Streets:
    """Lay out streets.

    Parameters
    ----------
    layout
        The readable parameters.
    seed
        Same seed, same streets.

    Returns
    -------
    Streets in metres around (0, 0), ``len`` exactly ``layout.segments``, one component.

    Raises
    ------
    InputError
        If rivers and outline leave no connected layout of that size.
    """
    wanted = layout.segments / (1 - layout.missing_links)
    for _ in range(_ATTEMPTS):
        points, links, main, water, rng = _lay_out(layout, wanted, seed)
        if len(links) >= layout.segments:
            break
        wanted *= _GROWTH
    links, main = _thin(points, links, main, layout.segments, rng)
    lines = [points[pair] for pair in links]
    return Streets(lines, links.astype(np.int64), main.astype(np.uint8), water)


def _lay_out(layout: Layout, wanted: float, seed: int):
    """Warped, trimmed grid of about ``wanted`` links, less what rivers take."""
    rng = np.random.Generator(np.random.Philox(seed))
    nodes, links, main = _grid(layout, wanted)
    points = _warp(nodes, layout, rng)
    kept = _trim(_outline(points, layout, rng), links, wanted)
    keep = kept[links].all(axis=1)
    points, links, main = _compact(points, links[keep], main[keep], kept)
    water = []
    for river in layout.rivers.values():
        points, links, main, line = _open_river(points, links, main, river, rng)
        water.append(line)
    inside = _largest_part(links, len(points))
    return points, links[inside], main[inside], water, rng


def _largest_part(links, n) -> np.ndarray:
    """Mask of the links in the part with the most nodes."""
    label = connected_components(coo_matrix((np.ones(len(links)), links.T), shape=(n, n)),
                                 directed=False)[1]
    return label[links[:, 0]] == np.argmax(np.bincount(label))


def _grid(layout: Layout, wanted: float):
    """Grid nodes (i, j) around 0, links between them, and which links are avenues."""
    # Two links per node, and room around for the rounded outline.
    size = np.sqrt(wanted / 2 * 1.6)
    nx = int(np.ceil(size * np.sqrt(layout.aspect))) + 4
    ny = int(np.ceil(size / np.sqrt(layout.aspect))) + 4
    i, j = np.meshgrid(np.arange(nx), np.arange(ny))
    index = i + nx * j
    east = np.column_stack([index[:, :-1].ravel(), index[:, 1:].ravel()])
    north = np.column_stack([index[:-1].ravel(), index[1:].ravel()])
    half = layout.avenue_every // 2
    main = np.concatenate([(j[:, :-1].ravel() + half) % layout.avenue_every == 0,
                           (i[:-1].ravel() + half) % layout.avenue_every == 0])
    nodes = np.column_stack([i.ravel() - (nx - 1) / 2, j.ravel() - (ny - 1) / 2])
    return nodes, np.vstack([east, north]), main


def _warp(nodes, layout: Layout, rng) -> np.ndarray:
    """Grid nodes to metres: sprawl outwards, smooth bends, jitter."""
    reach = np.abs(nodes).max(axis=0)
    out = np.hypot(*(nodes / reach).T)
    grown = nodes * (1 + layout.sprawl * out**2 / 3)[:, None]
    grown /= 1 + layout.sprawl / 6  # so that the typical block keeps its size
    amount = layout.irregularity
    bend = np.column_stack([smooth_field(nodes, layout.bend_reach, rng) for _ in range(2)])
    jitter = rng.uniform(-1, 1, nodes.shape)
    return layout.block * (grown + amount * (layout.bend * bend + layout.jitter * jitter))


def _outline(points, layout: Layout, rng) -> np.ndarray:
    """Distance from the middle in units of the outline: a rounded, slightly ragged rectangle."""
    half = np.sqrt(np.ptp(points[:, 0]) * np.ptp(points[:, 1])) / 2
    scaled = np.abs(points) / half / np.array([np.sqrt(layout.aspect), 1 / np.sqrt(layout.aspect)])
    radius = (scaled**layout.roundness).sum(axis=1) ** (1 / layout.roundness)
    return radius * (1 + layout.raggedness * smooth_field(points, half / 3, rng))


def _trim(rank, links, wanted: float) -> np.ndarray:
    """Mask of the innermost nodes that carry ``wanted`` links."""
    outer = np.sort(rank[links].max(axis=1))  # a link exists once its outer end does
    return rank <= outer[min(len(outer) - 1, int(np.ceil(wanted)))]


def _compact(points, links, main, kept):
    """Number the kept nodes anew and drop those that the largest part does not reach."""
    n = len(points)
    part = connected_components(coo_matrix((np.ones(len(links)), links.T), shape=(n, n)),
                                directed=False)[1]
    sizes = np.bincount(part[kept], minlength=part.max() + 1)
    kept = kept & (part == np.argmax(sizes))
    number = np.cumsum(kept) - 1
    inside = kept[links].all(axis=1)
    points = points[kept]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return points - middle, number[links[inside]], main[inside]


def _open_river(points, links, main, river: River, rng):
    """Move both banks apart by the river's width and take away all crossings but bridges."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    start, end = (low + size * np.asarray(p) for p in (river.start, river.end))
    course = end - start
    length = np.hypot(*course)
    along = course / length
    across = np.array([-along[1], along[0]])
    phase = rng.uniform(0, 2 * np.pi)

    def bend(t):
        return river.meander * length * np.sin(2 * np.pi * 1.5 * t + phase)

    t = (points - start) @ along / length
    side = np.where((points - start) @ across > bend(t), 1, -1)
    beside = (t > 0) & (t < 1)
    crossing = (side[links[:, 0]] != side[links[:, 1]]) & beside[links].all(axis=1)
    if crossing.any():
        place = t[links[crossing]].mean(axis=1)
        targets = (np.arange(river.bridges) + 0.5) / river.bridges
        low_t, high_t = place.min(), place.max()
        targets = low_t + targets * (high_t - low_t)
        # Bridges carry avenues where one is near: an avenue counts as closer by half a gap.
        gap = (high_t - low_t) / river.bridges
        cost = np.abs(place[:, None] - targets) - 0.5 * gap * main[crossing][:, None]
        rows = np.flatnonzero(crossing)
        bridges = rows[np.argmin(cost, axis=0)]
        crossing[bridges] = False
        main = main.copy()
        main[bridges] = True
    shift = np.where(beside, side * river.width / 2, 0)
    points = points + across * shift[:, None]
    ts = np.linspace(0, 1, _RIVER_POINTS)
    line = start + ts[:, None] * course + bend(ts)[:, None] * across
    return points, links[~crossing], main[~crossing], line


def _thin(points, links, main, segments, rng):
    """Take away links at random, never an avenue first, until ``segments`` are left."""
    n = len(points)
    weights = rng.uniform(1, 2, len(links)) - 0.9 * main
    graph = coo_matrix((weights, links.T), shape=(n, n)).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    backbone = set(zip(np.minimum(tree.row, tree.col).tolist(),
                       np.maximum(tree.row, tree.col).tolist(), strict=True))
    pairs = np.sort(links, axis=1).tolist()
    needed = np.array([tuple(p) in backbone for p in pairs])
    surplus = len(links) - segments
    if surplus < 0 or surplus > (~needed).sum():
        raise InputError(
            f"no connected layout with {segments} segments: the grid offers "
            f"{needed.sum()} to {len(links)}", where="city.layout",
            allowed="fewer rivers or missing_links, or more bridges")
    spare = np.flatnonzero(~needed)
    gone = spare[np.argsort(-weights[spare], kind="stable")[:surplus]]
    kept = np.ones(len(links), bool)
    kept[gone] = False
    return links[kept], main[kept]

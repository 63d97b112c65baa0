"""A plausible street layout where there is no street file.

A grid of intersections is spaced unevenly, warped (larger blocks outwards, smooth bends,
jitter), opened along rivers with a few bridges, trimmed to a rounded shape, and thinned without
ever being cut in two, until it has exactly the segments asked for. Where a street passes
through a crossing that is left without side streets it is one segment, as in a street file.
Every draw comes from counter-based generators (Philox) keyed by the city's seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from citysim.city.fields import smooth_field
from citysim.city.network import Streets
from citysim.city.spacing import spaced_grid
from citysim.city.spec import Layout, River
from citysim.city.thinning import thin, thin_and_join, tidy_up

_RIVER_POINTS = 120  # of a river's line, for drawing
_ATTEMPTS, _GROWTH = 12, 1.06  # rivers cost links: how often and by how much to lay out more
_ROUNDS, _NEAR_SPREAD, _NEAR_MEAN = 8, 0.02, 0.02  # search for the spread: rounds, and the shares
#                                                     within which spread and mean are met
_JOINED = 1.1  # first guess: links per segment once pieces are joined
_SPACING = 2  # second key of the draws of the spacing
_BRIDGE = 2  # mark in ``main`` while streets are laid out: an avenue that is a bridge


@dataclass(frozen=True)
class _Grid:
    """What the search for the asked spread varies.

    ``wanted``: links of the full grid; ``amount``: unevenness of its gaps; ``scale``: size of a
    block relative to ``layout.block``; ``longest``: m.
    """

    wanted: float
    amount: float = 0.0
    scale: float = 1.0
    longest: float = np.inf


def generate_streets(layout: Layout, seed: int, longest: float = np.inf) -> Streets:
    """Lay out streets.

    Parameters
    ----------
    layout
        The readable parameters.
    seed
        Same seed, same streets.
    longest
        Segments longer than this are cut, as those of a street file are, m.

    Returns
    -------
    Streets in metres around (0, 0), ``len`` exactly ``layout.segments``, one component. Their
    lengths spread by ``layout.length_spread`` around the mean that they have without it.

    Raises
    ------
    InputError
        If rivers and outline leave no connected layout of that size.
    """
    even, grid = _even_streets(layout, seed)
    spread, mean = _spread(even), even.lengths().mean()
    if layout.length_spread <= spread:
        return even  # bends and sprawl alone bring as much
    own, best, off = spread, even, np.inf
    grid = _Grid(grid.wanted * _JOINED, layout.length_spread, _JOINED**-0.5, longest)
    for _ in range(_ROUNDS):
        streets, kept = _uneven_streets(layout, seed, grid)
        if streets is None:
            grid = replace(grid, wanted=grid.wanted * _GROWTH)
            continue
        spread, scale = _spread(streets), mean / streets.lengths().mean()
        miss = max(abs(spread / layout.length_spread - 1) / _NEAR_SPREAD,
                   abs(scale - 1) / _NEAR_MEAN)
        if miss < off:
            best, off = streets, miss
        if miss <= 1:
            break
        # Independent parts add as squares.
        gain = max(spread**2 - own**2, 1e-4) / (layout.length_spread**2 - own**2)
        grid = replace(grid, wanted=kept / (1 - layout.missing_links), scale=grid.scale * scale,
                       amount=grid.amount / np.sqrt(gain))
    if best is even:
        note = f"no layout found whose lengths spread by {layout.length_spread:g}, but by {own:.2f}"
        return replace(even, notes=[note])
    return best


def _spread(streets: Streets) -> float:
    """Standard deviation of the logarithm of the lengths."""
    return float(np.log(streets.lengths()).std())


def _even_streets(layout: Layout, seed: int) -> tuple[Streets, _Grid]:
    """Streets of even length as far as bends and sprawl let them be, and their grid."""
    grid = _Grid(layout.segments / (1 - layout.missing_links))
    for _ in range(_ATTEMPTS):
        points, links, main, water, rng = _lay_out(layout, grid, seed)
        if len(links) >= layout.segments:
            break
        grid = replace(grid, wanted=grid.wanted * _GROWTH)
    links, main = thin(points, links, main, layout.segments, rng)
    return _as_streets(points, links, main, water), grid


def _uneven_streets(layout: Layout, seed: int, grid: _Grid) -> tuple[Streets | None, int]:
    """Streets of one grid and the links it keeps; ``None`` where it is too small."""
    points, links, main, water, rng = _lay_out(layout, grid, seed)

    def finish(kept):
        return tidy_up(_as_streets(points, links[kept], main[kept], water, _BRIDGE), grid.longest)

    return thin_and_join(points, links, main, layout.segments, rng, finish)


def _as_streets(points, links, main, water, bridge=1) -> Streets:
    """Straight streets; bridges keep the mark ``bridge``."""
    return Streets([points[pair] for pair in links], links.astype(np.int64),
                   np.minimum(main, bridge).astype(np.uint8), water)


def _lay_out(layout: Layout, grid: _Grid, seed: int):
    """Warped, trimmed grid of about ``grid.wanted`` links, less what rivers take."""
    rng = np.random.Generator(np.random.Philox(seed))
    nodes, room, links, main = _grid(layout, grid, seed)
    points = grid.scale * _warp(nodes, room, layout, rng)
    kept = _trim(_outline(points, layout, rng), links, grid.wanted)
    keep = kept[links].all(axis=1)
    points, links, main = _compact(points, links[keep], main[keep], kept)
    water = []
    for river in layout.rivers.values():
        points, links, main, line = _open_river(points, links, main, river, rng, grid.longest)
        water.append(line)
    inside = _largest_part(links, len(points))
    return points, links[inside], main[inside], water, rng


def _largest_part(links, n) -> np.ndarray:
    """Mask of the links in the part with the most nodes."""
    label = connected_components(coo_matrix((np.ones(len(links)), links.T), shape=(n, n)),
                                 directed=False)[1]
    return label[links[:, 0]] == np.argmax(np.bincount(label))


def _grid(layout: Layout, grid: _Grid, seed: int):
    """Grid nodes around 0, room at each, links between them, and which links are avenues."""
    # Two links per node, and room around for the rounded outline.
    size = np.sqrt(grid.wanted / 2 * 1.6)
    nx = int(np.ceil(size * np.sqrt(layout.aspect))) + 4
    ny = int(np.ceil(size / np.sqrt(layout.aspect))) + 4
    i, j = np.meshgrid(np.arange(nx), np.arange(ny))
    index = i + nx * j
    east = np.column_stack([index[:, :-1].ravel(), index[:, 1:].ravel()])
    north = np.column_stack([index[:-1].ravel(), index[1:].ravel()])
    half = layout.avenue_every // 2
    main = np.concatenate([(j[:, :-1].ravel() + half) % layout.avenue_every == 0,
                           (i[:-1].ravel() + half) % layout.avenue_every == 0])
    # Draws of their own, so that what else is drawn does not depend on the spacing.
    own = np.random.Generator(np.random.Philox(key=[seed, _SPACING]))
    nodes, room = spaced_grid(nx, ny, layout.avenue_every, grid.amount, layout.bend_reach, own)
    return nodes, room, np.vstack([east, north]), main.astype(np.uint8)


def _warp(nodes, room, layout: Layout, rng) -> np.ndarray:
    """Grid nodes to metres: sprawl outwards, smooth bends, jitter as far as there is room."""
    reach = np.abs(nodes).max(axis=0)
    out = np.hypot(*(nodes / reach).T)
    grown = nodes * (1 + layout.sprawl * out**2 / 3)[:, None]
    grown /= 1 + layout.sprawl / 6  # so that the typical block keeps its size
    amount = layout.irregularity
    bend = np.column_stack([smooth_field(nodes, layout.bend_reach, rng) for _ in range(2)])
    jitter = rng.uniform(-1, 1, nodes.shape) * room[:, None]
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


def _open_river(points, links, main, river: River, rng, longest):
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
        cost = np.abs(place[:, None] - targets) - 0.5 * gap * (main[crossing] > 0)[:, None]
        span = np.hypot(*np.diff(points[links[crossing]], axis=1)[:, 0].T) + river.width
        cost += np.where(span > longest, length, 0)[:, None]  # only where there is no other way
        rows = np.flatnonzero(crossing)
        bridges = rows[np.argmin(cost, axis=0)]
        crossing[bridges] = False
        main = main.copy()
        main[bridges] = _BRIDGE
    shift = np.where(beside, side * river.width / 2, 0)
    points = points + across * shift[:, None]
    ts = np.linspace(0, 1, _RIVER_POINTS)
    line = start + ts[:, None] * course + bend(ts)[:, None] * across
    return points, links[~crossing], main[~crossing], line

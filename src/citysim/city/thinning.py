"""Taking links away from a full grid until it has the segments asked for, never cutting it in two.

Either every link stays a segment of its own, or the pieces of a street between two crossings
with other streets become one segment, as where a street file is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

from citysim.city.network import Streets, cut_long, join_pieces
from citysim.config.errors import InputError

_TRIES = 6  # of finding how many links leave a few segments too many
_LAST = 10.0  # above every other weight
_SLACK = 0.02  # share of segments that may be too many, to be taken one by one


def thin(points, links, main, segments: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Take away links at random, never an avenue first, until ``segments`` are left.

    Parameters
    ----------
    points, links, main
        Crossings ``(n, 2)``, m; links between them ``(m, 2)``; above 0 for avenues, above 1 for
        bridges ``(m,)``.
    segments
        Links to keep.
    rng
        Decides which go.

    Raises
    ------
    InputError
        If that many cannot be kept or taken.
    """
    needed, spare = _order(points, links, main, rng)
    surplus = len(links) - segments
    if surplus < 0 or surplus > len(spare):
        raise _no_layout(segments, needed, links)
    kept = np.ones(len(links), bool)
    kept[spare[:surplus]] = False
    return links[kept], main[kept]


def thin_and_join(points, links, main, segments: int, rng,
                  finish: Callable[[np.ndarray], Streets]) -> tuple[Streets | None, int]:
    """Take away links as :func:`thin` does until ``segments`` are left *after* joining.

    Parameters
    ----------
    points, links, main, segments, rng
        As for :func:`thin`.
    finish
        Streets of the links under a mask, joined and cut.

    Returns
    -------
    streets, links
        Exactly ``segments`` of them, and how many links they consist of; ``None`` where the grid
        is too small.
    """
    _, spare = _order(points, links, main, rng, last=main > 1)
    gone = np.full(len(links), len(spare))
    gone[spare] = np.arange(len(spare))

    def count(taken):
        kept = gone >= taken
        return int(kept.sum()) - _passed_through(links[kept], main[kept], len(points))

    if count(0) < segments or count(len(spare)) > segments:
        return None, 0
    low, high = 0, len(spare)
    while high - low > 1:  # nearly every link taken lowers the count
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) >= segments else (low, middle)
    most = max(3, int(_SLACK * segments))
    for _ in range(_TRIES):  # long pieces are cut, which adds a few: go on until that is met
        low = min(max(low, 0), len(spare))
        over = len(finish(gone >= low)) - segments
        if 0 <= over <= most:
            break
        low += over - most // 2
    metres = np.hypot(*(points[links[:, 1]] - points[links[:, 0]]).T)
    short = metres[spare] <= np.median(metres)  # no piece of these was cut
    simple = spare[short & (np.arange(len(spare)) >= low)]
    kept = _without_simple(links, gone >= low, simple, over)
    streets = finish(kept)
    return (streets if len(streets) == segments else None), int(kept.sum())


def _without_simple(links, kept, candidates, number: int) -> np.ndarray:
    """Take ``number`` more links, each between crossings of four: none of these is passed through
    afterwards, so the count falls by exactly one each time."""
    kept = kept.copy()
    degree = np.bincount(links[kept].ravel(), minlength=links.max() + 1)
    for link in candidates:
        if number <= 0:
            break
        if (degree[links[link]] >= 4).all():
            kept[link] = False
            degree[links[link]] -= 1
            number -= 1
    return kept


def tidy_up(streets: Streets, longest: float) -> Streets:
    """Join the pieces between crossings, cut what is longer than ``longest`` metres.

    Bridges (``main`` above 1) stay as they are.
    """
    streets = cut_long(join_pieces(streets), longest)
    return replace(streets, main=np.minimum(streets.main, 1).astype(np.uint8), notes=[])


def _order(points, links, main, rng, last=None) -> tuple[np.ndarray, np.ndarray]:
    """Mask of links that hold the network together; the others in the order in which they go.

    Those under the mask ``last`` hold together only what nothing else does.
    """
    n = len(points)
    weights = rng.uniform(1, 2, len(links)) - 0.9 * (main > 0)
    tie = weights if last is None else weights + _LAST * last
    graph = coo_matrix((tie, links.T), shape=(n, n)).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    backbone = set(zip(np.minimum(tree.row, tree.col).tolist(),
                       np.maximum(tree.row, tree.col).tolist(), strict=True))
    pairs = np.sort(links, axis=1).tolist()
    needed = np.array([tuple(p) in backbone for p in pairs])
    spare = np.flatnonzero(~needed)
    return needed, spare[np.argsort(-weights[spare], kind="stable")]


def _passed_through(links, main, n) -> int:
    """Crossings where two links of one rank meet and nothing else does."""
    degree = np.bincount(links.ravel(), minlength=n)
    rank = np.bincount(links.ravel(), np.repeat(main, 2), minlength=n)
    squares = np.bincount(links.ravel(), np.repeat(main.astype(float)**2, 2), minlength=n)
    return int(((degree == 2) & (2 * squares == rank**2)).sum())


def _no_layout(segments, needed, links) -> InputError:
    return InputError(
        f"no connected layout with {segments} segments: the grid offers "
        f"{needed.sum()} to {len(links)}", where="city.layout",
        allowed="fewer rivers or missing_links, or more bridges")

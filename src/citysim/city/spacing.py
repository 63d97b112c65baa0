"""Uneven spacing of a street grid: some blocks short, some long, as towns grew.

The lines of a grid keep their number between two avenues and share the room there unevenly; how
they share it drifts along the street, so that a narrow row of blocks widens somewhere else.
Avenues run through, at uneven distances themselves.
"""

from __future__ import annotations

import numpy as np

from citysim.city.fields import smooth_field

_APART = 100.0  # correlation lengths between two lines' fields: as good as independent
_MOST = 2.0  # standard deviations beyond which no gap strays: neither slivers nor voids


def spaced_grid(nx: int, ny: int, every: int, amount: float, reach: float,
                rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of a grid with uneven gaps, in mean gaps around 0.

    Parameters
    ----------
    nx, ny
        Lines each way.
    every
        Lines between two avenues; line ``i`` is one where ``(i + every // 2) % every == 0``.
    amount
        Standard deviation of the logarithm of a gap before avenues are straightened; 0 leaves
        an even grid.
    reach
        Lines over which a gap drifts.
    rng
        Source of the gaps.

    Returns
    -------
    nodes, room
        float64 ``(nx * ny, 2)``, row by row, and ``(nx * ny,)`` the least of the gaps around each
        node, at most 1.
    """
    x = _lines(nx, ny, every, amount, reach, rng)
    y = _lines(ny, nx, every, amount, reach, rng).T
    room = np.minimum(_least_gap(x), _least_gap(y.T).T)
    return np.column_stack([x.ravel(), y.ravel()]), np.minimum(room, 1).ravel()


def _lines(n, along, every, amount, reach, rng) -> np.ndarray:
    """Position of ``n`` lines at ``along`` crossings, ``(along, n)``, mean gap 1."""
    line, crossing = np.meshgrid(np.arange(n - 1), np.arange(along))
    field = smooth_field(np.column_stack([line.ravel() * _APART * reach, crossing.ravel()]), reach,
                         rng).reshape(line.shape)
    gap = np.exp(amount * np.clip(field, -_MOST, _MOST))
    # Avenues keep their place along the way; the lines between them move.
    avenue = (np.arange(n - 1) + every // 2) % every == 0
    avenue[0] = True
    first = np.flatnonzero(avenue)
    width = np.add.reduceat(gap, first, axis=1)
    straight = width.mean(axis=0)
    cell = np.cumsum(avenue) - 1
    gap = gap / width[:, cell] * (straight / straight.sum() * (n - 1))[cell]
    at = np.concatenate([np.zeros((along, 1)), np.cumsum(gap, axis=1)], axis=1)
    return at - (n - 1) / 2


def _least_gap(at) -> np.ndarray:
    """The smaller of the gaps to the lines on either side, ``(along, n)``."""
    gap = np.diff(at, axis=1)
    edge = np.full((len(at), 1), np.inf)
    return np.minimum(np.concatenate([edge, gap], axis=1), np.concatenate([gap, edge], axis=1))

"""Whole numbers from weights."""

from __future__ import annotations

import numpy as np


def largest_remainder(weights, total: int) -> np.ndarray:
    """Share out ``total`` whole units in proportion to weights (Hamilton's method).

    Parameters
    ----------
    weights
        Non-negative, any scale, shape ``(n,)``.
    total
        Units to share out.

    Returns
    -------
    int64 ``(n,)`` that sums to ``total``; all zero where every weight is zero. Ties go to the
    lower index, so that the result is the same everywhere.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if len(weights) == 0 or weights.sum() <= 0 or total <= 0:
        return np.zeros(len(weights), np.int64)
    exact = weights * (total / weights.sum())
    counts = np.floor(exact).astype(np.int64)
    rest = int(total) - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts

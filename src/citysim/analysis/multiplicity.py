"""Many comparisons at once: how p-values are held against their number."""

from __future__ import annotations

import numpy as np
from scipy import stats


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted by Holm's step-down rule.

    Parameters
    ----------
    p : ndarray (n,)
        p-values of one family; NaN stands for no test and stays NaN.

    Returns
    -------
    ndarray (n,)
        Adjusted values in [0, 1]. Calling those below x a difference keeps the chance of even
        one false call in the family below x, however the tests depend on each other.
    """
    return _on_tests(p, _step_down)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """p-values adjusted so that they bound the share of false calls among all calls.

    Parameters
    ----------
    p : ndarray (n,)
        p-values of one family; NaN stands for no test and stays NaN.

    Returns
    -------
    ndarray (n,)
        q-values in [0, 1]: of the rows below x, at most a share x is expected to be false
        (tests that are independent or rise and fall together).
    """
    return _on_tests(p, stats.false_discovery_control)


def _step_down(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _on_tests(p: np.ndarray, adjust) -> np.ndarray:
    p = np.asarray(p, float)
    found = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    if tested.any():
        found[tested] = adjust(p[tested])
    return found

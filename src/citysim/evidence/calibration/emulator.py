"""A quick stand-in for runs: each target as a smooth function of the parameters, with its error.

Levels enter hazards nearly as factors, so that the logarithm of a rate (the log odds of a share)
is nearly linear in the logarithms of levels. The emulator is a ridge regression on the parameters
and their squares, each scaled to -1 .. 1 over its prior range; the penalty is the one with the
least error when each run is left out in turn (Hoerl and Kennard 1970; Allen 1974), and that error
is the emulator's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PENALTIES = tuple(10.0**k for k in range(-4, 4))
_FLOOR = 0.5  # of the smallest positive value, in place of zeros
_ALMOST = 1e-6  # shares stay this far from 0 and 1
_LEAST_ERROR = 1e-3


def features(shares: np.ndarray) -> np.ndarray:
    """Constant, parameters and squares of points given as shares of their ranges (n, d)."""
    v = 2 * np.atleast_2d(shares) - 1
    return np.column_stack([np.ones(len(v)), v, v**2])


def straightened(values: np.ndarray, share: bool) -> np.ndarray:
    """Log odds of shares, logarithms of rates; zeros as half of the smallest other value."""
    values = np.asarray(values, dtype=float)
    if share:
        values = np.clip(values, _ALMOST, 1 - _ALMOST)
        return np.log(values / (1 - values))
    positive = values[values > 0]
    return np.log(np.maximum(values, _FLOOR * positive.min() if len(positive) else _ALMOST))


@dataclass(frozen=True)
class Emulator:
    """Several targets as functions of the parameters.

    Attributes
    ----------
    coefficients
        One column per target, in the order of :func:`features`.
    error
        Standard deviation of what each gets wrong of a run it has not seen; straightened scale.
    penalty
        Of the ridge, by target.
    """

    coefficients: np.ndarray
    error: np.ndarray
    penalty: np.ndarray

    def __call__(self, shares: np.ndarray) -> np.ndarray:
        """Targets (n, t), straightened, at points given as shares (n, d)."""
        return features(shares) @ self.coefficients


def fit(shares: np.ndarray, values: np.ndarray) -> Emulator:
    """Fit an emulator to runs.

    Parameters
    ----------
    shares
        Points as shares of their ranges (n, d).
    values
        What came out, straightened (n, t).
    """
    x = features(shares)
    fitted = [_ridge(x, values[:, t]) for t in range(values.shape[1])]
    coefficients, errors, penalties = zip(*fitted, strict=True)
    return Emulator(np.column_stack(coefficients), np.array(errors), np.array(penalties))


def _ridge(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Coefficients, error left out one by one, and penalty; the constant is not held back."""
    held = np.eye(x.shape[1])
    held[0, 0] = 0.0
    best = None
    for penalty in PENALTIES:
        inverse = np.linalg.pinv(x.T @ x + penalty * held)
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
        beta = inverse @ x.T @ y
        left_out = (y - x @ beta) / np.maximum(1 - leverage, 1e-6)
        error = float(np.sqrt(np.mean(left_out**2)))
        if best is None or error < best[1]:
            best = beta, error, penalty
    return best[0], max(best[1], _LEAST_ERROR), best[2]


def walk(emulator: Emulator, low: np.ndarray, high: np.ndarray, dimensions: int, n: int,
         seed: int, chains: int = 64, steps: int = 1500) -> np.ndarray:
    """Points that the emulator thinks meet all targets, as shares of their ranges.

    Draws from prior (even over the box) times the chance that every target lies between its ends
    given the emulator's error: many random walks (Metropolis et al. 1953) from everywhere in the
    box, tempered at first; then with steps shaped like what the first half found.

    Parameters
    ----------
    emulator
        Of the targets.
    low, high
        Ends of each target, straightened.
    dimensions
        How many parameters.
    n
        Points wanted.
    seed
        Of the walks.

    Returns
    -------
    ndarray (n, dimensions)
    """
    rng = np.random.default_rng(seed)
    at = rng.random((chains, dimensions))

    def worth(points):
        return _log_chance(emulator(points), emulator.error, low, high)

    here = worth(at)
    root, kept = 0.08 * np.eye(dimensions), []
    half = steps // 2
    for step in range(steps):
        if step == half:
            root = _root_of(np.concatenate(kept[half // 2:]))
            kept = []
        heat = max(1.0, 50 * 0.97**step)  # the walls between far corners are low at first
        size = rng.choice([0.1, 0.5, 1.0], size=(chains, 1))
        to = at + size * rng.standard_normal((chains, dimensions)) @ root.T
        inside = ((to >= 0) & (to <= 1)).all(axis=1)
        there = np.where(inside, worth(np.clip(to, 0, 1)), -np.inf)
        go = np.log(rng.random(chains)) * heat < there - here
        at, here = np.where(go[:, None], to, at), np.where(go, there, here)
        kept.append(at)
    cloud = np.concatenate(kept[half // 3:])
    return cloud[rng.choice(len(cloud), n, replace=n > len(cloud))]


def _root_of(cloud: np.ndarray) -> np.ndarray:
    """Square root of a cloud's covariance, scaled for walks (Roberts, Gelman, Gilks 1997)."""
    d = cloud.shape[1]
    covariance = np.cov(cloud, rowvar=False).reshape(d, d) + 1e-8 * np.eye(d)
    return 2.38 / np.sqrt(d) * np.linalg.cholesky(covariance)


def _log_chance(mean: np.ndarray, error: np.ndarray, low, high) -> np.ndarray:
    """Log chance that all targets lie between their ends; tells better from worse far away too."""
    from scipy.special import log_ndtr

    a, b = (low - mean) / error, (high - mean) / error
    # log(F(b) - F(a)), taken in the lower tail, where it loses no digits.
    flip = a > -b
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    top, bottom = log_ndtr(b), log_ndtr(a)
    return (top + np.log1p(-np.exp(np.minimum(bottom - top, -1e-12)))).sum(axis=1)


def nearest(shares: np.ndarray, excess: np.ndarray, fewest: int, most: int
            ) -> tuple[np.ndarray, float]:
    """Rows of the runs that are kept, and how far outside a target the worst of them is.

    Parameters
    ----------
    shares
        Points of the runs (n, d).
    excess
        How far outside its worst target each run is, as a share of half the target's width; 0
        when it meets all.
    fewest, most
        How many at least and at most; beyond those that meet all, the nearest are added.
    """
    order = np.argsort(excess, kind="stable")
    met = int((excess <= 0).sum())
    chosen = order[:min(max(met, fewest), most, len(order))]
    return chosen, float(excess[chosen].max()) if len(chosen) else 0.0


def undetermined(cloud: np.ndarray, names: Sequence[str], clear: float = 0.5, weight: float = 0.4
                 ) -> list[dict]:
    """Directions in which the cloud of accepted points is hardly narrower than the prior.

    Parameters
    ----------
    cloud
        Accepted points as shares of their ranges (n, d).
    names
        Of the parameters.
    clear
        Spread over the prior's (standard deviations) from which a direction counts as open.
    weight
        Least part that a parameter must have in a direction to be named.

    Returns
    -------
    list of dict
        ``spread`` (1: the targets say nothing) and ``parameters`` with their part, openest first.
    """
    prior = 1 / np.sqrt(12)
    values, vectors = np.linalg.eigh(np.cov(cloud, rowvar=False).reshape(len(names), -1))
    found = []
    for value, vector in sorted(zip(values, vectors.T, strict=True), key=lambda p: -p[0]):
        spread = float(np.sqrt(max(value, 0)) / prior)
        if spread < clear:
            break
        vector = vector * np.sign(vector[np.argmax(np.abs(vector))])
        parts = sorted(zip(names, vector, strict=True), key=lambda p: -abs(p[1]))
        found.append({"spread": round(spread, 2), "parameters": {
            name: round(float(part), 2) for name, part in parts if abs(part) >= weight}})
    return found


def correlations(cloud: np.ndarray, names: Sequence[str], clear: float = 0.5) -> list[dict]:
    """Pairs of parameters that the targets tie together, most first: ``pair``, ``correlation``."""
    matrix = np.corrcoef(cloud, rowvar=False)
    pairs = [(names[i], names[j], float(matrix[i, j])) for i in range(len(names))
             for j in range(i)]
    return [{"pair": [b, a], "correlation": round(c, 2)}
            for a, b, c in sorted(pairs, key=lambda p: -abs(p[2])) if abs(c) >= clear]

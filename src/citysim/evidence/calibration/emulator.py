"""A quick stand-in for runs: each target as a smooth function of the parameters, with its error.

Levels enter hazards nearly as factors: a rate grows nearly in proportion to its own offence's
level and little with others. So each target starts from a product of a few parameters, those
that foretell it best, and the rest is a ridge regression on all parameters and their squares,
scaled to -1 .. 1 over their ranges. Product and penalty are the ones with the least error when
each run is left out in turn (Hoerl and Kennard 1970; Allen 1974). That error holds the luck of
single runs too; what a parameter's level is judged by is the mean over runs, whose error is
smaller and follows from the regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

PENALTIES = tuple(10.0**k for k in range(-4, 5))
_CROWDED, _LEAST_PENALTY = 1.5, 0.1  # with fewer runs per feature the ridge must hold back more
_FACTORS = 2  # parameters in the product that a target starts from, at most
_GAIN = 0.9  # one more must bring the error down to this share
_FLOOR = 0.5  # of the smallest positive value, in place of zeros
_ALMOST = 1e-6  # shares stay this far from 0 and 1
_LEAST_ERROR = 1e-3
_ROUNDS, _NUDGE, _STRIDE = 25, 1e-4, 0.3  # of the search for starts, in shares of the ranges


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
    factors
        1 where a parameter is part of the product that a target starts from (d, t).
    logs
        Logarithms of the parameters (n, d) at points given as shares (n, d).
    error
        Standard deviation of what each gets wrong of a run it has not seen, luck of the run
        included (t); straightened scale.
    penalty
        Of the ridge, by target.
    spread
        Inverse of the regression's normal matrix for each target (t, p, p).
    """

    coefficients: np.ndarray
    factors: np.ndarray
    logs: Callable[[np.ndarray], np.ndarray]
    error: np.ndarray
    penalty: np.ndarray
    spread: np.ndarray

    def __call__(self, shares: np.ndarray) -> np.ndarray:
        """Targets (n, t), straightened, at points given as shares (n, d)."""
        return features(shares) @ self.coefficients + self.logs(shares) @ self.factors

    def doubt(self, shares: np.ndarray) -> np.ndarray:
        """Standard error of the means at points (n, t): what more runs would bring down."""
        x = features(shares)
        return self.error * np.sqrt((x @ self.spread * x).sum(axis=2).T)


def fit(shares: np.ndarray, values: np.ndarray,
        logs: Callable[[np.ndarray], np.ndarray]) -> Emulator:
    """Fit an emulator to runs.

    Parameters
    ----------
    shares
        Points as shares of their ranges (n, d).
    values
        What came out, straightened (n, t).
    logs
        Logarithms of the parameters at such points; 0 for those that can be no factor.
    """
    ridge, d = _Ridge(features(shares)), shares.shape[1]
    own = logs(shares)
    fitted = [_one(ridge, own, values[:, t]) for t in range(values.shape[1])]
    betas, chosen, errors, penalties = zip(*fitted, strict=True)
    factors = np.zeros((d, len(chosen)))
    for t, found in enumerate(chosen):
        factors[list(found), t] = 1
    return Emulator(np.column_stack(betas), factors, logs, np.array(errors), np.array(penalties),
                    np.array([ridge.inverse(penalty) for penalty in penalties]))


def _one(ridge: _Ridge, logs: np.ndarray, y: np.ndarray):
    """Coefficients, factors, error and penalty of one target."""
    chosen: tuple[int, ...] = ()
    best = ridge(y)
    free = [i for i in range(logs.shape[1]) if np.ptp(logs[:, i]) > 0]
    for _ in range(_FACTORS):
        tried = {i: ridge(y - logs[:, [*chosen, i]].sum(axis=1)) for i in free if i not in chosen}
        if not tried:
            break
        i = min(tried, key=lambda k: tried[k][1])
        if tried[i][1] > _GAIN * best[1]:
            break
        chosen, best = (*chosen, i), tried[i]
    return best[0], chosen, max(best[1], _LEAST_ERROR), best[2]


class _Ridge:
    """Ridge regression on one set of features with every penalty; the constant is not held back."""

    def __init__(self, x: np.ndarray):
        self._x, self._ways = x, []
        least = _LEAST_PENALTY if len(x) < _CROWDED * x.shape[1] else 0
        for penalty in (p for p in PENALTIES if p >= least):
            solve = self.inverse(penalty) @ x.T
            leverage = np.einsum("ij,ji->i", x, solve)
            self._ways.append((penalty, solve, np.maximum(1 - leverage, 1e-6)))

    def inverse(self, penalty: float) -> np.ndarray:
        """Inverse of the normal matrix."""
        held = np.eye(self._x.shape[1])
        held[0, 0] = 0.0
        return np.linalg.pinv(self._x.T @ self._x + penalty * held)

    def __call__(self, y: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Coefficients, error with each run left out in turn, and penalty of the best."""
        best = None
        for penalty, solve, left in self._ways:
            beta = solve @ y
            error = float(np.sqrt(np.mean(((y - self._x @ beta) / left)**2)))
            if best is None or error < best[1]:
                best = beta, error, penalty
        return best


def walk(emulator: Emulator, low: np.ndarray, high: np.ndarray, dimensions: int, n: int,
         seed: int, chains: int = 48, steps: int = 1500) -> np.ndarray:
    """Points that the emulator thinks meet all targets, as shares of their ranges.

    Draws from prior (even over the box) times the chance that every target's mean lies between
    its ends, given how sure the emulator is of it: many random walks (Metropolis et al. 1953),
    each begun where the nearest point to the targets is from anywhere in the box; steps of the
    second half, which is what counts, are shaped like what the first half found.

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
    at = _near(emulator, low, high, rng.random((chains, dimensions)))

    def worth(points):
        return _log_chance(emulator(points), emulator.doubt(points), low, high)

    here, seen = worth(at), []
    root, half = 0.05 * np.eye(dimensions), steps // 2
    for step in range(steps):
        if step == half:
            root, seen = _root_of(np.concatenate(seen[half // 2:])), []
        size = rng.choice([0.1, 0.3, 1.0], size=(chains, 1))
        to = at + size * rng.standard_normal((chains, dimensions)) @ root.T
        inside = ((to >= 0) & (to <= 1)).all(axis=1)
        there = np.where(inside, worth(np.clip(to, 0, 1)), -np.inf)
        go = np.log(rng.random(chains)) < there - here
        at, here = np.where(go[:, None], to, at), np.where(go, there, here)
        seen.append(at)
    cloud = np.concatenate(seen[half // 4:])
    return cloud[rng.choice(len(cloud), n, replace=n > len(cloud))]


def _near(emulator: Emulator, low: np.ndarray, high: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The points that come nearest to the middle of all targets from some starts (Newton)."""
    middle, half = (low + high) / 2, (high - low) / 2
    moves = _NUDGE * np.eye(at.shape[1])
    for _ in range(_ROUNDS):
        off = (emulator(at) - middle) / half
        slopes = np.stack([((emulator(at + move) - middle) / half - off) / _NUDGE
                           for move in moves], axis=2)
        # The shortest step that would do: what the targets leave open stays where it began.
        step = -(np.linalg.pinv(slopes, rcond=1e-3) @ off[:, :, None])[:, :, 0]
        at = np.clip(at + np.clip(step, -_STRIDE, _STRIDE), 0, 1)
    return at


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


def excess(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far outside its worst target each run (n, t) is, in halves of the target's width.

    0 for runs that meet all targets; everything straightened.
    """
    outside = np.maximum(np.maximum(low - values, values - high), 0)
    return (outside / ((high - low) / 2)).max(axis=1)


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

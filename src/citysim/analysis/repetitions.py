"""What counts as one independent repetition, and how sure a mean over repetitions is.

Every future meets the same seeds, so the luck of a seed comes back in each future. The seeds are
therefore one sample and the futures another, and neither stands in for the other: a thousand
futures with two seeds hold two draws of luck.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

LEVEL = 0.90
"""Level of every interval, as the columns' names (``lo90``, ``hi90``) say."""


class Estimate(NamedTuple):
    """Mean, half width of its 90 % interval, standard error, degrees of freedom: ndarrays."""

    mean: np.ndarray
    half: np.ndarray
    error: np.ndarray
    freedom: np.ndarray


def futures_of(frame: pd.DataFrame) -> pd.Series:
    """The future of each row; 0 where a table has none, as older ones."""
    if "future" not in frame:
        return pd.Series(0, index=frame.index)
    return frame["future"].fillna(0).astype(int)


def over_runs(values: pd.Series | pd.DataFrame) -> Estimate:
    """:func:`estimate` of a series by (future, seed), or of each row of a frame with such columns.

    Returns
    -------
    Estimate
        Arrays (rows,); (1,) for a series.
    """
    return estimate(*_laid_out(values))


def estimate(row: np.ndarray, future: np.ndarray, seed: np.ndarray, value: np.ndarray,
             size: int) -> Estimate:
    """Means over runs, and how sure they are, for ``size`` rows at once.

    Parameters
    ----------
    row, future, seed, value : ndarray (n,)
        Which of the rows each value belongs to, and the run that it comes from; NaN values are
        left out. Take differences before: runs pair by future and seed.
    size
        Number of rows.

    Returns
    -------
    Estimate
        Arrays (size,). The mean is over futures, each the mean over its seeds. In one future the
        error is that of a mean over independent seeds. In several its square is the sum of two:
        that of the futures' means, and that of the seeds' mean deviations from their futures. NaN
        below two seeds. Degrees of freedom after Satterthwaite (1946).

    Notes
    -----
    The usual estimate for two crossed samples subtracts the variance of the remainder, which is
    in both parts (Searle, Casella and McCulloch 1992). It is left in: differences of variances
    from few seeds may fall below zero, and what is added is small where seeds or futures matter.
    """
    there = np.isfinite(value)
    row, value = row[there], value[there].astype(float)
    cell, of = _cells(row, future[there])
    futures = np.bincount(of, minlength=size)
    means = np.bincount(cell, value) / np.bincount(cell)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(of, means, minlength=size) / futures
        between = np.where(futures > 1, _square_error(of, means, size), 0.0)
    cell, of = _cells(row, seed[there])
    seeds = np.bincount(of, minlength=size)
    deviation = value - means[_cells(row, future[there])[0]]
    luck = _square_error(of, np.bincount(cell, deviation) / np.bincount(cell), size)
    square = np.where(seeds > 1, between + luck, np.nan)
    error = np.sqrt(square)
    # Equal inputs leave rounding dust, which must not look like evidence.
    error = np.where(error <= np.abs(mean) * 8 * np.finfo(float).eps, 0.0, error)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = square ** 2 / (between ** 2 / np.maximum(futures - 1, 1)
                                 + luck ** 2 / np.maximum(seeds - 1, 1))
    freedom = np.where(error > 0, freedom, np.maximum(seeds - 1, 1))
    half = special.stdtrit(freedom, 0.5 + LEVEL / 2) * error
    return Estimate(np.where(futures > 0, mean, np.nan), half, error, freedom)


def share_of(change: np.ndarray, base: np.ndarray, row: np.ndarray, future: np.ndarray,
             seed: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Change as a share of the baseline: ratio of two means over runs, for ``size`` rows at once.

    Parameters
    ----------
    change, base : ndarray (n,)
        Paired difference and the baseline's value in the same run, in one unit; pairs that lack
        either are left out.
    row, future, seed, size
        As for :func:`estimate`.

    Returns
    -------
    ratio, half : ndarray (size,)
        Mean change over mean baseline, and half of its 90 % interval; NaN where the baseline's
        mean is 0.

    Notes
    -----
    Linearised (delta method; Cochran 1977, ch. 6): the error is that of what the runs' changes
    are off the common share of their own baselines. A run with more crime has more to prevent,
    which is no doubt about the share.
    """
    paired = np.isfinite(change) & np.isfinite(base)
    change, base = (np.where(paired, part, np.nan) for part in (change, base))
    scale = estimate(row, future, seed, base, size).mean
    scale = np.where(scale == 0, np.nan, scale)
    ratio = estimate(row, future, seed, change, size).mean / scale
    apart = (change - ratio[row] * base) / np.abs(scale[row])
    return ratio, estimate(row, future, seed, apart, size).half


def share_over_runs(change: pd.Series | pd.DataFrame, base: pd.Series | pd.DataFrame
                    ) -> tuple[np.ndarray, np.ndarray]:
    """:func:`share_of` for what :func:`over_runs` takes, both with the same runs in one order."""
    row, future, seed, values, size = _laid_out(change)
    return share_of(values, _laid_out(base)[3], row, future, seed, size)


def _laid_out(values: pd.Series | pd.DataFrame) -> tuple:
    """Row, future, seed and value of each entry, and the number of rows."""
    wide = values.to_frame().T if isinstance(values, pd.Series) else values
    rows, runs = wide.shape
    future, seed = (np.tile(wide.columns.get_level_values(level), rows) for level in (0, 1))
    return (np.repeat(np.arange(rows), runs), future, seed, wide.to_numpy(float).reshape(-1),
            rows)


def _cells(row: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the (row, label) pair that each value belongs to, and the row of each pair."""
    labels, code = np.unique(label, return_inverse=True)
    pairs, cell = np.unique(row * max(1, len(labels)) + code, return_inverse=True)
    return cell, pairs // max(1, len(labels))


def _square_error(row: np.ndarray, value: np.ndarray, size: int) -> np.ndarray:
    """Square of the standard error of each row's mean; NaN below two values."""
    n = np.bincount(row, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(row, value, minlength=size) / n
        return np.bincount(row, (value - mean[row]) ** 2, minlength=size) / (n - 1.0) / n

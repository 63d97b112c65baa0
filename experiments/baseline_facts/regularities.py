"""Measures of regularities over lists of offences: pure functions over arrays."""

from __future__ import annotations

import numpy as np


def segments_holding(counts: np.ndarray, share: float) -> float:
    """Least share of segments that together hold ``share`` of the crimes; NaN without crimes."""
    total = counts.sum()
    if total == 0:
        return float("nan")
    held = np.cumsum(np.sort(counts)[::-1])
    return float(np.searchsorted(held, share * total - 1e-9) + 1) / len(counts)


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of counts over segments; NaN without crimes."""
    n, total = len(counts), counts.sum()
    if total == 0:
        return float("nan")
    rank = np.arange(1, n + 1)
    return float((2 * (rank * np.sort(counts)).sum() / total - n - 1) / n)


def generalised_gini(counts: np.ndarray) -> float:
    """Gini against the most even spread that whole crimes allow (Bernasco and Steenbeek 2017).

    Equals the Gini where crimes outnumber segments; 0 when no segment has a second crime
    before all have one.
    """
    n, total = len(counts), counts.sum()
    if total == 0:
        return float("nan")
    rank = np.arange(1, n + 1)
    skew = 2 * (rank * np.sort(counts)).sum() / total - n - 1
    return float(max(1 / n, 1 / total) * skew - max(n / total, 1) + 1)


def scattered(crimes: int, n: int, measure, rng, draws: int) -> float:
    """Mean of a measure over the same number of crimes placed at random on ``n`` segments."""
    even = np.full(n, 1 / n)
    return float(np.mean([measure(rng.multinomial(crimes, even)) for _ in range(draws)]))


def knox(x, y, day, metres, days, rng, draws: int, apart: bool = False):
    """Observed over expected pairs close in space and time, times permuted over offences.

    Parameters
    ----------
    x, y, day
        Position (m) and time (days) of each offence.
    metres, days
        What counts as close.
    apart
        Leave out pairs at the same position.

    Returns
    -------
    ratio, p, pairs
        The ratio, the share of permutations with at least as many pairs, the observed pairs.
    """
    i, j = np.triu_indices(len(x), 1)
    away = np.hypot(x[i] - x[j], y[i] - y[j])
    near = (away <= metres) & ((away > 0) if apart else True)
    i, j = i[near], j[near]
    observed = int((np.abs(day[i] - day[j]) <= days).sum())
    counts = np.empty(draws)
    for k in range(draws):
        t = rng.permutation(day)
        counts[k] = (np.abs(t[i] - t[j]) <= days).sum()
    ratio = observed / counts.mean() if counts.mean() else float("nan")
    return ratio, float((1 + (counts >= observed).sum()) / (draws + 1)), observed


def repeats(victims: np.ndarray) -> float:
    """Share of victims hit more than once; NaN without victims."""
    times = np.unique(victims, return_counts=True)[1]
    return float((times > 1).mean()) if len(times) else float("nan")


def top_share(counts: np.ndarray, share: float) -> float:
    """Share of the total that the worst ``share`` of entries hold; NaN when there are none."""
    if counts.sum() == 0:
        return float("nan")
    n = max(1, round(share * len(counts)))
    return float(np.sort(counts)[::-1][:n].sum() / counts.sum())


def age_peak(ages: np.ndarray, residents: np.ndarray, window: int) -> float:
    """Age with most offences per resident, over a moving window of ages.

    Parameters
    ----------
    ages
        Age of the offender at each offence.
    residents
        Ages of all residents.
    """
    most = int(residents.max()) + 1
    kernel = np.ones(window)
    rate = (np.convolve(np.bincount(ages, minlength=most)[:most], kernel, "same")
            / np.maximum(1, np.convolve(np.bincount(residents, minlength=most), kernel, "same")))
    return float(np.argmax(rate))


def distance_decay(metres: np.ndarray, available: np.ndarray, ring: float, rings: int):
    """How offences per available place thin out with distance from home.

    Parameters
    ----------
    metres
        Distance between home and offence, of each offence.
    available
        Distances from offenders' homes to all segments (a sample will do).
    ring, rings
        Width (m) and number of rings.

    Returns
    -------
    scale, fit_exponential, fit_power, sharpest
        Metres in which the rate falls to 1/e; R squared of log rate on distance and on log
        distance; the smallest ratio of a ring's rate to that of the ring before.
    """
    edges = np.arange(rings + 1) * ring
    seen, offered = np.histogram(metres, edges)[0], np.histogram(available, edges)[0]
    middle = (edges[:-1] + edges[1:]) / 2
    keep = (seen > 0) & (offered > 0)
    log_rate = np.log(seen[keep] / offered[keep])
    fits = []
    for against in (middle[keep], np.log(middle[keep])):
        fits.append(float(np.corrcoef(against, log_rate)[0, 1] ** 2))
    slope = np.polyfit(middle[keep], log_rate, 1)[0]
    return -1 / slope, fits[0], fits[1], float(np.exp(np.diff(log_rate).min()))

"""Smooth random fields and other quantities over points in the plane."""

from __future__ import annotations

import numpy as np

_WAVES = 48  # enough for a field that looks Gaussian; more only costs time


def smooth_field(points: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field with mean 0 and variance 1, as a sum of random waves.

    Parameters
    ----------
    points
        ``(n, 2)`` in any unit of length.
    reach
        Correlation length in the same unit.
    rng
        Source of the waves; the same state gives the same field.

    Returns
    -------
    float64 ``(n,)``. Source: random Fourier features of a Gaussian kernel (Rahimi and Recht
    2007).
    """
    waves = rng.standard_normal((2, _WAVES)) / reach
    phase = rng.uniform(0, 2 * np.pi, _WAVES)
    return np.cos(points @ waves + phase).sum(axis=1) * np.sqrt(2 / _WAVES)


def nearness(points: np.ndarray, centres: np.ndarray, radius: float) -> np.ndarray:
    """How near points are to the nearest of some centres: 1 at a centre, 0.6 at one radius.

    ``points`` ``(n, 2)``, ``centres`` ``(k, 2)`` and ``radius`` in metres; float64 ``(n,)``.
    """
    if len(centres) == 0:
        return np.zeros(len(points))
    gap = np.hypot(points[:, None, 0] - centres[None, :, 0],
                   points[:, None, 1] - centres[None, :, 1]).min(axis=1)
    return np.exp(-0.5 * (gap / radius) ** 2)


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value as a share in [0, 1], ties by position."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    result = np.empty(n)
    result[order] = (np.arange(n) + 0.5) / max(n, 1)
    return result

"""Priorities for choosing whom or where a measure goes."""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.random import uniform


@kernel
def keyed_uniforms(key, entities):
    """One addressed uniform draw in (0, 1) per entity (int64 array), as float64."""
    out = np.empty(entities.size, dtype=np.float64)
    for i in range(entities.size):
        out[i] = uniform(key, entities[i])
    return out


@kernel
def blurred_priority(true_rank, luck, accuracy):
    """Mix a true rank with luck, both in [0, 1]: accuracy 1 sees the truth, 0 draws lots."""
    out = np.empty(true_rank.size, dtype=np.float64)
    for i in range(true_rank.size):
        out[i] = accuracy * true_rank[i] + (1.0 - accuracy) * luck[i]
    return out

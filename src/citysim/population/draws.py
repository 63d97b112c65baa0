"""Addressed random numbers for the synthesis: one named purpose, one entity, one number."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from citysim.kernels.random import stream_key
from citysim.kernels.synthesis import fill_uniform

# Append only: the place in this list is part of a draw's address.
PURPOSES = (
    "couple", "minor_household", "minor_slot", "child_age", "child_noise", "adult_child",
    "parent_gap", "parent_noise", "rank_household", "rank_slot", "man_older", "same_sex",
    "head_sex", "sex", "foreign_household", "foreign", "education_household", "education",
    "student", "neet", "employed", "unemployed", "retired", "income", "sorting", "dwelling",
    "work_outside", "job", "school", "day_place", "leisure_1", "leisure_2", "leisure_3",
    "transit", "gateway", "outsider_age", "outsider_sex", "outsider_foreign",
    "outsider_education", "outsider_mode", "shift_work", "kin", "kin_keep", "neighbours",
    "neighbours_keep", "work_or_school", "work_or_school_keep", "leisure", "leisure_keep",
    "personal_shift", "self_control", "substance_user", "substance", "sensitivity",
    "student_25_to_29",
)


class Draws:
    """Uniform, normal and logistic numbers addressed by (seed, stream, purpose, entity).

    Parameters
    ----------
    seed
        Seed of the population, a whole number of at least 0.
    stream
        Entry of :mod:`citysim.kernels.streams`.
    """

    def __init__(self, seed: int, stream: int):
        self.seed = seed
        self.stream = stream

    def uniform(self, purpose: str, size: int, first: int = 0) -> np.ndarray:
        """Uniforms in (0, 1), float64 ``(size,)``, for entities ``first`` onwards."""
        out = np.empty(size)
        key = np.uint64(stream_key(np.uint64(self.seed), self.stream, PURPOSES.index(purpose)))
        fill_uniform(key, first, out)
        return out

    def normal(self, purpose: str, size: int, first: int = 0) -> np.ndarray:
        """Standard normal numbers, float64 ``(size,)``."""
        return ndtri(self.uniform(purpose, size, first))

    def logistic(self, purpose: str, size: int, first: int = 0) -> np.ndarray:
        """Standard logistic numbers: a threshold on log-odds plus these is a random choice."""
        u = self.uniform(purpose, size, first)
        return np.log(u / (1.0 - u))

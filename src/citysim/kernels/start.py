"""Draws that set up a run: uniforms by entity, places by attraction and distance."""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.perception import own_trust
from citysim.kernels.random import draw2, to_unit, uniform2

_SAMPLE = 24  # attractors looked at for one haunt


@kernel
def uniforms(key, n, kinds):
    """Uniforms in (0, 1), float64 (n, kinds): entity ``i`` under kinds 0, 1, ..."""
    out = np.empty((n, kinds))
    for i in range(n):
        for k in range(kinds):
            out[i, k] = uniform2(key, i, k)
    return out


@kernel
def pair_uniforms(key, one, other):
    """Uniforms in (0, 1) for pairs of entities, float64."""
    out = np.empty(one.size)
    for i in range(one.size):
        out[i] = uniform2(key, one[i], other[i])
    return out


@kernel
def own_levels(key, n, whom, usual, spread):
    """Everybody's own level of trust (:func:`own_trust`), float64 (n)."""
    out = np.empty(n)
    for r in range(n):
        out[r] = own_trust(key, r, whom, usual, spread)
    return out


@kernel
def mean_of_ties(tie_start, ties, level, mean):
    """Mean level of each resident's ties, one's own without any, into ``mean`` (float64)."""
    for r in range(tie_start.size - 1):
        total = 0.0
        for k in range(tie_start[r], tie_start[r + 1]):
            total += level[ties[k]]
        n = tie_start[r + 1] - tie_start[r]
        mean[r] = total / n if n > 0 else level[r]


@kernel
def find_haunts(key, home, x, y, cumulative, scale, haunts):
    """Haunts of offenders: attractors, likelier near home (uint16 (offenders, n)).

    A sample is drawn by attraction (``cumulative``, float64, ends at 1) and one of it is kept
    with weight exp(-distance / scale): importance resampling of attraction times decay.
    """
    for i in range(home.size):
        s = home[i]
        for k in range(haunts.shape[1]):
            best = np.inf
            found = s
            for c in range(_SAMPLE):
                bits = draw2(key, i, k * _SAMPLE + c)
                t = np.searchsorted(cumulative, to_unit(bits))
                away = np.sqrt((x[t] - x[s]) ** 2 + (y[t] - y[s]) ** 2)
                u = uniform2(key, i, 100003 + k * _SAMPLE + c)
                late = -np.log(u) / np.exp(-away / scale)
                if late < best:
                    best = late
                    found = t
            haunts[i, k] = found

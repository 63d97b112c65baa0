"""Fear, trust and what is told of them: one day of every resident's mind.

Fear fades towards what the neighbourhood is known for, weighed by the person's sensitivity;
each day everyone talks to one of their ties, and both fear and trust move a little towards what
the other thinks. All updates are linear and act on everyone, so nothing depends on sampling.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.random import draw

# Sums per cell of residents (district, sex, age band, origin, income).
PEOPLE, SAFE_DAY, SAFE_NIGHT, TRUST_POLICE, TRUST_CITY, FEAR_DAY, FEAR_NIGHT = range(7)
N_SUMS = 7


class Mind(NamedTuple):
    """Constants of a day in the mind."""

    fade: float             # share by which fear returns to the neighbourhood's level
    fade_trust: float       # share by which trust returns to the usual level
    talk: float             # share by which one takes over a tie's fear
    talk_trust: float       # share by which one takes over a tie's trust
    usual_trust_police: float
    usual_trust_city: float
    avoid_day: float        # how strongly fear by day keeps people in
    avoid_night: float      # the same after dark
    tolerated: float        # fear up to which nobody stays in
    afraid: float           # fear from which a person feels unsafe


@kernel
def days_end(lo, hi, key, mind, home, sensitivity, unease_day, unease_night, tie_start, ties, fear,
             fear_before, trust_police, police_before, trust_city, city_before, caution, cell,
             sums):
    """Close the day of residents ``lo`` to ``hi - 1``; ``*_before`` hold this morning's values.

    ``cell`` is each resident's row in ``sums`` (float64 (cells, 7)), which is added to.
    """
    for r in range(lo, hi):
        partner = r
        degree = tie_start[r + 1] - tie_start[r]
        if degree > 0:
            partner = np.int64(ties[tie_start[r] + np.int64(draw(key, r) % np.uint64(degree))])
        place = home[r]
        f0 = fear_before[r, 0]
        f1 = fear_before[r, 1]
        s = sensitivity[r]
        f0 += (mind.fade * (min(1.0, s * unease_day[place]) - f0)
               + mind.talk * (fear_before[partner, 0] - f0))
        f1 += (mind.fade * (min(1.0, s * unease_night[place]) - f1)
               + mind.talk * (fear_before[partner, 1] - f1))
        fear[r, 0] = min(1.0, max(0.0, f0))
        fear[r, 1] = min(1.0, max(0.0, f1))
        p = police_before[r]
        p += (mind.fade_trust * (mind.usual_trust_police - p)
              + mind.talk_trust * (police_before[partner] - p))
        trust_police[r] = p
        c = city_before[r]
        c += (mind.fade_trust * (mind.usual_trust_city - c)
              + mind.talk_trust * (city_before[partner] - c))
        trust_city[r] = c
        caution[r, 0] = (np.exp(-mind.avoid_day * (f0 - mind.tolerated))
                         if f0 > mind.tolerated else 1.0)
        caution[r, 1] = (np.exp(-mind.avoid_night * (f1 - mind.tolerated))
                         if f1 > mind.tolerated else 1.0)
        row = cell[r]
        sums[row, PEOPLE] += 1.0
        sums[row, SAFE_DAY] += 1.0 if f0 < mind.afraid else 0.0
        sums[row, SAFE_NIGHT] += 1.0 if f1 < mind.afraid else 0.0
        sums[row, TRUST_POLICE] += p
        sums[row, TRUST_CITY] += c
        sums[row, FEAR_DAY] += f0
        sums[row, FEAR_NIGHT] += f1


@kernel
def count_out(lo, hi, at, status, cell, counts):
    """Count residents who are out at a leisure place, by cell (int64 (cells))."""
    for r in range(lo, hi):
        if at[r] >= 2 and status[r] == 0:
            counts[cell[r]] += 1

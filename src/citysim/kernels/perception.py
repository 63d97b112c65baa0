"""Fear, trust and what is told of them: one day of every resident's mind.

Fear fades towards what the neighbourhood is known for, weighed by the person's sensitivity;
trust towards a level of the person's own, in the city with what is seen of it in the street
(``neighbourhood.py``). Each day everyone talks to one of their ties, and both fear and trust move a
little towards what the other thinks. All updates are linear and act on everyone, so nothing
depends on sampling.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.memory import BLOCK, ROW, prefetch
from citysim.kernels.random import bell, draw, draw2

# Sums per cell of residents (district, sex, age band, origin, income).
PEOPLE, SAFE_DAY, SAFE_NIGHT, TRUST_POLICE, TRUST_CITY, FEAR_DAY, FEAR_NIGHT = range(7)
N_SUMS = 7
STREET_TRUST, STREET_FEAR = range(2)  # sums per home place: trust in the city, fear by day
OF_POLICE, OF_CITY = 1, 2  # whom a person's own level of trust, so addressed, is in
HALF = ROW(32)  # bits


class Mind(NamedTuple):
    """Constants of a day in the mind."""

    fade: float             # share by which fear returns to the neighbourhood's level
    fade_trust: float       # share by which trust returns to the person's own level
    talk: float             # share by which one takes over a tie's fear
    talk_trust: float       # share by which one takes over a tie's trust
    usual_trust_police: float
    usual_trust_city: float
    own_spread: float       # standard deviation of people's own levels around the usual one
    avoid_day: float        # how strongly fear by day keeps people in
    avoid_night: float      # the same after dark
    tolerated: float        # fear up to which nobody stays in
    afraid: float           # fear from which a person feels unsafe


@kernel
def remember(lo, hi, fear, trust_police, trust_city, before):
    """Copy what residents ``lo`` to ``hi - 1`` feel into ``before`` (float32 (residents, 4)).

    One row is one access to memory for whoever talks to the resident.
    """
    for r in range(ROW(lo), ROW(hi)):
        before[r, 0] = fear[r, 0]
        before[r, 1] = fear[r, 1]
        before[r, 2] = trust_police[r]
        before[r, 3] = trust_city[r]


@kernel
def own_trust(key, person, whom, usual, spread):
    """Level to which a person's trust returns, [0, 1]: lastingly their own.

    Drawn anew each time at one address under ``key``, so that it need not be stored; ``whom`` is
    OF_POLICE or OF_CITY.
    """
    return min(1.0, max(0.0, usual + spread * bell(draw2(key, person, whom))))


@kernel
def choose_partners(lo, hi, key, tie_start, ties, before, partner):
    """Whom residents ``lo`` to ``hi - 1`` talk to today, into ``partner`` from row 0.

    One tie each, all equally likely; without ties oneself. Where the tie and the partner's row
    lie is known some rows ahead, so both are asked for before they are read.
    """
    for r in range(ROW(lo), ROW(hi)):
        first = ROW(tie_start[r])
        degree = ROW(tie_start[r + ROW(1)]) - first
        partner[r - ROW(lo)] = first + (((draw(key, r) >> HALF) * degree) >> HALF)
        prefetch(ties, partner[r - ROW(lo)])
    for r in range(ROW(lo), ROW(hi)):
        i = r - ROW(lo)
        alone = tie_start[r + ROW(1)] == tie_start[r]
        partner[i] = r if alone else ROW(ties[partner[i]])
        prefetch(before, partner[i] * ROW(before.shape[1]))


@kernel
def days_end(lo, hi, key, key_own, mind, home, sensitivity, unease_day, unease_night, noticed,
             tie_start, ties, before, fear, trust_police, trust_city, caution, street, cell, sums):
    """Close the day of residents ``lo`` to ``hi - 1``; ``before`` holds what all felt until now.

    Trust moves towards the person's own level (:func:`own_trust` under ``key_own``) and a tie's:
    opinions that spread and yet do not become one (Friedkin and Johnsen 1990).

    ``noticed`` (float64 (places)) is by how much the street's condition moves the level to which
    trust in the city returns. ``cell`` is each resident's row in ``sums`` (float64 (cells, 7)),
    which is added to, as is ``street`` (float64 (places, 2)): trust in the city and fear by day
    of those who live there. Who shares a home place must be in one call.
    """
    partner = np.empty(BLOCK, ROW)
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        choose_partners(start, stop, key, tie_start, ties, before, partner)
        for r in range(ROW(start), ROW(stop)):
            other = partner[r - ROW(start)]
            place = home[r]
            f0, f1 = before[r, 0], before[r, 1]
            p, c = before[r, 2], before[r, 3]
            s = sensitivity[r]
            f0 += (mind.fade * (min(1.0, s * unease_day[place]) - f0)
                   + mind.talk * (before[other, 0] - f0))
            f1 += (mind.fade * (min(1.0, s * unease_night[place]) - f1)
                   + mind.talk * (before[other, 1] - f1))
            own_p = own_trust(key_own, r, OF_POLICE, mind.usual_trust_police, mind.own_spread)
            own_c = own_trust(key_own, r, OF_CITY, mind.usual_trust_city, mind.own_spread)
            p += (mind.fade_trust * (own_p - p)
                  + mind.talk_trust * (before[other, 2] - p))
            c += (mind.fade_trust * (own_c + noticed[place] - c)
                  + mind.talk_trust * (before[other, 3] - c))
            c = min(1.0, max(0.0, c))
            fear[r, 0] = min(1.0, max(0.0, f0))
            fear[r, 1] = min(1.0, max(0.0, f1))
            trust_police[r] = p
            trust_city[r] = c
            caution[r, 0] = (np.exp(-mind.avoid_day * (f0 - mind.tolerated))
                             if f0 > mind.tolerated else 1.0)
            caution[r, 1] = (np.exp(-mind.avoid_night * (f1 - mind.tolerated))
                             if f1 > mind.tolerated else 1.0)
            street[place, STREET_TRUST] += c
            street[place, STREET_FEAR] += f0
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
    for r in range(ROW(lo), ROW(hi)):
        if at[r] >= 2 and status[r] == 0:
            counts[cell[r]] += 1

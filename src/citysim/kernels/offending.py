"""Offenders: motivation first, then a choice among known places, with giving up as an option.

Motivation arrives at a personal rate; the offender then weighs the opportunities in reach and
acts with probability S / (1 + S), where S sums their worth. Places differ by what they offer now
(see :mod:`citysim.kernels.places`), by how far they are, and by remembered successes (near
repeats). Which opportunity is taken is an exponential race keyed by (offender, place, offence),
so that two scenarios that share a seed differ only where the policy made them differ.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import OFFENCE, OFFENDER, PLACE, STEP, VICTIM
from citysim.kernels.jit import kernel
from citysim.kernels.memory import ROW, prefetch
from citysim.kernels.random import bell, draw2, to_unit, uniform

MAX_CANDIDATES = 160
N_HAUNTS = 4
N_MEMORY = 4
FORGOTTEN = 0.01  # a fainter memory is none


class Drive(NamedTuple):
    """Constants of motivation and search."""

    rate: float            # motivations per hour at propensity 1
    at_home: float         # factor on the rate while at home
    at_day_place: float    # factor while at work or school
    out: float             # factor while out
    company: float         # share that leisure among peers, nobody in charge, adds at a tender age
    company_half: float    # peers around at which half of that is reached
    company_until: float   # age (years) up to which it counts in full
    company_end: float     # age from which it counts no more
    oneself: float         # what one person at leisure adds to the count of the young there
    memory_drive: float    # motivations per hour that a fresh memory adds, whoever has it
    effort: float          # m at which a place's weight falls to 1/e
    prowl: float           # weight of haunts against places on the way
    near_home: float       # weight of the own street and those next to it
    arrest_weight: float   # how much personal experience of arrest holds back
    specialisation: float  # log spread of what one offence is worth to one offender and another
    leanings: np.uint64    # address of what each offender leans to, one for the run


@kernel
def add_candidate(place, weight, n, candidate, candidate_weight, mark, stamp):
    """Add a place once to the candidates; returns the new count."""
    if mark[place] != stamp and n < MAX_CANDIDATES:
        mark[place] = stamp
        candidate[n] = place
        candidate_weight[n] = weight
        n += 1
    return n


@kernel
def candidates(i, r, here, drive, at, anchors, hops, route, routes, haunts, memory_place, memory,
               neighbour_start, neighbours, candidate, candidate_weight, mark, stamp):
    """Places the offender thinks of: here and near, memories, anchors, haunts, today's way.

    Around the own home one is known: those places weigh less (buffer zone).
    """
    n = 0
    home = np.int64(anchors[r, 0])
    n = add_candidate(home, drive.near_home, n, candidate, candidate_weight, mark, stamp)
    for j in range(neighbour_start[home], neighbour_start[home + 1]):
        n = add_candidate(neighbours[j], drive.near_home, n, candidate, candidate_weight, mark,
                          stamp)
    n = add_candidate(here, 1.0, n, candidate, candidate_weight, mark, stamp)
    for j in range(neighbour_start[here], neighbour_start[here + 1]):
        n = add_candidate(neighbours[j], 1.0, n, candidate, candidate_weight, mark, stamp)
    for m in range(N_MEMORY):
        s = memory_place[i, m]
        if s >= 0 and memory[i, m] >= FORGOTTEN:
            n = add_candidate(s, 1.0, n, candidate, candidate_weight, mark, stamp)
            for j in range(neighbour_start[s], neighbour_start[s + 1]):
                n = add_candidate(neighbours[j], 1.0, n, candidate, candidate_weight, mark, stamp)
    for k in range(1, 5):
        n = add_candidate(np.int64(anchors[r, k]), 1.0, n, candidate, candidate_weight, mark, stamp)
    for k in range(N_HAUNTS):
        s = np.int64(haunts[i, k])
        n = add_candidate(s, drive.prowl, n, candidate, candidate_weight, mark, stamp)
        for j in range(neighbour_start[s], neighbour_start[s + 1]):
            n = add_candidate(neighbours[j], drive.prowl, n, candidate, candidate_weight, mark,
                              stamp)
    first = np.int64(route[r])
    for k in range(4):
        last = first + np.int64(hops[r, k])
        if k == 0 or at[r] == k + 1:
            for j in range(first, last):
                n = add_candidate(np.int64(routes[j]), 1.0, n, candidate, candidate_weight, mark,
                                  stamp)
        first = last
    return n


@kernel
def recall(i, n, candidate, memory_place, memory, memory_offence, memory_own, memory_near,
           neighbour_start, neighbours, weight):
    """Raise the weights of what the offender remembers: the same offence, there and next door.

    Returns how much worth that adds in all.
    """
    added = 0.0
    for m in range(N_MEMORY):
        p = memory_place[i, m]
        if p < 0 or memory[i, m] < FORGOTTEN:
            continue
        o = memory_offence[i, m]
        for c in range(n):
            gain = 0.0
            if candidate[c] == p:
                gain = memory_own[o] * memory[i, m]
            else:
                for j in range(neighbour_start[p], neighbour_start[p + 1]):
                    if neighbours[j] == candidate[c]:
                        gain = memory_near[o] * memory[i, m]
            if gain > 0.0:
                added += weight[c, o] * gain
                weight[c, o] *= 1.0 + gain
    return added


@kernel
def stir(lo, hi, key, hours, drive, person, active, propensity, memory, stirred):
    """List who of offenders ``lo`` to ``hi - 1`` may be motivated now, wherever they are.

    Most stop here, before anything of the person is looked up. Fills ``stirred`` (uint64) from
    row ``lo`` on and returns how many.
    """
    busiest = max(drive.at_home, drive.at_day_place, drive.out)
    most = drive.rate * (1.0 + drive.company)
    n = ROW(lo)
    for i in range(ROW(lo), ROW(hi)):
        stirred[n] = i
        fresh = max(memory[i, 0], memory[i, 1], memory[i, 2], memory[i, 3])
        rate = (most * propensity[i] + drive.memory_drive * fresh) * hours * active[i]
        n += ROW(uniform(key, person[i]) < rate * busiest)
    return np.int64(n) - lo


@kernel
def companionship(r, drive, at, anchors, age, young, stretch, guardianship):
    """What peers around add to how readily person ``r`` is moved to offend now, as a share.

    Time at leisure with others under 25, nobody being in charge (Osgood et al. 1996), for those
    young enough to be carried along (Gardner and Steinberg 2005). The person is no company to
    themselves, and peers count by the usual length of street (``stretch``: how many of these the
    place is long). ``young``, ``stretch`` and ``guardianship`` are those of places.
    """
    where = at[r]
    if where < 2 or age[r] >= drive.company_end:
        return 0.0
    s = np.int64(anchors[r, where])
    peers = max(0.0, young[s] - drive.oneself) / stretch[s]
    tender = min(1.0, (drive.company_end - age[r]) / (drive.company_end - drive.company_until))
    return (drive.company * tender * peers / (peers + drive.company_half)
            * (1.0 - guardianship[s]))


@kernel
def urge(i, where, company, hours, drive, propensity, memory, perceived_risk):
    """Chance that offender ``i``, active and free, is motivated now, being at anchor ``where``.

    ``company`` (see :func:`companionship`) moves on the spur of the moment, so it does not add to
    the pull of a remembered success.
    """
    fresh = max(memory[i, 0], memory[i, 1], memory[i, 2], memory[i, 3])
    moved = drive.rate * (1.0 + company) * propensity[i]
    rate = (moved + drive.memory_drive * fresh) * hours
    factor = drive.at_home if where == 0 else (drive.at_day_place if where == 1 else drive.out)
    risk = np.exp(-drive.arrest_weight * perceived_risk[i])
    return rate * factor * risk


@kernel
def motivate(lo, hi, key, hours, drive, person, active, propensity, memory, perceived_risk, at,
             status, anchors, age, young, stretch, guardianship, motivated):
    """List who of offenders ``lo`` to ``hi - 1`` is motivated, where they are now.

    Fills ``motivated`` (uint64) from row ``lo`` on, in the order of rows; returns how many.
    """
    last = lo + stir(lo, hi, key, hours, drive, person, active, propensity, memory, motivated)
    for j in range(lo, last):
        prefetch(at, person[motivated[j]])
        prefetch(status, person[motivated[j]])
    n = lo
    for j in range(lo, last):
        i = motivated[j]
        r = ROW(person[i])
        company = companionship(r, drive, at, anchors, age, young, stretch, guardianship)
        chance = urge(i, at[r], company, hours, drive, propensity, memory, perceived_risk)
        if status[r] == 0 and uniform(key, r) < chance:
            motivated[n] = i
            n += 1
    return n - lo


@kernel
def leanings(r, drive, n_offences):
    """What each offence is worth to person ``r`` against others, lasting, lognormal with mean 1.

    Most offenders are versatile and yet come back to what they did before more often than chance
    would have it (Farrington, Snyder and Finnegan 1988).
    """
    s = drive.specialisation
    leaning = np.ones(n_offences)
    if s > 0.0:
        for o in range(n_offences):
            leaning[o] = np.exp(s * bell(draw2(drive.leanings, r, o)) - 0.5 * s * s)
    return leaning


@kernel
def worths(i, stamp, drive, person, haunts, memory_place, memory, memory_offence, at, anchors,
           hops, route, routes, neighbour_start, neighbours, x, y, value, memory_own, memory_near,
           places, worth, mark, candidate_weight):
    """What offender ``i`` knows of and what it is worth to the offender now.

    Fills ``places`` and ``worth`` (places known, offences); returns how many places and the sum
    of their worths. ``stamp`` must not have been used with ``mark`` before.
    """
    r = np.int64(person[i])
    leaning = leanings(r, drive, value.shape[1])
    here = np.int64(anchors[r, at[r]])
    n = candidates(i, r, here, drive, at, anchors, hops, route, routes, haunts, memory_place,
                   memory, neighbour_start, neighbours, places, candidate_weight, mark, stamp)
    total_worth = 0.0
    for c in range(n):
        s = places[c]
        away = np.sqrt((x[s] - x[here]) ** 2 + (y[s] - y[here]) ** 2)
        reach = candidate_weight[c] * np.exp(-away / drive.effort)
        for o in range(value.shape[1]):
            w = value[s, o] * reach * leaning[o]
            worth[c, o] = w
            total_worth += w
    total_worth += recall(i, n, places, memory_place, memory, memory_offence, memory_own,
                          memory_near, neighbour_start, neighbours, worth)
    return n, total_worth


@kernel
def weigh(lo, hi, motivated, step, key_act, key_target, drive, person, haunts, memory_place,
          memory, memory_offence, at, anchors, hops, route, routes, neighbour_start, neighbours, x,
          y, value, memory_own, memory_near, candidate, expected, chosen, mark):
    """Offenders ``motivated[lo:hi]`` weigh what they know and decide; changes nothing but scratch.

    Parameters
    ----------
    value
        float32 (places, offences): worth of each opportunity now.
    memory_own, memory_near
        Per offence: how much a remembered place, and a neighbour of one, gain.
    candidate, expected
        Filled from row 0: places known, int32 (rows, MAX_CANDIDATES), and expected offences
        there, float64 (rows, MAX_CANDIDATES, offences).
    chosen
        Filled beside them, int64 (rows, 3): number of candidates, place and offence of the
        act, -1 for none.
    mark
        Scratch: int64 (places).
    """
    candidate_weight = np.empty(MAX_CANDIDATES, np.float64)
    for j in range(lo, hi):
        i = np.int64(motivated[j])
        r = np.int64(person[i])
        stamp = np.int64(step) * np.int64(person.size) + i + 1
        places, worth = candidate[j], expected[j]
        n, total_worth = worths(i, stamp, drive, person, haunts, memory_place, memory,
                                memory_offence, at, anchors, hops, route, routes, neighbour_start,
                                neighbours, x, y, value, memory_own, memory_near, places, worth,
                                mark, candidate_weight)
        chosen[j] = -1
        chosen[j, 0] = n if total_worth > 0.0 else 0
        if total_worth <= 0.0:
            continue
        share = 1.0 / (1.0 + total_worth)
        if uniform(key_act, r) < total_worth * share:
            chosen[j, 1], chosen[j, 2] = race(key_target, r, n, value.shape[1], places, worth)
        for c in range(n):
            for o in range(value.shape[1]):
                worth[c, o] *= share


@kernel
def act(motivated, step, candidate, expected, chosen, hazard, total, events, n_events, limit):
    """Add up what :func:`weigh` found, in the order of offenders, and append acts to ``events``.

    ``hazard``, ``total``: float64 (places, offences) and (offences), expected offences given who
    is motivated. Returns the new number of events.
    """
    for j in range(motivated.size):
        for c in range(chosen[j, 0]):
            s = candidate[j, c]
            for o in range(total.size):
                hazard[s, o] += expected[j, c, o]
                total[o] += expected[j, c, o]
        if chosen[j, 1] >= 0 and n_events < limit:
            events[n_events, STEP] = step
            events[n_events, PLACE] = chosen[j, 1]
            events[n_events, OFFENCE] = chosen[j, 2]
            events[n_events, OFFENDER] = motivated[j]
            events[n_events, VICTIM] = -1
            n_events += 1
    return n_events


@kernel
def offend(motivated, step, key_act, key_target, drive, marks, candidate, expected, chosen, hazard,
           total, events, n_events, limit, *given):
    """The offenders listed by :func:`motivate` through one step; returns the number of events.

    ``given`` are the arguments of :func:`weigh` from ``person`` to ``memory_near``; ``marks``
    has one row of its ``mark`` per thread.
    """
    at_once = candidate.shape[0]
    for begin in range(0, motivated.size, at_once):
        some = motivated[begin:begin + at_once]
        weigh(0, some.size, some, step, key_act, key_target, drive, *given, candidate, expected,
              chosen, marks[0])
        n_events = act(some, step, candidate, expected, chosen, hazard, total, events, n_events,
                       limit)
    return n_events


@kernel
def race(key, r, n, n_offences, candidate, weight):
    """Take one opportunity in proportion to its weight: first in an exponential race."""
    best = np.inf
    place = np.int64(-1)
    offence = np.int64(-1)
    for c in range(n):
        for o in range(n_offences):
            w = weight[c, o]
            if w > 0.0:
                t = -np.log(to_unit(draw2(key, r, candidate[c] * n_offences + o))) / w
                if t < best:
                    best = t
                    place = candidate[c]
                    offence = np.int64(o)
    return place, offence


@kernel
def fade_memories(memory, keep):
    """Memories of successes fade by the share ``keep`` per call."""
    for i in range(memory.shape[0]):
        for m in range(memory.shape[1]):
            memory[i, m] *= keep


@kernel
def use_up(i, place, offence, taken, strength, memory_place, memory, memory_offence,
           neighbour_start, neighbours):
    """What a success leaves of the patch it was made in, for one who remembers it or not.

    The patch is where the same offence is remembered, here or next door. Each of these memories
    loses the share ``taken``. Returned is the share that is left of the new one, whose full
    ``strength`` is that of a first success: 1 on new ground, ``1 - taken`` at once after the last.
    Who forages takes the best first and moves on (Bernasco 2009).
    """
    freshest = 0.0
    for m in range(N_MEMORY):
        p = memory_place[i, m]
        if p < 0 or memory_offence[i, m] != offence:
            continue
        patch = p == place
        for j in range(neighbour_start[place], neighbour_start[place + 1]):
            patch |= neighbours[j] == p
        if patch:
            freshest = max(freshest, memory[i, m])
            memory[i, m] *= np.float32(1.0 - taken)
    return 1.0 - taken * min(1.0, freshest / strength) if strength > 0.0 else 1.0


@kernel
def remember(i, place, offence, target, strength, memory_place, memory, memory_offence,
             memory_target):
    """A success takes the place of the weakest memory, or refreshes the same one.

    ``target`` is whom it hit, a household or a person (-1 nobody); of one offence at one place
    the latest is remembered, unless it is fainter than what is known already.
    """
    weakest = 0
    for m in range(N_MEMORY):
        if memory_place[i, m] == place and memory_offence[i, m] == offence:
            if strength >= memory[i, m]:
                memory_target[i, m] = target
                memory[i, m] = strength
            return
        if memory[i, m] < memory[i, weakest]:
            weakest = m
    if memory[i, weakest] < strength:
        memory_place[i, weakest] = place
        memory_offence[i, weakest] = offence
        memory_target[i, weakest] = target
        memory[i, weakest] = strength

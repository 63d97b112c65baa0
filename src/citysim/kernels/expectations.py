"""What single persons are expected to do in one step, given its state and before any draw.

The sums that the phases keep know places, not persons. Here the same chances are shared out to
the few people whom somebody asks about: those enrolled in a trial. Nothing here changes a model.
"""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.life import harming
from citysim.kernels.offending import MAX_CANDIDATES, companionship, urge, worths
from citysim.kernels.people import DAY, FIELD_BITS, FIELD_MASK, FLOW, INSIDE, OUT, OUTSIDE
from citysim.kernels.places import friction_at
from citysim.kernels.victims import heat


@kernel
def own_offences(rows, line, stamp, hours, drive, active, propensity, perceived_risk, status, age,
                 young, stretch, guardianship, mark, expected, person, haunts, memory_place,
                 memory, *given):
    """Offences that offenders seek themselves: chance of being motivated x share of each choice.

    Parameters
    ----------
    rows, line
        int64: offenders, and the row of ``expected`` of each.
    stamp
        First of as many stamps as there are rows, none of which ``mark`` has seen.
    young, stretch, guardianship
        By place, see :func:`citysim.kernels.offending.companionship`.
    mark
        Scratch, int64 (places).
    expected
        float64 (lines, offences), added to.
    given
        The arguments of :func:`citysim.kernels.offending.worths` from ``memory_offence`` and
        ``at`` to ``memory_near``.
    """
    places = np.empty(MAX_CANDIDATES, np.int32)
    worth = np.empty((MAX_CANDIDATES, expected.shape[1]), np.float64)
    weight = np.empty(MAX_CANDIDATES, np.float64)
    at, anchors = given[1], given[2]
    for j in range(rows.size):
        i = rows[j]
        r = np.int64(person[i])
        if active[i] == 0 or status[r] != 0:
            continue
        company = companionship(r, drive, at, anchors, age, young, stretch, guardianship)
        chance = min(1.0, urge(i, at[r], company, hours, drive, propensity, memory,
                               perceived_risk))
        n, total = worths(i, stamp + j, drive, person, haunts, memory_place, memory, *given,
                          places, worth, mark, weight)
        chance /= 1.0 + total
        for c in range(n):
            for o in range(expected.shape[1]):
                expected[line[j], o] += chance * worth[c, o]


@kernel
def heat_of_places(exposure, day_outdoors, guests, at, status, anchors, group, intoxication,
                   aggression, total):
    """Sum of :func:`citysim.kernels.victims.heat` over everybody at each place and setting.

    ``total`` is float64 (2, places), inside venues and outside.
    """
    total[:] = 0.0
    for r in range(at.size):
        here = at[r]
        if here >= 1 and status[r] == 0:
            s = np.int64(anchors[r, here])
            for setting in (INSIDE, OUTSIDE):
                total[setting, s] += heat(r, here, s, setting == INSIDE, exposure.female_assailant,
                                          exposure, day_outdoors, guests, group, intoxication,
                                          aggression)


@kernel
def share_out_friction(offence, level, beta, target, exposure, hours, weigh, stretch, friction,
                       company, calm, certainty, background, attract, place_rows, stock, seconds,
                       day_outdoors, total, by_passage, by_heat):
    """Chance of an assault on each place, per passage of a man and per unit of heat by setting.

    A woman's passage has ``female_assailant`` of a man's. As in
    :func:`citysim.kernels.victims.somebody`, the assailant is a guest, or walks by or is there, in
    proportion to the time of both; where a setting is empty all falls on the other. A place with
    one person alone has nobody who could be hit; passages and stays are counted, so that somebody
    who walked in and stayed is taken for two.
    """
    for s in range(company.size):
        by_passage[s] = by_heat[INSIDE, s] = by_heat[OUTSIDE, s] = 0.0
        if company[s] <= 0.0:
            continue
        flow = place_rows[s, FLOW]
        everybody = np.float64(flow & FIELD_MASK)
        women = np.float64((flow >> FIELD_BITS) & FIELD_MASK)
        present = stock[s, OUT] + (stock[s, DAY] if day_outdoors[s] > 0.0 else 0)
        if everybody + present < 2.0:
            continue
        hazard, indoors = friction_at(s, offence, level, beta, target, hours, weigh, stretch,
                                      friction, company, calm, certainty, background, attract)
        chance = 1.0 - np.exp(-hazard)
        passing = everybody * seconds[s] / exposure.step_seconds
        there = stock[s, OUT] * exposure.outdoors + stock[s, DAY] * day_outdoors[s]
        walking = passing / (passing + there) if total[OUTSIDE, s] > 0.0 else 1.0
        passages = women * exposure.female_assailant + (everybody - women)
        if total[INSIDE, s] <= 0.0:
            indoors = 0.0
        elif passages <= 0.0 and total[OUTSIDE, s] <= 0.0:
            indoors = 1.0
        if total[INSIDE, s] > 0.0:
            by_heat[INSIDE, s] = chance * indoors / total[INSIDE, s]
        chance *= 1.0 - indoors
        if passages > 0.0:
            by_passage[s] = chance * walking / passages
        else:
            walking = 0.0
        if total[OUTSIDE, s] > 0.0:
            by_heat[OUTSIDE, s] = chance * (1.0 - walking) / total[OUTSIDE, s]


@kernel
def assaults(people, offence, exposure, day_outdoors, by_passage, by_heat, guests, at, status,
             anchors, group, intoxication, aggression, moved, hops, route, routes, expected):
    """Assaults out of friction expected of each of ``people``, where they are and walked.

    Adds to ``expected`` (float64 (people, offences)), as :func:`share_out_friction` says.
    """
    for j in range(people.size):
        r = people[j]
        if status[r] != 0:
            continue
        here = at[r]
        found = 0.0
        if here >= 1:
            s = np.int64(anchors[r, here])
            for setting in (INSIDE, OUTSIDE):
                if by_heat[setting, s] > 0.0:
                    found += by_heat[setting, s] * heat(
                        r, here, s, setting == INSIDE, exposure.female_assailant, exposure,
                        day_outdoors, guests, group, intoxication, aggression)
        trip = np.int64(moved[r]) - 1
        if trip >= 0:
            passages = 0.0
            first = np.int64(route[r])
            for k in range(1, 5):
                last = first + np.int64(hops[r, k - 1])
                if trip // 5 == k or trip % 5 == k:
                    for h in range(first, last):
                        passages += by_passage[routes[h]]
                first = last
            found += passages * (exposure.female_assailant if group[r] >= 3 else 1.0)
        expected[j, offence] += found


@kernel
def harm_by(people, offence, level, harm, first, size, strain, tolerance, household, age, sex,
            status, expected):
    """Domestic abuse expected of each of ``people`` in the day that begins.

    As in :func:`citysim.kernels.life.harm_at_home`: an adult at liberty, women with a weight of
    their own, and somebody else there to be hit. Adds to ``expected``.
    """
    for j in range(people.size):
        r = people[j]
        h = np.int64(household[r])
        mine = harming(r, harm, age, sex, status)
        if h < 0 or size[h] < 2 or mine <= 0.0:
            continue
        adults, others = 0.0, 0
        for q in range(first[h], first[h] + size[h]):
            adults += harming(q, harm, age, sex, status)
            others += q != r and status[q] == 0
        if others > 0:
            chance = min(1.0, level * (harm.base + strain[h]) * tolerance[h])
            expected[j, offence] += chance * mine / adults

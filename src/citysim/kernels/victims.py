"""Who an offence hits: somebody actually there, by exposure and lasting proneness.

All draws are addressed by place, offence, culprit and person, never by the order of events.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import CULPRIT, OFFENCE, OFFENDER, PLACE, VICTIM
from citysim.kernels.jit import kernel
from citysim.kernels.people import DAY, FIELD_BITS, FIELD_MASK, FLOW, OUT
from citysim.kernels.places import (
    CROWD,
    EMPTY_DWELLING,
    FRICTION,
    HOUSEHOLD,
    LONE,
    LONE_WOMAN,
    NEGLECT,
    VEHICLE,
)
from citysim.kernels.random import draw2, to_unit, uniform2

_CULPRITS = 1 << 24  # keeps the addresses of two culprits at one place apart


class Exposure(NamedTuple):
    """Constants of who can be met and hit."""

    outdoors: float          # time share outdoors of people at a leisure place
    step_seconds: float
    sober_friction: float    # friction of a person who has not been drinking
    female_assailant: float  # weight of women among assailants
    damage_share: float      # vandalism that hits a household
    occupied: float          # weight of a dwelling whose people sleep, 0 by day
    proneness: float         # power of lasting proneness, 0 for none


@kernel
def proneness(key, r, power):
    """Lasting proneness of a person or household to be the one: mean 1 at power 1, 0 for none.

    A power of an exponential draw that is the same in every step, so that some are hit again
    and again beyond what exposure explains (heterogeneity, Tseloni and Pease 2003).
    """
    return (-np.log(to_unit(draw2(key, r, 0)))) ** power


@kernel
def passer(s, sex, key, kind, lasting, power, culprit, passer_start, passers, moved, group):
    """Who of one sex is met among those who walk over a place in this step; -1 for nobody.

    ``passers`` lists for every place the stored routes that cross it (4 x person + route);
    those walked now enter a race keyed by person and place.
    """
    first = np.inf
    found = np.int64(-1)
    for j in range(passer_start[s], passer_start[s + 1]):
        r = np.int64(passers[j]) >> 2
        trip = np.int64(moved[r]) - 1
        if trip < 0 or (group[r] >= 3) != (sex == 1) or r == culprit:
            continue
        k = (np.int64(passers[j]) & 3) + 1
        if trip // 5 == k or trip % 5 == k:
            t = -np.log(to_unit(draw2(key, r, s * 64 + kind + (culprit + 1) * _CULPRITS)))
            if power > 0.0:
                t /= proneness(lasting, r, power)
            if t < first:
                first = t
                found = r
    return found


@kernel
def dweller(s, form, kind, female, culprit, key, lasting, power, exposure, day_outdoors,
            regular_start, regulars,
            at, status, anchors, group, intoxication, aggression):
    """Somebody who is at a place and now and then outdoors, by exposure; -1 for nobody."""
    first = np.inf
    found = np.int64(-1)
    for j in range(regular_start[s], regular_start[s + 1]):
        r = np.int64(regulars[j])
        here = at[r]
        if here < 1 or status[r] != 0 or anchors[r, here] != s or r == culprit:
            continue
        w = exposure.outdoors if here >= 2 else day_outdoors[s]
        if group[r] >= 3:
            w *= female
        elif form == LONE_WOMAN:
            continue
        if form == FRICTION:
            w *= aggression[r] * (exposure.sober_friction + intoxication[r] / 255.0)
        if power > 0.0:
            w *= proneness(lasting, r, power)
        if w > 0.0:
            t = -np.log(to_unit(draw2(key, r, kind + (culprit + 1) * _CULPRITS))) / w
            if t < first:
                first = t
                found = r
    return found


@kernel
def somebody(s, form, kind, female, culprit, key, lasting, power, exposure, day_outdoors,
             place_rows, seconds,
             stock, passer_start, passers, moved, regular_start, regulars, at, status, anchors,
             group, intoxication, aggression):
    """Somebody present on a place: a passer-by or one of those there, by time of exposure."""
    flow = place_rows[s, FLOW]
    women = np.float64((flow >> FIELD_BITS) & FIELD_MASK)
    men = np.float64(flow & FIELD_MASK) - women
    passing = (women + men) * seconds[s] / exposure.step_seconds
    there = stock[s, OUT] * exposure.outdoors + stock[s, DAY] * day_outdoors[s]
    address = 2 * kind + (culprit + 1) * _CULPRITS
    walking = uniform2(key, s, address) * (passing + there) < passing
    women *= female
    if form == LONE_WOMAN:
        men = 0.0
    found = np.int64(-1)
    for attempt in range(2):  # the likelier kind first, the other when there is nobody
        if found >= 0:
            break
        if walking == (attempt == 0):
            if women + men > 0.0:
                sex = 1 if uniform2(key, s, address + 1) * (women + men) < women else 0
                found = passer(s, sex, key, kind, lasting, power, culprit, passer_start, passers,
                               moved, group)
        else:
            found = dweller(s, form, kind, female, culprit, key, lasting, power, exposure,
                            day_outdoors, regular_start, regulars, at, status, anchors, group,
                            intoxication, aggression)
    return found


@kernel
def household_victim(event, form, key, lasting, exposure, own, first_household, at_home, size):
    """The household hit by a burglary, a vehicle crime or damage; -1 for nobody in particular.

    ``own`` is the culprit's household, which is spared.
    """
    s = event[PLACE]
    o = event[OFFENCE]
    address = o + (np.int64(event[CULPRIT]) + 1) * _CULPRITS
    if form == NEGLECT and uniform2(key, s, address) >= exposure.damage_share:
        return np.int64(-1)
    first = np.inf
    found = np.int64(-1)
    for h in range(first_household[s], first_household[s + 1]):
        if h == own:
            continue
        t = -np.log(to_unit(draw2(key, h, address)))
        if form == EMPTY_DWELLING and at_home[h] > 0:
            if exposure.occupied <= 0.0:
                continue
            t /= exposure.occupied
        if exposure.proneness > 0.0:
            t /= proneness(lasting, h, exposure.proneness)
        if form == VEHICLE:
            t /= min(2.0, np.float64(size[h]))  # larger households own more vehicles
        if t < first:
            first = t
            found = np.int64(h)
    return found


@kernel
def find_victims(begin, end, events, form, female, exposure, day_outdoors, key, key_culprit,
                 lasting, place_rows,
                 seconds, stock, passer_start, passers, moved, regular_start, regulars,
                 first_household, household_at_home, household_first, household_size, at, status,
                 anchors, group, household, intoxication, aggression, offender_person, role):
    """Fill in victims and culprits of events ``begin`` to ``end - 1``; drop those without a target.

    Returns the new number of events.
    """
    kept = begin
    for e in range(begin, end):
        o = np.int64(events[e, OFFENCE])
        f = form[o]
        s = np.int64(events[e, PLACE])
        victim = np.int64(events[e, VICTIM])
        culprit = np.int64(events[e, CULPRIT]) if f == HOUSEHOLD else np.int64(-1)
        if events[e, OFFENDER] >= 0:
            culprit = np.int64(offender_person[events[e, OFFENDER]])
        elif f == FRICTION:
            culprit = somebody(s, f, o, exposure.female_assailant, -1, key_culprit, lasting, 0.0,
                               exposure, day_outdoors, place_rows, seconds, stock, passer_start,
                               passers, moved,
                               regular_start, regulars, at, status, anchors, group, intoxication,
                               aggression)
            if culprit >= 0:
                events[e, OFFENDER] = role[culprit]
        events[e, CULPRIT] = culprit
        if f == CROWD or f == LONE or f == LONE_WOMAN or f == FRICTION:
            victim = somebody(s, f, o, female[o], culprit, key, lasting, exposure.proneness,
                              exposure, day_outdoors, place_rows, seconds, stock, passer_start,
                              passers, moved,
                              regular_start, regulars, at, status, anchors, group, intoxication,
                              aggression)
            if victim < 0:
                continue
        elif f == EMPTY_DWELLING or f == VEHICLE or f == NEGLECT:
            own = np.int64(household[culprit]) if culprit >= 0 else np.int64(-1)
            h = household_victim(events[e], f, key, lasting, exposure, own, first_household,
                                 household_at_home, household_size)
            victim = np.int64(household_first[h]) if h >= 0 else np.int64(-1)
            if h < 0 and f == EMPTY_DWELLING:
                continue
        events[e, VICTIM] = victim
        events[kept] = events[e]
        kept += 1
    return kept

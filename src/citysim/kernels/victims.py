"""Who an offence hits: somebody there, by exposure, lasting proneness and what offenders remember.

All draws are addressed by place, offence, culprit and person, never by the order of events. Beside
the victim that is drawn stands everybody's chance of being it, by cell of residents
(``model/groups.py``): the same mean with less luck in it (Rao 1945, Blackwell 1947).
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import CULPRIT, IN_VENUE, OFFENCE, OFFENDER, PLACE, VICTIM
from citysim.kernels.jit import kernel
from citysim.kernels.offending import FORGOTTEN, N_MEMORY
from citysim.kernels.people import DAY, FIELD_BITS, FIELD_MASK, FLOW, OUT, in_settings
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
_SETTING = 128       # and those of the settings from those of the assailants


class Exposure(NamedTuple):
    """Constants of who can be met and hit."""

    outdoors: float          # time share outdoors of people at a leisure place
    step_seconds: float
    sober_friction: float    # friction of a person who has not been drinking
    female_assailant: float  # weight of women among assailants
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
def sought(i, s, o, memory_place, memory, memory_offence, memory_target, memory_own):
    """Whom an offender comes back for: remembered target and factor on its weight; -1, 1 for none.

    What a remembered place gains among places (:func:`citysim.kernels.offending.recall`), the
    remembered target gains among those of the place: the offender knows the way in and what there
    is (boost; Bernasco 2008; Johnson, Summers and Pease 2009).
    """
    if i >= 0:
        for m in range(N_MEMORY):
            if (memory_place[i, m] == s and memory_offence[i, m] == o
                    and memory[i, m] >= FORGOTTEN):
                return np.int64(memory_target[i, m]), 1.0 + memory_own[o] * memory[i, m]
    return np.int64(-1), 1.0


@kernel
def walkers(s, lasting, power, culprit, known, passer_start, passers, moved, who, weight):
    """List who walks over a place in this step, each once, with weights; returns how many.

    ``passers`` lists for every place, person by person, the stored routes that cross it
    (4 x person + route).
    """
    n = 0
    for j in range(passer_start[s], passer_start[s + 1]):
        r = np.int64(passers[j]) >> 2
        trip = np.int64(moved[r]) - 1
        if trip < 0 or r == culprit or (n > 0 and who[n - 1] == r):
            continue
        k = (np.int64(passers[j]) & 3) + 1
        if trip // 5 == k or trip % 5 == k:
            who[n] = r
            weight[n] = proneness(lasting, r, power) if power > 0.0 else 1.0
            if r == known[0]:
                weight[n] *= known[1]
            n += 1
    return n


@kernel
def heat(r, here, s, inside, female, exposure, day_outdoors, guests, group, intoxication,
         aggression):
    """Friction of a setting that person ``r`` brings at place ``s``, there by anchor ``here``.

    Inside are guests alone, outside everybody by the time outdoors. Women have the weight
    ``female``.
    """
    share = guests[s, group[r]] if here >= 2 else np.float32(0.0)
    indoors, outdoors = in_settings(share, exposure.outdoors, exposure.sober_friction,
                                    intoxication[r] / 255.0)
    w = indoors if inside else outdoors * (exposure.outdoors if here >= 2 else day_outdoors[s])
    if group[r] >= 3:
        w *= female
    return aggression[r] * w


@kernel
def dwellers(s, form, inside, female, culprit, known, lasting, power, exposure, day_outdoors,
             guests, regular_start, regulars, at, status, anchors, group, intoxication, aggression,
             who, weight):
    """List who stays at a place, weighed by exposure; returns how many.

    Exposure is the time outdoors or, in a setting of friction (``inside`` venues or not), friction
    in it.
    """
    n = 0
    for j in range(regular_start[s], regular_start[s + 1]):
        r = np.int64(regulars[j])
        here = at[r]
        if here < 1 or status[r] != 0 or anchors[r, here] != s or r == culprit:
            continue
        if form == FRICTION:
            w = heat(r, here, s, inside, female, exposure, day_outdoors, guests, group,
                     intoxication, aggression)
        elif form == LONE_WOMAN and group[r] < 3:
            continue
        else:
            w = exposure.outdoors if here >= 2 else day_outdoors[s]
            if group[r] >= 3:
                w *= female
        if power > 0.0:
            w *= proneness(lasting, r, power)
        if r == known[0]:
            w *= known[1]
        if w > 0.0:
            who[n] = r
            weight[n] = w
            n += 1
    return n


@kernel
def wanted(r, sex, group):
    """Whether a person is of the sex that is asked for: 1 women, 0 men, -1 either."""
    return sex < 0 or (group[r] >= 3) == (sex == 1)


@kernel
def race(key, address, n, who, weight, sex, group):
    """Draw one of the listed of a sex in proportion to weight; -1 when there is nobody."""
    first = np.inf
    found = np.int64(-1)
    for i in range(n):
        if wanted(who[i], sex, group):
            t = -np.log(to_unit(draw2(key, who[i], address))) / weight[i]
            if t < first:
                first = t
                found = who[i]
    return found


@kernel
def total_weight(n, who, weight, sex, group):
    """Sum of the weights of the listed of a sex."""
    total = 0.0
    for i in range(n):
        if wanted(who[i], sex, group):
            total += weight[i]
    return total


@kernel
def share_out(mass, total, n, who, weight, sex, group, cell, chance):
    """Add a probability to ``chance`` (cells) as :func:`race` would hand it out.

    People behind the last of ``cell`` (residents) are outsiders, who belong to no cell.
    """
    for i in range(n):
        if who[i] < cell.size and wanted(who[i], sex, group):
            chance[cell[who[i]]] += mass * weight[i] / total


@kernel
def spread_chances(walking, woman, n_walking, walker, walker_weight, n_there, dweller,
                   dweller_weight, group, cell, chance):
    """Chance of each cell to hold whom :func:`somebody` finds, given that it finds somebody.

    ``walking`` is the probability that a passer-by is looked for first, ``woman`` that this is a
    woman. When there is nobody of the kind that is looked for first, the other one is tried.
    """
    women = total_weight(n_walking, walker, walker_weight, 1, group)
    men = total_weight(n_walking, walker, walker_weight, 0, group)
    there = total_weight(n_there, dweller, dweller_weight, -1, group)
    met = (woman if women > 0.0 else 0.0) + (1.0 - woman if men > 0.0 else 0.0)
    tried = walking if there > 0.0 else 1.0  # passers-by are looked for, first or second
    stays = 1.0 - walking * met if there > 0.0 else 0.0
    any_one = tried * met + stays
    if any_one <= 0.0:
        return
    if women > 0.0:
        share_out(tried * woman / any_one, women, n_walking, walker, walker_weight, 1, group,
                  cell, chance)
    if men > 0.0:
        share_out(tried * (1.0 - woman) / any_one, men, n_walking, walker, walker_weight, 0, group,
                  cell, chance)
    if there > 0.0:
        share_out(stays / any_one, there, n_there, dweller, dweller_weight, -1, group, cell, chance)


@kernel
def somebody(s, form, inside, kind, female, culprit, known, key, lasting, power, exposure,
             day_outdoors, guests, place_rows, seconds, stock, passer_start, passers, moved,
             regular_start, regulars, at, status, anchors, group, intoxication, aggression, cell,
             chance):
    """Somebody present on a place: a passer-by or one of those there, by time of exposure.

    With friction it is a guest where it is ``inside`` venues, else one of the others; when there is
    nobody in that setting, one in the other. ``chance`` (cells) takes in everybody's chance of
    being the one.
    """
    flow = place_rows[s, FLOW]
    women = np.float64((flow >> FIELD_BITS) & FIELD_MASK)
    men = np.float64(flow & FIELD_MASK) - women
    passing = (women + men) * seconds[s] / exposure.step_seconds
    there = stock[s, OUT] * exposure.outdoors + stock[s, DAY] * day_outdoors[s]
    address = 2 * kind + (culprit + 1) * _CULPRITS
    walks = uniform2(key, s, address) * (passing + there) < passing
    women *= female
    if form == LONE_WOMAN:
        men = 0.0
    sex = 1 if uniform2(key, s, address + 1) * (women + men) < women else 0

    crossing = passer_start[s + 1] - passer_start[s] if women + men > 0.0 else 0
    walker, walker_weight = np.empty(crossing, np.int64), np.empty(crossing)
    listed = regular_start[s + 1] - regular_start[s]
    dweller, dweller_weight = np.empty(listed, np.int64), np.empty(listed)
    n_walking = n_there = 0
    for within in (inside, not inside):
        if n_walking + n_there > 0 or (within and form != FRICTION):
            continue
        if crossing > 0 and not within:
            n_walking = walkers(s, lasting, power, culprit, known, passer_start, passers, moved,
                                walker, walker_weight)
        n_there = dwellers(s, form, within, female, culprit, known, lasting, power, exposure,
                           day_outdoors, guests, regular_start, regulars, at, status, anchors,
                           group, intoxication, aggression, dweller, dweller_weight)
    if n_walking + n_there > 0:
        spread_chances(passing / (passing + there) if passing > 0.0 else 0.0,
                       women / (women + men) if women > 0.0 else 0.0, n_walking, walker,
                       walker_weight, n_there, dweller, dweller_weight, group, cell, chance)

    address = kind + (culprit + 1) * _CULPRITS
    found = np.int64(-1)
    for attempt in range(2):  # the likelier kind first, the other when there is nobody
        if found < 0 and walks == (attempt == 0):
            found = race(key, s * 64 + address, n_walking, walker, walker_weight, sex, group)
        elif found < 0:
            found = race(key, address, n_there, dweller, dweller_weight, -1, group)
    return found


@kernel
def household_victim(event, form, known, key, lasting, exposure, household_damage, own,
                     first_household, at_home, first, size, cell, chance):
    """The household hit by a burglary, a vehicle crime or damage; -1 for nobody in particular.

    ``own`` is the culprit's household, which is spared; ``known`` what :func:`sought` gives;
    ``household_damage`` (places) the share of damage that hits a household.
    ``chance`` (cells) takes in the chances of all households, by the cell of their first person.
    """
    s = event[PLACE]
    o = event[OFFENCE]
    address = o + (np.int64(event[CULPRIT]) + 1) * _CULPRITS
    mass = household_damage[s] if form == NEGLECT else 1.0
    least = np.inf
    found = np.int64(-1)
    total = 0.0
    lo, hi = first_household[s], first_household[s + 1]
    weight = np.zeros(hi - lo)
    for h in range(lo, hi):
        w = exposure.occupied if form == EMPTY_DWELLING and at_home[h] > 0 else 1.0
        if h == own or w <= 0.0:
            continue
        if exposure.proneness > 0.0:
            w *= proneness(lasting, h, exposure.proneness)
        if form == VEHICLE:
            w *= min(2.0, np.float64(size[h]))  # larger households own more vehicles
        if h == known[0]:
            w *= known[1]
        weight[h - lo] = w
        total += w
        t = -np.log(to_unit(draw2(key, h, address))) / w
        if t < least:
            least = t
            found = np.int64(h)
    for h in range(lo, hi):
        if weight[h - lo] > 0.0:
            chance[cell[first[h]]] += mass * weight[h - lo] / total
    if form == NEGLECT and uniform2(key, s, address) >= mass:
        return np.int64(-1)
    return found


@kernel
def find_victim(event, chance, form, female, exposure, day_outdoors, household_damage, guests,
                indoors, key, key_culprit, lasting, place_rows, seconds, stock, passer_start,
                passers, moved, regular_start, regulars, first_household, household_at_home,
                household_first, household_size, at, status, anchors, group, household,
                intoxication, aggression, offender_person, role, cell, memory_place, memory,
                memory_offence, memory_target, memory_own):
    """Fill in victim and culprit of an event; False when there is no target.

    ``chance`` (cells) becomes the chance of each cell of residents to hold the victim, given the
    culprit; zero where the victim stands already (offences within a household). ``indoors`` is
    the share of assaults out of friction that are among ``guests`` of venues, float64 (places);
    both parties are of the setting.
    """
    o = np.int64(event[OFFENCE])
    f = form[o]
    s = np.int64(event[PLACE])
    victim = np.int64(event[VICTIM])
    culprit = np.int64(event[CULPRIT]) if f == HOUSEHOLD else np.int64(-1)
    if event[OFFENDER] >= 0:
        culprit = np.int64(offender_person[event[OFFENDER]])
    inside = f == FRICTION and uniform2(key_culprit, s, _SETTING + o) < indoors[s]
    event[IN_VENUE] = np.int32(inside)
    if f == FRICTION and culprit < 0:
        culprit = somebody(s, f, inside, o, exposure.female_assailant, -1, (np.int64(-1), 1.0),
                           key_culprit, lasting, 0.0, exposure, day_outdoors, guests, place_rows,
                           seconds, stock, passer_start, passers, moved, regular_start, regulars,
                           at, status, anchors, group, intoxication, aggression, cell, chance)
        if culprit >= 0:
            event[OFFENDER] = role[culprit]
    event[CULPRIT] = culprit
    known = sought(np.int64(event[OFFENDER]), s, o, memory_place, memory, memory_offence,
                   memory_target, memory_own)
    chance[:] = 0.0
    target = True
    if f == CROWD or f == LONE or f == LONE_WOMAN or f == FRICTION:
        victim = somebody(s, f, inside, o, female[o], culprit, known, key, lasting,
                          exposure.proneness, exposure, day_outdoors, guests, place_rows, seconds,
                          stock, passer_start, passers, moved, regular_start, regulars, at,
                          status, anchors, group, intoxication, aggression, cell, chance)
        target = victim >= 0
    elif f == EMPTY_DWELLING or f == VEHICLE or f == NEGLECT:
        own = np.int64(household[culprit]) if culprit >= 0 else np.int64(-1)
        h = household_victim(event, f, known, key, lasting, exposure, household_damage, own,
                             first_household, household_at_home, household_first, household_size,
                             cell, chance)
        victim = np.int64(household_first[h]) if h >= 0 else np.int64(-1)
        target = h >= 0 or f != EMPTY_DWELLING
    event[VICTIM] = victim
    return target


@kernel
def keep_event(e, kept, events, chance, victim_chances):
    """Move an event that has its victim to row ``kept`` and add its chances to its offence."""
    victim_chances[events[e, OFFENCE]] += chance
    events[kept] = events[e]


@kernel
def find_victims(begin, end, events, chance, victim_chances, form, female, exposure, *given):
    """Victims and culprits of events ``begin`` to ``end - 1``; drop those without a target.

    Parameters
    ----------
    chance
        float64 (any, cells), of which the first row is worked in.
    victim_chances
        float64 (offences, cells): takes in :func:`find_victim`'s chances of the events that stay.
    form, female, exposure, given
        What :func:`find_victim` asks for.

    Returns
    -------
    int
        The new number of events.
    """
    kept = begin
    for e in range(begin, end):
        if find_victim(events[e], chance[0], form, female, exposure, *given):
            keep_event(e, kept, events, chance[0], victim_chances)
            kept += 1
    return kept

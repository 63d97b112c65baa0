"""What follows an offence: who the victim is, report, call, response, arrest, memory, fear.

All draws are addressed by place, offence and persons, never by the order of events.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.offending import remember
from citysim.kernels.people import (
    DAY,
    EMPTY,
    FIELD_BITS,
    FIELD_MASK,
    FLOW,
    HOME,
    OUT,
    OUT_WOMEN,
    OUT_YOUNG,
)
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

# Columns of an event (int32).
(STEP, PLACE, OFFENCE, OFFENDER, VICTIM, REPORTED, RECORDED, CLEARED, RESPONSE, CULPRIT) = range(10)
N_EVENT = 10


class Law(NamedTuple):
    """Constants of reporting, response, clearance and arrest."""

    trust_weight: float       # log odds of reporting per unit of trust above the middle
    foreign_weight: float     # log odds of reporting of foreign nationals against others
    support_weight: float     # log odds that full reporting support adds for hidden offences
    recording: float          # share of reports that are recorded
    speed: float              # m per minute of a unit on the way
    handling: float           # minutes a call keeps a unit
    target: float             # minutes within which a response is felt as good
    no_unit: float            # minutes until somebody comes when no unit is on duty
    cooperation: float        # how far trust raises clearance
    slow_loss: float          # share of clearance lost when the response misses its target
    learning: float           # move of perceived risk towards 1 on arrest
    ease: float               # move of perceived risk towards 0 on getting away
    response_trust: float     # move of trust after a good (+) or late (-) response
    household_fear: float     # share of the victim's fear that the household takes over
    share_memory: float       # share of a memory that co-offenders take over


@kernel
def proneness(key, r, power):
    """Lasting proneness of a person or household to be the one: mean near 1, power 0 for none.

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
            t = -np.log(to_unit(draw2(key, r, s * 64 + kind)))
            if power > 0.0:
                t /= proneness(lasting, r, power)
            if t < first:
                first = t
                found = r
    return found


@kernel
def person_victim(event, form, female, key, lasting, power, place_rows, stock, present, outdoors, passer_start,
                  passers, moved, regular_start, regulars, at, status, anchors, group,
                  intoxication, aggression):
    """Somebody present on the place, by exposure: a passer-by or one of those out there.

    Returns a row of people, or -1 when nobody suitable is there.
    """
    s = event[PLACE]
    o = event[OFFENCE]
    culprit = event[CULPRIT]
    flow = place_rows[s, FLOW]
    passing = max(0.0, present[s] - stock[s, OUT] * outdoors)
    u = uniform2(key, s, 2 * o)
    if u * present[s] < passing:
        w = np.float64((flow >> FIELD_BITS) & FIELD_MASK) * female
        m = np.float64(flow & FIELD_MASK) - np.float64((flow >> FIELD_BITS) & FIELD_MASK)
        if form == LONE_WOMAN:
            m = 0.0
        if w + m > 0.0:
            sex = 1 if uniform2(key, s, 2 * o + 1) * (w + m) < w else 0
            r = passer(s, sex, key, o, lasting, power, culprit, passer_start, passers, moved, group)
            if r >= 0:
                return r
    return dweller(s, o, form, female, culprit, key, lasting, power, regular_start, regulars, at, status, anchors,
                   group, intoxication, aggression)


@kernel
def dweller(s, o, form, female, culprit, key, lasting, power, regular_start, regulars, at, status,
            anchors, group, intoxication, aggression):
    """Somebody out at a leisure place, first in a race weighed by exposure; -1 for nobody."""
    first = np.inf
    found = np.int64(-1)
    for j in range(regular_start[s], regular_start[s + 1]):
        r = np.int64(regulars[j])
        if at[r] < 2 or status[r] != 0 or anchors[r, at[r]] != s or r == culprit:
            continue
        w = female if group[r] >= 3 else 1.0
        if form == LONE_WOMAN and group[r] < 3:
            w = 0.0
        if form == FRICTION:
            w *= aggression[r] * (0.12 + intoxication[r] / 255.0)
        if power > 0.0:
            w *= proneness(lasting, r, power)
        if w > 0.0:
            t = -np.log(to_unit(draw2(key, r, o))) / w
            if t < first:
                first = t
                found = r
    return found


@kernel
def household_victim(event, form, damage_share, key, lasting, power, first_household, at_home,
                     size, occupied):
    """The household hit by a burglary, a vehicle crime or damage; -1 for nobody in particular."""
    s = event[PLACE]
    o = event[OFFENCE]
    if form == NEGLECT and uniform2(key, s, 2 * o) >= damage_share:
        return np.int64(-1)
    first = np.inf
    found = np.int64(-1)
    for h in range(first_household[s], first_household[s + 1]):
        t = -np.log(to_unit(draw2(key, h, o)))
        if form == EMPTY_DWELLING and at_home[h] > 0:
            if occupied <= 0.0:
                continue
            t /= occupied
        if power > 0.0:
            t /= proneness(lasting, h, power)
        if form == VEHICLE:
            t /= min(2.0, np.float64(size[h]))
        if t < first:
            first = t
            found = h
    return np.int64(found)


@kernel
def find_victims(begin, end, events, form, female, damage_share, occupied, outdoors, key,
                 key_culprit, lasting, power,
                 place_rows, stock, present, passer_start, passers, moved, regular_start, regulars,
                 first_household,
                 household_at_home, household_first, household_size, at, status, anchors, group,
                 intoxication, aggression, offender_person, role):
    """Fill in victims and culprits of events ``begin`` to ``end - 1``; drop those without a target.

    Returns the new number of events.
    """
    kept = begin
    for e in range(begin, end):
        o = events[e, OFFENCE]
        f = form[o]
        s = events[e, PLACE]
        if f == HOUSEHOLD:
            events[kept] = events[e]
            kept += 1
            continue
        culprit = np.int64(-1)
        if events[e, OFFENDER] >= 0:
            culprit = np.int64(offender_person[events[e, OFFENDER]])
        elif f == FRICTION:
            culprit = dweller(s, o, f, 0.15, -1, key_culprit, lasting, 0.0, regular_start, regulars, at, status,
                              anchors, group, intoxication, aggression)
            if culprit < 0:
                culprit = passer(s, 0, key_culprit, o, lasting, 0.0, -1, passer_start, passers, moved, group)
            if culprit >= 0:
                events[e, OFFENDER] = role[culprit]
        events[e, CULPRIT] = culprit
        victim = np.int64(-1)
        if f == CROWD or f == LONE or f == LONE_WOMAN or f == FRICTION:
            victim = person_victim(events[e], f, female[o], key, lasting, power, place_rows, stock, present,
                                   outdoors, passer_start, passers, moved, regular_start,
                                   regulars, at, status, anchors, group, intoxication, aggression)
            if victim < 0:
                continue
        elif f == EMPTY_DWELLING or f == VEHICLE or f == NEGLECT:
            h = household_victim(events[e], f, damage_share, key, lasting, power,
                                 first_household, household_at_home, household_size, occupied)
            if h >= 0:
                victim = np.int64(household_first[h])
            elif f == EMPTY_DWELLING:
                continue
        events[e, VICTIM] = victim
        events[kept] = events[e]
        kept += 1
    return kept


@kernel
def respond(place, law, n_units, unit_place, unit_busy, x, y):
    """Minutes until a unit arrives; the unit that would be first there takes the call."""
    soonest = law.no_unit
    unit = -1
    for u in range(n_units):
        p = unit_place[u]
        way = np.sqrt((x[p] - x[place]) ** 2 + (y[p] - y[place]) ** 2) / law.speed
        if unit_busy[u] + way < soonest:
            soonest = unit_busy[u] + way
            unit = u
    if unit >= 0:
        unit_place[unit] = place
        unit_busy[unit] = soonest + law.handling
    return soonest


@kernel
def frighten(victim, amount, share, household, household_first, household_size, fear):
    """Fear of the victim, and in part of the household, jumps by a share of what is left."""
    for d in range(2):
        fear[victim, d] += np.float32((1.0 - fear[victim, d]) * amount)
    h = household[victim]
    if h >= 0:
        for r in range(household_first[h], household_first[h] + household_size[h]):
            if r != victim:
                for d in range(2):
                    fear[r, d] += np.float32((1.0 - fear[r, d]) * amount * share)


@kernel
def take_in(r, at, status, anchors, group, household, at_home, stock):
    """Detain a person: out of the stocks of the place, and of the household if at home."""
    here = at[r]
    s = np.int64(anchors[r, here])
    if here == 0:
        h = household[r]
        if h >= 0:
            stock[s, HOME] -= 1
            at_home[h] -= 1
            if at_home[h] == 0:
                stock[s, EMPTY] += 1
    elif here == 1:
        stock[s, DAY] -= 1
    else:
        stock[s, OUT] -= 1
        if group[r] >= 3:
            stock[s, OUT_WOMEN] -= 1
        if group[r] % 3 == 0:
            stock[s, OUT_YOUNG] -= 1
    status[r] = 1
    at[r] = 0


@kernel
def release(step, person, released_at, at, status, anchors, household, at_home, stock):
    """Detained people whose time is up come home."""
    for i in range(person.size):
        r = np.int64(person[i])
        if status[r] == 1 and released_at[i] <= step:
            status[r] = 0
            at[r] = 0
            h = household[r]
            if h >= 0:
                s = np.int64(anchors[r, 0])
                stock[s, HOME] += 1
                if at_home[h] == 0:
                    stock[s, EMPTY] -= 1
                at_home[h] += 1


@kernel
def report_odds(base, victim, hidden, law, support, foreign, trust_police):
    """Probability that an offence is reported, from its base rate and the victim's trust."""
    odds = np.log(base / (1.0 - base))
    if victim >= 0:
        odds += law.trust_weight * (trust_police[victim] - 0.5)
        odds += law.foreign_weight * foreign[victim]
    if hidden:
        odds += law.support_weight * support
    return 1.0 / (1.0 + np.exp(-odds))


@kernel
def follow_up(begin, end, steps_per_day, law, support, weight, key_report, key_clear, events, form,
              report, urgent, clear, detain, detain_days, impact, n_units, unit_place,
              unit_busy, x, y, recorded, foreign, trust_police, fear, victimised, household,
              household_first, household_size, household_at_home, at, status, anchors, group, stock,
              offender_person, perceived_risk, offender_group, group_start, groups, memory_place,
              memory, memory_offence, memory_strength, released_at, crimes, arrests, street):
    """Report, call, response, clearance, arrest, memory and fear after each event.

    ``weight`` is the number of real offences that one simulated offence stands for.
    """
    for e in range(begin, end):
        o = events[e, OFFENCE]
        s = np.int64(events[e, PLACE])
        victim = np.int64(events[e, VICTIM])
        offender = np.int64(events[e, OFFENDER])
        hidden = form[o] == HOUSEHOLD or form[o] == LONE_WOMAN
        address = victim if victim >= 0 else s
        p = report_odds(report[o], victim, hidden, law, support, foreign, trust_police)
        reported = uniform2(key_report, address, 2 * o) < p
        minutes = -1.0
        if reported:
            events[e, REPORTED] = 1
            if uniform2(key_report, address, 2 * o + 1) < law.recording:
                events[e, RECORDED] = 1
                if street[o]:
                    recorded[s] += weight
            if urgent[o]:
                minutes = respond(s, law, n_units, unit_place, unit_busy, x, y)
                events[e, RESPONSE] = np.int32(minutes * 10.0)
        trust = trust_police[victim] if victim >= 0 else 0.5
        if victim >= 0:
            victimised[victim] += 1
            frighten(victim, impact[o], law.household_fear, household, household_first,
                     household_size, fear)
            if minutes >= 0.0:
                move = law.response_trust if minutes <= law.target else -law.response_trust
                trust_police[victim] = np.float32(min(1.0, max(0.0, trust + move)))
        if offender >= 0:
            crimes[offender] += 1
        solved = clear[o] * (1.0 + law.cooperation * (trust - 0.5))
        if minutes > law.target:
            solved *= 1.0 - law.slow_loss
        who = np.int64(events[e, CULPRIT])
        if reported and uniform2(key_clear, max(who, 0), s * 64 + o) < solved:
            events[e, CLEARED] = 1
            if offender >= 0:
                arrests[offender] += 1
                perceived_risk[offender] += np.float32(
                    (1.0 - perceived_risk[offender]) * law.learning)
                r = np.int64(offender_person[offender])
                if status[r] == 0 and uniform2(key_clear, r, 7) < detain[o]:
                    take_in(r, at, status, anchors, group, household, household_at_home, stock)
                    released_at[offender] = np.int32(
                        events[e, STEP] + detain_days[o] * steps_per_day)
        elif offender >= 0:
            perceived_risk[offender] *= np.float32(1.0 - law.ease)
            remember(offender, s, o, memory_strength[o], memory_place, memory, memory_offence)
            g = offender_group[offender]
            if g >= 0:
                for j in range(group_start[g], group_start[g + 1]):
                    mate = np.int64(groups[j])
                    if mate != offender:
                        remember(mate, s, o, memory_strength[o] * law.share_memory, memory_place,
                                 memory, memory_offence)

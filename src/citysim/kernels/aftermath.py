"""What follows an offence: report, call, response, clearance, arrest, memory, fear.

All draws are addressed by place, offence and persons, never by the order of events.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import (
    CLEARED,
    CULPRIT,
    OFFENCE,
    OFFENDER,
    PLACE,
    RECORDED,
    REPORTED,
    RESPONSE,
    STEP,
    VICTIM,
)
from citysim.kernels.jit import kernel
from citysim.kernels.offending import remember, use_up
from citysim.kernels.people import DAY, EMPTY, HOME, OUT, OUT_WOMEN, OUT_YOUNG
from citysim.kernels.places import EMPTY_DWELLING, HOUSEHOLD, LONE_WOMAN, NEGLECT, VEHICLE
from citysim.kernels.random import uniform2


class Law(NamedTuple):
    """Constants of reporting, response, clearance and arrest."""

    trust_weight: float       # log odds of reporting per unit of trust above the middle
    foreign_weight: float     # log odds of reporting of foreign nationals against others
    support_weight: float     # log odds that full reporting support adds for hidden offences
    recording: float          # share of reports that are recorded
    speed: float              # m per minute of a unit on the way
    dispatch: float           # minutes from the call until a unit is sent
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
    taken: float              # share of what a patch has to offer that a success takes


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
    if unit < 0:
        return law.no_unit
    unit_place[unit] = place
    unit_busy[unit] = soonest + law.handling
    return law.dispatch + soonest


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
def follow_up(begin, end, steps_per_day, law, support, weight, key_report, key_clear, events,
              chances, form, report, urgent, clear, detain, detain_days, impact, n_units,
              unit_place, unit_busy, x, y, recorded, foreign, trust_police, fear, victimised,
              household, household_first, household_size, household_at_home, at, status, anchors,
              group, stock, offender_person, perceived_risk, offender_group, group_start, groups,
              memory_place, memory, memory_offence, memory_target, memory_strength, neighbour_start,
              neighbours, released_at, crimes, arrests, street):
    """Report, call, response, clearance, arrest, memory and fear after each event.

    ``weight`` is the number of real offences that one simulated offence stands for. To ``chances``
    (offences, 2) is added, per event, the probability that it is reported and that it is recorded,
    as they stand before the draws.
    """
    for e in range(begin, end):
        o = events[e, OFFENCE]
        s = np.int64(events[e, PLACE])
        victim = np.int64(events[e, VICTIM])
        offender = np.int64(events[e, OFFENDER])
        hidden = form[o] == HOUSEHOLD or form[o] == LONE_WOMAN
        address = victim if victim >= 0 else s
        events[e, RESPONSE] = -1
        p = report_odds(report[o], victim, hidden, law, support, foreign, trust_police)
        chances[o, 0] += p
        chances[o, 1] += p * law.recording
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
            target = victim
            if victim >= 0 and (form[o] == EMPTY_DWELLING or form[o] == VEHICLE
                                or form[o] == NEGLECT):
                target = np.int64(household[victim])
            left = use_up(offender, s, o, law.taken, memory_strength[o], memory_place, memory,
                          memory_offence, neighbour_start, neighbours)
            remember(offender, s, o, target, memory_strength[o] * left, memory_place, memory,
                     memory_offence, memory_target)
            g = offender_group[offender]
            if g >= 0:
                for j in range(group_start[g], group_start[g + 1]):
                    mate = np.int64(groups[j])
                    if mate != offender:
                        left = use_up(mate, s, o, law.taken, memory_strength[o], memory_place,
                                      memory, memory_offence, neighbour_start, neighbours)
                        remember(mate, s, o, target,
                                 memory_strength[o] * left * law.share_memory,
                                 memory_place, memory, memory_offence, memory_target)

"""Residents, commuters and visitors through one step: choose, travel, leave traces.

The pass walks the people table in memory order, block by block: first everyone in the block
decides, then those who change place travel. Only they touch place memory: stocks of who is
where change by whole numbers, and every segment of a walked trip gets one packed count and
gives back its cue of insecurity. Whole numbers do not depend on order, so any split into
chunks gives the same result.
"""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.random import draw, to_unit

# Columns of a step's place rows (uint64).
FLOW, CUE = 0, 1
# The flow counter packs three counts of 21 bits: all, women, people under 25.
FIELD_BITS = 21
FIELD_MASK = (1 << FIELD_BITS) - 1
# Columns of the stocks (int32).
HOME, DAY, OUT, OUT_WOMEN, OUT_YOUNG, EMPTY = 0, 1, 2, 3, 4, 5
N_STOCKS = 6
# Fixed-point scales.
CUE_SCALE = 1 << 20
FRICTION_SCALE = 1 << 16

# Activities of the timetables.
SLEEP, AT_HOME, AT_DAY_PLACE, FREE = 0, 1, 2, 3

BLOCK = 1024  # people decided before their trips are walked: their rows stay in the cache


@kernel
def pick(u, w2, w3, w4):
    """Anchor chosen by a uniform number: 0 (weight 1), 2, 3 or 4."""
    one = np.float32(1.0)
    u *= one + w2 + w3 + w4
    out = u >= one
    return out * 2 + (u >= one + w2) + (u >= one + w2 + w3)


@kernel
def decide(lo, hi, hour, key, dark, timetables, timetable, shift, status, at, anchors, minutes,
           modes, group, caution, pull, decay, stay, trip_person, trip_from, trip_to):
    """Where people ``lo`` to ``hi - 1`` want to be; lists those who must travel.

    The timetable gives the default activity. In free time staying in competes with three
    leisure anchors (multinomial logit): a place's weight is its pull on the person's group
    now, less travel time, times the person's caution; where one is already, the stay has
    inertia and costs no travel. Returns the number of trips listed.
    """
    n = 0
    for r in range(lo, hi):
        if status[r] != 0:
            continue
        t = hour - shift[r]
        if t < 0:
            t += 168
        elif t >= 168:
            t -= 168
        activity = timetables[timetable[r], t]
        here = at[r]
        there = 0
        if activity == FREE:
            g = group[r]
            care = caution[r, dark]
            mode = modes[r]
            w2 = pull[anchors[r, 2], g] * care
            w3 = pull[anchors[r, 3], g] * care
            w4 = pull[anchors[r, 4], g] * care
            d2 = decay[(mode >> 2) & 3, minutes[r, 1]]
            d3 = decay[(mode >> 4) & 3, minutes[r, 2]]
            d4 = decay[(mode >> 6) & 3, minutes[r, 3]]
            w2 *= stay if here == 2 else d2
            w3 *= stay if here == 3 else d3
            w4 *= stay if here == 4 else d4
            there = pick(np.float32(to_unit(draw(key, r))), w2, w3, w4)
        elif activity == AT_DAY_PLACE and anchors[r, 1] != anchors[r, 0]:
            there = 1
        # Always written, counted when it is a trip: cheaper than a branch that is hard to guess.
        trip_person[n] = r
        trip_from[n] = here
        trip_to[n] = there
        n += there != here
    return n


@kernel
def find_routes(n_trips, trip_person, trip_from, trip_to, hops, route, routes, legs):
    """Where the two legs of each listed trip begin and end in ``routes`` (int64, 4 a trip).

    Reads both ends of each leg in a loop with nothing else in it, so that many memory
    accesses are under way at once; walking then finds them in the cache. Returns the sum of
    what it read, which keeps the reads from being optimised away.
    """
    touched = np.int64(0)
    for i in range(n_trips):
        r = trip_person[i]
        for leg in range(2):
            k = np.int64(trip_to[i]) if leg == 1 else np.int64(trip_from[i])
            first = np.int64(route[r])
            for before in range(k - 1):
                first += np.int64(hops[r, before])
            last = first + (np.int64(hops[r, k - 1]) if k > 0 else 0)
            legs[i, 2 * leg] = first
            legs[i, 2 * leg + 1] = last
            if last > first:
                touched += np.int64(routes[first]) + np.int64(routes[last - 1])
    return touched


@kernel
def travel(n_trips, trip_person, trip_from, trip_to, legs, dark, at, anchors, routes, household,
           at_home, group, sensitivity, fear, intoxication, aggression, sober, rise, fall, marks,
           seconds, step_seconds, place_rows, stock, friction, moved):
    """Walk the listed trips, each by way of home; returns the number of segments walked.

    Every segment counts the passage and gives its cue. Fear moves towards the mean cue of the
    way, weighed by the person's sensitivity: fast upwards, slowly downwards. Written in one
    piece: a call would pass two dozen arrays by value, which costs more than the walk.
    """
    n_hops = 0
    for i in range(n_trips):
        r = np.int64(trip_person[i])
        g = group[r]
        mark = marks[g]
        home = np.int64(anchors[r, 0])
        dwelling = np.int64(household[r])
        drunk = intoxication[r]
        weight = aggression[r] * np.float32(drunk) / 255.0 * FRICTION_SCALE / step_seconds
        cue = np.uint64(0)
        n = 0
        for leg in range(2):
            k = np.int64(trip_to[i]) if leg == 1 else np.int64(trip_from[i])
            by = 1 if leg == 1 else -1
            if k == 0:
                if dwelling >= 0:
                    stock[home, HOME] += by
                    before = np.int64(at_home[dwelling])
                    at_home[dwelling] = before + by
                    if before + by == 0:
                        stock[home, EMPTY] += 1
                    elif before == 0:
                        stock[home, EMPTY] -= 1
                continue
            first = legs[i, 2 * leg]
            last = legs[i, 2 * leg + 1]
            for j in range(first, last):
                s = np.int64(routes[j])
                place_rows[s, FLOW] += mark
                cue += place_rows[s, CUE]
            if drunk > 0:
                for j in range(first, last):
                    s = np.int64(routes[j])
                    friction[s] += np.int64(weight * seconds[s])
            n += last - first
            s = np.int64(anchors[r, k])
            if k == 1:
                stock[s, DAY] += by
            else:
                stock[s, OUT] += by
                stock[s, OUT_WOMEN] += by * (g >= 3)
                stock[s, OUT_YOUNG] += by * (g == 0 or g == 3)
        at[r] = trip_to[i]
        moved[r] = 1 + 5 * trip_from[i] + trip_to[i]
        if trip_to[i] == 0 and drunk > 0:
            intoxication[r] = np.uint8(np.float32(drunk) * sober)
        if n > 0:
            seen = sensitivity[r] * np.float32(cue / np.uint64(n * CUE_SCALE))
            gap = min(np.float32(1.0), seen) - fear[r, dark]
            fear[r, dark] += gap * (rise if gap > 0 else fall)
        n_hops += n
    return n_hops


@kernel
def drink_and_jostle(lo, hi, at, status, anchors, intoxication, substance, aggression, drink,
                     sober_friction, friction):
    """People out at a leisure anchor drink where alcohol leads, and bring their friction.

    Friction of a person is aggression times (sober friction + intoxication) times the time spent.
    """
    for r in range(lo, hi):
        here = at[r]
        if here >= 2 and status[r] == 0:
            s = anchors[r, here]
            level = min(intoxication[r] + drink[s] * substance[r], np.float32(255.0))
            intoxication[r] = np.uint8(level)
            heat = aggression[r] * (sober_friction + level / 255.0)
            friction[s] += np.int64(heat * FRICTION_SCALE)


@kernel
def move_people(lo, hi, hour, key, dark, timetables, timetable, shift, status, at,
                anchors, minutes, modes, hops, route, routes, household, at_home, group, caution,
                sensitivity, fear, intoxication, substance, aggression, pull, decay, stay, drink,
                sober_friction, sober, rise, fall, marks, seconds, step_seconds, place_rows,
                stock, friction,
                moved, trips):
    """One step of people ``lo`` to ``hi - 1``, block by block.

    Parameters
    ----------
    hour
        Hour of the week, 0 at Monday midnight.
    key
        Stream key of the choice in this step.
    dark
        1 after dark, else 0; selects the column of ``caution`` and ``fear``.
    pull
        float32 (places, 6): what a place has on offer now for each group, as exp(utility).
    decay
        float32 (4, 256): exp(-cost) by mode and minutes.
    stay
        Inertia of a stay, multiplies the weight of the present place.
    drink, sober_friction, sober
        Intoxication gained per step by place (float32, in 1/255), friction of the sober, and the
        share of intoxication kept on coming home.
    rise, fall
        Shares by which fear moves towards what a trip showed, upwards and downwards.
    place_rows, stock, friction
        Changed in place; see the module's columns.
    moved
        uint8, cleared by the caller: 1 + 5 x anchor left + anchor reached for those who travel.
    trips
        int64: trips listed, segments walked, and a sum that only keeps reads alive.
    """
    trip_person = np.empty(BLOCK + 1, np.int32)
    trip_from = np.empty(BLOCK + 1, np.uint8)
    trip_to = np.empty(BLOCK + 1, np.uint8)
    legs = np.empty((BLOCK, 4), np.int64)
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        drink_and_jostle(start, stop, at, status, anchors, intoxication, substance, aggression,
                         drink, sober_friction, friction)
        n = decide(start, stop, hour, key, dark, timetables, timetable, shift, status, at, anchors,
                   minutes, modes, group, caution, pull, decay, stay, trip_person, trip_from,
                   trip_to)
        trips[0] += n
        trips[2] += find_routes(n, trip_person, trip_from, trip_to, hops, route, routes, legs)
        trips[1] += travel(n, trip_person, trip_from, trip_to, legs, dark, at, anchors,
                           routes, household, at_home, group, sensitivity, fear, intoxication,
                           aggression, sober, rise, fall, marks, seconds, step_seconds, place_rows,
                           stock, friction, moved)

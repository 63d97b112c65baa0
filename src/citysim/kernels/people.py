"""Residents, commuters and visitors through one step: choose, travel, leave traces.

The pass walks the people table in memory order, block by block: first everyone in the block
decides, then those who change place travel. Only they touch place memory: stocks of who is
where change by whole numbers, and every segment of a walked trip gets one packed count and
gives back its cue of insecurity. Whole numbers do not depend on order, so any split into
chunks gives the same result.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.memory import BLOCK, ROW, prefetch
from citysim.kernels.random import draw, to_unit

# Columns of a step's place rows (uint64).
FLOW, CUE = 0, 1
# The flow counter packs three counts of 21 bits: all, women, people under 25.
FIELD_BITS = 21
FIELD_MASK = (1 << FIELD_BITS) - 1
# Columns of the stocks (int32).
HOME, DAY, OUT, OUT_WOMEN, OUT_YOUNG, EMPTY = 0, 1, 2, 3, 4, 5
N_STOCKS = 6
# Columns of friction (int64, in 1/FRICTION_SCALE): that among guests of venues, that of all others
# on the street, and how many guests are inside at once.
INSIDE, OUTSIDE, GUESTS = 0, 1, 2
N_FRICTION = 3
# Fixed-point scales.
CUE_SCALE = 1 << 20
FRICTION_SCALE = 1 << 16

# Activities of the timetables.
SLEEP, AT_HOME, AT_DAY_PLACE, FREE = 0, 1, 2, 3

MOST_SHIFT = 4  # steps by which a personal timetable may be offset, either way


class Thirst(NamedTuple):
    """Who drinks how much of what the heaviest drinker takes."""

    usual: np.float32      # an adult guest without substance use
    adult_from: np.int64   # years


@kernel
def pick(u, w2, w3, w4):
    """Anchor chosen by a uniform number: 0 (weight 1), 2, 3 or 4."""
    one = np.float32(1.0)
    u *= one + w2 + w3 + w4
    out = u >= one
    return out * 2 + (u >= one + w2) + (u >= one + w2 + w3)


@kernel
def sort_by_activity(lo, hi, doing, timetable, shift, status, at, anchors, free, out, person,
                     destination):
    """Split people ``lo`` to ``hi - 1`` by what the timetable has them do now.

    ``doing`` (uint8 (timetables, 2 x MOST_SHIFT + 1)) is the activity by timetable and personal
    offset. Lists those in free time, those who are out at a leisure anchor, and trips that the
    timetable alone decides; returns the three counts.

    Every entry is written and counted only when it holds: cheaper than branches that are hard
    to guess.
    """
    n_free, n_out, n = ROW(0), ROW(0), ROW(0)
    for r in range(ROW(lo), ROW(hi)):
        if status[r] != 0:
            continue
        here = at[r]
        activity = doing[timetable[r], ROW(shift[r] + MOST_SHIFT)]
        is_free = activity == FREE
        there = (activity == AT_DAY_PLACE) & (anchors[r, 1] != anchors[r, 0])
        free[n_free] = r
        n_free += ROW(is_free)
        out[n_out] = r
        n_out += ROW(here >= 2)
        person[n] = r
        destination[n] = there
        n += ROW((not is_free) & (here != there))
    return n_free, n_out, n


@kernel
def in_settings(share, outdoors, sober_friction, drunk):
    """Friction inside venues and outside, per unit of aggression, of who is a guest by ``share``.

    What people do follows the setting they are in, not the address (Barker 1968). Who is a guest
    is never drawn: sober, everybody counts in both settings by their chances. Where venues are
    open, intoxication (``drunk``, 0 to 1) is that of their guests, who are outside for the share
    ``outdoors`` of their time; where none is, it is outside.
    """
    if share > 0.0:
        guest = share * sober_friction + drunk
        return ((1.0 - outdoors) * guest,
                (1.0 - share) * sober_friction + outdoors * guest)
    return 0.0, sober_friction + drunk


@kernel
def drink_and_jostle(n, out, at, anchors, group, age, intoxication, substance, aggression, guests,
                     drink, taste, outdoors, sober_friction, friction):
    """The ``n`` people listed in ``out`` drink as far as they are guests, and bring their friction.

    An adult guest takes the share ``taste.usual`` of what the heaviest drinker takes, more with
    substance use; a minor drinks by substance use alone. Everybody is a guest in the share of
    their group at the place (``guests``) and drinks as the mean of it: friction is proportional to
    intoxication, so its expectation is that of a draw of who came for a bar.
    Friction of a person is aggression times that of :func:`in_settings` times the time spent.
    """
    for i in range(ROW(n)):
        r = out[i]
        s = anchors[r, at[r]]
        usual = taste.usual if age[r] >= taste.adult_from else np.float32(0.0)
        thirst = usual + (np.float32(1.0) - usual) * substance[r]
        share = guests[s, group[r]]
        level = min(intoxication[r] + drink[s] * share * thirst, np.float32(255.0))
        # Rounded, not cut off: what an hour adds is often a few units only.
        intoxication[r] = np.uint8(level + np.float32(0.5))
        inside, outside = in_settings(share, outdoors, sober_friction, level / 255.0)
        friction[s, OUTSIDE] += np.int64(aggression[r] * outside * FRICTION_SCALE)
        if share > 0.0:
            friction[s, INSIDE] += np.int64(aggression[r] * inside * FRICTION_SCALE)
            friction[s, GUESTS] += np.int64(share * (1.0 - outdoors) * FRICTION_SCALE)


@kernel
def choose(n_free, free, key, dark, at, anchors, minutes, modes, group, caution, pull, decay, stay,
           n, person, destination):
    """Where people in free time want to be: staying in against three leisure anchors.

    Multinomial logit: a place's weight is its pull on the person's group now, less travel time,
    times the person's caution; where one is already, the stay has inertia and costs no travel.
    Adds those who must travel to the ``n`` trips listed; returns the new number.
    """
    for i in range(ROW(n_free)):
        r = free[i]
        here = at[r]
        g = group[r]
        care = caution[r, dark]
        mode = ROW(modes[r])
        w2 = pull[anchors[r, 2], g] * care
        w3 = pull[anchors[r, 3], g] * care
        w4 = pull[anchors[r, 4], g] * care
        d2 = decay[(mode >> ROW(2)) & ROW(3), minutes[r, 1]]
        d3 = decay[(mode >> ROW(4)) & ROW(3), minutes[r, 2]]
        d4 = decay[(mode >> ROW(6)) & ROW(3), minutes[r, 3]]
        w2 *= stay if here == 2 else d2
        w3 *= stay if here == 3 else d3
        w4 *= stay if here == 4 else d4
        there = pick(np.float32(to_unit(draw(key, r))), w2, w3, w4)
        person[n] = r
        destination[n] = there
        n += ROW(there != here)
    return n


@kernel
def start_walks(n, person, destination, at, hops, route, routes, moved, walks):
    """Split the listed trips into walks home and walks from home, and note who is where.

    ``walks`` (uint64 (2, trips, 4)) gets person, anchor, and where the walk begins and ends in
    ``routes``: row 0 homewards, row 1 outwards. Returns how many of each. The routes are asked for
    here, so that walking finds them in the cache.
    """
    n_home, n_out = ROW(0), ROW(0)
    for i in range(n):
        r = person[i]
        k = at[r]
        to = destination[i]
        moved[r] = 1 + 5 * k + to
        at[r] = to
        begin = route[r]
        h1, h2, h3 = hops[r, 0], hops[r, 1], hops[r, 2]
        first = ROW(begin + (k > 1) * h1 + (k > 2) * h2 + (k > 3) * h3)
        walks[0, n_home, 0] = r
        walks[0, n_home, 1] = k
        walks[0, n_home, 2] = first
        walks[0, n_home, 3] = first + ROW(hops[r, ROW(k - 1) & ROW(3)])
        prefetch(routes, first)
        n_home += ROW(k > 0)
        first = ROW(begin + (to > 1) * h1 + (to > 2) * h2 + (to > 3) * h3)
        walks[1, n_out, 0] = r
        walks[1, n_out, 1] = to
        walks[1, n_out, 2] = first
        walks[1, n_out, 3] = first + ROW(hops[r, ROW(to - 1) & ROW(3)])
        prefetch(routes, first)
        n_out += ROW(to > 0)
    return n_home, n_out


@kernel
def walk(n, walks, by, dark, at, anchors, routes, household, at_home, group, sensitivity, fear,
         intoxication, aggression, sober, rise, fall, marks, seconds, step_seconds, place_rows,
         stock, friction):
    """Walk ``n`` ways home (``by`` = 1) or from home (``by`` = -1); returns the segments walked.

    Every segment counts the passage and gives its cue. Fear moves towards the mean cue of the
    way, weighed by the person's sensitivity: fast upwards, slowly downwards.
    """
    n_hops = ROW(0)
    for i in range(n):
        r, k, first, last = walks[i, 0], walks[i, 1], walks[i, 2], walks[i, 3]
        g = group[r]
        mark = marks[g]
        cue = np.uint64(0)
        drunk = intoxication[r]
        if drunk > 0:
            weight = aggression[r] * np.float32(drunk) / 255.0 * FRICTION_SCALE / step_seconds
            for j in range(first, last):
                s = routes[j]
                place_rows[s, FLOW] += mark
                cue += place_rows[s, CUE]
                friction[s, OUTSIDE] += np.int64(weight * seconds[s])
            if at[r] == 0:
                intoxication[r] = np.uint8(np.float32(drunk) * sober)
        else:
            for j in range(first, last):
                s = routes[j]
                place_rows[s, FLOW] += mark
                cue += place_rows[s, CUE]
        hops = last - first
        n_hops += hops
        if hops > ROW(0):
            seen = sensitivity[r] * (np.float32(cue) / np.float32(hops * ROW(CUE_SCALE)))
            gap = min(np.float32(1.0), seen) - fear[r, dark]
            fear[r, dark] += gap * (rise if gap > 0 else fall)
        s = anchors[r, k]
        away = k > ROW(1)
        stock[s, DAY] -= by * (not away)
        stock[s, OUT] -= by * away
        stock[s, OUT_WOMEN] -= by * (away & (g >= 3))
        stock[s, OUT_YOUNG] -= by * (away & ((g == 0) | (g == 3)))
        if household[r] >= 0:
            dwelling, home = ROW(household[r]), anchors[r, 0]
            before = np.int64(at_home[dwelling])
            at_home[dwelling] = before + by
            stock[home, HOME] += by
            stock[home, EMPTY] += np.int32(before + by == 0) - np.int32(before == 0)
    return n_hops


@kernel
def move_people(lo, hi, hour, key, dark, taste, timetables, timetable, shift, status, at, anchors,
                minutes, modes, hops, route, routes, household, at_home, group, age, caution,
                sensitivity, fear, intoxication, substance, aggression, pull, decay, stay, guests,
                drink, outdoors, sober_friction, sober, rise, fall, marks, seconds, step_seconds,
                place_rows, stock, friction, moved, trips):
    """One step of people ``lo`` to ``hi - 1``, block by block.

    Parameters
    ----------
    hour
        Hour of the week, 0 at Monday midnight.
    key
        Stream key of the choice in this step.
    dark
        1 after dark, else 0; selects the column of ``caution`` and ``fear``.
    taste
        How people drink, a :class:`Thirst`.
    pull
        float32 (places, 6): what a place has on offer now for each group, as exp(utility).
    decay
        float32 (4, 256): exp(-cost) by mode and minutes.
    stay
        Inertia of a stay, multiplies the weight of the present place.
    guests
        float32 (places, 6): share of each group that is a guest of a venue at the place now.
    drink, outdoors, sober_friction, sober
        Intoxication gained per step by guests who drink most (float32 (places), in 1/255), share
        of a visit spent outdoors, friction of the sober, and the share of intoxication kept on
        coming home.
    rise, fall
        Shares by which fear moves towards what a trip showed, upwards and downwards.
    place_rows, stock, friction
        Changed in place; see the module's columns.
    moved
        uint8, cleared by the caller: 1 + 5 x anchor left + anchor reached for those who travel.
    trips
        int64: trips listed, segments walked.
    """
    doing = np.empty((timetables.shape[0], 2 * MOST_SHIFT + 1), np.uint8)
    for k in range(doing.shape[0]):
        for i in range(doing.shape[1]):
            doing[k, i] = timetables[k, (hour - i + MOST_SHIFT) % timetables.shape[1]]
    free = np.empty(BLOCK + 1, ROW)
    out = np.empty(BLOCK + 1, ROW)
    person = np.empty(BLOCK + 1, ROW)
    destination = np.empty(BLOCK + 1, np.uint8)
    walks = np.empty((2, BLOCK + 1, 4), ROW)
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        n_free, n_out, n = sort_by_activity(start, stop, doing, timetable, shift, status, at,
                                            anchors, free, out, person, destination)
        drink_and_jostle(n_out, out, at, anchors, group, age, intoxication, substance,
                         aggression, guests, drink, taste, outdoors, sober_friction, friction)
        n = choose(n_free, free, key, dark, at, anchors, minutes, modes, group, caution, pull,
                   decay, stay, n, person, destination)
        n_home, n_out = start_walks(n, person, destination, at, hops, route, routes, moved,
                                    walks)
        trips[0] += np.int64(n)
        for side in range(2):
            hops_walked = walk(n_out if side else n_home, walks[side], -1 if side else 1, dark,
                               at, anchors, routes, household, at_home, group, sensitivity, fear,
                               intoxication, aggression, sober, rise, fall, marks, seconds,
                               step_seconds, place_rows, stock, friction)
            trips[1] += np.int64(hops_walked)

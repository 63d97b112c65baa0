"""Guardians on their rounds: patrol visits, residual deterrence, contacts and stops.

A visit builds deterrence as 1 - exp(-dwell / tau_build) and it decays as exp(-t / tau_decay)
after the unit has left (Koper 1995; Barnes et al. 2020). Each visit has its own draw. Units go
their rounds, or pay visits to named places at the times that these ask for.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.people import FIELD_BITS, FIELD_MASK, FLOW
from citysim.kernels.random import draw2, to_unit, uniform, uniform2

REACTIVE, HOT_SPOT, BEAT, RANDOM = 0, 1, 2, 3
DIRECTED = 4          # visits to named places; no units of their own
DIRECTED_UNITS = 1 << 32  # keeps the addresses of visits apart from those of units
_TRIES = 400


class Rounds(NamedTuple):
    """Constants of a round."""

    move_minutes: float     # between two stops
    tau_build: float        # minutes
    spill: float            # share of a visit's deterrence felt on neighbouring places
    stop_rate: float        # police stops per hour of dwell among plenty of people
    stop_young: float       # weight of people under 25 among those stopped
    stop_foreign: float     # weight of foreign nationals among those stopped
    stop_women: float       # weight of women among those stopped
    expected_quality: float  # procedural quality that somebody of the usual trust expects
    expected_slope: float   # quality expected more per unit of trust; 0: all expect the same
    usual_trust: float      # trust of those who expect ``expected_quality``
    stop_trust: float       # move of trust per unit of quality beyond what is expected, in a stop
    contact_trust: float    # the same in a contact without suspicion
    city_share: float       # share of a contact's move that goes to trust in the city too
    talk_from: int          # youngest age that officers talk to


@kernel
def fade_deterrence(deterrence, patrol_minutes, keep):
    """Deterrence decays by the share ``keep``; the step's patrol minutes start at zero."""
    for s in range(deterrence.size):
        deterrence[s] *= keep
        patrol_minutes[s] = 0.0


@kernel
def visit(s, dwell, built, spill, deterrence, patrol_minutes, neighbour_start, neighbours):
    """One visit: deterrence here, a share of it next door."""
    deterrence[s] += np.float32((1.0 - deterrence[s]) * built)
    patrol_minutes[s] += np.float32(dwell)
    if spill > 0.0:
        for j in range(neighbour_start[s], neighbour_start[s + 1]):
            t = neighbours[j]
            deterrence[t] += np.float32((1.0 - deterrence[t]) * built * spill)


@kernel
def patrol(strategy, n_units, hours, step, key, key_contact, rounds, dwell, contacts_per_hour,
           quality, place_quality, consultation, round_places, beat_start, beats, disorder,
           recorded, deterrence, patrol_minutes, neighbour_start, neighbours, place_rows,
           step_seconds, first_household, household_first, household_size, age, trust_police,
           trust_city, unit_place, stops, counts):
    """One step of all units that follow one strategy.

    Hot-spot units go round ``round_places`` in turn, so that each place is seen again soon;
    random units draw any place; a beat unit keeps to its beat and, as far as residents were
    consulted, prefers the more neglected and troubled of two places there.
    Wanted stops are written to ``stops`` (int64 (limit, 2): place, unit visit), to be resolved
    when it is known who passes; ``counts`` (int64): visits, contacts, stops wanted.
    """
    visits = 60.0 / (dwell + rounds.move_minutes) * hours  # fractions carry over between steps
    n_visits = np.int64((step + 1) * visits) - np.int64(step * visits)
    built = 1.0 - np.exp(-dwell / rounds.tau_build)
    n_places = deterrence.size
    for u in range(n_units):
        for v in range(n_visits):
            turn = (np.int64(step * visits) + v) * n_units + u
            unit = u * 64 + v
            bits = draw2(key, unit, strategy)
            if strategy == HOT_SPOT:
                if round_places.size == 0:
                    continue
                s = np.int64(round_places[turn % round_places.size])
            elif strategy == BEAT:
                b = u % (beat_start.size - 1)
                width = np.uint64(beat_start[b + 1] - beat_start[b])
                s = np.int64(beats[beat_start[b] + np.int64(bits % width)])
                other = np.int64(beats[beat_start[b] + np.int64((bits >> np.uint64(32)) % width)])
                if (uniform2(key, unit, 97) < consultation
                        and disorder[other] + recorded[other] > disorder[s] + recorded[s]):
                    s = other
            else:
                s = np.int64(bits % np.uint64(n_places))
            visit(s, dwell, built, rounds.spill, deterrence, patrol_minutes, neighbour_start,
                  neighbours)
            unit_place[u] = s
            counts[0] += 1
            if contacts_per_hour > 0.0:
                talk(s, unit, contacts_per_hour * (dwell + rounds.move_minutes) / 60.0, key_contact,
                     rounds, here(quality, place_quality[s]), first_household, household_first,
                     household_size, age, trust_police, trust_city, counts)
            want_stop(s, unit, strategy, dwell, key_contact, rounds, place_rows, step_seconds,
                      stops, counts)


@kernel
def directed(places, visits, minutes, begins, ends, contacts, clock, hours, key_day, key_contact,
             rounds, scale, quality, place_quality, deterrence, patrol_minutes, neighbour_start,
             neighbours, place_rows, step_seconds, first_household, household_first,
             household_size, age, trust_police, trust_city, stops, counts):
    """Visits to ``places`` (rows) in one step, each place by its own numbers.

    ``visits`` a day are spread evenly over the hours from ``begins`` to ``ends`` (``clock``,
    counted past midnight), so that a place is seen again soon; when the first one comes is drawn
    by place and day. ``minutes`` is the stay, ``contacts`` the residents talked to in an hour
    of it in the real city, of which ``scale`` are simulated. Other arguments as in :func:`patrol`.
    """
    for j in range(places.size):
        s = places[j]
        window = np.float64(ends[s]) - begins[s]
        since = clock - begins[s]
        if window <= 0.0 or since < 0.0 or since >= window:
            continue
        rate = visits[s] / window
        phase = uniform(key_day, s)
        until = min(window, since + hours)
        n_visits = np.int64(rate * until + phase) - np.int64(rate * since + phase)
        dwell = np.float64(minutes[s])
        built = 1.0 - np.exp(-dwell / rounds.tau_build)
        for v in range(n_visits):
            unit = DIRECTED_UNITS + s * 64 + v
            visit(s, dwell, built, rounds.spill, deterrence, patrol_minutes, neighbour_start,
                  neighbours)
            counts[0] += 1
            if contacts[s] > 0.0:
                talk(s, unit, scale * contacts[s] * dwell / 60.0, key_contact, rounds,
                     here(quality, place_quality[s]), first_household, household_first,
                     household_size, age, trust_police, trust_city, counts)
            want_stop(s, unit, DIRECTED, dwell, key_contact, rounds, place_rows, step_seconds,
                      stops, counts)


@kernel
def here(quality, added):
    """Procedural quality at a place: the city's and what is added there, within [0, 1]."""
    return min(1.0, max(0.0, quality + added))


@kernel
def expected_of(rounds, trust):
    """Procedural quality that a person of this trust expects, [0, 1].

    Contacts are judged against it (expectancy disconfirmation: Oliver 1980; of the police Reisig
    and Chandek 2001), so trust settles where expectation meets what officers do.
    """
    return here(rounds.expected_quality, rounds.expected_slope * (trust - rounds.usual_trust))


@kernel
def want_stop(s, unit, strategy, dwell, key, rounds, place_rows, step_seconds, stops, counts):
    """Whether officers on a visit stop somebody; the more people pass, the likelier."""
    passing = np.float64(place_rows[s, FLOW] & FIELD_MASK) * dwell * 60.0 / step_seconds
    chance = rounds.stop_rate * dwell / 60.0 * (1.0 - np.exp(-passing))
    if uniform2(key, unit, 1000 + strategy) < chance and counts[2] < stops.shape[0]:
        stops[counts[2], 0] = s
        stops[counts[2], 1] = unit
        counts[2] += 1


@kernel
def talk(s, unit, expected, key, rounds, quality, first_household, household_first, household_size,
         age, trust_police, trust_city, counts):
    """A beat officer talks to residents of the street, whose trust moves by what they expected."""
    n = np.int64(expected)
    if uniform2(key, unit, 2000) < expected - n:
        n += 1
    width = first_household[s + 1] - first_household[s]
    if width <= 0:
        return
    for c in range(n):
        bits = draw2(key, unit, 3000 + c)
        h = first_household[s] + np.int64(bits % np.uint64(width))
        r = household_first[h] + np.int64((bits >> np.uint64(40)) % np.uint64(household_size[h]))
        if age[r] < rounds.talk_from:
            continue
        move = rounds.contact_trust * (quality - expected_of(rounds, trust_police[r]))
        trust_police[r] = np.float32(min(1.0, max(0.0, trust_police[r] + move)))
        trust_city[r] = np.float32(min(1.0, max(0.0, trust_city[r] + rounds.city_share * move)))
        counts[1] += 1


@kernel
def any_passer(s, sex, key, unit, passer_start, passers, moved, group):
    """Somebody of one sex who walks over a place in this step, by drawing until one is found.

    There are many stops and long lists, so the lists are not gone through; -1 after
    ``_TRIES`` draws.
    """
    n = passer_start[s + 1] - passer_start[s]
    for i in range(_TRIES if n > 0 else 0):
        j = passer_start[s] + np.int64(draw2(key, unit, 5000 + i) % np.uint64(n))
        r = np.int64(passers[j]) >> 2
        trip = np.int64(moved[r]) - 1
        k = (np.int64(passers[j]) & 3) + 1
        if trip >= 0 and (trip // 5 == k or trip % 5 == k) and (group[r] >= 3) == (sex == 1):
            return r
    return np.int64(-1)


@kernel
def stop_people(n, stops, key, rounds, quality, place_quality, place_rows, passer_start, passers,
                moved, group, foreign, trust_police, n_stopped, made):
    """Resolve wanted stops: somebody who passed, by sex, age and origin as officers select.

    ``made`` (int64 (limit)): rows of people stopped; returns how many.
    """
    done = 0
    for i in range(n):
        s = stops[i, 0]
        unit = stops[i, 1]
        flow = place_rows[s, FLOW]
        w = np.float64((flow >> FIELD_BITS) & FIELD_MASK)
        m = np.float64(flow & FIELD_MASK) - w
        w *= rounds.stop_women
        sex = 1 if uniform2(key, unit, 4000) * (w + m) < w else 0
        r = any_passer(s, sex, key, unit, passer_start, passers, moved, group)
        if r < 0:
            continue
        heaviest = max(1.0, rounds.stop_young) * max(1.0, rounds.stop_foreign)
        weight = (rounds.stop_young if group[r] % 3 == 0 else 1.0) * (
            rounds.stop_foreign if foreign[r] else 1.0)
        if to_unit(draw2(key, r, 4001)) * heaviest >= weight:
            continue
        n_stopped[r] += 1
        move = rounds.stop_trust * (here(quality, place_quality[s])
                                    - expected_of(rounds, trust_police[r]))
        trust_police[r] = np.float32(min(1.0, max(0.0, trust_police[r] + move)))
        made[done] = r
        done += 1
    return done


@kernel
def work_off(hours, other_calls, handling, unit_busy, n_units):
    """Reactive units work through their queue; other calls take their share of the time."""
    for u in range(n_units):
        load = unit_busy[u] + other_calls * handling / max(1, n_units) - 60.0 * hours
        unit_busy[u] = max(0.0, load)

"""Chunks of the table passes on several threads.

Every chunk writes into buffers of its own; whole numbers are then added up, so the result does
not depend on the number of threads. Sums of floats always use the same chunks in the same
order.
"""

import numpy as np
from numba import prange

from citysim.kernels.jit import kernel, parallel_kernel
from citysim.kernels.offending import stir
from citysim.kernels.people import CUE, FLOW, move_people
from citysim.kernels.perception import days_end, remember
from citysim.kernels.places import opportunities, pulls, watch_places


@parallel_kernel
def move_chunks(bounds, hour, key, dark, timetables, timetable, shift, status, at, anchors,
                minutes, modes, hops, route, routes, household, at_home, group, caution,
                sensitivity, fear, intoxication, substance, aggression, pull, decay, stay, drink,
                sober_friction, sober, rise, fall, marks, seconds, step_seconds, rows, stocks,
                frictions,
                moved, trips):
    """:func:`move_people` chunk by chunk; buffers have the chunk as first axis."""
    for c in prange(bounds.size - 1):
        move_people(bounds[c], bounds[c + 1], hour, key, dark, timetables, timetable, shift,
                    status, at, anchors, minutes, modes, hops, route, routes, household, at_home,
                    group, caution, sensitivity, fear, intoxication, substance, aggression, pull,
                    decay, stay, drink, sober_friction, sober, rise, fall, marks, seconds,
                    step_seconds, rows[c],
                    stocks[c], frictions[c], moved, trips[c])


@kernel
def merge_places(lo, hi, rows, stocks, frictions, place_rows, stock, friction):
    """Add the chunks' counts at places ``lo`` to ``hi - 1`` to the totals and clear them."""
    for c in range(rows.shape[0]):
        for s in range(lo, hi):
            place_rows[s, FLOW] += rows[c, s, FLOW]
            rows[c, s, FLOW] = 0
            friction[s] += frictions[c, s]
            frictions[c, s] = 0
            for k in range(stock.shape[1]):
                stock[s, k] += stocks[c, s, k]
                stocks[c, s, k] = 0


@parallel_kernel
def merge_chunks(bounds, rows, stocks, frictions, place_rows, stock, friction):
    """:func:`merge_places` for all places, shared out by ``bounds``."""
    for c in prange(bounds.size - 1):
        merge_places(bounds[c], bounds[c + 1], rows, stocks, frictions, place_rows, stock, friction)


@parallel_kernel
def stir_chunks(bounds, key, hours, drive, person, active, propensity, memory, stirred, counts):
    """:func:`stir` chunk by chunk; ``counts`` (int64) gets how many each chunk lists."""
    for c in prange(bounds.size - 1):
        counts[c] = stir(bounds[c], bounds[c + 1], key, hours, drive, person, active, propensity,
                         memory, stirred)


@kernel
def hand_out_cues(place_rows, rows):
    """Copy the places' cue into every chunk's rows."""
    for c in range(rows.shape[0]):
        for s in range(place_rows.shape[0]):
            rows[c, s, CUE] = place_rows[s, CUE]


@parallel_kernel
def remember_chunks(bounds, fear, trust_police, trust_city, before):
    """:func:`remember` chunk by chunk."""
    for c in prange(bounds.size - 1):
        remember(bounds[c], bounds[c + 1], fear, trust_police, trust_city, before)


@parallel_kernel
def days_end_chunks(bounds, key, mind, home, sensitivity, unease_day, unease_night, tie_start,
                    ties, before, fear, trust_police, trust_city, caution, cell, sums):
    """:func:`days_end` chunk by chunk; ``sums`` has the chunk as first axis."""
    for c in prange(bounds.size - 1):
        days_end(bounds[c], bounds[c + 1], key, mind, home, sensitivity, unease_day, unease_night,
                 tie_start, ties, before, fear, trust_police, trust_city, caution, cell, sums[c])


@parallel_kernel
def watch_chunks(bounds, hour, watch, place_rows, stock, seconds, lamp, camera, disorder,
                 deterrence, patrol_minutes, day_outdoors, shops, venues, closing_hour, services,
                 hosts, greenery,
                 efficacy, district, light, present, women, young, guardianship, certainty, unease):
    """:func:`watch_places` chunk by chunk."""
    for c in prange(bounds.size - 1):
        watch_places(bounds[c], bounds[c + 1], hour, watch, place_rows, stock, seconds, lamp,
                     camera, disorder, deterrence, patrol_minutes, day_outdoors, shops, venues,
                     closing_hour,
                     services, hosts, greenery, efficacy, district, light, present, women, young,
                     guardianship, certainty, unease)


@parallel_kernel
def opportunity_chunks(bounds, hour, target, form, level, half, beta, stock, present, women, young,
                       certainty, disorder, light, vehicles, shops, homes, rear_closed, attract,
                       value):
    """:func:`opportunities` chunk by chunk."""
    for c in prange(bounds.size - 1):
        opportunities(bounds[c], bounds[c + 1], hour, target, form, level, half, beta, stock,
                      present, women, young, certainty, disorder, light, vehicles, shops, homes,
                      rear_closed, attract, value)


@parallel_kernel
def pull_chunks(bounds, hour, closing_hour, venues, alcohol, events, services, retail, green,
                leisure, shops, lamp, unease, weights, sensitivity, drink_rate, pull, drink):
    """:func:`pulls` chunk by chunk."""
    for c in prange(bounds.size - 1):
        pulls(bounds[c], bounds[c + 1], hour, closing_hour, venues, alcohol, events, services,
              retail, green, leisure, shops, lamp, unease, weights, sensitivity, drink_rate, pull,
              drink)


def chunk_bounds(n: int, chunks: int, starts: np.ndarray | None = None,
                 residents: int | None = None) -> np.ndarray:
    """Bounds of ``chunks`` runs of ``n`` rows with nearly equal work, int64 (chunks + 1).

    With ``starts`` (sorted first rows of households) no household is split. Rows from
    ``residents`` on are outsiders, who are out of town most hours and cost half as much.
    """
    whole = n if residents is None else residents
    work = np.arange(chunks + 1, dtype=np.int64) * (2 * whole + n - whole) // chunks
    bounds = np.where(work <= 2 * whole, work // 2, work - whole)
    if starts is not None and len(starts):
        for c in range(1, chunks):
            at = np.searchsorted(starts, bounds[c])
            bounds[c] = starts[at] if at < len(starts) else bounds[c]
    return bounds

"""Chunks of the table passes on several threads.

Every chunk writes into buffers of its own; whole numbers are then added up, so the result does
not depend on the number of threads. Sums of floats always use the same chunks in the same
order, or are made by one thread. ``given`` stands for the other arguments of the serial kernel;
records (named tuples) are named, since numba cannot pass them on inside of it.
"""

import numpy as np
from numba import prange

from citysim.kernels.jit import kernel, parallel_kernel
from citysim.kernels.offending import act, motivate, weigh
from citysim.kernels.people import CUE, FLOW, move_people
from citysim.kernels.perception import count_out, days_end, remember
from citysim.kernels.places import opportunities, pulls, watch_places
from citysim.kernels.victims import find_victim, keep_event


@kernel
def hand_out_cues(place_rows, rows):
    """Copy the places' cue into a chunk's rows."""
    for s in range(place_rows.shape[0]):
        rows[s, CUE] = place_rows[s, CUE]


@parallel_kernel
def move_chunks(bounds, place_rows, stock, friction, rows, stocks, frictions, moved, trips, hour,
                key, dark, taste, *given):
    """:func:`move_people` chunk by chunk; the first one counts in the totals themselves.

    Parameters
    ----------
    bounds
        int64 (parts, chunks + 1): every chunk takes its share of each part of the table.
    rows, stocks, frictions
        Counts of the other chunks, which have the chunk as first axis; see
        :func:`merge_places`.
    """
    for c in prange(bounds.shape[1] - 1):
        its_rows = place_rows if c == 0 else rows[c - 1]
        its_stock = stock if c == 0 else stocks[c - 1]
        its_friction = friction if c == 0 else frictions[c - 1]
        if c > 0:
            hand_out_cues(place_rows, its_rows)
        for part in range(bounds.shape[0]):
            move_people(bounds[part, c], bounds[part, c + 1], hour, key, dark, taste, *given,
                        its_rows, its_stock, its_friction, moved, trips[c])


@kernel
def merge_places(lo, hi, rows, stocks, frictions, place_rows, stock, friction):
    """Add the chunks' counts at places ``lo`` to ``hi - 1`` to the totals and clear them."""
    for c in range(rows.shape[0]):
        for s in range(lo, hi):
            place_rows[s, FLOW] += rows[c, s, FLOW]
            rows[c, s, FLOW] = 0
            for k in range(friction.shape[1]):
                friction[s, k] += frictions[c, s, k]
                frictions[c, s, k] = 0
            for k in range(stock.shape[1]):
                stock[s, k] += stocks[c, s, k]
                stocks[c, s, k] = 0


@parallel_kernel
def merge_chunks(bounds, *given):
    """:func:`merge_places` for all places, shared out by ``bounds``."""
    for c in prange(bounds.size - 1):
        merge_places(bounds[c], bounds[c + 1], *given)


@parallel_kernel
def motivate_chunks(bounds, counts, key, hours, drive, *given):
    """:func:`motivate` chunk by chunk; ``counts`` (int64) gets how many each chunk lists."""
    for c in prange(bounds.size - 1):
        counts[c] = motivate(bounds[c], bounds[c + 1], key, hours, drive, *given)


@parallel_kernel
def offend_chunks(motivated, step, key_act, key_target, drive, marks, candidate, expected, chosen,
                  hazard, total, events, n_events, limit, *given):
    """:func:`citysim.kernels.offending.offend`, where several threads weigh and one adds up."""
    chunks, at_once = marks.shape[0], candidate.shape[0]
    for begin in range(0, motivated.size, at_once):
        some = motivated[begin:begin + at_once]
        for c in prange(chunks):
            weigh(some.size * c // chunks, some.size * (c + 1) // chunks, some, step, key_act,
                  key_target, drive, *given, candidate, expected, chosen, marks[c])
        n_events = act(some, step, candidate, expected, chosen, hazard, total, events, n_events,
                       limit)
    return n_events


@parallel_kernel
def victim_chunks(chunks, found, begin, end, events, chance, victim_chances, form, female,
                  exposure, *given):
    """:func:`citysim.kernels.victims.find_victims`, where several threads search and one adds up.

    ``found`` (bool) and ``chance`` have a row for every event that is searched for at once. The
    ``chunks`` take events in turn: assaults, the last of the list, cost more than most.
    """
    kept = begin
    for lo in range(begin, end, found.size):
        hi = min(end, lo + found.size)
        for c in prange(chunks):
            for e in range(lo + c, hi, chunks):
                found[e - lo] = find_victim(events[e], chance[e - lo], form, female, exposure,
                                            *given)
        for e in range(lo, hi):
            if found[e - lo]:
                keep_event(e, kept, events, chance[e - lo], victim_chances)
                kept += 1
    return kept


@parallel_kernel
def remember_chunks(bounds, *given):
    """:func:`remember` chunk by chunk."""
    for c in prange(bounds.size - 1):
        remember(bounds[c], bounds[c + 1], *given)


@parallel_kernel
def days_end_chunks(bounds, sums, key, key_own, mind, *given):
    """:func:`days_end` chunk by chunk; ``sums`` has the chunk as first axis."""
    for c in prange(bounds.size - 1):
        days_end(bounds[c], bounds[c + 1], key, key_own, mind, *given, sums[c])


@parallel_kernel
def watch_chunks(bounds, hour, watch, *given):
    """:func:`watch_places` chunk by chunk."""
    for c in prange(bounds.size - 1):
        watch_places(bounds[c], bounds[c + 1], hour, watch, *given)


@parallel_kernel
def opportunity_chunks(bounds, hour, target, *given):
    """:func:`opportunities` chunk by chunk."""
    for c in prange(bounds.size - 1):
        opportunities(bounds[c], bounds[c + 1], hour, target, *given)


@parallel_kernel
def pull_chunks(bounds, hour, *given):
    """:func:`pulls` chunk by chunk."""
    for c in prange(bounds.size - 1):
        pulls(bounds[c], bounds[c + 1], hour, *given)


@parallel_kernel
def count_out_chunks(bounds, counts, *given):
    """:func:`count_out` chunk by chunk; ``counts`` has the chunk as first axis."""
    for c in prange(bounds.size - 1):
        count_out(bounds[c], bounds[c + 1], *given, counts[c])


def chunk_bounds(n: int, chunks: int, starts: np.ndarray | None = None) -> np.ndarray:
    """Bounds of ``chunks`` nearly equal runs of ``n`` rows, int64 (chunks + 1).

    With ``starts`` (sorted first rows of households) no household is split.
    """
    bounds = np.arange(chunks + 1, dtype=np.int64) * n // chunks
    if starts is not None and len(starts):
        for c in range(1, chunks):
            at = np.searchsorted(starts, bounds[c])
            bounds[c] = starts[at] if at < len(starts) else bounds[c]
    return bounds


def people_bounds(n: int, residents: int, chunks: int, starts: np.ndarray) -> np.ndarray:
    """Bounds of residents and of the outsiders who follow them, int64 (2, chunks + 1).

    Each chunk gets an equal share of both, since outsiders keep other hours than residents: one
    cut through the whole table would leave threads waiting for each other. ``starts`` as in
    :func:`chunk_bounds`.
    """
    return np.stack([chunk_bounds(residents, chunks, starts),
                     residents + chunk_bounds(n - residents, chunks)])

"""Kernels of the synthetic population: addressed draws, gravity choice, ties.

Plain functions over arrays; the science behind them is described where they are used, in
:mod:`citysim.population`.
"""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.random import uniform


@kernel
def fill_uniform(key, first, out):
    """Fill ``out`` with uniforms in (0, 1); entry ``i`` belongs to entity ``first + i``.

    Parameters
    ----------
    key
        Stream key of :func:`citysim.kernels.random.stream_key`.
    first
        Entity of the first entry.
    out
        Float array, one dimension.
    """
    for i in range(len(out)):
        out[i] = uniform(key, first + i)


@kernel
def group_by(label, n_groups, members):
    """Counting sort: list entries by label, in their old order within a label.

    Parameters
    ----------
    label
        Integer array ``(n,)``; entries below 0 are left out.
    n_groups
        One more than the greatest label.
    members
        Integer array ``(n,)`` that receives the entries.

    Returns
    -------
    int64 array ``(n_groups + 1,)``
        Group ``g`` is ``members[start[g]:start[g + 1]]``.
    """
    start = np.zeros(n_groups + 1, np.int64)
    for i in range(len(label)):
        if label[i] >= 0:
            start[label[i] + 1] += 1
    for g in range(n_groups):
        start[g + 1] += start[g]
    fill = start[:-1].copy()
    for i in range(len(label)):
        if label[i] >= 0:
            members[fill[label[i]]] = i
            fill[label[i]] += 1
    return start


@kernel
def gravity_choice(x, y, start, members, target, weight, decay, bin_width, u, chosen):
    """Choose a destination for every member by attraction times distance decay.

    The chance of destination ``j`` from origin ``i`` is ``weight[j] decay(d_ij)`` over its
    sum (production-constrained gravity model, Wilson 1971). One pass over the destinations
    serves all members of an origin.

    Parameters
    ----------
    x, y
        Positions of all places in metres, float32 ``(n,)``.
    start, members
        Members by origin place, as :func:`group_by` gives them.
    target, weight
        Destination places int32 ``(m,)`` and their attraction float64 ``(m,)``, sum above 0.
    decay, bin_width
        Table of the decay by distance bin, float64, and the width of a bin in metres.
        Distances beyond the table take its last value, which should be above 0 so that a
        remote origin still has somewhere to go.
    u
        Uniforms in (0, 1) by member (indexed like ``chosen``).
    chosen
        Integer array that receives the destination place of every member.
    """
    m = len(target)
    last = len(decay) - 1
    cumulative = np.empty(m, np.float64)
    tx = np.empty(m, np.float32)
    ty = np.empty(m, np.float32)
    for j in range(m):
        tx[j] = x[target[j]]
        ty[j] = y[target[j]]
    per_metre = 1.0 / bin_width
    for i in range(len(start) - 1):
        if start[i] == start[i + 1]:
            continue
        total = 0.0
        for j in range(m):
            dx = tx[j] - x[i]
            dy = ty[j] - y[i]
            b = min(int(np.sqrt(dx * dx + dy * dy) * per_metre), last)
            total += weight[j] * decay[b]
            cumulative[j] = total
        for k in range(start[i], start[i + 1]):
            person = members[k]
            sought = u[person] * total
            low, high = 0, m - 1
            while low < high:
                middle = (low + high) >> 1
                if cumulative[middle] <= sought:
                    low = middle + 1
                else:
                    high = middle
            chosen[person] = target[low]


@kernel
def household_pairs(first, size, one, other):
    """List every pair of members of every household; return how many there are.

    ``one`` and ``other`` (int32) must hold ``sum(size (size - 1) / 2)`` entries.
    """
    n = 0
    for h in range(len(first)):
        for i in range(first[h], first[h] + size[h]):
            for j in range(i + 1, first[h] + size[h]):
                one[n] = i
                other[n] = j
                n += 1
    return n


@kernel
def symmetric_rows(one, other, n):
    """Symmetric adjacency of undirected pairs, each row sorted and free of duplicates.

    Parameters
    ----------
    one, other
        Ends of the pairs, int32; pairs of a person with themself are dropped.
    n
        Number of rows.

    Returns
    -------
    start, items
        Compressed sparse rows: int64 ``(n + 1,)``, int32.
    """
    start = np.zeros(n + 1, np.int64)
    for k in range(len(one)):
        if one[k] != other[k]:
            start[one[k] + 1] += 1
            start[other[k] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    items = np.empty(start[n], np.int32)
    fill = start[:-1].copy()
    for k in range(len(one)):
        a, b = one[k], other[k]
        if a != b:
            items[fill[a]] = b
            fill[a] += 1
            items[fill[b]] = a
            fill[b] += 1
    kept = 0
    for i in range(n):
        low, high = start[i], start[i + 1]
        for k in range(low + 1, high):  # rows are short: insertion sort
            value = items[k]
            j = k - 1
            while j >= low and items[j] > value:
                items[j + 1] = items[j]
                j -= 1
            items[j + 1] = value
        start[i] = kept
        for k in range(low, high):
            if k == low or items[k] != items[k - 1]:
                items[kept] = items[k]
                kept += 1
    start[n] = kept
    return start, items[:kept].copy()


@kernel
def mark_rows(start, items, one, other, mark):
    """The least mark of each pair, beside both of its ends in symmetric rows.

    Parameters
    ----------
    start, items
        From :func:`symmetric_rows` of the same pairs.
    one, other, mark
        Ends of the pairs (int32) and a mark below 255 for each (uint8).

    Returns
    -------
    uint8, aligned with ``items``.
    """
    out = np.full(len(items), 255, np.uint8)
    for k in range(len(one)):
        a, b = one[k], other[k]
        if a != b:
            for row, value in ((a, b), (b, a)):
                at = start[row]
                while items[at] != value:
                    at += 1
                out[at] = min(out[at], mark[k])
    return out

"""Kernels over the place graph: bounded shortest paths and connected components.

The graph is given as compressed sparse rows (``start``, ``items``; see
:class:`citysim.state.csr.Ragged`): row ``i`` lists the places that meet place ``i`` at an
intersection. Walking from the middle of one place to the middle of a neighbour costs half
of each length.
"""

import numpy as np

from citysim.kernels.jit import kernel


@kernel
def heap_push(heap_key, heap_item, size, key, item):
    """Put (key, item) on a binary heap of ``size`` entries; return the new size.

    Entries are ordered by key, then by item, so that equal distances are settled in the
    same order whatever the order of insertion.
    """
    i = size
    while i > 0:
        above = (i - 1) >> 1
        if heap_key[above] < key or (heap_key[above] == key and heap_item[above] <= item):
            break
        heap_key[i] = heap_key[above]
        heap_item[i] = heap_item[above]
        i = above
    heap_key[i] = key
    heap_item[i] = item
    return size + 1


@kernel
def heap_pop(heap_key, heap_item, size):
    """Drop the first entry of a binary heap; return the new size.

    The caller reads ``heap_key[0]`` and ``heap_item[0]`` before the call.
    """
    size -= 1
    key = heap_key[size]
    item = heap_item[size]
    i = 0
    while True:
        below = 2 * i + 1
        if below >= size:
            break
        right = below + 1
        if right < size and (heap_key[right] < heap_key[below] or (
                heap_key[right] == heap_key[below] and heap_item[right] < heap_item[below])):
            below = right
        if key < heap_key[below] or (key == heap_key[below] and item <= heap_item[below]):
            break
        heap_key[i] = heap_key[below]
        heap_item[i] = heap_item[below]
        i = below
    heap_key[i] = key
    heap_item[i] = item
    return size


@kernel
def bounded_dijkstra(start, items, length, source, limit, distance, parent,
                     heap_key, heap_item, visited):
    """Shortest walks from one place to all places within a limit (Dijkstra 1959).

    Parameters
    ----------
    start, items
        Neighbours as compressed sparse rows: int64 ``(n + 1,)``, int32 ``(m,)``.
    length
        Length of each place in metres, float32 ``(n,)``, above 0.
    source
        Place where the walks begin.
    limit
        Greatest distance in metres, inclusive. Pass ``np.inf`` for no limit.
    distance, parent
        Scratch of the caller, float32 and int32 ``(n,)``: they come in filled with ``inf``
        and -1. On return they hold metres from middle to middle, and the place before on
        the way (-1 at the source).
    heap_key, heap_item
        Scratch of the caller, float32 and int32; ``len(items) + 1`` entries are always
        enough. Contents do not matter.
    visited
        int32 ``(n,)``: receives the settled places in order of (distance, index).

    Returns
    -------
    int
        Number of places in ``visited``, the source first; -1 if the heap was too small.

    Notes
    -----
    Places beyond the limit are never written, so ``visited[:n_visited]`` lists every entry
    of ``distance`` and ``parent`` that changed: :func:`reset` restores just those, and a
    source costs only what it reaches.
    """
    capacity = min(len(heap_key), len(heap_item))
    if capacity == 0:
        return -1
    half = np.float32(0.5)
    distance[source] = np.float32(0.0)
    size = heap_push(heap_key, heap_item, 0, np.float32(0.0), np.int32(source))
    n_visited = 0
    while size > 0:
        reached = heap_key[0]
        i = heap_item[0]
        size = heap_pop(heap_key, heap_item, size)
        if reached > distance[i]:
            continue  # a shorter walk was found after this entry was pushed
        visited[n_visited] = i
        n_visited += 1
        for k in range(start[i], start[i + 1]):
            j = items[k]
            through = reached + half * (length[i] + length[j])
            if through <= limit and through < distance[j]:
                if size == capacity:
                    return -1
                distance[j] = through
                parent[j] = i
                size = heap_push(heap_key, heap_item, size, through, j)
    return n_visited


@kernel
def reset(distance, parent, visited, n_visited):
    """Restore the scratch of :func:`bounded_dijkstra` for the next source.

    Sets ``distance`` to ``inf`` and ``parent`` to -1 at ``visited[:n_visited]``.
    """
    for k in range(n_visited):
        distance[visited[k]] = np.float32(np.inf)
        parent[visited[k]] = np.int32(-1)


@kernel
def walk_back(parent, target, route):
    """Places on the shortest walk that ends at ``target``, the source first.

    Parameters
    ----------
    parent
        int32 ``(n,)`` as :func:`bounded_dijkstra` left it.
    target
        A place that was reached.
    route
        Integer array that receives the places, source and target included.

    Returns
    -------
    int
        Number of places on the walk; -1 if ``route`` is too short.
    """
    n = 1
    i = target
    while parent[i] >= 0:
        i = parent[i]
        n += 1
    if n > len(route):
        return -1
    i = target
    for k in range(n - 1, -1, -1):
        route[k] = i
        i = parent[i]
    return n


@kernel
def components(start, items):
    """Label the connected components of an undirected graph.

    Returns int32 ``(n,)``: 0 for the component of node 0, and so on in order of each
    component's lowest node.
    """
    n = len(start) - 1
    label = np.full(n, -1, np.int32)
    stack = np.empty(n, np.int32)
    count = np.int32(0)
    for seed in range(n):
        if label[seed] >= 0:
            continue
        label[seed] = count
        stack[0] = seed
        size = 1
        while size > 0:
            size -= 1
            i = stack[size]
            for k in range(start[i], start[i + 1]):
                j = items[k]
                if label[j] < 0:
                    label[j] = count
                    stack[size] = j
                    size += 1
        count += np.int32(1)
    return label


@kernel
def passages(start, items, length, sources, limit):
    """How often places are passed through on shortest walks from sampled sources.

    Parameters
    ----------
    start, items, length
        The place graph, as for :func:`bounded_dijkstra`.
    sources
        int64 ``(k,)`` places where walks begin; one walk goes to every place within reach.
    limit
        Greatest distance of a walk in metres.

    Returns
    -------
    float64 ``(n,)``: walks that pass through each place, ends not counted, summed over the
    sources (sampled betweenness; Brandes 2001 for the accumulation from the far end back).
    """
    n = len(length)
    distance = np.full(n, np.inf, np.float32)
    parent = np.full(n, -1, np.int32)
    heap_key = np.empty(len(items) + 1, np.float32)
    heap_item = np.empty(len(items) + 1, np.int32)
    visited = np.empty(n, np.int32)
    beyond = np.zeros(n)
    passed = np.zeros(n)
    for source in sources:
        count = bounded_dijkstra(start, items, length, source, limit, distance, parent,
                                 heap_key, heap_item, visited)
        for k in range(count - 1, 0, -1):
            i = visited[k]
            passed[i] += beyond[i]
            beyond[parent[i]] += beyond[i] + 1.0
            beyond[i] = 0.0
        beyond[source] = 0.0
        reset(distance, parent, visited, count)
    return passed

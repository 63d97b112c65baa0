"""Kernels that lay every person's four routes over the place graph.

Trips are grouped by destination so that one bounded search serves all who go there. A
trip ``t`` is leg ``t % 4`` of person ``t // 4``: home to anchor ``t % 4 + 1``.
"""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.network import bounded_dijkstra, reset

LEGS = 4
WALK, TRANSIT, CAR = 0, 1, 2
LONGEST = 255  # hops are stored in one byte


@kernel
def group_trips(anchors, n_places):
    """List trips by destination place.

    Parameters
    ----------
    anchors
        Places ``(n, 5)``: home, then the four destinations.
    n_places
        Number of places.

    Returns
    -------
    start, trips
        int64 ``(n_places + 1,)`` and uint32 ``(4 n,)``.
    """
    n = len(anchors)
    start = np.zeros(n_places + 1, np.int64)
    for i in range(n):
        for leg in range(LEGS):
            start[anchors[i, leg + 1] + 1] += 1
    for p in range(n_places):
        start[p + 1] += start[p]
    fill = start[:-1].copy()
    trips = np.empty(n * LEGS, np.uint32)
    for i in range(n):
        for leg in range(LEGS):
            p = anchors[i, leg + 1]
            trips[fill[p]] = i * LEGS + leg
            fill[p] += 1
    return start, trips


@kernel
def nearest_stops(start, items, length, stops, limit, stop, step, hops, metres):
    """Walk from every place to its nearest stop.

    Parameters
    ----------
    start, items, length
        The place graph, see :func:`citysim.kernels.network.bounded_dijkstra`.
    stops
        Places with a stop, int32.
    limit
        Longest walk to a stop in metres.
    stop, step
        Receive the nearest stop and the next place on the way there, int32 ``(n,)``; -1
        where no stop is within the limit. At a stop the next place is -1.
    hops, metres
        Receive the places on the walk, both ends included (int32), and its length
        (float32, ``inf`` where there is none).
    """
    n = len(length)
    distance = np.full(n, np.inf, np.float32)
    parent = np.full(n, -1, np.int32)
    heap_key = np.empty(len(items) + 1, np.float32)
    heap_item = np.empty(len(items) + 1, np.int32)
    visited = np.empty(n, np.int32)
    stop[:] = -1
    step[:] = -1
    hops[:] = 0
    metres[:] = np.inf
    for s in stops:
        found = bounded_dijkstra(start, items, length, s, limit, distance, parent,
                                 heap_key, heap_item, visited)
        for k in range(found):
            p = visited[k]
            if distance[p] < metres[p]:
                metres[p] = distance[p]
                stop[p] = s
                step[p] = parent[p]
        reset(distance, parent, visited, found)
    for p in range(n):
        if stop[p] >= 0:
            i = p
            while i >= 0:
                hops[p] += 1
                i = step[i]


@kernel
def measure_trips(start, items, length, x, y, anchors, trip_start, trips, prefers, limit,
                  stop, stop_hops, stop_metres, pace, hops, modes, minutes):
    """Mode, places walked and minutes of every trip.

    A trip is walked when the walk is within the limit, or when both ends share their
    nearest stop. Otherwise those who prefer transit ride from stop to stop if both ends
    have one, and the others drive.

    Parameters
    ----------
    start, items, length, x, y
        The place graph, and positions in metres.
    anchors, trip_start, trips
        Places of the persons ``(n, 5)``, and trips by destination (:func:`group_trips`).
    prefers
        uint8 ``(n,)``: 1 for those who ride, 0 for those who drive.
    limit
        Longest walk in metres.
    stop, stop_hops, stop_metres
        From :func:`nearest_stops`.
    pace
        float64 ``(6,)``: walking metres a minute, riding metres a minute, minutes of
        waiting, driving metres a minute, minutes of parking, detour factor of rides over
        the straight line.
    hops, modes, minutes
        Receive the results: uint8 ``(n, 4)``, uint8 ``(n,)`` two bits a leg, uint8
        ``(n, 4)``.
    """
    n = len(length)
    distance = np.full(n, np.inf, np.float32)
    parent = np.full(n, -1, np.int32)
    heap_key = np.empty(len(items) + 1, np.float32)
    heap_item = np.empty(len(items) + 1, np.int32)
    visited = np.empty(n, np.int32)
    depth = np.zeros(n, np.int32)
    modes[:] = 0
    for goal in range(n):
        if trip_start[goal] == trip_start[goal + 1]:
            continue
        found = bounded_dijkstra(start, items, length, goal, limit, distance, parent,
                                 heap_key, heap_item, visited)
        depth[goal] = 1
        for k in range(1, found):  # parents are settled first
            depth[visited[k]] = depth[parent[visited[k]]] + 1
        for k in range(trip_start[goal], trip_start[goal + 1]):
            person = trips[k] // LEGS
            leg = trips[k] % LEGS
            home = anchors[person, 0]
            mode = WALK
            if distance[home] <= limit:
                count = depth[home]
                took = distance[home] / pace[0]
            elif stop[home] >= 0 and stop[home] == stop[goal]:
                count = stop_hops[home] + stop_hops[goal] - 1
                took = (stop_metres[home] + stop_metres[goal]) / pace[0]
            elif prefers[person] == 1 and stop[home] >= 0 and stop[goal] >= 0:
                mode = TRANSIT
                count = stop_hops[home] + stop_hops[goal]
                a, b = stop[home], stop[goal]
                ride = np.sqrt((x[a] - x[b]) ** 2 + (y[a] - y[b]) ** 2) * pace[5]
                took = ((stop_metres[home] + stop_metres[goal]) / pace[0]
                        + pace[2] + ride / pace[1])
            else:
                mode = CAR
                count = 2
                ride = np.sqrt((x[home] - x[goal]) ** 2 + (y[home] - y[goal]) ** 2) * pace[5]
                took = pace[4] + ride / pace[3]
            hops[person, leg] = min(count, LONGEST)
            modes[person] |= np.uint8(mode << (2 * leg))
            minutes[person, leg] = min(int(np.ceil(took)), LONGEST)
        reset(distance, parent, visited, found)


@kernel
def follow(step, place, routes, at, end):
    """Write ``place`` and what ``step`` leads to into ``routes[at:end]``; return where it ended."""
    while place >= 0 and at < end:
        routes[at] = place
        at += 1
        place = step[place]
    return at


@kernel
def follow_back(step, place, count, routes, at, end):
    """Write the walk that leads from ``place`` along ``step``, last place first.

    ``count`` places lie on the walk. Returns where the writing ended.
    """
    stop_at = min(at + count, end)
    k = at + count - 1
    while place >= 0 and k >= at:
        if k < end:
            routes[k] = place
        k -= 1
        place = step[place]
    return stop_at


@kernel
def write_routes(start, items, length, anchors, trip_start, trips, limit, stop, step, stop_hops,
                 hops, modes, route, routes):
    """Write the places of every trip, home first, in the order of persons and legs.

    Arguments as in :func:`measure_trips`, whose ``hops`` and ``modes`` this reads.
    ``route`` holds where a person's four routes begin in ``routes`` (uint16). A route of
    more than 255 places keeps its first 254 and its destination.
    """
    n = len(length)
    distance = np.full(n, np.inf, np.float32)
    parent = np.full(n, -1, np.int32)
    heap_key = np.empty(len(items) + 1, np.float32)
    heap_item = np.empty(len(items) + 1, np.int32)
    visited = np.empty(n, np.int32)
    for goal in range(n):
        if trip_start[goal] == trip_start[goal + 1]:
            continue
        found = bounded_dijkstra(start, items, length, goal, limit, distance, parent,
                                 heap_key, heap_item, visited)
        for k in range(trip_start[goal], trip_start[goal + 1]):
            person = trips[k] // LEGS
            leg = trips[k] % LEGS
            home = anchors[person, 0]
            at = np.int64(route[person])
            for before in range(leg):
                at += hops[person, before]
            end = at + hops[person, leg]
            mode = (modes[person] >> np.uint8(2 * leg)) & 3
            if mode == CAR:
                routes[at] = home
            elif distance[home] <= limit:
                follow(parent, home, routes, at, end)
            else:
                at = follow(step, home, routes, at, end)
                if mode == WALK:
                    at -= 1  # both walks hold the stop that they share
                follow_back(step, goal, stop_hops[goal], routes, at, end)
            routes[end - 1] = goal
        reset(distance, parent, visited, found)


@kernel
def index_routes(route, hops, routes, n_places):
    """Which stored routes cross each place: counting sort, people in order within a place.

    Returns ``start`` (int64 (places + 1)) and ``items`` (int32, 4 x person + route, route 0 to
    3). A route that crosses a place twice is listed once for each crossing.
    """
    start = np.zeros(n_places + 1, np.int64)
    for j in range(routes.size):
        start[routes[j] + 1] += 1
    for s in range(n_places):
        start[s + 1] += start[s]
    at = start[:-1].copy()
    items = np.empty(routes.size, np.int32)
    for r in range(route.size):
        j = np.int64(route[r])
        for k in range(hops.shape[1]):
            for _ in range(hops[r, k]):
                s = routes[j]
                items[at[s]] = 4 * r + k
                at[s] += 1
                j += 1
    return start, items

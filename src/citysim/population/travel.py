"""How people get to their anchors: mode, minutes, and the segments walked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from citysim.kernels.routes import group_trips, measure_trips, nearest_stops, write_routes
from citysim.population.draws import Draws
from citysim.state.table import Table


def riders(age: np.ndarray, resident: np.ndarray, parameters: SimpleNamespace,
           draws: Draws) -> np.ndarray:
    """Who rides transit where the walk is too long (uint8, 1) and who drives (0)."""
    p = parameters.travel
    elderly = age >= parameters.gravity.elderly_from
    share = np.where(elderly, p.transit_elderly, p.transit_adult)
    share = np.where(resident, share, p.transit_outsider)
    share = np.where(age < p.licence_age, 1.0, share)
    return (draws.uniform("transit", len(age)) < share).astype(np.uint8)


def lay_routes(city, people: Table, rides: np.ndarray,
               parameters: SimpleNamespace) -> np.ndarray:
    """Fill ``hops``, ``modes``, ``minutes`` and ``route`` of people; return the routes.

    Routes are shortest walks over the place graph (Dijkstra 1959), home first, both ends
    included: the whole walk on foot, the walks to and from the stops by transit, the two end
    segments by car.

    Parameters
    ----------
    city
        With ``places`` and ``neighbours``.
    people
        With ``anchors`` filled.
    rides
        From :func:`riders`.

    Returns
    -------
    uint16 array
        The four routes of each person one behind the other, in the order of people.
    """
    places, graph, p = city.places, city.neighbours, parameters.travel
    x, y = places.x.astype(np.float64), places.y.astype(np.float64)
    n = len(places)
    stop, step, stop_hops = (np.empty(n, np.int32) for _ in range(3))
    stop_metres = np.empty(n, np.float32)
    stops = np.flatnonzero(places.stop > 0).astype(np.int32)
    nearest_stops(graph.start, graph.items, places.length, stops, float(p.stop_limit), stop,
                  step, stop_hops, stop_metres)
    pace = np.array([p.walking_speed, p.transit_speed, p.transit_wait, p.car_speed,
                     p.car_parking, p.detour], float)
    trip_start, trips = group_trips(people.anchors, n)
    measure_trips(graph.start, graph.items, places.length, x, y, people.anchors, trip_start,
                  trips, rides, float(p.walk_limit), stop, stop_hops, stop_metres, pace,
                  people.hops, people.modes, people.minutes)
    walked = people.hops.sum(axis=1, dtype=np.int64)
    people.route[:] = np.cumsum(walked) - walked
    routes = np.empty(int(walked.sum()), np.uint16)
    write_routes(graph.start, graph.items, places.length, people.anchors, trip_start, trips,
                 float(p.walk_limit), stop, step, stop_hops, people.hops, people.modes,
                 people.route, routes)
    return routes

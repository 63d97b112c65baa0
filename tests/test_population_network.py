"""Routes and ties of a population, and the kernels that make them."""


import numpy as np
import pytest

import made_population
from citysim.state import columns
from citysim.state.csr import Ragged


@pytest.fixture(scope="module")
def parameters():
    return made_population.parameters()


@pytest.fixture(scope="module")
def city():
    return made_population.city()


@pytest.fixture(scope="module")
def population():
    return made_population.population()


@pytest.fixture(scope="module")
def walks(city):
    """Shortest walks by networkx, the oracle."""
    import networkx as nx

    graph, near = nx.Graph(), city.neighbours
    length = city.places.length.astype(float)
    for i in range(len(city.places)):
        for j in near[i]:
            graph.add_edge(i, int(j), metres=(length[i] + length[j]) / 2)
    return dict(nx.all_pairs_dijkstra_path_length(graph, weight="metres"))


def trip(population, person, leg):
    """Mode, places and minutes of one trip."""
    p = population.people
    return ((int(p.modes[person]) >> (2 * leg)) & 3, population.route(person, leg + 1),
            int(p.minutes[person, leg]))


def along(city, route):
    """Metres along a route; ``inf`` where it is not a walk from place to neighbour."""
    length = city.places.length.astype(float)
    for a, b in zip(route[:-1], route[1:], strict=True):
        if int(b) not in city.neighbours[int(a)]:
            return np.inf
    return float((length[route[:-1]] + length[route[1:]]).sum() / 2)


def test_routes_against_an_oracle(population, city, walks, parameters):
    p, places = population.people, city.places
    limit = parameters["travel"]["walk_limit"]["value"]
    speed = parameters["travel"]["walking_speed"]["value"]
    stops = np.flatnonzero(places.stop)
    seen = set()
    for person in range(0, len(p), 7):
        for leg in range(4):
            mode, route, minutes = trip(population, person, leg)
            home, goal = (int(a) for a in p.anchors[person, [0, leg + 1]])
            shortest = walks[home][goal]
            assert route[0] == home and route[-1] == goal
            if shortest <= limit:
                assert mode == 0
                assert along(city, route) == pytest.approx(shortest)
                assert minutes == np.ceil(shortest / speed)
            elif mode == 2:
                assert list(route) == [home, goal]
            elif mode == 1:
                to_stop, from_stop = (min(walks[end][int(s)] for s in stops)
                                      for end in (home, goal))
                assert any(
                    places.stop[route[k - 1]] and places.stop[route[k]]
                    and along(city, route[:k]) == pytest.approx(to_stop)
                    and along(city, route[k:]) == pytest.approx(from_stop)
                    for k in range(1, len(route)))
            seen.add(mode)
    assert seen == {0, 1, 2}


def test_memory_per_resident(population):
    # Most that a resident may take: 400 bytes in all, 180 for routes, 45 for ties. Outsiders
    # (15 % here) add people and routes of their own.
    by_part = {k: v / population.n_residents for k, v in population.nbytes.items()}
    assert sum(by_part.values()) < 400
    assert by_part["routes"] < 180
    assert by_part["ties"] < 45
    assert by_part["tie_kinds"] < 10


def test_children_do_not_drive(population):
    p = population.people
    legs = (p.modes[:, None].astype(int) >> np.array([0, 2, 4, 6])) & 3
    children = (p.age < 18) & (p.kind == 0)
    rides = legs[children]
    assert (rides == 1).any()
    # A child is driven only where no stop is in reach, and stops are everywhere here.
    assert (rides == 2).mean() < 0.01


def test_same_place_is_one_segment(population):
    p = population.people
    same = p.anchors[:, 1:] == p.anchors[:, :1]
    assert same.any()
    assert (p.hops[same] == 1).all()


def test_ties_are_symmetric_without_self_or_duplicates(population):
    ties, n = population.ties, population.n_residents
    row = np.repeat(np.arange(n), np.diff(ties.start))
    forth = row * n + ties.items
    assert (row != ties.items).all()
    assert len(np.unique(forth)) == len(forth)
    assert np.array_equal(np.sort(ties.items.astype(np.int64) * n + row), np.sort(forth))


def test_ties_hold_households_age_and_degree(population):
    p, h, ties, n = population.people, population.households, population.ties, \
        population.n_residents
    for first, size in zip(h.first[:200], h["size"][:200], strict=True):
        for i in range(first, first + size):
            assert set(range(first, first + size)) - {i} <= set(ties[i].tolist())
    # Households of mean 2.2 give about 2 ties each, the other kinds 6.4 by configuration.
    assert 7.0 < len(ties.items) / n < 9.5
    row = np.repeat(np.arange(n), np.diff(ties.start))
    age = p.age[:n].astype(int)
    outside = p.household[row] != p.household[ties.items]
    near = np.mean(np.abs(age[row[outside]] - age[ties.items[outside]]) <= 8)
    rng = np.random.default_rng(0)
    chance = np.mean(np.abs(age[row] - age[rng.permutation(ties.items)]) <= 8)
    assert near > chance + 0.2


def test_every_tie_has_the_kind_of_those_whom_it_joins(population, city):
    """What each kind promises, counted from the tables."""
    p, h, ties, n = population.people, population.households, population.ties, \
        population.n_residents
    assert population.tie_kinds.dtype == np.uint8
    one = np.repeat(np.arange(n), np.diff(ties.start))
    other = ties.items
    kind = np.array(columns.TIE_KINDS)[population.tie_kinds]
    assert set(kind) == set(columns.TIE_KINDS)

    def both(kind_of_tie, column):
        rows = kind == kind_of_tie
        return column[one[rows]], column[other[rows]]

    family = p.household[:n]
    assert np.array_equal(kind == "household", family[one] == family[other])
    size = h["size"].astype(int)
    assert np.count_nonzero(kind == "household") == (size * (size - 1)).sum()
    home, day, evening = p.anchors[:n, :3].T
    for name, column in (("kin", city.places.district[home]), ("kin", p.foreign[:n]),
                         ("school", day), ("school", p.age[:n]), ("work", day),
                         ("friend", evening)):
        a, b = both(name, column)
        assert len(a) > 100 and np.array_equal(a, b), name
    for name, states in (("school", (columns.CHILD, columns.STUDENT)),
                         ("work", (columns.EMPLOYED,))):
        assert np.isin(both(name, p.employment[:n]), states).all()
    # Both ends call a tie the same.
    back = {(a, b): k for a, b, k in zip(one.tolist(), other.tolist(), kind, strict=True)}
    assert all(back[b, a] == k for (a, b), k in back.items())


def test_marks_of_rows_against_a_dictionary():
    from citysim.kernels.synthesis import mark_rows, symmetric_rows

    rng = np.random.default_rng(4)
    one, other = rng.integers(0, 30, (2, 400)).astype(np.int32)
    mark = rng.integers(0, 6, 400).astype(np.uint8)
    start, items = symmetric_rows(one, other, 30)
    least = {}
    for a, b, m in zip(one.tolist(), other.tolist(), mark.tolist(), strict=True):
        for ends in ((a, b), (b, a)):
            least[ends] = min(m, least.get(ends, 255))
    row = np.repeat(np.arange(30), np.diff(start)).tolist()
    assert mark_rows(start, items, one, other, mark).tolist() == \
        [least[a, b] for a, b in zip(row, items.tolist(), strict=True)]


def test_gravity_choice_follows_weight_and_distance():
    from citysim.kernels.synthesis import gravity_choice, group_by

    x, y = np.array([0, 100, 300], np.float32), np.zeros(3, np.float32)
    n = 20_000
    members = np.empty(n, np.int32)
    start = group_by(np.zeros(n, np.int32), 3, members)
    decay = np.exp(-(np.arange(40) + 0.5) * 10 / 150)
    weight = np.array([1.0, 3.0])
    chosen = np.empty(n, np.uint16)
    gravity_choice(x, y, start, members, np.array([1, 2], np.int32), weight, decay, 10.0,
                   np.random.default_rng(0).uniform(size=n), chosen)
    pull = weight * np.exp(-np.array([105, 305]) / 150)
    assert np.mean(chosen == 1) == pytest.approx(pull[0] / pull.sum(), abs=0.015)
    assert np.isin(chosen, (1, 2)).all()


def test_symmetric_rows_against_sets():
    from citysim.kernels.synthesis import symmetric_rows

    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 40, (2, 300)).astype(np.int32)
    start, items = symmetric_rows(one, other, 40)
    known = [set() for _ in range(40)]
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        if a != b:
            known[a].add(b)
            known[b].add(a)
    assert [items[start[i]:start[i + 1]].tolist() for i in range(40)] == \
        [sorted(k) for k in known]


def test_long_routes_keep_their_ends(parameters):
    """A walk of more than 255 places is cut to what a byte can count."""
    from citysim.kernels.routes import group_trips, measure_trips, write_routes

    n = 400
    near = Ragged.from_pairs(np.r_[np.arange(n - 1), np.arange(1, n)],
                             np.r_[np.arange(1, n), np.arange(n - 1)], n)
    length, zero = np.ones(n, np.float32), np.zeros(n)
    anchors = np.array([[0, 399, 0, 10, 0]], np.uint16)
    start, trips = group_trips(anchors, n)
    none, far = np.full(n, -1, np.int32), np.full(n, np.inf, np.float32)
    hops, modes = np.zeros((1, 4), np.uint8), np.zeros(1, np.uint8)
    minutes = np.zeros((1, 4), np.uint8)
    measure_trips(near.start, near.items, length, zero, zero, anchors, start, trips,
                  np.ones(1, np.uint8), 1000.0, none, none, far, np.ones(6), hops, modes, minutes)
    assert hops.tolist() == [[255, 1, 11, 1]]
    routes = np.full(int(hops.sum()), 60_000, np.uint16)
    write_routes(near.start, near.items, length, anchors, start, trips, 1000.0, none, none, none,
                 hops, modes, np.zeros(1, np.uint32), routes)
    assert routes[0] == 0 and routes[253] == 253 and routes[254] == 399
    assert routes[256:267].tolist() == list(range(11))

"""Street graphs: the kernels on them, and joining lines to segments."""


import networkx as nx
import numpy as np
import pytest

from citysim.city.apportion import largest_remainder
from citysim.city.network import Streets, neighbours, tidy
from citysim.kernels.network import bounded_dijkstra, components, passages, reset, walk_back
from citysim.state.csr import Ragged


def _random_graph(n=400, m=700, seed=3):
    graph = nx.gnm_random_graph(n, m, seed=seed)
    pairs = np.array([(a, b) for a, b in graph.edges] + [(b, a) for a, b in graph.edges])
    near = Ragged.from_pairs(pairs[:, 0], pairs[:, 1], n)
    length = np.random.default_rng(seed).uniform(5, 200, n).astype("f4")
    for a, b in graph.edges:
        graph[a][b]["metres"] = (float(length[a]) + float(length[b])) / 2
    return graph, near, length


def _scratch(n, edges):
    return (np.full(n, np.inf, "f4"), np.full(n, -1, "i4"), np.empty(edges + 1, "f4"),
            np.empty(edges + 1, "i4"), np.empty(n, "i4"))


@pytest.mark.parametrize("limit", [0.0, 150.0, 600.0, np.inf])
def test_bounded_dijkstra_agrees_with_networkx(limit):
    graph, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    for source in (0, 7, 399):
        count = bounded_dijkstra(near.start, near.items, length, source, limit, distance, parent,
                                 key, item, visited)
        truth = nx.single_source_dijkstra_path_length(graph, source, weight="metres",
                                                      cutoff=None if limit == np.inf else limit)
        found = {int(i): float(distance[i]) for i in visited[:count]}
        assert set(found) == set(truth)
        assert all(abs(found[i] - truth[i]) < 0.01 for i in truth)
        assert (np.diff(distance[visited[:count]]) >= 0).all()
        assert np.isinf(distance).sum() == len(length) - count  # nothing else was touched
        reset(distance, parent, visited, count)
        assert np.isinf(distance).all() and (parent == -1).all()


def test_walk_back_follows_neighbours_and_adds_up():
    graph, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    count = bounded_dijkstra(near.start, near.items, length, 5, np.inf, distance, parent, key,
                             item, visited)
    target = int(visited[count - 1])
    route = np.empty(400, np.uint16)
    n = walk_back(parent, target, route)
    walk = route[:n].tolist()
    assert walk[0] == 5 and walk[-1] == target
    total = sum(graph[a][b]["metres"] for a, b in zip(walk[:-1], walk[1:], strict=True))
    assert total == pytest.approx(float(distance[target]), abs=0.05)
    assert walk_back(parent, target, route[:n - 1]) == -1


def test_a_heap_that_is_too_small_is_reported():
    _, near, length = _random_graph()
    distance, parent, key, item, visited = _scratch(len(length), len(near.items))
    assert bounded_dijkstra(near.start, near.items, length, 5, np.inf, distance, parent, key[:2],
                            item[:2], visited) == -1


def test_components_agree_with_networkx():
    graph, near, _ = _random_graph(m=250)
    label = components(near.start, near.items)
    for part in nx.connected_components(graph):
        assert len(set(label[list(part)])) == 1
    assert label.max() + 1 == nx.number_connected_components(graph)


def test_passages_count_inner_places_of_shortest_walks():
    # A path graph has one walk between any two places, so the count is known by hand.
    pairs = np.array([(i, i + 1) for i in range(4)] + [(i + 1, i) for i in range(4)])
    near = Ragged.from_pairs(pairs[:, 0], pairs[:, 1], 5)
    counted = passages(near.start, near.items, np.ones(5, "f4"), np.arange(5), np.inf)
    assert counted.tolist() == [0, 6, 8, 6, 0]


def _streets(*coordinates, ends):
    return Streets([np.array(c, float) for c in coordinates], np.array(ends),
                   np.zeros(len(ends), np.uint8))


def test_pieces_between_intersections_become_one_segment_and_length_is_kept():
    star = _streets([(0, 0), (50, 0)], [(50, 0), (100, 0)], [(100, 0), (100, 80)],
                    [(100, 0), (190, 0)], ends=[(0, 1), (1, 2), (2, 3), (2, 4)])
    done = tidy(star, min_length=1, max_length=1000)
    assert sorted(done.lengths().tolist()) == [80, 90, 100]
    assert [len(neighbours(done.ends)[i]) for i in range(3)] == [2, 2, 2]


def test_long_segments_are_cut_and_strays_left_out_with_a_note():
    raw = _streets([(0, 0), (1000, 0)], [(1000, 0), (1000, 90)], [(1000, 0), (1090, 0)],
                   [(5000, 0), (5070, 0)], ends=[(0, 1), (1, 2), (1, 3), (8, 9)])
    done = tidy(raw, min_length=1, max_length=300)
    assert done.lengths().sum() == pytest.approx(1180)
    assert done.lengths().max() <= 300
    assert any("1 stray component" in n and "70 m" in n for n in done.notes)


def test_largest_remainder_is_exact_and_proportional():
    counts = largest_remainder([1, 1, 2, 0], 10)
    assert counts.sum() == 10 and counts[3] == 0 and counts[2] == 5
    assert largest_remainder([0, 0], 5).tolist() == [0, 0]

"""Knox tables: crimes close in space and time, against the same crimes with shuffled times.

Expected pairs are exact: under shuffling every pair of crimes is as likely as any other to be
close in time, so they are pairs close in space times the share of all pairs close in time.
Permutations only give the p-value. The package ``pointpats`` has the test for straight distances
and one limit; the tests hold this one against it.
"""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, Crimes, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure

HOURS_PER_DAY = 24.0
SEED = 1
MOST_PAIRS = 30_000_000  # more would not fit into memory beside everything else
_CHUNK = 512  # places whose distances are held at a time


def close_pairs(data: CityData, crimes: Crimes, metres: float, along: str):
    """Pairs of crimes within so many metres.

    Parameters
    ----------
    along
        ``straight``, or ``network``: between the middles of their segments along the streets.

    Returns
    -------
    first, second, apart
        Rows of ``crimes`` (first < second) and their distance, m.
    """
    if along == "straight":
        from scipy.spatial import cKDTree

        points = np.column_stack([crimes.x, crimes.y])
        tree = cKDTree(points)
        _refuse_too_many((tree.count_neighbors(tree, metres) - len(points)) // 2)
        pairs = tree.query_pairs(metres, output_type="ndarray")
        first, second = np.sort(pairs, axis=1).T
        return first, second, np.hypot(*(points[first] - points[second]).T)
    if along != "network":
        raise NotMeasurable(f"distance '{along}' is neither straight nor network")
    if data.places.neighbours is None:
        raise NotMeasurable("which segments meet is not known here")
    return _network_pairs(data, crimes, metres)


def _network_pairs(data: CityData, crimes: Crimes, metres: float):
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    n, links = len(data.places), data.places.neighbours
    row = np.repeat(np.arange(n), np.diff(links.start))
    cost = (data.places.length[row] + data.places.length[links.items]) / 2
    graph = csr_matrix((cost, (row, links.items)), shape=(n, n))
    order = np.argsort(crimes.place, kind="stable")
    start = np.searchsorted(crimes.place[order], np.arange(n + 1))
    used = np.unique(crimes.place)
    each, found, so_far = np.diff(start), [], 0
    for k in range(0, len(used), _CHUNK):
        here = used[k:k + _CHUNK]
        away = dijkstra(graph, indices=here, limit=metres)
        which, there = np.nonzero((away <= metres) & (each > 0))
        so_far += int((each[here[which]] * each[there]).sum() - each[here].sum())
        _refuse_too_many(so_far // 2)  # each pair comes up twice
        for p, q, d in zip(here[which], there, away[which, there], strict=True):
            if p <= q:
                one, other = order[start[p]:start[p + 1]], order[start[q]:start[q + 1]]
                pair = np.stack(np.meshgrid(one, other, indexing="ij")).reshape(2, -1)
                if p == q:
                    pair = pair[:, pair[0] < pair[1]]
                found.append((np.sort(pair, axis=0), np.full(pair.shape[1], d)))
    if not found:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    pairs = np.concatenate([pair for pair, _ in found], axis=1)
    return pairs[0], pairs[1], np.concatenate([d for _, d in found])


def _refuse_too_many(pairs: int) -> None:
    if pairs > MOST_PAIRS:
        raise NotMeasurable(f"{pairs:,} pairs are that close, too many to hold; take fewer kinds "
                            "of crime or a shorter distance")


def pairs_within(time: np.ndarray, limit: float) -> int:
    """Number of all pairs of moments at most ``limit`` apart."""
    time = np.sort(time)
    return int((np.searchsorted(time, time + limit, side="right") - np.arange(len(time)) - 1).sum())


def knox_table(data: CityData, crimes: Crimes, metres, days, along="straight",
               same_place=True, permutations=0):
    """Observed and expected pairs in bands of distance and time.

    Parameters
    ----------
    metres, days
        Upper ends of the bands, rising; a pair at an end belongs to the band below it.
    same_place
        Whether pairs at the same spot count (they are in the first band).
    permutations
        Of times over crimes, for p-values.

    Returns
    -------
    observed, expected, p
        (bands of distance, bands of time); ``p`` is NaN without permutations.
    """
    time = crimes.time / HOURS_PER_DAY
    first, second, apart = close_pairs(data, crimes, max(metres), along)
    if not same_place:
        keep = apart > 0
        first, second, apart = first[keep], second[keep], apart[keep]
    band = np.searchsorted(metres, apart, side="left")
    shape = (len(metres), len(days))

    def table(t):
        when = np.searchsorted(days, np.abs(t[first] - t[second]), side="left")
        inside = when < len(days)
        cell = band[inside] * len(days) + when[inside]
        return np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)

    observed = table(time)
    all_pairs = len(time) * (len(time) - 1) / 2
    near_in_time = np.diff([0, *(pairs_within(time, d) for d in days)])
    expected = np.bincount(band, minlength=shape[0])[:, None] * near_in_time / all_pairs
    rng, above = np.random.default_rng(SEED), np.zeros(shape)
    for _ in range(permutations):
        above += table(rng.permutation(time)) >= observed
    p = (1 + above) / (permutations + 1) if permutations else np.full(shape, np.nan)
    return observed, expected, p


@measure("observed over expected pairs", needs=("time",))
def near_repeats(data, metres=100, days=7, offences="all", along="straight", same_place=True,
                 permutations=199) -> Reading:
    """Knox ratio: pairs of crimes close in space and time over those expected by chance.

    Parameters
    ----------
    metres, days
        What counts as close; lists of band ends give a whole table in ``more`` (the value is that
        of the first band of each).
    offences
        Kinds of crime, compared among each other.
    along
        ``straight`` or ``network``.
    same_place
        Count pairs at the same spot too (repeats), or only what happens near it.
    permutations
        For the p-value.
    """
    crimes = data.select(offences)
    if len(crimes) < 2:
        raise NotMeasurable(f"{len(crimes)} crimes of this kind: no pairs")
    metres, days = (np.atleast_1d(np.asarray(v, float)) for v in (metres, days))
    observed, expected, p = knox_table(data, crimes, metres, days, along, same_place, permutations)
    if expected[0, 0] == 0:
        raise NotMeasurable("no two crimes are that close")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = observed / expected
    note = f"{observed[0, 0]} pairs, {expected[0, 0]:.3g} expected"
    if permutations:
        note += f", p {p[0, 0]:.3f}"
    return Reading(float(ratio[0, 0]), len(crimes), note,
                   {"observed": observed, "expected": expected, "ratio": ratio, "p": p})

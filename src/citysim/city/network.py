"""From pieces of street to places: joining, splitting, and who is next to whom.

Streets come in as lines with numbered ends. Pieces between intersections are joined into one
segment each, long segments are cut, stray components are left out, and segments that share an
intersection become neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from citysim.state.csr import Ragged


@dataclass(frozen=True)
class Streets:
    """Street segments with their ends.

    Attributes
    ----------
    lines
        One array of (x, y) rows in metres per segment, float64.
    ends
        Intersections at both ends, int64 ``(n, 2)``.
    main
        1 for main streets, uint8 ``(n,)``.
    water
        Lines of rivers, for drawing and for parks.
    notes
        What was changed or left out on the way.
    """

    lines: list[np.ndarray]
    ends: np.ndarray
    main: np.ndarray
    water: list[np.ndarray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def lengths(self) -> np.ndarray:
        """Length of each segment in metres, float64 ``(n,)``."""
        flat, owner = self._flat()
        step = np.hypot(*np.diff(flat, axis=0).T)
        same = owner[1:] == owner[:-1]
        return np.bincount(owner[:-1][same], step[same], minlength=len(self))

    def middles(self) -> np.ndarray:
        """Middle of each segment along its line, float64 ``(n, 2)``."""
        return np.array([_along(line, 0.5) for line in self.lines]).reshape(-1, 2)

    def crosses(self, barriers) -> np.ndarray:
        """Flags of the segments that cross one of some lines (arrays of x, y)."""
        result = np.zeros(len(self), bool)
        if barriers:
            import shapely

            tree = shapely.STRtree([shapely.LineString(line) for line in self.lines])
            result[tree.query(shapely.multilinestrings([shapely.LineString(b) for b in barriers]),
                              predicate="intersects")] = True
        return result

    def keep(self, rows) -> Streets:
        """Only the given segments (index array or mask)."""
        rows = np.arange(len(self))[rows]
        return replace(self, lines=[self.lines[i] for i in rows], ends=self.ends[rows],
                       main=self.main[rows])

    def ragged(self, origin=(0.0, 0.0)) -> Ragged:
        """Lines as compressed rows of float32 (x, y), counted from ``origin``."""
        counts = np.array([len(line) for line in self.lines], np.int64)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        flat = np.vstack(self.lines) - np.asarray(origin)
        return Ragged(start, flat.astype(np.float32))

    def _flat(self):
        return (np.vstack(self.lines),
                np.repeat(np.arange(len(self)), [len(line) for line in self.lines]))


def _along(line, share) -> np.ndarray:
    """Point at a share of the length of one line."""
    reach = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = share * reach[-1]
    return np.array([np.interp(at, reach, line[:, 0]), np.interp(at, reach, line[:, 1])])


def neighbours(ends: np.ndarray) -> Ragged:
    """Segments that share an intersection, as sorted compressed rows of int32.

    Parameters
    ----------
    ends
        Intersections at both ends of each segment, ``(n, 2)``.
    """
    n = len(ends)
    _, node = np.unique(ends, return_inverse=True)
    node = node.reshape(-1, 2)
    segment = np.repeat(np.arange(n), 2)
    incidence = coo_matrix((np.ones(2 * n, np.int32), (segment, node.ravel()))).tocsr()
    meets = (incidence @ incidence.T).tolil()
    meets.setdiag(0)
    meets = meets.tocsr()
    meets.eliminate_zeros()
    meets.sort_indices()
    return Ragged(meets.indptr.astype(np.int64), meets.indices.astype(np.int32))


def number_ends(lines, grid: float) -> np.ndarray:
    """Number the ends of lines so that ends on the same grid cell are one intersection.

    ``grid`` in metres; returns int64 ``(n, 2)``.
    """
    points = np.array([[line[0], line[-1]] for line in lines]).reshape(-1, 2)
    cells = np.round(points / grid).astype(np.int64)
    _, number = np.unique(cells, axis=0, return_inverse=True)
    return number.reshape(-1, 2).astype(np.int64)


def tidy(streets: Streets, *, min_length: float, max_length: float) -> Streets:
    """Join, shorten and clean: the way from raw pieces to segments.

    Pieces shorter than ``min_length`` metres are closed up, pieces between two intersections
    joined, segments longer than ``max_length`` cut into equal parts, all but the largest
    component left out.
    """
    streets = close_short(streets, min_length)
    streets = join_pieces(streets)
    streets = cut_long(streets, max_length)
    return largest_component(streets)


def close_short(streets: Streets, min_length: float) -> Streets:
    """Make one intersection of the two ends of every piece shorter than ``min_length``."""
    short = streets.lengths() < min_length
    if not short.any() or short.all():
        return streets
    n = int(streets.ends.max()) + 1
    links = coo_matrix((np.ones(short.sum()), streets.ends[short].T), shape=(n, n))
    group = connected_components(links, directed=False)[1]
    kept = streets.keep(~short)
    note = f"{short.sum()} pieces shorter than {min_length:g} m were closed up"
    return replace(kept, ends=group[kept.ends].astype(np.int64), notes=[*streets.notes, note])


def join_pieces(streets: Streets) -> Streets:
    """Join pieces that meet where nothing else does; a main street is not joined to a lesser one.
    """
    at: dict[int, list[int]] = {}
    for i, (u, v) in enumerate(streets.ends.tolist()):
        at.setdefault(u, []).append(i)
        at.setdefault(v, []).append(i)
    through = {node for node, met in at.items() if len(met) == 2 and met[0] != met[1]
               and streets.main[met[0]] == streets.main[met[1]]}
    used = np.zeros(len(streets), bool)
    lines, ends, main = [], [], []
    for i in range(len(streets)):
        if used[i]:
            continue
        used[i] = True
        u, v = streets.ends[i].tolist()
        line, v = _extend(streets, streets.lines[i], v, i, at, through, used)
        line, u = _extend(streets, line[::-1], u, i, at, through, used)
        lines.append(line[::-1])
        ends.append((u, v))
        main.append(streets.main[i])
    return replace(streets, lines=lines, ends=np.array(ends, np.int64).reshape(-1, 2),
                   main=np.array(main, np.uint8))


def _extend(streets, line, node, piece, at, through, used):
    """Carry a line on past ``node`` while it merely passes through."""
    parts = [line]
    while node in through:
        a, b = at[node]
        following = b if a == piece else a
        if used[following]:
            break
        used[following] = True
        u, v = streets.ends[following].tolist()
        onward = streets.lines[following] if u == node else streets.lines[following][::-1]
        parts.append(onward[1:])
        piece, node = following, (v if u == node else u)
    return (np.vstack(parts) if len(parts) > 1 else line), node


def cut_long(streets: Streets, max_length: float) -> Streets:
    """Cut segments longer than ``max_length`` metres into equal parts."""
    lengths = streets.lengths()
    if not (lengths > max_length).any():
        return streets
    free = int(streets.ends.max()) + 1
    lines, ends, main = [], [], []
    for i, line in enumerate(streets.lines):
        parts = max(1, int(np.ceil(lengths[i] / max_length)))
        inner = list(range(free, free + parts - 1))
        free += parts - 1
        nodes = [int(streets.ends[i, 0]), *inner, int(streets.ends[i, 1])]
        lines += _equal_parts(line, parts)
        ends += zip(nodes[:-1], nodes[1:], strict=True)
        main += [streets.main[i]] * parts
    note = f"{(lengths > max_length).sum()} segments longer than {max_length:g} m were cut"
    return replace(streets, lines=lines, ends=np.array(ends, np.int64),
                   main=np.array(main, np.uint8), notes=[*streets.notes, note])


def _equal_parts(line, parts):
    if parts == 1:
        return [line]
    reach = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    cuts = np.linspace(0, reach[-1], parts + 1)
    points = np.column_stack([np.interp(cuts, reach, line[:, k]) for k in (0, 1)])
    return [np.vstack([points[k], line[(reach > cuts[k]) & (reach < cuts[k + 1])], points[k + 1]])
            for k in range(parts)]


def largest_component(streets: Streets) -> Streets:
    """Keep the largest connected part by street length, note what was left out."""
    n = int(streets.ends.max()) + 1
    links = coo_matrix((np.ones(len(streets)), streets.ends.T), shape=(n, n))
    part = connected_components(links, directed=False)[1][streets.ends[:, 0]]
    metres = np.bincount(part, streets.lengths())
    inside = part == np.argmax(metres)
    if inside.all():
        return streets
    strays = len(np.unique(part[~inside]))
    note = (f"{strays} stray component{'s' if strays > 1 else ''} left out: "
            f"{(~inside).sum()} segments, {metres.sum() - metres.max():,.0f} m")
    return replace(streets.keep(inside), notes=[*streets.notes, note])

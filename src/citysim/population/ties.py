"""Who knows whom: kin, neighbours, class mates and colleagues, friends from leisure.

Everyone in a household is tied. For each other kind, residents are lined up so that likely
friends stand close (same area and age, same school or firm, same evening place); each is tied
to the next ones of the same sort in the line. That gives a set mean degree, homophily by place
and age (McPherson, Smith-Lovin and Cook 2001) and closed triangles, in linear time.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from citysim.kernels.synthesis import household_pairs, mark_rows, symmetric_rows
from citysim.population.draws import Draws
from citysim.state.columns import CHILD, EMPLOYED, STUDENT, TIE_KINDS
from citysim.state.csr import Ragged
from citysim.state.table import Table

_AGE_SPAN = 128  # above any age: packs age into a sorting key


def tie_residents(places: Table, people: Table, households: Table, n_residents: int,
                  parameters: SimpleNamespace, draws: Draws) -> tuple[Ragged, np.ndarray]:
    """Symmetric ties among residents, and what each of them is.

    Parameters
    ----------
    places, people, households
        Tables with homes, anchors and members in place.
    n_residents
        Rows of people that are residents.

    Returns
    -------
    ties, kinds
        int32 rows without duplicates; for each of their items the code of its kind in
        ``TIE_KINDS`` (uint8). Who is tied in two ways counts as the closer of them.
    """
    p, n = parameters.ties, n_residents
    age = people.age[:n].astype(np.int64)
    home, day, evening = (people.anchors[:n, k].astype(np.int64) for k in (0, 1, 2))
    band = age // int(p.age_band)
    cell = _cells(places, p.neighbourhood)
    district = places.district[home].astype(np.int64)
    work = people.employment[:n]
    learning = (work == CHILD) | (work == STUDENT)
    # Class mates are of one age; colleagues of any.
    peers = day * _AGE_SPAN + np.where(learning, age + 1, 0)
    code = {kind: np.uint8(i) for i, kind in enumerate(TIE_KINDS)}
    everyone = np.ones(n, bool)
    lines = (
        ("kin", district * 2 + people.foreign[:n], everyone, p.kin, code["kin"]),
        ("neighbours", cell[home] * _AGE_SPAN + band, everyone, p.neighbours, code["neighbour"]),
        ("work_or_school", peers, learning | (work == EMPLOYED), p.work_or_school,
         np.where(learning, code["school"], code["work"])),
        ("leisure", evening * _AGE_SPAN + band, ~(work == CHILD), p.leisure, code["friend"]),
    )
    size = households["size"].astype(np.int64)
    n_pairs = int((size * (size - 1) // 2).sum())
    pairs = [(np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int32))]
    household_pairs(households.first, size, *pairs[0])
    kinds = [np.full(n_pairs, code["household"])]
    for purpose, key, who, degree, kind in lines:
        found = _line_up(purpose, key, who, degree * n / 2, draws)
        pairs += found
        kinds += [np.broadcast_to(kind, n)[one] for one, _ in found]
    one, other = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    start, items = symmetric_rows(one, other, n)
    kind = mark_rows(start, items, one, other, np.concatenate(kinds))
    return Ragged(start.astype(np.uint32), items), kind  # half the bytes: rows are short, and many


def _cells(places, side):
    """Cell of each place on a square grid, int64."""
    column = ((places.x - places.x.min()) / side).astype(np.int64)
    row = ((places.y - places.y.min()) / side).astype(np.int64)
    return row * (column.max() + 1) + column


def _line_up(kind, key, who, wanted, draws):
    """About ``wanted`` pairs that stand close in the line sorted by key, then at random.

    Everyone is tied to the next in line, then to the next but one, and so on while pairs are
    lacking; of the last round only the share that is needed is kept.
    """
    rows = np.flatnonzero(who).astype(np.int32)
    line = rows[np.argsort(key[rows] + draws.uniform(kind, len(who))[rows])]
    keep = draws.uniform(f"{kind}_keep", len(who))
    pairs, offset = [], 1
    while wanted > 0:
        same = np.flatnonzero(key[line[offset:]] == key[line[:-offset]])
        if len(same) == 0:
            break
        a, b = line[same], line[same + offset]
        kept = keep[a] < wanted / len(same)
        pairs.append((a[kept], b[kept]))
        wanted -= len(same)
        offset += 1
    return pairs

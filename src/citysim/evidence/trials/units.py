"""Which places or people are the units of a trial, and the rings around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from citysim.config.errors import InputError
from citysim.evidence.trials.schema import Trial
from citysim.kernels.random import address, uniform
from citysim.policies.policy import Condition, Target
from citysim.policies.targeting import choose
from citysim.state.table import Table

STREAM = 1001  # of draws that belong to trials, out of reach of the model's own streams
PICK, RANK, LOTS = range(3)
_WITH_VENUES = Target(table="places", rank_by="venues",
                      filter=[Condition(column="venues", at_least=1)])


@dataclass(frozen=True)
class Units:
    """Units in order of priority.

    Attributes
    ----------
    table
        ``places`` or ``people``.
    rows
        Rows of each unit, int64; no row is in two units.
    """

    table: str
    rows: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self, size: int) -> np.ndarray:
        """Unit of each row of the table, -1 for none."""
        found = np.full(size, -1, np.int64)
        for unit, rows in enumerate(self.rows):
            found[rows] = unit
        return found

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of a column over the rows of each unit."""
        return np.array([values[rows].sum() for rows in self.rows], "f8")


def find_units(trial: Trial, tables: dict[str, Table], recorded: np.ndarray, seed: int,
               scale: float = 1.0) -> Units:
    """Units of a trial in a city as it stands at the end of the baseline.

    Parameters
    ----------
    trial
        The entry.
    tables
        ``places`` and ``people`` of the model.
    recorded
        Crime recorded at each place in the baseline: what ``recorded`` means in ``eligible``.
    seed
        Breaks ties and draws where units are picked at random.
    scale
        Simulated residents per real one.

    Raises
    ------
    InputError
        When the city has fewer such units than the trial needs.
    """
    keys = trial.units
    places = tables["places"].copy()
    places.recorded = recorded
    tables = {**tables, "places": places}
    if keys.kind == "city":
        return Units("places", [np.arange(len(places))] * keys.number)
    target = keys.eligible or (_WITH_VENUES if keys.kind == "venues" else None)
    if keys.judged == "whole" and target is not None:
        tables["places"] = _smoothed(places, target, keys.radius)
    table = "people" if keys.kind == "people" else "places"
    rows = _eligible(target, tables, table, seed, scale)
    if keys.kind == "people":
        found = [np.array([r]) for r in _picked(rows, keys, seed)]
    elif keys.kind == "areas":
        found = _areas(places, rows, keys, target)
    else:
        found = _around(places, rows, keys, seed)
    if len(found) < keys.number:
        raise InputError(
            f"trial '{trial.id}' needs {keys.number} units, {trial.city} has {len(found)}",
            where=f"{trial.id}, units.number", allowed=f"up to {len(found)}, or a larger city")
    return Units(table, found[:keys.number])


def ring_labels(places: Table, units: Units, rings: list[float]) -> list[np.ndarray]:
    """Unit that each place lies in a ring of, int64 per ring; -1 for none.

    Distances are straight, from the nearest place of any unit. Places of units are in no ring,
    and a place near several belongs to the nearest.
    """
    own = units.labels(len(places))
    if not rings:
        return []
    here = np.column_stack((places.x, places.y)).astype("f8")
    inside = np.flatnonzero(own >= 0)
    distance, nearest = cKDTree(here[inside]).query(here)
    found, begin = [], 0.0
    for end in rings:
        there = (own < 0) & (distance > begin) & (distance <= end)
        if begin == 0.0:
            there |= (own < 0) & (distance == 0)
        found.append(np.where(there, own[inside[nearest]], -1))
        begin = end
    return found


def _eligible(target: Target | None, tables, table: str, seed: int, scale: float) -> np.ndarray:
    """Rows that may be units, the first in rank first."""
    target = target or Target(table=table)
    choice = choose(target, tables, address(seed, STREAM, RANK), scale)
    if not target.counted:
        return choice.rows
    real = scale if table == "people" else 1.0
    return choice.rows[:max(0, round(choice.wanted * real))]


def _smoothed(places: Table, target: Target, radius: float) -> Table:
    """Places with the means over all within ``radius`` metres in the columns a target looks at.

    Only columns of decimals: a count or a code stays that of the place itself.
    """
    ranks = target.rank_by or ()
    named = {c.column for c in target.filter} | ({ranks} if isinstance(ranks, str) else {*ranks})
    tree = cKDTree(np.column_stack((places.x, places.y)).astype("f8"))
    near = tree.query_ball_point(tree.data, radius)
    found = places.copy()
    for name in named:
        if name in places and places[name].dtype.kind == "f":
            found[name] = [places[name][rows].mean() for rows in near]
    return found


def _picked(rows: np.ndarray, keys, seed: int) -> np.ndarray:
    """Rows in the order in which they are taken."""
    if keys.pick == "top":
        return rows
    key = address(seed, STREAM, PICK)
    return rows[np.argsort([uniform(key, int(r)) for r in rows], kind="stable")]


def _around(places: Table, centres: np.ndarray, keys, seed: int) -> list[np.ndarray]:
    """Single places, or centres with what lies around them, none of them touching."""
    here = np.column_stack((places.x, places.y)).astype("f8")
    radius = keys.radius or 0.0
    apart = max(keys.spacing, 2 * radius)
    taken = np.zeros(len(places), bool)
    tree, kept, found = cKDTree(here), [], []
    for centre in _picked(centres, keys, seed):
        if kept and apart > 0 and \
                np.hypot(*(here[kept] - here[centre]).T).min() <= apart:
            continue
        rows = np.array([centre]) if not radius else \
            np.sort(np.array(tree.query_ball_point(here[centre], radius)))
        rows = rows[~taken[rows]]
        if len(rows) < keys.min_places:
            continue
        taken[rows] = True
        kept.append(centre)
        found.append(rows)
        if len(found) == keys.number:
            break
    return found


def _areas(places: Table, rows: np.ndarray, keys, target: Target | None) -> list[np.ndarray]:
    """Districts or squares, ranked by the mean rank of their eligible places."""
    if keys.grid:
        cell = [np.floor((c - c.min()) / keys.grid).astype(int) for c in (places.x, places.y)]
        area = cell[0] * (cell[1].max() + 1) + cell[1]
    else:
        area = places.district.astype(int)
    position = np.empty(len(places))
    position[rows] = np.arange(len(rows))
    found = [(np.mean(position[mine]), np.sort(mine)) for a in np.unique(area[rows])
             if len(mine := rows[area[rows] == a]) >= keys.min_places]
    if target is not None and target.rank_by is not None:
        found.sort(key=lambda entry: entry[0])
    return [mine for _, mine in found]

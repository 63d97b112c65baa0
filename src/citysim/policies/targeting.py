"""Choosing where a measure goes, or whom it enrols.

Everything here works on whole columns. A choice is an *order* of rows, the neediest first,
of which a plan takes as many as it can pay; a larger plan therefore always contains the
smaller one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from citysim.config.errors import InputError
from citysim.kernels.targeting import blurred_priority, keyed_uniforms
from citysim.policies.policy import Condition, Target, code_of
from citysim.state import columns
from citysim.state.table import Table


@dataclass(frozen=True)
class Choice:
    """Rows in order of priority and how many of them the target asks for at dose 1.

    Parameters
    ----------
    rows
        int64, distinct; all rows that could be taken, first come first.
    wanted
        Rows at dose 1, as a number of the *real* city for people, of places otherwise.
    """

    rows: np.ndarray
    wanted: float


def residents(tables: dict[str, Table], scale: float) -> float:
    """Residents of the real city: those in the table divided by the sampled share."""
    if "people" not in tables:
        return 0.0
    return np.count_nonzero(tables["people"].kind == columns.RESIDENT) / scale


def select(target: Target, tables: dict[str, Table], key, scale: float = 1.0) -> np.ndarray:
    """Rows that the target takes at dose 1.

    Parameters
    ----------
    target
        Whom or where.
    tables
        The state as it is now (``recorded`` is recorded crime up to now).
    key
        uint64 stream key; breaks ties and blurs the order when accuracy is below 1.
    scale
        Simulated residents per real one; counts of people refer to the real city.

    Returns
    -------
    ndarray of int64, distinct rows in order of priority.
    """
    choice = choose(target, tables, key, scale)
    wanted = choice.wanted * (scale if target.table == "people" else 1.0)
    return choice.rows[:min(len(choice.rows), round(wanted))]


def choose(target: Target, tables: dict[str, Table], key, scale: float = 1.0) -> Choice:
    """The order of all rows that the target could take; arguments as in :func:`select`."""
    table = tables[target.table]
    real = scale if target.table == "people" else 1.0
    if target.rows is not None:
        return Choice(named(target, table), len(target.rows) / real)
    rows = np.flatnonzero(_passes(table, target.filter))
    score, luck = _scores(target, table, rows, key)
    order = np.lexsort((luck, -score))
    rows = rows[order]
    districts = _districts(tables, target.table, rows) if target.per_district else None
    if districts is not None:
        rows = rows[_take_turns(districts, by_share=target.share is not None)]
    if not target.counted:
        return Choice(rows, len(rows) / real)
    if target.share is not None:
        wanted = target.share * len(rows) / real
    else:
        per = target.per_residents
        groups = 1 if districts is None else len(np.unique(districts))
        wanted = target.count * groups * (residents(tables, scale) / per if per else 1.0)
    if target.area is None:
        return Choice(rows, wanted)
    return _with_surroundings(table, rows, wanted, target)


def named(target: Target, table: Table, where: str = "target") -> np.ndarray:
    """The rows that a target names; raises :class:`InputError` where the city lacks one."""
    rows = np.array(target.rows, dtype="i8")
    size = len(table)
    if table.name == "people":
        size = np.count_nonzero(table.kind == columns.RESIDENT)  # residents stand first
    if len(rows) and rows.max() >= size:
        raise InputError(f"row {rows.max()} is named, which this city does not have",
                         where=f"{where}.rows", allowed=f"0 to {size - 1} of {target.table}")
    return rows


def _passes(table: Table, conditions: list[Condition]) -> np.ndarray:
    """Which rows meet all conditions; people are free residents unless ``kind`` is named."""
    mask = np.ones(len(table), dtype=bool)
    if table.name == "people":
        mask &= table.status == 0
        if all(c.column != "kind" for c in conditions):
            mask &= table.kind == columns.RESIDENT
    for c in conditions:
        mask &= _meets(_column(table, c.column), c)
    return mask


def _meets(values: np.ndarray, c: Condition) -> np.ndarray:
    """Which values meet one condition."""
    tests: list[tuple[object, Callable]] = [
        (c.above, np.greater), (c.below, np.less), (c.at_least, np.greater_equal),
        (c.at_most, np.less_equal)]
    mask = np.ones(len(values), dtype=bool)
    for bound, test in tests:
        if bound is not None:
            mask &= test(values, bound)
    if c.equals is not None:
        mask &= values == code_of(c.column, c.equals)
    if c.within is not None:
        mask &= np.isin(values, [code_of(c.column, v) for v in c.within])
    return mask


def _column(table: Table, name: str) -> np.ndarray:
    """A column, or a quantity derived from columns.

    ``neet`` is 1 for those out of work and school, ``poverty`` runs from 0 (richest
    quintile) to 1 (poorest), ``risk`` is the plain mean of low self-control, substance
    use, neet and poverty: a screening score, not a forecast.
    """
    if name == "neet":
        return (table.employment == columns.NEET).astype("f8")
    if name == "poverty":
        q = table.columns["quintile"]
        return (q.high - table.quintile.astype("f8")) / (q.high - q.low)
    if name == "risk":
        parts = (1 - table.self_control.astype("f8"), table.substance.astype("f8"),
                 _column(table, "neet"), _column(table, "poverty"))
        return np.mean(parts, axis=0)
    return table[name]


def _scores(target: Target, table: Table, rows: np.ndarray, key):
    """Priority (higher goes first) and keyed luck that breaks ties, per row."""
    luck = keyed_uniforms(np.uint64(key), rows.astype("i8"))
    if target.rank_by is None or not len(rows):
        return np.zeros(len(rows)), luck
    weights = {target.rank_by: 1.0} if isinstance(target.rank_by, str) else target.rank_by
    total = np.zeros(len(rows))
    for name, weight in weights.items():
        values = _column(table, name)[rows].astype("f8")
        largest = np.abs(values).max()
        total += weight * (values / largest if largest > 0 else values)
    rank = _ranks(total if target.order == "high" else -total) / len(rows)
    return blurred_priority(rank, luck, float(target.accuracy)), luck


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 upwards as float64; equal values share the mean of their ranks."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return ((2 * last - sizes + 1) / 2)[group]


def _districts(tables: dict[str, Table], table: str, rows: np.ndarray) -> np.ndarray:
    """District of each row; that of their home for people."""
    places = rows if table == "places" else tables["people"].anchors[rows, 0]
    return tables["places"].district[places]


def _take_turns(districts: np.ndarray, by_share: bool) -> np.ndarray:
    """Reorder so that districts take turns: equal numbers each, or equal shares."""
    order = np.argsort(districts, kind="stable")
    sizes = np.bincount(districts)
    starts = np.cumsum(sizes) - sizes
    turn = np.empty(len(districts))
    turn[order] = np.arange(len(districts)) - starts[districts[order]]
    if by_share:
        turn = (turn + 1) / sizes[districts]
    return np.argsort(turn, kind="stable")


def _with_surroundings(places: Table, centres: np.ndarray, wanted: float,
                       target: Target) -> Choice:
    """Order places by the best ranked centre within reach, then by distance from it.

    The count wanted becomes the number of places around the first ``wanted`` centres.
    """
    if not len(centres):
        return Choice(centres, 0.0)
    here = np.column_stack((places.x, places.y)).astype("f8")
    allowed = _passes(places, target.area.filter)
    allowed[centres] = True
    near = np.flatnonzero(allowed)
    pairs = cKDTree(here[near]).sparse_distance_matrix(
        cKDTree(here[centres]), target.area.within, output_type="ndarray")
    best = np.lexsort((pairs["v"], pairs["j"]))
    pairs = pairs[best]
    _, first = np.unique(pairs["i"], return_index=True)
    pairs = pairs[np.sort(first)]
    taken = max(1, round(wanted)) if wanted > 0 else 0  # a small town still gets one centre
    return Choice(near[pairs["i"]], float(np.count_nonzero(pairs["j"] < taken)))

"""Agent sets over columns: Mesa's agent-set interface, whose items are views of table rows.

A set is a list of unique ids, kept as a ``range`` while it is a run of them, so that making
one, its length and a membership test cost nothing whatever the population. Views are made
when somebody iterates; whole-column work never makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from mesa.agentset import AbstractAgentSet, GroupBy

from citysim.config.errors import InputError
from citysim.model.views import REFUSE, Source, View, numbers


class ColumnarSet(AbstractAgentSet):
    """An ordered set of views, with Mesa's methods worked out on whole columns.

    Made by the model (``model.agents``, ``model.agents_by_type``) and by the methods below, or
    from views. The model's own sets can be reordered but not added to or taken from.

    Parameters
    ----------
    agents
        Views of one model.
    random
        Accepted for Mesa's sake; shuffles draw from the model's ``rng``.
    """

    def __init__(self, agents: Iterable[View] = (), random=None):
        views = list(agents)
        self._sources: tuple[Source, ...] = ()
        if views:
            self._sources = views[0].model.agents._sources
        self._ids = np.fromiter(dict.fromkeys(v.unique_id for v in views), np.int64)
        self._whole = False

    @classmethod
    def of(cls, sources: tuple[Source, ...], ids, whole: bool = False) -> ColumnarSet:
        """A set by unique ids: a ``range`` or an integer array without duplicates."""
        new = object.__new__(cls)
        new._sources, new._ids, new._whole = sources, ids, whole
        return new

    def _like(self, ids) -> ColumnarSet:
        return self.of(self._sources, ids)

    def _replace(self, ids, inplace: bool) -> ColumnarSet:
        if not inplace:
            return self._like(ids)
        if self._whole and len(ids) != len(self._ids):
            raise TypeError("the model's own agent sets cannot be shortened; leave inplace out")
        self._ids = ids
        return self

    # --- a collection

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[View]:
        for source, _, rows in self._runs():
            yield from map(source.view, rows)

    def __contains__(self, agent) -> bool:
        return (isinstance(agent, View) and bool(self._sources)
                and agent.model is self._sources[0].model and agent.unique_id in self._ids)

    def __getitem__(self, index):
        """One agent, or for a slice a list of agents."""
        if isinstance(index, slice):
            return self._like(self._ids[index]).to_list()
        return next(iter(self._like([self._ids[index]])))

    def __eq__(self, other) -> bool:
        if not isinstance(other, ColumnarSet):
            return super().__eq__(other)
        return (len(self) == len(other)
                and (not len(self) or self._sources[0].model is other._sources[0].model)
                and np.array_equal(np.sort(self._ids), np.sort(other._ids)))

    __hash__ = None

    def __copy__(self) -> ColumnarSet:
        return self._like(self._ids)

    copy = __copy__

    def __repr__(self) -> str:
        names = ", ".join(s.kind.__name__ for s, _, _ in self._split())
        return f"<{type(self).__name__} of {len(self):,}: {names}>"

    def to_list(self) -> list[View]:
        """All views as a list."""
        return list(self)

    @property
    def random(self):
        """The model's standard-library generator."""
        return self._sources[0].model.random

    @property
    def rows(self) -> np.ndarray:
        """Table rows of the agents, int64; for sets of one class."""
        return np.concatenate([numbers(rows) for _, _, rows in self._split()]
                              or [np.empty(0, np.int64)])

    def _runs(self) -> Iterator[tuple[Source, int, Iterable[int]]]:
        """Stretches of one class in the set's own order: source, first position, rows."""
        if isinstance(self._ids, range):
            for source, where, rows in self._split():
                yield source, where.start, range(rows.start, rows.stop, rows.step or 1)
            return
        ids = np.asarray(self._ids, np.int64)
        which = self._which(ids)
        cuts = np.flatnonzero(np.diff(which)) + 1
        for lo, hi in zip([0, *cuts], [*cuts, len(ids)], strict=True):
            if hi > lo:
                source = self._sources[which[lo]]
                yield source, lo, ids[lo:hi] - source.first

    def _which(self, ids: np.ndarray) -> np.ndarray:
        return np.searchsorted([s.ids.stop for s in self._sources], ids, side="right")

    def _split(self) -> Iterator[tuple[Source, Any, Any]]:
        """The set by class: source, positions in the set, rows of the table."""
        if isinstance(self._ids, range) and self._ids.step == 1:
            for s in self._sources:
                lo, hi = max(self._ids.start, s.ids.start), min(self._ids.stop, s.ids.stop)
                if hi > lo:
                    yield (s, slice(lo - self._ids.start, hi - self._ids.start),
                           slice(lo - s.first, hi - s.first))
            return
        ids = np.asarray(self._ids, np.int64)
        which = self._which(ids)
        for k in np.unique(which):
            where = np.flatnonzero(which == k)
            yield self._sources[k], where, ids[where] - self._sources[k].first

    # --- reading and writing columns

    def values(self, name: str, missing=REFUSE) -> np.ndarray:
        """An attribute of all agents as an array (read-only where it is the column itself)."""
        pieces = [(where, source.read(name, rows, missing))
                  for source, where, rows in self._split()]
        if not pieces:
            return np.empty(0)
        if len(pieces) == 1:
            return pieces[0][1]
        alike = len({(v.shape[1:], v.dtype.kind in "biuf") for _, v in pieces}) == 1
        kind = np.result_type(*(v for _, v in pieces)) if alike else object
        out = np.empty((len(self), *(pieces[0][1].shape[1:] if alike else ())), kind)
        for where, v in pieces:
            out[where] = v if alike or v.ndim == 1 else _boxed(v)
        return out

    def get(self, attr_names, handle_missing: str = "error", default_value: Any = None) -> list:
        """Attribute values as a list; as a list of lists for a list of names (Mesa)."""
        if handle_missing not in ("error", "default"):
            raise ValueError(f"unknown handle_missing '{handle_missing}': 'error' or 'default'")
        missing = REFUSE if handle_missing == "error" else default_value
        if isinstance(attr_names, str):
            return self.values(attr_names, missing).tolist()
        columns = [self.values(name, missing).tolist() for name in attr_names]
        return [list(row) for row in zip(*columns, strict=True)]

    def set(self, attr_name: str, value: Any) -> ColumnarSet:
        """Set an attribute: one value for all, or an array with one per agent."""
        each = isinstance(value, np.ndarray) and value.ndim > 0 and len(value) == len(self)
        for source, where, rows in self._split():
            source.write(attr_name, rows, value[where] if each else value)
        return self

    def agg(self, attribute: str, func: Callable | Iterable[Callable]):
        """Apply one function, or each of several, to the attribute as a wide numeric array."""
        values = _wide(self.values(attribute))
        return func(values) if callable(func) else [f(values) for f in func]

    # --- subsets and orders

    def select(self, filter_func: Callable | None = None, at_most: float = float("inf"),
               inplace: bool = False, agent_type: type | None = None,
               where: np.ndarray | None = None) -> ColumnarSet:
        """Agents that pass a function, a class and a mask, at most so many, in order.

        Parameters
        ----------
        filter_func
            Called with each view; slow on large sets, where ``where`` does the same fast.
        at_most
            Whole number of agents, or a share of this set when a float up to 1.
        where
            Booleans, one per agent: ``s.select(where=s.values("age") < 30)``.
        """
        if isinstance(at_most, float) and at_most <= 1.0:
            at_most = int(len(self) * at_most)
        ids = self._ids
        if where is not None or agent_type is not None:
            keep = np.ones(len(self), bool)
            if where is not None:
                mask = np.asarray(where)
                if mask.shape != keep.shape or mask.dtype != bool:
                    raise InputError("the mask does not fit the set", where="select(where=...)",
                                     allowed=f"{len(self)} booleans")
                keep &= mask
            if agent_type is not None:
                for source, positions, _ in self._split():
                    keep[positions] &= issubclass(source.kind, agent_type)
            ids = np.asarray(ids, np.int64)[keep]
        if filter_func is not None:
            passed = (v.unique_id for v in self._like(ids) if filter_func(v))
            count = None if at_most == float("inf") else int(at_most)
            ids = np.fromiter(islice(passed, count), np.int64)
        elif at_most < len(ids):
            ids = ids[:int(at_most)]
        return self._replace(ids, inplace)

    def groupby(self, by: Callable | str, result_type: str = "agentset") -> ColumnarGroups:
        """Agents by the value of an attribute (by column) or of a function of each view."""
        values = (_boxed([by(v) for v in self]) if callable(by) else self.values(by))
        ids = np.asarray(self._ids, np.int64)
        if values.dtype == object:
            rows: dict[Any, list[int]] = {}
            for i, value in enumerate(values):
                rows.setdefault(value, []).append(i)
            groups = {k: self._like(ids[i]) for k, i in rows.items()}
        else:
            keys, inverse = np.unique(values, return_inverse=True)
            order = np.argsort(inverse, kind="stable")
            cuts = np.cumsum(np.bincount(inverse, minlength=len(keys)))[:-1]
            groups = {k: self._like(i) for k, i in
                      zip(keys.tolist(), np.split(ids[order], cuts), strict=True)}
        if result_type == "list":
            groups = {k: s.to_list() for k, s in groups.items()}
        return ColumnarGroups(groups)

    def shuffle(self, inplace: bool = False) -> ColumnarSet:
        """In random order, drawn from the model's ``rng`` (no mechanism uses it)."""
        if not len(self):
            return self._replace(self._ids, inplace)
        order = self._sources[0].model.rng.permutation(len(self))
        return self._replace(np.asarray(self._ids, np.int64)[order], inplace)

    def sort(self, key: Callable | str, ascending: bool = False,
             inplace: bool = False) -> ColumnarSet:
        """In the order of an attribute (by column) or of a function of each view; stable."""
        values = self.values(key) if isinstance(key, str) else np.array([key(v) for v in self])
        if ascending:
            order = np.argsort(values, kind="stable")
        else:  # reversed twice: equal agents keep their order, as Mesa's sort does
            order = len(self) - 1 - np.argsort(values[::-1], kind="stable")[::-1]
        return self._replace(np.asarray(self._ids, np.int64)[order], inplace)

    # --- calls on each view

    def map(self, method: str | Callable, *args, **kwargs) -> list:
        """Call a method or function on each view; the results."""
        if isinstance(method, str):
            return [getattr(v, method)(*args, **kwargs) for v in self]
        return [method(v, *args, **kwargs) for v in self]

    def do(self, method: str | Callable, *args, **kwargs) -> ColumnarSet:
        """Call a method or function on each view."""
        for v in self:
            (getattr(v, method) if isinstance(method, str) else _bound(method, v))(*args, **kwargs)
        return self

    def shuffle_do(self, method: str | Callable, *args, **kwargs) -> ColumnarSet:
        """The same in random order."""
        self.shuffle().do(method, *args, **kwargs)
        return self

    # --- changing a set (never the population)

    def _update(self, agents: Iterable[View]) -> ColumnarSet:
        return self._replace(np.fromiter((v.unique_id for v in agents), np.int64), True)

    def add(self, agent: View) -> None:
        """Add an agent to this set."""
        self._changeable()
        if agent not in self:
            self._sources = self._sources or agent.model.agents._sources
            self._ids = np.append(np.asarray(self._ids, np.int64), agent.unique_id)

    def discard(self, agent: View) -> None:
        """Take an agent out of this set if it is there."""
        self._changeable()
        if agent in self:
            ids = np.asarray(self._ids, np.int64)
            self._ids = ids[ids != agent.unique_id]

    def remove(self, agent: View) -> None:
        """Take an agent out of this set; ``KeyError`` if it is not there."""
        if agent not in self:
            raise KeyError(agent)
        self.discard(agent)

    def _changeable(self) -> None:
        if self._whole:
            raise TypeError("the model's own agent sets cannot be changed; change a copy")


class ColumnarGroups(GroupBy):
    """Groups of :meth:`ColumnarSet.groupby`; aggregates by column."""

    def agg(self, attr_name: str, func: Callable) -> dict[Any, Any]:
        """Apply a function to the attribute in each group."""
        return {k: g.agg(attr_name, func) if isinstance(g, ColumnarSet)
                else func([getattr(v, attr_name) for v in g]) for k, g in self.groups.items()}


def _bound(function: Callable, view: View) -> Callable:
    return lambda *args, **kwargs: function(view, *args, **kwargs)


def _boxed(values) -> np.ndarray:
    out = np.empty(len(values), object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _wide(values: np.ndarray) -> np.ndarray:
    """Room for sums: one-byte columns would overflow in Python's own ``sum``."""
    widest = {"b": np.int64, "i": np.int64, "u": np.int64, "f": np.float64}
    return values.astype(widest[values.dtype.kind]) if values.dtype.kind in widest else values

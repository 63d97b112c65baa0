"""Views of table rows as Mesa agents, and the access to columns behind them.

A view holds a row number and nothing else: attributes read and write the columns of its table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import mesa
import numpy as np

from citysim.config.errors import InputError, closest_match
from citysim.state.table import Table

REFUSE = object()  # marks that a missing attribute is an error


class Derived:
    """An attribute worked out from columns, for one row and for many alike.

    Parameters
    ----------
    read
        ``read(model, rows)`` with ``rows`` an integer, a slice or an index array.
    write
        ``write(source, rows, values)``; without it the attribute is read-only.
    doc
        Meaning and unit.
    """

    def __init__(self, read: Callable, write: Callable | None = None, doc: str = ""):
        self.read, self.write, self.__doc__ = read, write, doc

    def __get__(self, view, owner=None):
        return self if view is None else plain(self.read(view.model, view.row))

    def __set__(self, view, value) -> None:
        raise AttributeError("read-only")  # reached only past View.__setattr__


def part(table: str, column: str, index: int, doc: str) -> Derived:
    """One of the values of a wide column under a name of its own (``fear_night``)."""
    return Derived(lambda model, rows: getattr(model, table)[column][rows, index],
                   lambda source, rows, values: source.write_column(column, rows, values, index),
                   doc)


class View(mesa.Agent):
    """One row of a table as a Mesa agent; it holds a row number and nothing else.

    Attributes are the columns of the table (``state/columns.py`` says unit and range) and
    those that the class derives. Writing goes into the column. Two views of one row are equal.
    """

    TABLE: ClassVar[str | None] = None
    # Columns that other tables or counters are kept in step with; read-only for views.
    FIXED: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *_args, **_kwargs):
        raise TypeError(f"{type(self).__name__} agents are rows of a table and cannot be created; "
                        "size and make-up of the city are settings")

    @property
    def model(self):
        """The model."""
        return self._source.model

    @property
    def unique_id(self) -> int:
        """Number of the agent in its model, from 1, the same in every run of a city."""
        return self._source.first + self.row

    def __getattr__(self, name: str):
        source = self.__dict__.get("_source")
        if source is None:
            raise AttributeError(name)
        if source.table is not None and name in source.table:
            return plain(source.table[name][self.row])
        raise source.unknown(name)

    def __setattr__(self, name: str, value) -> None:
        self._source.write(name, self.row, value)

    def __dir__(self):
        columns = () if self._source.table is None else tuple(self._source.table)
        return [*super().__dir__(), *columns]

    def __eq__(self, other) -> bool:
        return (isinstance(other, View) and self.model is other.model
                and self.unique_id == other.unique_id)

    def __hash__(self) -> int:
        return hash((id(self.model), self.unique_id))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.row}>"

    def __reduce__(self):
        return _restore, (self._source, self.row)

    def remove(self) -> None:
        """Refused: rows stay for the whole run."""
        raise TypeError("agents of the city cannot be removed; a role ends through its state "
                        "(offenders.active, people.status)")


class Source:
    """All agents of one class: a table (or none), and the first of their unique ids."""

    def __init__(self, model, kind: type[View], start: int, stop: int, first: int):
        self.model, self.kind = model, kind
        self.start, self.stop = start, stop            # rows of the table
        self.first = first - start                     # unique id of row 0 of the table
        self.ids = range(first, first + stop - start)

    @property
    def table(self) -> Table | None:
        """The table behind the agents."""
        return None if self.kind.TABLE is None else getattr(self.model, self.kind.TABLE)

    def view(self, row: int) -> View:
        """The agent of a row."""
        view = object.__new__(self.kind)
        view.__dict__["_source"] = self
        view.__dict__["row"] = int(row)
        return view

    def unknown(self, name: str) -> AttributeError:
        """The error for an attribute that agents of this class lack."""
        known = [n for n in dir(self.kind) if not n.startswith("_")]
        known += [] if self.table is None else list(self.table)
        near = closest_match(name, known)
        return AttributeError(f"{self.kind.__name__} has no attribute '{name}'"
                              + (f"; did you mean '{near}'?" if near else ""))

    def read(self, name: str, rows, missing=REFUSE) -> np.ndarray:
        """Values of an attribute for a slice or an array of rows."""
        if self.table is not None and name in self.table:
            values = self.table[name][rows]
            values.flags.writeable = False
            return values
        derived = getattr(self.kind, name, None)
        if isinstance(derived, Derived):
            return np.asarray(derived.read(self.model, rows))
        number = numbers(rows)
        if name in ("row", "unique_id"):
            return number + (self.first if name == "unique_id" else 0)
        if derived is None and missing is REFUSE:
            raise self.unknown(name)
        values = np.empty(len(number), object)
        for i, row in enumerate(number):
            values[i] = missing if derived is None else getattr(self.view(row), name)
        return values

    def write(self, name: str, rows, values) -> None:
        """Write an attribute of one row or many; refuses what the model keeps in step itself."""
        derived = getattr(self.kind, name, None)
        if isinstance(derived, Derived) and derived.write is not None:
            derived.write(self, rows, values)
        elif self.table is not None and name in self.table:
            self.write_column(name, rows, values)
        elif derived is not None:
            raise AttributeError(f"{self.kind.__name__}.{name} is worked out and cannot be set")
        else:
            raise self.unknown(name)

    def write_column(self, name: str, rows, values, index: int | None = None) -> None:
        """Write into a column, or one of its ``width`` values, within its declared range."""
        if name in self.kind.FIXED:
            raise AttributeError(f"{self.kind.__name__}.{name} is kept in step with other tables "
                                 "and cannot be set")
        column = self.table.columns[name]
        given = np.asarray(values)
        low, high = column.low, column.high
        if np.dtype(column.dtype).kind in "iu":
            limits = np.iinfo(column.dtype)
            low = limits.min if low is None else low
            high = limits.max if high is None else high
        inside = given.dtype.kind in "biuf" and bool(np.all(np.isfinite(given)))
        inside = inside and (low is None or np.all(given >= low))
        inside = inside and (high is None or np.all(given <= high))
        if not inside:
            raise InputError(f"{name} of {self.kind.__name__} cannot be {values!r}",
                             where=f"{self.table.name}.{name}",
                             allowed=f"{low} to {high} [{column.unit}]")
        array = self.table[name]
        array[rows if index is None else (rows, index)] = given


def _restore(source: Source, row: int) -> View:
    return source.view(row)


def numbers(rows) -> np.ndarray:
    """Row numbers of a slice or of an index array."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else np.asarray(rows)


def plain(value):
    """A number as Python's own; a wide value as a copy."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.copy() if value.ndim else value.item()
    return value

"""Columnar tables: the only holders of model state.

A table is declared once as a list of columns (dtype, unit, range, meaning). From the
declaration come allocation, validation, the memory count, the documentation and the
attributes of the Mesa views.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name, dtype, unit, doc
        Identifier, numpy dtype string, unit (``"1"`` for pure numbers), meaning.
    low, high
        Inclusive range that every value must lie in; ``None`` leaves a side open.
    width
        Values per row; 1 gives a flat array, more a two-dimensional one.
    default
        Value on allocation.
    """

    name: str
    dtype: str
    unit: str
    doc: str
    low: float | None = None
    high: float | None = None
    width: int = 1
    default: float = 0


class Table:
    """Named columns of equal length, reached as attributes (``places.lighting``)."""

    def __init__(self, name: str, columns: tuple[Column, ...], size: int,
                 values: Mapping[str, np.ndarray] | None = None):
        fields = {"name": name, "columns": {c.name: c for c in columns}, "_rows": int(size),
                  "_data": {}}
        self.__dict__.update(fields)
        for c in columns:
            shape = (self._rows,) if c.width == 1 else (self._rows, c.width)
            self._data[c.name] = np.full(shape, c.default, dtype=c.dtype)
        for key, value in (values or {}).items():
            self[key][...] = value
        self.__dict__.update(self._data)  # columns never change place: plain attributes are fastest

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._data[name]
        except KeyError:
            known = ", ".join(self._data)
            raise KeyError(f"table '{self.name}' has no column '{name}'; it has: {known}") from None

    def __setitem__(self, name: str, value) -> None:
        self[name][...] = value

    def __getattr__(self, name: str) -> np.ndarray:
        raise AttributeError(f"table '{self.__dict__.get('name', '?')}' has no column '{name}'")

    def __setattr__(self, name: str, value) -> None:
        """Write into a column; anything else would hide it, so it is refused."""
        if name not in self._data:
            raise AttributeError(f"table '{self.name}' has no column '{name}'")
        self._data[name][...] = value

    @property
    def nbytes(self) -> int:
        """Bytes held by all columns."""
        return sum(a.nbytes for a in self._data.values())

    def validate(self) -> None:
        """Raise ``ValueError`` naming the first column with a value out of its range."""
        for c in self.columns.values():
            a = self._data[c.name]
            if a.size == 0:
                continue
            if a.dtype.kind == "f" and not np.isfinite(a).all():
                raise ValueError(f"{self.name}.{c.name}: holds values that are not finite")
            low, high = a.min(), a.max()
            if c.low is not None and low < c.low:
                raise ValueError(f"{self.name}.{c.name}: {low} is below {c.low} [{c.unit}]")
            if c.high is not None and high > c.high:
                raise ValueError(f"{self.name}.{c.name}: {high} is above {c.high} [{c.unit}]")

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns by name (no copies)."""
        return dict(self._data)

    def copy(self) -> Table:
        """An independent copy."""
        return Table(self.name, tuple(self.columns.values()), len(self), self._data)

"""Ragged lists (neighbours, ties, routes) as compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Lists of unequal length: row ``i`` is ``items[start[i]:start[i + 1]]``.

    ``start`` has one entry more than there are rows (int64, or uint32 where there are many short
    rows), ``items`` holds all rows one behind the other.
    """

    start: np.ndarray
    items: np.ndarray

    @classmethod
    def from_pairs(cls, rows: np.ndarray, items: np.ndarray, size: int, dtype="i4") -> Ragged:
        """Group ``items`` by ``rows`` (both flat, equal length), keeping item order stable."""
        order = np.argsort(rows, kind="stable")
        start = np.zeros(size + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows, minlength=size), out=start[1:])
        return cls(start, np.ascontiguousarray(items[order], dtype=dtype))

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.items[self.start[row]:self.start[row + 1]]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.start.nbytes + self.items.nbytes

"""Groups of residents by which every outcome is split."""

from __future__ import annotations

import numpy as np

from citysim.state.table import Table

GROUPS = ("all", "women", "men", "children", "youth", "adult", "elderly", "migrants",
          *(f"quintile_{q}" for q in range(1, 6)))
_AGES = ("children", "youth", "adult", "elderly")
_QUINTILES = 5
_CELLS = 2 * len(_AGES) * 2 * _QUINTILES  # sex, age band, origin, income


class Groups:
    """Cells of residents and the groups they add up to.

    A cell is one combination of district, sex, age band, origin and income quintile, so that
    one addition per resident is enough for every group and district.

    Parameters
    ----------
    people, n_residents
        The people table; its first rows are the residents.
    district
        District of each resident's home (index).
    districts
        Names.
    bounds
        ``settings.model.observation``: the age bands.

    Attributes
    ----------
    cell
        uint16 or int32 (residents): row of each resident in tables of cells.
    size
        float64 (cells): residents.
    names
        Groups, then ``district:<name>``.
    """

    def __init__(self, people: Table, n_residents: int, district: np.ndarray,
                 districts: tuple[str, ...], bounds):
        self.n_districts = len(districts)
        self.names = GROUPS + tuple(f"district:{d}" for d in districts)
        band = self.age_band(people.age[:n_residents], bounds)
        inner = ((people.sex[:n_residents].astype(np.int64) * len(_AGES) + band) * 2
                 + people.foreign[:n_residents]) * _QUINTILES + people.quintile[:n_residents] - 1
        self.n_cells = self.n_districts * _CELLS
        narrow = np.uint16 if self.n_cells <= 1 << 16 else np.int32
        self.cell = (district[:n_residents].astype(np.int64) * _CELLS + inner).astype(narrow)
        self.size = np.bincount(self.cell, minlength=self.n_cells).astype(np.float64)
        self._members = self._matrix()

    @staticmethod
    def age_band(age: np.ndarray, bounds) -> np.ndarray:
        """0 children, 1 youth, 2 adults, 3 elderly."""
        return np.digitize(age, [bounds.youth_from, bounds.youth_to + 1, bounds.elderly_from])

    def _matrix(self) -> np.ndarray:
        cells = np.arange(self.n_cells)
        inner = cells % _CELLS
        quintile = inner % _QUINTILES
        foreign = inner // _QUINTILES % 2
        band = inner // (_QUINTILES * 2) % len(_AGES)
        sex = inner // (_QUINTILES * 2 * len(_AGES))
        rows = [np.ones(self.n_cells, bool), sex == 1, sex == 0,
                *(band == i for i in range(len(_AGES))), foreign == 1,
                *(quintile == q for q in range(_QUINTILES)),
                *(cells // _CELLS == d for d in range(self.n_districts))]
        return np.array(rows, np.float64)

    def sum(self, cells: np.ndarray) -> np.ndarray:
        """Sums over the cells of each group, (groups, ...) from (cells, ...)."""
        return self._members @ cells

    def members(self, name: str) -> np.ndarray:
        """Which cells belong to a group, bool (cells)."""
        return self._members[self.names.index(name)] > 0

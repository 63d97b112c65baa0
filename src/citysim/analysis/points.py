"""A study's design beside its results: which factors had which value, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from citysim.analysis.repetitions import futures_of
from citysim.results import Results

LEVER, UNCERTAINTY = "lever", "uncertainty"
ALL_POINTS = "all points"
_PLACE = ["scenario", "future", "sample"]


@dataclass(frozen=True)
class Factor:
    """A lever or an uncertainty, as the manifest describes it.

    Parameters
    ----------
    name
        Its column in the design.
    role
        ``lever`` or ``uncertainty``.
    words
        Its values in their order where they are words; empty for numbers.
    label, unit
        As figures show them.
    """

    name: str
    role: str
    words: tuple[str, ...] = ()
    label: str = ""
    unit: str = ""

    def numbers(self, column: pd.Series) -> np.ndarray:
        """A column of the design as numbers: words by their place in the order."""
        if not self.words:
            return column.to_numpy(float)
        return column.map({w: i for i, w in enumerate(self.words)}).to_numpy(float)


@dataclass(frozen=True)
class Points:
    """The points of a design.

    Parameters
    ----------
    study
        The opened study.
    factors
        Its levers and uncertainties.
    rows
        One row per (scenario, future, sample) with a column per factor.
    """

    study: Results
    factors: list[Factor]
    rows: pd.DataFrame

    @property
    def kind(self) -> str:
        """How the points were chosen: ``sobol``, ``morris``, ``grid``, ...; empty if unknown.

        With levers and a second design of futures the two are crossed, which is no sample of
        its own kind: ``crossed``.
        """
        own, futures = (self.study.manifest.get(k) or {} for k in ("design", "futures"))
        if futures and any(f.role == LEVER for f in self.factors):
            return "crossed"
        return str((futures or own).get("kind") or "")

    @property
    def design(self) -> dict:
        """The keys of the design that spread these points."""
        manifest = self.study.manifest
        return manifest.get("futures") or manifest.get("design") or {}

    @cached_property
    def families(self) -> dict[str, pd.DataFrame]:
        """Rows that are analysed together, by name.

        Without levers each scenario is its own family, for it ran at every point. With levers
        the options of the same policies form one. The baseline is a family where the design
        spreads it.
        """
        rows = self.rows
        if not any(f.role == LEVER for f in self.factors):
            return {n: rows[rows["scenario"] == n] for n in self.study.scenarios
                    if (rows["scenario"] == n).any()}
        policies = {s["name"]: "+".join(s.get("policies") or ())
                    for s in self.study.manifest.get("scenarios") or () if isinstance(s, dict)}
        rows = rows[(rows["scenario"] != self.study.baseline) | (rows["sample"] >= 0)]
        kind = rows["scenario"].map(policies).fillna("")
        if kind.nunique() == 1:
            return {ALL_POINTS: rows}
        return {name or ALL_POINTS: part for name, part in rows.groupby(kind, sort=False)}


def read_points(study: Results) -> Points | None:
    """The design of a study with a sweep, or None where it has none."""
    rows = study.table("design")
    listed = [f for f in study.manifest.get("factors") or () if f.get("name") in rows]
    if not listed or not len(rows):
        return None
    rows = rows.assign(future=futures_of(rows))
    return Points(study, [_factor(f, rows[f["name"]]) for f in listed],
                  rows[[*_PLACE, *(f["name"] for f in listed)]])


def _factor(entry: dict, column: pd.Series) -> Factor:
    name = str(entry["name"])
    words: tuple[str, ...] = ()
    if not pd.api.types.is_numeric_dtype(column):
        listed = entry.get("levels") or entry.get("values") or ()
        there = [str(v) for v in column.dropna().unique()]
        words = tuple(dict.fromkeys([*(_word(v) for v in listed), *sorted(there)]))
    return Factor(name, str(entry.get("role") or UNCERTAINTY), words,
                  str(entry.get("label") or _label(name)), _unit(entry.get("unit")))


def _unit(unit) -> str:
    """A unit as figures show it; plain numbers (``1``) have none."""
    return "" if unit in (None, "1", 1) else str(unit)


def _word(value) -> str:
    """A listed value as the design writes it; switches are ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _label(path: str) -> str:
    """The last two parts of a path in words."""
    parts = [p.replace("_", " ") for p in path.split(".") if p != "value"]
    return " ".join(parts[-2:]).capitalize()

"""What a report is made from, and what a figure of it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from citysim.analysis.leading import leading
from citysim.analysis.sweep import Sweep
from citysim.results import Results


@dataclass(frozen=True)
class Plate:
    """A figure as the report shows it."""

    name: str
    title: str
    caption: str
    section: str
    path: Path


@dataclass(frozen=True)
class Material:
    """All that figures are made from.

    Parameters
    ----------
    study
        The opened study.
    summary, gains, costs
        Frames of :mod:`citysim.analysis`.
    city
        The city, or None when there is no geometry (no new maps then).
    sweep
        What the design told.
    family
        Rows of the summary of all options that are adjusted as one family.
    """

    study: Results
    summary: pd.DataFrame
    gains: pd.DataFrame
    costs: pd.DataFrame
    city: object | None = None
    sweep: Sweep = field(default_factory=Sweep)
    family: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def scenarios(self) -> list[str]:
        """Scenarios that the report shows: all, or of many the leading ones."""
        return leading(self.summary, self.study.scenarios)

    def table(self, name: str) -> pd.DataFrame:
        """A result table of the scenarios that the report shows."""
        read = self.study.places if name == "places" else partial(self.study.table, name)
        return read(scenarios=self.scenarios)

    @property
    def units(self) -> dict[str, str]:
        """Unit of each outcome."""
        return dict(zip(self.summary["outcome"], self.summary["unit"], strict=True))

    @property
    def has_baseline(self) -> bool:
        """Whether any run of the baseline ended well."""
        return self.study.baseline in set(self.study.done["scenario"])

    def present(self, wanted) -> list[str]:
        """Those of the wanted outcomes that have a value for everyone."""
        there = set(self.summary.loc[self.summary["group"] == "all", "outcome"])
        return [o for o in wanted if o in there]

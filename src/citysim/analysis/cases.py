"""Outcomes for everyone, by scenario and future, read once for all analyses of a study."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import pandas as pd

from citysim.analysis.contrasts import paired
from citysim.analysis.measures import HEADLINE
from citysim.config.errors import InputError, closest_match
from citysim.results import Results

LEVEL, EFFECT = "level", "effect"
"""What is explained: an outcome itself, or its difference to doing nothing in the same future."""

_MOST_MISSING = 0.1  # share of the futures that an option may lack and still be compared


class Cases:
    """Outcomes of group ``all`` of one study.

    Parameters
    ----------
    study
        The opened study.
    """

    def __init__(self, study: Results):
        self.study = study
        self._of: dict[str, pd.DataFrame] = {}

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Every run's values beside the baseline's; see :func:`~.contrasts.paired`."""
        values = self.study.table("outcomes")
        return paired(values[values["group"] == "all"], self.study.baseline)

    @cached_property
    def names(self) -> list[str]:
        """Ids of the outcomes that have a value for everyone."""
        return list(self.pairs["outcome"].unique())

    def known(self, wanted: Iterable[str] = ()) -> list[str]:
        """The outcomes asked for, or by default the headline outcomes that the study has.

        Raises
        ------
        InputError
            If an outcome has no value for everyone in this study.
        """
        wanted = list(dict.fromkeys(wanted))
        for name in wanted:
            if name not in self.names:
                raise InputError(f"the study has no outcome '{name}'",
                                 where=str(self.study.folder), allowed=sorted(self.names),
                                 closest=closest_match(name, self.names))
        return wanted or [o for o in HEADLINE if o in self.names]

    def of(self, outcome: str) -> pd.DataFrame:
        """Level and effect of one outcome by scenario and future, means over the seeds.

        Returns
        -------
        pandas.DataFrame
            Columns scenario, future, ``level``, ``effect`` and ``base`` (both NaN where the
            baseline did not run in that future with that seed), ``unit``.
        """
        if outcome not in self._of:
            rows = self.pairs[self.pairs["outcome"] == outcome]
            self._of[outcome] = rows.groupby(
                ["scenario", "future"], sort=False, as_index=False).agg(
                level=("value", "mean"), effect=("diff", "mean"), base=("base", "mean"),
                unit=("unit", "first"))
        return self._of[outcome]

    @cached_property
    def crossed(self) -> list[str]:
        """Options that ran in the same futures, the baseline first; fewer than two is none.

        An option that lacks more than a tenth of the baseline's futures is not among them.
        """
        runs = self.pairs[["scenario", "future"]].drop_duplicates()
        there = runs.groupby("scenario")["future"].agg(set)
        base = there.get(self.study.baseline, set())
        names = [s for s in self.study.scenarios if s in there
                 and len(there[s] & base) >= (1 - _MOST_MISSING) * len(base) > 0]
        return names if len(names) > 1 else []

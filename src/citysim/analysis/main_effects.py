"""What each lever does by itself in a grid of all combinations, and what happens year by year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from citysim.analysis.contrasts import by_repetition, futures_of, interval
from citysim.analysis.points import LEVER, Points
from citysim.config.errors import InputError
from citysim.results import Results

_CELL = ["outcome", "group", "unit"]
_RUN = ["future", "seed"]
_YEAR = 365


def main_effects(points: Points, values: pd.DataFrame) -> pd.DataFrame:
    """Mean of each value of each lever over all values of the other levers.

    Differences are taken within a future and seed, and averaged over the other levers there;
    intervals are over the repetitions.

    Parameters
    ----------
    points
        The study's design: every combination of its levers.
    values
        Columns scenario, seed, outcome, group, unit, value and, where there are several, future;
        with the baseline's rows.

    Returns
    -------
    pandas.DataFrame
        One row per lever, value, outcome and group: ``lever`` (its label), ``setting`` (the
        value), ``mean``; ``diff`` against the baseline and ``step`` against the lever's first
        value, with ``_lo90`` and ``_hi90`` (90 %, Student's t); ``relative`` and
        ``relative_step``, the same over the mean of what they are held against, with intervals;
        ``n``, the future and seed pairs in which every option ran.

    Raises
    ------
    InputError
        If an option of the grid is missing, or has no levers.
    """
    levers = [f for f in points.factors if f.role == LEVER]
    grid = points.rows.drop_duplicates("scenario").set_index("scenario")[[f.name for f in levers]]
    grid = grid[grid.notna().all(axis=1)]
    if not levers or len(grid) < np.prod([grid[f.name].nunique() for f in levers]):
        raise InputError("main effects need every combination of the levers",
                         where=str(points.study.folder), allowed="a design of the kind grid")
    values = values.assign(future=futures_of(values))
    rows = []
    for cell, part in values.groupby(_CELL, sort=False):
        wide = part.pivot_table(index="scenario", columns=_RUN, values="value")
        there = [points.study.baseline, *(s for s in grid.index)]
        wide = wide.reindex(there).dropna(axis=1)
        if not wide.shape[1]:
            continue
        base, options = wide.loc[points.study.baseline], wide.loc[grid.index]
        for lever in levers:
            means = options.groupby(grid[lever.name]).mean()
            order = list(dict.fromkeys(grid[lever.name]))
            first = means.loc[order[0]]
            rows += [{"lever": lever.label, "setting": setting,
                      **dict(zip(_CELL, cell, strict=True)), "mean": means.loc[setting].mean(),
                      **_difference("diff", "relative", means.loc[setting], base),
                      **_difference("step", "relative_step", means.loc[setting], first),
                      "n": wide.shape[1]} for setting in order]
    return pd.DataFrame(rows)


def yearly(study: Results, outcomes: Sequence[str]) -> pd.DataFrame:
    """Means of daily outcomes by year of the window, in the form of ``outcomes``.

    Returns
    -------
    pandas.DataFrame
        Columns scenario, future, seed, outcome, group, unit, value and ``year``, 1 for the first
        365 days of the window; a last year that is not whole is left out.
    """
    days = study.table("daily", outcomes,
                       columns=["scenario", "future", "seed", "day", "outcome", "group", "value"])
    days["year"] = days["day"] // _YEAR + 1
    by = ["scenario", "future", "seed", "outcome", "group", "year"]
    found = days.groupby(by, as_index=False, sort=False, observed=True).agg(
        value=("value", "mean"), days=("day", "nunique"))
    units = study.measures().set_index("outcome")["unit"]
    found = found[found["days"] == _YEAR].drop(columns="days")
    return found.assign(unit=found["outcome"].map(units).fillna(""))


def _difference(name: str, relative: str, value: pd.Series, base: pd.Series) -> dict[str, float]:
    """Paired difference of two series by (future, seed), and the same over the base's mean."""
    change = by_repetition((value - base).to_frame().T).to_numpy()
    mean, half, _, _ = (part[0] for part in interval(change))
    level = base.mean() or np.nan
    ends = {"": mean, "_lo90": mean - half, "_hi90": mean + half}
    return {**{name + end: v for end, v in ends.items()},
            **{relative + end: v / level for end, v in ends.items()}}

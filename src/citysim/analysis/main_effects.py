"""What each lever does by itself in a grid of all combinations, and what happens over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from citysim.analysis.points import LEVER, Points
from citysim.analysis.repetitions import futures_of, over_runs, share_over_runs
from citysim.config.errors import InputError
from citysim.results import Results

_CELL = ["outcome", "group", "unit"]
_RUN = ["future", "seed"]


def main_effects(points: Points, values: pd.DataFrame) -> pd.DataFrame:
    """Mean of each value of each lever over all values of the other levers.

    Differences are taken within a future and seed, and averaged over the other levers there;
    intervals are over seeds and futures (:mod:`~citysim.analysis.repetitions`).

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
        One row per lever, value, outcome and group: ``lever`` (its label), ``lever_unit``,
        ``setting`` (the value), ``mean``; ``diff`` against the baseline and ``step`` against the
        lever's first value, with ``_lo90`` and ``_hi90`` (90 %, Student's t); ``relative`` and
        ``relative_step``, the same as shares of the mean of what they are held against, with
        the interval of that ratio (:func:`~citysim.analysis.repetitions.share_of`; NaN where
        that mean is 0); ``n``, the future and seed pairs in which every option ran.

    Raises
    ------
    InputError
        If an option of the grid is missing, or has no levers.
    """
    rows = []
    for lever, setting, cell, level, base, first in _means(points, values):
        rows.append({"lever": lever.label, "lever_unit": lever.unit, "setting": setting,
                     **dict(zip(_CELL, cell, strict=True)), "mean": over_runs(level).mean[0],
                     **_difference("diff", "relative", level, base),
                     **_difference("step", "relative_step", level, first), "n": len(level)})
    return pd.DataFrame(rows)


def paired_steps(points: Points, values: pd.DataFrame) -> pd.DataFrame:
    """What :func:`main_effects` averages: the step of each setting in every future and seed.

    Returns
    -------
    pandas.DataFrame
        Columns lever, setting, outcome, group, unit, future, seed, ``step``.
    """
    return pd.concat([
        (level - first).rename("step").reset_index().assign(
            lever=lever.label, setting=setting, **dict(zip(_CELL, cell, strict=True)))
        for lever, setting, cell, level, _, first in _means(points, values)], ignore_index=True)


def _means(points: Points, values: pd.DataFrame) -> Iterator[tuple]:
    """By lever, setting and cell: its mean over the other levers, the baseline, and the lever's
    first setting, as series by (future, seed)."""
    levers = [f for f in points.factors if f.role == LEVER]
    grid = points.rows.drop_duplicates("scenario").set_index("scenario")[[f.name for f in levers]]
    grid = grid[grid.notna().all(axis=1)]
    if not levers or len(grid) < np.prod([grid[f.name].nunique() for f in levers]):
        raise InputError("main effects need every combination of the levers",
                         where=str(points.study.folder), allowed="a design of the kind grid")
    values = values.assign(future=futures_of(values))
    for cell, part in values.groupby(_CELL, sort=False):
        wide = part.pivot_table(index="scenario", columns=_RUN, values="value")
        wide = wide.reindex([points.study.baseline, *grid.index]).dropna(axis=1)
        if not wide.shape[1]:
            continue
        base, options = wide.loc[points.study.baseline], wide.loc[grid.index]
        for lever in levers:
            means = options.groupby(grid[lever.name]).mean()
            settings = list(dict.fromkeys(grid[lever.name]))
            for setting in settings:
                yield (lever, setting, cell, means.loc[setting], base,
                       means.loc[settings[0]])


def by_period(study: Results, outcomes: Sequence[str], days: int = 365) -> pd.DataFrame:
    """Means of daily outcomes over equal parts of the window, in the form of ``outcomes``.

    Parameters
    ----------
    study
        The opened study.
    outcomes
        Ids of outcomes that are held by day.
    days
        Length of a period.

    Returns
    -------
    pandas.DataFrame
        Columns scenario, future, seed, outcome, group, unit, value and ``period``, 1 for the
        first ``days`` days of the window; a last period that is not whole is left out.
    """
    rows = study.table("daily", outcomes,
                       columns=["scenario", "future", "seed", "day", "outcome", "group", "value"])
    rows["period"] = rows["day"] // days + 1
    by = ["scenario", "future", "seed", "outcome", "group", "period"]
    found = rows.groupby(by, as_index=False, sort=False, observed=True).agg(
        value=("value", "mean"), there=("day", "nunique"))
    units = study.measures().set_index("outcome")["unit"]
    found = found[found["there"] == days].drop(columns="there")
    return found.assign(unit=found["outcome"].map(units).fillna(""))


def _difference(name: str, relative: str, value: pd.Series, base: pd.Series) -> dict[str, float]:
    """Paired difference of two series by (future, seed), and the same as a share of the base."""
    found: dict[str, float] = {}
    change = value - base
    for key, (mean, half) in ((name, over_runs(change)[:2]),
                              (relative, share_over_runs(change, base))):
        found |= {key: mean[0], f"{key}_lo90": mean[0] - half[0], f"{key}_hi90": mean[0] + half[0]}
    return found

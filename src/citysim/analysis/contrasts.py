"""Paired comparison of scenarios: who did better than doing nothing, and how sure that is.

Runs that share a seed share all the luck that a policy does not touch, so every difference is
taken within a seed first and averaged over seeds afterwards. Intervals hold the luck between
seeds only; they say nothing about how well the model fits the city.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from citysim.analysis.measures import group_kind, meaning
from citysim.analysis.tables import Study, open_study

LEVEL = 0.90
"""Level of every interval, as the columns' names (``lo90``, ``hi90``) say."""

COLUMNS = ("scenario", "outcome", "group", "unit", "mean", "lo90", "hi90", "diff", "diff_lo90",
           "diff_hi90", "relative", "relative_lo90", "relative_hi90", "p_better", "n", "baseline",
           "better", "note")

_CELL = ["outcome", "group", "unit"]


def summarise(store_dir: str | Path | Study) -> pd.DataFrame:
    """Level of every outcome and its paired difference to the baseline scenario.

    Parameters
    ----------
    store_dir
        Folder of a study, or the opened study.

    Returns
    -------
    pandas.DataFrame
        One row per scenario, outcome and group with the columns

        ``mean``, ``lo90``, ``hi90``
            Mean over the scenario's seeds with its 90 % interval by Student's t (n - 1 degrees
            of freedom), in ``unit``.
        ``diff``, ``diff_lo90``, ``diff_hi90``
            Mean over the common seeds of scenario minus baseline, with its 90 % interval by
            Student's t on the differences.
        ``relative``, ``relative_lo90``, ``relative_hi90``
            ``diff`` and its interval as a share of the baseline's mean over the same seeds (the
            baseline taken as known); NaN where that is 0.
        ``p_better``
            Chance that the mean difference lies on the better side of zero: its posterior under
            a flat prior is Student's t, centred on ``diff`` with the standard error as its
            scale. NaN for the baseline, for outcomes without a better direction, and where all
            pairs are equal.
        ``n``
            Seeds in the pairing (for the baseline: its seeds).
        ``baseline``, ``better``, ``note``
            Name of the baseline, better direction, and what limits the row.

    Notes
    -----
    A seed missing on one side is left out of the pairing. With fewer than two seeds, intervals
    and ``p_better`` are NaN and the note says so.
    """
    study = store_dir if isinstance(store_dir, Study) else open_study(store_dir)
    values = study.table("outcomes")
    return contrast(values, study.scenarios)


def contrast(values: pd.DataFrame, scenarios: list[str]) -> pd.DataFrame:
    """:func:`summarise` for a frame of scenario, seed, outcome, group, unit, value.

    The first of ``scenarios`` is the baseline.
    """
    wide = {}
    for name in scenarios:
        rows = values[values["scenario"] == name]
        wide[name] = rows.pivot(index=_CELL, columns="seed", values="value").astype(float)
    base = wide[scenarios[0]]
    parts = [_scenario_rows(name, wide[name], base, name == scenarios[0]) for name in scenarios
             if len(wide[name])]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.concat(parts, ignore_index=True)
    frame["baseline"] = scenarios[0]
    better = {o: meaning(o).better for o in frame["outcome"].unique()}
    frame["better"] = frame["outcome"].map(better)
    frame["p_better"] = _chance(frame, frame.pop("diff_se"))
    frame.loc[frame["scenario"] == scenarios[0], "p_better"] = np.nan
    return frame[list(COLUMNS)]


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean and 90 % half-width by Student's t along the last axis, ignoring NaN.

    Parameters
    ----------
    samples : ndarray (..., n)

    Returns
    -------
    mean, half, error, n : ndarray (...)
        Mean, half-width of the interval, standard error of the mean (both NaN below two
        values) and number of values.
    """
    there = np.isfinite(samples)
    n = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, samples, 0).sum(axis=-1) / n
        spread = np.where(there, samples - mean[..., None], 0)
        error = np.sqrt((spread ** 2).sum(axis=-1) / (n - 1.0) / n)
    error = np.where(n >= 2, error, np.nan)
    # Equal inputs leave rounding dust, which must not look like evidence.
    error = np.where(error <= np.abs(mean) * 8 * np.finfo(float).eps, 0.0, error)
    half = special.stdtrit(np.maximum(n - 1, 1), 0.5 + LEVEL / 2) * error
    return np.where(n >= 1, mean, np.nan), half, error, n


def _scenario_rows(name: str, own: pd.DataFrame, base: pd.DataFrame,
                   is_base: bool) -> pd.DataFrame:
    """Summary rows of one scenario; ``own`` and ``base`` hold one column per seed."""
    common = [s for s in own.columns if s in base.columns]
    mean, half, _, _ = interval(own.to_numpy())
    left = own[common].to_numpy()
    right = base.reindex(own.index)[common].to_numpy()
    both = np.isfinite(left) & np.isfinite(right)
    diff, diff_half, error, n = interval(np.where(both, left - right, np.nan))
    level, _, _, _ = interval(np.where(both, right, np.nan))
    scale = np.where(level == 0, np.nan, level)
    ends = np.sort(np.stack([(diff - diff_half) / scale, (diff + diff_half) / scale]), axis=0)
    frame = own.index.to_frame(index=False)
    return frame.assign(
        scenario=name, mean=mean, lo90=mean - half, hi90=mean + half, diff=diff,
        diff_lo90=diff - diff_half, diff_hi90=diff + diff_half, relative=diff / scale,
        relative_lo90=ends[0], relative_hi90=ends[1], n=n, diff_se=error,
        note=_notes(n, own.shape[1], diff, error, is_base))


def _notes(n: np.ndarray, own: int, diff: np.ndarray, error: np.ndarray,
           is_base: bool) -> list[str]:
    notes = []
    for pairs, mean, se in zip(n, diff, error, strict=True):
        if pairs < 2:
            notes.append("fewer than two seeds in common: no interval")
        elif is_base:
            notes.append("baseline")
        elif mean == 0 and se == 0:
            notes.append("equal to the baseline in every seed")
        elif pairs < own:
            notes.append(f"{own - pairs} of {own} seeds have no partner")
        else:
            notes.append("")
    return notes


def _chance(frame: pd.DataFrame, error: pd.Series) -> np.ndarray:
    """Chance that the mean difference is on the better side, from its t posterior."""
    sign = frame["better"].map({"lower": -1.0, "higher": 1.0}).to_numpy(float)
    gain = sign * frame["diff"].to_numpy()
    se = error.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        p = special.stdtr(np.maximum(frame["n"].to_numpy() - 1, 1), gain / se)
    p = np.where((se == 0) & (gain != 0), (gain > 0).astype(float), p)
    return np.where((se == 0) & (gain == 0) | np.isnan(gain), np.nan, p)


def shown(low: float, high: float) -> bool:
    """Whether an interval lies on one side of zero, so that a difference can be shown."""
    return bool(low > 0 or high < 0)


def verdict(row: pd.Series) -> str:
    """One of ``better``, ``worse``, ``higher``, ``lower``, ``no difference shown``."""
    if not shown(row["diff_lo90"], row["diff_hi90"]):
        return "no difference shown"
    up = row["diff"] > 0
    if row["better"] not in ("lower", "higher"):
        return "higher" if up else "lower"
    return "better" if up == (row["better"] == "higher") else "worse"


def who_gains(summary: pd.DataFrame) -> pd.DataFrame:
    """Gains by group, signed so that positive is good.

    Parameters
    ----------
    summary
        Frame of :func:`summarise`.

    Returns
    -------
    pandas.DataFrame
        Columns scenario, outcome, group, kind (``people``, ``district``, ``hours``), unit,
        ``gain``, ``gain_lo90``, ``gain_hi90`` in that unit, ``gain_relative`` and its interval
        as a share of the group's baseline, and ``verdict`` (``gains``, ``loses``,
        ``no difference shown``). Outcomes without a better direction are left out.
    """
    rows = summary[summary["better"].isin(["lower", "higher"]) & (summary["group"] != "all")
                   & (summary["scenario"] != summary["baseline"])].copy()
    sign = rows["better"].map({"lower": -1.0, "higher": 1.0}).astype(float)
    for source, target in (("diff", "gain"), ("relative", "gain_relative")):
        rows[target] = sign * rows[source]
        low, high = sign * rows[f"{source}_lo90"], sign * rows[f"{source}_hi90"]
        rows[f"{target}_lo90"] = np.minimum(low, high)
        rows[f"{target}_hi90"] = np.maximum(low, high)
    rows["kind"] = [group_kind(g) for g in rows["group"]]
    rows["verdict"] = np.select([rows["gain_lo90"] > 0, rows["gain_hi90"] < 0],
                                ["gains", "loses"], "no difference shown")
    return rows[["scenario", "outcome", "group", "kind", "unit", "gain", "gain_lo90",
                 "gain_hi90", "gain_relative", "gain_relative_lo90", "gain_relative_hi90",
                 "verdict", "n"]].reset_index(drop=True)

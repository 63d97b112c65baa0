"""Paired comparison of scenarios: who did better than doing nothing, and how sure that is.

Runs that share future and seed share all the luck that a policy does not touch, so every
difference is taken within a future and seed first. Intervals hold the luck between seeds and what
is not known of the levels, as far as seeds draw different calibrated points; with several futures,
the spread between them too (:mod:`~citysim.analysis.repetitions`). They never say how well the
model fits the city.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from citysim.analysis.measures import HEADLINE, group_kind, meaning
from citysim.analysis.multiplicity import benjamini_hochberg, holm
from citysim.analysis.repetitions import estimate, futures_of, share_of
from citysim.results import Results
from citysim.results import open as open_results

COLUMNS = ("scenario", "outcome", "group", "unit", "mean", "lo90", "hi90", "diff", "diff_lo90",
           "diff_hi90", "relative", "relative_lo90", "relative_hi90", "p_better", "p_value",
           "p_holm", "q_value", "n", "futures", "baseline", "better", "note")

_CELL = ["outcome", "group", "unit"]


def summarise(store_dir: str | Path | Results) -> pd.DataFrame:
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
            Mean over the scenario's futures, each the mean over its seeds, in ``unit``, with its
            90 % interval by Student's t over seeds and, where there are several, futures
            (:func:`~citysim.analysis.repetitions.estimate`).
        ``diff``, ``diff_lo90``, ``diff_hi90``
            Mean of scenario minus baseline in the same future with the same seed, with its
            90 % interval of the same kind.
        ``relative``, ``relative_lo90``, ``relative_hi90``
            ``diff`` as a share of the baseline's mean over the same pairs, with the interval of
            that ratio (:func:`~citysim.analysis.repetitions.share_of`), which may disagree with
            the one of ``diff`` about zero: verdicts go by ``diff``. NaN where the baseline's
            mean is 0.
        ``p_better``
            Chance that the mean difference lies on the better side of zero: its posterior under
            a flat prior is Student's t, centred on ``diff`` with the standard error as its
            scale. NaN for the baseline, for outcomes without a better direction, and where all
            pairs are equal.
        ``p_value``
            Two-sided t test of no mean difference. NaN for the baseline and where all pairs
            differ by the same amount, as spending by plan does: nothing is left to chance there.
        ``p_holm``
            ``p_value`` adjusted by Holm over one family: every scenario but the baseline times
            every headline outcome (:data:`~citysim.analysis.measures.HEADLINE`) for everyone.
            NaN outside the family.
        ``q_value``
            ``p_value`` adjusted by Benjamini and Hochberg over all rows.
        ``n``, ``futures``
            Pairs behind the difference, and the futures they come from.
        ``baseline``, ``better``, ``note``
            Name of the baseline, better direction, and what limits the row.

    Notes
    -----
    A run missing on one side is left out of the pairing. With fewer than two seeds,
    intervals and chances are NaN and the note says so. A Latin hypercube or Sobol sample covers
    the futures more evenly than independent draws, which makes its intervals somewhat too wide.
    """
    study = open_results(store_dir)
    values = study.table("outcomes")
    return contrast(values, study.scenarios)


def contrast(values: pd.DataFrame, scenarios: list[str]) -> pd.DataFrame:
    """:func:`summarise` for a frame of scenario, future, seed, outcome, group, unit, value.

    The first of ``scenarios`` is the baseline; a frame without ``future`` has one future.
    """
    pairs = paired(values, scenarios[0])
    order = {name: i for i, name in enumerate(scenarios)}
    pairs = pairs[pairs["scenario"].isin(order)]
    if not len(pairs):
        return pd.DataFrame(columns=list(COLUMNS))
    pairs = pairs.assign(position=pairs["scenario"].map(order))
    grouped = pairs.groupby(["position", *_CELL], sort=True, observed=True)
    frame = _estimates(pairs, grouped.ngroup().to_numpy())
    frame = pd.concat([grouped[["scenario"]].first().reset_index().drop(columns="position"),
                       frame], axis=1)
    is_base = (frame["scenario"] == scenarios[0]).to_numpy()
    frame["baseline"] = scenarios[0]
    frame["better"] = frame["outcome"].map({o: meaning(o).better
                                            for o in frame["outcome"].unique()})
    runs = pairs[["scenario", "future", "seed"]].drop_duplicates()["scenario"].value_counts()
    frame["note"] = _notes(frame, frame["scenario"].map(runs).to_numpy(), is_base)
    frame["p_better"] = np.where(is_base, np.nan, _chance(frame))
    frame["p_value"] = np.where(is_base, np.nan, _two_sided(frame))
    family = frame["outcome"].isin(HEADLINE) & (frame["group"] == "all")
    frame["p_holm"] = holm(frame["p_value"].where(family))
    frame["q_value"] = benjamini_hochberg(frame["p_value"])
    return frame[list(COLUMNS)]


def paired(values: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Rows of results beside the baseline's value in the same future with the same seed.

    Parameters
    ----------
    values
        Columns scenario, seed, outcome, group, unit, value and, where there are several,
        future.
    baseline
        Scenario that all are held against.

    Returns
    -------
    pandas.DataFrame
        The rows with ``future`` (int), ``base`` (NaN where the baseline has no such run) and
        ``diff``, value minus base.
    """
    rows = values.assign(value=values["value"].astype(float), future=futures_of(values))
    keys = [*_CELL, "future", "seed"]
    base = rows.loc[rows["scenario"] == baseline, [*keys, "value"]]
    rows = rows.merge(base.rename(columns={"value": "base"}), on=keys, how="left")
    return rows.assign(diff=rows["value"] - rows["base"])


def _estimates(pairs: pd.DataFrame, row: np.ndarray) -> pd.DataFrame:
    """Level and difference of each row of the summary, with what the tests need."""
    size = int(row.max()) + 1
    future, seed, level, diff = (pairs[c].to_numpy() for c in ("future", "seed", "value", "diff"))
    mean, half, _, _ = estimate(row, future, seed, level, size)
    change, change_half, error, freedom = estimate(row, future, seed, diff, size)
    ratio, ratio_half = share_of(diff, pairs["base"].to_numpy(), row, future, seed, size)
    there = np.isfinite(diff)
    n = np.bincount(row[there], minlength=size)
    futures = pd.Series(future[there]).groupby(row[there]).nunique().reindex(range(size),
                                                                            fill_value=0)
    return pd.DataFrame({
        "mean": mean, "lo90": mean - half, "hi90": mean + half, "diff": change,
        "diff_lo90": change - change_half, "diff_hi90": change + change_half,
        "relative": ratio, "relative_lo90": ratio - ratio_half,
        "relative_hi90": ratio + ratio_half,
        "n": n, "futures": futures.to_numpy(), "error": error, "freedom": freedom})


def _notes(frame: pd.DataFrame, runs: np.ndarray, is_base: np.ndarray) -> np.ndarray:
    pairs, error = frame["n"].to_numpy(), frame["error"].to_numpy()
    same = (frame["diff"].to_numpy() == 0) & (error == 0)
    unpaired = [f"{a - b} of {a} runs have no partner" if a > b else ""
                for a, b in zip(runs, pairs, strict=True)]
    return np.select([np.isnan(error), is_base, same],
                     ["fewer than two seeds in common: no interval", "baseline",
                      "equal to the baseline in every seed"], unpaired)


def _chance(frame: pd.DataFrame) -> np.ndarray:
    """Chance that the mean difference is on the better side, from its t posterior."""
    sign = frame["better"].map({"lower": -1.0, "higher": 1.0}).to_numpy(float)
    gain = sign * frame["diff"].to_numpy()
    se = frame["error"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        p = special.stdtr(frame["freedom"].to_numpy(), gain / se)
    p = np.where((se == 0) & (gain != 0), (gain > 0).astype(float), p)
    return np.where((se == 0) & (gain == 0) | np.isnan(gain), np.nan, p)


def _two_sided(frame: pd.DataFrame) -> np.ndarray:
    """p-value of no mean difference; NaN where there is no spread to test against."""
    se = frame["error"].where(frame["error"] > 0).to_numpy()
    t = np.abs(frame["diff"].to_numpy()) / se
    return 2 * special.stdtr(frame["freedom"].to_numpy(), -t)


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

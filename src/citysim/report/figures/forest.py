"""Effects with their intervals, one panel per outcome."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from citysim.analysis.contrasts import verdict
from citysim.analysis.measures import meaning
from citysim.analysis.wording import is_share, scenario_label
from citysim.report.figures.style import (
    BAD,
    GOOD,
    INK,
    QUIET,
    UNSURE,
    look,
    new_figure,
    symmetric,
    zero_line,
)

_COLUMNS = 2
_COLOURS = {"better": GOOD, "worse": BAD, "higher": INK, "lower": INK}  # by verdict


def forest_plot(summary: pd.DataFrame, outcomes: list[str], scenarios: list[str]) -> Figure:
    """Change against the baseline with 90 % intervals, one panel per outcome.

    Parameters
    ----------
    summary
        Frame of :func:`citysim.analysis.contrasts.summarise`.
    outcomes
        Outcomes, one panel each.
    scenarios
        Scenarios from top to bottom, without the baseline.

    Notes
    -----
    Shares are drawn in percentage points, everything else in per cent of the baseline. Filled
    blue markers are better, orange ones worse, hollow grey ones not to be told from no change:
    by the verdict on the difference, whose interval may disagree with the percentage's about zero.
    """
    rows = summary[summary["group"] == "all"].set_index(["outcome", "scenario"])
    with look():
        columns = min(_COLUMNS, len(outcomes))
        lines = math.ceil(len(outcomes) / columns)
        fig = new_figure(4.7 * columns, lines * (0.75 + 0.27 * len(scenarios)) + 0.2)
        axes = fig.subplots(lines, columns, squeeze=False, sharey=True)
        for ax, outcome in zip(axes.flat, outcomes, strict=False):
            _panel(ax, rows.loc[outcome], scenarios, outcome)
        for ax in axes.flat[len(outcomes):]:
            ax.set_axis_off()
        for ax in axes[:, 0]:
            ax.set_yticks(range(len(scenarios)), [scenario_label(s) for s in scenarios])
    return fig


def _panel(ax: Axes, rows: pd.DataFrame, scenarios: list[str], outcome: str) -> None:
    share = is_share(rows["unit"].iloc[0])
    key = "diff" if share else "relative"
    ends = rows.loc[rows.index.isin(scenarios), [key, f"{key}_lo90", f"{key}_hi90"]] * 100.0
    for position, name in enumerate(scenarios):
        if name in ends.index:
            effect(ax, position, ends.loc[name].to_numpy(float), verdict(rows.loc[name]))
    zero_line(ax)
    symmetric(ax, np.nanmin(ends.to_numpy(), initial=0.0), np.nanmax(ends.to_numpy(), initial=0.0))
    ax.set_title(meaning(outcome).label)
    ax.set_xlabel(_axis(share, rows["better"].iloc[0]), fontsize=8, color=QUIET)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(scenarios) - 0.4, -0.6)


def effect(ax: Axes, y: float, ends: np.ndarray, told: str, marker: str = "o") -> None:
    """One interval with its middle at height y; colour and filling tell the verdict."""
    middle, low, high = ends
    if not math.isfinite(middle):
        return
    colour = _COLOURS.get(told, UNSURE)
    if math.isfinite(low):
        ax.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="round", zorder=2)
    ax.plot(middle, y, marker=marker, color=colour, markersize=6, zorder=3,
            markerfacecolor=colour if told in _COLOURS else "white", linestyle="none")


def _axis(share: bool, better: str | None) -> str:
    unit = "change in percentage points" if share else "change in % of the baseline"
    return {"lower": f"\u2190 better     {unit}     worse \u2192",
            "higher": f"\u2190 worse     {unit}     better \u2192"}.get(better, unit)

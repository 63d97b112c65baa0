"""How options fare over the futures: how often they help, how badly they may end."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from citysim.analysis.measures import meaning
from citysim.analysis.wording import is_share, scenario_label, unit_label
from citysim.report.figures.style import (
    BAD,
    GOOD,
    INK,
    QUIET,
    look,
    new_figure,
    short,
    symmetric,
    zero_line,
)


def futures_plot(table: pd.DataFrame, outcomes: list[str], options: list[str],
                 baseline: str) -> Figure:
    """One row of panels per outcome: share of good futures, usual and worst change, regret.

    Parameters
    ----------
    table
        Frame of :func:`citysim.analysis.robustness.robustness`.
    outcomes
        Outcomes, one row of three panels each.
    options
        Options from top to bottom.
    baseline
        Doing nothing; it has regret only.
    """
    rows = table[table["option"].isin(options)].set_index(["outcome", "option"])
    with look():
        fig = new_figure(9.4, len(outcomes) * (1.0 + 0.27 * len(options)) + 0.1)
        axes = fig.subplots(len(outcomes), 3, squeeze=False, sharey=True)
        for line, outcome in zip(axes, outcomes, strict=True):
            own = rows.loc[outcome].reindex(options)
            share = is_share(own["unit"].dropna().iloc[0])
            scale = 100.0 if share else 1.0
            unit = "percentage points" if share else unit_label(own["unit"].dropna().iloc[0])
            _shares(line[0], own, outcome)
            acting = own.drop(index=baseline, errors="ignore").reindex(options)
            _changes(line[1], acting, scale, unit)
            _regrets(line[2], own, scale, unit)
            for ax in line:
                ax.grid(axis="x")
                ax.tick_params(axis="y", length=0, labelcolor=INK)
                ax.spines["left"].set_visible(False)
                ax.xaxis.label.set(fontsize=7.5, color=QUIET)
            line[0].set_yticks(range(len(options)), [short(scenario_label(o)) for o in options])
            line[0].set_ylim(len(options) - 0.45, -0.55)
    return fig


def _shares(ax: Axes, own: pd.DataFrame, outcome: str) -> None:
    share = own["share_good"].to_numpy(float) * 100.0
    y = np.arange(len(own))
    ax.barh(y, np.full(len(own), 100.0), height=0.55, color="#f1f1f1", zorder=1)
    ax.barh(y, share, height=0.55, color=GOOD, zorder=2)
    for position, value in zip(y, share, strict=True):
        if np.isfinite(value):
            inside = value > 25
            ax.text(value + (-2 if inside else 2), position, f"{value:.0f} %", va="center",
                    ha="right" if inside else "left", fontsize=7.5,
                    color="white" if inside else INK, zorder=3)
    ax.set_xlim(0, 100)
    ax.set_title(meaning(outcome).label)
    ax.set_xlabel("futures in which it is good enough [%]")


def _changes(ax: Axes, own: pd.DataFrame, scale: float, unit: str) -> None:
    """Mean change (filled) joined to the mean of the worst tenth (hollow)."""
    better = own["better"].dropna().iloc[0]
    sign = -1.0 if better == "lower" else 1.0
    usual, worst = (own[c].to_numpy(float) * scale for c in ("effect", "effect_worst_tenth"))
    for y, (a, b) in enumerate(zip(usual, worst, strict=True)):
        if np.isfinite(a):
            ax.plot([a, b], [y, y], color="#b5b5b5", linewidth=1.6, zorder=2)
            ax.plot(a, y, "o", color=GOOD if sign * a > 0 else BAD, markersize=6, zorder=3)
            ax.plot(b, y, "D", markersize=5, zorder=3, markerfacecolor="white",
                    color=GOOD if sign * b > 0 else BAD)
    symmetric(ax, np.nanmin([usual, worst], initial=0.0), np.nanmax([usual, worst], initial=0.0))
    zero_line(ax)
    ax.set_title("\u25cf on average  \u25c7 worst tenth", fontweight="normal", fontsize=8.5)
    left, right = ("better", "worse") if better == "lower" else ("worse", "better")
    ax.set_xlabel(f"\u2190 {left}      change      {right} \u2192\n[{unit}]")


def _regrets(ax: Axes, own: pd.DataFrame, scale: float, unit: str) -> None:
    usual, worst = (own[c].to_numpy(float) * scale for c in ("regret_p90", "regret_max"))
    y = np.arange(len(own))
    ax.hlines(y, 0, worst, color="#b5b5b5", linewidth=1.6, zorder=2)
    ax.plot(usual, y, "o", color=INK, markersize=5, zorder=3)
    ax.plot(worst, y, "D", color=INK, markersize=5, markerfacecolor="white", zorder=3)
    ax.set_xlim(0, max(np.nanmax(worst, initial=0.0) * 1.12, 1e-12))
    ax.set_title("\u25cf in nine of ten at most  \u25c7 largest", fontweight="normal",
                 fontsize=8.5)
    ax.set_xlabel(f"behind the best option\n[{unit}]")

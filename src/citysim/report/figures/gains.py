"""Who gains and who loses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from citysim.analysis.measures import meaning
from citysim.analysis.wording import group_label, is_share, scenario_label
from citysim.report.figures.style import (
    INK,
    QUIET,
    UNSURE,
    colours,
    legend_above,
    look,
    markers,
    new_figure,
    short,
    symmetric,
    zero_line,
)

_LANE = 0.76  # share of a group's row that its scenarios fill


def gains_plot(gains: pd.DataFrame, outcomes: list[str], groups: list[str],
               scenarios: list[str]) -> Figure:
    """Groups by outcomes: gain of each scenario with its 90 % interval, right is good.

    Parameters
    ----------
    gains
        Frame of :func:`citysim.analysis.contrasts.who_gains`.
    outcomes
        Outcomes, one panel each.
    groups
        Groups from top to bottom.
    scenarios
        Scenarios, the baseline first (it is not drawn, but keeps the colours).
    """
    palette, shapes = colours(scenarios), markers(scenarios)
    others = scenarios[1:]
    with look():
        fig = new_figure(2.0 + 2.65 * len(outcomes),
                         0.9 + len(groups) * (0.14 + 0.115 * len(others)))
        axes = fig.subplots(1, len(outcomes), squeeze=False, sharey=True)[0]
        for ax, outcome in zip(axes, outcomes, strict=True):
            rows = gains[(gains["outcome"] == outcome) & gains["group"].isin(groups)]
            key = "gain" if is_share(rows["unit"].iloc[0]) else "gain_relative"
            _dots(ax, rows, key, groups, others, palette, shapes)
            ax.set_title(meaning(outcome).label)
            unit = "percentage points" if key == "gain" else "% of the group's baseline"
            ax.set_xlabel(f"\u2190 worse   {unit}   better \u2192", fontsize=8, color=QUIET)
        axes[0].set_yticks(range(len(groups)), [short(group_label(g)) for g in groups])
        axes[0].set_ylim(len(groups) - 0.45, -0.55)
        handles = [Line2D([], [], color=palette[s], marker=shapes[s], linewidth=1.6, markersize=5,
                          label=scenario_label(s)) for s in others]
        handles.append(Line2D([], [], color=UNSURE, marker="o", markerfacecolor="white",
                              linewidth=1.6, markersize=5, label="no difference shown"))
        legend_above(fig, handles)
    return fig


def _dots(ax, rows, key, groups, others, palette, shapes) -> None:
    """Intervals of all groups and scenarios in one panel."""
    columns = [key, f"{key}_lo90", f"{key}_hi90"]
    line = {group: i for i, group in enumerate(groups)}
    for lane, name in enumerate(others):
        own = rows[rows["scenario"] == name]
        open_ = own["verdict"] == "no difference shown"
        for part, colour, filled in ((own[~open_], palette[name], True),
                                     (own[open_], UNSURE, False)):
            middle, low, high = part[columns].to_numpy(float).T * 100.0
            y = part["group"].map(line).to_numpy(float) + _LANE * ((lane + 0.5) / len(others) - 0.5)
            ax.hlines(y, low, high, color=colour, linewidth=1.4, zorder=2)
            ax.scatter(middle, y, marker=shapes[name], s=18, color=colour, zorder=3,
                       facecolor=colour if filled else "white")
    for band in range(1, len(groups), 2):
        ax.axhspan(band - 0.5, band + 0.5, color="#f4f4f4", zorder=0, linewidth=0)
    ends = rows[columns].to_numpy(float) * 100.0
    symmetric(ax, np.nanmin(ends, initial=0.0), np.nanmax(ends, initial=0.0))
    zero_line(ax)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["left"].set_visible(False)

"""What drives an outcome: factors by influence, one panel per outcome."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from citysim.analysis.measures import meaning
from citysim.analysis.wording import is_share, scenario_label, unit_label
from citysim.report.figures.style import (
    BASELINE_COLOUR,
    INK,
    MARKERS,
    QUIET,
    SCENARIO_COLOURS,
    legend_above,
    look,
    new_figure,
    short,
)

MOST_FACTORS, MOST_OPTIONS = 10, 4
_COLUMNS = 2
_LANE = 0.6  # share of a factor's row that its options fill
_AXES = {"ST": "share of the spread, with interactions",
         "share": "share of the spread that goes with it",
         "mu_star": "mean change over its whole range", "swing": "change over its whole range"}


def influence_plot(table: pd.DataFrame, main: str, labels: dict[str, str],
                   baseline: str) -> Figure:
    """Influence of the strongest factors on each outcome, with 90 % intervals.

    Parameters
    ----------
    table
        Frame of :func:`citysim.analysis.sensitivity.sensitivity`, of one kind (``of``).
    main
        The measure that is drawn and ranks the factors.
    labels
        Label of each factor.
    baseline
        Scenario that is drawn in grey.

    Notes
    -----
    The ten factors that are strongest for any shown option are drawn, for up to four options.
    Where there is a first-order Sobol index, a small bar marks it beside the total one.
    """
    outcomes = list(dict.fromkeys(table["outcome"]))
    options = list(dict.fromkeys(table["option"]))[:MOST_OPTIONS]
    table = table[table["option"].isin(options)]
    styles = _styles(options, baseline)
    with look():
        columns = min(_COLUMNS, len(outcomes))
        lines = math.ceil(len(outcomes) / columns)
        size = min(MOST_FACTORS, table["factor"].nunique())
        row = 0.3 + 0.07 * len(options)
        fig = new_figure(4.9 * columns, lines * (0.85 + row * size) + 0.3)
        axes = fig.subplots(lines, columns, squeeze=False)
        for ax, outcome in zip(axes.flat, outcomes, strict=False):
            _panel(ax, table[table["outcome"] == outcome], main, labels, styles)
        for ax in axes.flat[len(outcomes):]:
            ax.set_axis_off()
        _legend(fig, table, main, styles)
    return fig


def _styles(options: list[str], baseline: str) -> dict[str, tuple[str, str]]:
    others = [o for o in options if o != baseline]
    styles = {o: (SCENARIO_COLOURS[i], MARKERS[i]) for i, o in enumerate(others)}
    return {o: styles.get(o, (BASELINE_COLOUR, "o")) for o in options}


def _panel(ax: Axes, rows: pd.DataFrame, main: str, labels: dict, styles: dict) -> None:
    own = rows[rows["measure"] == main]
    ranked = own.groupby("factor")["value"].max().sort_values(ascending=False, kind="stable")
    factors = list(ranked.index[:MOST_FACTORS])
    unit = own["unit"].iloc[0]
    scale = 100.0 if is_share(unit) else 1.0
    for lane, (option, (colour, marker)) in enumerate(styles.items()):
        shift = _LANE * ((lane + 0.5) / len(styles) - 0.5)
        part = own[own["option"] == option].set_index("factor").reindex(factors)
        y = np.arange(len(factors)) + shift
        middle, low, high = part[["value", "lo90", "hi90"]].to_numpy(float).T * scale
        ax.hlines(y, np.maximum(low, 0), high, color=colour, linewidth=1.8, zorder=2)
        ax.scatter(middle, y, color=colour, marker=marker, s=26, zorder=3, clip_on=False)
        first = rows[(rows["measure"] == "S1") & (rows["option"] == option)]
        if len(first):
            ax.scatter(first.set_index("factor")["value"].reindex(factors) * scale, y,
                       color=INK, marker="|", s=55, zorder=4)
    ax.set_yticks(range(len(factors)), [short(labels.get(f, f), 3) for f in factors])
    ax.set_ylim(len(factors) - 0.45, -0.55)
    ax.set_xlim(left=0)
    ax.set_title(meaning(rows["outcome"].iloc[0]).label)
    text = _AXES[main] + " [%]" if unit == "share" and main in ("ST", "share") else \
        f"{_AXES[main]} [{_points(unit)}]"
    ax.set_xlabel(text, fontsize=7.5, color=QUIET)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines["left"].set_visible(False)


def _points(unit: str) -> str:
    return "percentage points" if is_share(unit) else unit_label(unit)


def _legend(fig: Figure, table: pd.DataFrame, main: str, styles: dict) -> None:
    handles = [Line2D([], [], color=c, marker=m, linewidth=1.8, markersize=5,
                      label=scenario_label(o)) for o, (c, m) in styles.items()]
    if len(handles) < 2:
        handles = []
    if (table["measure"] == "S1").any():
        handles.append(Line2D([], [], color=INK, marker="|", linestyle="none", markersize=8,
                              label="alone, without interactions"))
    if handles:
        legend_above(fig, handles)

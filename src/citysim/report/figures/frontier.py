"""Cost against effect, with the options that no other beats."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from citysim.analysis.measures import COST, meaning
from citysim.analysis.wording import euro, is_share, scenario_label, unit_label
from citysim.report.figures.style import GOOD, INK, QUIET, UNSURE, look, new_figure, zero_line

_MOST_NAMES = 9
_LABEL = 36  # characters of an axis label on one line


def frontier_plot(table: pd.DataFrame, objectives: list[str], units: dict[str, str],
                  baseline: str) -> Figure:
    """Change of each objective against extra cost, one panel per objective, up is better.

    Parameters
    ----------
    table
        Frame of :func:`citysim.analysis.robustness.pareto`.
    objectives
        Its objectives beside cost.
    units
        Unit of each outcome.
    baseline
        Doing nothing: the cross at zero.

    Notes
    -----
    Filled blue options are in the Pareto set of all objectives together; up to nine of them
    carry their names.
    """
    others = table[table["option"] != baseline]
    chosen = others[others["pareto"]]
    named = chosen.sort_values("pareto_share", ascending=False, kind="stable").head(_MOST_NAMES)
    named = named.sort_values(COST, kind="stable")
    with look():
        fig = new_figure(3.6 * len(objectives), 3.9)
        axes = fig.subplots(1, len(objectives), squeeze=False)[0]
        for ax, outcome in zip(axes, objectives, strict=True):
            _panel(ax, others, named, outcome, units.get(outcome, ""))
        handles = [
            Line2D([], [], marker="o", color=GOOD, linestyle="none",
                   label="no other option beats it in every respect"),
            Line2D([], [], marker="o", color=UNSURE, markerfacecolor="white", linestyle="none",
                   label="beaten by another option"),
            Line2D([], [], marker="+", color=INK, linestyle="none", markersize=8,
                   label=scenario_label(baseline))]
        handles += [Line2D([], [], linestyle="none", label=f"{i}  {scenario_label(n)}")
                    for i, n in enumerate(named["option"], 1)]
        fig.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
    return fig


def _panel(ax: Axes, others: pd.DataFrame, named: pd.DataFrame, outcome: str,
           unit: str) -> None:
    scale = 100.0 if is_share(unit) else 1.0
    for row in others.to_dict("records"):
        ax.plot(row[COST], row[outcome] * scale, "o", markersize=6, zorder=2 + row["pareto"],
                color=GOOD if row["pareto"] else UNSURE,
                markerfacecolor=GOOD if row["pareto"] else "white")
    for number, index in enumerate(named.index, 1):
        ax.annotate(str(number), (others.at[index, COST], others.at[index, outcome] * scale),
                    xytext=(6, 4), textcoords="offset points", fontsize=8.5, fontweight="bold",
                    zorder=5)
    ax.plot(0, 0, "+", color=INK, markersize=10, zorder=4)
    zero_line(ax, vertical=False)
    if meaning(outcome).better == "lower":
        ax.invert_yaxis()
    ax.set_title(meaning(outcome).label)
    words = "percentage points" if is_share(unit) else unit_label(unit)
    ax.set_ylabel(f"{textwrap.fill(f'change [{words}]', _LABEL)}\nbetter \u2192", fontsize=8)
    ax.set_xlabel("extra cost over the evaluation", color=QUIET, fontsize=8)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: euro(v)))
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.grid()
    ax.margins(0.12, 0.15)

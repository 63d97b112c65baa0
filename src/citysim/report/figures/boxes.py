"""In which futures an option fails: limits of the box, factor by factor."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from citysim.analysis.wording import scenario_label
from citysim.report.figures.style import BAD, INK, QUIET, look, new_figure, short

MOST_BOXES = 6
_COLUMNS = 2


def boxes_plot(table: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """One panel per option: the part of each factor's range in which the option fails.

    Parameters
    ----------
    table
        Rows of :func:`citysim.analysis.discovery.discover` that have a factor, of one rule.
    labels
        Label of each factor, with its unit.

    Notes
    -----
    Every bar is a factor's whole range; its orange part bounds the box. Up to six options are
    drawn, those that fail in most futures first.
    """
    share = (table["failing"] / table["cases"]).groupby(table["option"]).first()
    options = list(share.sort_values(ascending=False, kind="stable").index[:MOST_BOXES])
    most = max(int((table["option"] == o).sum()) for o in options)
    with look():
        columns = min(_COLUMNS, len(options))
        lines = math.ceil(len(options) / columns)
        fig = new_figure(4.9 * columns, lines * (1.0 + 0.42 * most))
        axes = fig.subplots(lines, columns, squeeze=False)
        for ax, option in zip(axes.flat, options, strict=False):
            _panel(ax, table[table["option"] == option], labels, most)
        for ax in axes.flat[len(options):]:
            ax.set_axis_off()
    return fig


def _panel(ax: Axes, rows: pd.DataFrame, labels: dict, most: int) -> None:
    for y, row in enumerate(rows.itertuples()):
        ax.barh(y, 1.0, height=0.36, color="#ececec", zorder=1)
        if isinstance(row.words, str):
            ax.barh(y, 1.0, height=0.36, color=BAD, alpha=0.25, zorder=2)
            ax.text(0.5, y, row.words, ha="center", va="center", fontsize=8, color=INK, zorder=3)
            continue
        width = row.full_high - row.full_low
        left, right = ((v - row.full_low) / width for v in (row.low, row.high))
        ax.barh(y, right - left, left=left, height=0.36, color=BAD, zorder=2)
        for x, value, side in ((left, row.low, "left"), (right, row.high, "right")):
            if 0 < x < 1:
                near = x < 0.08 or x > 0.92
                ax.text(x, y - 0.24, f"{value:.3g}", va="bottom", fontsize=7.5,
                        ha=side if near else "center", color=INK)
        for x, value, side in ((0, row.full_low, "left"), (1, row.full_high, "right")):
            ax.text(x, y + 0.23, f"{value:.3g}", ha=side, va="top", fontsize=7, color=QUIET)
    first = rows.iloc[0]
    ax.set_yticks(range(len(rows)), [short(labels.get(f, f), 3) for f in rows["factor"]])
    ax.set_ylim(most - 0.3, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines[:].set_visible(False)
    ax.set_title(f"{scenario_label(first['option'])}\n\n", fontsize=10)
    ax.text(0, 1.02, f"fails in {first['failing']:.0f} of {first['cases']:.0f}; "
            f"{first['coverage'] * 100:.0f} % of these lie in the orange\nparts together, "
            f"and there it fails in {first['density'] * 100:.0f} %",
            transform=ax.transAxes, fontsize=8, color=QUIET, va="bottom")

"""What the money buys."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from citysim.analysis.wording import euro, scenario_label
from citysim.report.figures.style import (
    QUIET,
    UNSURE,
    colours,
    legend_above,
    look,
    markers,
    new_figure,
    zero_line,
)

_TITLE = 48  # characters of a panel's title on one line


def cost_plot(costs: pd.DataFrame, scenarios: list[str]) -> Figure:
    """Gain against extra cost, one panel per unit of gain, with 90 % intervals of the gain.

    Parameters
    ----------
    costs
        Frame of :func:`citysim.analysis.costs.cost_per_unit`.
    scenarios
        Scenarios, the baseline first; it is the cross at zero.
    """
    units = list(dict.fromkeys(costs["unit"]))
    palette, shapes = colours(scenarios), markers(scenarios)
    with look():
        fig = new_figure(max(6.4, 4.7 * len(units)), 3.3)
        axes = fig.subplots(1, len(units), squeeze=False)[0]
        for ax, unit in zip(axes, units, strict=True):
            for row in costs[costs["unit"] == unit].itertuples():
                clear = row.gain_lo90 > 0 or row.gain_hi90 < 0
                colour = palette[row.scenario] if clear else UNSURE
                ax.plot([row.extra_cost] * 2, [row.gain_lo90, row.gain_hi90], color=colour,
                        linewidth=2, zorder=2)
                ax.plot(row.extra_cost, row.gain, marker=shapes[row.scenario], color=colour,
                        markersize=7, zorder=3, markerfacecolor=colour if clear else "white",
                        linestyle="none", label=scenario_label(row.scenario))
            ax.plot(0, 0, marker="+", color=QUIET, markersize=9, linestyle="none",
                    label=scenario_label(scenarios[0]))
            zero_line(ax, vertical=False)
            ax.set_title(textwrap.fill(unit[0].upper() + unit[1:], _TITLE))
            ax.set_ylabel("gain over the evaluation")
            ax.set_xlabel("extra cost over the evaluation")
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: euro(v)))
            ax.grid()
            ax.margins(0.12, 0.12)
        legend_above(fig, *axes[0].get_legend_handles_labels())
    return fig

"""How it develops: level and difference to the baseline over the weeks."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from citysim.analysis.measures import meaning
from citysim.analysis.repetitions import futures_of, over_runs
from citysim.analysis.wording import is_share, scenario_label
from citysim.report.figures.style import colours, legend_above, look, new_figure, zero_line

WEEK = 7
_LABEL = 24  # characters of a unit on one line


def time_series(daily: pd.DataFrame, outcomes: list[str], scenarios: list[str],
                units: dict[str, str]) -> Figure:
    """Seven-day means per scenario (left) and their paired difference to the baseline (right).

    Parameters
    ----------
    daily
        The daily table (scenario, future, seed, day, outcome, group, value); group ``all`` is
        drawn.
    outcomes
        Outcomes to draw, one row each.
    scenarios
        Scenarios, the baseline first.
    units
        Unit by outcome.

    Notes
    -----
    Bands are 90 % intervals of the mean by Student's t over seeds, or over futures where there
    are several; on the right, of the mean of the differences between paired runs.
    """
    rows = daily[daily["group"] == "all"]
    palette = colours(scenarios)
    with look():
        fig = new_figure(9.2, 2.1 * len(outcomes) + 0.5)
        axes = fig.subplots(len(outcomes), 2, squeeze=False, sharex=True)
        for (left, right), outcome in zip(axes, outcomes, strict=True):
            wide = {s: _weekly(rows[(rows["outcome"] == outcome) & (rows["scenario"] == s)])
                    for s in scenarios}
            for name, frame in wide.items():
                _line(left, frame, palette[name], scenario_label(name))
                runs = frame.columns.intersection(wide[scenarios[0]].columns)
                if name != scenarios[0] and len(runs):
                    _line(right, frame[runs] - wide[scenarios[0]][runs], palette[name], None)
            zero_line(right, vertical=False)
            _axes(left, right, outcome, units.get(outcome, ""))
        axes[0, 1].set_title("difference to " + scenario_label(scenarios[0]).lower(),
                             fontweight="normal")
        for ax in axes[-1]:
            ax.set_xlabel("week of the evaluation")
        legend_above(fig, *axes[0, 0].get_legend_handles_labels())
    return fig


def _weekly(rows: pd.DataFrame) -> pd.DataFrame:
    """Days by (future, seed), as the mean of the past seven days."""
    wide = rows.assign(future=futures_of(rows)).pivot_table(
        index="day", columns=["future", "seed"], values="value", aggfunc="mean")
    return wide.rolling(WEEK, min_periods=min(WEEK, max(1, len(wide)))).mean().dropna(how="all")


def _line(ax: Axes, frame: pd.DataFrame, colour: str, label: str | None) -> None:
    if not len(frame.columns):
        return
    mean, half, _, _ = over_runs(frame)
    half = np.nan_to_num(half)
    weeks = (frame.index.to_numpy(float) + 1) / WEEK
    ax.fill_between(weeks, mean - half, mean + half, color=colour, alpha=0.18, linewidth=0)
    ax.plot(weeks, mean, color=colour, linewidth=1.5, label=label)


def _axes(left: Axes, right: Axes, outcome: str, unit: str) -> None:
    left.set_title(meaning(outcome).label)
    for ax in (left, right):
        ax.grid(axis="y")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        if is_share(unit):
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1, symbol=""))
    left.set_ylabel(_short(unit), fontsize=8)
    right.set_ylabel("percentage points" if is_share(unit) else _short(unit), fontsize=8)


def _short(unit: str) -> str:
    return "%" if is_share(unit) else textwrap.fill(unit, _LABEL)

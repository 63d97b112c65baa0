"""When it happens: weekday by hour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from citysim.analysis.measures import meaning
from citysim.report.figures.style import AMOUNT, look, new_figure

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = 24


def profile_heat_map(profile: pd.DataFrame, outcomes: list[str], scenario: str,
                     units: dict[str, str] | None = None) -> Figure:
    """Heat maps of weekday by hour for some outcomes in one scenario, mean over seeds.

    Parameters
    ----------
    profile
        The profile table (scenario, seed, weekday 0 Monday, hour, outcome, value).
    outcomes
        Outcomes to draw, one panel each.
    scenario
        The scenario to draw.
    units
        Unit by outcome for the colour bar; the mean over the window without one.
    """
    rows = profile[profile["scenario"] == scenario]
    with look():
        fig = new_figure(7.6, 2.05 * len(outcomes) + 0.3)
        axes = fig.subplots(len(outcomes), 1, squeeze=False, sharex=True)[:, 0]
        for ax, outcome in zip(axes, outcomes, strict=True):
            grid = rows[rows["outcome"] == outcome].pivot_table(
                index="weekday", columns="hour", values="value", aggfunc="mean")
            grid = grid.reindex(index=range(len(_DAYS)), columns=range(_HOURS))
            image = ax.imshow(grid.to_numpy(float), aspect="auto", cmap=AMOUNT,
                              extent=(0, _HOURS, len(_DAYS), 0), vmin=min(0, np.nanmin(grid)))
            ax.set_yticks(np.arange(len(_DAYS)) + 0.5, _DAYS)
            ax.set_xticks(range(0, _HOURS + 1, 3), [f"{h:02d}:00" for h in
                                                    range(0, _HOURS + 1, 3)])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            ax.set_title(meaning(outcome).label)
            bar = fig.colorbar(image, ax=ax, aspect=12, pad=0.015)
            bar.set_label((units or {}).get(outcome, "mean of the runs"), fontsize=8)
            bar.outline.set_visible(False)
        axes[-1].set_xlabel("hour of the day")
    return fig

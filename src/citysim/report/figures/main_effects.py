"""What each lever does by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from citysim.analysis.contrasts import shown
from citysim.analysis.measures import meaning
from citysim.analysis.wording import capital, is_share
from citysim.report.figures.style import BAD, GOOD, INK, QUIET, UNSURE, look, new_figure, short

_PERCENT = 100.0


def main_effects_plot(effects: pd.DataFrame, rows: list[tuple[str, str, str]],
                      against: str = "step") -> Figure:
    """Outcomes by levers: change of each setting with its 90 % interval.

    Parameters
    ----------
    effects
        Frame of :func:`citysim.analysis.main_effects.main_effects`.
    rows
        Outcome, group and label of each row of panels.
    against
        ``step``, the lever's first setting, or ``diff``, the baseline. Colours go by the interval
        of this difference, also where it is drawn in per cent.
    """
    levers = list(dict.fromkeys(effects["lever"]))
    with look():
        fig = new_figure(1.3 + 1.75 * len(levers), 0.7 + 1.45 * len(rows))
        axes = fig.subplots(len(rows), len(levers), squeeze=False, sharey="row", sharex="col")
        for line, (outcome, group, label) in zip(axes, rows, strict=True):
            own = effects[(effects["outcome"] == outcome) & (effects["group"] == group)]
            share = is_share(own["unit"].iloc[0])
            key = against if share else {"step": "relative_step", "diff": "relative"}[against]
            for ax, lever in zip(line, levers, strict=True):
                _settings(ax, own[own["lever"] == lever], key, against, meaning(outcome).better)
            line[0].set_ylabel(f"{short(label, 3)}\n{'points' if share else '%'}")
        units = effects.drop_duplicates("lever").set_index("lever")["lever_unit"]
        for top, bottom, lever in zip(axes[0], axes[-1], levers, strict=True):
            top.set_title(short(capital(lever)))
            bottom.set_xlabel(units[lever])
        of = "the first setting of the same lever" if against == "step" else "no action"
        fig.supxlabel(f"Change against {of}; bars: 90 % intervals; orange worse, blue better, "
                      "grey: no difference shown", fontsize=8, color=QUIET)
    return fig


def _settings(ax, own: pd.DataFrame, key: str, against: str, better: str | None) -> None:
    """One panel: the settings of a lever from left to right."""
    sure = [shown(*ends) for ends in own[[f"{against}_lo90", f"{against}_hi90"]].to_numpy(float)]
    middle, low, high = (_PERCENT * own[key + end].to_numpy(float)
                         for end in ("", "_lo90", "_hi90"))
    at = np.arange(len(own))
    ax.axhline(0, color=INK, linewidth=0.9, zorder=1)
    for x, m, lo, hi, clear in zip(at, middle, low, high, sure, strict=True):
        colour = INK
        if lo != hi:
            good = (m > 0) == (better == "higher")
            colour = UNSURE if not clear else GOOD if good or better is None else BAD
        ax.vlines(x, lo, hi, color=colour, linewidth=1.8)
        ax.plot(x, m, "o", color=colour, markersize=4.5)
    ax.plot(at, middle, color=QUIET, linewidth=0.6, zorder=0)
    ax.set_xticks(at, [f"{v:g}" if isinstance(v, float) else str(v) for v in own["setting"]])
    ax.set_xlim(-0.5, len(own) - 0.5)
    ax.grid(axis="y")

"""The sweep as a picture: each trial's published effect, and all that its constants allow."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from citysim.evidence.board.figures import (
    PUBLISHED,
    SIMULATED,
    interval,
    label_of,
    published_mark,
)
from citysim.evidence.board.findings import CONFIRMED
from citysim.evidence.sweep.run import Sweep
from citysim.evidence.sweep.standing import NOWHERE, SOMEWHERE, UNSAID, reach
from citysim.evidence.sweep.tables import SAID, configured, figures
from citysim.report.figures.style import BAD, GOOD, INK, QUIET, UNSURE, look, new_figure, zero_line

_EDGE = 100.0  # per cent; what lies beyond is drawn as an arrow at the edge
_PALE = "#a9c9e0"
_TONE = {NOWHERE: BAD, SOMEWHERE: PUBLISHED, UNSAID: QUIET}


def ranges(sweep: Sweep) -> Figure | None:
    """One row a trial, by its main figure; None where nothing is in per cent."""
    rows = [(word, table) for word, table in figures(sweep)
            if table.iloc[0]["unit"].startswith("percent")]
    if not rows:
        return None
    with look():
        fig = new_figure(9.6, 1.4 + 0.46 * len(rows))
        ax = fig.subplots()
        for y, (word, table) in enumerate(rows):
            _row(ax, y, word, table)
        zero_line(ax)
        firsts = [next(table.itertuples()) for _, table in rows]
        ax.set_yticks(range(len(rows)), [label_of(r) for r in firsts], fontsize=8)
        for tick, row in zip(ax.get_yticklabels(), firsts, strict=True):
            tick.set_color(UNSURE if row.status != CONFIRMED else INK)
        ax.set_xlim(-_EDGE * 1.06, _EDGE * 1.5)
        ax.set_xticks(np.arange(-100, 101, 50))
        ax.set_ylim(len(rows) - 0.4, -0.7)
        ax.grid(axis="x")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("change of the outcome in per cent, treated against untreated", fontsize=8)
        fig.legend(handles=[
            Line2D([], [], marker="D", color=PUBLISHED, label="published, 95 % where there is one"),
            Line2D([], [], marker="D", ls="none", color=PUBLISHED, markerfacecolor="white",
                   label="published: no effect"),
            Line2D([], [], color=_PALE, linewidth=6, label="simulated, over the ranges"),
            Line2D([], [], marker="o", ls="none", color=SIMULATED,
                   label="simulated, as configured")],
            loc="outside upper center", ncols=2)
    return fig


def _row(ax, y: float, word: str, table) -> None:
    first = next(table.itertuples())
    pale = first.status != CONFIRMED
    low, high = np.clip(reach(table), -_EDGE, _EDGE)
    ax.plot([low, high], [y + 0.2] * 2, color="#dddddd" if pale else _PALE, linewidth=6,
            solid_capstyle="butt", zorder=1)
    base = configured(table)
    if base is not None:
        interval(ax, y + 0.2, (base.simulated, None, None), UNSURE if pale else SIMULATED, -_EDGE,
                 _EDGE)
    published_mark(ax, y - 0.18, first, UNSURE if pale else PUBLISHED)
    said = "not counted" if pale else f"agrees {SAID[word]}" if word != UNSAID else SAID[word]
    ax.text(_EDGE * 1.49, y, said, ha="right", va="center", fontsize=8, fontweight="bold",
            color=UNSURE if pale else _TONE.get(word, GOOD))

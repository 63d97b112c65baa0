"""One look for all figures: colours that colour-blind readers tell apart, quiet axes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

# Okabe and Ito (2008); the baseline is grey, so that colour always means a measure.
BASELINE_COLOUR = "#6b6b6b"
SCENARIO_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
GOOD, BAD, UNSURE = "#0072B2", "#D55E00", "#9a9a9a"
INK, QUIET, FAINT, WATER = "#222222", "#666666", "#dedede", "#bcd9ea"

# Perceptually uniform, light end first so that quiet streets recede on white paper.
AMOUNT = LinearSegmentedColormap.from_list(
    "amount", mpl.colormaps["magma_r"](np.linspace(0.08, 0.92, 256)))
DIVERGING = LinearSegmentedColormap.from_list("change", [GOOD, "#8dbbd6", "#d9d9d9", "#eaa77c",
                                                         BAD])

DPI = 160
_NAME = 19  # characters of a name on one line
_KEY = 7  # room for a legend's sign, in characters
_LETTERS_PER_INCH = 14.0  # of a legend

_RC = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 9, "axes.labelcolor": INK, "axes.edgecolor": QUIET,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": QUIET, "ytick.color": QUIET, "text.color": INK, "grid.color": FAINT,
    "grid.linewidth": 0.6, "legend.frameon": False, "legend.fontsize": 8.5,
    "figure.facecolor": "white", "svg.fonttype": "none", "svg.hashsalt": "citysim",
}


@contextmanager
def look() -> Iterator[None]:
    """The common matplotlib settings while a figure is made."""
    with mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float, fixed_aspect: bool = False) -> Figure:
    """An empty figure in inches, laid out so that labels do not overlap.

    ``fixed_aspect`` draws panels together that keep their own proportions, as maps do.
    """
    return Figure(figsize=(width, height), layout="compressed" if fixed_aspect else "constrained")


def colours(scenarios: list[str]) -> dict[str, str]:
    """Colour of each scenario; the first is the baseline."""
    others = scenarios[1:]
    return {scenarios[0]: BASELINE_COLOUR,
            **{s: SCENARIO_COLOURS[i % len(SCENARIO_COLOURS)] for i, s in enumerate(others)}}


def markers(scenarios: list[str]) -> dict[str, str]:
    """Marker of each scenario, so that colour is never the only sign."""
    return {s: MARKERS[i % len(MARKERS)] for i, s in enumerate(scenarios[1:])}


def short(name: str, lines: int = 2) -> str:
    """A name on at most so many lines, cut off beyond them."""
    return textwrap.fill(name, _NAME, max_lines=lines, placeholder="\u2026")


def legend_above(fig: Figure, handles: list, labels: list[str] | None = None) -> None:
    """One legend for all panels, above them, with as many entries in a row as fit."""
    names = labels or [h.get_label() for h in handles]
    letters = max((len(n) for n in names), default=1) + _KEY
    columns = int(fig.get_figwidth() * _LETTERS_PER_INCH / letters)
    fig.legend(handles, names, loc="outside upper center",
               ncols=int(np.clip(columns, 1, max(len(handles), 1))))


def zero_line(ax: Axes, vertical: bool = True) -> None:
    """Mark where nothing changes."""
    draw = ax.axvline if vertical else ax.axhline
    draw(0, color=INK, linewidth=0.9, zorder=1)


def symmetric(ax: Axes, low: float, high: float, vertical: bool = False) -> None:
    """Limits around zero that hold an interval with some room."""
    reach = max(abs(low), abs(high)) * 1.12 if np.isfinite([low, high]).all() else 1.0
    (ax.set_ylim if vertical else ax.set_xlim)(-(reach or 1.0), reach or 1.0)

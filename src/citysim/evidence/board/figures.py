"""The board as pictures: trials published against simulated, facts against what was published."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from citysim.evidence.board import findings
from citysim.evidence.board.findings import CONFIRMED
from citysim.evidence.board.run import Board
from citysim.evidence.board.tables import words
from citysim.evidence.verdicts import INSIDE, NEAR, OUTSIDE
from citysim.report.figures.style import BAD, GOOD, INK, QUIET, UNSURE, look, new_figure, zero_line

PUBLISHED, SIMULATED, PALE = "#E69F00", GOOD, "#c4c4c4"
_REACH = 100.0  # per cent; what lies beyond is drawn as an arrow at the edge
_MOST_MOVED = 2.0
_MOST_OFF = 4.0  # times the published value, both ways
_SIGNS = {True: ("agrees", GOOD), False: ("out", BAD), None: ("no verdict", QUIET)}


def forest(board: Board) -> Figure | None:
    """One row a trial: published and simulated effect, and what moved to the nearest ring."""
    rows = _main_rows(board)
    if not rows:
        return None
    rings = {r.trial: r for r in findings.spillover(board).itertuples() if r.ring == 1}
    with look():
        fig = new_figure(9.6, 1.5 + 0.46 * len(rows))
        left, right = fig.subplots(1, 2, sharey=True, width_ratios=(2.6, 1))
        for y, row in enumerate(rows):
            _trial(left, y, row, bool(board.trials[row.trial].added))
            _moved(right, y, rings.get(row.trial), row.status != CONFIRMED)
        zero_line(left)
        zero_line(right)
        left.set_yticks(range(len(rows)), [label_of(r) for r in rows], fontsize=8)
        for tick, row in zip(left.get_yticklabels(), rows, strict=True):
            tick.set_color(UNSURE if row.status != CONFIRMED else INK)
        left.set_xlim(-_REACH * 1.06, _REACH * 1.34)
        left.set_xticks(np.arange(-100, 101, 50))
        left.set_xlabel("change of the outcome in per cent, treated against untreated", fontsize=8)
        left.set_title("Effect: published and simulated")
        right.set_xlim(-_MOST_MOVED * 1.1, _MOST_MOVED * 1.1)
        right.set_xlabel("\u2190 moved there   gains there \u2192\nper offence prevented",
                         fontsize=8)
        right.set_title("Next door")
        for ax in (left, right):
            ax.set_ylim(len(rows) - 0.4, -0.7)
            ax.grid(axis="x")
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
        _legend(fig)
    return fig


def facts(board: Board) -> Figure | None:
    """Every fact that counts, as a multiple of what was published, worst first."""
    table = board.facts
    rows = table[table["counted"] & np.isfinite(table["mean"].astype(float))]
    if not len(rows):
        return None
    drawn = sorted((_as_multiple(r) for r in rows.itertuples()),
                   key=lambda d: (d[0], -abs(math.log(max(d[2], 1e-3)))))
    with look():
        fig = new_figure(9.6, 1.1 + 0.25 * len(drawn))
        ax = fig.subplots()
        for y, (order, name, middle, low, high, band) in enumerate(drawn):
            colour = (BAD, PUBLISHED, GOOD)[order]
            ax.barh(y, band[1] - band[0], left=band[0], height=0.72, color="#dce9f2", zorder=0)
            interval(ax, y, (middle, low, high), colour, 1 / _MOST_OFF, _MOST_OFF)
            ax.text(-0.01, y, name, transform=ax.get_yaxis_transform(), ha="right", va="center",
                    fontsize=7.5)
        ax.axvline(1, color=INK, linewidth=0.9, zorder=1)
        ax.set_xscale("log")
        ax.set_xlim(1 / _MOST_OFF / 1.08, _MOST_OFF * 1.08)
        ticks = (0.25, 0.5, 0.75, 1, 1.5, 2, 4)
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.xaxis.minorticks_off()
        ax.set_yticks([])
        ax.set_ylim(len(drawn) - 0.4, -0.6)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        ax.set_xlabel("simulated as a multiple of the published value (of the middle of a "
                      "published range)", fontsize=8)
        fig.legend(handles=[
            Line2D([], [], marker="o", ls="none", color=BAD, label="outside"),
            Line2D([], [], marker="o", ls="none", color=PUBLISHED, label="near"),
            Line2D([], [], marker="o", ls="none", color=GOOD, label="inside"),
            Patch(color="#dce9f2", label="what counts as inside")],
            loc="outside upper center", ncols=4)
    return fig


def _main_rows(board: Board) -> list:
    figures = findings.published(board)
    figures = figures[figures["main"].astype(bool)]
    rows = [r for r in figures.itertuples() if r.unit.startswith("percent")]
    return sorted(rows, key=lambda r: (r.status != CONFIRMED,
                                       {False: 0, True: 1, None: 2}[_verdict(r)], r.simulated))


def _verdict(r) -> bool | None:
    known = r.rule != "none" and r.agrees is not None and r.agrees == r.agrees
    return bool(r.agrees) if known else None


def label_of(r) -> str:
    """Two lines beside a row: the trial and its outcome."""
    what = words(r.outcome) + (" (per hour)" if r.unit == "percent_per_x" else "")
    return textwrap.fill(r.label, 40, max_lines=1, placeholder="\u2026") + f"\n{what}"


def _trial(ax: Axes, y: float, r, later: bool) -> None:
    pale = r.status != CONFIRMED
    single = tuple(_or_nan(v) for v in (r.trial_low, r.trial_high))
    if all(map(math.isfinite, single)):
        low, high = np.clip(single, -_REACH, _REACH)
        ax.plot([low, high], [y + 0.2] * 2, color=PALE, linewidth=1, zorder=1)
    interval(ax, y + 0.2, (r.simulated, r.simulated_low, r.simulated_high),
              PALE if pale else SIMULATED, -_REACH, _REACH)
    published_mark(ax, y - 0.18, r, PALE if pale else PUBLISHED)
    word, tone = _SIGNS[_verdict(r)]
    ax.text(_REACH * 1.33, y, word if not pale else "not counted", ha="right", va="center",
            fontsize=8, color=UNSURE if pale else tone, fontweight="bold")
    if later:
        ax.text(_REACH * 1.33, y + 0.36, "entered later", ha="right", va="center", fontsize=6.5,
                color=UNSURE)


def published_mark(ax: Axes, y: float, r, colour: str) -> None:
    """What was published: a diamond with its interval, hollow for no effect; or a direction."""
    if r.rule == "direction":
        ax.plot(-8 if r.direction == "down" else 8, y, color=colour, markersize=7,
                marker="<" if r.direction == "down" else ">", linestyle="none", zorder=3)
    elif r.rule != "none":
        value = 0.0 if r.published is None or r.published != r.published else r.published
        interval(ax, y, (value, r.published_low, r.published_high), colour, -_REACH, _REACH, "D",
                 hollow=r.rule == "null")


def _moved(ax: Axes, y: float, ring, pale: bool) -> None:
    if ring is None:
        ax.text(0, y, "not measured", ha="center", va="center", fontsize=7, color=UNSURE,
                backgroundcolor="white")
        return
    colour = PALE if pale else SIMULATED
    for value, marker, dy in ((ring.quotient, "s", -0.18), (ring.moved, "o", 0.2)):
        if math.isfinite(value):
            edge = abs(value) > _MOST_MOVED
            ax.plot(np.clip(value, -_MOST_MOVED, _MOST_MOVED), y + dy, color=colour, markersize=5,
                    marker=(">" if value > 0 else "<") if edge else marker, linestyle="none",
                    markerfacecolor="white" if marker == "s" else colour, zorder=3)
    if not (math.isfinite(ring.quotient) or math.isfinite(ring.moved)):
        ax.text(0, y, "nothing gained to move", ha="center", va="center", fontsize=7,
                color=UNSURE, backgroundcolor="white")


def interval(ax: Axes, y: float, ends, colour: str, least: float, most: float,
             marker: str = "o", hollow: bool = False) -> None:
    """A middle with its interval, with an arrow where it lies beyond the edge."""
    middle, low, high = (_or_nan(v) for v in ends)
    if not math.isfinite(middle):
        return
    if math.isfinite(low) and math.isfinite(high):
        ax.plot(np.clip([low, high], least, most), [y, y], color=colour, linewidth=2, zorder=2)
    marker = "<" if middle < least else ">" if middle > most else marker
    ax.plot(np.clip(middle, least, most), y, marker=marker, color=colour, markersize=5.5,
            markerfacecolor="white" if hollow else colour, linestyle="none", zorder=3)


def _as_multiple(r) -> tuple:
    """Order, name, mean, ends and band of a fact, as multiples of what was published."""
    value = r.target_value
    if value != value:
        value = (r.target_low + r.target_high) / 2
        band = (r.target_low / value, r.target_high / value)
    else:
        band = (0.85, 1.15)
    band = tuple(np.clip(band, 1 / _MOST_OFF, _MOST_OFF))
    name = f"{r.name}: {words(r.part)}" if r.part else r.name
    order = {OUTSIDE: 0, NEAR: 1, INSIDE: 2}[r.verdict]
    return order, textwrap.shorten(name, 62, placeholder="\u2026"), r.mean / value, \
        r.low / value, r.high / value, band


def _legend(fig: Figure) -> None:
    fig.legend(handles=[
        Line2D([], [], marker="D", color=PUBLISHED, label="published, 95 % where there is one"),
        Line2D([], [], marker="D", ls="none", color=PUBLISHED, markerfacecolor="white",
               label="published: no effect"),
        Line2D([], [], marker="o", color=SIMULATED, linewidth=2, label="simulated, 90 %"),
        Line2D([], [], color=PALE, linewidth=1, label="what one such trial would report"),
        Line2D([], [], marker="o", ls="none", color=SIMULATED, label="next door: precise"),
        Line2D([], [], marker="s", ls="none", color=SIMULATED, markerfacecolor="white",
               label="next door: single trial (WDQ)")],
        loc="outside upper center", ncols=3)


def _or_nan(value) -> float:
    return math.nan if value is None else float(value)

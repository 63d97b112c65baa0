"""Maps on the street network: how much happens where, and what changes."""

from __future__ import annotations

import math

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from citysim.analysis.repetitions import futures_of, over_runs
from citysim.analysis.wording import scenario_label
from citysim.report.figures.style import (
    AMOUNT,
    DIVERGING,
    INK,
    QUIET,
    WATER,
    look,
    new_figure,
    short,
)

_TOP = 98.0  # per cent of streets below the end of the colour scale
_THIN, _WIDE = 0.4, 2.6  # line widths in points
_AT_WIDTH = 2500  # streets up to which lines have these widths; in denser maps they thin out
_MIDDLE = 0.4  # weight of all streets where width says nothing
_COLUMNS = 2


def place_values(places: pd.DataFrame, outcome: str, scenario: str, size: int) -> pd.DataFrame:
    """Values of one outcome and scenario as places by (future, seed), gaps as 0."""
    rows = places[(places["outcome"] == outcome) & (places["scenario"] == scenario)]
    wide = rows.assign(future=futures_of(rows)).pivot_table(
        index="place", columns=["future", "seed"], values="value", aggfunc="sum", observed=True)
    return wide.reindex(np.arange(size)).fillna(0.0)


def level_maps(panels: list[dict], city) -> Figure:
    """Maps of levels side by side.

    Parameters
    ----------
    panels
        One mapping per map: ``title``, ``label`` (of the colour bar, with unit), ``values``
        (one number per place) and ``amounts``: True where zero means none, so that the scale
        starts there and width grows with the value.
    city
        The city, for lines, districts and rivers.
    """
    with look():
        shape = _aspect(city)
        fig = new_figure(4.6 * len(panels), 4.6 * shape + 1.0, fixed_aspect=True)
        axes = fig.subplots(1, len(panels), squeeze=False)[0]
        for ax, panel in zip(axes, panels, strict=True):
            values = np.asarray(panel["values"], float)
            amounts = panel["amounts"]
            low = 0.0 if amounts else float(np.nanpercentile(values, 100 - _TOP))
            top = float(np.nanpercentile(values, _TOP))
            norm = Normalize(low, top if top > low else low + 1, clip=True)
            weight = norm(values) if amounts else np.full(len(values), _MIDDLE)
            lines = draw_streets(ax, city, values, AMOUNT, norm, weight)
            bar = fig.colorbar(lines, ax=ax, orientation="horizontal", shrink=0.7, aspect=32,
                               pad=0.02, extend="max" if amounts else "both")
            bar.set_label(panel["label"])
            bar.outline.set_visible(False)
            ax.set_title(panel["title"])
    return fig


def change_maps(changes: dict[str, pd.DataFrame], label: str, city, better: str | None) -> Figure:
    """Maps of the change against the baseline, one per scenario, on one scale.

    Parameters
    ----------
    changes
        By scenario, the paired differences as a frame of places by (future, seed).
    label
        Label of the colour bar, with unit.
    city
        The city.
    better
        ``lower`` or ``higher``: the better direction is blue, the worse one orange. None where
        neither is better: blue is less, orange more.

    Notes
    -----
    A street is coloured only where the 90 % interval of its paired difference leaves out
    zero; others stay thin and grey.
    """
    with look():
        columns = min(_COLUMNS, len(changes))
        rows = math.ceil(len(changes) / columns)
        fig = new_figure(4.6 * columns, (4.6 * _aspect(city) + 0.4) * rows + 0.7,
                         fixed_aspect=True)
        axes = fig.subplots(rows, columns, squeeze=False)
        means, clear = {}, {}
        for name, samples in changes.items():
            mean, half, _, _ = over_runs(samples)
            means[name], clear[name] = mean, np.abs(mean) > half
        seen = np.concatenate([np.abs(means[n][clear[n]]) for n in changes])
        reach = float(np.percentile(seen, _TOP)) if len(seen) else 1.0
        norm = TwoSlopeNorm(0, -(reach or 1.0), reach or 1.0)
        cmap = DIVERGING.reversed() if better == "higher" else DIVERGING
        for ax, name in zip(axes.flat, changes, strict=False):
            weight = np.where(clear[name], np.clip(np.abs(means[name]) / (reach or 1), 0.25, 1), 0)
            shown = np.where(clear[name], means[name], np.nan)
            lines = draw_streets(ax, city, shown, cmap, norm, weight)
            ax.set_title(scenario_label(name))
        for ax in axes.flat[len(changes):]:
            ax.set_axis_off()
        bar = fig.colorbar(lines, ax=axes, orientation="horizontal", shrink=0.5, aspect=36,
                           pad=0.02, extend="both")
        bar.set_label(label + ("   " if columns > 1 else "\n") + _directions(better))
        bar.outline.set_visible(False)
    return fig


def draw_streets(ax: Axes, city, values: np.ndarray, cmap, norm, weight) -> LineCollection:
    """Draw every street coloured by its value and as wide as its weight in [0, 1].

    Streets without a value (NaN) are thin and grey. Adds rivers, district names, scale bar.
    """
    xy = np.asarray(city.lines.items, float).reshape(-1, 2)
    segments = np.split(xy, city.lines.start[1:-1])
    _rivers(ax, city)
    thin, wide = (w * min(1.0, math.sqrt(_AT_WIDTH / len(segments))) for w in (_THIN, _WIDE))
    weight = np.clip(np.nan_to_num(np.asarray(weight, float)), 0, 1)
    order = np.argsort(weight, kind="stable")  # the busiest streets on top
    there = order[np.isfinite(values[order])]
    bare = order[~np.isfinite(values[order])]
    ax.add_collection(LineCollection([segments[i] for i in bare], colors="#c9c9c9",
                                     linewidths=thin, zorder=2))
    lines = LineCollection([segments[i] for i in there], cmap=cmap, norm=norm, zorder=3,
                           linewidths=thin + (wide - thin) * weight[there],
                           capstyle="round")
    lines.set_array(values[there])
    ax.add_collection(lines)
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = 0.02 * (high - low)
    ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
    ax.set_ylim(low[1] - 3 * margin[1], high[1] + margin[1])
    ax.set_aspect("equal")
    ax.set_axis_off()
    _districts(ax, city)
    _scale_bar(ax, low, high)
    return lines


def _aspect(city) -> float:
    xy = np.asarray(city.lines.items, float).reshape(-1, 2)
    width, height = np.ptp(xy, axis=0)
    return float(np.clip(height / max(width, 1.0), 0.45, 1.5))


def _directions(better: str | None) -> str:
    blue, orange = ("less", "more") if better is None else ("better", "worse")
    return f"(blue: {blue}, orange: {orange}, grey: no change can be shown)"


def _rivers(ax: Axes, city) -> None:
    for line in city.water:
        ax.plot(line[:, 0], line[:, 1], color=WATER, linewidth=5, zorder=1,
                solid_capstyle="round")


def _districts(ax: Axes, city) -> None:
    """Names at the districts' middles, in small type with a white rim; none for one district."""
    if len(city.districts) < 2:
        return
    for index, name in enumerate(city.districts):
        inside = np.asarray(city.places.district) == index
        if inside.any():
            ax.text(np.median(city.places.x[inside]), np.median(city.places.y[inside]),
                    short(name), in_layout=False, linespacing=1.0,
                    ha="center", va="center", fontsize=7, color=INK, zorder=5,
                    path_effects=[effects.withStroke(linewidth=2.2, foreground="white",
                                                     alpha=0.85)])


def _scale_bar(ax: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """A bar of a round length near a fifth of the map's width, in m or km."""
    aim = (high[0] - low[0]) / 5
    power = 10 ** math.floor(math.log10(max(aim, 1.0)))
    length = max(step * power for step in (1, 2, 5) if step * power <= max(aim, power))
    y = low[1] - 0.035 * (high[1] - low[1])
    ax.plot([low[0], low[0] + length], [y, y], color=QUIET, linewidth=2, solid_capstyle="butt")
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    ax.text(low[0] + length * 1.06, y, text, va="center", fontsize=7, color=QUIET)

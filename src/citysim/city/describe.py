"""What a city contains, in words and as a map."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from citysim.city.city import City
from citysim.city.landuse import USES

# Okabe-Ito colours (colour-blind safe), one per use, and a longer cycle for districts.
_USE_COLOURS = {"dwelling": "#B8B8B8", "retail": "#E69F00", "office": "#56B4E9",
                "school": "#F0E442", "leisure": "#D55E00", "green": "#009E73",
                "transit": "#000000"}
_USE_LABELS = {"dwelling": "homes", "retail": "shops", "office": "offices and industry",
               "school": "schools", "leisure": "bars, restaurants, culture",
               "green": "parks and squares", "transit": "stations"}
_DISTRICT_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31",
                     "#7F7F7F")
_WATER = "#A6CEE3"
_MOST_IN_LEGEND = 12  # more would fill the page; the text account lists them all


def describe(city: City) -> str:
    """A plain-text account of a city: streets, districts, land use, night, light, notes."""
    places, spec = city.places, city.spec
    residents = sum(d.population for d in spec.districts)
    km = float(places.length.sum()) / 1000
    lines = [
        f"{city.name}",
        f"  position      {_degrees(city.latitude, 'N', 'S')}, "
        f"{_degrees(city.longitude, 'E', 'W')}",
        f"  residents     {residents:,}, in {sum(d.households for d in spec.districts):,} "
        f"households and {places.dwellings.sum():,} dwellings",
        f"  streets       {len(city):,} segments, {km:,.1f} km, median length "
        f"{np.median(places.length):.0f} m, {residents / max(km, 1e-9):,.0f} residents per km",
        f"  network       {len(city.neighbours.items) / len(city):.1f} neighbours per segment, "
        "all connected",
        f"  jobs          {places.jobs.sum():,} jobs, {places.pupils.sum():,} school and "
        f"university places, {places.shops.sum():,} shops",
        f"  night         {places.venues.sum():,} evening venues, {len(city.night_centres)} night "
        f"centre{'' if len(city.night_centres) == 1 else 's'}, closing "
        f"{_clock(places.closing_hour.min())} to {_clock(places.closing_hour.max())}",
        f"  transport     {places.stop.sum():,} stops, {places.gateway.sum():,} gateways; "
        f"{spec.visitors.commuters_in * residents:,.0f} commuters a working day, "
        f"{spec.visitors.evening_visitors * residents:,.0f} visitors an evening",
        f"  lighting      {_spread(places.lighting)} (0 dark, 1 as by day; tenth, median, "
        "ninetieth percentile)",
        f"  deprivation   {_spread(places.deprivation)}",
        f"  derelict      {places.derelict.sum():,} houses and lots, on "
        f"{np.count_nonzero(places.derelict):,} segments",
        "",
        "Land use, share of street length",
        *_land_use(places),
        "",
        *_district_table(city),
    ]
    if city.notes:
        lines += ["", "Notes", *(f"  - {note}" for note in city.notes)]
    return "\n".join(lines) + "\n"


def _degrees(value, positive, negative) -> str:
    return f"{abs(value):.3f} {positive if value >= 0 else negative}"


def _clock(hour) -> str:
    minutes = round(float(hour) * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _spread(values) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{low:.2f}  {middle:.2f}  {high:.2f}"


def _land_use(places) -> list[str]:
    return [f"  {_USE_LABELS[use]:<28}{np.average(places[use], weights=places.length):6.1%}"
            for use in USES]


def _district_table(city: City) -> list[str]:
    """One line per district: residents, streets, what is there."""
    places = city.places
    width = min(44, max(len("District"), *(len(name) for name in city.districts)))
    head = (f"{'District':<{width}} {'residents':>10} {'foreign':>8} {'km':>7} {'segments':>9} "
            f"{'jobs':>8} {'venues':>7} {'deprived':>9} {'light':>6}")
    rows = [head]
    for k, d in enumerate(city.spec.districts):
        here = places.district == k
        light = places.lighting[here].mean() if here.any() else float("nan")
        rows.append(
            f"{textwrap.shorten(d.name, width, placeholder='...'):<{width}} "
            f"{d.population:>10,} {d.foreign_share:>8.1%} "
            f"{places.length[here].sum() / 1000:>7.1f} {here.sum():>9,} "
            f"{places.jobs[here].sum():>8,} {places.venues[here].sum():>7,} "
            f"{d.deprivation:>9.2f} {light:>6.2f}")
    return rows


def draw(city: City, path: str | Path) -> Path:
    """Draw two maps side by side: what streets are used for, and the districts.

    Parameters
    ----------
    city
        What to draw.
    path
        Image file; the suffix chooses the format.

    Returns
    -------
    The path written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low, high = _frame(city)
    size = high - low
    wide = 6.9  # inches of one map
    tall = float(np.clip(wide * size[1] / size[0], 4, 9))
    below = 0.35 + 0.23 * max(4, min(len(city.districts), _MOST_IN_LEGEND))
    figure = Figure(figsize=(2 * wide + 1, tall + below + 1))
    FigureCanvasAgg(figure)
    width, height = figure.get_size_inches()
    shape = [below / height, wide / width, tall / height]
    left = figure.add_axes((0.3 / width, *shape))
    right = figure.add_axes((1 - (wide + 0.3) / width, *shape))
    # Points of ink per metre, for rivers as wide as they are.
    ink = 72 * min(wide / size[0], tall / size[1])
    _draw_uses(left, city, ink)
    _draw_districts(right, city, ink)
    for axes in (left, right):
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.set_aspect("equal")
        axes.set_axis_off()
        _scale_bar(axes, low, size)
    residents = sum(d.population for d in city.spec.districts)
    figure.suptitle(f"{city.name}: {residents:,} residents, {len(city):,} street segments, "
                    f"{city.places.length.sum() / 1000:,.0f} km", fontsize=15, y=1 - 0.18 / height)
    path = Path(path)
    figure.savefig(path, dpi=150)
    return path


def _frame(city: City):
    """Corners of the map: all streets and a margin for the scale bar."""
    points = city.lines.items.astype(float)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.03 * (high - low).max()
    return low - [margin, 2.5 * margin], high + margin


def _streets(axes, city: City, colours, widths, ink) -> None:
    from matplotlib.collections import LineCollection

    rivers = city.spec.layout.rivers.values() if city.spec.layout else ()
    for water, river in zip(city.water, rivers, strict=False):
        axes.plot(*water.T, color=_WATER, linewidth=max(2, 0.9 * river.width * ink),
                  solid_capstyle="round", zorder=0)
    lines = [city.lines[i] for i in range(len(city))]
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=widths, zorder=2,
                                       capstyle="round"))


def _draw_uses(axes, city: City, ink: float) -> None:
    """Streets by what sets them apart: a use well above its city-wide share, else homes."""
    from matplotlib.lines import Line2D

    places = city.places
    thin = float(np.clip(60 / np.sqrt(len(city)), 0.6, 3))
    shares = np.column_stack([places[use] for use in USES]).astype(float)
    typical = np.average(shares, axis=0, weights=places.length)
    # Homes are nearly everywhere; a map of the largest share would be grey all over.
    lead = np.where(shares > np.maximum(2 * typical, 0.15), shares, 0)
    lead[:, 0] = 1e-6
    kind = lead.argmax(axis=1)
    colours = np.array([_USE_COLOURS[u] for u in USES])[kind]
    _streets(axes, city, colours, np.where(kind == 0, thin, 1.9 * thin), ink)
    stop, gateway = places.stop == 1, places.gateway == 1
    axes.scatter(places.x[stop], places.y[stop], s=max(2, 5 * thin), color="white",
                 edgecolors="#444444", linewidths=0.6, zorder=3)
    axes.scatter(places.x[gateway], places.y[gateway], s=45, marker="^", color="#444444", zorder=4)
    axes.scatter(*city.night_centres.T, s=200, marker="*", color="#CC79A7", edgecolors="black",
                 linewidths=0.8, zorder=5)
    present = [k for k in range(len(USES)) if (kind == k).any()]
    handles = [Line2D([], [], color=_USE_COLOURS[USES[k]], linewidth=4,
                      label="mostly homes" if k == 0 else _USE_LABELS[USES[k]])
               for k in present]
    handles += [
        Line2D([], [], marker="*", color="#CC79A7", markeredgecolor="black", markersize=15,
               linestyle="", label="night centre"),
        Line2D([], [], marker="o", color="white", markeredgecolor="#444444", markersize=5,
               linestyle="", label="stop"),
        Line2D([], [], marker="^", color="#444444", markersize=8, linestyle="",
               label="way into the city")]
    if city.water:
        handles.append(Line2D([], [], color=_WATER, linewidth=6, label="river"))
    axes.set_title("What streets are used for", fontsize=13)
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=4,
                frameon=False, fontsize=9.5, columnspacing=1.2, handlelength=1.5)


def _draw_districts(axes, city: City, ink: float) -> None:
    """Streets by district, named on the map and in the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    places = city.places
    thin = float(np.clip(75 / np.sqrt(len(city)), 0.8, 3))
    colours = np.array([_DISTRICT_COLOURS[k % len(_DISTRICT_COLOURS)]
                        for k in range(len(city.districts))])
    _streets(axes, city, colours[places.district], thin, ink)
    handles = []
    for k, d in enumerate(city.spec.districts):
        here = places.district == k
        if not here.any():
            continue
        label = textwrap.shorten(d.name, 42, placeholder="...")
        handles.append(Line2D([], [], color=colours[k], linewidth=4,
                              label=f"{k + 1}  {label}: {d.population:,} residents, "
                                    f"deprivation {d.deprivation:.2f}"))
        axes.text(np.average(places.x[here], weights=places.length[here]),
                  np.average(places.y[here], weights=places.length[here]), str(k + 1),
                  fontsize=17, fontweight="bold", ha="center", va="center", zorder=6,
                  path_effects=[withStroke(linewidth=4, foreground="white")])
    axes.set_title("Districts", fontsize=13)
    axes.legend(handles=handles[:_MOST_IN_LEGEND], loc="upper center", bbox_to_anchor=(0.5, -0.01),
                frameon=False, fontsize=10)


def _scale_bar(axes, low, size) -> None:
    """A bar of a round length, about a fifth of the map."""
    goal = size[0] / 5
    base = 10 ** np.floor(np.log10(goal))
    length = base * max(m for m in (1, 2, 5) if m * base <= goal)
    x, y = low[0] + 0.03 * size[0], low[1] + 0.025 * size[1]
    axes.plot([x, x + length], [y, y], color="black", linewidth=3, solid_capstyle="butt",
              zorder=6)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(x + length / 2, y + 0.012 * size[1], label, ha="center", va="bottom", fontsize=10)

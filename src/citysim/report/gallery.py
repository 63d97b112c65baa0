"""Which figures a study gets, their captions, and where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from citysim.analysis.measures import (
    COST,
    CRIME,
    MAIN_OUTCOMES,
    NIGHT,
    SAFETY,
    TRUST,
    first_present,
    meaning,
)
from citysim.analysis.tables import Study
from citysim.analysis.wording import scenario_label
from citysim.report.figures import maps
from citysim.report.figures.cost import cost_plot
from citysim.report.figures.forest import forest_plot
from citysim.report.figures.gains import gains_plot
from citysim.report.figures.profile import profile_heat_map
from citysim.report.figures.style import DPI, look
from citysim.report.figures.timeseries import time_series

UNEASE = ("safety.unease", "safety.fear_night", "safety.safe_after_dark", "unease")
GAIN_OUTCOMES = (SAFETY, "harassment.prevalence", "victimisation.prevalence", TRUST)
_PEOPLE = ("women", "men", "youth", "adult", "elderly", "migrants", "quintile_1", "quintile_2",
           "quintile_3", "quintile_4", "quintile_5")
_MOST_DISTRICTS = 10
_ALIKE = 3.0  # largest ratio of two means that can be of one unit
_PER_STREET = 100.0  # metres of street that a map's crime is given for


@dataclass(frozen=True)
class Plate:
    """A figure as the report shows it."""

    name: str
    title: str
    caption: str
    section: str
    path: Path


@dataclass(frozen=True)
class Material:
    """All that figures are made from.

    Parameters
    ----------
    study
        The opened study.
    summary, gains, costs
        Frames of :mod:`citysim.analysis`.
    city
        The city, or None when there is no geometry (no maps then).
    """

    study: Study
    summary: pd.DataFrame
    gains: pd.DataFrame
    costs: pd.DataFrame
    city: object | None = None

    @property
    def units(self) -> dict[str, str]:
        """Unit of each outcome."""
        return dict(zip(self.summary["outcome"], self.summary["unit"], strict=True))

    @property
    def has_baseline(self) -> bool:
        """Whether any run of the baseline ended well."""
        return self.study.baseline in set(self.study.done["scenario"])

    def present(self, wanted) -> list[str]:
        """Those of the wanted outcomes that have a value for everyone."""
        there = set(self.summary.loc[self.summary["group"] == "all", "outcome"])
        return [o for o in wanted if o in there]


def all_figures(material: Material, folder: Path) -> list[Plate]:
    """Make every figure that the results allow and write it as PNG and, where small, as SVG.

    Parameters
    ----------
    material
        Results, frames and city.
    folder
        Where to write; made if missing.

    Returns
    -------
    list of Plate
        In the order of the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plates = []
    for make in (_effects, _gains, _district_gains, _costs, _series, _levels, _changes, _profile):
        for name, title, caption, section, figure, vector in make(material):
            plates.append(Plate(name, title, caption, section,
                                _save(figure, folder / name, vector)))
    return plates


def _save(figure: Figure, stem: Path, vector: bool) -> Path:
    path = stem.with_suffix(".png")
    with look():
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        # A palette of 256 colours is a third of the size with no visible loss; maximum
        # coverage keeps the rare ones, hence smooth colour bars.
        Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(
            method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, dpi=(DPI, DPI))
        if vector:
            figure.set_layout_engine("none")  # laid out above, and once is enough
            figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    return path


def _effects(m: Material) -> Iterator[tuple]:
    outcomes = [o for o in m.present(MAIN_OUTCOMES) if o != COST]
    rows = m.summary[(m.summary["group"] == "all") & m.summary["outcome"].isin(outcomes)]
    if outcomes and len(m.study.scenarios) > 1 and np.isfinite(rows["diff"]).any():
        yield ("effects", "How sure is each effect?",
               "Each dot is the average change against "
               f"{scenario_label(m.study.baseline).lower()}; the bar is the range that holds the "
               "average with 90 % certainty, as far as luck between runs goes. Filled blue: "
               "better. Filled orange: worse. Filled black: a change that is neither good nor "
               "bad by itself. A hollow grey dot, whose bar touches the zero line, shows no "
               "difference.", "effects",
               forest_plot(m.summary, outcomes, m.study.scenarios[1:]), True)


def _gains(m: Material) -> Iterator[tuple]:
    groups = [g for g in _PEOPLE if g in set(m.gains["group"])]
    people = m.gains[m.gains["group"].isin(groups)]
    yield from _gain_plate(m, people, groups, "gains", "Who gains, who loses?", "group of people")


def _district_gains(m: Material) -> Iterator[tuple]:
    districts = m.gains[m.gains["kind"] == "district"]
    groups = sorted(districts["group"].unique())
    if 1 < len(groups) <= _MOST_DISTRICTS:
        yield from _gain_plate(m, districts, groups, "gains_districts", "Which districts gain?",
                               "district")


def _gain_plate(m: Material, rows: pd.DataFrame, groups: list[str], name: str, title: str,
                what: str) -> Iterator[tuple]:
    wanted = [*GAIN_OUTCOMES, *CRIME] if name != "gains" else GAIN_OUTCOMES
    outcomes = [o for o in wanted if o in set(rows["outcome"])][:3]
    if groups and outcomes:
        yield (name, title,
               f"One row for each {what}. Everything to the right of the zero line is a gain, "
               "everything to the left a loss, whatever is measured. Grey and hollow: no "
               "difference can be shown.", "gains",
               gains_plot(rows, outcomes, groups, m.study.scenarios), True)


def _costs(m: Material) -> Iterator[tuple]:
    costs = m.costs.dropna(subset=["extra_cost", "gain"])
    if len(costs):
        yield ("cost_effect", "What does the money buy?",
               "Further right costs more, higher up gains more. The bar is the 90 % interval of "
               "the gain; a bar that touches the zero line shows no gain.", "cost",
               cost_plot(costs, m.study.scenarios), True)


def _series(m: Material) -> Iterator[tuple]:
    daily = m.study.table("daily")
    if not len(daily):
        return
    there = set(daily.loc[daily["group"] == "all", "outcome"])
    crime = first_present(CRIME, there)
    outcomes = [o for o in (crime, SAFETY, NIGHT, TRUST) if o in there]
    if outcomes:
        yield ("time_series", "How does it develop over the weeks?",
               "Left: the level, as the mean of the past seven days. Right: the difference to "
               f"{scenario_label(m.study.baseline).lower()} in the same runs, where small "
               "effects can be seen because both share the same luck. Bands are 90 % intervals; "
               "a band that holds the zero line shows no difference in that week.", "time",
               time_series(daily, outcomes, m.study.scenarios, _daily_units(m, daily)), False)


def _daily_units(m: Material, daily: pd.DataFrame) -> dict[str, str]:
    """Unit of each daily series: the outcome's own, unless days are told in another measure.

    The daily table has no unit. Where its mean is not of the size of the outcome over the
    window (counts a day beside a yearly rate), the axis only says that it is a daily value.
    """
    rows = daily[(daily["group"] == "all") & (daily["scenario"] == m.study.baseline)]
    means = rows.groupby("outcome")["value"].mean()
    base = m.summary[(m.summary["group"] == "all")
                     & (m.summary["scenario"] == m.study.baseline)].set_index("outcome")["mean"]
    return {outcome: unit if means.get(outcome, 0) and
            _ALIKE > abs(base.get(outcome, 0) / means[outcome]) > 1 / _ALIKE else "value per day"
            for outcome, unit in m.units.items()}


def _levels(m: Material) -> Iterator[tuple]:
    if m.city is None or not m.has_baseline:
        return
    places, crime, unease = _places(m)
    panels = []
    for outcome in (crime, unease):
        if outcome is not None:
            mean = _scaled(m, places, outcome, m.study.baseline).mean(axis=1)
            panels.append({"title": meaning(outcome).label, "label": _map_label(outcome),
                           "values": mean, "amounts": outcome == crime})
    if panels:
        yield ("map_levels", f"Where is it now? ({scenario_label(m.study.baseline)})",
               "Darker streets have more of it, and streets with more crime are wider. Mean of "
               "all runs; the darkest colour stands for the top two in a hundred streets.",
               "maps",
               maps.level_maps(panels, m.city), False)


def _changes(m: Material) -> Iterator[tuple]:
    if m.city is None or not m.has_baseline or len(m.study.scenarios) < 2:
        return
    places, crime, unease = _places(m)
    for outcome, name, title in ((crime, "map_change_crime", "Where does crime change?"),
                                 (unease, "map_change_safety", "Where does feeling safe change?")):
        if outcome is None:
            continue
        base = _scaled(m, places, outcome, m.study.baseline)
        changes = {}
        for scenario in m.study.scenarios[1:]:
            own = _scaled(m, places, outcome, scenario)
            seeds = own.columns.intersection(base.columns)
            if len(seeds) > 1:
                changes[scenario] = (own[seeds] - base[seeds]).to_numpy()
        if changes:
            yield (name, title,
                   "Coloured streets change by more than luck would explain (90 % interval by "
                   "street); about one street in ten would be coloured by chance alone, so look "
                   "for areas, not for single streets.", "maps",
                   maps.change_maps(changes, "change in " + _map_label(outcome), m.city,
                                    meaning(outcome).better), False)


def _profile(m: Material) -> Iterator[tuple]:
    profile = m.study.table("profile")
    if not len(profile) or not m.has_baseline:
        return
    there = list(dict.fromkeys(profile["outcome"]))
    crime = first_present((*CRIME, *(o for o in there if o.startswith("crime"))), there)
    others = [o for o in (NIGHT, *there) if o in there and not o.startswith("crime")]
    outcomes = [o for o in dict.fromkeys([crime, *others]) if o][:3]
    yield ("profile", f"When in the week? ({scenario_label(m.study.baseline)})",
           "Each square is one hour of one weekday, darker means more of it; mean of all runs.",
           "time", profile_heat_map(profile, outcomes, m.study.baseline), False)


def _places(m: Material) -> tuple[pd.DataFrame, str | None, str | None]:
    """The places table with its outcome of crime and of perceived safety."""
    places = m.study.table("places")
    there = list(dict.fromkeys(places["outcome"]))
    crime = first_present((*CRIME, *(o for o in there if o.startswith("crime"))), there)
    unease = first_present((*UNEASE, *(o for o in there if o.startswith(("safety", "fear")))),
                           there)
    return places, crime, unease


def _scaled(m: Material, places: pd.DataFrame, outcome: str, scenario: str) -> pd.DataFrame:
    """Values by place and seed; crime per 100 m of street."""
    size = len(m.city.places)
    values = maps.place_values(places, outcome, scenario, size)
    if outcome.startswith("crime"):
        metres = np.maximum(np.asarray(m.city.places.length, float), 1.0)
        return values.mul(_PER_STREET / metres, axis=0)
    return values


def _map_label(outcome: str) -> str:
    found = meaning(outcome)
    if outcome.startswith("crime"):
        return f"{found.label.lower()} per {_PER_STREET:.0f} m of street over the evaluation"
    return found.label.lower() + (f" [{found.unit}]" if found.unit else "")

"""Which figures a study gets, their captions, and where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

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
from citysim.analysis.wording import scenario_label
from citysim.report.figures import maps
from citysim.report.figures.cost import cost_plot
from citysim.report.figures.forest import forest_plot
from citysim.report.figures.gains import gains_plot
from citysim.report.figures.profile import profile_heat_map
from citysim.report.figures.timeseries import time_series
from citysim.report.material import Material, Plate
from citysim.report.saving import made_for, save
from citysim.report.sweep_gallery import SWEEP_FIGURES

UNEASE = ("safety.unease", "safety.fear_night", "safety.safe_after_dark", "unease")
GAIN_OUTCOMES = (SAFETY, "harassment.prevalence", "victimisation.prevalence", TRUST)
_PEOPLE = ("women", "men", "youth", "adult", "elderly", "migrants", "quintile_1", "quintile_2",
           "quintile_3", "quintile_4", "quintile_5")
_MOST_DISTRICTS = 10
_ALIKE = 3.0  # largest ratio of two means that can be of one unit
_PER_STREET = 100.0  # metres of street that a map's crime is given for


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
    for make in (_effects, _gains, _district_gains, _costs, _series, _levels, _changes, _profile,
                 *SWEEP_FIGURES):
        for name, title, caption, section, figure, vector in make(material):
            path = folder / f"{name}.png"
            if figure is not None:
                save(figure, path, vector, material.study.manifest)
            elif not made_for(path, material.study.manifest):
                continue
            plates.append(Plate(name, title, caption, section, path))
    return plates


def _effects(m: Material) -> Iterator[tuple]:
    outcomes = [o for o in m.present(MAIN_OUTCOMES) if o != COST]
    rows = m.summary[(m.summary["group"] == "all") & m.summary["outcome"].isin(outcomes)]
    if outcomes and len(m.scenarios) > 1 and np.isfinite(rows["diff"]).any():
        yield ("effects", "How sure is each effect?",
               "Each dot is the average change against "
               f"{scenario_label(m.study.baseline).lower()}; the bar is the range that holds the "
               "average with 90 % certainty, as far as luck between runs goes. Filled blue: "
               "better. Filled orange: worse. Filled black: a change that is neither good nor "
               "bad by itself. A hollow grey dot, whose bar touches the zero line, shows no "
               "difference.", "effects",
               forest_plot(m.summary, outcomes, m.scenarios[1:]), True)


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
               gains_plot(rows, outcomes, groups, m.scenarios), True)


def _costs(m: Material) -> Iterator[tuple]:
    costs = m.costs.dropna(subset=["extra_cost", "gain"])
    if len(costs):
        yield ("cost_effect", "What does the money buy?",
               "Further right costs more, higher up gains more. The bar is the 90 % interval of "
               "the gain; a bar that touches the zero line shows no gain.", "cost",
               cost_plot(costs, m.scenarios), True)


def _series(m: Material) -> Iterator[tuple]:
    daily = m.table("daily")
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
               time_series(daily, outcomes, m.scenarios, _daily_units(m, daily)), False)


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
    if not m.has_baseline:
        return
    plate = ("map_levels", f"Where is it now? ({scenario_label(m.study.baseline)})",
             "Darker streets have more of it, and streets with more crime are wider. Mean of "
             "all runs; the darkest colour stands for the top two in a hundred streets.", "maps")
    if m.city is None:
        yield (*plate, None, False)  # one that is there stays
        return
    places, crime, unease = _places(m)
    panels = []
    for outcome in (crime, unease):
        if outcome is not None:
            mean = _scaled(m, places, outcome, m.study.baseline).mean(axis=1)
            panels.append({"title": meaning(outcome).label, "label": _map_label(outcome),
                           "values": mean, "amounts": outcome == crime})
    if panels:
        yield (*plate, maps.level_maps(panels, m.city), False)


def _changes(m: Material) -> Iterator[tuple]:
    if not m.has_baseline or len(m.scenarios) < 2:
        return
    caption = ("Coloured streets change by more than luck would explain (90 % interval by "
               "street); about one street in ten would be coloured by chance alone, so look "
               "for areas, not for single streets.")
    places, crime, unease = _places(m) if m.city is not None else (None, None, None)
    for outcome, name, title in ((crime, "map_change_crime", "Where does crime change?"),
                                 (unease, "map_change_safety", "Where does feeling safe change?")):
        if m.city is None:
            yield name, title, caption, "maps", None, False
            continue
        changes = _place_changes(m, places, outcome) if outcome is not None else {}
        if changes:
            yield (name, title, caption, "maps",
                   maps.change_maps(changes, "change in " + _map_label(outcome), m.city,
                                    meaning(outcome).better), False)


def _place_changes(m: Material, places: pd.DataFrame, outcome: str) -> dict[str, pd.DataFrame]:
    """Paired change by scenario, as places by (future, seed)."""
    base = _scaled(m, places, outcome, m.study.baseline)
    changes = {}
    for scenario in m.scenarios[1:]:
        own = _scaled(m, places, outcome, scenario)
        runs = own.columns.intersection(base.columns)
        if len(runs) > 1:
            changes[scenario] = own[runs] - base[runs]
    return changes


def _profile(m: Material) -> Iterator[tuple]:
    profile = m.table("profile")
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
    places = m.table("places")
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

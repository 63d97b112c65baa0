"""The report of a study: one HTML file that opens anywhere, offline, and prints well."""

from __future__ import annotations

from html import escape
from importlib import resources
from pathlib import Path

import pandas as pd

from citysim.analysis.contrasts import summarise, who_gains
from citysim.analysis.costs import cost_per_unit
from citysim.analysis.intervals import what_intervals_hold
from citysim.analysis.leading import leading
from citysim.analysis.measures import SAFETY, TRUST
from citysim.analysis.repetitions import futures_of
from citysim.analysis.sweep import Sweep, analyse, write
from citysim.analysis.wording import capital, listing, scenario_label
from citysim.report import sections, sweep_sections
from citysim.report.answer import answer
from citysim.report.gallery import all_figures
from citysim.report.material import Material, Plate
from citysim.report.provenance import assumed_share, assumptions, provenance
from citysim.results import Results
from citysim.results import open as open_results
from citysim.study.whole import write_text

_READING = (
    "Every scenario is run with the same seeds. Two runs that share a seed share all the luck "
    "that the measure does not touch, so their difference is the measure's doing. The change "
    "is the average of these differences; the range below it holds the true average of the "
    "model with 90 % certainty (Student\u2019s t over {repetitions}). Where the range holds zero, "
    "no difference can be shown \u2013 which is not the same as no difference.")
_CAVEATS = (
    "This is a model, not a forecast. It says what follows from its mechanisms in a city built "
    "from the given facts; it does not know your streets\u2019 history.",
    "Many numbers are compared. At a level of 90 %, one comparison in ten will look like a "
    "difference when there is none: trust a pattern, not a single cell.",
    "Effects are those of the evaluated weeks. What remains after the money ends, and what "
    "takes years to grow, is not in them.",
    "Expected crime is what the state of the streets makes likely, added up hour by hour. It "
    "carries less luck than the count of crimes, so small effects show in it first.",
)
_NOT_MECHANISMS = (
    "They do not hold what is unknown about the mechanisms and their constants, which is usually "
    "more.")
_NOT_VARIED = "They do not hold what was not varied."
_UNCALIBRATED = (
    "Not calibrated. Only the level of each offence is set, to the figures of Turin; the other "
    "constants are starting values from the literature or assumed. Take directions and order of "
    "measures as plausible, sizes as rough.")
_LEVELS_CALIBRATED = (
    "Only levels are calibrated: how much of each offence there is, how much is reported, how many "
    "feel unsafe. The constants that make a measure work are starting values from the literature "
    "or assumed. Take directions and order of measures as plausible, sizes as rough.")


def write_report(store_dir: str | Path | Results, world=None, summary: pd.DataFrame | None = None,
                 sweep: Sweep | None = None) -> Path:
    """Write ``report.html``, ``figures/`` and ``analysis/`` into a study's folder.

    Parameters
    ----------
    store_dir
        Folder of a study with ``results/`` and ``manifest.json``, or the opened study.
    world
        What the runs share; its ``city`` gives the maps, its ``population`` the number of
        residents. Without it maps that were drawn from these results before stay, none are
        made, and safety is priced per percentage point.
    summary
        Frame of :func:`citysim.analysis.contrasts.summarise`, if already made.
    sweep
        What the design told, if already analysed; by default all but scenario discovery.

    Returns
    -------
    pathlib.Path
        The page. It holds its style and figures and needs neither network nor scripts.

    Raises
    ------
    citysim.config.errors.InputError
        If the folder holds no results.
    """
    study = open_results(store_dir)
    summary = summarise(study) if summary is None else summary
    sweep = analyse(study) if sweep is None else sweep
    write(sweep, summary, study.folder)
    costs = cost_per_unit(study, residents_of(world, setting(study, "scale") or 1.0))
    costs.to_csv(study.folder / "costs.csv", index=False)
    shown = leading(summary, study.scenarios)
    own = summary[summary["scenario"].isin(shown)]
    material = Material(study, own, who_gains(own), costs[costs["scenario"].isin(shown)],
                        getattr(world, "city", None), sweep, summary[summary["p_holm"].notna()])
    figures = all_figures(material, study.folder / "figures") if len(summary) else []
    path = study.folder / "report.html"
    return write_text(path, render(material, figures, world))


def render(m: Material, figures: list[Plate], world=None) -> str:
    """The whole page as text."""
    title = f"{_city_name(m, world)}: {_study_name(m.study)}"
    style = resources.files("citysim.report").joinpath("page.css").read_text(encoding="utf-8")
    body = [_opening(m, title), _results(m, figures), sweep_sections.robust(m, figures),
            sweep_sections.where_it_fails(m, figures), sweep_sections.what_drives(m, figures),
            _people_and_money(m, figures), _where_and_when(figures), _crime(m), _limits(m),
            provenance(m.study)]
    # A number and its unit stay on one line.
    content = "\n".join(part for part in body if part)
    content = content.replace(" %", "\u00a0%").replace("\u20ac ", "\u20ac\u00a0")
    return ("<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
            + content + "\n</main>\n</body>\n</html>\n")


def residents_of(world, scale: float = 1.0) -> float | None:
    """Number of real residents of a world, or None when it does not tell.

    ``scale`` is the number of simulated residents for one real one.
    """
    people = getattr(getattr(world, "population", None), "people", None)
    return None if people is None else float((people["kind"] == 0).sum()) / scale


def _opening(m: Material, title: str) -> str:
    study = m.study
    others = [scenario_label(s).lower() for s in m.scenarios[1:]]
    question = study.manifest.get("question") or (
        "What would change, compared with "
        f"{scenario_label(study.baseline).lower()}?" if others else "What happens in this city?")
    said = answer(m.summary, m.gains, m.costs) if len(m.summary) else \
        ["No answer: no run ended well."]
    sentences = "".join(f"<p><strong>{escape(topic)}.</strong> {escape(capital(text))}</p>"
                        for topic, _, text in (s.partition(": ") for s in said))
    compared = f"<p>Compared here: {escape(listing(others))}.</p>" if others else ""
    known = _LEVELS_CALIBRATED if study.manifest.get("ensemble") else _UNCALIBRATED
    warning = f'<p class="warning"><strong>Read with care.</strong> {known}</p>'
    return (f'<p class="kicker">{escape(title)}</p><h1>{escape(str(question))}</h1>'
            f"{compared}{sweep_sections.shown_options(m)}{sections.failures(study)}"
            f"{sections.remarks(study)}"
            f'<div class="answer">{sentences}</div>'
            f'<p class="note">{_basis(m)}</p>{warning}')


def _basis(m: Material) -> str:
    done = m.study.done
    days = setting(m.study, "days")
    span = f" of {days} days" if days else ""
    futures = futures_of(done).nunique()
    return (f"From {len(done)} simulated runs{span}: {len(m.study.scenarios)} scenarios, "
            + (f"{futures} futures, " if futures > 1 else "")
            + f"{done['seed'].nunique()} seeds. {escape(what_intervals_hold(m.study))}")


def _results(m: Material, figures: list[Plate]) -> str:
    if not len(m.summary):
        return ""
    reading = _READING.format(repetitions="seeds and futures" if _many_futures(m) else "seeds")
    return ("<h2>What changes</h2>"
            f"<p>{reading}</p>" + sections.main_table(m.summary, m.scenarios)
            + '<p class="note">\u25bc falls, \u25b2 rises, = no difference can be shown. Blue '
            "cells are better, orange ones worse; uncoloured changes are neither by themselves. "
            "\u201cChance\u201d is the chance that the measure beats doing nothing in the model. "
            "Points (pts) are percentage points.</p>"
            + sections.plates(figures, "effects") + sweep_sections.comparisons(m)
            + sections.all_outcomes(m.summary))


def _many_futures(m: Material) -> bool:
    """Whether any difference is taken over futures."""
    return bool((m.summary.loc[m.summary["scenario"] != m.study.baseline, "futures"] > 1).any())


def _people_and_money(m: Material, figures: list[Plate]) -> str:
    if not len(m.summary):
        return ""
    gains = (sections.gains_list(m.summary, (SAFETY, TRUST, "harassment.prevalence"))
             + sections.plates(figures, "gains"))
    return ((f"<h2>Who gains, who loses</h2>{gains}" if gains else "")
            + "<h2>What it costs</h2><p>Extra money against what it buys. The range of a price "
            "is Fieller\u2019s interval of the ratio; no price is given where no gain can be "
            "shown.</p>" + sections.cost_table(m.costs) + sections.plates(figures, "cost")
            + sweep_sections.worth_the_money(m, figures))


def _where_and_when(figures: list[Plate]) -> str:
    parts = []
    for heading, section in (("Where", "maps"), ("When", "time")):
        found = sections.plates(figures, section)
        parts.append(f"<h2>{heading}</h2>{found}" if found else "")
    return "".join(parts)


def _crime(m: Material) -> str:
    table = sections.crime_table(m.summary, m.scenarios) if len(m.summary) else ""
    if not table:
        return ""
    return ("<h2>Crime that happens, crime that is known</h2><p>Police statistics show only what "
            "is reported and recorded. A measure that wins trust can raise them while crime "
            "falls. Vandalism is frequent and light, so each total also stands without it.</p>"
            + table + sections.offence_table(m.summary, m.study.baseline))


def _limits(m: Material) -> str:
    own = m.study.manifest.get("caveats") or []
    held = f"{what_intervals_hold(m.study)} {_NOT_VARIED if _many_futures(m) else _NOT_MECHANISMS}"
    items = "".join(f"<li>{escape(str(c))}</li>" for c in (
        *_CAVEATS, held, assumed_share(m.study), *own))
    return f"<h2>What this cannot tell</h2><ul>{items}</ul>{assumptions(m.study)}"


def _study_name(study: Results) -> str:
    return scenario_label(str(study.manifest.get("name") or study.folder.name))


def _city_name(m: Material, world) -> str:
    name = getattr(getattr(world, "city", None), "name", None)
    if name is None:
        city = setting(m.study, "city")
        name = city.get("name") if isinstance(city, dict) else city
    return scenario_label(str(name)) if name else "City"


def setting(study: Results, key: str):
    """A setting of the study as its manifest records it, or None."""
    return (study.manifest.get("config") or {}).get(key)

"""The report of a study: one HTML file that opens anywhere, offline, and prints well."""

from __future__ import annotations

from html import escape
from importlib import resources
from pathlib import Path

import pandas as pd

from citysim.analysis.contrasts import summarise, who_gains
from citysim.analysis.costs import cost_per_unit
from citysim.analysis.measures import SAFETY, TRUST
from citysim.analysis.tables import Study, open_study
from citysim.analysis.wording import capital, listing, scenario_label
from citysim.report import sections
from citysim.report.answer import answer
from citysim.report.gallery import Material, Plate, all_figures
from citysim.report.provenance import assumed_share, assumptions, provenance

_READING = (
    "Every scenario is run with the same seeds. Two runs that share a seed share all the luck "
    "that the measure does not touch, so their difference is the measure's doing. The change "
    "is the average of these differences; the range below it holds the true average of the "
    "model with 90 % certainty (Student\u2019s t over seeds). Where the range holds zero, no "
    "difference can be shown \u2013 which is not the same as no difference.")
_CAVEATS = (
    "This is a model, not a forecast. It says what follows from its mechanisms in a city built "
    "from the given facts; it does not know your streets\u2019 history.",
    "The ranges hold the luck between runs. They do not hold what is unknown about the "
    "mechanisms and their constants, which is usually more.",
    "Many numbers are compared. At a level of 90 %, one comparison in ten will look like a "
    "difference when there is none: trust a pattern, not a single cell.",
    "Effects are those of the evaluated weeks. What remains after the money ends, and what "
    "takes years to grow, is not in them.",
    "Expected crime is what the state of the streets makes likely, added up hour by hour. It "
    "carries less luck than the count of crimes, so small effects show in it first.",
)
_UNCALIBRATED = (
    "Not calibrated. Only the level of each offence is set, to the figures of Turin; the other "
    "constants are starting values from the literature or assumed. Take directions and order of "
    "measures as plausible, sizes as rough.")


def write_report(store_dir: str | Path, world=None, summary: pd.DataFrame | None = None) -> Path:
    """Write ``report.html`` and ``figures/`` into a study's folder.

    Parameters
    ----------
    store_dir
        Folder of a study with ``results/`` and ``manifest.json``.
    world
        What the runs share; its ``city`` gives the maps, its ``population`` the number of
        residents. Without it there are no maps, and safety is priced per percentage point.
    summary
        Frame of :func:`citysim.analysis.contrasts.summarise`, if already made.

    Returns
    -------
    pathlib.Path
        The page. It holds its style and figures and needs neither network nor scripts.

    Raises
    ------
    citysim.config.errors.InputError
        If the folder holds no results.
    """
    study = open_study(store_dir)
    summary = summarise(study) if summary is None else summary
    gains = who_gains(summary)
    costs = cost_per_unit(study, residents_of(world, setting(study, "scale") or 1.0))
    costs.to_csv(study.folder / "costs.csv", index=False)
    material = Material(study, summary, gains, costs, getattr(world, "city", None))
    figures = all_figures(material, study.folder / "figures") if len(summary) else []
    path = study.folder / "report.html"
    partial = path.with_name(path.name + ".part")
    partial.write_text(render(material, figures, world), encoding="utf-8")
    partial.replace(path)  # a reader never sees half a page
    return path


def render(m: Material, figures: list[Plate], world=None) -> str:
    """The whole page as text."""
    title = f"{_city_name(m, world)}: {_study_name(m.study)}"
    style = resources.files("citysim.report").joinpath("page.css").read_text(encoding="utf-8")
    body = [_opening(m, title), _results(m, figures), _people_and_money(m, figures),
            _where_and_when(figures), _crime(m), _limits(m), provenance(m.study)]
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
    others = [scenario_label(s).lower() for s in study.scenarios[1:]]
    question = study.manifest.get("question") or (
        "What would change, compared with "
        f"{scenario_label(study.baseline).lower()}?" if others else "What happens in this city?")
    said = answer(m.summary, m.gains, m.costs) if len(m.summary) else \
        ["No answer: no run ended well."]
    sentences = "".join(f"<p><strong>{escape(topic)}.</strong> {escape(capital(text))}</p>"
                        for topic, _, text in (s.partition(": ") for s in said))
    compared = f"<p>Compared here: {escape(listing(others))}.</p>" if others else ""
    warning = "" if study.manifest.get("calibrated") else \
        f'<p class="warning"><strong>Read with care.</strong> {_UNCALIBRATED}</p>'
    return (f'<p class="kicker">{escape(title)}</p><h1>{escape(str(question))}</h1>'
            f"{compared}{sections.failures(study)}"
            f'<div class="answer">{sentences}</div>'
            f'<p class="note">{_basis(m)}</p>{warning}')


def _basis(m: Material) -> str:
    done = m.study.done
    days = setting(m.study, "days")
    span = f" of {days} days" if days else ""
    return (f"From {len(done)} simulated runs{span}: {len(m.study.scenarios)} scenarios, "
            f"{done['seed'].nunique()} seeds.")


def _results(m: Material, figures: list[Plate]) -> str:
    if not len(m.summary):
        return ""
    return ("<h2>What changes</h2>"
            f"<p>{_READING}</p>" + sections.main_table(m.summary, m.study.scenarios)
            + '<p class="note">\u25bc falls, \u25b2 rises, = no difference can be shown. Blue '
            "cells are better, orange ones worse; uncoloured changes are neither by themselves. "
            "\u201cChance\u201d is the chance that the measure beats doing nothing in the model. "
            "Points (pts) are percentage points.</p>"
            + sections.plates(figures, "effects") + sections.all_outcomes(m.summary))


def _people_and_money(m: Material, figures: list[Plate]) -> str:
    if not len(m.summary):
        return ""
    return ("<h2>Who gains, who loses</h2>"
            + sections.gains_list(m.summary, (SAFETY, TRUST, "harassment.prevalence"))
            + sections.plates(figures, "gains")
            + "<h2>What it costs</h2><p>Extra money against what it buys. The range of a price "
            "is Fieller\u2019s interval of the ratio; no price is given where no gain can be "
            "shown.</p>" + sections.cost_table(m.costs) + sections.plates(figures, "cost"))


def _where_and_when(figures: list[Plate]) -> str:
    parts = []
    for heading, section in (("Where", "maps"), ("When", "time")):
        found = sections.plates(figures, section)
        parts.append(f"<h2>{heading}</h2>{found}" if found else "")
    return "".join(parts)


def _crime(m: Material) -> str:
    table = sections.crime_table(m.summary, m.study.scenarios) if len(m.summary) else ""
    if not table:
        return ""
    return ("<h2>Crime that happens, crime that is known</h2><p>Police statistics show only what "
            "is reported and recorded. A measure that wins trust can raise them while crime "
            "falls. Vandalism is frequent and light, so each total also stands without it.</p>"
            + table + sections.offence_table(m.summary, m.study.baseline))


def _limits(m: Material) -> str:
    own = m.study.manifest.get("caveats") or []
    items = "".join(f"<li>{escape(str(c))}</li>" for c in (*_CAVEATS, assumed_share(m.study), *own))
    return f"<h2>What this cannot tell</h2><ul>{items}</ul>{assumptions(m.study)}"


def _study_name(study: Study) -> str:
    return scenario_label(str(study.manifest.get("name") or study.folder.name))


def _city_name(m: Material, world) -> str:
    name = getattr(getattr(world, "city", None), "name", None)
    if name is None:
        city = setting(m.study, "city")
        name = city.get("name") if isinstance(city, dict) else city
    return scenario_label(str(name)) if name else "City"


def setting(study: Study, key: str):
    """A setting of the study as its manifest records it, or None."""
    return (study.manifest.get("config") or {}).get(key)

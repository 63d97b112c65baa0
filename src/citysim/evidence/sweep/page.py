"""The sweep as one HTML file that opens anywhere, and as Markdown for the documentation."""

from __future__ import annotations

from html import escape
from pathlib import Path

from citysim.evidence.board.page import REPORT
from citysim.evidence.board.rendering import html_table, markdown_table, whole_page
from citysim.evidence.board.tables import Table
from citysim.evidence.sweep.figure import ranges
from citysim.evidence.sweep.run import Sweep
from citysim.evidence.sweep.tables import across, apart, headline
from citysim.report.material import Plate
from citysim.report.saving import save
from citysim.report.sections import plates
from citysim.study.whole import write_text

DOCUMENT = "evidence_sweep.md"
_TITLE = "How much hangs on what nobody has measured?"
_LEADS = {
    "Main figures": "Every setting of a trial\u2019s constants: each alone at both ends of its "
                    "range, then all at once where each makes the effect lowest, and highest. The "
                    "board\u2019s rules, but the middle of the effect has to agree, not just its "
                    "interval. Where it agrees for none, no setting tried here explains the miss: "
                    "the model lacks a mechanism, the trial found something else, or what is slow "
                    "did not show in the time that trials have here. Where it agrees for some, "
                    "the verdict is about the constant as much as about the model.",
    "One constant at a time": "The others as configured. Constants of offences move together, "
                              "each within its own range. Effects are precise: the same city, "
                              "with and without treatment, sharing all luck.",
    "Other figures": "All else that was published of these trials. The ends of all at once are "
                     "those of the main figure. No effect was found: agrees where a single trial "
                     "of that size would find none.",
}


def basis(sweep: Sweep) -> str:
    """What the sweep rests on."""
    seeds = sorted({trial.seeds for trial in sweep.trials.values()})
    return ("Some constants nearly are the effect of a measure: how much of a patrol\u2019s "
            "presence an offender takes for certain, how much being seen matters, what a mentor "
            "changes. None is set to hit a trial; each has a range from outside evidence or, "
            "where there is none, an assumed one (its file says which). Levels stay as they were "
            "calibrated with the configured constants. Trials have "
            f"{' or '.join(map(str, seeds))} seeds each, the same ones in every setting, "
            + ("and are cut short as on the quick board (56 days by default), so that slow "
               "measures show less than they would." if sweep.quickened else
               "and run as long as published."))


def write_page(sweep: Sweep, folder: str | Path) -> Path:
    """Write ``report.html``, the figure and ``figures.csv`` into a folder; returns the page."""
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    sweep.figures.to_csv(folder / "figures.csv", index=False)
    drawn, picture = [], ranges(sweep)
    if picture is not None:
        path = folder / "figures" / "ranges.png"
        save(picture, path, True, {"study_key": sweep.code, "command": "citysim evidence sweep"})
        drawn = [Plate("ranges", "Published effects, and all that the constants allow",
                       "Above in each row the published effect, below it the simulated one: the "
                       "dot as configured, the bar over the ranges. Greyed rows are quoted from "
                       "memory and count for nothing.", "ranges", path)]
    return write_text(folder / REPORT, render(sweep, drawn))


def render(sweep: Sweep, drawn: list[Plate]) -> str:
    """The page as text."""
    body = [f'<p class="kicker">citysim: the evidence board</p><h1>{_TITLE}</h1>'
            f'<div class="answer"><p>{escape(headline(sweep))}</p></div>'
            f"<p>{escape(basis(sweep))}</p>"]
    body += [f'<p class="warning">Did not run: {escape(problem)}</p>' for problem in sweep.problems]
    for table in _tables(sweep):
        inner = f"<p>{escape(_LEADS[table.name])}</p>" + html_table(table)
        if table.name == "Main figures":
            inner = plates(drawn, "ranges") + inner
        if table.name == "Other figures":
            inner = f"<details><summary>{len(table.rows)} entries</summary>{inner}</details>"
        body.append(f"<h2>{table.name}</h2>{inner}")
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _origin(sweep))
    body.append(f"<h2>Where these numbers come from</h2><dl>{rows}</dl>")
    return whole_page(_TITLE, body)


def markdown(sweep: Sweep) -> str:
    """The sweep for ``docs/evidence_sweep.md``."""
    parts = ["# The constants that nearly are the effect",
             "Written by `citysim evidence sweep --write-docs`; not by hand. The board itself: "
             "[evidence.md](evidence.md); trials: [evidence_trials.md](evidence_trials.md).",
             headline(sweep), basis(sweep),
             *(f"**Did not run:** {problem}" for problem in sweep.problems)]
    for table in _tables(sweep):
        parts += [f"## {table.name}", _LEADS[table.name], markdown_table(table)]
    parts += ["## Where these numbers come from",
              "\n".join(f"- {name}: {value}" for name, value in _origin(sweep))]
    return "\n\n".join(parts) + "\n"


def write_document(sweep: Sweep, docs: Path) -> Path:
    """Write ``docs/evidence_sweep.md``."""
    return write_text(Path(docs) / DOCUMENT, markdown(sweep))


def _tables(sweep: Sweep) -> list[Table]:
    found = [across(sweep), apart(sweep), across(sweep, main=False)]
    return [table for table in found if table.rows]


def _origin(sweep: Sweep) -> list[tuple[str, str]]:
    return [("run on", f"{sweep.date} UTC"),
            ("command", " ".join(("citysim evidence sweep", *sweep.overrides))),
            ("code", sweep.code), ("parameters", sweep.parameters)]

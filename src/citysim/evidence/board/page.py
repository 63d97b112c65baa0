"""The board as one HTML file that opens anywhere, and as Markdown for the documentation."""

from __future__ import annotations

from html import escape
from pathlib import Path

from citysim.evidence.board import figures, tables, texts
from citysim.evidence.board.findings import honesty
from citysim.evidence.board.rendering import html_table, markdown_table, whole_page
from citysim.evidence.board.run import Board
from citysim.evidence.board.tables import Table
from citysim.report.material import Plate
from citysim.report.saving import save
from citysim.report.sections import plates
from citysim.study.whole import write_text

REPORT = "report.html"
DOCUMENTS = {"quick": "evidence.md", "full": "evidence_full.md"}
_TITLE = "Does the model do what is seen in real cities?"
_FOLDED = ("What was run", "Not measurable")
_CAPTIONS = {
    "trials": ("Trials, one row each, by their main figure",
               "Above in each row the published effect, below it the simulated one. What is out "
               "stands first; greyed rows are quoted from memory and count for nothing. Arrows "
               "at the edge lie beyond it."),
    "facts": ("Facts, as a multiple of what was published",
              "One is exactly as published. The shaded band is what counts as inside."),
}


def write_page(board: Board, folder: str | Path) -> Path:
    """Write ``report.html`` and ``figures/`` into a folder; returns the page."""
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawn = _plates(board, folder / "figures")
    return write_text(folder / REPORT, render(board, drawn))


def render(board: Board, drawn: list[Plate]) -> str:
    """The page as text."""
    answer = "".join(f"<p><strong>{escape(topic)}.</strong> {escape(rest[:1].upper() + rest[1:])}"
                     "</p>" for topic, _, rest in (s.partition(": ")
                                                   for s in tables.headline(board)))
    warning = "" if not board.plan.quickened else \
        f'<p class="warning"><strong>Read with care.</strong> {escape(texts.basis(board))}</p>'
    body = [f'<p class="kicker">citysim: the evidence board</p><h1>{_TITLE}</h1>'
            f'<div class="answer">{answer}</div>'
            + (warning or f"<p>{escape(texts.basis(board))}</p>")]
    for table in tables.all_tables(board):
        picture = {"Facts": "facts", "Trials": "trials"}.get(table.name, "")
        body.append(_section(table, plates(drawn, picture) if picture else ""))
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in texts.origin(board))
    body.append(f"<h2>Where these numbers come from</h2><dl>{rows}</dl>")
    return whole_page(_TITLE, body)


def markdown(board: Board) -> str:
    """The board for the documentation."""
    full = board.depth == "full"
    other = ("the quick board: [evidence.md](evidence.md)" if full else
             "trials at full length: [evidence_full.md](evidence_full.md)")
    parts = ["# The evidence board" + (", trials at full length" if full else ""),
             f"Written by `citysim evidence{' depth=full' if full else ''} --write-docs`; not by "
             f"hand. See also {other}; the constants that nearly are an effect: "
             "[evidence_sweep.md](evidence_sweep.md). Facts and measures: "
             "[evidence_measures.md](evidence_measures.md); trials: "
             "[evidence_trials.md](evidence_trials.md); every board that was run: "
             "[evidence_log.csv](evidence_log.csv).",
             "\n".join(f"- {s}" for s in tables.headline(board)), texts.basis(board)]
    for table in tables.all_tables(board):
        parts += [f"## {table.name}", texts.LEADS[table.name],
                  markdown_table(table) if table.rows else "Nothing."]
    parts += ["## Where these numbers come from",
              "\n".join(f"- {name}: {value}" for name, value in texts.origin(board))]
    return "\n\n".join(parts) + "\n"


def write_document(board: Board, docs: Path) -> Path:
    """Write the board's page of the documentation, one for each depth."""
    return write_text(Path(docs) / DOCUMENTS[board.depth], markdown(board))


def passed(board: Board) -> bool:
    """Whether everything ran and no honesty check failed; misses are no failure."""
    return not board.problems and all(c.holds is not False for c in honesty(board))


def _plates(board: Board, folder: Path) -> list[Plate]:
    found = []
    origin = {"study_key": f"{board.code} {board.parameters}",
              "command": f"citysim evidence depth={board.depth}"}
    for name, draw in (("facts", figures.facts), ("trials", figures.forest)):
        figure = draw(board)
        if figure is None:
            continue
        save(figure, folder / f"{name}.png", True, origin)
        found.append(Plate(name, *_CAPTIONS[name], name, folder / f"{name}.png"))
    return found


def _section(table: Table, picture: str) -> str:
    lead = f"<p>{escape(texts.LEADS[table.name])}</p>"
    inside = lead + picture + (html_table(table) if table.rows else "<p>Nothing.</p>")
    if table.name in _FOLDED:
        return f"<h2>{table.name}</h2><details><summary>{len(table.rows)} entries</summary>" \
               f"{inside}</details>"
    return f"<h2>{table.name}</h2>{inside}"

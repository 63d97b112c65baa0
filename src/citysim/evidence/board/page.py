"""The board as one HTML file that opens anywhere, and as Markdown for the documentation."""

from __future__ import annotations

from html import escape
from importlib import resources
from pathlib import Path

from citysim.evidence.board import figures, tables, texts
from citysim.evidence.board.findings import honesty
from citysim.evidence.board.run import Board
from citysim.evidence.board.tables import BAD, GOOD, GREY, MIDDLE, Table
from citysim.report.material import Plate
from citysim.report.saving import save
from citysim.report.sections import plates

REPORT = "report.html"
DOCUMENT = "evidence.md"
_TITLE = "Does the model do what is seen in real cities?"
_STYLE = """
main { max-width: 72rem; }
td.good { background: #e2eff8; } td.bad { background: #fbe7db; } td.middle { background: #fdf6e6; }
tr.grey td { color: #8a9299; } td:first-child { font-weight: 600; }
tr.grey td:first-child { font-weight: 400; } tr { break-inside: avoid; }
"""
_MARKED = ("Verdict", "Agrees", "Met", "Holds")  # the column that carries the colour
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
    path = folder / REPORT
    partial = path.with_name(path.name + ".part")
    partial.write_text(render(board, drawn), encoding="utf-8")
    partial.replace(path)
    return path


def render(board: Board, drawn: list[Plate]) -> str:
    """The page as text."""
    style = resources.files("citysim.report").joinpath("page.css").read_text(encoding="utf-8")
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
    content = "\n".join(body).replace(" %", "\u00a0%")
    return ('<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{_TITLE}</title>\n<style>\n{style}{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            + content + "\n</main>\n</body>\n</html>\n")


def markdown(board: Board) -> str:
    """The board for ``docs/evidence.md``."""
    parts = ["# The evidence board", "Written by `citysim evidence --write-docs`; not by hand. "
             "Facts and measures: [evidence_measures.md](evidence_measures.md); trials: "
             "[evidence_trials.md](evidence_trials.md); every board that was run: "
             "[evidence_log.csv](evidence_log.csv).",
             "\n".join(f"- {s}" for s in tables.headline(board)), texts.basis(board)]
    for table in tables.all_tables(board):
        parts += [f"## {table.name}", texts.LEADS[table.name],
                  _markdown(table) if table.rows else "Nothing."]
    parts += ["## Where these numbers come from",
              "\n".join(f"- {name}: {value}" for name, value in texts.origin(board))]
    return "\n\n".join(parts) + "\n"


def write_document(board: Board, docs: Path) -> Path:
    """Write ``docs/evidence.md``."""
    path = Path(docs) / DOCUMENT
    path.write_text(markdown(board), encoding="utf-8")
    return path


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
    inside = lead + picture + (_html(table) if table.rows else "<p>Nothing.</p>")
    if table.name in _FOLDED:
        return f"<h2>{table.name}</h2><details><summary>{len(table.rows)} entries</summary>" \
               f"{inside}</details>"
    return f"<h2>{table.name}</h2>{inside}"


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in table.columns)
    rows = []
    for cells, tone in zip(table.rows, table.tones, strict=True):
        whole = tone in (BAD, MIDDLE) and not set(_MARKED) & set(table.columns)
        marked = [f' class="{tone}"' if tone in (GOOD, BAD, MIDDLE)
                  and (column in _MARKED or (whole and i == 0)) else ""
                  for i, column in enumerate(table.columns)]
        inner = "".join(f'<td{mark} data-label="{escape(column)}">{escape(cell)}</td>'
                        for mark, column, cell in zip(marked, table.columns, cells, strict=True))
        rows.append(f"<tr{' class=grey' if tone == GREY else ''}>{inner}</tr>")
    return (f'<div class="wide"><table class="cards"><thead><tr>{head}</tr></thead><tbody>'
            + "".join(rows) + "</tbody></table></div>")


def _markdown(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns)]
    for cells, tone in zip(table.rows, table.tones, strict=True):
        plain = [c.replace("|", "\\|").replace("\n", " ") for c in cells]
        lines.append([f"*{plain[0]}*" if tone == GREY else plain[0], *plain[1:]])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""Tables as HTML and Markdown, and the page around them: shared by the board and the sweep."""

from __future__ import annotations

from html import escape
from importlib import resources

from citysim.evidence.board.tables import BAD, GOOD, GREY, MIDDLE, Table

_STYLE = """
main { max-width: 72rem; }
td.good { background: #e2eff8; } td.bad { background: #fbe7db; } td.middle { background: #fdf6e6; }
tr.grey td { color: #8a9299; } td:first-child { font-weight: 600; }
tr.grey td:first-child { font-weight: 400; } tr { break-inside: avoid; }
"""
_MARKED = ("Verdict", "Agrees", "Met", "Holds")  # the column that carries the colour


def whole_page(title: str, body: list[str]) -> str:
    """One HTML file that opens anywhere."""
    style = resources.files("citysim.report").joinpath("page.css").read_text(encoding="utf-8")
    content = "\n".join(body).replace(" %", "\u00a0%")
    return ('<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>\n{style}{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            + content + "\n</main>\n</body>\n</html>\n")


def html_table(table: Table) -> str:
    """A table that becomes cards on a narrow screen; the verdict's cell carries the colour."""
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


def markdown_table(table: Table) -> str:
    """The same table in Markdown; rows that do not count are slanted."""
    lines = [table.columns, ("---",) * len(table.columns)]
    for cells, tone in zip(table.rows, table.tones, strict=True):
        plain = [c.replace("|", "\\|").replace("\n", " ") for c in cells]
        lines.append([f"*{plain[0]}*" if tone == GREY else plain[0], *plain[1:]])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""The command ``results``: what tables a study has, questions to them in SQL, compaction."""

from __future__ import annotations

import csv
import sys
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from citysim.cli.arguments import Parser
from citysim.config.errors import InputError

_MOST_ROWS = 40  # on a terminal
_CHUNK = 10_000
_TABLES = ("select table_name as \"table\", list(column_name order by column_index) as columns "
           "from duckdb_columns() where not internal group by table_name")


def results(words: list[str]) -> int:
    """List the tables of a study, answer a query, or pack its files; returns the exit status.

    Parameters
    ----------
    words
        ``DIR [--sql QUERY] [--csv] [--compact]``.

    Raises
    ------
    InputError
        If there is no study, or the query fails.
    """
    parser = Parser(prog="citysim results", add_help=False, allow_abbrev=False)
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--sql")
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--compact", action="store_true")
    wanted = parser.parse_args(words)
    from citysim.results import TABLES, open

    study = open(wanted.folder)
    if wanted.compact:
        done = study.store.compact()
        print(f"{done.runs} finished runs: {done.files_before} files before, "
              f"{done.files_after} now", file=sys.stderr if wanted.sql else sys.stdout)
        if wanted.sql is None:
            return 0
        study = open(wanted.folder)
    connection = study.duckdb()
    if wanted.sql is not None:
        names, rows = _answer(connection, wanted.sql)
    else:
        columns = dict(connection.execute(_TABLES).fetchall())
        names, rows = ["table", "rows", "columns"], [
            (name, connection.execute(f"select count(*) from {name}").fetchone()[0],
             ", ".join(columns[name])) for name in TABLES if name in columns]
    if wanted.csv or not sys.stdout.isatty():
        _write(names, rows)
    else:
        _show(names, rows, Console())
    return 0


def _answer(connection, query: str) -> tuple[list[str], object]:
    """Column names and rows (fetched bit by bit) of a query."""
    import duckdb

    try:
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        first = found.fetchmany(_CHUNK) if names else []
    except duckdb.Error as error:
        raise InputError(str(error).strip(), where="--sql",
                         allowed="SQL of DuckDB; without --sql the tables and columns are listed"
                         ) from None

    def rows():
        chunk = first
        while chunk:
            yield from chunk
            chunk = found.fetchmany(_CHUNK)

    return names, rows()


def _write(names: list[str], rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows(rows)


def _show(names: list[str], rows, console: Console) -> None:
    table, rows = Table(), iter(rows)
    for name in names:
        table.add_column(Text(name))
    for row in islice(rows, _MOST_ROWS):
        table.add_row(*(Text("" if value is None else f"{value:.6g}"
                             if isinstance(value, float) else str(value)) for value in row))
    console.print(table)
    more = sum(1 for _ in rows)
    if more:
        console.print(f"{more:,} more rows; --csv writes all of them")

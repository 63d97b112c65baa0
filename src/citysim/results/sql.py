"""The tables of a study as views of a DuckDB connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from citysim.study.parts import Pieces

if TYPE_CHECKING:
    import duckdb


def connection(stored: dict[str, Pieces], whole: dict[str, pa.Table]
               ) -> duckdb.DuckDBPyConnection:
    """A connection in memory that knows these tables by name.

    Parameters
    ----------
    stored
        Where the rows of the large tables lie; they are read when asked for. ``groups`` is made
        of ``outcomes``.
    whole
        Small tables.
    """
    import duckdb

    found = duckdb.connect()
    for name, table in whole.items():
        found.register(name, table)
    for name, pieces in stored.items():
        found.execute(f"create view {name} as {_select(pieces)}")
    if "outcomes" in stored:
        found.execute("create view groups as from outcomes where \"group\" <> 'all'")
    return found


def _select(pieces: Pieces) -> str:
    """Select over compacted rows that count and over parts; columns unite by name."""
    merged = [pieces.merged] if pieces.merged else []
    if pieces.only is None:
        return _whole(merged + pieces.parts)
    keys = ", ".join(_quoted(key) for key in pieces.only)
    selects = [f"{_whole(merged)} where key in ({keys})"]
    if pieces.parts:
        selects.append(_whole(pieces.parts))
    return " union all by name ".join(selects)


def _whole(paths: list[Path]) -> str:
    """Select all of some files; rows written before there were futures belong to future 0."""
    files = ", ".join(_quoted(str(path)) for path in paths)
    has_future = any("future" in pq.read_schema(path).names for path in paths)  # mostly the first
    columns = "* replace (coalesce(future, 0)::integer as future)" if has_future \
        else "*, 0::integer as future"
    return f"select {columns} from read_parquet([{files}], union_by_name = true)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

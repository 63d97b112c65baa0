"""Result files of one folder: which runs are whole, and where the rows of a table lie.

A finished run lies in parts of its own, ``results/<table>/<key>.parquet``, or, once the folder is
compacted, in ``results/<table>/all.parquet`` with the others. ``runs`` marks it as complete
either way; where a run has both, its parts count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from citysim.config.errors import InputError
from citysim.study.whole import replacing

RESULTS = "results"
RUNS = "runs"
MERGED = "all"  # stem of a compacted table's file
KEYS = b"citysim.keys"  # metadata of a compacted file: which runs it holds, in order
DONE, FAILED = "done", "failed"
INDEX = ("key", "scenario", "future", "seed")  # first columns of every table

RUN_SCHEMA = pa.schema([
    ("key", pa.string()), ("scenario", pa.string()), ("future", pa.int32()),
    ("seed", pa.int64()),
    ("status", pa.string()), ("seconds", pa.float64()), ("attempts", pa.int32()),
    ("parameters", pa.string()), ("error", pa.string()), ("tables", pa.string()),
    ("started", pa.string()), ("study", pa.string()), ("code", pa.string()),
    ("citysim", pa.string()), ("python", pa.string()), ("numpy", pa.string()),
    ("numba", pa.string()), ("mesa", pa.string()),
])


@dataclass(frozen=True)
class Pieces:
    """Where the rows of one table lie.

    Attributes
    ----------
    merged
        The compacted file, or ``None``.
    only
        Keys whose rows count in it; ``None`` when all do.
    parts
        Files of single runs.
    """

    merged: Path | None
    only: list[str] | None
    parts: list[Path]


@dataclass(frozen=True)
class Holding:
    """The runs of a folder that ended well and are whole, as they lie there now.

    Attributes
    ----------
    folder
        The study's folder.
    parts, merged
        Tables of each run by key: of those with files of their own, and of compacted ones.
    inside
        Keys in each table's compacted file.
    failed
        Runs that left a row but no results.
    """

    folder: Path
    parts: dict[str, list[str]]
    merged: dict[str, list[str]]
    inside: dict[str, list[str]]
    failed: list[str]

    @property
    def keys(self) -> set[str]:
        """All of them."""
        return self.parts.keys() | self.merged.keys()

    @property
    def tables(self) -> list[str]:
        """Names of the tables that these runs have, ``runs`` left out."""
        return sorted({t for own in (self.parts, self.merged) for names in own.values()
                       for t in names})

    @cached_property
    def rows(self) -> pa.Table:
        """Rows of ``runs`` of these runs and of the failed ones."""
        rows = [RUN_SCHEMA.empty_table()]
        rows += [row for key in (*self.parts, *self.failed)
                 if (row := _read_run(self.folder, key)) is not None]
        if self.merged:
            table = pq.ParquetFile(part_path(self.folder, RUNS, MERGED)).read()
            keys = pa.array(list(self.merged), pa.string())
            rows.append(table.replace_schema_metadata(None).filter(pc.is_in(table["key"], keys)))
        whole = pa.concat_tables(rows, promote_options="permissive")
        # What an older version did not write reads as empty.
        return tidy(whole.select(RUN_SCHEMA.names).cast(RUN_SCHEMA))

    def pieces(self, table: str) -> Pieces:
        """Where the rows of a table lie."""
        parts = [part_path(self.folder, table, key) for key, names in self.parts.items()
                 if table in names]
        wanted = [key for key, names in self.merged.items() if table in names]
        if not wanted:
            return Pieces(None, None, parts)
        everything = len(wanted) == len(self.inside[table])
        return Pieces(part_path(self.folder, table, MERGED), None if everything else wanted, parts)

    def read(self, table: str, columns: list[str] | None = None, filter=None) -> pa.Table:
        """Rows of one table of these runs.

        Parameters
        ----------
        table
            ``outcomes``, ``daily``, ``places``, ``profile`` or ``events``.
        columns
            Columns to read; all when left out. What an older version did not write is null.
        filter
            A pyarrow.dataset expression that rows must meet.
        """
        import pyarrow.dataset as ds

        pieces = self.pieces(table)
        paths = [p for p in (pieces.merged, *pieces.parts) if p is not None]
        if not paths:
            return pa.table({name: pa.array([], RUN_SCHEMA.field(name).type) for name in INDEX})
        schema = schema_of(paths)
        groups = [(paths, filter)]
        if pieces.only is not None:
            own = ds.field("key").isin(pieces.only)
            groups = [(paths[:1], own if filter is None else own & filter), (paths[1:], filter)]
        return tidy(pa.concat_tables(
            ds.dataset([str(p) for p in there], schema=schema, format="parquet")
            .to_table(columns=columns, filter=wanted) for there, wanted in groups if there))


def holding(folder: Path, keys: Iterable[str] | None = None) -> Holding:
    """Look at what a folder holds of the given runs, by default of all that are there.

    A run counts when its row in ``runs`` says so and the files of all its tables are there in
    full size (or list it, when compacted).
    """
    sizes = _sizes(folder)
    wanted = None if keys is None else set(keys)
    alone = sizes.get(RUNS, {}).keys() - {MERGED}
    parts, failed = {}, []
    for key in sorted(alone if wanted is None else alone & wanted):
        row = _read_run(folder, key, ["status", "tables"])
        tables = json.loads(row["tables"][0].as_py() or "{}") if row else {}
        if row and row["status"][0].as_py() != DONE:
            failed.append(key)
        elif row and all(sizes.get(name, {}).get(key) == size for name, size in tables.items()):
            parts[key] = list(tables)
    inside = {name: merged_keys(folder, name) for name, files in sizes.items() if MERGED in files}
    merged, lists = {}, {name: set(found) for name, found in inside.items()}
    for key, told in _merged_runs(folder).items():
        tables = list(json.loads(told or "{}"))
        if key not in parts and (wanted is None or key in wanted) and \
                all(key in lists.get(name, ()) for name in tables):
            merged[key] = tables
    failed = [key for key in failed if key not in merged]
    return Holding(folder, parts, merged, inside, failed)


def present(folder: Path) -> list[str]:
    """Keys of all runs that left a row, ended well or not."""
    alone = {p.stem for p in (folder / RESULTS / RUNS).glob("*.parquet")} - {MERGED}
    return sorted(alone | _merged_runs(folder).keys())


def part_path(folder: Path, table: str, key: str) -> Path:
    """Path of a run's part, or with ``MERGED`` of the compacted file."""
    return folder / RESULTS / table / f"{key}.parquet"


def tidy(table: pa.Table) -> pa.Table:
    """Rows as a reader expects them: future 0 before there were futures, words as words."""
    for i, field in enumerate(table.schema):
        if field.name == "future":
            whole = table["future"].cast(pa.int32()).fill_null(0)
            table = table.set_column(i, "future", whole)
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table[field.name].cast(field.type.value_type))
    return table


def schema_of(paths: Iterable[Path]) -> pa.Schema:
    """One schema for files of all versions, with the index columns of today.

    Raises
    ------
    InputError
        If a file is not Parquet, though it has the size that its run says.
    """
    schemas = []
    for path in paths:
        try:
            schemas.append(pq.read_schema(path).remove_metadata())
        except pa.ArrowException as error:
            raise unreadable(path, error) from None
    distinct = [s for i, s in enumerate(schemas) if i == 0 or s != schemas[i - 1]]
    schema = pa.unify_schemas(distinct, promote_options="permissive")
    if "future" not in schema.names:
        schema = schema.append(RUN_SCHEMA.field("future"))
    return schema


def unreadable(path: Path, error: Exception) -> InputError:
    """Refusal of a file that is damaged within."""
    return InputError(f"cannot read this part: {error}", where=str(path),
                      allowed="remove the file; the run counts as missing then")


def merged_keys(folder: Path, table: str) -> list[str]:
    """Keys in a compacted file, in order; none when it is missing or cut off."""
    try:
        told = pq.read_metadata(part_path(folder, table, MERGED)).metadata or {}
        return json.loads(told.get(KEYS, b"[]"))
    except (OSError, ValueError, pa.ArrowException):
        return []


def write_atomically(path: Path, table: pa.Table) -> None:
    """Write a Parquet file so that it is there whole or not at all."""
    small = table.num_rows <= 1  # a dictionary per column would only slow reading down
    with replacing(path) as file:
        pq.write_table(table, file, compression="none" if small else "zstd",
                       use_dictionary=not small, write_statistics=not small)


def stamped(table: pa.Table, record: Mapping[str, Any]) -> pa.Table:
    """The table with key, scenario, future and seed in front, so that parts explain themselves."""
    size = table.num_rows
    for position, name in enumerate(INDEX):
        if name in table.column_names:
            table = table.drop_columns([name])
        column = pa.repeat(pa.scalar(record[name], RUN_SCHEMA.field(name).type), size)
        table = table.add_column(position, name, column)
    return table


def write_parts(folder: Path, record: Mapping[str, Any], tables: Mapping[str, pa.Table],
                finish: Callable[[pa.Table], pa.Table] = lambda table: table) -> None:
    """Write the parts of a run, its row in ``runs`` last, as commit marker."""
    sizes = {}
    for name, table in tables.items():
        path = part_path(folder, name, record["key"])
        write_atomically(path, finish(table))
        sizes[name] = path.stat().st_size
    row = {f.name: record.get(f.name) for f in RUN_SCHEMA} | {"tables": json.dumps(sizes)}
    write_atomically(part_path(folder, RUNS, record["key"]),
                     pa.Table.from_pylist([row], schema=RUN_SCHEMA))


def _sizes(folder: Path) -> dict[str, dict[str, int]]:
    """Size of every Parquet file by table and stem; listing is much cheaper than asking."""
    found = {}
    for place in sorted((folder / RESULTS).glob("*/")):
        with os.scandir(place) as entries:
            found[place.name] = {e.name.removesuffix(".parquet"): e.stat().st_size
                                 for e in entries if e.name.endswith(".parquet")}
    return found


def _read_run(folder: Path, key: str, columns: list[str] | None = None) -> pa.Table | None:
    """A run's row, or None when it is missing or cut off: the run counts as missing then."""
    try:
        found = pq.ParquetFile(part_path(folder, RUNS, key)).read(columns=columns,
                                                                  use_threads=False)
    except (OSError, pa.ArrowException):
        return None
    whole = found.num_rows == 1 and set(columns or ("key",)) <= set(found.column_names)
    return found if whole else None


def _merged_runs(folder: Path) -> dict[str, str]:
    """Tables of every compacted run by key."""
    try:
        path = part_path(folder, RUNS, MERGED)
        table = pq.ParquetFile(path).read(columns=["key", "tables"])
    except (OSError, pa.ArrowException):
        return {}
    return dict(zip(table["key"].to_pylist(), table["tables"].to_pylist(), strict=True))

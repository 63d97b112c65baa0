"""Many small files into few, and back: one file per table for a study that has ended.

Safe against an end at any point: each table's new file replaces the old one whole; ``runs`` comes
last and says which runs are compacted; only then are their parts removed, the marker of each
run first. What is left over from a broken attempt is told apart by
:class:`citysim.study.parts.Holding`, and the next attempt goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from citysim.study.parts import (
    DONE,
    INDEX,
    KEYS,
    MERGED,
    RESULTS,
    RUNS,
    Holding,
    holding,
    merged_keys,
    part_path,
    schema_of,
    tidy,
    unreadable,
    write_parts,
)
from citysim.study.whole import replacing

GROUP_ROWS = 1 << 18  # rows of a row group, at least: a group holds whole runs


@dataclass(frozen=True)
class Compacted:
    """What compaction did: runs now in one file per table, and files before and after."""

    runs: int
    files_before: int
    files_after: int


def compact(folder: Path) -> Compacted:
    """Merge the parts of all finished runs; call with the folder's lock held.

    Memory stays at about one row group; the disk needs room for the largest table twice.

    Raises
    ------
    InputError
        If a part of full size cannot be read; nothing is removed then.
    """
    before = _count(folder)
    found = holding(folder)
    rows = found.rows.sort_by([(name, "ascending") for name in INDEX[1:]])
    rows = rows.filter(pc.equal(rows["status"], DONE))
    keys = rows["key"].to_pylist()
    own = found.parts | found.merged
    for table in found.tables:
        _merge(found, table, [key for key in keys if table in own[key]])
    if found.parts:
        with replacing(part_path(folder, RUNS, MERGED)) as file:
            pq.write_table(rows.replace_schema_metadata({KEYS: json.dumps(keys)}), file,
                           compression="zstd")
    sweep(folder, set(keys))
    return Compacted(len(keys), before, _count(folder))


def split(found: Holding, target: Path) -> None:
    """Write the compacted runs among these as parts into another folder.

    A place whose compacted runs are all wanted is linked as it stands, where the target has none.
    """
    place, keys = found.folder, set(found.merged)
    if not keys:
        return
    if all(keys.issuperset(inside) for inside in found.inside.values()) \
            and not part_path(target, RUNS, MERGED).exists():
        for table in (*found.tables, RUNS):  # the marker last
            link(part_path(place, table, MERGED), part_path(target, table, MERGED))
        return
    rows = {row["key"]: row for row in found.rows.to_pylist()}
    tables: dict[str, dict[str, list[pa.Table]]] = {
        key: {name: [] for name in names} for key, names in found.merged.items()}
    for name in found.tables:
        for key, part in _runs_in(part_path(place, name, MERGED), keys):
            tables[key][name].append(part)
    for key in sorted(keys):
        whole = {name: pa.concat_tables(parts) for name, parts in tables[key].items()}
        write_parts(target, rows[key], whole)


def link(source: Path, target: Path) -> None:
    """Let a file stand in a second place, without a copy where the file system can."""
    import shutil

    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # file systems without hard links
        shutil.copy2(source, target)


def sweep(folder: Path, keys: set[str]) -> None:
    """Remove parts of compacted runs and what broken writes left; markers of runs first."""
    for path in folder.glob("*.part"):
        path.unlink(missing_ok=True)
    places = sorted((folder / RESULTS).glob("*/"), key=lambda p: p.name != RUNS)
    for place in places:
        for path in place.iterdir():
            if path.suffix == ".part" or (path.suffix == ".parquet" and path.stem in keys):
                path.unlink(missing_ok=True)


def _merge(found: Holding, table: str, keys: list[str]) -> None:
    """One table's file with the rows of these runs."""
    path = part_path(found.folder, table, MERGED)
    inside = found.inside.get(table, [])
    if set(inside) == set(keys):  # an earlier attempt came this far
        return
    old = [key for key in inside if key in found.merged]
    fresh = [key for key in keys if key in found.parts]
    parts = [part_path(found.folder, table, key) for key in fresh]
    schema = _plain(schema_of([path] * bool(old) + parts))
    words = [f.name for f in schema if not pa.types.is_floating(f.type)]
    with replacing(path) as file, pq.ParquetWriter(
            file, schema.with_metadata({KEYS: json.dumps(old + fresh)}), compression="zstd",
            use_dictionary=words) as writer:
        if old:
            for group in _groups_in(path):
                if len(old) < len(inside):
                    group = group.filter(pc.is_in(group["key"], pa.array(old)))
                _append(writer, [group], schema)
        waiting: list[pa.Table] = []
        for part in parts:
            waiting.append(_read(part))
            if sum(t.num_rows for t in waiting) >= GROUP_ROWS:
                _append(writer, waiting, schema)
                waiting = []
        _append(writer, waiting, schema)


def _append(writer: pq.ParquetWriter, tables: list[pa.Table], schema: pa.Schema) -> None:
    """Write tables as one row group, with the columns of the schema."""
    fitted = [pa.table([t[f.name].cast(f.type) if f.name in t.column_names
                        else pa.nulls(t.num_rows, f.type) for f in schema], schema=schema)
              for t in tables]
    if fitted and (whole := tidy(pa.concat_tables(fitted))).num_rows:
        writer.write_table(whole, row_group_size=whole.num_rows)


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema with words as words where a part held them as a dictionary."""
    return pa.schema([f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f
                      for f in schema])


def _read(part: Path) -> pa.Table:
    try:
        return pq.ParquetFile(part).read()
    except (OSError, pa.ArrowException) as error:
        raise unreadable(part, error) from None


def _groups_in(path: Path) -> Iterator[pa.Table]:
    file = pq.ParquetFile(path)
    for index in range(file.num_row_groups):
        yield file.read_row_group(index)


def _runs_in(path: Path, keys: set[str]) -> Iterator[tuple[str, pa.Table]]:
    """Rows of each wanted run in a compacted file; at least one, maybe empty, table for each."""
    file = pq.ParquetFile(path)
    empty = file.schema_arrow.empty_table().replace_schema_metadata(None)
    yield from ((key, empty) for key in keys & set(merged_keys(path.parents[2], path.parent.name)))
    for index in range(file.num_row_groups):
        there = set(file.read_row_group(index, columns=["key"])["key"].unique().to_pylist())
        if keys & there:
            group = file.read_row_group(index).replace_schema_metadata(None)
            for key in sorted(keys & there):
                yield key, group.filter(pc.equal(group["key"], key))


def _count(folder: Path) -> int:
    return sum(1 for _ in (folder / RESULTS).glob("*/*.parquet"))

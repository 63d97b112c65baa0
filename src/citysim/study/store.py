"""The folder of a study: result parts, manifest, and nothing half written.

``results/<table>/<key>.parquet`` holds one part per run and table. A part is written under a
temporary name, flushed to disk and renamed; the ``runs`` part comes last and marks the run
as complete. Results of another configuration found in the folder move to
``earlier/<study key>/`` with their manifest; runs that both share are linked, not run again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from citysim.config.errors import InputError

RESULTS = "results"
RUNS = "runs"
MANIFEST = "manifest.json"
EARLIER = "earlier"
SCRATCH = ".scratch"
LOCK = ".lock"
# Nothing else in the folder is touched.
OWN = (RESULTS, MANIFEST, "summary.csv", "costs.csv", "report.html", "figures")
DONE, FAILED = "done", "failed"

RUN_SCHEMA = pa.schema([
    ("key", pa.string()), ("scenario", pa.string()), ("future", pa.int32()),
    ("seed", pa.int64()),
    ("status", pa.string()), ("seconds", pa.float64()), ("attempts", pa.int32()),
    ("parameters", pa.string()), ("error", pa.string()), ("tables", pa.string()),
    ("started", pa.string()), ("study", pa.string()), ("code", pa.string()),
    ("citysim", pa.string()), ("python", pa.string()), ("numpy", pa.string()),
    ("numba", pa.string()), ("mesa", pa.string()),
])


class Store:
    """Reading and writing one study's folder.

    Parameters
    ----------
    folder
        The study's output folder; it need not exist to be read.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).expanduser()

    # --- reading -----------------------------------------------------------------

    @property
    def manifest(self) -> dict[str, Any]:
        """Content of the manifest; empty when there is none or it cannot be read."""
        try:
            return json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def done(self, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` that ran well and whose parts are whole, here or in ``earlier``."""
        places = [self.folder, *self._earlier()]
        return {key for key in keys if any(_complete(place, key) for place in places)}

    def holds(self, study: str, names: Iterable[str]) -> bool:
        """Whether files of these names belong to a design, here or set aside."""
        place = self.folder if self.manifest.get("study_key") == study else \
            self.folder / EARLIER / study
        return all((place / name).exists() for name in names)

    def runs(self, keys: Iterable[str] | None = None):
        """The ``runs`` table as pandas: of the given keys, by default the manifest's."""
        if keys is None:
            keys = self.manifest.get("keys") or self._present()
        parts = [t for t in (_run_part(self.folder, key) for key in keys) if t is not None]
        table = pa.concat_tables(parts) if parts else RUN_SCHEMA.empty_table()
        return table.to_pandas()

    def read(self, table: str, columns: list[str] | None = None, filter=None):
        """One result table of all runs of this study that ended well, as pandas.

        Parameters
        ----------
        table
            ``outcomes``, ``daily``, ``places``, ``profile`` or ``events``.
        columns
            Columns to read; all when left out. Every table has ``key, scenario, seed``.
        filter
            A pyarrow.dataset expression that rows must meet.
        """
        import pyarrow.dataset as ds

        runs = self.runs()
        keys = runs.loc[runs["status"] == DONE, "key"]
        paths = [p for p in (self._part(table, key) for key in keys) if p.exists()]
        if not paths:
            return pa.table({"key": pa.array([], pa.string())}).to_pandas()
        schema = pa.unify_schemas([pq.read_schema(p) for p in paths], promote_options="permissive")
        data = ds.dataset([str(p) for p in paths], schema=schema, format="parquet")
        return data.to_table(columns=columns, filter=filter).to_pandas()

    # --- writing -----------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self):
        """Hold the folder for one driver.

        Raises
        ------
        InputError
            If another process is writing here, or the folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / LOCK)
            lock.acquire(timeout=0)
        except Timeout:
            raise self._busy() from None
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror or error}",
                             where=f"output_dir {self.folder}",
                             allowed="a folder that can be written") from None
        try:
            yield self
        finally:
            shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)
            lock.release()

    def refuse_if_unusable(self) -> None:
        """Raise ``InputError`` early, without writing, if the folder is busy or not a folder."""
        try:
            self.folder.exists()
        except (OSError, ValueError) as error:  # a name too long, say
            raise InputError(f"not a name for a folder: {getattr(error, 'strerror', error)}",
                             where=f"output_dir {self.folder}") from None
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("is a file, not a folder", where=f"output_dir {self.folder}")
        nearest = next(p for p in (self.folder, *self.folder.absolute().parents) if p.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise InputError("cannot write there", where=f"output_dir {self.folder}",
                             allowed="a folder that can be written")
        if (self.folder / LOCK).exists():
            lock = FileLock(self.folder / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise self._busy() from None
            lock.release()

    def prepare(self, study: str, keys: list[str]) -> None:
        """Make room for a design: other configurations move aside, shared runs stay.

        Call with the lock held. Leftovers of broken runs are removed.
        """
        shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)
        old = self.manifest.get("study_key")
        strangers = set(self._present()) - set(keys)
        if strangers or (old is not None and old != study):
            self._set_aside(old or "unknown")
            self._return(study)
        (self.folder / RESULTS / RUNS).mkdir(parents=True, exist_ok=True)
        for leftover in (self.folder / RESULTS).glob("*/*.part"):
            leftover.unlink(missing_ok=True)
        for key in keys:
            if not _complete(self.folder, key):
                self._bring_back(key)

    def write_run(self, record: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> None:
        """Write one run's parts; ``record`` (see ``RUN_SCHEMA``) last, as commit marker."""
        sizes = {}
        for name, table in tables.items():
            path = self._part(name, record["key"])
            write_atomically(path, _stamped(table, record))
            sizes[name] = path.stat().st_size
        row = {f.name: record.get(f.name) for f in RUN_SCHEMA}
        row["tables"] = json.dumps(sizes)
        write_atomically(self._part(RUNS, record["key"]),
                         pa.Table.from_pylist([row], schema=RUN_SCHEMA))

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Replace the manifest in one go."""
        path = self.folder / MANIFEST
        temporary = path.with_suffix(".json.part")
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n",
                             encoding="utf-8")
        temporary.replace(path)

    # --- inner -------------------------------------------------------------------

    def _part(self, table: str, key: str) -> Path:
        return self.folder / RESULTS / table / f"{key}.parquet"

    def _present(self) -> list[str]:
        return sorted(p.stem for p in (self.folder / RESULTS / RUNS).glob("*.parquet"))

    def _earlier(self) -> list[Path]:
        return sorted(p for p in (self.folder / EARLIER).glob("*/") if p.is_dir())

    def _busy(self) -> InputError:
        return InputError("another citysim is writing to this folder",
                          where=f"output_dir {self.folder}",
                          allowed="wait for it to end, or choose another output_dir")

    def _set_aside(self, old: str) -> None:
        """Move everything that belongs to another design to ``earlier/<its key>``."""
        target = self.folder / EARLIER / old
        target.mkdir(parents=True, exist_ok=True)
        for item in [self.folder / name for name in OWN]:
            if item.exists():
                _merge_into(item, target / item.name)

    def _return(self, study: str) -> None:
        """Move a design that was set aside before back to its place."""
        place = self.folder / EARLIER / study
        for item in [place / name for name in OWN]:
            if item.exists():
                _merge_into(item, self.folder / item.name)
        with contextlib.suppress(OSError):  # not there, or it holds a user's own files
            place.rmdir()

    def _bring_back(self, key: str) -> None:
        """Link a run's parts from an earlier configuration that shares it."""
        place = next((p for p in self._earlier() if _complete(p, key)), None)
        if place is None:
            return
        parts = sorted((place / RESULTS).glob(f"*/{key}.parquet"),
                       key=lambda p: p.parent.name == RUNS)  # the marker last
        for part in parts:
            target = self._part(part.parent.name, key)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                target.hardlink_to(part)
            except OSError:  # file systems without hard links
                shutil.copy2(part, target)


def write_atomically(path: Path, table: pa.Table) -> None:
    """Write a Parquet file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            small = table.num_rows <= 1  # a dictionary per column would only slow reading down
            pq.write_table(table, file, compression="none" if small else "zstd",
                           use_dictionary=not small, write_statistics=not small)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _stamped(table: pa.Table, record: Mapping[str, Any]) -> pa.Table:
    """The table with key, scenario, future and seed in front, so that parts explain themselves."""
    size = table.num_rows
    for position, name in enumerate(("key", "scenario", "future", "seed")):
        if name in table.column_names:
            table = table.drop_columns([name])
        column = pa.repeat(pa.scalar(record[name], RUN_SCHEMA.field(name).type), size)
        table = table.add_column(position, name, column)
    return table


def _run_part(folder: Path, key: str, columns: list[str] | None = None) -> pa.Table | None:
    path = folder / RESULTS / RUNS / f"{key}.parquet"
    try:
        found = pq.ParquetFile(path).read(columns=columns, use_threads=False)
    except (OSError, pa.ArrowException):  # missing, or cut off: the run counts as missing
        return None
    if columns is not None:
        return found if found.num_rows == 1 and found.column_names == columns else None
    # Parts of older versions may lack columns; they read as empty.
    columns = [found[f.name].cast(f.type) if f.name in found.column_names
               else pa.nulls(found.num_rows, f.type) for f in RUN_SCHEMA]
    return pa.Table.from_arrays(columns, schema=RUN_SCHEMA)


def _complete(folder: Path, key: str) -> bool:
    table = _run_part(folder, key, ["status", "tables"])
    if table is None or table["status"][0].as_py() != DONE:
        return False
    for name, size in json.loads(table["tables"][0].as_py() or "{}").items():
        part = folder / RESULTS / name / f"{key}.parquet"
        try:
            if part.stat().st_size != size:
                return False
        except OSError:
            return False
    return True


def _merge_into(source: Path, target: Path) -> None:
    """Move a file or folder, replacing files of the same name and keeping all others."""
    if source.is_dir() and target.is_dir():
        for item in source.iterdir():
            _merge_into(item, target / item.name)
        source.rmdir()
    elif target.exists():
        source.replace(target)
    else:
        shutil.move(source, target)

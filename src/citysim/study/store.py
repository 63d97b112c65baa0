"""The folder of a study: result parts, manifest, and nothing half written.

``results/<table>/<key>.parquet`` holds one part per run and table (``study/parts.py``), or
``results/<table>/all.parquet`` all of them (``study/compaction.py``). A part is written under a
temporary name, flushed to disk and renamed; the ``runs`` part comes last and marks the run
as complete. Results of another configuration found in the folder move to
``earlier/<study key>/`` with their manifest; runs that both share are linked, not run again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from citysim.config.errors import InputError
from citysim.study import compaction
from citysim.study.compaction import Compacted
from citysim.study.parts import (
    DONE,
    FAILED,
    MERGED,
    RESULTS,
    RUN_SCHEMA,
    RUNS,
    Holding,
    holding,
    part_path,
    present,
    stamped,
    write_atomically,
    write_parts,
)
from citysim.study.whole import write_text

__all__ = ["DONE", "FAILED", "OWN", "RESULTS", "RUN_SCHEMA", "RUNS", "SCRATCH", "Store"]

MANIFEST = "manifest.json"
DESIGN = "design.parquet"
MEASURES = "measures.csv"
EARLIER = "earlier"
SCRATCH = ".scratch"
LOCK = ".lock"
PRODUCTS = ("summary.csv", "costs.csv", MEASURES, DESIGN, "report.html", "figures", "analysis")
# Nothing else in the folder is touched.
OWN = (RESULTS, MANIFEST, *PRODUCTS)


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
        missing, found = set(keys), set()
        for place in (self.folder, *self._earlier()):
            if missing:
                found |= holding(place, missing).keys
                missing -= found
        return found

    def holds(self, study: str, names: Iterable[str]) -> bool:
        """Whether files of these names belong to a design, here or set aside."""
        place = self.folder if self.manifest.get("study_key") == study else \
            self.folder / EARLIER / study
        return all((place / name).exists() for name in names)

    def finished(self) -> Holding:
        """The finished runs of the present design, as they lie in the folder now."""
        return holding(self.folder, self._keys())

    def runs(self, keys: Iterable[str] | None = None):
        """The ``runs`` table as pandas: of the given keys, by default the manifest's.

        A run that ended well but whose parts are cut off or gone counts as missing.
        """
        keys = self._keys() if keys is None else list(keys)
        order = {key: position for position, key in enumerate(keys)}
        return holding(self.folder, keys).rows.to_pandas().sort_values(
            "key", key=lambda column: column.map(order), ignore_index=True)

    def read(self, table: str, columns: list[str] | None = None, filter=None):
        """One result table of all runs of this study that ended well, as pandas.

        Parameters
        ----------
        table
            ``outcomes``, ``daily``, ``places``, ``profile`` or ``events``.
        columns
            Columns to read; all when left out. Every table has ``key, scenario, future, seed``.
        filter
            A pyarrow.dataset expression that rows must meet.
        """
        return self.finished().read(table, columns, filter).to_pandas()

    def fingerprint(self, names: Iterable[str] = PRODUCTS) -> dict[str, str]:
        """SHA-256 of these files, and of every file in folders among them, by path.

        Names that are not there are left out.
        """
        found = {}
        for name in names:
            top = self.folder / name
            for path in [top] if top.is_file() else sorted(p for p in top.rglob("*")
                                                           if p.is_file()):
                with path.open("rb") as file:
                    found[path.relative_to(self.folder).as_posix()] = \
                        hashlib.file_digest(file, "sha256").hexdigest()
        return found

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
        strangers = set(present(self.folder)) - set(keys)
        if strangers or (old is not None and old != study):
            self._set_aside(old or "unknown")
            self._return(study)
        (self.folder / RESULTS / RUNS).mkdir(parents=True, exist_ok=True)
        here = holding(self.folder, keys)
        compaction.sweep(self.folder, set(here.merged))
        self._bring_back(set(keys) - here.keys)

    def write_run(self, record: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> None:
        """Write one run's parts; ``record`` (see ``RUN_SCHEMA``) last, as commit marker."""
        write_parts(self.folder, record, tables, lambda table: stamped(table, record))

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Replace the manifest in one go."""
        text = json.dumps(content, indent=2, ensure_ascii=False)
        write_text(self.folder / MANIFEST, f"{text}\n")

    def write_design(self, table: pa.Table) -> None:
        """Write ``design.parquet``: which factors each (scenario, future, sample) has."""
        write_atomically(self.folder / DESIGN, table)

    def write_measures(self, table: pa.Table) -> None:
        """Write ``measures.csv``: what each outcome is (``study/measures.py``)."""
        write_text(self.folder / MEASURES, table.to_pandas().to_csv(index=False))

    def compact(self) -> Compacted:
        """Merge the parts of finished runs into one file per table (``study/compaction.py``).

        Raises
        ------
        InputError
            If another process is writing here, or a part cannot be read.
        """
        with self.locked():
            return compaction.compact(self.folder)

    # --- inner -------------------------------------------------------------------

    def _keys(self) -> list[str]:
        return self.manifest.get("keys") or present(self.folder)

    def _earlier(self) -> list[Path]:
        return sorted(p for p in (self.folder / EARLIER).glob("*/") if p.is_dir())

    def _busy(self) -> InputError:
        return InputError("another citysim is writing to this folder",
                          where=f"output_dir {self.folder}",
                          allowed="wait for it to end, or choose another output_dir")

    def _set_aside(self, old: str) -> None:
        """Move everything that belongs to another design to ``earlier/<its key>``."""
        target, number = self.folder / EARLIER / old, 1
        while part_path(target, RUNS, MERGED).exists():  # never lay one compacted file on another
            number += 1
            target = target.with_name(f"{old}-{number}")
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

    def _bring_back(self, keys: set[str]) -> None:
        """Link runs from earlier configurations that share them."""
        for place in self._earlier():
            found = holding(place, keys)
            for key, tables in found.parts.items():
                for table in (*tables, RUNS):  # the marker last
                    compaction.link(part_path(place, table, key),
                                    part_path(self.folder, table, key))
            compaction.split(found, self.folder)
            keys = keys - found.keys


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

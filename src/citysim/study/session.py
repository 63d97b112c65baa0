"""One start of a study: from the lock being held to the last run's end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.study.design import Run, design_table, runs_of
from citysim.study.executor import execute
from citysim.study.manifest import manifest_of, now
from citysim.study.measures import measures_of
from citysim.study.program import Program, resolve
from citysim.study.replicates import more_seeds, reason
from citysim.study.store import DESIGN, DONE, SCRATCH, Store
from citysim.study.worker import ATTEMPTS, Record, Setup, save_world, world_path

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Progress:
    """News of a study under way.

    Attributes
    ----------
    phase
        ``city`` (being built), ``runs``, ``summary`` or ``report``.
    total, done, failed, kept
        Runs in the design; ended well, now or before; failed now; done by an earlier start.
    record
        The run that has just ended, as a row of the ``runs`` table.
    note
        Something to say beside the figures.
    """

    phase: str
    total: int
    done: int = 0
    failed: int = 0
    kept: int = 0
    record: dict[str, Any] | None = None
    note: str = ""


class Session:
    """The runs that one start carries out, and what becomes of them.

    Parameters
    ----------
    settings, runs, study
        The study's settings, the runs of its design, and its key.
    done
        Keys of the runs that are there already.
    store
        Its folder, which the caller holds the lock of from :meth:`begin` on.
    program
        The functions to drive.
    tell
        Called with news as they come.

    Attributes
    ----------
    world
        Of the study's own settings, where it was built; it is put away before the runs begin,
        so that the driver stays small.
    kept, ran
        Runs that an earlier start has done; runs that this one has ended, well or not.
    problems
        What went wrong beside single runs.
    stopped
        Whether results could not be written, so that the study was broken off.
    """

    def __init__(self, settings: Settings, runs: list[Run], study: str, done: set[str],
                 store: Store, program: Program, tell: Callable[[Progress], None]):
        self.settings, self.runs, self.study, self.store = settings, runs, study, store
        self.program, self._tell = program, tell
        self.world: Any = None
        self.kept, self.ran = len(done), 0
        self.problems: list[str] = []
        self.stopped = False
        self._done = set(done)
        self._failed: dict[str, Record] = {}
        self._unrecorded: list[Record] = []
        self._manifest: dict[str, Any] = {}

    def begin(self) -> None:
        """Make the folder ready and write down what is asked."""
        self.scratch = self.store.folder.absolute() / SCRATCH
        self.store.prepare(self.study, [run.key for run in self.runs])
        self._settle()
        if not self.store.holds(self.study, (DESIGN,)):
            self.store.write_design(design_table(self.settings))
        if self.world is not None:
            self.scratch.mkdir(exist_ok=True)
            save_world(self.world, world_path(self.settings, self.scratch))
            self.world = None

    def carry_out(self) -> None:
        """Run what is missing, and more seeds while the study's rule asks for them."""
        begin, status = time.perf_counter(), "interrupted"
        try:
            self._run_missing()
            while added := self._added_seeds():
                self.runs = runs_of(self.settings, [*self._manifest["seeds"], *added],
                                    self.program)
                self._settle()
                self._run_missing()
            status = "done" if len(self._done) == len(self.runs) else "failed"
        finally:
            self._manifest.update(status=status, finished=now(),
                                  seconds=round(time.perf_counter() - begin, 3))
            with contextlib.suppress(OSError):  # a full disk: told below
                self.store.write_manifest(self._manifest)

    def table(self) -> pd.DataFrame:
        """Rows of the ``runs`` table, failures that could not be written down included."""
        import pandas as pd

        written = self.store.runs([run.key for run in self.runs])
        rows = pd.DataFrame(self._unrecorded).reindex(columns=written.columns)
        if not len(rows):
            return written
        written = written[~written["key"].isin(rows["key"])]
        return pd.concat([written, rows.astype(written.dtypes)], ignore_index=True)

    def load_world(self) -> Any:
        """The world of the study's own settings."""
        return resolve(self.program.load_world)(world_path(self.settings, self.scratch))

    def sign(self) -> None:
        """Say what the measures are, and in the manifest which files there are, by content."""
        self.store.write_measures(measures_of(self.store.finished()))
        self._manifest["files"] = self.store.fingerprint()
        self.store.write_manifest(self._manifest)

    def tell_phase(self, phase: str, record: Record | None = None, note: str = "") -> None:
        """Pass on where things stand."""
        self._tell(Progress(phase, len(self.runs), len(self._done), len(self._failed), self.kept,
                            record, note))

    # --- inner -----------------------------------------------------------------------

    def _settle(self) -> None:
        """Make the present list of runs the folder's."""
        told = {name: self._manifest[name] for name in ("started", "replicates")
                if name in self._manifest}
        self._manifest = {**manifest_of(self.settings, self.runs), "study_key": self.study,
                          "seeds": list(dict.fromkeys(run.seed for run in self.runs)), **told}
        self.store.write_manifest(self._manifest)

    def _run_missing(self) -> None:
        missing = [run for run in self.runs if run.key not in self._done]
        if not missing:
            return
        self.scratch.mkdir(exist_ok=True)
        setup = Setup(self.program, self.settings, str(self.store.folder.absolute()),
                      str(self.scratch), self.study, self._manifest["code"])
        self.tell_phase("runs")
        lost = 0
        with contextlib.closing(execute(missing, setup, self.settings.executor,
                                        self.settings.jobs)) as records:
            for record in records:
                lost = lost + 1 if self._note(record) else 0
                self.tell_phase("runs", record)
                if lost >= ATTEMPTS or self._unrecorded:
                    return self._stop(record)

    def _note(self, record: Record) -> bool:
        """Take notice of a run that has ended; whether its results could not be written."""
        self.ran += 1
        if record["status"] == DONE:
            self._done.add(record["key"])
            return False
        self._failed[record["key"]] = record
        try:
            self.store.write_run(record, {})
        except OSError as error:
            record["error"] += f"\nand this could not be written down: {error}"
            self._unrecorded.append(record)
        return bool(record.get("unwritten"))

    def _stop(self, record: Record) -> None:
        """Break off: whatever else runs would be lost too."""
        self.stopped = True
        why = record["error"].strip().splitlines()[-1]
        left = len(self.runs) - len(self._done) - len(self._failed)
        self.problems.append(
            f"results cannot be written to {self.store.folder}: {why}\n"
            f"{left} runs were left; finished ones are kept, and once there is room the same "
            "command goes on from there")

    def _added_seeds(self) -> list[int]:
        """Seeds that the study's rule asks for now; notes in the manifest why it asks no more."""
        rule = self.settings.replicates
        if not rule or self.stopped:
            return []
        try:
            half, floor = resolve(self.program.half_width)(self.store.folder, rule["of"])
        except InputError as error:
            self.problems.append(f"no seeds were added: {error}")
            return []
        seeds, failed = self._manifest["seeds"], bool(self._failed)
        added = [] if failed else more_seeds(seeds, half, floor, rule)
        told = {**rule, "half_width": half if half < float("inf") else None, "floor": floor,
                "seeds": len(seeds)}
        if added:
            then = f"{len(added)} more seeds"
        else:
            then = told["stopped"] = reason(half, floor, failed, rule)
        self.tell_phase("runs", note=f"half width {half:.3g} with {len(seeds)} seeds, "
                        f"{rule['until_half_width']:g} wanted: {then}")
        self._manifest["replicates"] = told
        return added

"""Running a study: check, build the city once, run what is missing, sum up."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citysim.config.settings import Settings
from citysim.study.design import Run, runs_of, study_key
from citysim.study.executor import execute
from citysim.study.manifest import manifest_of, now
from citysim.study.program import Program, resolve
from citysim.study.store import DONE, SCRATCH, Store
from citysim.study.worker import Setup

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "summary.csv"
REPORT = "report.html"


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
    """

    phase: str
    total: int
    done: int = 0
    failed: int = 0
    kept: int = 0
    record: dict[str, Any] | None = None


@dataclass
class StudyResult:
    """What a study left behind.

    Attributes
    ----------
    folder
        Its output folder.
    runs
        The ``runs`` table: one row per run, failed ones with their traceback.
    summary
        Contrasts (also in ``summary.csv``), or ``None`` if they could not be made.
    report
        The report's path, or ``None``.
    problems
        What went wrong after the runs, in words; results are safe.
    kept
        Runs taken over from an earlier start.
    """

    folder: Path
    runs: pd.DataFrame
    summary: pd.DataFrame | None = None
    report: Path | None = None
    problems: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def failed(self) -> pd.DataFrame:
        """Runs that did not end well."""
        return self.runs[self.runs["status"] != DONE]

    @property
    def exit_status(self) -> int:
        """0 when every run and everything after them went well, else 1."""
        return int(len(self.failed) > 0 or bool(self.problems))


def run_study(settings: Settings, progress: Callable[[Progress], None] | None = None,
              program: Program | None = None) -> StudyResult:
    """Run every scenario with every seed, keep what was done before, write results and report.

    Parameters
    ----------
    settings
        Resolved settings of the study.
    progress
        Called with news as they come.
    program
        The functions to drive; the model's own by default.

    Returns
    -------
    StudyResult

    Raises
    ------
    InputError
        On bad input, an output folder that cannot be written or that another process is
        writing; nothing is written then.
    KeyboardInterrupt
        When interrupted; finished runs are kept and the next start goes on from there.
    """
    program, tell = program or Program(), progress or (lambda news: None)
    runs = check_study(settings, program)
    store = Store(settings.output_dir)
    store.refuse_if_unusable()
    missing = len(runs) - len(store.done(run.key for run in runs))
    world = None
    if missing or not store.holds(study_key(runs), (SUMMARY, REPORT)):
        # Built before the folder is made: a broken street file must leave nothing behind.
        tell(Progress("city", len(runs), len(runs) - missing, 0, len(runs) - missing))
        world = resolve(program.build_world)(settings)
    with store.locked():
        return _run_locked(settings, runs, store, world, program, tell)


def check_study(settings: Settings, program: Program | None = None) -> list[Run]:
    """The runs of a study after checking all of its settings.

    Raises
    ------
    InputError
        On settings that no run could be made from.
    """
    check = resolve((program or Program()).check)
    runs = runs_of(settings)
    for distinct in {id(run.settings): run.settings for run in runs}.values():
        check(distinct)
    return runs


def _run_locked(settings, runs, store, world, program, tell) -> StudyResult:
    keys = [run.key for run in runs]
    store.prepare(study_key(runs), keys)
    done = store.done(keys)
    missing = [run for run in runs if run.key not in done]
    manifest = manifest_of(settings, runs)
    store.write_manifest(manifest)
    begin, status = time.perf_counter(), "interrupted"
    try:
        fresh = _run_missing(settings, missing, store, world, program, tell, len(runs),
                             manifest)
        status = "failed" if len(done) + fresh < len(runs) else "done"
    finally:
        store.write_manifest({**manifest, "status": status, "finished": now(),
                              "seconds": round(time.perf_counter() - begin, 3)})
    result = StudyResult(store.folder, store.runs(keys), kept=len(done))
    if missing or world is not None:
        _sum_up(result, world, program, tell)
    else:
        _recall(result)
    return result


def _recall(result: StudyResult) -> None:
    """Summary and report as an earlier start left them, when there was nothing new to run."""
    import pandas as pd

    result.summary = pd.read_csv(result.folder / SUMMARY)
    result.report = result.folder / REPORT


def _run_missing(settings, missing, store, world, program, tell, total, manifest) -> int:
    """Carry out the missing runs; returns how many ended well."""
    kept = total - len(missing)
    if not missing:
        return 0
    worlds = _save_worlds(settings, missing, store, world, program)
    setup = Setup(program, str(store.folder.absolute()), manifest["study_key"],
                  manifest["code"], settings.threads, settings.time_limit_s, worlds)
    fresh = failed = 0
    tell(Progress("runs", total, kept, 0, kept))
    for record in execute(missing, setup, settings.executor["kind"], settings.jobs):
        if record["status"] == DONE:
            fresh += 1
        else:
            failed += 1
            store.write_run(record, {})
        tell(Progress("runs", total, kept + fresh, failed, kept, record))
    return fresh


def _save_worlds(settings, missing, store, world, program) -> dict[str, str]:
    """Each different world of the missing runs, saved once for the workers to load."""
    scratch = store.folder / SCRATCH
    scratch.mkdir(exist_ok=True)
    paths: dict[str, str] = {}
    own = settings.world_key()
    for run in missing:
        key = run.settings.world_key()
        if key in paths:
            continue
        ready = world is not None and key == own
        built = world if ready else resolve(program.build_world)(run.settings)
        path = scratch / f"world_{key}"
        built.save(path)
        paths[key] = str(path.absolute())
    return paths


def _sum_up(result: StudyResult, world, program, tell) -> None:
    """Contrasts and report; whatever fails here, the results are safe and it is said."""
    counts = (len(result.runs), int((result.runs["status"] == DONE).sum()), len(result.failed),
              result.kept)
    if counts[1] == 0:
        return
    try:
        tell(Progress("summary", *counts))
        result.summary = resolve(program.summarise)(result.folder)
        result.summary.to_csv(result.folder / SUMMARY, index=False)
    except Exception:
        result.problems.append("the summary failed:\n" + traceback.format_exc())
    try:
        tell(Progress("report", *counts))
        result.report = Path(resolve(program.write_report)(result.folder, world))
    except Exception:
        result.problems.append("the report failed:\n" + traceback.format_exc())

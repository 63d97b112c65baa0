"""Running a study: check, build the city once, run what is missing, sum up."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.study.design import Run, runs_of, samples_to_check, study_key
from citysim.study.executor import refuse_if_out_of_reach
from citysim.study.program import Program, resolve
from citysim.study.replicates import seeds_so_far
from citysim.study.session import Progress, Session
from citysim.study.store import DONE, Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Progress", "StudyResult", "check_study", "run_study"]

SUMMARY = "summary.csv"
REPORT = "report.html"


@dataclass
class StudyResult:
    """What a study left behind.

    Attributes
    ----------
    folder
        Its output folder.
    runs
        The ``runs`` table: one row per run that ended, failed ones with their traceback.
    total
        Runs in the design.
    summary
        Contrasts (also in ``summary.csv``), or ``None`` if they could not be made.
    report
        The report's path, or ``None``.
    problems
        What went wrong beside single runs, in words; finished runs are safe.
    kept
        Runs taken over from an earlier start.
    """

    folder: Path
    runs: pd.DataFrame
    total: int
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
        return int(len(self.failed) > 0 or len(self.runs) < self.total or bool(self.problems))


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
        writing, an executor out of reach; nothing is written then.
    KeyboardInterrupt
        When interrupted; finished runs are kept and the next start goes on from there.
    """
    program, tell = program or Program(), progress or (lambda news: None)
    runs = check_study(settings, program)
    store = Store(settings.output_dir)
    store.refuse_if_unusable()
    study = study_key(runs)
    seeds = seeds_so_far(settings, store.manifest, study)
    if len(seeds) > len(settings.seeds):
        runs = runs_of(settings, seeds, program)
    done = store.done(run.key for run in runs)
    missing = len(runs) - len(done)
    if missing:
        refuse_if_out_of_reach(settings.executor, settings.threads)
    session = Session(settings, runs, study, done, store, program, tell)
    if missing or not store.holds(study, (SUMMARY, REPORT)):
        # Built before the folder is made: a broken street file must leave nothing behind.
        tell(Progress("city", len(runs), len(done), 0, len(done)))
        session.world = resolve(program.build_world)(settings)
    with store.locked():
        return _run_locked(session)


def check_study(settings: Settings, program: Program | None = None) -> list[Run]:
    """The runs of a study after checking all of its settings.

    Raises
    ------
    InputError
        On settings that no run could be made from.
    """
    program = program or Program()
    check, runs = resolve(program.check), runs_of(settings, program=program)
    for distinct in samples_to_check(runs):
        check(distinct)
    return runs


def _run_locked(session: Session) -> StudyResult:
    fresh = session.world is not None
    try:
        session.begin()
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror or error}",
                         where=f"output_dir {session.store.folder}",
                         allowed="a folder that can be written, on a disk with room") from None
    session.carry_out()
    result = StudyResult(session.store.folder, session.table(), len(session.runs),
                         problems=session.problems, kept=session.kept)
    if not fresh and session.ran == 0:
        _recall(result)
    elif not session.stopped:
        _sum_up(result, session)
    return result


def _recall(result: StudyResult) -> None:
    """Summary and report as an earlier start left them, when there was nothing new to run."""
    import pandas as pd

    result.summary = pd.read_csv(result.folder / SUMMARY)
    result.report = result.folder / REPORT


def _sum_up(result: StudyResult, session: Session) -> None:
    """Contrasts and report; whatever fails here, the results are safe and it is said."""
    program = session.program
    if not (result.runs["status"] == DONE).any():
        return
    try:
        session.tell_phase("summary")
        result.summary = resolve(program.summarise)(result.folder)
        result.summary.to_csv(result.folder / SUMMARY, index=False)
    except Exception:
        result.problems.append("the summary failed:\n" + traceback.format_exc())
    try:
        session.tell_phase("report")
        result.report = Path(resolve(program.write_report)(result.folder, session.load_world()))
    except Exception:
        result.problems.append("the report failed:\n" + traceback.format_exc())
    try:
        session.sign()
    except Exception:
        result.problems.append("the files were not signed:\n" + traceback.format_exc())

"""The command ``run``."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

from rich.console import Console

from citysim.cli.progress import ProgressView, last_line, run_name
from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.study.program import Program, resolve
from citysim.study.run import StudyResult, run_study

if TYPE_CHECKING:
    from citysim.results import Results

_PLAIN_WIDTH = 140  # columns where there is no terminal to ask
_TERMINATED = 143
_MOST_REMARKS = 6


def run(words: list[str], config_path: str | None, program: Program | None = None) -> int:
    """Compose a study, run it, print the table; returns the exit status."""
    return run_settings(compose_study(words, config_path), program)


def run_settings(settings: Settings, program: Program | None = None) -> int:
    """Run a composed study with progress and final table; returns the exit status."""
    end_tidily_when_terminated()
    console, program = console_for(sys.stdout), program or Program()
    with ProgressView(console) as progress:
        result = run_study(settings, progress, program)
    show(result, console, program)
    return result.exit_status


def console_for(stream) -> Console:
    """A console as wide as the terminal, or wide enough where there is none."""
    console = Console(file=stream)
    return console if console.is_terminal else Console(file=stream, width=_PLAIN_WIDTH)


def show(result: StudyResult, console: Console, program: Program) -> None:
    """Print the final table, what failed, and where everything is."""
    if result.summary is not None and len(result.summary):
        try:
            console.print(resolve(program.main_table)(result.summary))
        except Exception as error:  # a table is no reason to lose the way to the results
            result.problems.append(f"the table failed: {error!r}")
    study = _opened(result)
    if study is not None:
        _say_what_intervals_hold(study, console)
    for row in result.failed.itertuples():
        console.print(f"failed: {run_name(row.scenario, row.future, row.seed)}: "
                      f"{last_line(row.error)}",
                      style="bold red", highlight=False, markup=False)
    for problem in result.problems:
        console.print(problem, style="red", highlight=False, markup=False)
    if study is not None:
        _show_remarks(study, console)
    done = len(result.runs) - len(result.failed)
    text = f"{done} of {result.total} runs done"
    if result.kept:
        text += f" ({result.kept} kept from an earlier start)"
    console.print(f"{text}; results in {result.folder}", highlight=False, soft_wrap=True)
    if result.report is not None:
        console.print(f"report: {result.report}", highlight=False, soft_wrap=True)


def _opened(result: StudyResult) -> Results | None:
    """The study's results; ``None`` where nothing was written of any run."""
    from citysim import results

    try:
        return results.open(result.folder)
    except InputError:
        return None


def _say_what_intervals_hold(study: Results, console: Console) -> None:
    from citysim.analysis.intervals import what_intervals_hold

    console.print(what_intervals_hold(study), highlight=False, markup=False, soft_wrap=True)


def _show_remarks(study: Results, console: Console) -> None:
    """Sentences on plans that reach no one or buy far more than was planned."""
    found = study.remarks()
    for scenario, note in found[:_MOST_REMARKS]:
        console.print(f"note: {scenario}: {note}", style="yellow", highlight=False, markup=False)
    if len(found) > _MOST_REMARKS:
        console.print(f"and {len(found) - _MOST_REMARKS} more notes: citysim results "
                      f"{study.folder} --sql \"select distinct scenario, note from notes\"",
                      style="yellow", highlight=False, markup=False)


def end_tidily_when_terminated() -> None:
    """Let a polite end of the process stop workers and mark the manifest."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(_TERMINATED))

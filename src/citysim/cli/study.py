"""The commands ``run`` and ``plan``."""

from __future__ import annotations

import signal
import sys
import threading

from rich.console import Console

from citysim.cli.progress import ProgressView, last_line
from citysim.config.compose import compose_study
from citysim.config.settings import Settings
from citysim.study.executor import cores
from citysim.study.program import Program, resolve
from citysim.study.run import StudyResult, check_study, run_study
from citysim.study.store import Store

_PLAIN_WIDTH = 140  # columns where there is no terminal to ask
_POINTS_SHOWN = 10
_TERMINATED = 143


def run(words: list[str], config_path: str | None, program: Program | None = None) -> int:
    """Compose a study, run it, print the table; returns the exit status."""
    return run_settings(compose_study(words, config_path), program)


def run_settings(settings: Settings, program: Program | None = None) -> int:
    """Run a composed study with progress and final table; returns the exit status."""
    _end_tidily_when_terminated()
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
    for row in result.failed.itertuples():
        console.print(f"failed: {row.scenario}, seed {row.seed}: {last_line(row.error)}",
                      style="bold red", highlight=False, markup=False)
    for problem in result.problems:
        console.print(problem, style="red", highlight=False, markup=False)
    done = len(result.runs) - len(result.failed)
    text = f"{done} of {len(result.runs)} runs done"
    if result.kept:
        text += f" ({result.kept} kept from an earlier start)"
    console.print(f"{text}; results in {result.folder}", highlight=False, soft_wrap=True)
    if result.report is not None:
        console.print(f"report: {result.report}", highlight=False, soft_wrap=True)


def plan(words: list[str], config_path: str | None, program: Program | None = None) -> int:
    """Print what a study would run, without running or writing anything."""
    settings = compose_study(words, config_path)
    runs = check_study(settings, program)
    done = Store(settings.output_dir).done(r.key for r in runs)
    scenarios = list(dict.fromkeys(r.scenario.name for r in runs))
    jobs = settings.jobs or max(1, cores() // settings.threads)
    print(f"study {settings.name}: {len(scenarios)} scenarios x {len(settings.seeds)} seeds "
          f"= {len(runs)} runs of {settings.warmup_days} + {settings.days} days, "
          f"{jobs} at a time")
    if done:
        print(f"{len(done)} of them are done already in {settings.output_dir}")
    print("scenarios: " + ", ".join(scenarios))
    print(f"first runs ({min(len(runs), _POINTS_SHOWN)} of {len(runs)}):")
    for item in runs[:_POINTS_SHOWN]:
        state = "done" if item.key in done else "to do"
        changes = "".join(f" {k}={v}" for k, v in item.scenario.set.items())
        print(f"  {item.key}  {item.scenario.name}, seed {item.seed}{changes}  {state}")
    return 0


def _end_tidily_when_terminated() -> None:
    """Let a polite end of the process stop workers and mark the manifest."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(_TERMINATED))

"""The command ``status``."""

from __future__ import annotations

import datetime
import sys

from rich.console import Console
from rich.table import Table

from citysim.cli.progress import last_line, run_name
from citysim.cli.study import console_for
from citysim.config.errors import InputError
from citysim.study.status import RUNNING, Status, read_status
from citysim.study.store import DONE

_MOST_SCENARIOS = 20  # beyond them a list would hide the rest
_MOST_FAILURES = 20


def status(words: list[str]) -> int:
    """Print how the study in a folder stands; returns the exit status.

    Returns
    -------
    int
        0 if it is done or running, 1 if it failed or was interrupted.
    """
    if len(words) != 1:
        raise InputError("status wants one folder", where="citysim status",
                         allowed="the output folder of a study")
    found = read_status(words[0])
    console = console_for(sys.stdout)
    for text in _facts(found):
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    if 1 < len(found.scenarios) <= _MOST_SCENARIOS:
        _print_scenarios(found, console)
    _print_failures(found, console)
    return 0 if found.status in (DONE, RUNNING) else 1


def _facts(found: Status):
    since = f" since {found.started.isoformat(sep=' ', timespec='seconds')}" \
        if found.started is not None and found.status == RUNNING else ""
    yield f"study {found.name}: {found.status}{since}"
    yield (f"{found.total} runs: {found.done} done, {found.failed} failed, {found.left} left; "
           f"in {found.folder}")
    if found.seconds is not None:
        pace = f"{found.seconds:.3g} s a run"
        if found.seconds_left is not None:
            left = datetime.timedelta(seconds=round(found.seconds_left))
            pace += f", about {left} left"
        yield pace
    for key, name, state, done in found.earlier:
        yield f"another design kept in earlier/{key}: {name}, {state}, {done} runs"


def _print_scenarios(found: Status, console: Console) -> None:
    table = Table("scenario", "done", "failed", "left", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in found.scenarios:
        table.add_row(row.scenario, str(row.done), str(row.failed),
                      str(row.total - row.done - row.failed))
    console.print(table)


def _print_failures(found: Status, console: Console) -> None:
    for scenario, future, seed, error in found.failures[:_MOST_FAILURES]:
        console.print(f"failed: {run_name(scenario, future, seed)}: {last_line(error)}",
                      style="bold red", highlight=False, markup=False, soft_wrap=True)
    more = len(found.failures) - _MOST_FAILURES
    if more > 0:
        console.print(f"and {more} more")

"""Carrying out one run, in whatever process: load its world, simulate, write its parts.

Top-level imports stay light: the limits on threads must be set before numpy and numba load.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citysim.study.program import Program, resolve

if TYPE_CHECKING:
    from citysim.config.settings import Settings
    from citysim.study.design import Run, Scenario

ATTEMPTS = 3  # a run whose worker dies is given this many workers in all
GRACE = 10.0  # seconds that a run past its limit gets to stop by itself
_THREAD_LIMITS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                  "MKL_NUM_THREADS")
_PACKAGES = ("citysim", "numpy", "numba", "mesa")

Record = dict[str, Any]


class PastTimeLimit(BaseException):
    """A run took too long; not an ``Exception``, so that no model code swallows it."""


@dataclass(frozen=True)
class Setup:
    """What every run of a study shares; sent to each worker once.

    Parameters
    ----------
    program
        The functions to call.
    settings
        The study's settings, without what single scenarios set.
    folder
        Folder of the study's store, absolute.
    scratch
        Folder for the worlds, which the driver has made.
    study
        Key of the study's design.
    code
        Hash of the source files, as the driver found them.
    """

    program: Program
    settings: Settings
    folder: str
    scratch: str
    study: str
    code: str = ""


@dataclass(frozen=True)
class Task:
    """What a worker must be told of one run: little, for there may be many thousands."""

    key: str
    scenario: Scenario
    seed: int

    @classmethod
    def of(cls, run: Run) -> Task:
        """The run without its settings, which follow from the study's and the scenario's."""
        return cls(run.key, run.scenario, run.seed)


def perform(task: Task, setup: Setup, attempt: int = 1,
            started: Callable[[], None] = lambda: None) -> Record:
    """Carry out one run and write its parts.

    Parameters
    ----------
    task
        What to simulate.
    setup
        What all runs share.
    attempt
        How many workers have taken this run, this one included.
    started
        Called when the world is loaded and the clock of the time limit starts.

    Returns
    -------
    dict
        The run's row of the ``runs`` table; ``status`` is ``failed`` with the traceback in
        ``error`` when it raised or took too long. A further entry ``unwritten`` is true when
        the run went well and its results could not be written.
    """
    record = blank_record(task, setup, attempt)
    limit = setup.settings.time_limit_s
    begin = time.perf_counter()
    try:
        # What a run needs is imported before the clock of its limit starts: on a busy machine
        # that takes seconds. pyarrow would import pandas with the first array.
        import pandas  # noqa: F401

        from citysim.study.store import Store

        simulate = resolve(setup.program.simulate)
        settings = setup.settings.replace(task.scenario.set) if task.scenario.set \
            else setup.settings
        world = _world(settings, setup)
        started()
        with _time_limit(limit):
            tables = simulate(settings=settings, scenario=task.scenario, seed=task.seed,
                              world=world)
        record.update(status="done", seconds=time.perf_counter() - begin)
        _write(Store(setup.folder), record, tables)
    except PastTimeLimit:
        record.update(status="failed", error=f"past its time limit of {limit:g} s\n"
                      + traceback.format_exc())
    except Exception:  # whatever a run raises, the others go on
        record.update(status="failed", error=traceback.format_exc())
    record["seconds"] = time.perf_counter() - begin
    return record


def _write(store, record: Record, tables) -> None:
    try:
        store.write_run(record, tables)
    except OSError:
        record["unwritten"] = True
        raise


def blank_record(task: Task, setup: Setup, attempt: int = 1, error: str = "") -> Record:
    """A row of the ``runs`` table before the run: identity, parameters, versions."""
    scenario = task.scenario
    parameters = {"policies": list(scenario.policies), "set": scenario.set,
                  "budget": scenario.set.get("budget", setup.settings.budget)}
    return {"key": task.key, "scenario": scenario.name, "future": scenario.future,
            "seed": task.seed, "status": "failed", "seconds": 0.0, "attempts": attempt,
            "parameters": json.dumps(parameters), "error": error,
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"), "study": setup.study,
            "code": setup.code, **versions()}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that carry the numbers."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def limit_threads(threads: int) -> None:
    """Keep numerical libraries that are not loaded yet to so many threads."""
    for name in _THREAD_LIMITS:
        os.environ[name] = str(threads)


# --- worlds --------------------------------------------------------------------------

_loaded: dict[Path, Any] = {}


def world_path(settings: Settings, scratch: str | Path) -> Path:
    """Where the world of these settings is kept while the study runs."""
    return Path(scratch) / f"world_{settings.world_key()}"


def save_world(world: Any, path: Path) -> None:
    """Save a world so that other processes see it whole or not at all."""
    temporary = path.with_name(f"{path.name}.part")
    world.save(temporary)
    temporary.replace(path)


def _world(settings: Settings, setup: Setup) -> Any:
    """The world of a run, kept in memory while runs keep asking for it."""
    path = world_path(settings, setup.scratch)
    if path not in _loaded:
        _loaded.clear()
        if not path.exists():
            _build(settings, setup, path)
        _loaded[path] = resolve(setup.program.load_world)(path)
    return _loaded[path]


def _build(settings: Settings, setup: Setup, path: Path) -> None:
    """Build a world that none has needed so far; other workers wait for it here."""
    from filelock import FileLock

    if not path.parent.is_dir():
        raise FileNotFoundError(f"{platform.node()} does not see {path.parent}: all machines of "
                                "a study need its output folder under the same path")
    with FileLock(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            save_world(resolve(setup.program.build_world)(settings), path)


def forget_worlds() -> None:
    """Let go of the loaded world (runs inside the driver's own process)."""
    _loaded.clear()


# --- time ----------------------------------------------------------------------------


@contextlib.contextmanager
def _time_limit(seconds: float | None):
    """Raise :class:`PastTimeLimit` after so many seconds, where signals allow it."""
    usable = hasattr(signal, "setitimer") and \
        threading.current_thread() is threading.main_thread()
    if seconds is None or not usable:
        yield
        return

    def stop(signum, frame):
        raise PastTimeLimit

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

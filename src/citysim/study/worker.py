"""One worker process: waits for runs, carries them out, reports back.

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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from citysim.study.program import Program, resolve

if TYPE_CHECKING:
    from citysim.study.design import Run

_THREAD_LIMITS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                  "MKL_NUM_THREADS")
_PACKAGES = ("citysim", "numpy", "numba", "mesa")


class PastTimeLimit(BaseException):
    """A run took too long; not an ``Exception``, so that no model code swallows it."""


@dataclass(frozen=True)
class Setup:
    """What every run of a study shares.

    Parameters
    ----------
    program
        The functions to call.
    folder
        Folder of the study's store.
    study
        Key of the study's design.
    code
        Hash of the source files, as the driver found them.
    threads
        Threads of one run.
    time_limit
        Seconds, or ``None``.
    worlds
        Saved world by world key.
    """

    program: Program
    folder: str
    study: str
    code: str = ""
    threads: int = 1
    time_limit: float | None = None
    worlds: dict[str, str] = field(default_factory=dict)


def serve(pipe: Any, setup: Setup) -> None:
    """Main loop of a worker process: takes runs from ``pipe`` until it is told to stop."""
    _leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what an interrupt means
    for name in _THREAD_LIMITS:
        os.environ[name] = str(setup.threads)
    pipe.send(("ready", None))
    while True:
        try:
            run, attempt = pipe.recv()
        except EOFError:
            return
        if run is None:
            return
        record = perform(run, setup, attempt, lambda: pipe.send(("started", None)))
        pipe.send(("finished", record))


def perform(run: Run, setup: Setup, attempt: int = 1,
            started: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Carry out one run and write its parts.

    Parameters
    ----------
    run
        What to simulate.
    setup
        What all runs share.
    attempt
        How many workers have taken this run, this one included.
    started
        Called when the city is loaded and the clock of the time limit starts.

    Returns
    -------
    dict
        The run's row of the ``runs`` table; ``status`` is ``failed`` with the traceback in
        ``error`` when it raised or took too long (nothing is written then).
    """
    record = blank_record(run, setup, attempt)
    begin = time.perf_counter()
    try:
        world = _world(setup.program.load_world, setup.worlds[run.settings.world_key()])
        simulate = resolve(setup.program.simulate)
        started()
        with _time_limit(setup.time_limit):
            tables = simulate(settings=run.settings, scenario=run.scenario, seed=run.seed,
                              world=world)
        record.update(status="done", seconds=time.perf_counter() - begin)
        from citysim.study.store import Store

        Store(setup.folder).write_run(record, tables)
    except PastTimeLimit:
        record.update(status="failed", error=f"past its time limit of {setup.time_limit:g} s\n"
                      + traceback.format_exc())
    except Exception:  # whatever a run raises, the others go on
        record.update(status="failed", error=traceback.format_exc())
    record["seconds"] = time.perf_counter() - begin
    return record


def blank_record(run: Run, setup: Setup, attempt: int = 1) -> dict[str, Any]:
    """A row of the ``runs`` table before the run: identity, parameters, versions."""
    parameters = {"policies": list(run.scenario.policies), "set": run.scenario.set,
                  "budget": run.settings.budget}
    return {"key": run.key, "scenario": run.scenario.name,
            "future": run.scenario.future, "seed": run.seed, "status": "failed",
            "seconds": 0.0, "attempts": attempt, "parameters": json.dumps(parameters), "error": "",
            "started": datetime.now(UTC).isoformat(timespec="seconds"), "study": setup.study,
            "code": setup.code, **versions()}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that carry the numbers."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


_loaded: dict[str, Any] = {}


def _world(load: str, path: str) -> Any:
    """The world saved at ``path``, kept in memory while runs keep asking for it."""
    if path not in _loaded:
        _loaded.clear()
        _loaded[path] = resolve(load)(path)
    return _loaded[path]


def forget_worlds() -> None:
    """Let go of the loaded world (runs inside the driver's own process)."""
    _loaded.clear()


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


def _leave_with_parent() -> None:
    """End this process when the driver is gone, however it went."""
    import multiprocessing
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch():
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()

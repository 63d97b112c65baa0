"""Runs on Ray: one task is one run. Placement, retries and spill are Ray's.

Workers on any machine of the cluster load worlds from the study's folder and write their parts
into it, so that folder is shared; what comes back through Ray is only the row of each run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from citysim.config.errors import InputError
from citysim.study.design import Run, code_hash
from citysim.study.local import past_limit
from citysim.study.worker import (
    ATTEMPTS,
    GRACE,
    Record,
    Setup,
    Task,
    blank_record,
    limit_threads,
    perform,
)

WHERE = "executor.address"
_AHEAD = 1000  # tasks that Ray holds at a time, unless the study says jobs=N
_PATIENCE = 60.0  # seconds that a cluster gets to answer
_KNOCK = 5.0  # seconds that an address gets to accept a connection
_QUIET = {"logging_level": logging.ERROR, "log_to_driver": False}
# Asked of a process of its own: Ray ends the process that cannot reach its cluster.
_LARGEST_NODE = """
import json, logging, sys
import ray
ray.init(address=sys.argv[1], logging_level=logging.ERROR, log_to_driver=False)
print(json.dumps(max(n["Resources"].get("CPU", 0) for n in ray.nodes() if n["Alive"])))
"""


def ray_records(runs: Sequence[Run], setup: Setup, address: str | None,
                jobs: int | None) -> Iterator[Record]:
    """Carry out runs as tasks of Ray and yield a record of each as it ends.

    Parameters
    ----------
    runs, setup
        As for :func:`citysim.study.executor.execute`.
    address
        Of a cluster that this machine belongs to; ``None`` starts Ray here and stops it at
        the end.
    jobs
        Runs at a time; ``None`` leaves it to Ray.
    """
    ray, ours = _start(address, jobs, setup.settings.threads)
    held: dict = {}
    try:
        carry_out = ray.remote(num_cpus=setup.settings.threads, max_retries=ATTEMPTS - 1)(
            _carry_out)
        shared, waiting = ray.put(setup), map(Task.of, runs)
        while True:
            for task in islice(waiting, (jobs or _AHEAD) - len(held)):
                held[carry_out.remote(task, shared)] = task
            if not held:
                return
            ray.wait(list(held), num_returns=1)
            ready, _ = ray.wait(list(held), num_returns=len(held), timeout=0)
            for ref in ready:
                yield _record(ray, ref, held.pop(ref), setup)
    finally:
        for ref in held:
            with contextlib.suppress(Exception):  # the cluster may be what has gone
                ray.cancel(ref, force=True)
        if ours:
            ray.shutdown()


def refuse_if_no_cluster(address: str | None, threads: int) -> None:
    """Raise ``InputError`` if Ray is not installed or no cluster answers that can hold a run."""
    if importlib.util.find_spec("ray") is None:
        raise InputError("Ray is not installed", where="executor.kind",
                         allowed="executor=local, or install the extra 'ray': "
                                 "pip install 'citysim[ray]'")
    if address is None:
        return
    _knock(address)
    try:
        asked = subprocess.run([sys.executable, "-c", _LARGEST_NODE, address],
                               capture_output=True, text=True, timeout=_PATIENCE,
                               env={**os.environ, **_environment()}, check=False)
    except subprocess.TimeoutExpired:
        raise _no_cluster(address, f"no answer in {_PATIENCE:g} s") from None
    if asked.returncode:
        raise _no_cluster(address, _reason(asked.stderr))
    largest = json.loads(asked.stdout.splitlines()[-1])
    if largest < threads:
        raise InputError(f"no machine of the cluster has {threads} cores", where="threads",
                         allowed=f"1 to {largest:g}")


def _knock(address: str) -> None:
    """Refuse at once what nothing listens at; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdigit():
        raise InputError(f"{address!r} is not an address", where=WHERE,
                         allowed="host:port, auto, or null")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, getattr(error, "strerror", None) or str(error)) from None


def _no_cluster(address: str, why: str) -> InputError:
    return InputError(f"no Ray cluster answers at {address} ({why})", where=WHERE,
                      allowed="host:port of a cluster that this machine has joined, auto, or "
                              "null for Ray on this machine alone; see docs/scaling.md")


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no reason given"


def _environment() -> dict[str, str]:
    """Ray's own switches, unless the user has set them."""
    ours = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # machines have citysim installed
            "RAY_USAGE_STATS_ENABLED": "0"}
    return {name: value for name, value in ours.items() if name not in os.environ}


def _start(address: str | None, jobs: int | None, threads: int):
    """Ray, connected; and whether it is this study's to stop."""
    os.environ.update(_environment())
    if address is None:
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray's default, without its notice
    import ray

    if ray.is_initialized():
        return ray, False
    if address is not None:
        ray.init(address=address, **_QUIET)
    else:
        size = None if jobs is None else jobs * threads
        ray.init(address="local", num_cpus=size, include_dashboard=False, **_QUIET)
    return ray, True


def _record(ray, ref, task: Task, setup: Setup) -> Record:
    try:
        return ray.get(ref)
    except ray.exceptions.RayError as error:  # its workers died, or could not be set up
        why = f"Ray gave the run up after {ATTEMPTS} workers at most:\n{error}"
        return blank_record(task, setup, ATTEMPTS, why)


# --- in Ray's workers ----------------------------------------------------------------


def _carry_out(task: Task, setup: Setup) -> Record:
    limit_threads(setup.settings.threads)
    if code_hash() != setup.code:
        return blank_record(task, setup, 1, f"{platform.node()} has another version of "
                            "citysim's code than the machine that started the study")
    marks = Path(setup.scratch) / f"attempts_{task.key}"
    hung = marks.with_suffix(".hung")
    attempt = _count(marks)
    if hung.exists():
        return blank_record(task, setup, attempt - 1, past_limit(setup))
    with contextlib.ExitStack() as stack:
        def started():
            limit = setup.settings.time_limit_s
            if limit is not None:
                watch = threading.Timer(limit + GRACE, _give_up, [hung])
                watch.daemon = True
                watch.start()
                stack.callback(watch.cancel)

        return perform(task, setup, attempt, started)


def _count(marks: Path) -> int:
    """How many workers have taken a run, this one included: each leaves a byte."""
    if not marks.parent.is_dir():
        return 1  # not this study's folder; loading the world will say so
    with marks.open("ab") as file:
        file.write(b".")
    return marks.stat().st_size


def _give_up(hung: Path) -> None:
    """End a worker whose run does not heed its limit; the mark keeps Ray from trying again."""
    hung.touch()
    os._exit(1)

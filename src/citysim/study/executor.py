"""Who carries out the runs: worker processes here, this process, or Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from citysim.study.design import Run
from citysim.study.worker import Record, Setup, Task, forget_worlds, perform


def execute(runs: Sequence[Run], setup: Setup, executor: Mapping[str, Any],
            jobs: int | None) -> Iterator[Record]:
    """Carry out runs and yield a record of each as it ends, in the order of ending.

    Closing the iterator early stops what is under way and leaves no process behind.

    Parameters
    ----------
    runs
        What to do; the first is started first.
    setup
        What all runs share.
    executor
        ``kind``: ``local`` (worker processes), ``serial`` (this process) or ``ray``; with Ray
        the ``address`` of a cluster, or ``None`` for one of its own on this machine.
    jobs
        Runs at a time; ``None`` takes as many as cores allow with the threads of each.
    """
    kind, threads = executor["kind"], setup.settings.threads
    if kind == "serial":
        return _serial(runs, setup)
    if kind == "ray":
        from citysim.study.ray_executor import ray_records

        return ray_records(runs, setup, executor.get("address"), jobs)
    from citysim.study.local import Pool

    if jobs is None:
        jobs = max(1, cores() // threads)
    return Pool(runs, setup, min(jobs, len(runs))).records()


def refuse_if_out_of_reach(executor: Mapping[str, Any], threads: int) -> None:
    """Raise ``InputError`` when the executor cannot be had; nothing is written or started.

    Parameters
    ----------
    executor
        As for :func:`execute`.
    threads
        Threads of one run.
    """
    if executor["kind"] == "ray":
        from citysim.study.ray_executor import refuse_if_no_cluster

        refuse_if_no_cluster(executor.get("address"), threads)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serial(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    try:
        for run in runs:
            yield perform(Task.of(run), setup)
    finally:
        forget_worlds()

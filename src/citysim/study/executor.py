"""Carrying out runs: worker processes on this machine, or one by one in this process.

Each worker is a spawned process with a pipe of its own, not a member of a shared pool: so a
worker that is killed, or has to be killed, takes down only the run that it holds, and it is
known which one that was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from citysim.study.design import Run
from citysim.study.worker import Setup, blank_record, forget_worlds, perform, serve

ATTEMPTS = 3  # a run whose worker dies is given this many workers in all
_GRACE = 10.0  # seconds that a run past its limit gets to stop by itself
_GOODBYE = 2.0  # seconds that an idle worker gets to leave

Record = dict[str, Any]


class WorkersDoNotStart(RuntimeError):
    """Workers die before they take a run: the fault is not in any run."""


def execute(runs: Sequence[Run], setup: Setup, kind: str, jobs: int | None) -> Iterator[Record]:
    """Carry out runs and yield a record of each as it ends, in the order of ending.

    Parameters
    ----------
    runs
        What to do; the first is started first.
    setup
        What all runs share.
    kind
        ``local`` (worker processes) or ``serial`` (this process).
    jobs
        Runs at a time; ``None`` takes as many as cores allow with the threads of each.
    """
    if kind == "serial":
        return _serial(runs, setup)
    if jobs is None:
        jobs = max(1, cores() // setup.threads)
    return _Pool(runs, setup, min(jobs, len(runs))).records()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serial(runs, setup):
    try:
        for run in runs:
            yield perform(run, setup)
    finally:
        forget_worlds()


@dataclass
class _Job:
    run: Run
    attempts: int = 0


class _Worker:
    """A process, its pipe, and the run it holds."""

    def __init__(self, context, setup: Setup):
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.job: _Job | None = None
        self.ready = False
        self.deadline: float | None = None

    def take(self, job: _Job) -> None:
        """Send the worker a run."""
        job.attempts += 1
        self.job, self.deadline = job, None
        self.pipe.send((job.run, job.attempts))

    def end(self, patience: float = 0.0) -> None:
        """Stop the process: at once, or after ``patience`` seconds if it does not leave."""
        if patience:
            try:
                self.pipe.send((None, 0))
            except OSError:
                patience = 0.0
            self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool:
    """Hands runs to workers and replaces workers that die."""

    def __init__(self, runs: Sequence[Run], setup: Setup, size: int):
        self.context = multiprocessing.get_context("spawn")
        self.setup, self.size = setup, size
        self.pending = deque(_Job(run) for run in runs)
        self.workers: list[_Worker] = []
        self.stillborn = 0

    def records(self) -> Iterator[Record]:
        """Records of all runs as they end; leaves no worker behind, however it ends."""
        done = False
        try:
            while self.pending or any(w.job for w in self.workers):
                self._hand_out()
                yield from self._collect()
            done = True
        finally:
            for worker in self.workers:
                worker.end(_GOODBYE if done else 0.0)

    def _hand_out(self) -> None:
        for worker in [w for w in self.workers if w.job is None]:
            if not worker.process.is_alive():
                self._drop(worker)
        while self.pending:
            idle = next((w for w in self.workers if w.job is None), None)
            if idle is None:
                if len(self.workers) >= self.size:
                    return
                idle = _Worker(self.context, self.setup)
                self.workers.append(idle)
            job = self.pending.popleft()
            try:
                idle.take(job)
            except OSError:  # it died between two runs; the run has not begun
                job.attempts -= 1
                self.pending.appendleft(job)
                self._drop(idle)

    def _collect(self) -> Iterator[Record]:
        busy = [w for w in self.workers if w.job]
        deadlines = [w.deadline for w in busy if w.deadline is not None]
        patience = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        wait([x for w in busy for x in (w.pipe, w.process.sentinel)], patience)
        for worker in busy:
            record = self._hear(worker)
            if record is not None:
                yield record

    def _hear(self, worker: _Worker) -> Record | None:
        """What a worker has to say; deals with its death and with its delay."""
        try:
            if worker.pipe.poll():
                return self._message(worker, *worker.pipe.recv())
            if not worker.process.is_alive():
                return self._died(worker)
        except (EOFError, OSError):
            return self._died(worker)
        if worker.deadline is not None and time.monotonic() > worker.deadline:
            return self._hangs(worker)
        return None

    def _message(self, worker: _Worker, kind: str, record: Record | None) -> Record | None:
        self.stillborn = 0
        worker.ready = True
        if kind == "started" and self.setup.time_limit is not None:
            worker.deadline = time.monotonic() + self.setup.time_limit + _GRACE
        if kind != "finished":
            return None
        worker.job, worker.deadline = None, None
        return record

    def _died(self, worker: _Worker) -> Record | None:
        job = worker.job
        self._drop(worker)
        code = worker.process.exitcode
        if not worker.ready:
            self.stillborn += 1
            if self.stillborn >= ATTEMPTS:
                raise WorkersDoNotStart(
                    f"worker processes end before their first run (exit code {code}); a script "
                    "that starts a study must do so under: if __name__ == '__main__'")
        if job.attempts < ATTEMPTS:
            self.pending.appendleft(job)
            return None
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return self._failed(job, f"its worker process died {job.attempts} times ({how})")

    def _hangs(self, worker: _Worker) -> Record:
        job = worker.job
        self._drop(worker)
        return self._failed(job, f"past its time limit of {self.setup.time_limit:g} s; "
                                 "its worker had to be killed")

    def _failed(self, job: _Job, why: str) -> Record:
        return {**blank_record(job.run, self.setup, job.attempts), "error": why}

    def _drop(self, worker: _Worker) -> None:
        worker.end()
        self.workers.remove(worker)

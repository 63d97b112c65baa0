"""Runs on worker processes of this machine.

Each worker is a spawned process with a pipe of its own, not a member of a shared pool: so a
worker that is killed, or has to be killed, takes down only the run that it holds, and it is
known which one that was. Studies one behind the other can hand their workers on
(:func:`kept_workers`): what a process imports and compiles for its first run is there for all.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from citysim.study.design import Run
from citysim.study.worker import (
    ATTEMPTS,
    GRACE,
    Record,
    Setup,
    Task,
    blank_record,
    forget_worlds,
    limit_threads,
    perform,
)

_GOODBYE = 2.0  # seconds that an idle worker gets to leave


class WorkersDoNotStart(RuntimeError):
    """Workers die before they take a run: the fault is not in any run."""


def serve(pipe: Any, setup: Setup) -> None:
    """Main loop of a worker process: takes runs from ``pipe`` until it is told to stop.

    A setup instead of a run is that of the study that the runs to come belong to; worlds of the
    one before are forgotten, since files of the same name may hold others now.
    """
    _leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what an interrupt means
    limit_threads(setup.settings.threads)
    pipe.send(("ready", None))
    while True:
        try:
            task, attempt = pipe.recv()
        except EOFError:
            return
        if task is None:
            return
        if isinstance(task, Setup):
            setup = task
            forget_worlds()
            continue
        record = perform(task, setup, attempt, lambda: pipe.send(("started", None)))
        pipe.send(("finished", record))


def _leave_with_parent() -> None:
    """End this process when the driver is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch():
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


@dataclass
class _Job:
    task: Task
    group: tuple  # runs of one group share their world and warm-up
    attempts: int = 0


class Queue:
    """Jobs that wait, by groups of one world, future and seed, whose runs share a warm-up.

    A worker keeps its latest warm-up; so it is given more of its own group while there is any,
    then a group that no other worker is at, then whatever is left.
    """

    def __init__(self, runs: Sequence[Run]):
        self._groups: dict[tuple, deque[_Job]] = {}
        worlds: dict[int, str] = {}
        for run in runs:
            if id(run.settings) not in worlds:
                worlds[id(run.settings)] = run.settings.world_key()
            group = (worlds[id(run.settings)], run.scenario.future, run.seed)
            self._groups.setdefault(group, deque()).append(_Job(Task.of(run), group))

    def __bool__(self) -> bool:
        return bool(self._groups)

    def take(self, own: tuple | None, held: set[tuple]) -> _Job:
        """The next job for a worker whose last group was ``own``; others are at ``held``."""
        group = own
        if own not in self._groups:
            free = (g for g in self._groups if g not in held)
            group = next(free, None) or next(iter(self._groups))
        jobs = self._groups[group]
        job = jobs.popleft()
        if not jobs:
            del self._groups[group]
        return job

    def put_back(self, job: _Job) -> None:
        """A job that must be done again is the next of its group."""
        self._groups.setdefault(job.group, deque()).appendleft(job)


class _Worker:
    """A process, its pipe, and the run it holds."""

    def __init__(self, context, setup: Setup):
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.made_for = _circumstances(setup)
        self.job: _Job | None = None
        self.group: tuple | None = None
        self.ready = False
        self.deadline: float | None = None

    def take(self, job: _Job) -> None:
        """Send the worker a run."""
        job.attempts += 1
        self.job, self.group, self.deadline = job, job.group, None
        self.pipe.send((job.task, job.attempts))

    def join(self, setup: Setup) -> bool:
        """Go over to another study; whether the worker can and lives."""
        if _circumstances(setup) != self.made_for or not self.process.is_alive():
            return False
        self.group = None
        try:
            self.pipe.send((setup, 0))
        except OSError:
            return False
        return True

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


def _circumstances(setup: Setup) -> tuple:
    """What a process takes over as it starts and keeps."""
    return setup.settings.threads, Path.cwd()


_kept: list[_Worker] | None = None  # idle workers for the next study, within `kept_workers`


@contextmanager
def kept_workers() -> Iterator[None]:
    """Within it, studies that end well leave their workers to the next one.

    For many small studies of one command: a process takes seconds to import what it needs and to
    load its kernels.
    """
    global _kept
    if _kept is not None:  # an outer one keeps them
        yield
        return
    _kept = []
    try:
        yield
    finally:
        mine, _kept = _kept, None
        try:
            for worker in mine:
                worker.end(_GOODBYE)
        finally:  # an interrupt while they take their leave
            for worker in mine:
                if worker.process.is_alive():
                    worker.process.kill()


class Pool:
    """Hands runs to workers and replaces workers that die.

    Parameters
    ----------
    runs
        What to do.
    setup
        What all runs share.
    size
        Workers at most.
    """

    def __init__(self, runs: Sequence[Run], setup: Setup, size: int):
        self.context = multiprocessing.get_context("spawn")
        self.setup, self.size = setup, size
        self.queue = Queue(runs)
        self.workers: list[_Worker] = []
        self.stillborn = 0
        self.takes_over = True  # workers of earlier studies, until one of this study dies

    def records(self) -> Iterator[Record]:
        """Records of all runs as they end.

        Leaves no worker behind, however it ends, but for those that :func:`kept_workers` takes.
        """
        done = False
        try:
            while self.queue or any(w.job for w in self.workers):
                self._hand_out()
                yield from self._collect()
            done = True
        finally:
            if done and _kept is not None:
                _kept.extend(self.workers)
            else:
                for worker in self.workers:
                    worker.end(_GOODBYE if done else 0.0)

    def _hand_out(self) -> None:
        for worker in [w for w in self.workers if w.job is None]:
            if not worker.process.is_alive():
                self._drop(worker)
        while self.queue:
            idle = next((w for w in self.workers if w.job is None), None)
            if idle is None:
                if len(self.workers) >= self.size:
                    return
                idle = self._kept_worker()
                if idle is None:
                    idle = _Worker(self.context, self.setup)
                    self.workers.append(idle)
            job = self.queue.take(idle.group, {w.group for w in self.workers if w is not idle})
            try:
                idle.take(job)
            except OSError:  # it died between two runs; the run has not begun
                job.attempts -= 1
                self.queue.put_back(job)
                self._drop(idle)

    def _kept_worker(self) -> _Worker | None:
        """A worker of an earlier study that goes over to this one, already among its workers."""
        while _kept and self.takes_over:
            worker = _kept.pop()
            self.workers.append(worker)
            if worker.join(self.setup):
                return worker
            self._drop(worker)
        return None

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
        limit = self.setup.settings.time_limit_s
        if kind == "started" and limit is not None:
            worker.deadline = time.monotonic() + limit + GRACE
        if kind != "finished":
            return None
        worker.job, worker.deadline = None, None
        return record

    def _died(self, worker: _Worker) -> Record | None:
        job = worker.job
        self._drop(worker)
        self.takes_over = False
        code = worker.process.exitcode
        if not worker.ready:
            self.stillborn += 1
            if self.stillborn >= ATTEMPTS:
                raise WorkersDoNotStart(
                    f"worker processes end before their first run (exit code {code}); a script "
                    "that starts a study must do so under: if __name__ == '__main__'")
        if job.attempts < ATTEMPTS:
            self.queue.put_back(job)
            return None
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return self._failed(job, f"its worker process died {job.attempts} times ({how})")

    def _hangs(self, worker: _Worker) -> Record:
        job = worker.job
        self._drop(worker)
        return self._failed(job, past_limit(self.setup))

    def _failed(self, job: _Job, why: str) -> Record:
        return blank_record(job.task, self.setup, job.attempts, why)

    def _drop(self, worker: _Worker) -> None:
        worker.end()
        self.workers.remove(worker)


def past_limit(setup: Setup) -> str:
    """What is said of a run whose worker did not stop at the limit."""
    return f"past its time limit of {setup.settings.time_limit_s:g} s; " \
           "its worker had to be killed"

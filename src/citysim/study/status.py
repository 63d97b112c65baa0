"""How a study stands, read from its folder without touching it."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from citysim.config.errors import InputError
from citysim.study.pace import Pace
from citysim.study.store import DESIGN, DONE, EARLIER, FAILED, LOCK, MANIFEST, Store

RUNNING, INTERRUPTED = "running", "interrupted"


@dataclass(frozen=True)
class Count:
    """Runs of a scenario: all, ended well, failed."""

    scenario: str
    total: int
    done: int
    failed: int


@dataclass(frozen=True)
class Status:
    """How a study stands.

    Attributes
    ----------
    folder, name
        Where it lies and what it is called.
    status
        ``running`` (a driver holds its lock), ``interrupted``, ``done`` or ``failed``.
    started
        When the latest start began.
    total, done, failed
        Runs of the present design; the others are left.
    seconds
        Mean time of a run that ended well, or ``None``.
    seconds_left
        Estimate by the pace of the present start (:class:`citysim.study.pace.Pace`); ``None``
        unless it is running and has ended a run that began after another's end.
    scenarios
        The same by scenario, all futures together.
    failures
        Scenario, future, seed and traceback of each failed run.
    earlier
        Key, name, status and runs of the designs that are kept in ``earlier/``.
    """

    folder: Path
    name: str
    status: str
    started: datetime | None
    total: int
    done: int
    failed: int
    seconds: float | None
    seconds_left: float | None
    scenarios: list[Count]
    failures: list[tuple[str, int, int, str]] = field(default_factory=list)
    earlier: list[tuple[str, str, str, int]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Runs that have not ended."""
        return self.total - self.done - self.failed


def read_status(folder: str | Path) -> Status:
    """Look at a study that is running, broken or finished.

    Raises
    ------
    InputError
        If there is no study in the folder.
    """
    store = Store(folder)
    held = _is_held(store.folder / LOCK)
    manifest = store.manifest
    if not manifest:
        what = "a study is just starting here" if held else "there is no study here"
        raise InputError(what, where=str(store.folder),
                         allowed=f"the output folder of a study, with its {MANIFEST}")
    runs = store.runs()
    well = runs[runs["status"] == DONE]
    bad = runs[runs["status"] == FAILED]
    total, started = len(manifest["keys"]), _moment(manifest.get("started"))
    status = _status(held, manifest.get("status"), total, len(well), len(bad))
    left = total - len(well) - len(bad)
    return Status(
        store.folder, manifest.get("name") or "", status, started, total, len(well), len(bad),
        float(well["seconds"].mean()) if len(well) else None,
        _seconds_left(runs, started, left) if status == RUNNING else None,
        _by_scenario(store, manifest, well, bad),
        [(r.scenario, int(r.future or 0), int(r.seed), r.error or "") for r in bad.itertuples()],
        [_earlier(place) for place in sorted((store.folder / EARLIER).glob("*/"))])


def _is_held(lock: Path) -> bool:
    """Whether a driver holds the lock."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except OSError:  # never locked, or not for our eyes
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _status(held: bool, written: str | None, total: int, done: int, failed: int) -> str:
    if held:
        return RUNNING
    if done == total:
        return DONE
    return FAILED if written in (DONE, FAILED) or done + failed == total else INTERRUPTED


def _seconds_left(runs, started: datetime | None, left: int) -> float | None:
    """What is left at the pace of the present start; a failed run took its time too."""
    if started is None:
        return None
    spans = [(moment.timestamp(), moment.timestamp() + seconds)
             for moment, seconds in zip(map(_moment, runs["started"]), runs["seconds"],
                                        strict=True)
             if moment is not None and moment >= started]
    pace = Pace()
    for began, ended in sorted(spans, key=lambda span: span[1]):
        pace.add(began, ended)
    return pace.seconds_left(left)


def _by_scenario(store: Store, manifest, well, bad) -> list[Count]:
    totals = _futures(store) or Counter(s["name"] for s in manifest["scenarios"])
    done, failed = Counter(well["scenario"]), Counter(bad["scenario"])
    return [Count(name, n * len(manifest["seeds"]), done[name], failed[name])
            for name, n in totals.items()]


def _futures(store: Store) -> Counter:
    """In how many futures each scenario runs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(store.folder / DESIGN, columns=["scenario", "future"])
    except (OSError, pa.ArrowException):
        return Counter()
    pairs = dict.fromkeys(zip(*(c.to_pylist() for c in table.columns), strict=True))
    return Counter(name for name, _ in pairs)


def _earlier(place: Path) -> tuple[str, str, str, int]:
    """What is kept of another design; one that is not finished was interrupted."""
    store = Store(place)
    manifest, done = store.manifest, len(store.finished().keys)
    status = DONE if manifest and done == len(manifest["keys"]) else INTERRUPTED
    return place.name, manifest.get("name") or "", status, done


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None

"""News of a study: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime
import time

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from citysim.study.pace import Pace
from citysim.study.session import Progress

_PHASES = {"city": "building the city and its people", "runs": "running",
           "summary": "comparing scenarios", "report": "drawing figures and writing the report"}
_LINES_EVERY = 10.0  # seconds between plain lines


class ProgressView:
    """Shows a study's progress; use as a context manager and pass as ``progress``.

    Parameters
    ----------
    console
        Where to show it: a live bar if it is a terminal, else a line now and then.
    """

    def __init__(self, console: Console):
        self.console = console
        self.bar = Bar(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                       TextColumn("{task.fields[count]}"),
                       TextColumn("{task.fields[failed]}", style="bold red"),
                       TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
                       console=console, transient=True, disable=not console.is_terminal)
        self.task = None
        self.phase = ""
        self.pace = Pace()
        self.said = 0.0

    def __enter__(self) -> ProgressView:
        self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()

    def __call__(self, news: Progress) -> None:
        if news.phase != self.phase:
            self._enter(news)
        if news.phase == "runs":
            ended = news.done + news.failed
            failed = f"{news.failed} failed" if news.failed else ""
            if news.record is not None:
                now = time.monotonic()
                self.pace.add(now - news.record["seconds"], now)
            left = self._left(news.total - ended)
            self.bar.update(self.task, total=news.total, completed=ended, failed=failed, left=left,
                            count=f"{ended}/{news.total}")
            if news.note:
                self._line(news.note)
            if news.record is not None:
                self._record(news, ended, ", ".join(text for text in (failed, left) if text))

    def _enter(self, news: Progress) -> None:
        self.phase = news.phase
        if self.task is not None:
            self.bar.remove_task(self.task)
        total = news.total if news.phase == "runs" else None  # no end in sight: the bar pulses
        self.task = self.bar.add_task(_PHASES[news.phase], total=total, count="", failed="",
                                      left="")
        self.said = time.monotonic()
        self._line(_PHASES[news.phase] + (self._kept(news) if news.phase == "runs" else ""))

    def _left(self, runs: int) -> str:
        seconds = self.pace.seconds_left(runs)
        if not runs or seconds is None:
            return ""
        return f"about {datetime.timedelta(seconds=round(seconds))} left"

    def _record(self, news: Progress, ended: int, rest: str) -> None:
        record = news.record
        if record["status"] != "done":
            name = run_name(record["scenario"], record["future"], record["seed"])
            self._line(f"failed: {name}: {last_line(record['error'])}", always=True)
        now = time.monotonic()
        if now - self.said >= _LINES_EVERY or ended == news.total:
            self.said = now
            self._line(f"{ended} of {news.total} runs" + (f", {rest}" if rest else ""))

    def _kept(self, news: Progress) -> str:
        kept = f", {news.kept} kept from an earlier start" if news.kept else ""
        return f": {news.total} runs{kept}"

    def _line(self, text: str, always: bool = False) -> None:
        if always or not self.console.is_terminal:
            self.console.print(text, highlight=False, markup=False)


def run_name(scenario: str, future: int, seed: int) -> str:
    """How a run is called in messages."""
    return f"{scenario}, future {future}, seed {seed}" if future else f"{scenario}, seed {seed}"


def last_line(error: str) -> str:
    """The line of a traceback that says what happened."""
    lines = (error or "").strip().splitlines()
    return lines[0] if lines and not lines[0].startswith("Traceback") else \
        (lines[-1] if lines else "no reason given")

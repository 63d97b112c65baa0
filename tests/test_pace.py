"""How long a study still takes: from runs that had nothing to compile."""

import io

import pytest
from rich.console import Console

from citysim.cli import progress
from citysim.cli.progress import ProgressView
from citysim.study.pace import Pace
from citysim.study.session import Progress


def pace_of(*spans):
    pace = Pace()
    for began, ended in spans:
        pace.add(began, ended)
    return pace


@pytest.mark.parametrize(("spans", "seconds"), [
    ([], None),
    ([(0, 60)], None),  # which compiled for who knows how long
    ([(0, 60), (60, 70)], 100),  # one at a time: ten more take ten times ten seconds
    ([(0, 60), (0, 61)], None),  # the other worker compiled too
    ([(0, 60), (0, 61), (60, 70)], 50),  # two at a time
    ([(0, 60), (0, 61), (59.9, 70), (61, 73)], 5 * (10.1 + 12) / 2),  # news take a moment
    ([(0, 60), (62, 62), (60, 70)], 100),  # a worker that died tells no time
])
def test_what_a_run_takes_is_told_by_later_runs_alone(spans, seconds):
    left = pace_of(*spans).seconds_left(10)
    assert left is None if seconds is None else left == pytest.approx(seconds)


def test_the_bar_leaves_compilation_out(monkeypatch):
    clock = iter([0.0, 60.0, 60.0, 70.0, 70.0])  # begin, then two looks at every end
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    told = io.StringIO()
    view = ProgressView(Console(file=told, width=100))  # no terminal: plain lines
    record = {"status": "done", "scenario": "no_action", "future": 0, "seed": 1, "error": ""}
    view(Progress("runs", 12))
    view(Progress("runs", 12, 1, record={**record, "seconds": 60.0}))
    view(Progress("runs", 12, 2, record={**record, "seconds": 10.0}))
    lines = told.getvalue().splitlines()
    assert lines[1:] == ["1 of 12 runs", "2 of 12 runs, about 0:01:40 left"]

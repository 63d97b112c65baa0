"""What the rest of a study will take: time and disk, from runs that were timed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from citysim.config.errors import InputError
from citysim.config.settings import WORLD_PARTS
from citysim.study.design import Run
from citysim.study.executor import cores
from citysim.study.program import Program, resolve
from citysim.study.store import DONE, Store

# Days simulated to tell what a run costs at all from what a day costs; where the short ones
# pass too quickly to be told apart, the long ones are used.
_SHORT, _LONG = (2, 4), (7, 28)
_QUICK = 1.5  # seconds for the shortest


@dataclass(frozen=True)
class Estimate:
    """Time and disk of runs that are still to do.

    Attributes
    ----------
    seconds
        Wall time with so many runs at a time, the building of the city included.
    size
        Bytes of result parts.
    run_seconds, run_size
        Of one run, without what it shares with others.
    basis
        What this was measured on, in words.
    """

    seconds: float
    size: float
    run_seconds: float
    run_size: float
    basis: str


def jobs_of(settings) -> int:
    """How many runs go on at a time on this machine."""
    if settings.executor["kind"] == "serial":
        return 1
    return settings.jobs or max(1, cores() // settings.threads)


def estimate(settings, runs: Sequence[Run], done: set[str],
             program: Program | None = None) -> Estimate:
    """Estimate what the runs that are not done yet will take.

    Parameters
    ----------
    settings, runs
        The study's settings and all of its runs.
    done
        Keys of the runs that are done; their record is the basis where there are any.
        Otherwise the city is built and a few days are simulated, in memory and in a temporary
        folder.
    program
        The functions to drive; the model's own by default.

    Raises
    ------
    InputError
        If the city cannot be built.
    """
    left = [run for run in runs if run.key not in done]
    if done:
        return _from_finished(settings, left, [r.key for r in runs if r.key in done])
    return _from_probe(settings, left, program or Program())


def _from_finished(settings, left, keys) -> Estimate:
    rows = Store(settings.output_dir).runs(keys)
    rows = rows[rows["status"] == DONE]
    seconds = float(rows["seconds"].mean())
    sizes = [sum(json.loads(text or "{}").values()) for text in rows["tables"]]
    size = sum(sizes) / len(sizes)
    jobs = min(jobs_of(settings), max(1, len(left)))
    return Estimate(len(left) * seconds / jobs, len(left) * size, seconds, size,
                    f"{len(rows):,} finished runs of this study")


def _from_probe(settings, left, program) -> Estimate:
    begin = time.perf_counter()
    world = resolve(program.build_world)(settings)
    building = time.perf_counter() - begin
    run = next((r for r in left if r.scenario.policies), left[0])
    try:
        days, first, timed = _time_days(run, world, program)
    except InputError:  # two days may be too short for a policy; nothing is left then but none
        run = next((r for r in left if not r.scenario.policies), run)
        days, first, timed = _time_days(run, world, program)
    (short, small), (long, large) = timed
    per_day, fixed = _line(days, (short, long))
    size_per_day, size_fixed = _line(days, (small, large))
    starting = max(0.0, first - fixed - per_day * days[0])
    run_seconds = fixed + per_day * settings.days
    warm_ups = len({(r.scenario.future, r.seed) for r in left})  # shared by their scenarios
    work = len(left) * run_seconds + warm_ups * settings.warmup_days * per_day
    jobs = min(jobs_of(settings), len(left))
    run_size = size_fixed + size_per_day * settings.days
    total = building * _worlds(settings, left) + starting + work / jobs
    basis = (f"a probe: the city built in {building:.1f} s, then {days[0]} and {days[1]} days of "
             f"'{run.scenario.name}' in {short:.2f} and {long:.2f} s")
    return Estimate(total, len(left) * run_size, run_seconds, run_size, basis)


def _time_days(run: Run, world: Any, program: Program):
    """Days of the two windows, seconds of the first run ever, and seconds and bytes of each."""
    first = few = _timed(run, _SHORT[0], world, program)
    if first[0] > _QUICK:  # it compiles, or loads what was compiled
        few = _timed(run, _SHORT[0], world, program)
    if few[0] > _QUICK:
        return _SHORT, first[0], [few, _timed(run, _SHORT[1], world, program)]
    return _LONG, first[0], [_timed(run, days, world, program) for days in _LONG]


def _timed(run: Run, days: int, world: Any, program: Program) -> tuple[float, float]:
    """Seconds and bytes of a run over so many days, without warm-up."""
    changes = {"days": days, "warmup_days": 0}
    if run.settings.budget is not None:
        changes["budget"] = run.settings.budget * days / run.settings.days
    settings = run.settings.replace(changes)
    begin = time.perf_counter()
    tables = resolve(program.simulate)(settings=settings, scenario=run.scenario, seed=run.seed,
                                       world=world)
    seconds = time.perf_counter() - begin
    with TemporaryDirectory() as folder:
        Store(folder).write_run({"key": run.key, "scenario": run.scenario.name,
                                 "future": run.scenario.future, "seed": run.seed}, tables)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
    return seconds, float(size)


def _line(days: tuple[int, int], values: tuple[float, float]) -> tuple[float, float]:
    """Slope per day and start of the line through two values, neither below zero."""
    slope = max(0.0, (values[1] - values[0]) / (days[1] - days[0]))
    return slope, max(0.0, values[0] - slope * days[0])


def _worlds(settings, left) -> int:
    """How many different cities and populations the runs need."""
    varied = any(path.split(".")[0] in WORLD_PARTS for run in left for path in run.scenario.set)
    if not varied:
        return 1
    return len({s.world_key() for s in {id(r.settings): r.settings for r in left}.values()})

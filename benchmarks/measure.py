"""Measurements: the whole step, the bare kernel, plain Mesa, threads, memory, start-up."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import bare
import plain_mesa

SEGMENTS = {10_000: 150, 100_000: 1_000, 1_000_000: 10_000}
DAY, WEEK_DAYS, MONTH_DAYS = 24, 7, 30
WARM_UP_DAYS = 1
HERE = Path(__file__).resolve().parent


def settings_for(residents: int, *more: str):
    """Settings of the benchmark city: Turin with as many residents and segments."""
    from citysim.config.compose import compose_study

    return compose_study(["city=turin", f"city.population={residents}",
                          f"city.layout.segments={SEGMENTS[residents]}", *more])


def make_model(settings, world=None, threads: int = 1):
    """A model one day old: caches filled, kernels compiled, nobody at home by decree."""
    from citysim.model.city_model import CityModel

    model = CityModel(settings, seed=1, world=world, threads=threads)
    model.run_for(WARM_UP_DAYS * DAY)
    return model


def run_hours(model, hours: int, record: list | None = None) -> float:
    """Seconds of ``hours`` steps; with ``record`` each step's inputs are kept, untimed."""
    seconds = 0.0
    for _ in range(hours):
        begin = time.perf_counter()
        model.step()
        seconds += time.perf_counter() - begin
        if record is not None:
            record.append(bare.inputs_of(model))
    return seconds


def whole_step(model, weeks: int) -> dict:
    """Whole weeks of a model beside the bare kernel over the hours of the first.

    Each figure is the least of its repeats, in ns per resident and step. Weeks hold all hours
    and all daily phases; the monthly phase is timed once and added as its share of a month.
    """
    per_step = 1e9 / (WEEK_DAYS * DAY * model.n_residents)
    inputs: list = []
    best, phases, ceiling = float("inf"), {}, float("inf")
    routine = bare.Routine(model)
    for week in range(weeks):
        before = dict(model.phase_seconds)
        seconds = run_hours(model, WEEK_DAYS * DAY, inputs if week == 0 else None)
        if seconds < best:
            best = seconds
            phases = {k: model.phase_seconds[k] - before[k] for k in before}
        ceiling = min(ceiling, bare_week(routine, inputs))
    phases["mesa, data collection"] = best - sum(phases.values())
    phases = {k: v * per_step for k, v in phases.items()}
    phases["life course (monthly)"] = monthly(model)
    return {"residents": model.n_residents, "people": len(model.people),
            "segments": len(model.places), "ns": sum(phases.values()),
            "bare_ns": ceiling * per_step, "phases": phases, "inputs": inputs,
            "routine": routine}


def bare_week(routine, inputs: list) -> float:
    """Seconds of the bare kernel over recorded hours."""
    seconds = 0.0
    for given in inputs:
        begin = time.perf_counter()
        routine.step(given)
        seconds += time.perf_counter() - begin
    return seconds


def monthly(model) -> float:
    """The monthly life course, ns per resident and step of a month."""
    from citysim.model.phases import life_course

    day = model.step_index // DAY
    begin = time.perf_counter()
    life_course(model, day)
    return (time.perf_counter() - begin) * 1e9 / (MONTH_DAYS * DAY * model.n_residents)


def plain_step(model, sample: dict, kind: type, shuffled: bool, repeats: int) -> dict:
    """Plain Mesa over the same residents and the sample's first day; ns per resident and step."""
    plain = plain_mesa.PlainModel(model, sample["routine"], model.n_residents, kind, shuffled)
    gc.collect()
    best = float("inf")
    for _ in range(repeats):
        seconds = 0.0
        for given in sample["inputs"][:DAY]:
            plain.set_hour(given)
            begin = time.perf_counter()
            plain.step()
            seconds += time.perf_counter() - begin
        best = min(best, seconds)
    return {"residents": model.n_residents, "hours": DAY, "seconds": best,
            "crimes": len(plain.crimes), "ns": best * 1e9 / (DAY * model.n_residents)}


def threads_gain(settings, world, repeats: int) -> dict:
    """Two threads against one: the same days, turn about; the least of each day's repeats."""
    gc.collect()
    models = {n: make_model(settings, world, n) for n in (1, 2)}
    best = {1: float("inf"), 2: float("inf")}
    for _ in range(repeats):
        total = {1: 0.0, 2: 0.0}
        for _ in range(WEEK_DAYS):
            for n, model in models.items():
                total[n] += run_hours(model, DAY)
        best = {n: min(best[n], total[n]) for n in best}
    residents = models[1].n_residents
    per_step = 1e9 / (WEEK_DAYS * DAY * residents)
    same = bool((models[1].people.fear == models[2].people.fear).all())
    return {"one_ns": best[1] * per_step, "two_ns": best[2] * per_step,
            "gain": best[1] / best[2], "same_state": same}


def memory(model) -> dict:
    """Bytes per resident by part, what a run holds and what the shared world adds."""
    parts = model.nbytes()
    places = parts.pop("places")
    held = {k: v / model.n_residents for k, v in parts.items()}
    world = model.population
    pristine = (world.people.nbytes + world.households.nbytes) / model.n_residents
    return {"parts": held, "total": sum(held.values()), "pristine": pristine,
            "places_bytes": places}


def in_fresh_process(residents: int) -> dict:
    """Set-up seconds and peak memory of a city, in a process of its own."""
    return _call("--probe", str(residents))


def probe(residents: int) -> dict:
    """What :func:`in_fresh_process` runs: build, step a day, say how long and how much."""
    begin = time.perf_counter()
    from citysim.model.city_model import CityModel
    from citysim.model.world import build_world

    settings = settings_for(residents)
    imported = time.perf_counter()
    world = build_world(settings)
    built = time.perf_counter()
    model = CityModel(settings, seed=1, world=world)
    ready = time.perf_counter()
    model.run_for(DAY)
    return {"import_s": imported - begin, "world_s": built - imported, "model_s": ready - built,
            "setup_s": ready - imported, "first_day_s": time.perf_counter() - ready,
            "peak_gb": peak_bytes() / 1e9, "memory": memory(model)}


def peak_bytes() -> int:
    """Peak resident memory of this process alone.

    Linux carries a parent's peak over in ``ru_maxrss``, so the process's own mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def import_seconds(statement: str, repeats: int = 3) -> float:
    """Least time of an import statement in fresh processes."""
    code = (f"import time; t = time.perf_counter(); {statement}; "
            "print(time.perf_counter() - t)")
    return min(float(subprocess.run([sys.executable, "-c", code], check=True,
                                    capture_output=True, text=True).stdout)
               for _ in range(repeats))


def year(residents_per_person: float = 1.0) -> dict:
    """The whole of Turin hour by hour for a year on two threads; minutes without set-up."""
    from citysim.config.compose import compose_study
    from citysim.model.city_model import CityModel

    settings = compose_study(["city=turin", "days=365", "warmup_days=0", "threads=2",
                              f"scale={residents_per_person}"])
    begin = time.perf_counter()
    model = CityModel(settings, seed=1)
    ready = time.perf_counter()
    model.run_for(settings.days * DAY)
    return {"setup_s": ready - begin, "run_s": time.perf_counter() - ready,
            "residents": model.n_residents, "segments": len(model.places),
            "phases_s": dict(model.phase_seconds)}


def _call(*arguments: str) -> dict:
    done = subprocess.run([sys.executable, str(HERE / "run.py"), *arguments], check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])

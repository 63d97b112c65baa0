"""The benchmarks measure what they say: same rules, figures that can be judged."""

import copy
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from citysim import CityModel, compose
from citysim.kernels.random import uniform

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
HOURS = 60


@pytest.fixture(scope="module")
def benchmarks():
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in ("bare", "plain_mesa", "run")}
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def recorded(benchmarks):
    """A small city and what the routine of its hours depended on, evenings and nights in."""
    settings = compose(["city=town", "city.population=1500", "city.layout.segments=120"])
    model = CityModel(settings, seed=2)
    inputs = []
    for _ in range(HOURS):
        model.step()
        inputs.append(benchmarks["bare"].inputs_of(model))
    return model, inputs


def test_the_bare_kernel_decides_as_the_model_does(benchmarks, recorded):
    bare = benchmarks["bare"]
    model = copy.deepcopy(recorded[0])
    people, n, moved = model.people, model.n_residents, 0
    for _ in range(HOURS):
        routine = bare.Routine(model)
        free = people.status[:n] == 0
        model.step()
        free &= people.status[:n] == 0  # nor arrested in this step
        moved += np.count_nonzero(people.at[:n] != routine.at)
        routine.step(bare.inputs_of(model))
        assert np.array_equal(routine.at[free], people.at[:n][free])
        assert routine.count.sum() >= free.sum()
    assert moved > n, "everybody stayed at home: nothing was compared"


def test_plain_mesa_follows_the_rules_of_the_bare_kernel(benchmarks, recorded):
    model, inputs = recorded
    bare, plain_mesa = benchmarks["bare"], benchmarks["plain_mesa"]
    n = model.n_residents
    free = model.people.status[:n] == 0
    routine = bare.Routine(model)
    routine.at[:] = 0
    plain = plain_mesa.PlainModel(model, routine, n, plain_mesa.Sitter)
    apart = 0
    for given in inputs:
        plain.set_hour(given)
        plain.draw = lambda row, key=given[1]: uniform(key, row)
        plain.step()
        routine.step(given)
        apart += np.count_nonzero(routine.at[free] != np.array([a.at for a in plain.people])[free])
    # Single against double precision: a draw may fall between the two.
    assert apart <= HOURS * n * 1e-4
    fear = np.array([a.fear for a in plain.people])
    assert np.median(np.abs(fear - routine.fear)[free]) < 1e-5


def test_walkers_are_counted_on_their_way_and_meet_offenders(benchmarks, recorded):
    model, inputs = recorded
    plain_mesa = benchmarks["plain_mesa"]
    routine = benchmarks["bare"].Routine(model)
    plain = plain_mesa.PlainModel(model, routine, model.n_residents, plain_mesa.Walker)
    for given in inputs:
        before = [a.at for a in plain.people]
        plain.set_hour(given)
        plain.step()
        hops = sum(len(a.routes[b]) + len(a.routes[a.at])
                   for a, b in zip(plain.people, before, strict=True) if a.at != b)
        assert sum(s.flow for s in plain.spaces) == hops
        assert sum(s.out for s in plain.spaces) == sum(a.at > 1 for a in plain.people)
        assert all(a.cell is a.anchors[a.at] for a in plain.people)
    for offender in plain.offenders:
        for _ in range(20):
            plain.offend(offender)
    assert plain.crimes and all(0 <= place < len(model.places) for place, _ in plain.crimes)


def test_figures_are_judged_by_their_targets(benchmarks, tmp_path, monkeypatch):
    run = benchmarks["run"]
    figures = run.Figures()
    figures.add("whole step / bare kernel, 1M", 2.5, "")
    figures.add("one thread / two threads, 1M", 1.69, "")
    figures.add("whole step, 1M", 12_345.6, "ns per resident-step")
    assert [r["met"] for r in figures.rows] == [True, False, None]
    assert figures.cells()[2][1] == "12,346"
    json.dumps(figures.rows)
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{run.MARKS[0]}\nold\n{run.MARKS[1]}\nafter\n")
    monkeypatch.setattr(run, "DOCS", page)
    for _ in range(2):
        run.write_docs(figures)
    text = page.read_text()
    assert "old" not in text and text.startswith("before") and text.endswith("after\n")
    assert text.count("| whole step / bare kernel, 1M | 2.5 |  | <= 2.5 | met |") == 1

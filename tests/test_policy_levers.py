"""Levers: how modifiers combine, what they may move and what they must not."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from citysim.config.errors import InputError
from citysim.policies.costs import read_prices
from citysim.state.levers import LEVERS, TABLES, Levers, Modifier
from made_policies import ROOT, make_tables, snapshot


@pytest.fixture(scope="module")
def prices():
    return yaml.safe_load((ROOT / "configs/prices/default.yaml").read_text())


def test_every_lever_has_a_column_a_price_and_a_line_in_the_docs(prices):
    priced = read_prices(prices)
    page = (ROOT / "docs/policies.md").read_text()
    for name, lever in LEVERS.items():
        assert lever.declaration.name == lever.column
        assert lever.control in ("city", "national")
        assert priced.of(name).control == lever.control
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {lever.unit} |" in row and f"| {lever.control} |" in row
        low, high = lever.range
        assert f"| {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'} |" \
            .replace("to  |", "to any |") in row
    assert set(priced.unit) == set(LEVERS)


MODIFIERS = [
    Modifier("places.lighting", "set", 0.4, np.arange(0, 40)),
    Modifier("places.lighting", "set", 0.7, np.arange(20, 60), 0.5),
    Modifier("places.lighting", "multiply", 1.3, np.arange(10, 90), 0.7),
    Modifier("places.lighting", "add", 0.11, None, np.linspace(0, 1, 100)),
    Modifier("places.lighting", "add", 0.07, np.arange(50, 100), 0.3),
    Modifier("places.lighting", "at_least", 0.5, np.arange(0, 100, 3), 0.9),
    Modifier("places.lighting", "at_most", 0.8, np.arange(0, 100, 2), 0.6),
]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(len(MODIFIERS))))
def test_modifiers_combine_in_any_order_to_the_same_bits(order):
    def combined(indices):
        levers = Levers(make_tables(100, 10))
        for i in indices:
            levers.add(MODIFIERS[i])
        return levers.value("places.lighting").tobytes()
    assert combined(order) == combined(range(len(MODIFIERS)))


def test_combination_is_set_multiply_add_then_bounds():
    tables = make_tables(10, 10)
    levers = Levers(tables)
    for op, amount in (("at_most", 6.5), ("add", 4), ("multiply", 2), ("set", 1.5)):
        levers.add(Modifier("places.cleaning", op, amount))
    levers.apply()
    assert (tables["places"].cleaning == 6.5).all()  # 1.5 * 2 + 4 = 7, then the ceiling
    levers.add(Modifier("places.cleaning", "at_least", 9))
    assert (levers.value("places.cleaning") == 6.5).all()  # a ceiling outranks a floor


def test_part_of_a_change_and_the_mean_of_two_settings():
    tables = make_tables(10, 10)
    levers = Levers(tables)
    base = levers.base("places.cleaning")
    assert (base == 1).all()
    levers.add(Modifier("places.cleaning", "set", 9, None, 0.25))
    assert levers.value("places.cleaning") == pytest.approx(3)  # a quarter of the way
    levers.add(Modifier("places.cleaning", "set", 5, None, 0.25))
    assert levers.value("places.cleaning") == pytest.approx(2.5)  # a quarter of 9 and 5's mean
    levers.add(Modifier("places.cleaning", "multiply", 3, None, 0.5))
    assert levers.value("places.cleaning") == pytest.approx(5)


@pytest.mark.parametrize("op", ["set", "multiply", "add", "at_least", "at_most"])
def test_values_stay_in_the_column_range_whatever_is_asked(op):
    tables = make_tables(100, 10)
    levers = Levers(tables)
    levers.add(Modifier("venues.closing_hour", op, 500.0, None, 3.0))
    levers.add(Modifier("places.camera", op, 500.0, None, 3.0))
    levers.apply()
    tables["places"].validate()


@pytest.mark.parametrize("modifier", [
    Modifier("places.lighting", "add", 0), Modifier("places.lighting", "multiply", 1),
    Modifier("places.lighting", "set", 0.9, None, 0.0),
    Modifier("places.lighting", "at_least", 0.9, np.zeros(0, dtype="i8")),
    Modifier("youth.mentor", "set", 1, np.arange(5), 0.0)])
def test_a_modifier_of_nothing_leaves_every_bit(modifier):
    tables = make_tables(50, 50)
    before = snapshot(tables)
    levers = Levers(tables)
    levers.add(modifier)
    levers.apply()
    assert snapshot(tables) == before


def test_removal_restores_the_base_in_the_same_array():
    tables = make_tables(50, 50)
    array, before = tables["places"].lighting, snapshot(tables)
    levers = Levers(tables)
    one = levers.add(Modifier("places.lighting", "multiply", 1.37))
    two = levers.add(Modifier("youth.training", "set", 1, np.arange(7)))
    three = levers.add(Modifier("youth.mentor", "set", 1, np.arange(5, 9)))
    assert levers.dirty == {"places.lighting", "youth.training", "youth.mentor"}
    assert levers.apply() == {"places.lighting", "youth.training", "youth.mentor"}
    assert not levers.dirty
    assert tables["places"].lighting is array
    assert list(np.flatnonzero(levers.value("youth.mentor"))) == [5, 6, 7, 8]
    assert tables["people"].programme[6] == 2 + 8
    levers.remove(two)
    assert levers.value("youth.mentor").sum() == 4 and not levers.value("youth.training").any()
    levers.remove(one)
    levers.remove(three)
    levers.apply()
    assert snapshot(tables) == before


def test_only_changed_columns_are_written():
    tables = make_tables(50, 50)
    levers = Levers(tables)
    levers.add(Modifier("places.lighting", "add", 0.1))
    tables["places"]["cleaning"] = 9.0  # would be put back to its base if it were written
    levers.apply()
    assert (tables["places"].cleaning == 9.0).all()


def test_levers_refuse_nonsense():
    levers = Levers(make_tables(20, 20))
    for bad in (Modifier("youth.mentor", "add", 1), Modifier("places.lighting", "add", np.nan),
                Modifier("places.lighting", "add", 1, np.array([3, 3])),
                Modifier("places.lighting", "add", 1, np.array([20])),
                Modifier("places.lighting", "add", 1, None, -1.0),
                Modifier("places.lighting", "add", 1, np.arange(3), np.ones(2))):
        with pytest.raises(InputError):
            levers.add(bad)
    assert not levers.dirty


def test_tables_named_by_levers_are_those_of_the_declarations():
    assert {lever.table for lever in LEVERS.values()} <= set(TABLES)
    moved_by_the_model = {"upkeep", "disorder", "deterrence", "light", "present", "guardianship",
                          "certainty", "unease", "recorded", "norms", "fear_day", "fear_night",
                          "trust_police", "trust_city"}
    assert not moved_by_the_model & {lever.column for lever in LEVERS.values()}

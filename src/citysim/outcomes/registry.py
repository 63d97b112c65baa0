"""Measures by name: what each outcome is, and the function that takes it.

A measure is a function of a :class:`citysim.outcomes.record.Record` that yields
``(outcome, group, value)``. It is registered under the outcome ids (or the common beginning
of them) that it yields; adding a file with a registered function is all a new one takes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from citysim.config.errors import InputError, closest_match

NOT_MEASURES = ("registry", "record", "tables")
_TOTALS = {"all": "all crime", "all_but_vandalism": "all crime but vandalism",
           "property": "crime against property", "violence": "violence and robbery"}


@dataclass(frozen=True)
class Measure:
    """Label, unit, better direction (``lower``, ``higher``, ``None``) and meaning."""

    label: str
    unit: str
    better: str | None
    doc: str


_measures: dict[str, Measure] = {}
_functions: list[Callable] = []


def register(outcomes: dict[str, Measure]) -> Callable:
    """Decorate a function that yields these outcomes (ids, or beginnings ending in a dot)."""
    def keep(function):
        _measures.update(outcomes)
        _functions.append(function)
        return function

    return keep


@cache
def _load() -> None:
    """Let every measure register itself, once."""
    package = importlib.import_module("citysim.outcomes")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in NOT_MEASURES:
            importlib.import_module(f"citysim.outcomes.{module.name}")


def describe(outcome: str) -> Measure:
    """What an outcome id means.

    Raises
    ------
    InputError
        If no measure yields it.
    """
    _load()
    if outcome in _measures:
        return _measures[outcome]
    beginnings = [key for key in _measures if key.endswith(".") and outcome.startswith(key)]
    if not beginnings:
        raise InputError(f"unknown outcome '{outcome}'", allowed=sorted(_measures),
                         closest=closest_match(outcome, _measures))
    family = _measures[max(beginnings, key=len)]
    rest = outcome[len(max(beginnings, key=len)):]
    name = _TOTALS.get(rest, rest.replace("_", " "))
    return Measure(f"{family.label}: {name}", family.unit, family.better, family.doc)


def take_all(record) -> Iterator[tuple[str, str, str, float]]:
    """Every measure of a record: outcome, group, unit, value."""
    _load()
    for function in _functions:
        for outcome, group, value in function(record):
            yield outcome, group, describe(outcome).unit, float(value)


def all_measures() -> dict[str, Measure]:
    """All registered ids and families."""
    _load()
    return dict(sorted(_measures.items()))

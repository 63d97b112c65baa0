"""Measures by name: what each is, what it needs, and the function that takes it.

A measure is a function of a :class:`citysim.evidence.crimes.CityData` (``of_many``: of a list
of them) and of arguments with defaults. It gives a number, a word or a ``Reading``.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.evidence.crimes import CityData, NotMeasurable, Reading

NEEDS: dict[str, tuple[str, Callable[[CityData], bool]]] = {
    "time": ("times of the crimes", lambda d: d.crimes.time is not None),
    "hour": ("hours of the day", lambda d: d.crimes.hour is not None),
    "weekday": ("days of the week", lambda d: d.crimes.weekday is not None),
    "offender": ("who the offenders are", lambda d: d.crimes.offender is not None),
    "victim": ("who the victims are", lambda d: d.crimes.victim is not None),
    "reported": ("which crimes were reported", lambda d: d.crimes.reported is not None),
    "recorded": ("which crimes were recorded", lambda d: d.crimes.recorded is not None),
    "together": ("who offended with others: each offence here names one offender",
                 lambda d: d.crimes.together is not None),
    "network": ("which segments meet", lambda d: d.places.neighbours is not None),
    "areas": ("areas of the city", lambda d: d.places.area is not None),
    "people": ("people one by one", lambda d: d.people is not None),
    "minds": ("what people fear, one by one, at the end of the window",
              lambda d: d.people is not None and d.people.odds_kept is not None),
    "outcomes": ("outcomes of a run", lambda d: d.outcomes is not None),
    "residents": ("number of residents", lambda d: d.residents is not None),
    "days": ("length of the window", lambda d: d.days is not None),
    "police": ("police strength", lambda d: bool(d.police_per_100k)),
}
"""What a measure can ask for: in words, and whether some data have it."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes
    ----------
    name, function
        Name in facts; ``function(data, **arguments)``.
    unit
        Of the value.
    needs
        Keys of :data:`NEEDS`.
    of_many
        Whether it is taken of several cities at once.
    """

    name: str
    function: Callable
    unit: str
    needs: tuple[str, ...] = ()
    of_many: bool = False

    @property
    def about(self) -> str:
        """First line of the docstring."""
        return inspect.getdoc(self.function).splitlines()[0]

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments and their defaults."""
        parameters = list(inspect.signature(self.function).parameters.values())[1:]
        return {p.name: p.default for p in parameters}

    def lacking(self, data: CityData) -> list[str]:
        """What of its needs the data do not have, in words."""
        return [NEEDS[key][0] for key in self.needs if not NEEDS[key][1](data)]


_measures: dict[str, Measure] = {}


def measure(unit: str, needs: tuple[str, ...] = (), of_many: bool = False) -> Callable:
    """Register the decorated function as a measure under its own name."""
    def keep(function):
        unknown = [key for key in needs if key not in NEEDS]
        if unknown or function.__name__ in _measures:
            raise ValueError(f"measure {function.__name__}: unknown need or name taken {unknown}")
        _measures[function.__name__] = Measure(function.__name__, function, unit, needs, of_many)
        return function

    return keep


def package(name: str):
    """A package of the optional extra ``evidence``, imported when a measure needs it.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"the package '{name.split('.')[0]}' is not installed",
                         where="citysim.evidence", allowed="pip install 'citysim[evidence]'"
                         ) from None


def _load() -> None:
    own = importlib.import_module("citysim.evidence.measures")
    for module in pkgutil.iter_modules(own.__path__):
        if module.name != "registry":
            importlib.import_module(f"citysim.evidence.measures.{module.name}")


def all_measures() -> dict[str, Measure]:
    """All measures by name."""
    _load()
    return dict(sorted(_measures.items()))


def describe(name: str, where: str | None = None) -> Measure:
    """The measure of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    _load()
    if name not in _measures:
        raise InputError(f"unknown measure '{name}'", where=where, allowed=sorted(_measures),
                         closest=closest_match(name, _measures))
    return _measures[name]


def check_arguments(found: Measure, arguments: Mapping[str, Any], where: str | None = None) -> None:
    """Refuse arguments that the measure does not take, and those it must be given.

    Where a measure's own value is a number, so must be one that is given; all of them are sizes,
    shares or hours, none below 0. Where it is true or false, nothing else will do.

    Raises
    ------
    InputError
        Naming the argument and the nearest known one.
    """
    known = found.arguments
    for name in arguments:
        if name not in known:
            raise InputError(f"the measure '{found.name}' takes no argument '{name}'",
                             where=where, allowed=list(known) or "no arguments",
                             closest=closest_match(name, known))
        given = arguments[name]
        several = given if isinstance(given, list | tuple) and given else [given]  # bands
        if _is_number(known[name]) and not all(_is_number(v) and v >= 0 for v in several):
            raise InputError(f"the argument '{name}' cannot be {given!r}", where=where,
                             allowed=f"a number from 0 on, such as {known[name]}")
        if isinstance(known[name], bool) and not isinstance(given, bool):
            raise InputError(f"the argument '{name}' cannot be {given!r}", where=where,
                             allowed=["true", "false"])
    missing = [n for n, default in known.items()
               if default is inspect.Parameter.empty and n not in arguments]
    if missing:
        raise InputError(f"the measure '{found.name}' needs the argument '{missing[0]}'",
                         where=where, allowed=list(known))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def take(name: str, data: CityData | list[CityData], arguments: Mapping[str, Any] | None = None
         ) -> Reading:
    """Take one measure of a city; what cannot be measured there is said, not raised.

    Raises
    ------
    InputError
        On an unknown measure or argument.
    """
    found, arguments = describe(name), dict(arguments or {})
    check_arguments(found, arguments, name)
    lacking = [] if found.of_many else found.lacking(data)
    if lacking:
        return Reading(None, note="not known here: " + "; ".join(lacking))
    try:
        value = found.function(data, **arguments)
    except NotMeasurable as reason:
        return Reading(None, note=str(reason))
    if not isinstance(value, Reading):
        value = Reading(value)
    if isinstance(value.value, float) and value.value != value.value:
        return Reading(None, value.cases, value.note or "too few cases", value.more)
    return value

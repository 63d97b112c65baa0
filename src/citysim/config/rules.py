"""What a parameter may be: kind, unit and range, read off the shipped YAML.

A *leaf* is a mapping ``{value, unit, source}`` with an optional prior ``range``, optional
hard ``bounds`` and an optional list of ``options``. Everything else in a configuration is a
mapping of keys or a bare value (a switch, a label).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from citysim.config.errors import InputError, closest_match

LEAF_KEYS = ("value", "unit", "source", "range", "bounds", "options", "note", "doc", "year",
             "status", "level", "label")
_UNIT_INTERVAL = ("share", "probability")
_WHOLE = ("count", "index")
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text",
          list: "a list", dict: "a mapping of keys"}


class Provenance(NamedTuple):
    """Where a number comes from."""

    value: Any
    unit: str
    source: str
    range: tuple[float, float] | None


def is_leaf(node: Any) -> bool:
    """Whether a node of a configuration is a parameter with unit or source."""
    return isinstance(node, dict) and "value" in node and ("unit" in node or "source" in node)


@dataclass(frozen=True)
class Rule:
    """What one parameter accepts.

    Parameters
    ----------
    shipped
        Shipped value; its type is the type that is accepted (``None`` accepts any).
    unit, source
        As in the leaf; empty for bare values.
    range
        Prior range for calibration and sweeps, not enforced.
    low, high
        Inclusive hard bounds, ``None`` for an open side.
    options
        Accepted words, where they are listed.
    """

    shipped: Any
    unit: str = ""
    source: str = ""
    range: tuple[float, float] | None = None
    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] | None = None

    @classmethod
    def of(cls, node: Any, where: str) -> Rule:
        """The rule of a leaf or of a bare value.

        Raises
        ------
        InputError
            If the leaf has a key that leaves do not have, or a pair of limits is not a pair
            of numbers in ascending order.
        """
        if not is_leaf(node):
            return cls(node)
        for key in node:
            if key not in LEAF_KEYS:
                raise InputError(f"unknown key '{key}' of a parameter", where=f"{where}.{key}",
                                 allowed=LEAF_KEYS, closest=closest_match(key, LEAF_KEYS))
        span = _pair(node.get("range"), f"{where}.range")
        bounds = _pair(node.get("bounds"), f"{where}.bounds", open_ends=True)
        unit = str(node.get("unit", ""))
        low, high = bounds or _bounds_by_unit(unit, node["value"], span)
        listed = node.get("options")
        return cls(node["value"], unit, str(node.get("source", "")), span, low, high,
                   tuple(str(o) for o in listed) if listed else None)

    @property
    def allowed(self) -> str:
        """The accepted values in words."""
        if self.options:
            return ", ".join(self.options)
        word = _KINDS.get(type(self.shipped), "any value")
        if self.unit in _WHOLE:
            word = "a whole number"
        if self.low is not None and self.high is not None:
            word += f" from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            word += f", at least {self.low:g}"
        elif self.high is not None:
            word += f", at most {self.high:g}"
        return word + (f" [{self.unit}]" if self.unit else "")

    def check(self, value: Any, where: str) -> Any:
        """The value, in the shipped type where that is lossless.

        Raises
        ------
        InputError
            On a wrong type, a number out of bounds or not finite, a word that is not listed.
        """
        return self._check(value, self.shipped, where)

    def _check(self, value, shipped, where):
        if isinstance(shipped, dict):
            return self._check_mapping(value, shipped, where)
        if isinstance(shipped, list):
            if not isinstance(value, list | tuple):
                raise self._refuse(value, where)
            like = shipped[0] if shipped and not isinstance(shipped[0], list | dict) else None
            return [self._check(v, like, f"{where}.{i}") for i, v in enumerate(value)]
        if isinstance(shipped, bool) or isinstance(value, bool):
            if shipped is not None and type(shipped) is not type(value):
                raise self._refuse(value, where)
            return value
        if isinstance(shipped, int | float) or (shipped is None and isinstance(value, int | float)):
            return self._check_number(value, shipped, where)
        if isinstance(shipped, str) and not isinstance(value, str):
            raise self._refuse(value, where)
        if self.options and value not in self.options:
            raise InputError(f"unknown value '{value}'", where=where, allowed=self.options,
                             closest=closest_match(str(value), self.options))
        return value

    def _check_mapping(self, value, shipped, where):
        if not isinstance(value, dict):
            raise self._refuse(value, where)
        refuse_unknown(value, shipped, where)
        return {k: self._check(v, shipped[k], f"{where}.{k}") for k, v in value.items()}

    def _check_number(self, value, shipped, where):
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise self._refuse(value, where)
        if self.unit in _WHOLE and value != int(value):
            raise self._refuse(value, where)
        if (self.low is not None and value < self.low) or \
                (self.high is not None and value > self.high):
            raise InputError(f"{value!r} is out of range", where=where, allowed=self.allowed)
        if isinstance(shipped, float):
            return float(value)
        return int(value) if isinstance(shipped, int) and value == int(value) else value

    def _refuse(self, value, where):
        return InputError(f"{value!r} is not accepted", where=where, allowed=self.allowed)


def refuse_unknown(given: dict, known: dict, where: str) -> None:
    """Raise ``InputError`` for the first key of ``given`` that ``known`` does not have."""
    for key in given:
        if key not in known:
            near = closest_match(key, known)
            raise InputError(f"unknown key '{key}'", where=f"{where}.{key}", allowed=list(known),
                             closest=f"{where}.{near}" if near else None)


def _pair(limits, where, open_ends=False):
    if limits is None:
        return None
    ok = isinstance(limits, list | tuple) and len(limits) == 2 and all(
        (x is None and open_ends) or (isinstance(x, int | float) and not isinstance(x, bool))
        for x in limits)
    if not ok or (None not in limits and limits[0] > limits[1]):
        raise InputError(f"{limits!r} is not a pair of limits", where=where,
                         allowed="[low, high] with low not above high")
    return tuple(limits)


def _bounds_by_unit(unit, value, span):
    """Bounds where the leaf states none.

    Shares and probabilities lie in [0, 1], other numbers are not negative; where the shipped
    value or its range goes beyond (a change of a share, say), that side is wider.
    """
    numbers = [x for x in _numbers(value)] + list(span or ())
    if not numbers:
        return None, None
    least, most = min(numbers), max(numbers)
    if unit.split(" ")[0] in _UNIT_INTERVAL:  # "share of households" too
        return (0.0 if least >= 0 else -1.0), (1.0 if most <= 1 else None)
    return (0.0 if least >= 0 else None), None


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value

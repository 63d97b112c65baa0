"""The factors of a study: each lever and uncertainty with what it sets and how it is spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, sqrt
from typing import Any

import numpy as np

from citysim.config.errors import InputError
from citysim.config.factors import FactorKeys, paths_of
from citysim.config.settings import Settings

LEVER, UNCERTAINTY = "lever", "uncertainty"
_WHOLE_UNITS = ("count", "index")
_SHARES = ("share", "probability")


@dataclass(frozen=True)
class Factor:
    """One lever or uncertainty.

    Parameters
    ----------
    name
        As in the study file: a parameter's dotted path, or a free name with levels.
    role
        ``lever`` or ``uncertainty``.
    paths
        Parameters that it sets.
    configured
        Its value where the study leaves it alone; ``None`` where no level describes that.
    choices
        Values or names of levels; empty for a range.
    levels
        Name of a level -> value by path; empty where values are set directly.
    low, high
        Ends of a range, inclusive, in ``unit``.
    shape
        Distribution and its numbers.
    whole
        Whether a range holds whole numbers only.
    unit, label
        For tables and figures.
    """

    name: str
    role: str
    paths: tuple[str, ...]
    configured: Any
    choices: tuple[Any, ...] = ()
    levels: Mapping[str, Mapping[str, Any]] | None = None
    low: float | None = None
    high: float | None = None
    shape: FactorKeys | None = None
    whole: bool = False
    unit: str = ""
    label: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its values are words (or switches), not numbers."""
        return bool(self.choices) and isinstance(self.choices[0], str | bool)

    def at(self, share: float) -> Any:
        """The value that leaves this share of the distribution below it.

        Parameters
        ----------
        share
            In [0, 1]. Listed values and whole numbers get equal shares of it.
        """
        if self.choices:
            return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]
        if self.whole and self.shape.distribution in (None, "uniform"):
            return min(floor(self.low + share * (self.high - self.low + 1)), self.high)
        value = min(max(self._quantile(share), self.low), self.high)
        # Twelve digits: readable in tables, and the same on every machine.
        return round(value) if self.whole else float(f"{value:.12g}")

    def steps(self, number: int) -> list[Any]:
        """All listed values, or so many of a range from low to high, evenly by share."""
        if self.choices:
            return list(self.choices)
        return list(dict.fromkeys(self.at(share) for share in np.linspace(0, 1, number)))

    def sets(self, value: Any) -> dict[str, Any]:
        """Parameters by path for one value; nothing for ``None``."""
        if value is None:
            return {}
        return dict(self.levels[value]) if self.levels else {self.name: value}

    def accept(self, value: Any) -> Any:
        """A value from a table of points, in this factor's own type.

        Raises
        ------
        ValueError
            If it is none of the listed ones, no number, or outside the range; the text says
            what is allowed.
        """
        if self.choices:
            for choice in self.choices:
                if value == choice and isinstance(value, bool) == isinstance(choice, bool) \
                        or self.is_text and str(value).lower() == str(choice).lower():
                    return choice
            raise ValueError(", ".join(str(c) for c in self.choices))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}")
        if self.whole and value != int(value):
            raise ValueError(f"a whole number from {self.low:g} to {self.high:g}")
        return int(value) if self.whole else float(value)

    def entry(self) -> dict[str, Any]:
        """Its row of the manifest."""
        return {"name": self.name, "role": self.role, "paths": list(self.paths),
                "values": None if self.levels or not self.choices else list(self.choices),
                "levels": {k: dict(v) for k, v in self.levels.items()} if self.levels else None,
                "low": self.low, "high": self.high,
                "distribution": None if self.choices else self.shape.distribution or "uniform",
                **{k: getattr(self.shape, k) for k in ("mean", "sd", "mode")},
                "whole": self.whole, "configured": self.configured,
                "unit": self.unit, "label": self.label}

    def _quantile(self, share: float) -> float:
        low, high, keys = self.low, self.high, self.shape
        if share <= 0 or share >= 1:
            return high if share >= 1 else low
        if keys.distribution == "log_uniform":
            return low * (high / low) ** share
        if keys.distribution == "triangular":
            return _triangular(share, low, keys.mode, high)
        if keys.distribution == "normal":
            return _cut_normal(share, keys.mean, keys.sd, low, high)
        return low + share * (high - low)


def _triangular(share: float, low: float, mode: float, high: float) -> float:
    rising = (mode - low) / (high - low)  # share of the rising side
    if share < rising:
        return low + sqrt(share * (high - low) * (mode - low))
    return high - sqrt((1 - share) * (high - low) * (high - mode))


def _cut_normal(share: float, mean: float, sd: float, low: float, high: float) -> float:
    from scipy.special import ndtr, ndtri

    below, above = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return mean + sd * float(ndtri(below + share * (above - below)))


def factors_of(settings: Settings) -> list[Factor]:
    """The levers, then the uncertainties of a study, in the order of its file.

    Raises
    ------
    InputError
        If a path does not exist, or the parameter refuses one of its values, levels or ends.
    """
    found = [_factor(settings, role, name, FactorKeys(**keys))
             for role, group in ((LEVER, "levers"), (UNCERTAINTY, "uncertainties"))
             for name, keys in (settings[group] or {}).items()]
    return [replace(factor, label=factor.label or short.replace("_", " "))
            for factor, short in zip(found, short_names(found), strict=True)]


def short_names(factors: Sequence[Factor]) -> list[str]:
    """The last part of each factor's path, or as much of its end as makes it unlike the others."""
    parts = [f.name.split(".") for f in factors]
    longest = max((len(p) for p in parts), default=0)
    found = []
    for own in parts:
        found.append(next(
            (end for end in (".".join(own[-n:]) for n in range(1, longest + 1))
             if sum((".".join(p)).endswith("." + end) or ".".join(p) == end for p in parts) == 1),
            ".".join(own)))
    return found


def place_of(settings: Settings, key: str) -> str:
    """File and key of something in the study's own keys, as the user would look for it."""
    head = key.split(".")[0]
    by_hand = any(text.lstrip("+~").partition("=")[0].split(".")[0] == head
                  for text in settings.overrides)
    file = settings.files.get("experiment")
    if by_hand:
        return f"command line, {key}"
    return f"{file}, key {key}" if file else key


def _factor(settings: Settings, role: str, name: str, keys: FactorKeys) -> Factor:
    where = place_of(settings, f"{'levers' if role == LEVER else 'uncertainties'}.{name}")
    current = {path: _current(settings, path, where, alone=keys.levels is None)
               for path in paths_of(name, keys.model_dump())}
    label = keys.label or ""
    if keys.levels is not None:
        found = Factor(name, role, tuple(current), None, tuple(keys.levels), keys.levels,
                       shape=keys, unit=keys.unit or "", label=label)
        for level, values in keys.levels.items():
            _accepted(settings, values, f"{where}.levels.{level}")
        same = [k for k, v in keys.levels.items() if v == current]
        return replace(found, configured=same[0] if same else None)
    rule = settings.rules.get(_bare(settings, name))
    unit = keys.unit or (rule.unit if rule else "")
    now = current[name]
    if keys.values is not None:
        for value in keys.values:
            _refuse_other_kind(now, value, where)
            _accepted(settings, {name: value}, where)
        return Factor(name, role, (name,), now, tuple(keys.values), shape=keys, unit=unit,
                      label=label)
    low, high = keys.ends
    whole = _is_whole(rule.shipped if rule else now, rule.unit if rule else "", low, high)
    ends = (int(low), int(high)) if whole else (low, high)
    for end in ends:
        _refuse_other_kind(now, end, where)
        _accepted(settings, {name: end}, where)
    return Factor(name, role, (name,), now, (), None, *ends, shape=keys, whole=whole, unit=unit,
                  label=label)


def _current(settings: Settings, path: str, where: str, alone: bool) -> Any:
    try:
        found = settings.get_path(_bare(settings, path))
    except InputError as error:
        raise InputError(f"there is no parameter '{path}'", where=where, allowed=error.allowed,
                         closest=error.closest) from None
    if alone and isinstance(found, Mapping | list):
        keys = found if isinstance(found, Mapping) else range(len(found))
        raise InputError(f"'{path}' holds several values", where=where,
                         allowed=[f"{path}.{key}" for key in keys] or "a single value")
    return found


def _bare(settings: Settings, path: str) -> str:
    """The path of a parameter whose value is meant."""
    return path if path in settings.rules else path.removesuffix(".value")


def _refuse_other_kind(now: Any, value: Any, where: str) -> None:
    """Labels, words and switches of policies and cities have no rule of their own to say so."""
    kinds = ("a word" if isinstance(v, str) else "true or false" if isinstance(v, bool)
             else "a number" for v in (now, value))
    expected, given = kinds
    if now is not None and expected != given:
        raise InputError(f"{value!r} is not accepted", where=where, allowed=expected)


def _accepted(settings: Settings, values: Mapping[str, Any], where: str) -> None:
    try:
        settings.replace(values)
    except InputError as error:
        raise InputError(error.message, where=where, allowed=error.allowed,
                         closest=error.closest) from None


def _is_whole(shipped: Any, unit: str, low: float, high: float) -> bool:
    """Counts are whole; so is what ships as a whole number, unless the range says otherwise."""
    if unit in _WHOLE_UNITS:
        return True
    ships_whole = type(shipped) is int and unit.split(" ")[0] not in _SHARES
    return ships_whole and low == int(low) and high == int(high)

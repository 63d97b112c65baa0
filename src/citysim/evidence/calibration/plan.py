"""What a calibration may move and what it aims at, read from ``configs/calibration/NAME.yaml``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from citysim.config.ensembles import given_by_hand
from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, options, read_yaml, shipped_config_dir
from citysim.config.settings import Settings
from citysim.evidence.facts import Fact, Part, load_facts

FOLDER = "calibration"
KEYS = ("parameters", "targets", "left_out", "runs", "waves", "days", "warmup_days", "first_seed",
        "points")
CALIBRATE = "calibrate"
_SPREADS = ("factor", "range")
_LEAST = {"runs": 4, "waves": 2, "days": 1, "warmup_days": 0, "first_seed": 0, "points": 2}


@dataclass(frozen=True)
class Prior:
    """How far one parameter may go.

    Attributes
    ----------
    path
        Of the parameter.
    low, high
        Ends of its range.
    log
        Whether it is spread by logarithm.
    configured
        Its value as the study has it.
    """

    path: str
    low: float
    high: float
    log: bool
    configured: float

    def at(self, share: np.ndarray) -> np.ndarray:
        """Values at shares (0 to 1) of the way through the range."""
        if self.log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share


@dataclass(frozen=True)
class Target:
    """One published level.

    Attributes
    ----------
    fact, part
        Where it stands.
    expected
        Outcomes and parameters whose product is the expectation, up to a constant.
    low, high
        What counts as met.
    """

    fact: Fact
    part: Part
    expected: tuple[str, ...]
    low: float
    high: float

    @property
    def name(self) -> str:
        """Of the fact and its part."""
        return f"{self.fact.id}: {self.part.label}" if self.part.label else self.fact.id

    @property
    def share(self) -> bool:
        """Whether it is a share below 1, so that it is looked at as log odds."""
        return self.fact.unit.startswith("share") and self.high < 1


@dataclass(frozen=True)
class Plan:
    """One calibration.

    Attributes
    ----------
    name
        Of its file.
    priors, targets
        What may move; what is fitted.
    others
        Facts to calibrate on that are not fitted.
    left_out
        Why, by fact.
    runs, waves, days, warmup_days, first_seed, points
        As in the file.
    """

    name: str
    priors: tuple[Prior, ...]
    targets: tuple[Target, ...]
    others: tuple[Fact, ...]
    left_out: dict[str, str]
    runs: int
    waves: int
    days: int
    warmup_days: int
    first_seed: int
    points: int

    def values(self, shares: np.ndarray) -> np.ndarray:
        """Values of the parameters (n, d) at shares of their ranges (n, d)."""
        return np.column_stack([prior.at(shares[:, i]) for i, prior in enumerate(self.priors)])

    def logs(self, shares: np.ndarray) -> np.ndarray:
        """Logarithms of the same; 0 for parameters that may be 0 or below."""
        points = self.values(np.atleast_2d(shares))
        positive = np.array([prior.low > 0 for prior in self.priors])
        return np.where(positive, np.log(np.where(positive, points, 1.0)), 0.0)


def plan_file(name: str, config_path: str | Path | None = None) -> Path:
    """The file of a plan.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    folder = find_config_dir(config_path)
    folder = folder if (folder / FOLDER).is_dir() else shipped_config_dir()
    known = options(folder, FOLDER)
    if name not in known:
        raise InputError(f"unknown calibration '{name}'", where=str(folder / FOLDER),
                         allowed=known, closest=closest_match(name, known))
    return folder / FOLDER / f"{name}.yaml"


def read_plan(file: Path, settings: Settings, facts: list[Fact] | None = None,
              **changes: int | None) -> Plan:
    """A checked plan.

    Parameters
    ----------
    file
        Where it stands.
    settings
        Of the city, which say what each parameter is and accepts.
    facts
        Published facts; all of the configuration by default.
    changes
        Numbers in place of those of the file (``runs``, ``waves``, ...); ``None`` changes nothing.

    Raises
    ------
    InputError
        With file and key.
    """
    content, where = read_yaml(file, KEYS), str(file)
    numbers = _numbers(content, changes, where)
    facts = facts if facts is not None else load_facts(settings.config_dir or None)
    left_out = content.get("left_out") or {}
    held = {fact.id: fact for fact in facts if fact.use == CALIBRATE and fact.status != "memory"}
    targets = tuple(_target(entry, held, settings, f"{where}: targets.{i}")
                    for i, entry in enumerate(content.get("targets") or []))
    moved = content.get("parameters") or {}
    by_hand = given_by_hand(settings, moved)
    priors = tuple(_prior(path, given, settings, f"{where}: parameters.{path}")
                   for path, given in moved.items() if path not in by_hand)
    if not targets or not priors:
        raise InputError("nothing to fit", where=where,
                         allowed="at least one parameter and one target")
    for name in left_out:
        if name not in held:
            raise InputError(f"no fact '{name}' to calibrate on", where=f"{where}: left_out",
                             allowed=list(held), closest=closest_match(name, held))
    return Plan(file.stem, priors, targets, tuple(held.values()), dict(left_out), **numbers)


def _numbers(content, changes, where) -> dict[str, int]:
    found = {}
    for key, least in _LEAST.items():
        given = changes.get(key)
        value = content.get(key) if given is None else given
        if type(value) is not int or value < least:
            raise InputError(f"{value!r} is not accepted",
                             where=f"{where}: {key}" if given is None else f"--{key}",
                             allowed=f"a whole number from {least} on")
        found[key] = value
    return found


def _target(entry, held: Mapping[str, Fact], settings: Settings, where: str) -> Target:
    if not isinstance(entry, Mapping) or not set(entry) <= {"fact", "part", "expected"}:
        raise InputError("a target is {fact, part, expected}", where=where)
    fact = held.get(entry.get("fact"))
    if fact is None:
        raise InputError(f"no fact '{entry.get('fact')}' to calibrate on", where=where,
                         allowed=list(held), closest=closest_match(str(entry.get("fact")), held))
    parts = {part.label: part for part in fact.parts if part.use == CALIBRATE}
    part = parts.get(str(entry.get("part") or ""))
    if part is None:
        raise InputError(f"no part '{entry.get('part')}' to calibrate on", where=where,
                         allowed=list(parts), closest=closest_match(str(entry.get("part")), parts))
    if part.one_of or (part.value is None and part.low is None):
        raise InputError("this fact gives no number to aim at", where=where)
    expected = entry.get("expected") or []
    for name in expected:
        _refuse_unknown(name, settings, where)
    low, high = met_between(fact, part)
    return Target(fact, part, tuple(expected), low, high)


def met_between(fact: Fact, part: Part) -> tuple[float, float]:
    """What counts as met: the published range, or as near the value as the board asks."""
    if part.value is None:
        return part.low, part.high
    width = fact.tolerance.inside * abs(part.value)
    return part.value - width, part.value + width


def _refuse_unknown(name: str, settings: Settings, where: str) -> None:
    """An expectation is made of outcomes and parameters that exist."""
    from citysim.outcomes.registry import describe

    if name.split(".")[0] in settings:
        _passed_on(lambda: settings.get_path(name), where)
    else:
        _passed_on(lambda: describe(name), where)


def _passed_on(asked: Callable[[], Any], where: str) -> None:
    """Refuse what another floor refuses, at the place where it is written."""
    try:
        asked()
    except InputError as error:
        raise InputError(error.message, where=where, allowed=error.allowed,
                         closest=error.closest) from None


def _prior(path: str, given, settings: Settings, where: str) -> Prior:
    rule, given = settings.rules.get(path), given or {}
    if rule is None:
        raise InputError(f"there is no parameter '{path}'", where=where,
                         closest=closest_match(path, settings.rules))
    if not isinstance(given, Mapping) or len(given) > 1 or not set(given) <= set(_SPREADS):
        raise InputError("a parameter has factor, range, or neither ({})", where=where,
                         allowed=_SPREADS)
    now, kind = settings.get_path(path), next(iter(given), "range")
    span = given.get(kind, rule.range)
    good = isinstance(span, list | tuple) and len(span) == 2 and \
        all(isinstance(v, int | float) and math.isfinite(v) for v in span) and span[0] < span[1]
    if not good or (kind == "factor" and not (span[0] > 0 and now > 0)):
        raise InputError(f"{span!r} is no range to search", where=where,
                         allowed="[low, high], for factor above 0")
    low, high = (now * v for v in span) if kind == "factor" else map(float, span)
    for end in (low, high):
        _passed_on(lambda end=end: settings.replace({path: end}), where)
    return Prior(path, low, high, kind == "factor", float(now))

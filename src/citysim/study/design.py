"""What a study compares: scenarios, seeds, and the runs that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.settings import Settings, stable_hash
from citysim.config.study_keys import BASELINE, TOGETHER

_SCIENCE = ("state", "kernels", "city", "population", "policies", "outcomes", "model")


@dataclass(frozen=True)
class Scenario:
    """One option that is compared.

    Parameters
    ----------
    name
        Shown in tables and figures.
    policies
        Names of the policies in force; empty when nothing is done.
    set
        Parameters that differ from the study's, by dotted path: levers and uncertainties.
    future
        Which state of the uncertainties this is: 0 as configured, 1 and up by the design. An
        option has the same name in every future; comparisons are made within a future and seed.
    """

    name: str
    policies: tuple[str, ...] = ()
    set: dict[str, Any] = field(default_factory=dict)
    future: int = 0


@dataclass(frozen=True)
class Run:
    """One scenario with one seed; ``settings`` already hold the scenario's parameters.

    ``key`` depends on everything that can change the result: parameters, policies in force,
    seed, code and data files.
    """

    key: str
    scenario: Scenario
    seed: int
    settings: Settings


def scenarios_of(settings: Settings) -> list[Scenario]:
    """The scenarios of a study: written out, or no action, each policy, and all together.

    Raises
    ------
    InputError
        If a scenario names a policy that the study does not hold.
    """
    held = list(settings.policies)
    if settings.scenarios is None:
        found = [Scenario(BASELINE), *(Scenario(name, (name,)) for name in held)]
        if len(held) > 1:
            found.append(Scenario(TOGETHER, tuple(held)))
        return found
    found = []
    for name, keys in settings.scenarios.items():
        for policy in keys["policies"]:
            if policy not in held:
                raise InputError(f"unknown policy '{policy}'",
                                 where=f"scenarios.{name}.policies",
                                 allowed=held or "none: choose policies with policy=[A,B]",
                                 closest=closest_match(policy, held))
        found.append(Scenario(name, tuple(keys["policies"]), dict(keys["set"])))
    if not found:
        raise InputError("the study has no scenarios", where="scenarios",
                         allowed="name: {policies: [names], set: {path: value}}")
    return found


def runs_of(settings: Settings) -> list[Run]:
    """Every run of a study, all scenarios of one seed behind each other.

    That order gives complete pairs early, so that a study cut short still compares.
    """
    scenarios = scenarios_of(settings)
    code = code_hash()
    prepared = [(s, settings.replace(s.set) if s.set else settings) for s in scenarios]
    bases = [_base(s, own, code) for s, own in prepared]
    return [Run(stable_hash([base, seed]), scenario, seed, own)
            for seed in settings.seeds
            for (scenario, own), base in zip(prepared, bases, strict=True)]


def study_key(runs: list[Run]) -> str:
    """Hash of the design: changes with any run, not with folders or numbers of workers."""
    return stable_hash(sorted(run.key for run in runs))


def _base(scenario: Scenario, settings: Settings, code: str) -> str:
    content = settings.content()
    # Policies that are not in force cannot matter: adding one keeps the other runs valid.
    content["policies"] = {p: content["policies"][p] for p in scenario.policies}
    if not scenario.policies:
        content.pop("budget")
    return stable_hash([scenario.name, list(scenario.policies), content, code,
                        data_files(settings.city)])


@cache
def code_hash() -> str:
    """Hash of the source files that can change a result (16 hexadecimal digits)."""
    root = Path(__file__).resolve().parents[1]
    total = sha256()
    for package in _SCIENCE:
        for path in sorted((root / package).rglob("*.py")):
            total.update(path.relative_to(root).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()[:16]


def data_files(city: Any) -> dict[str, str]:
    """Hash of every file that a city's description names, by its path as written."""
    found: dict[str, str] = {}
    if isinstance(city, dict):
        for value in city.values():
            found.update(data_files(value))
    elif isinstance(city, list):
        for value in city:
            found.update(data_files(value))
    elif isinstance(city, str) and ("/" in city or "." in city):
        path = Path(city).expanduser()
        if path.is_file():
            found[city] = sha256(path.read_bytes()).hexdigest()[:16]
    return found

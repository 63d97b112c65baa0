"""The runs of a study: its scenarios times its seeds, each with a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.settings import NOT_CONTENT, Settings, stable_hash
from citysim.study.factors import place_of
from citysim.study.program import Program
from citysim.study.sweep import Scenario, sweep_of

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_RUNS = 1_000_000  # a slip of the keyboard beyond it
_SCIENCE = ("state", "kernels", "city", "population", "policies", "outcomes", "model")


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
    """Every option of a study in every future where it is looked at, future by future.

    Without levers and uncertainties: the scenarios that are written out, or no action, each
    policy, and all together.

    Raises
    ------
    InputError
        See :func:`citysim.study.sweep.sweep_of`.
    """
    return sweep_of(settings).scenarios


def design_table(settings: Settings) -> pa.Table:
    """The design as a table: scenario, future, sample, and the value of every factor."""
    return sweep_of(settings).table()


def runs_of(settings: Settings, seeds: Iterable[int] | None = None,
            program: Program | None = None) -> list[Run]:
    """Every run of a study, all scenarios of one seed behind each other.

    That order gives complete pairs early, so that a study cut short still compares.

    Parameters
    ----------
    settings
        The study's.
    seeds
        In place of the study's own: with more of them, the keys of the runs they share stay.
    program
        What will simulate them; the model's own by default.

    Raises
    ------
    InputError
        See :func:`citysim.study.sweep.sweep_of` and
        :func:`citysim.config.ensembles.ensemble_of`; and if there are more than anyone means.
    """
    code, memo = _code_of(program or Program()), {}
    scenarios, ensemble = scenarios_of(settings), ensemble_of(settings)
    prepared: dict[tuple, list[tuple]] = {}
    found = []
    seeds = list(settings.seeds if seeds is None else seeds)
    if len(scenarios) * len(seeds) > _MOST_RUNS:
        raise InputError(f"{len(scenarios) * len(seeds):,} runs", where=place_of(settings, "seeds"),
                         allowed=f"at most {_MOST_RUNS:,} in a study: fewer seeds or points")
    for seed in seeds:
        drawn = ensemble.drawn(seed) if ensemble else {}
        point = tuple(drawn.values())
        if point not in prepared:
            prepared[point] = [(scenario, own, _base(scenario, own, code, memo))
                               for scenario, own in _set_up(settings, scenarios, drawn)]
        found += [Run(stable_hash([base, seed]), scenario, seed, own)
                  for scenario, own, base in prepared[point]]
    return found


def _set_up(settings: Settings, scenarios: list[Scenario],
            drawn: dict[str, float]) -> Iterator[tuple[Scenario, Settings]]:
    """Each scenario with what was drawn for a seed and its own settings, which come last."""
    start = settings.replace(drawn) if drawn else settings
    for scenario in scenarios:
        own = start.replace(scenario.set) if scenario.set else start
        whole = replace(scenario, set={**drawn, **scenario.set}) if drawn else scenario
        yield whole, own


def study_key(runs: list[Run]) -> str:
    """Hash of the design: changes with any run, not with folders or numbers of workers.

    Seeds that were added to narrow the contrasts do not count; the rule that adds them does.
    """
    study = runs[0].settings
    configured = set(study.seeds)
    keys = sorted(run.key for run in runs if run.seed in configured)
    return stable_hash([keys, study.replicates] if study.replicates else keys)


def samples_to_check(runs: list[Run]) -> list[Settings]:
    """Settings among the runs' that hold every extreme, every word, every set of policies.

    What each parameter accepts is known before; checking whole cities and policies for each of
    thousands of points would take longer than deciding what is left to run.
    """
    kept: dict[tuple, Settings] = {}
    ends: dict[tuple, tuple[float, Settings]] = {}
    for run in {id(run.settings): run for run in runs}.values():
        group = run.scenario.policies
        kept.setdefault((group, frozenset(run.scenario.set)), run.settings)
        for path, value in run.scenario.set.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                kept.setdefault((group, path, repr(value)), run.settings)
                continue
            for side in (-1, 1):
                end = ends.get((group, path, side))
                if end is None or side * value > side * end[0]:
                    ends[group, path, side] = value, run.settings
    found = [*kept.values(), *(settings for _, settings in ends.values())]
    return list({id(settings): settings for settings in found}.values())


def _base(scenario: Scenario, settings: Settings, code: str, memo: dict) -> str:
    """Hash of all that a run depends on but its seed."""
    content = {key: _digest(part, memo) for key, part in settings.items()
               if key not in NOT_CONTENT}
    # Policies that are not in force cannot matter: adding one keeps the other runs valid.
    content["policies"] = {p: _digest(settings.policies[p], memo) for p in scenario.policies}
    if not scenario.policies:
        content.pop("budget")
    city = ("files", id(settings.city))
    if city not in memo:
        memo[city] = settings.city, data_files(settings.city)
    return stable_hash([scenario.name, scenario.future, list(scenario.policies), content, code,
                        memo[city][1]])


def _digest(node: Any, memo: dict) -> Any:
    """A value itself, or the hash of a branch from those of its parts.

    Settings of a sweep share all branches but those that a point changes; each is hashed once.
    ``memo`` keeps the nodes, so that their ids stay theirs.
    """
    if not isinstance(node, Mapping | list):
        return node
    if id(node) not in memo:
        parts = [_digest(v, memo) for v in node] if isinstance(node, list) else \
            {k: _digest(v, memo) for k, v in node.items()}
        memo[id(node)] = node, stable_hash(parts)
    return memo[id(node)][1]


def _code_of(program: Program) -> str:
    """Hash of the source that a program's runs come from: the model's, and any of its own."""
    if not program.code:
        return code_hash()
    return stable_hash([code_hash(), program.simulate, _source_hash(program.code)])


@cache
def _source_hash(modules: tuple[str, ...]) -> str:
    total = sha256()
    for name in modules:
        total.update(name.encode() + Path(find_spec(name).origin).read_bytes())
    return total.hexdigest()[:16]


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

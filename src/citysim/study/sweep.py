"""What a study compares: every option, in every state of the world that it looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from citysim.config.errors import InputError, closest_match
from citysim.config.settings import Settings
from citysim.config.study_keys import BASELINE, TOGETHER
from citysim.study.factors import LEVER, Factor, factors_of, place_of, short_names
from citysim.study.sampling import Point, points_of, refuse_too_many

if TYPE_CHECKING:
    import pyarrow as pa

NO_SAMPLE = -1
_READABLE = ("grid", "one_at_a_time")  # designs whose options are named by what they set
_CHANGED = "changed"  # the option of a study without policies


@dataclass(frozen=True)
class Scenario:
    """One option that is compared, in one future.

    Parameters
    ----------
    name
        Of the option; shown in tables and figures, the same in every future.
    policies
        Names of the policies in force; empty when nothing is done.
    set
        Parameters that differ from the study's, by dotted path: levers and uncertainties.
    future
        Which state of the uncertainties this is: 0 as configured, 1 and up by the design.
        Comparisons are made within a future and seed.
    """

    name: str
    policies: tuple[str, ...] = ()
    set: dict[str, Any] = field(default_factory=dict)
    future: int = 0


@dataclass(frozen=True)
class Row:
    """One line of a study's design: an option in a future, and where in the sample it stands.

    Attributes
    ----------
    option, future
        Name and number, as in :class:`Scenario`.
    sample
        Row of the sampling matrix (with ``futures``, of the matrix of futures), -1 for none.
    levers
        Value of each lever, ``None`` where it does not act.
    """

    option: str
    future: int
    sample: int
    levers: Point


@dataclass(frozen=True)
class Sweep:
    """A study's factors, options, futures, and which of them meet.

    Attributes
    ----------
    factors
        Levers, then uncertainties.
    options
        Scenario by name, with its levers set and as configured otherwise.
    futures
        Values of the uncertainties by future; the first as configured.
    rows
        The design, future by future, baselines first; empty when nothing varies.
    """

    factors: list[Factor]
    options: dict[str, Scenario]
    futures: list[Point]
    rows: list[Row]

    @property
    def scenarios(self) -> list[Scenario]:
        """Every option in every future where it is looked at, future by future."""
        uncertain = [f for f in self.factors if f.role != LEVER]
        states = [_sets(uncertain, point) if number else {}
                  for number, point in enumerate(self.futures)]
        pairs = dict.fromkeys((row.option, row.future) for row in self.rows) or \
            [(name, 0) for name in self.options]
        return [replace(o, set={**o.set, **states[future]}, future=future)
                for o, future in ((self.options[name], future) for name, future in pairs)]

    def table(self) -> pa.Table:
        """The design as a table, one row per scenario, future and sample.

        Returns
        -------
        pyarrow.Table
            ``scenario`` (string), ``future`` and ``sample`` (int32), then one column per factor
            by its name: float64, or string for words and levels; null where a lever does not act.
        """
        import pyarrow as pa

        rows = self.rows or [Row(name, 0, NO_SAMPLE, ()) for name in self.options]
        n_levers = sum(f.role == LEVER for f in self.factors)
        columns = {"scenario": pa.array([r.option for r in rows], pa.string()),
                   "future": pa.array([r.future for r in rows], pa.int32()),
                   "sample": pa.array([r.sample for r in rows], pa.int32())}
        for i, factor in enumerate(self.factors):
            values = [r.levers[i] if i < n_levers else self.futures[r.future][i - n_levers]
                      for r in rows]
            if factor.is_text:
                values = [None if v is None else str(v).lower() if isinstance(v, bool) else str(v)
                          for v in values]
            columns[factor.name] = pa.array(values, pa.string() if factor.is_text
                                            else pa.float64())
        return pa.table(columns)


def sweep_of(settings: Settings) -> Sweep:
    """The sweep that a study's keys describe.

    Raises
    ------
    InputError
        If a scenario names a policy that the study does not hold, a factor's path or value is
        not accepted, a lever acts nowhere, or a file of points does not fit.
    """
    listed = _listed(settings)
    factors = factors_of(settings)
    if not factors:
        return Sweep([], {s.name: s for s in listed}, [()], [])
    levers = [f for f in factors if f.role == LEVER]
    uncertain = [f for f in factors if f.role != LEVER]
    acting = [s for s in listed if s.policies or s.set]
    if levers and not acting:
        raise InputError("no scenario for the levers to act in",
                         where=place_of(settings, "scenarios"),
                         allowed="a scenario with policies or parameters of its own, or null")
    acting = acting or listed  # a study of the uncertainties alone
    baselines = [s for s in listed if s not in acting]
    drawn = _drawn(settings, levers, uncertain)
    futures = {tuple(f.configured for f in uncertain): 0}
    for _, state, _ in drawn:
        futures.setdefault(state, len(futures))
    kind = (settings.design or {"kind": "grid"})["kind"]
    options, by_future = {s.name: s for s in baselines}, {}
    for scenario, named in zip(acting, _named(settings, acting, levers, drawn, kind), strict=True):
        for point, name in named.values():
            options[name] = replace(scenario, name=name,
                                    set={**scenario.set, **_sets(levers, point)})
        for state, future, sample in drawn:
            point, name = named[state]
            by_future.setdefault(futures[future], []).append(
                Row(name, futures[future], sample, point))
    blank = (None,) * len(levers)
    rows = [row for future in sorted(by_future)
            for row in [*(Row(s.name, future, NO_SAMPLE, blank) for s in baselines),
                        *by_future[future]]]
    return Sweep(factors, options, list(futures), rows)


def _listed(settings: Settings) -> list[Scenario]:
    """The scenarios as written out, or no action and what the study's policies make."""
    held = tuple(settings.policies)
    if settings.scenarios is None and settings.levers:
        name = TOGETHER if len(held) > 1 else held[0] if held else _CHANGED
        return [Scenario(BASELINE), Scenario(name, held)]
    if settings.scenarios is None:
        found = [Scenario(BASELINE), *(Scenario(name, (name,)) for name in held)]
        return found + [Scenario(TOGETHER, held)] if len(held) > 1 else found
    for name, keys in settings.scenarios.items():
        for policy in keys["policies"]:
            if policy not in held:
                raise InputError(f"unknown policy '{policy}'", where=f"scenarios.{name}.policies",
                                 allowed=held or "none: choose policies with policy=[A,B]",
                                 closest=closest_match(policy, held))
    found = [Scenario(name, tuple(keys["policies"]), dict(keys["set"]))
             for name, keys in settings.scenarios.items()]
    if not found:
        raise InputError("the study has no scenarios", where="scenarios",
                         allowed="name: {policies: [names], set: {path: value}}")
    return found


def _drawn(settings, levers, uncertain) -> list[tuple[Point, Point, int]]:
    """Values of the levers, values of the uncertainties, row of the sampling matrix."""
    if settings.futures:
        states = points_of(settings, "futures", uncertain)
        chosen = list(dict.fromkeys(points_of(settings, "design", levers))) if levers else [()]
        refuse_too_many(settings, "futures", len(states) * len(chosen))
        return [(point, state, row) for row, state in enumerate(states) for point in chosen]
    n = len(levers)
    return [(point[:n], point[n:], row) for row, point in
            enumerate(points_of(settings, "design", [*levers, *uncertain]))]


def _named(settings, acting, levers, drawn, kind) -> list[dict[Point, tuple[Point, str]]]:
    """For each acting scenario: what of a point acts in it, and the option's name, by point."""
    points = dict.fromkeys(point for point, _, _ in drawn)
    masks = [[_acts(lever, scenario) for lever in levers] for scenario in acting]
    for i, lever in enumerate(levers):
        if not any(mask[i] for mask in masks):
            raise InputError(f"'{lever.name}' acts in no scenario",
                             where=place_of(settings, f"levers.{lever.name}"),
                             allowed="a parameter of a policy in force, or of no policy")
    words = _words(levers, points) if kind in _READABLE else None
    digits = max(4, len(str(len(points))))
    found = []
    for scenario, mask in zip(acting, masks, strict=True):
        names: dict[Point, str] = {}
        named = {}
        for number, point in enumerate(points, start=1):
            own = tuple(v if acts else None for v, acts in zip(point, mask, strict=True))
            if own not in names:
                text = f"p{number:0{digits}d}" if words is None else \
                    ", ".join(words[i, v] for i, v in enumerate(own) if (i, v) in words
                              and not (kind == "one_at_a_time" and v == levers[i].configured))
                alone = not any(mask) or not text
                names[own] = scenario.name if alone else text if len(acting) == 1 \
                    else f"{scenario.name}, {text}"
            named[point] = own, names[own]
        found.append(named)
    return found


def _acts(lever: Factor, scenario: Scenario) -> bool:
    """Whether a lever moves anything in a scenario: not the parameters of absent policies."""
    keys = [path.split(".") for path in lever.paths]
    return any(k[0] != "policies" or len(k) == 1 or k[1] in scenario.policies for k in keys)


def _words(levers: Sequence[Factor], points: Iterable[Point]) -> dict[tuple[int, Any], str]:
    """``dose=0.5`` for every value that a lever takes: its label, or the shortest end of its path
    that is unlike the others', and as many digits as tell its values apart."""
    points = list(points)
    found = {}
    for i, short in enumerate(short_names(levers)):
        values = list(dict.fromkeys(p[i] for p in points if p[i] is not None))
        texts = [f"{v:g}" if isinstance(v, float) else str(v).lower() if isinstance(v, bool)
                 else str(v) for v in values]
        if len(set(texts)) < len(texts):
            texts = [repr(v) for v in values]
        word = levers[i].shape.label or short
        found.update({(i, v): f"{word}={t}" for v, t in zip(values, texts, strict=True)})
    return found


def _sets(factors: Sequence[Factor], point: Point) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for factor, value in zip(factors, point, strict=True):
        found.update(factor.sets(value))
    return found

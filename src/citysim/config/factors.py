"""What a study varies and how: the keys of levers, uncertainties, designs and replicates."""

from __future__ import annotations

from math import inf, log2, prod
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from citysim.config.errors import InputError

Kind = Literal["grid", "one_at_a_time", "latin_hypercube", "sobol", "morris", "table"]
Distribution = Literal["uniform", "log_uniform", "normal", "triangular"]
DESIGNS = get_args(Kind)
DISTRIBUTIONS = get_args(Distribution)
MOST_POINTS = 100_000  # a slip of the keyboard beyond it
# Which further keys a kind of design has, the first of them where it must have it.
_NEEDED = {"latin_hypercube": "points", "sobol": "points", "morris": "points", "table": "file"}
_OPTIONAL = {"grid": ("steps",), "one_at_a_time": ("steps",), "latin_hypercube": ("seed",),
             "sobol": ("seed", "second_order"), "morris": ("seed", "levels"), "table": ()}
_SHAPES = {"uniform": ("low", "high"), "log_uniform": ("low", "high"), "normal": ("mean", "sd"),
           "triangular": ("low", "mode", "high")}
_NUMBERS = ("low", "high", "mean", "sd", "mode")


class Strict(BaseModel):
    """Keys that are all known, of exactly their kind, and finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class FactorKeys(Strict):
    """One lever or uncertainty: a list of values, levels with names, or a range of numbers.

    Attributes
    ----------
    values
        Numbers, words or switches that the parameter takes.
    levels
        Name of a level -> the parameters that it sets, by dotted path.
    low, high
        Ends of a range, inclusive. A normal distribution is cut off at them, without them at
        three standard deviations.
    distribution
        How a range is spread: ``uniform``, ``log_uniform``, ``normal``, ``triangular``.
    mean, sd, mode
        Of the normal and the triangular distribution.
    label, unit
        For tables and figures.
    """

    values: list[Any] | None = None
    levels: dict[str, dict[str, Any]] | None = None
    low: float | None = None
    high: float | None = None
    distribution: Distribution | None = None
    mean: float | None = None
    sd: float | None = None
    mode: float | None = None
    label: str | None = None
    unit: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _list_is_values(cls, given):
        return {"values": given} if isinstance(given, list | tuple) else given

    @field_validator(*_NUMBERS, mode="before")
    @classmethod
    def _number(cls, value):
        return float(value) if type(value) is int else value

    @field_validator("levels", mode="before")
    @classmethod
    def _numbers_name_levels(cls, value):
        return {str(k) if type(k) in (int, float) else k: v for k, v in value.items()} \
            if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_form(self):
        ranged = [n for n in (*_NUMBERS, "distribution") if getattr(self, n) is not None]
        forms = [n for n in ("values", "levels") if getattr(self, n) is not None]
        if len(forms) + bool(ranged) != 1:
            raise ValueError("expected one of: values, levels, a range")
        if self.values is not None:
            _refuse_bad_values(self.values)
        elif self.levels is not None:
            _refuse_bad_levels(self.levels)
        else:
            self._check_range()
        return self

    def _check_range(self):
        kind = self.distribution or "uniform"
        missing = [n for n in _SHAPES[kind] if getattr(self, n) is None]
        if missing:
            raise ValueError(f"{kind} needs {' and '.join(missing)}")
        extra = [n for n in ("mean", "sd", "mode")
                 if getattr(self, n) is not None and n not in _SHAPES[kind]]
        if extra:
            raise ValueError(f"{kind} has no {extra[0]}")
        if self.sd is not None and self.sd <= 0:
            raise ValueError("sd must be above 0")
        low, high = self.ends
        if low >= high:
            raise ValueError(f"low {low:g} is not below high {high:g}")
        if kind == "log_uniform" and low <= 0:
            raise ValueError("log_uniform needs low above 0")
        centre = self.mode if kind == "triangular" else self.mean
        if centre is not None and not low <= centre <= high:
            raise ValueError(f"{centre:g} does not lie between {low:g} and {high:g}")

    @property
    def ends(self) -> tuple[float, float]:
        """Least and greatest value of a range."""
        low, high = self.low, self.high
        if self.distribution == "normal":
            low = self.mean - 3 * self.sd if low is None else low
            high = self.mean + 3 * self.sd if high is None else high
        return low, high


def _refuse_bad_values(values):
    if not values:
        raise ValueError("an empty list")
    for value in values:
        if type(value) not in (bool, int, float, str) or value in (inf, -inf) or value != value:
            raise ValueError(f"{value!r} is no number, word or switch; give it by levels")
    kinds = {float if type(value) is int else type(value) for value in values}
    if len(kinds) > 1:
        raise ValueError("numbers, words and switches are mixed")
    if len(set(values)) != len(values):
        raise ValueError("a value stands there twice")


def _refuse_bad_levels(levels):
    if not levels:
        raise ValueError("no levels")
    paths = [set(level) for level in levels.values()]
    everywhere = set().union(*paths)
    for name, own in zip(levels, paths, strict=True):
        if not name.strip():
            raise ValueError("a level needs a name")
        if own != everywhere:
            raise ValueError(f"level '{name}' does not set {', '.join(sorted(everywhere - own))}")
    if not everywhere:
        raise ValueError("the levels set nothing")


class DesignKeys(Strict):
    """How the points of a study are chosen.

    Attributes
    ----------
    kind
        ``grid``, ``one_at_a_time``, ``latin_hypercube``, ``sobol``, ``morris`` or ``table``.
    points
        Of a Latin hypercube: points; of Sobol: base points (a power of 2), each run with every
        factor exchanged in turn; of Morris: trajectories.
    seed
        Seed of the sampling.
    file
        Table of points, CSV or Parquet, one column per factor.
    levels
        Of Morris: levels of each factor, an even number.
    steps
        Of a grid or one at a time: how many values a range gets, its ends included.
    second_order
        Of Sobol: whether pairs of factors are told apart too, at twice the runs.
    """

    kind: Kind
    points: Annotated[int, Field(ge=1, le=MOST_POINTS)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    file: str | None = None
    levels: Annotated[int, Field(ge=2, le=1000)] | None = None
    steps: Annotated[int, Field(ge=2, le=MOST_POINTS)] | None = None
    second_order: bool | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self):
        needed = _NEEDED.get(self.kind)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{self.kind} needs {needed}")
        own = (needed, *_OPTIONAL[self.kind])
        for name in ("points", "seed", "file", "levels", "steps", "second_order"):
            if getattr(self, name) is not None and name not in own:
                raise ValueError(f"{self.kind} has no {name}")
        if self.kind == "sobol" and self.points & (self.points - 1):
            near = 2 ** round(log2(self.points))
            raise ValueError(f"sobol points must be a power of 2; {near} is near {self.points}")
        if self.kind == "morris" and (self.levels or 4) % 2:
            raise ValueError("morris needs an even number of levels")
        if self.file is not None and not self.file.lower().endswith((".csv", ".parquet")):
            raise ValueError("the file must end in .csv or .parquet")
        return self


class ReplicateKeys(Strict):
    """Seeds are added until the contrasts are narrow enough.

    Attributes
    ----------
    until_half_width
        Half the width of the 90 % interval of the paired contrast, in the outcome's unit, that
        the least certain option must reach.
    of
        Outcome id, such as ``crime.hazard.all``.
    max
        Most seeds, those of the study included.
    """

    until_half_width: Annotated[float, Field(gt=0)]
    of: str
    max: Annotated[int, Field(ge=1, le=100_000)]

    @field_validator("until_half_width", mode="before")
    @classmethod
    def _number(cls, value):
        return float(value) if type(value) is int else value


_RANGE = "low and high (and distribution: " + ", ".join(DISTRIBUTIONS) + ")"
ALLOWED = {
    "levers": "a list of values, {levels: {NAME: {path: value}}}, or " + _RANGE,
    "uncertainties": "a list of values, {levels: {NAME: {path: value}}}, or " + _RANGE,
    "design": "kind: " + ", ".join(DESIGNS) + "; points, seed, file, levels, steps by kind",
    "futures": "kind: " + ", ".join(DESIGNS) + "; points, seed, file, levels, steps by kind",
    "replicates": "until_half_width above 0, of: an outcome's id, max: a whole number",
}
_RESERVED = ("scenario", "future", "sample")  # columns of the design's own table


def paths_of(name: str, keys: dict[str, Any]) -> list[str]:
    """The parameters that a lever or uncertainty sets, by dotted path."""
    return list(next(iter(keys["levels"].values()))) if keys["levels"] else [name]


def refuse_contradictions(study: dict[str, Any], one_for_all: tuple[str, ...]) -> None:
    """Refuse study keys that are each right and do not go together.

    Parameters
    ----------
    study
        Checked study keys as plain values.
    one_for_all
        Study keys that may not differ between the runs of a study.

    Raises
    ------
    InputError
        Naming the key, what is allowed, and the closest where there is one.
    """
    rule = study["replicates"]
    if rule and rule["max"] < len(study["seeds"]):
        raise InputError(f"max {rule['max']} is below the study's {len(study['seeds'])} seeds",
                         where="replicates.max", allowed=f"{len(study['seeds'])} or more")
    levers, uncertainties = study["levers"] or {}, study["uncertainties"] or {}
    design, futures = study["design"], study["futures"]
    _refuse_aimless(levers, uncertainties, design, futures)
    _refuse_shared_paths(study, one_for_all)
    together = levers if futures else {**levers, **uncertainties}
    _refuse_unspread("design", design or {"kind": "grid", "steps": None}, together)
    if futures:
        _refuse_unspread("futures", futures, uncertainties)


def _refuse_aimless(levers, uncertainties, design, futures):
    if (design or futures) and not (levers or uncertainties):
        raise InputError("a design, but nothing that varies",
                         where="design" if design else "futures", allowed="with levers or "
                         "uncertainties, such as levers: {policies.NAME.dose: [0.5, 1, 2]}")
    if futures and not uncertainties:
        raise InputError("futures, but no uncertainties", where="futures",
                         allowed="with uncertainties, such as PATH: {low: 0.3, high: 3}")
    if futures and design and not levers:
        raise InputError("a design beside futures spreads levers, and there are none",
                         where="design", allowed="futures alone, or levers")
    if uncertainties and not (levers or design or futures):
        raise InputError("uncertainties, but nothing says how they are spread",
                         where="uncertainties", allowed="with design: {kind: latin_hypercube, "
                         "points: N} or another of " + ", ".join(DESIGNS))
    both = set(levers) & set(uncertainties)
    if both:
        raise InputError(f"'{min(both)}' is a lever too", where=f"uncertainties.{min(both)}",
                         allowed="a lever or an uncertainty")


def _refuse_shared_paths(study, one_for_all):
    """Two factors, or a factor and a scenario, that set the same parameter."""
    owner: dict[str, str] = {}
    for role in ("levers", "uncertainties"):
        for name, keys in (study[role] or {}).items():
            where = f"{role}.{name}"
            if name in _RESERVED or not name.strip():
                raise InputError(f"'{name}' cannot be a name here", where=where,
                                 allowed="any other name")
            for path in paths_of(name, keys):
                path = path.removesuffix(".value")
                if path in one_for_all:
                    raise InputError(f"{path} must be the same for all runs of a study",
                                     where=where, allowed="parameters and the other study keys")
                _claim(path, where, owner)
    for name, keys in (study["scenarios"] or {}).items():
        own = dict(owner)  # scenarios may set the same as each other
        for path in keys["set"] if owner else ():
            _claim(path.removesuffix(".value"), f"scenarios.{name}.set.{path}", own)


def _claim(path: str, where: str, owner: dict[str, str]) -> None:
    """Note who sets a path; ``owner`` also holds the branches above paths that are set."""
    parts = path.split(".")
    heads = [".".join(parts[:n]) for n in range(1, len(parts))]
    other = owner.get(path) or next((owner[h] for h in heads if h in owner and owner[h]), None)
    if other or path in owner:
        raise InputError(f"{path} is already set by {other or 'another factor, in part'}",
                         where=where, allowed="each parameter in one place")
    owner.update(dict.fromkeys((h for h in heads if h not in owner), ""))
    owner[path] = where


def _refuse_unspread(key, design, factors):
    """A grid of ranges without steps, or of more points than anyone means."""
    if design["kind"] != "grid":
        return
    sizes = []
    for name, keys in factors.items():
        listed = keys["values"] or keys["levels"]
        if not (listed or design["steps"]):
            raise InputError(f"a grid over the range of '{name}' needs steps", where=key,
                             allowed=f"{key}: {{kind: grid, steps: N}}, a list of values, or "
                             "another kind: " + ", ".join(DESIGNS[1:]))
        sizes.append(len(listed) if listed else design["steps"])
    if prod(sizes) > MOST_POINTS:
        raise InputError(f"a grid of {prod(sizes):,} points", where=key,
                         allowed=f"at most {MOST_POINTS:,}; fewer steps or values, or a "
                         "latin_hypercube")

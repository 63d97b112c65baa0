"""What an entry of ``configs/evidence/trials`` says: a published trial and how it is re-run.

An entry is data alone; a further trial needs no code. ``docs/evidence_trials.md`` explains every
key. Nothing of what was published reaches the model: ``published`` is only compared with.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from citysim.policies.policy import Condition, Target

CONTROL = "control"
UNIT_KINDS = ("places", "clusters", "venues", "areas", "people", "city")
SCOPES = ("units", "rings", "city")
STATUSES = ("confirmed", "secondary", "memory", "computed", "miniature")

Days = Annotated[int, Field(ge=0, le=3660)]
SomeDays = Annotated[int, Field(ge=1, le=3660)]
Metres = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(gt=50, lt=100)]


class Strict(BaseModel):
    """Keys that are not declared are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class UnitKeys(Strict):
    """What is treated or not.

    ``places`` are single street segments, ``clusters`` a centre with everything within
    ``radius``, ``venues`` the same around places with evening venues, ``areas`` districts or
    squares of ``grid`` metres, ``people`` persons, ``city`` whole cities: replications of the
    city with luck of their own. ``eligible`` is a target as policies have it, its ``recorded``
    the crime recorded in the baseline; ``pick`` takes the first ``number`` of the eligible in
    order of rank, or draws among them. ``spacing`` keeps units apart. ``judged`` says whether
    ``eligible`` looks at the centre of a cluster alone or at the mean over all its places.
    """

    kind: Literal["places", "clusters", "venues", "areas", "people", "city"]
    number: Annotated[int, Field(ge=2)]
    eligible: Target | None = None
    pick: Literal["top", "random"] = "top"
    radius: Metres | None = None
    grid: Metres | None = None
    spacing: Annotated[float, Field(ge=0)] = 0.0
    judged: Literal["centre", "whole"] = "centre"
    min_places: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _consistent(self):
        around = self.kind in ("clusters", "venues")
        if around and self.radius is None:
            raise ValueError(f"units of kind {self.kind} need a radius in metres")
        if not around and self.radius is not None:
            raise ValueError("a radius goes with clusters or venues")
        if self.judged == "whole" and not around:
            raise ValueError("units judged as a whole are clusters or venues")
        if self.grid is not None and self.kind != "areas":
            raise ValueError("a grid goes with areas")
        table = "people" if self.kind == "people" else "places"
        if self.eligible is not None and self.eligible.table != table:
            raise ValueError(f"units of kind {self.kind} are chosen from table {table}")
        if self.kind == "city" and self.eligible is not None:
            raise ValueError("whole cities are not chosen: leave eligible out")
        return self


class AssignmentKeys(Strict):
    """How units come to their arms.

    ``simple`` draws lots; ``blocked`` draws within blocks of like units, by a column or the
    baseline (``by: baseline``) in ``blocks`` parts; ``matched_pairs`` puts as many neighbours
    in rank together as there are arms; ``before_after`` treats the first ``treated`` units and
    keeps the next as control, without lots; ``switch_back`` draws every unit's arm anew for
    each of ``windows`` periods. Where nobody is treated, simple lots can be drawn several times
    (``draws``) on one run, each a trial of its own.
    """

    kind: Literal["simple", "blocked", "matched_pairs", "before_after", "switch_back"] = "simple"
    by: str = "baseline"
    blocks: Annotated[int, Field(ge=1)] | None = None
    treated: Annotated[int, Field(ge=1)] | None = None
    windows: Annotated[int, Field(ge=2)] | None = None
    shares: dict[str, Annotated[float, Field(gt=0)]] | None = None
    draws: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _consistent(self):
        needs = {"blocked": "blocks", "before_after": "treated", "switch_back": "windows"}
        for kind, key in needs.items():
            if (getattr(self, key) is not None) != (self.kind == kind):
                raise ValueError(f"assignment {kind} goes with {key}")
        if self.shares is not None and self.kind not in ("simple", "blocked"):
            raise ValueError("shares of the arms go with simple or blocked")
        if self.draws > 1 and self.kind != "simple":
            raise ValueError("several draws go with simple lots")
        return self


class Arm(Strict):
    """Policies of an arm, by name, and their dose; ``x`` is the dose in a slope's own unit.

    ``measures`` changes single numbers of the policies by dotted path below the policy.
    """

    policies: list[str] = []
    dose: Annotated[float, Field(ge=0)] = 1.0
    x: float | None = None
    set: dict[str, Any] = {}


class Timing(Strict):
    """Days: run before anything counts, counted before, under treatment, counted after it."""

    warmup: Days = 14
    baseline: Days = 0
    days: SomeDays
    follow_up: Days = 0
    start_date: str = "2024-03-04"


class Outcome(Strict):
    """What is counted or asked.

    ``hours`` run from the first to the second, past midnight where the second is smaller;
    ``weekdays`` (0 Monday) are those on which such hours begin. ``where`` keeps to places that
    meet conditions, as in a policy's filter. ``survey`` is how many people the study asked in
    each wave, all units together: the trial's own estimate then rests on so many, drawn anew
    for every wave. Without it everybody is asked.
    """

    measure: str = "crime"
    offences: str | list[str] = "all"
    counted: Literal["true", "reported", "recorded"] = "true"
    hours: tuple[Annotated[float, Field(ge=0, lt=24)],
                 Annotated[float, Field(gt=0, le=24)]] | None = None
    weekdays: list[Annotated[int, Field(ge=0, le=6)]] | None = None
    where: list[Condition] = []
    period: Literal["trial", "follow_up", "whole"] = "trial"
    survey: Annotated[int, Field(ge=1)] | None = None
    label: str = ""

    @field_validator("counted", mode="before")
    @classmethod
    def _yaml_true(cls, value):
        return "true" if value is True else value  # YAML's own word


class EstimatorKeys(Strict):
    """How the effect is worked out from the units of one trial.

    ``level`` is that of the interval in per cent; ``adjust`` takes the unit's baseline into
    account; ``overdispersion`` multiplies the variance where units are too few to show it.
    """

    kind: Literal["rate_ratio", "difference_in_differences", "risk_difference", "slope"]
    family: Literal["poisson", "negative_binomial"] = "poisson"
    adjust: Literal["baseline"] | None = None
    level: Level = 90.0
    overdispersion: Annotated[float, Field(ge=1)] = 1.0


class Published(Strict):
    """One published figure. Without a published interval there is none here either.

    ``value`` null stands for an effect that was found to be none, or was not published
    (``agreement: none``).
    """

    outcome: str
    arm: str
    scope: str = "units"
    unit: Literal["percent", "per_100", "points", "percent_per_x"] = "percent"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: Level = 95.0
    agreement: Literal["overlap", "sign_and_factor", "null", "at_least", "direction", "none"] \
        | None = None
    direction: Literal["up", "down"] | None = None
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self):
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both ends; leave both out where none is published")
        if self.low is not None and self.low > self.high:
            raise ValueError(f"the published interval is upside down: {self.low} to {self.high}")
        if self.low is not None and self.value is not None \
                and not self.low <= self.value <= self.high:
            raise ValueError(f"the published value {self.value} lies outside its interval")
        rule = self.agreement
        if rule == "overlap" and self.low is None:
            raise ValueError("agreement overlap needs a published interval")
        if rule in ("sign_and_factor", "at_least") and self.value is None:
            raise ValueError(f"agreement {rule} needs a published value")
        if (rule == "direction") != (self.direction is not None):
            raise ValueError("agreement direction goes with a direction, up or down")
        return self

    @property
    def rule(self) -> str:
        """What counts as agreement: as written, else by what was published."""
        if self.agreement:
            return self.agreement
        if self.low is not None:
            return "overlap"
        return "null" if self.value in (None, 0) else "sign_and_factor"


class Quick(Strict):
    """Most days, seeds, units and replications of cities when only a quick look is wanted.

    ``scale`` is the share of the city's people that is then simulated; ``number`` the most units.
    Both are for trials of people that need their length, not their size.
    """

    baseline: Days = 28
    days: SomeDays = 56
    follow_up: Days = 56
    cities: Annotated[int, Field(ge=2)] = 4
    number: Annotated[int, Field(ge=2)] | None = None
    scale: Annotated[float, Field(gt=0, le=1)] | None = None
    seeds: Annotated[int, Field(ge=1)] = 2


class Trial(Strict):
    """One published trial or review, re-run.

    ``added`` is the day on which it was entered, or first counted, if that was after boards had
    been held against their aims: such trials are told beside the others.
    ``constants`` are the parameters of the model that nearly are its effect, and assumed amounts of
    its policies, by path (``*`` for every offence); ``citysim evidence sweep`` takes them through
    their configured ranges.
    """

    id: str
    label: str
    study: str
    added: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    status: Literal["confirmed", "secondary", "memory", "computed", "miniature"]
    design: str
    scaled: str = ""
    note: str = ""
    city: str = "turin_dora"
    set: dict[str, Any] = {}
    units: UnitKeys
    assignment: AssignmentKeys = AssignmentKeys()
    timing: Timing
    arms: dict[str, Arm] = Field(min_length=2)
    outcomes: dict[str, Outcome] = Field(min_length=1)
    estimator: EstimatorKeys
    rings: list[Metres] = []
    published: list[Published] = []
    constants: list[str] = []
    seeds: Annotated[int, Field(ge=1)] = 8
    quick: Quick = Quick()

    @field_validator("constants")
    @classmethod
    def _once(cls, value):
        if len(value) != len(set(value)):
            raise ValueError("a constant is named twice")
        return value

    @model_validator(mode="after")
    def _drawn_again_without_dose(self):
        if self.assignment.draws > 1 and (self.units.kind == "city" or any(
                arm.policies and arm.dose for arm in self.arms.values())):
            raise ValueError("several draws of lots on one run go with places or people of whom "
                             "none is treated: each arm with dose 0 or no policies")
        return self

    @field_validator("rings")
    @classmethod
    def _outwards(cls, value):
        if value != sorted(set(value)):
            raise ValueError("rings go outwards: each ends farther out than the one before")
        return value

    def quickened(self) -> Trial:
        """The same trial cut down to what ``quick`` allows; its results are rougher."""
        most, now = self.quick, self.timing
        windows = self.assignment.windows or 1
        timing = now.model_copy(update={
            "baseline": min(now.baseline, most.baseline),
            "days": max(1, min(now.days, most.days) // windows) * windows,
            "follow_up": min(now.follow_up, most.follow_up)})
        number = most.cities if self.units.kind == "city" else most.number or self.units.number
        units = self.units.model_copy(update={"number": min(self.units.number, number)})
        scale = {} if most.scale is None else {"scale": most.scale}
        return self.model_copy(update={"timing": timing, "units": units,
                                       "set": {**self.set, **scale},
                                       "seeds": min(self.seeds, most.seeds)})

    @property
    def policies(self) -> list[str]:
        """Names of all policies of the arms, each once."""
        return list(dict.fromkeys(p for arm in self.arms.values() for p in arm.policies))

    @property
    def treatments(self) -> list[str]:
        """The arms beside the control."""
        return [name for name in self.arms if name != CONTROL]

    @property
    def ring_names(self) -> list[str]:
        """Scopes of the rings, the nearest first."""
        return [f"ring_{i + 1}" for i in range(len(self.rings))]

    @property
    def evaluated(self) -> int:
        """Days of the model's evaluation window."""
        return self.timing.days + self.timing.follow_up

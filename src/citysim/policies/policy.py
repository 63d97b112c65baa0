"""A policy is data: what levers it moves, where or for whom, when, and how much.

These models read the YAML of ``configs/policy``. Nothing here names an effect on crime, and
no key for one exists: whatever a policy achieves follows from the levers it moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from citysim.config.complaints import explain
from citysim.config.errors import InputError, closest_match
from citysim.state import columns
from citysim.state.levers import LEVERS, OPS, TABLES, find_lever

# Quantities that targeting works out from columns; see citysim.policies.targeting
DERIVED = {"people": ("risk", "neet", "poverty"), "places": ()}
CODES = {"employment": columns.EMPLOYMENT, "sex": columns.SEXES, "kind": columns.KINDS,
         "education": columns.EDUCATION}
COMPARISONS = ("above", "below", "at_least", "at_most", "equals", "in")

_LEAF = {"value", "unit", "source", "range", "bounds", "note"}
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Day = Annotated[int, Field(ge=0)]
Row = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(_Strict):
    """One test of one column; all tests that are given must hold.

    ``equals`` and ``in`` take numbers, or for coded columns the names of the codes
    (``employment: neet``).
    """

    column: str
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    equals: float | str | None = None
    within: list[float | str] | None = Field(default=None, alias="in")

    @model_validator(mode="after")
    def _tests_something(self):
        if all(getattr(self, "within" if c == "in" else c) is None for c in COMPARISONS):
            raise ValueError(f"needs one of {', '.join(COMPARISONS)}")
        return self


def code_of(column: str, value: float | str, where: str = "target.filter") -> float:
    """The number behind a code's name; raises :class:`InputError` for a name unknown."""
    if not isinstance(value, str):
        return value
    names = CODES.get(column, ())
    if value not in names:
        raise InputError(f"column '{column}' has no code '{value}'", where=where,
                         allowed=names or "numbers", closest=closest_match(value, names))
    return names.index(value)


class Area(_Strict):
    """Surroundings of the ranked places.

    ``within`` is a distance in metres between segment middles; ``filter`` says which of the
    surrounding places are taken.
    """

    within: NotNegative
    filter: list[Condition] = []


class Target(_Strict):
    """Who or where.

    Rows that pass ``filter`` are put in order by ``rank_by`` (a column, or a mapping of
    columns to weights, each column then divided by its largest absolute value), ``high`` or
    ``low`` first, and the first ``share`` or ``count`` of them are taken. ``accuracy`` below 1
    mixes that order with luck. With ``area``, share and count are of centres and everything
    near them is taken too. Without share or count all rows that pass are taken. ``rows`` names
    the rows themselves, in order of priority, and takes the place of all of this.
    """

    table: Literal["places", "people"]
    rows: list[Row] | None = None
    filter: list[Condition] = []
    rank_by: str | dict[str, float] | None = None
    order: Literal["high", "low"] = "high"
    share: Share | None = None
    count: NotNegative | None = None
    per_residents: Positive | None = None
    per_district: bool = False
    area: Area | None = None
    accuracy: Share = 1.0

    @model_validator(mode="after")
    def _consistent(self):
        if self.share is not None and self.count is not None:
            raise ValueError("takes share or count, not both")
        if self.per_residents is not None and self.count is None:
            raise ValueError("per_residents goes with count")
        if self.area is not None and self.table != "places":
            raise ValueError("area goes with table: places")
        if self.area is not None and not self.counted:
            raise ValueError("area needs share or count (of its centres)")
        if self.rows is not None:
            if self.model_fields_set - {"table", "rows"}:
                raise ValueError("rows are the whole choice: no filter, rank, share or area beside")
            if len(set(self.rows)) != len(self.rows):
                raise ValueError("names a row twice")
        return self

    @property
    def counted(self) -> bool:
        """Whether the dose changes how many rows are taken."""
        return self.share is not None or self.count is not None


class When(_Strict):
    """Days since the start of the evaluation window; ``end_day`` is the first day without."""

    start_day: Day | None = None
    ramp_days: Day | None = None
    end_day: Day | None = None


class Delivery(_Strict):
    """What stands between plan and street.

    ``capacity`` is the share of the plan that gets done (and paid), ``delay_days`` shifts
    the whole measure, ``leakage`` is the share of the money spent that delivers nothing.
    """

    capacity: Share = 1.0
    delay_days: Day = 0
    leakage: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Measure(_Strict):
    """One lever moved in one way.

    ``per_residents`` makes the amount one for each so many residents. ``dropout`` is the
    share of those enrolled who leave in a month. ``scales: false`` is for instructions (how
    long, from when): the dose does not multiply them.
    """

    lever: str
    change: dict[str, float] = Field(min_length=1, max_length=1)
    per_residents: Positive | None = None
    target: Target | None = None
    when: When = When()
    dropout: Share = 0.0
    scales: bool = True

    @property
    def op(self) -> str:
        """The operation, one of :data:`citysim.state.levers.OPS`."""
        return next(iter(self.change))

    @property
    def amount(self) -> float:
        """Amount in the unit of the lever."""
        return next(iter(self.change.values()))


class Policy(_Strict):
    """A policy: measures that share a label, a clock, a delivery, a dose and a budget.

    ``target`` holds for every measure of its table that names none itself. ``dose``
    multiplies counts of sites, units and persons, or the amount where nothing is counted.
    ``budget`` (EUR over the window) is what the dose is solved for when the scenario sets
    no budget; ``weight`` is the part taken when policies share a scenario's budget.
    """

    name: str
    label: str
    doc: str
    measures: list[Measure] = Field(min_length=1)
    target: Target | None = None
    when: When = When()
    delivery: Delivery = Delivery()
    dose: NotNegative = 1.0
    budget: NotNegative | None = None
    weight: NotNegative = 1.0

    @property
    def where(self) -> str:
        """The file a user would mend."""
        return f"configs/policy/{self.name}.yaml"

    def target_of(self, measure: Measure) -> Target | None:
        """The measure's own target, else the policy's if it is about the same table.

        Rows that the policy's target names hold for every measure of that table.
        """
        same = self.target is not None and self.target.table == LEVERS[measure.lever].table
        if measure.target is not None and not (same and self.target.rows is not None):
            return measure.target
        return self.target if same else None

    def clock_of(self, measure: Measure) -> tuple[int, int, int | None]:
        """First day, ramp in days and first day without (``None``: never), delay included."""
        def pick(key):
            own = getattr(measure.when, key)
            return own if own is not None else getattr(self.when, key)
        delay, end = self.delivery.delay_days, pick("end_day")
        return ((pick("start_day") or 0) + delay, pick("ramp_days") or 0,
                None if end is None else end + delay)


def plain(data: Any) -> Any:
    """Turn ``{value, unit, source}`` leaves into their values, through mappings and lists."""
    if isinstance(data, Mapping):
        if "value" in data and set(data) <= _LEAF:
            return plain(data["value"])
        return {str(k): plain(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [plain(v) for v in data]
    return data


def with_rows(data: Mapping[str, Any], table: str, rows) -> dict[str, Any]:
    """A policy's content with all its measures of one table acting on named rows.

    Parameters
    ----------
    data
        The content of the YAML (``settings.policies[name]``).
    table
        ``places`` or ``people``.
    rows
        Distinct row indices, in order of priority.
    """
    return {**data, "target": {"table": table, "rows": [int(r) for r in rows]}}


def parse_policy(name: str, data: Mapping[str, Any]) -> Policy:
    """Read one policy.

    Parameters
    ----------
    name
        Name of the policy, also that of its file.
    data
        The content of the YAML, with or without ``{value, unit, source}`` leaves.

    Raises
    ------
    InputError
        Naming file, key, allowed values and the closest match.
    """
    content = {**plain(data), "name": name}
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        raise explain(error, f"configs/policy/{name}.yaml", _fields_at) from None
    for i, measure in enumerate(policy.measures):
        _check_measure(policy, measure, f"{policy.where}, measures[{i}]")
    return policy


def parse_policies(data: Mapping[str, Mapping[str, Any]],
                   names: list[str] | None = None) -> dict[str, Policy]:
    """Read the named policies (all of them by default) in the order given."""
    wanted = list(data) if names is None else names
    for name in wanted:
        if name not in data:
            raise InputError(f"there is no policy '{name}'", where="policy", allowed=sorted(data),
                             closest=closest_match(name, data))
    return {name: parse_policy(name, data[name]) for name in wanted}


def _check_measure(policy: Policy, measure: Measure, where: str) -> None:
    """Refuse what the schema alone cannot see: names and tables that do not fit."""
    lever = find_lever(measure.lever, f"{where}.lever")
    allowed = ("set",) if lever.bit else OPS
    if measure.op not in allowed:
        raise InputError(f"lever '{lever.name}' cannot be moved by '{measure.op}'",
                         where=f"{where}.change", allowed=allowed,
                         closest=closest_match(measure.op, allowed))
    if lever.bit and measure.amount not in (0, 1):
        raise InputError(f"a programme is set to 1, not to {measure.amount:g}",
                         where=f"{where}.change", allowed="1, or 0 for nobody")
    low, high = lever.range
    if measure.op in ("set", "at_least", "at_most") and (
            (low is not None and measure.amount < low)
            or (high is not None and measure.amount > high)):
        raise InputError(f"{measure.amount:g} is out of the range of '{lever.name}'",
                         where=f"{where}.change.{measure.op}",
                         allowed=f"{low} to {high} {lever.unit}")
    target = policy.target_of(measure)
    if target is None:
        if lever.table == "people":
            raise InputError(f"lever '{lever.name}' needs a target with a share or count",
                             where=where)
        return
    if target.table != lever.table:
        raise InputError(f"lever '{lever.name}' belongs to {lever.table}, its target to "
                         f"{target.table}", where=f"{where}.target.table",
                         allowed="no target" if lever.table == "city" else lever.table)
    _check_target(target, f"{where}.target" if measure.target else f"{policy.where}, target")
    if policy.clock_of(measure)[2] is not None and \
            policy.clock_of(measure)[2] <= policy.clock_of(measure)[0]:
        raise InputError("a measure ends before it starts", where=f"{where}.when.end_day")


def _check_target(target: Target, where: str) -> None:
    """Every column that the target names must exist, flat, in its table."""
    known = [c.name for c in TABLES[target.table] if c.width == 1]
    known += DERIVED[target.table]
    tests = [(c, "filter") for c in target.filter]
    if target.area is not None:
        tests += [(c, "area.filter") for c in target.area.filter]
    named = [(c.column, key) for c, key in tests]
    if target.rank_by is not None:
        ranks = [target.rank_by] if isinstance(target.rank_by, str) else target.rank_by
        named += [(name, "rank_by") for name in ranks]
    for name, key in named:
        if name not in known:
            raise InputError(f"table '{target.table}' has no column '{name}' to choose by",
                             where=f"{where}.{key}", allowed=known,
                             closest=closest_match(name, known))
    for c, key in tests:
        for value in ([] if c.equals is None else [c.equals]) + (c.within or []):
            code_of(c.column, value, f"{where}.{key}")


def _fields_at(path: list[str]) -> list[str]:
    """Keys allowed at a place in the policy's tree."""
    model: type[BaseModel] = Policy
    children = {"measures": Measure, "target": Target, "when": When, "delivery": Delivery,
                "area": Area, "filter": Condition}
    for part in path:
        model = children.get(part, model)
    return [f.alias or name for name, f in model.model_fields.items()
            if (model, name) != (Policy, "name")]

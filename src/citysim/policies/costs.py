"""What a lever costs, and the ledger of what was spent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from citysim.config.errors import InputError, closest_match
from citysim.policies.policy import Policy, plain
from citysim.state.columns import RESIDENT
from citysim.state.levers import LEVERS, TABLES, Levers, Modifier, find_lever
from citysim.state.table import Table

FILE = "configs/prices/default.yaml"
CITY_SIZES = ("residents", "households")
NotNegative = Annotated[float, Field(ge=0)]


class UnitCost(BaseModel):
    """Price of moving one lever.

    ``capital`` is EUR per unit when it is put in place, ``running`` EUR per unit and year.
    Units are counted as ``change`` (absolute change of the lever's value), ``rate`` (change
    of 60 / value: departures per hour for a headway in minutes), ``site`` (rows treated) or
    ``person`` (enrolled, in the real city), each multiplied by the column ``times`` of the
    lever's table, or by the city's ``residents`` or ``households``. ``control`` is who
    decides; a lever with ``none`` is out of reach.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: Literal["city", "national", "none"]
    capital: NotNegative
    running: NotNegative
    counts: Literal["change", "rate", "site", "person"]
    times: str | None = None
    per: str


class Accounting(BaseModel):
    """How costs are spread over time, how far the dose is searched and when that is noted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days_per_year: Annotated[float, Field(gt=0)]
    days_per_month: Annotated[float, Field(gt=0)]
    minutes_per_hour: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    dose_limit: Annotated[float, Field(ge=1)]
    dose_warning: Annotated[float, Field(ge=1)]


@dataclass(frozen=True)
class Prices:
    """Unit costs by lever, and the accounting rules."""

    unit: dict[str, UnitCost]
    accounting: Accounting

    def of(self, lever: str, where: str | None = None) -> UnitCost:
        """Price of a lever; raises :class:`InputError` for one nobody here controls."""
        find_lever(lever, where)
        if lever not in self.unit:
            raise InputError(f"lever '{lever}' has no unit cost", where=FILE)
        if self.unit[lever].control == "none":
            free = [name for name, u in self.unit.items() if u.control != "none"]
            raise InputError(f"lever '{lever}' is out of the city's control "
                             f"(control: none in {FILE})", where=where, allowed=free)
        return self.unit[lever]


def read_prices(data: Any) -> Prices:
    """Read the ``prices`` settings: ``<group>: <lever>: {control, capital, ...}``.

    Parameters
    ----------
    data
        Mapping, or an object with ``to_dict()`` or attributes; leaves plain or with units.
    """
    groups = plain(as_mapping(data))
    rules = _read(Accounting, groups.pop("accounting", {}), "accounting")
    unit = {}
    for group, members in groups.items():
        for member, price in members.items():
            name = f"{group}.{member}"
            find_lever(name, FILE)
            unit[name] = _read(UnitCost, price, name)
            _check_counting(name, unit[name])
    return Prices(unit, rules)


def _check_counting(name: str, price: UnitCost) -> None:
    """Units must be countable: persons in programmes, a flat column or the city's size."""
    lever = LEVERS[name]
    if (price.counts == "person") != bool(lever.bit):
        raise InputError(f"lever '{name}' cannot be counted by {price.counts}",
                         where=f"{FILE}, {name}.counts",
                         allowed="person" if lever.bit else "change, rate, site")
    known = [*(c.name for c in TABLES[lever.table] if c.width == 1), *CITY_SIZES]
    if price.times is not None and price.times not in known:
        raise InputError(f"there is no column '{price.times}' to count by",
                         where=f"{FILE}, {name}.times", allowed=known,
                         closest=closest_match(price.times, known))


def as_mapping(data: Any) -> dict[str, Any]:
    """Nested settings as nested dictionaries."""
    if hasattr(data, "to_dict"):
        data = data.to_dict()
    elif not isinstance(data, Mapping) and hasattr(data, "__dict__"):
        data = vars(data)
    if isinstance(data, Mapping):
        return {str(k): as_mapping(v) for k, v in data.items()}
    return data


def _read(model: type[BaseModel], data: Any, key: str):
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join([key, *(str(p) for p in first["loc"])])
        known = list(model.model_fields)
        extra = first["type"] == "extra_forbidden"
        raise InputError("there is no such key" if extra else first["msg"],
                         where=f"{FILE}, {path}", allowed=known if extra else None,
                         closest=closest_match(str(first["loc"][-1]), known) if extra else None
                         ) from None


class Meter:
    """Counts the units that a modifier puts in place, in the real city.

    Parameters
    ----------
    levers, tables
        The levers at their base, and the state.
    prices
        Unit costs.
    scale
        Simulated residents per real one.
    """

    def __init__(self, levers: Levers, tables: dict[str, Table], prices: Prices, scale: float):
        self.levers, self.tables, self.prices = levers, tables, prices
        self.residents = 0.0
        if "people" in tables:
            resident = tables["people"].kind == RESIDENT
            self.residents = float(np.count_nonzero(resident)) / scale
        self.households = len(tables["households"]) / scale if "households" in tables else 0.0

    def units(self, modifier: Modifier, weight, policy: Policy | None = None) -> float:
        """Units put in place by a modifier of places or of the city, at a weight.

        A column to count by that ``policy`` itself moves counts as the policy sets it (visits
        by the minutes that this policy makes them last).
        """
        price = self.prices.of(modifier.lever)
        rows = slice(None) if modifier.rows is None else modifier.rows
        before = self.levers.base(modifier.lever)[rows].astype("f8")
        if price.counts == "site":
            amount = np.broadcast_to(np.minimum(weight, 1.0), before.shape)
        else:
            after = self.levers.reach(modifier, weight)
            if price.counts == "rate":
                per_hour = self.prices.accounting.minutes_per_hour
                before, after = per_hour / before, per_hour / after
            amount = np.abs(after - before)
        return float(np.sum(amount * self._times(modifier, price, policy)))

    def _times(self, modifier: Modifier, price: UnitCost, policy: Policy | None):
        lever = modifier.lever
        rows = slice(None) if modifier.rows is None else modifier.rows
        if price.times is None:
            return 1.0
        if price.times in CITY_SIZES:
            return getattr(self, price.times)
        for m in policy.measures if policy else ():
            if (LEVERS[m.lever].table, LEVERS[m.lever].column) == (LEVERS[lever].table,
                                                                   price.times):
                return self.levers.reach(Modifier(m.lever, m.op, m.amount, modifier.rows))
        return self.tables[LEVERS[lever].table][price.times][rows].astype("f8")


@dataclass
class Ledger:
    """EUR spent, by policy, lever and category (capital, running, leakage), and by day."""

    entries: dict[tuple[str, str, str], float] = field(
        default_factory=lambda: defaultdict(float))
    by_day: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def book(self, day: int, policy: str, lever: str, category: str, eur: float) -> None:
        """Write one expense down; nothing is written for nothing."""
        if eur:
            self.entries[policy, lever, category] += eur
            self.by_day[day] += eur

    @property
    def total(self) -> float:
        """EUR spent so far."""
        return sum(self.entries.values())

    def totals(self, by: Literal["policy", "lever", "category"]) -> dict[str, float]:
        """EUR spent so far, by policy, lever or category."""
        place = ("policy", "lever", "category").index(by)
        out: dict[str, float] = defaultdict(float)
        for key, eur in self.entries.items():
            out[key[place]] += eur
        return dict(out)

    def rows(self) -> list[dict[str, Any]]:
        """One record per policy, lever and category, for a result table."""
        return [{"policy": p, "lever": lv, "category": c, "eur": eur}
                for (p, lv, c), eur in sorted(self.entries.items())]

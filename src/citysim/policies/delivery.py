"""Delivery: from the plan to the street, day by day, with a ledger."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from citysim.config.errors import InputError
from citysim.kernels.random import draw
from citysim.kernels.targeting import keyed_uniforms
from citysim.policies.budget import Dose, share_out, solve_dose
from citysim.policies.costs import Ledger, Meter, Prices, read_prices
from citysim.policies.notes import on_clock, on_dose, on_reach
from citysim.policies.plan import Clock, Deployment, Part
from citysim.policies.policy import Policy, Target, parse_policy
from citysim.policies.targeting import Choice, choose, named
from citysim.state.levers import LEVERS, Levers
from citysim.state.table import Table

REACHED = ("places", "people")  # tables with rows to reach; the city is one row


@dataclass
class _Running:
    """A part that has started: what it delivers, what it costs, who has left."""

    part: Part
    delivered: Deployment
    capital: np.ndarray
    running: np.ndarray
    lost: np.ndarray
    handle: int | None = None
    share: float = 0.0
    left: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    months: int = 0


def validate(policies: Mapping[str, Policy], prices: Prices) -> None:
    """Refuse policies that move a lever without a price or out of everyone's control."""
    for policy in policies.values():
        for i, measure in enumerate(policy.measures):
            prices.of(measure.lever, f"{policy.where}, measures[{i}].lever")


class Programme:
    """The policies of one scenario in one run.

    Parameters
    ----------
    policies
        Name to :class:`Policy` or to the content of its YAML.
    settings
        Anything with ``levers`` (attribute or key): unit costs, control and accounting.
    levers
        The levers of the run, at their base.
    tables
        ``places``, ``people``, ``households``, ``city``, as far as the policies need them.
    scale
        Simulated residents per real one, (0, 1]. Costs and counts are those of the real city;
        people enrolled are sampled with the population, sites and units are not.
    budget
        EUR over the window for all policies together, or ``None`` to use each policy's own
        budget or dose.
    days
        Days of the evaluation window; nothing happens or is paid outside it.
    shares
        Parts of the budget by policy; by default each policy's ``weight``.

    Raises
    ------
    InputError
        For unknown or locked levers, columns and operations.

    Notes
    -----
    ``notes`` fills with sentences on what a reader should know: measures that reach no one or
    begin after the window, budgets that buy many times the plan.

    Doses are solved on the first day, on the state of that day, so that a plan can follow
    recorded crime. A policy's sites are chosen once, when its first measure of that target
    starts. A place in a programme is paid for until the measure ends, also after the person
    has dropped out.
    """

    def __init__(self, policies: Mapping[str, Policy | Mapping[str, Any]], settings: Any,
                 levers: Levers, tables: dict[str, Table], scale: float = 1.0,
                 budget: float | None = None, days: int = 0,
                 shares: Mapping[str, float] | None = None):
        self.policies = {name: p if isinstance(p, Policy) else parse_policy(name, p)
                         for name, p in policies.items()}
        source = settings["prices"] if isinstance(settings, Mapping) else settings.prices
        self.prices = read_prices(source)
        validate(self.policies, self.prices)
        if budget is not None and not (np.isfinite(budget) and budget >= 0):
            raise InputError(f"a budget of {budget} makes no sense", where="budget",
                             allowed="0 EUR or more")
        self.levers, self.tables, self.scale, self.days = levers, tables, scale, int(days)
        self.meter = Meter(levers, tables, self.prices, scale)
        self.ledger = Ledger()
        self.doses: dict[str, Dose] = {}
        self.notes: list[str] = []
        self._budgets = self._share(budget, shares)
        self._parts = {name: [self._part(p, m) for m in p.measures]
                       for name, p in self.policies.items()}
        self._chosen: dict[tuple[str, Target], Choice] = {}
        self._wanted: dict[tuple[str, Target], float] = {}
        self._active: dict[tuple[str, int], _Running] = {}
        self._reached: dict[tuple[str, str], np.ndarray] = {}

    @property
    def reached_places(self) -> np.ndarray:
        """Whether any measure has acted on a place so far, bool (places)."""
        reached = np.zeros(len(self.tables["places"]), bool)
        for (_, table), rows in self._reached.items():
            if table == "places":
                reached[rows] = True
        return reached

    def advance(self, day: int, key) -> frozenset[str]:
        """Do what is due on a day, before its first step.

        Parameters
        ----------
        day
            Days since the start of the evaluation window; warm-up days are negative.
        key
            uint64 stream key of the day (:func:`citysim.kernels.random.stream_key`).

        Returns
        -------
        Names of the levers that moved.
        """
        if not 0 <= day < self.days:
            return frozenset()
        key = np.uint64(key)
        if not self.doses:
            self._solve(key)
        for name, parts in self._parts.items():
            for i, part in enumerate(parts):
                share = part.clock.share(day)
                if share > 0 and (name, i) not in self._active and self.doses[name].dose > 0:
                    self._active[name, i] = self._start(part, _mixed(key, name))
                if (name, i) in self._active:
                    self._continue(self._active[name, i], day, share, _mixed(key, name))
        return self.levers.apply()

    def most(self, lever: str) -> float:
        """The largest value that a lever of the city can reach under these policies.

        An upper bound that is known before doses are solved: every policy spends its whole
        budget on what it does city-wide, and only changes that raise the value count.
        """
        modifiers = [part.deploy(self._most_dose(name), None, self.scale).modifier
                     for name, parts in self._parts.items() for part in parts
                     if part.measure.lever == lever]
        return self.levers.most(lever, modifiers)

    def _most_dose(self, name: str) -> float:
        """A dose that the policy cannot exceed, from its city-wide measures alone."""
        given, budget = self.policies[name].dose, self._budgets[name]
        if budget is None:
            return given
        parts = [p for p in self._parts[name] if p.target is None]

        def cost(dose):
            return float(sum(sum(c.sum() for c in p.costs(p.deploy(dose, None, self.scale),
                                                          self.meter, self.days)) for p in parts))
        rules = self.prices.accounting
        if given and cost(rules.dose_limit) <= budget:
            return rules.dose_limit
        return solve_dose(cost, given, budget, rules).dose * (1 + rules.tolerance)

    def summary(self) -> list[dict[str, Any]]:
        """Per policy: dose, money and reach.

        Money in EUR: budget, planned, spent, and what could not be spent. Reach: ``places`` and
        ``people`` that the measures started up to now act on once their ramps are over (people
        of the real city), ``None`` where no measure is about them.
        """
        spent = self.ledger.totals("policy")
        return [{"policy": name, "dose": d.dose, "budget_eur": d.budget,
                 "planned_eur": d.planned_eur, "spent_eur": spent.get(name, 0.0),
                 "unspendable_eur": d.unspendable,
                 **{table: self._reach(name, table) for table in REACHED}}
                for name, d in self.doses.items()]

    def _reach(self, name: str, table: str) -> float | None:
        if all(LEVERS[p.measure.lever].table != table for p in self._parts[name]):
            return None
        return len(self._reached.get((name, table), ())) / (
            self.scale if table == "people" else 1.0)

    def _share(self, budget, shares) -> dict[str, float | None]:
        if budget is None:
            return {name: p.budget for name, p in self.policies.items()}
        weights = {name: p.weight for name, p in self.policies.items()}
        weights.update({name: w for name, w in (shares or {}).items() if name in weights})
        return share_out(budget, weights)

    def _part(self, policy: Policy, measure) -> Part:
        amount = measure.amount
        if measure.per_residents is not None:
            amount *= self.meter.residents / measure.per_residents
        target = policy.target_of(measure)
        if target is not None and target.rows is not None:
            named(target, self.tables[target.table], f"{policy.where}, target")
        return Part(policy, measure, target, Clock(*policy.clock_of(measure)),
                    self.prices.of(measure.lever), amount)

    def _solve(self, key) -> None:
        """Find every policy's dose from its budget, on the state as it is."""
        for name, parts in self._parts.items():
            mixed = _mixed(key, name)
            plans = [(p, None if p.target is None else
                      choose(p.target, self.tables, mixed, self.scale)) for p in parts]
            for part, choice in plans:
                if choice is not None:
                    self._wanted[name, _frozen(part.target)] = choice.wanted

            def cost(dose, plans=plans):
                return float(sum(sum(c.sum() for c in part.costs(
                    part.deploy(dose, choice, self.scale), self.meter, self.days))
                    for part, choice in plans))
            given, budget = self.policies[name].dose, self._budgets[name]
            self.doses[name] = Dose(given, cost(given) if given else 0.0) if budget is None else \
                solve_dose(cost, given, budget, self.prices.accounting)
            if self.doses[name].dose > 0:
                self.notes += on_dose(name, given, self.doses[name],
                                      self.prices.accounting.dose_warning)
                self.notes += [note for part in parts for note in on_clock(part, self.days)]

    def _start(self, part: Part, key) -> _Running:
        """Choose rows and put the measure's costs in order of days."""
        policy, choice = part.policy, None
        if part.target is not None:
            at = (policy.name, _frozen(part.target))
            if at not in self._chosen:
                rows = choose(part.target, self.tables, key, self.scale).rows
                self._chosen[at] = Choice(rows, self._wanted[at])
            choice = self._chosen[at]
        paid = self.doses[policy.name].dose * policy.delivery.capacity
        given = paid * (1 - policy.delivery.leakage)
        spent = part.deploy(paid, choice, self.scale)
        delivered = part.deploy(given, choice, self.scale)
        whole = np.sum(part.costs(spent, self.meter, self.days), axis=0)
        capital, running = part.costs(delivered, self.meter, self.days)
        out = _Running(part, delivered, capital, running, whole - capital - running)
        rows, table = delivered.modifier.rows, LEVERS[part.measure.lever].table
        if rows is not None:
            self.notes += on_reach(part, len(choice.rows), delivered)
            out.left = np.zeros(len(rows), dtype=bool)
        elif table in REACHED:
            rows = np.arange(len(self.tables[table]))
        if table in REACHED:
            before = self._reached.get((policy.name, table), rows)
            self._reached[policy.name, table] = np.union1d(before, rows)
        return out

    def _continue(self, at: _Running, day: int, share: float, key) -> None:
        """Ramp, lose people, end; book the day's costs."""
        part, lever = at.part, at.part.measure.lever
        for category, eur in (("capital", at.capital), ("running", at.running),
                              ("leakage", at.lost)):
            self.ledger.book(day, part.policy.name, lever, category, float(eur[day]))
        gone = self._drop_out(at, day, key) if share > 0 and part.measure.dropout else False
        if share == at.share and not gone:
            return
        modifier = at.delivered.at(share)
        if at.handle is not None and share == 0:
            self.levers.remove(at.handle)
            at.handle = None
        elif not modifier.neutral:
            rows = modifier.rows
            if LEVERS[lever].bit:
                rows = rows[~at.left[:len(rows)]]
            if at.handle is None:
                at.handle = self.levers.add(modifier)
            self.levers.change(at.handle, rows=rows, weight=modifier.weight)
        at.share = share

    def _drop_out(self, at: _Running, day: int, key) -> bool:
        """At the turn of each month some of those enrolled leave; whether anybody did."""
        month = int((day - at.part.clock.start) // self.prices.accounting.days_per_month)
        if month <= at.months or not LEVERS[at.part.measure.lever].bit:
            return False
        at.months = month
        rows = at.delivered.modifier.rows
        enrolled = np.arange(len(rows)) < round(len(rows) * at.share)
        leaves = keyed_uniforms(_mixed(key, at.part.measure.lever), rows.astype("i8")) \
            < at.part.measure.dropout
        at.left |= enrolled & leaves
        return bool((enrolled & leaves).any())


def _mixed(key, name: str):
    """A key of its own for a name, the same in every process."""
    return np.uint64(draw(np.uint64(key), np.uint64(zlib.crc32(name.encode()))))


def _frozen(target: Target) -> str:
    """The content of a target: measures with the same one share their sites."""
    return target.model_dump_json()

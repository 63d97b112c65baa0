"""Plans: what a measure puts in place at a dose, and what that costs day by day."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from citysim.policies.costs import Meter, UnitCost
from citysim.policies.policy import Measure, Policy, Target
from citysim.policies.targeting import Choice
from citysim.state.levers import LEVERS, Modifier


@dataclass(frozen=True)
class Clock:
    """First day, days until all is in place, first day without (``None``: never)."""

    start: int
    ramp: int
    end: int | None

    def share(self, day: int) -> float:
        """Share of the change that is in place on a day, 0 to 1; grows by equal steps."""
        if day < self.start or (self.end is not None and day >= self.end):
            return 0.0
        return min(1.0, (day - self.start + 1) / self.ramp) if self.ramp > 1 else 1.0

    def shares(self, days: int) -> np.ndarray:
        """:meth:`share` on days 0 to ``days - 1``."""
        return np.array([self.share(d) for d in range(days)])


@dataclass(frozen=True)
class Deployment:
    """A measure at one dose.

    Parameters
    ----------
    modifier
        What is added to the levers once everything is in place; its ``weight`` holds the
        part of each site, or the dose where nothing is counted. Without rows to act on its
        rows are empty.
    persons
        Places paid for in the real city's programme; 0 for other tables.
    """

    modifier: Modifier
    persons: float = 0.0

    def at(self, share: float) -> Modifier:
        """The modifier when a share of it is in place (people join in order of priority)."""
        if LEVERS[self.modifier.lever].bit:
            return replace(self.modifier,
                           rows=self.modifier.rows[:round(len(self.modifier.rows) * share)])
        return replace(self.modifier, weight=self.modifier.weight * share)


@dataclass(frozen=True)
class Part:
    """A measure of a policy, ready to be planned at any dose.

    Parameters
    ----------
    policy, measure
        What was asked.
    target
        The target that holds for the measure, or ``None`` (the whole table, or the city).
    clock
        When.
    price
        What a unit costs.
    amount
        Amount in the unit of the lever, for the real city's size.
    """

    policy: Policy
    measure: Measure
    target: Target | None
    clock: Clock
    price: UnitCost
    amount: float

    def deploy(self, dose: float, choice: Choice | None, scale: float) -> Deployment:
        """What the measure puts in place at a dose.

        The dose multiplies the number of rows taken where the target counts them; the last
        place may then be a part of a site, and the last paid place in a programme a part of a
        year (the people enrolled are rounded to whole ones). Elsewhere it multiplies the change.
        """
        if not self.measure.scales:
            dose = float(dose > 0) if choice is None or not self.target.counted else dose
        label = f"{self.policy.name}.{self.policy.measures.index(self.measure)}"
        modifier = Modifier(self.measure.lever, self.measure.op, self.amount, None, dose, label)
        if choice is None:
            return Deployment(modifier)
        person = bool(LEVERS[self.measure.lever].bit)
        if person:
            dose = dose if self.amount else 0.0
            known = len(choice.rows) / scale
            counted = self.target.counted
            persons = min(known, choice.wanted * dose if counted else known * min(dose, 1.0))
            rows = choice.rows[:round(persons * scale)]
            return Deployment(replace(modifier, rows=rows, weight=1.0), persons)
        if not self.target.counted:
            return Deployment(replace(modifier, rows=choice.rows))
        sites = min(choice.wanted * dose, float(len(choice.rows)))
        rows = choice.rows[:math.ceil(sites)]
        weight = np.ones(len(rows))
        if len(rows) and self.measure.scales:
            weight[-1] = sites - (len(rows) - 1)
        return Deployment(replace(modifier, rows=rows, weight=weight))

    def costs(self, deployment: Deployment, meter: Meter, days: int) -> tuple[np.ndarray, ...]:
        """EUR of capital and running cost on each day of the window (two float64 arrays).

        Capital is paid for units as they are put in place, running cost for each day.
        """
        shares = self.clock.shares(days)
        units = np.zeros(days)
        for share in np.unique(shares[shares > 0]):
            units[shares == share] = self._units(deployment, meter, share)
        most = np.maximum.accumulate(units)
        capital = np.diff(most, prepend=0.0) * self.price.capital
        per_day = self.price.running / meter.prices.accounting.days_per_year
        return capital, units * per_day

    def _units(self, deployment: Deployment, meter: Meter, share: float) -> float:
        modifier = deployment.modifier
        if LEVERS[modifier.lever].bit:
            return deployment.persons * share
        if modifier.neutral:
            return 0.0
        return meter.units(modifier, modifier.weight * share, self.policy)

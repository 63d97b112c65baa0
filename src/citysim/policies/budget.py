"""The dose that a budget buys.

Costs never fall when the dose grows, so the dose is found by bisection. Where a lever
reaches the end of its range or no site is left, money stays over: that rest is reported,
not spent on something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from citysim.policies.costs import Accounting


@dataclass(frozen=True)
class Dose:
    """The dose of a policy and what it is planned to cost.

    ``budget`` and ``unspendable`` are ``None`` where the dose was given, not solved.
    """

    dose: float
    planned_eur: float
    budget: float | None = None

    @property
    def unspendable(self) -> float | None:
        """EUR of the budget that no dose can spend."""
        return None if self.budget is None else self.budget - self.planned_eur


def share_out(total: float, weights: dict[str, float]) -> dict[str, float]:
    """Split a scenario's budget between its policies in proportion to their weights."""
    whole = sum(weights.values())
    return {name: total * w / whole if whole else 0.0 for name, w in weights.items()}


def solve_dose(cost: Callable[[float], float], given: float, budget: float,
               rules: Accounting) -> Dose:
    """The largest dose whose cost stays within the budget.

    Parameters
    ----------
    cost
        EUR over the window as a function of the dose, never falling.
    given
        Dose in the policy's file: the start of the search; 0 stays 0.
    budget
        EUR.
    rules
        ``tolerance`` (relative) and ``dose_limit`` (the largest dose tried).

    Returns
    -------
    Dose
        Where more dose stops costing more, the least dose that costs as much; where nothing
        costs anything, the dose given.
    """
    if given == 0 or budget == 0:
        return Dose(0.0, 0.0, budget)
    ceiling = cost(rules.dose_limit)
    if ceiling == 0:
        return Dose(given, 0.0, budget)
    if ceiling <= budget:
        _, dose = _bisect(lambda d: cost(d) < ceiling, rules)
        return Dose(dose, ceiling, budget)
    dose, _ = _bisect(lambda d: cost(d) <= budget, rules)
    return Dose(dose, cost(dose), budget)


def _bisect(below: Callable[[float], bool], rules: Accounting) -> tuple[float, float]:
    """Doses on either side of the one where ``below`` stops holding, close to each other."""
    low, high = 0.0, rules.dose_limit
    while high - low > rules.tolerance * high:
        middle = (low + high) / 2
        if below(middle):
            low = middle
        else:
            high = middle
    return low, high

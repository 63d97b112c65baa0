"""What was spent; cost per effect is taken where scenarios are compared."""

from __future__ import annotations

from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({
    "cost.total": Measure("Cost", "EUR", None, "Spent on the policies in the window."),
    "cost.capital": Measure("Capital cost", "EUR", None, "Spent once, when put in place."),
    "cost.running": Measure("Running cost", "EUR", None, "Spent on keeping it going."),
    "cost.share_of_budget": Measure("Budget used", "share of the budget", None,
                                    "Spent over the budget of the scenario."),
})
def cost(record: Record):
    """Spending in total and by category."""
    total = record.ledger.total
    by_category = record.ledger.totals("category")
    yield "cost.total", "all", total
    for category in ("capital", "running"):
        yield f"cost.{category}", "all", by_category.get(category, 0.0)
    if record.budget:
        yield "cost.share_of_budget", "all", total / record.budget

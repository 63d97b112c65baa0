"""What a budget bought: dose and reach of each policy, and money that no dose could spend."""

from __future__ import annotations

from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({
    "policy.dose.": Measure("Dose", "times the plan", None,
                            "How much of a policy's plan its part of the budget pays for; far "
                            "above 1 means a budget out of proportion to the city."),
    "policy.places.": Measure("Places reached", "street segments", None,
                              "Street segments that any measure of a policy acts on."),
    "policy.people.": Measure("People reached", "persons", None,
                              "Persons of the city whom a policy enrols, once its ramp is over."),
    "cost.unspent": Measure("Unspent", "EUR", None,
                            "Part of the budget that no dose of the policies could spend."),
})
def dose(record: Record):
    """Dose and reach by policy, unspent money of the scenario."""
    for row in record.plan:
        yield f"policy.dose.{row['policy']}", "all", row["dose"]
        for table in ("places", "people"):
            if row[table] is not None:
                yield f"policy.{table}.{row['policy']}", "all", row[table]
    if record.budget and record.plan:
        yield "cost.unspent", "all", max(0.0, record.budget - record.ledger.total)

"""Young people between school and work (as far as the model has it)."""

from __future__ import annotations

from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register
from citysim.state.columns import NEET


@register({
    "youth.neet": Measure("Young people outside work and school", "share", "lower",
                          "NEET among residents aged 15 to 29, at the end."),
    "youth.enrolled": Measure("Enrolled in a programme", "per 1,000 aged 12 to 24", None,
                              "Young people in any youth programme, at the end."),
})
def youth(record: Record):
    """Shares at the end of the run."""
    n = record.n_residents
    age, work = record.people.age[:n], record.people.employment[:n]
    young = (age >= 15) & (age <= 29)
    if young.any():
        yield "youth.neet", "all", (work[young] == NEET).mean()
    reach = (age >= 12) & (age <= 24)
    if reach.any():
        yield "youth.enrolled", "all", 1e3 * (record.people.programme[:n][reach] > 0).mean()

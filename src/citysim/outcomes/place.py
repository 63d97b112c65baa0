"""Condition of places and the work that goes into it."""

from __future__ import annotations

import numpy as np

from citysim.outcomes.record import DAYS_PER_YEAR, Record
from citysim.outcomes.registry import Measure, register


@register({
    "place.upkeep": Measure("Condition of places", "share", "higher",
                            "Mean condition of public places at the end, 1 as new."),
    "place.disorder": Measure("Disorder", "share", "lower",
                              "Mean visible disorder of public places at the end."),
    "place.efficacy": Measure("Collective efficacy", "share", "higher",
                              "Mean collective efficacy of those who live around public places "
                              "at the end."),
    "place.maintenance_hours": Measure("Maintenance", "hours per year", None,
                                       "Hours of cleaning and small repairs, at the end's pace."),
})
def place(record: Record):
    """Condition, disorder, efficacy and maintenance, by district."""
    places = record.places
    hours = places.cleaning / 7.0 * DAYS_PER_YEAR * record.maintenance_hours
    yield "place.upkeep", "all", places.upkeep.mean()
    yield "place.disorder", "all", places.disorder.mean()
    yield "place.efficacy", "all", places.efficacy.mean()
    yield "place.maintenance_hours", "all", hours.sum()
    for d, label in enumerate(record.districts):
        there = np.flatnonzero(places.district == d)
        if len(there):
            yield "place.upkeep", f"district:{label}", places.upkeep[there].mean()
            yield "place.disorder", f"district:{label}", places.disorder[there].mean()
            yield "place.efficacy", f"district:{label}", places.efficacy[there].mean()
            yield "place.maintenance_hours", f"district:{label}", hours[there].sum()

"""Response, clearance, and patrol against demand."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({
    "police.response_minutes": Measure("Response time", "min", "lower",
                                       "Mean minutes from an urgent call to arrival."),
    "police.clearance": Measure("Clearance", "share", "higher",
                                "Recorded offences that were cleared."),
    "police.mismatch": Measure(
        "Patrol against demand", "share", "lower",
        "Share of patrol time that would have to move to another district to follow recorded "
        "crime."),
})
def police(record: Record):
    """Response and clearance by district and hour band; mismatch."""
    events = record.events
    district = record.places.district[events[:, ev.PLACE]]
    answered = events[:, ev.RESPONSE] >= 0
    if answered.any():
        yield "police.response_minutes", "all", events[answered, ev.RESPONSE].mean() / 10
    recorded = events[:, ev.RECORDED] == 1
    for label, there in record.where_and_when():
        if (answered & there).any():
            minutes = events[answered & there, ev.RESPONSE].mean() / 10
            yield "police.response_minutes", label, minutes
        if (recorded & there).any():
            yield "police.clearance", label, events[recorded & there, ev.CLEARED].mean()
    if recorded.any():
        yield "police.clearance", "all", events[recorded, ev.CLEARED].mean()
        n = len(record.districts)
        demand = np.bincount(district[recorded], minlength=n) / recorded.sum()
        minutes = np.bincount(record.places.district, record.patrol, n)
        if minutes.sum():
            yield "police.mismatch", "all", np.abs(demand - minutes / minutes.sum()).sum() / 2

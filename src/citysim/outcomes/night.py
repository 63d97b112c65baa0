"""Who uses public space at night."""

from __future__ import annotations

import numpy as np

from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({
    "night.users": Measure("People out at night", "per 1,000 residents", "higher",
                           "Residents out at a leisure place in a mean hour of the night band."),
    "night.women_men_ratio": Measure("Women to men out at night", "ratio", "higher",
                                     "Women over men among residents out at night, per head."),
})
def night(record: Record):
    """Night users per 1,000 members of each group, and the ratio of women to men."""
    hours = sum(day["night_hours"] for day in record.daily)
    if not hours:
        return
    steps = hours * record.daily[0]["steps_per_hour"]
    out = record.groups.sum(sum(day["out"] for day in record.daily).astype(float)) / steps
    with np.errstate(invalid="ignore", divide="ignore"):
        share = out / record.group_size()
    names = record.groups.names
    for name, value in zip(names, share, strict=True):
        if value == value:
            yield "night.users", name, 1e3 * value
    women, men = share[names.index("women")], share[names.index("men")]
    if men > 0:
        yield "night.women_men_ratio", "all", women / men

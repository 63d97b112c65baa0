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
    """Night users per 1,000 members of each group, and the ratio of women to men in each."""
    hours = sum(day["night_hours"] for day in record.daily)
    if not hours:
        return
    steps = hours * record.daily[0]["steps_per_hour"]
    groups = record.groups
    cells = sum(day["out"] for day in record.daily).astype(float) / steps
    with np.errstate(invalid="ignore", divide="ignore"):
        share = groups.sum(cells) / record.group_size()
        women, men = (groups.sum(cells * sex) / groups.sum(groups.size * sex)
                      for sex in (groups.members("women"), groups.members("men")))
        ratio = women / men
    for name, value in zip(groups.names, share, strict=True):
        if value == value:
            yield "night.users", name, 1e3 * value
    for name, value in zip(groups.names, ratio, strict=True):
        if name not in ("women", "men") and np.isfinite(value):
            yield "night.women_men_ratio", name, value

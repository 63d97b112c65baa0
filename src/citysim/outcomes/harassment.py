"""Harassment in public space (SDG 11.7.2)."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import DAYS_PER_YEAR, Record
from citysim.outcomes.registry import Measure, register


@register({"harassment.prevalence": Measure(
    "Harassed in 12 months", "share", "lower",
    "SDG 11.7.2: women harassed at least once; the window's share p taken to 12 months as "
    "1 - (1 - p)^(365 / days). Biased upwards, the more the shorter the window: it takes weeks as "
    "independent, while some women are hit again and again.")})
def harassment(record: Record):
    """Share of women harassed, by group of women."""
    if "harassment" not in record.offences:
        return
    chosen = record.events[:, ev.OFFENCE] == record.offences.index("harassment")
    victim = np.unique(record.events[chosen, ev.VICTIM])
    victim = victim[(victim >= 0) & (victim < record.n_residents)]
    women = record.people.sex[:record.n_residents] == 1
    cell = record.groups.cell
    hit = record.groups.sum(np.bincount(cell[victim[women[victim]]],
                                        minlength=record.groups.n_cells).astype(float))
    there = record.groups.sum(np.bincount(cell[women], minlength=record.groups.n_cells)
                              .astype(float))
    for g, name in enumerate(record.groups.names):
        if name != "men" and there[g]:
            share = hit[g] / there[g]
            yield ("harassment.prevalence", name,
                   1 - (1 - share) ** (DAYS_PER_YEAR / max(1, record.days)))

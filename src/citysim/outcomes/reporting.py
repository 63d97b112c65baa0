"""The dark figure: which share of crime is reported."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({"reporting.rate.": Measure("Reporting rate", "share", "higher",
                                      "Share of offences that victims report.")})
def reporting(record: Record):
    """Reported over true offences, by offence, group of victims, district and hour band."""
    reported = record.events[:, ev.REPORTED] == 1
    parts = list(record.where_and_when())
    people = record.groups.names[:len(record.groups.names) - len(record.districts)]
    for offence in record.totals:
        name = f"reporting.rate.{offence}"
        chosen = np.isin(record.events[:, ev.OFFENCE], record.select(offence))
        if not chosen.any():
            continue
        yield name, "all", reported[chosen].mean()
        suffered = record.groups.sum(record.victim_cells(chosen))
        told = record.groups.sum(record.victim_cells(chosen & reported))
        for g, group in enumerate(people):
            if g and suffered[g]:
                yield name, group, told[g] / suffered[g]
        for label, there in parts:
            if (chosen & there).any():
                yield name, label, reported[chosen & there].mean()

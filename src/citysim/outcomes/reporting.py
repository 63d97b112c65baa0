"""The dark figure: which share of crime is reported."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({"reporting.rate.": Measure("Reporting rate", "share", "higher",
                                      "Share of offences that victims report.")})
def reporting(record: Record):
    """Reported over true offences, by offence, and by group of victims for all."""
    reported = record.events[:, ev.REPORTED] == 1
    for offence in record.totals:
        chosen = np.isin(record.events[:, ev.OFFENCE], record.select(offence))
        if chosen.any():
            yield f"reporting.rate.{offence}", "all", reported[chosen].mean()
    chosen = np.isin(record.events[:, ev.OFFENCE], record.select("all"))
    suffered = record.groups.sum(record.victim_cells(chosen))
    told = record.groups.sum(record.victim_cells(chosen & reported))
    for g, name in enumerate(record.groups.names):
        if g and suffered[g]:
            yield "reporting.rate.all", name, told[g] / suffered[g]

"""Perceived safety by day and after dark (SDG 16.1.4)."""

from __future__ import annotations

from citysim.kernels import perception as mind
from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


@register({
    "safety.safe_after_dark": Measure(
        "Feel safe after dark", "share", "higher",
        "SDG 16.1.4: residents who feel safe walking alone after dark, mean of the window's days."),
    "safety.safe_by_day": Measure("Feel safe by day", "share", "higher",
                                  "Residents who feel safe walking alone by day."),
    "safety.fear_after_dark": Measure("Fear after dark", "share", "lower",
                                      "Mean fear of crime after dark, 0 none to 1 full."),
})
def safety(record: Record):
    """Shares and mean fear by group and district."""
    for outcome, column in (("safety.safe_after_dark", mind.SAFE_NIGHT),
                            ("safety.safe_by_day", mind.SAFE_DAY),
                            ("safety.fear_after_dark", mind.FEAR_NIGHT)):
        for name, value in zip(record.groups.names, record.mean_by_group(column), strict=True):
            if value == value:
                yield outcome, name, value

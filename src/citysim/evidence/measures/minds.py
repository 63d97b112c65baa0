"""Perceived safety and what fear keeps people from."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure
from citysim.evidence.measures.victims import residents_of

SAFE = "safety.safe_after_dark"
ADULT_AGES = (14, 110)  # those whom surveys ask


def _safe(data: CityData, group: str) -> Reading:
    rows = data.outcomes[data.outcomes["outcome"] == SAFE].set_index("group")["value"]
    if group not in rows:
        raise NotMeasurable(f"no perceived safety of the group '{group}' here")
    return Reading(float(rows[group]), note="mean of the window's days")


@measure("share of residents", needs=("outcomes",))
def feel_safe(data, group="all") -> Reading:
    """Share who feel safe walking alone after dark, of a group such as ``women`` or ``elderly``."""
    return _safe(data, group)


@measure("share of residents", needs=("outcomes",))
def feel_unsafe(data, group="all") -> Reading:
    """Share who feel unsafe walking alone after dark, of a group such as ``women``."""
    found = _safe(data, group)
    return Reading(1 - found.value, found.cases, found.note)


@measure("share of residents", needs=("minds",))
def feel_unsafe_at_end(data, sex=None, ages=ADULT_AGES) -> Reading:
    """Share of residents, by sex and ages, who feel unsafe after dark when the window ends."""
    chosen = residents_of(data, sex, ages)
    fear = data.people.fear_after_dark[chosen]
    return Reading(float((fear >= data.people.afraid).mean()), len(fear),
                   f"{len(fear)} residents on the last day")


@measure("share of the odds of an evening out", needs=("minds",))
def stay_in_from_fear(data, sex=None, ages=ADULT_AGES) -> Reading:
    """Share of the odds of an evening out that people's own fear takes away.

    Surveys ask whether a person stays in from fear, yes or no; the model has no such question,
    this is what comes nearest. Taken on the last day of the window.
    """
    kept = data.people.odds_kept[residents_of(data, sex, ages)]
    return Reading(float(1 - kept.mean()), len(kept), "odds lost on the last day, mean; more than "
                   f"half lost for {np.mean(kept < 0.5):.1%}")

"""What each outcome is called, its unit, and which direction is the better one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from citysim.config.errors import InputError

try:
    from citysim.outcomes.registry import describe as _describe
except ImportError:  # results can be read without the model's measures
    _describe = None

MAIN_OUTCOMES = (
    "crime.true.all", "crime.true.all_but_vandalism", "crime.hazard.all", "crime.recorded.all",
    "safety.safe_after_dark", "night.users", "trust.police", "cost.total",
)
"""Outcomes of the terminal's table and of the report's first table, in that order."""

HEADLINE = ("crime.hazard.all", "safety.safe_after_dark", "trust.police", "night.users",
            "victimisation.poorest_richest")
"""Outcomes that answer a study: few, so that adjusting for their number keeps its power. Cost is
not among them: it is spent by plan, not estimated."""

CRIME = ("crime.hazard.all", "crime.true.all")
"""Crime outcomes in order of preference: expected crime carries less luck than counts."""

CRIME_COUNTS = ("crime.count.hazard", "crime.count.true")
"""Absolute number of crimes in the window, in order of preference."""

SAFETY = "safety.safe_after_dark"
COST = "cost.total"
TRUST = "trust.police"
NIGHT = "night.users"
EQUITY = ("victimisation.poorest_richest", "victimisation.gini")
"""Equity outcomes in order of preference: the Gini rises by itself as offences become rare."""


@dataclass(frozen=True)
class Meaning:
    """Label, unit, better direction (``lower``, ``higher`` or None) and meaning of an outcome."""

    label: str
    unit: str
    better: str | None
    doc: str


_KINDS = {"true": "true", "reported": "reported", "recorded": "recorded", "hazard": "expected",
          "expected_reported": "expected reported", "expected_recorded": "expected recorded"}
_LABELS = {  # labels where the id alone does not read well
    "safety.safe_after_dark": ("Feel safe after dark", "higher"),
    "night.users": ("People out at night", "higher"),
    "trust.police": ("Trust in the police", "higher"),
    "trust.city": ("Trust in the city", "higher"),
    "cost.total": ("Cost", None),
    "harassment.prevalence": ("Harassed", "lower"),
    "victimisation.gini": ("Inequality of victimisation", "lower"),
    "victimisation.poorest_richest": ("Poorest to richest fifth", "lower"),
    "police.stops": ("Police stops", None),
    "police.response_minutes": ("Police response time", "lower"),
    "place.upkeep": ("Condition of places", "higher"),
}


def meaning(outcome: str) -> Meaning:
    """What an outcome is: from the registry of measures, or read from its id.

    An id that no measure declares keeps its id as label. Direction is None where neither the
    registry nor the id tells which way is better.
    """
    if _describe is not None:
        try:
            found = _describe(outcome)
            return Meaning(found.label, found.unit, found.better, found.doc)
        except (LookupError, ValueError, InputError):
            pass  # an outcome that nothing declares must not stop a report
    head, _, rest = outcome.partition(".")
    kind, _, offence = rest.partition(".")
    if head == "crime" and kind in _KINDS:
        what = {"all": "crime", "all_but_vandalism": "crime without vandalism"}.get(
            offence, offence.replace("_", " "))
        # More reports may mean more crime or more trust, so neither has a better direction.
        better = "lower" if kind in ("true", "hazard") else None
        return Meaning(f"{_KINDS[kind]} {what}".capitalize(), "", better, "")
    unwelcome = "lower" if {"fear", "unease"} & set(re.split(r"\W|_", outcome)) else None
    label, better = _LABELS.get(outcome, (outcome.replace(".", ": ").replace("_", " ").capitalize(),
                                           unwelcome))
    return Meaning(label, "", better, "")


def first_present(wanted: Iterable[str], present: Iterable[str]) -> str | None:
    """The first of the wanted outcomes that is there, or None."""
    present = set(present)
    return next((w for w in wanted if w in present), None)


def group_kind(group: str) -> str:
    """Kind of a group id: ``all``, ``district``, ``hours`` or ``people``."""
    if group == "all":
        return "all"
    head, colon, _ = group.partition(":")
    return head if colon else "people"

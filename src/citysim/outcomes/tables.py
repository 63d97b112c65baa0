"""What the values in the tables by day, place and hour of the week mean, where the unit differs.

The table ``outcomes`` is described by the registry of measures; the other tables hold some of
the same outcomes in units of their own, and a few that have no figure for the city.
"""

from __future__ import annotations

from citysim.outcomes.registry import Measure

SUM, END = "sum", "end"

PLACES = {
    "crime.hazard.": ("offences", SUM), "crime.true.": ("offences", SUM),
    "night.presence": ("person-hours", SUM), "police.patrol_minutes": ("minutes", SUM),
    "safety.unease": ("share", END), "place.": ("share", END),
    "policy.treated": ("flag", END),
}
"""Unit of an outcome (or family) in ``places``, and what a month holds: its sum or its end."""

PROFILE = {"crime.hazard.": "offences per week"}
"""Unit of a family in ``profile``."""

BY_PLACE = {
    "safety.unease": Measure("Unease after dark", "share", "lower",
                             "How unsafe the place feels after dark, 0 not at all to 1 fully."),
    "night.presence": Measure("Presence at night", "person-hours", "higher",
                              "Hours that people spent at or passing the place in the night band."),
    "police.patrol_minutes": Measure("Patrol", "minutes", None,
                                     "Minutes that patrols were present at the place."),
    "policy.treated": Measure("Treated", "flag", None,
                              "1 where a measure of a policy acts on the place itself."),
}
"""Measures that exist by place only."""


def places_unit(outcome: str) -> str | None:
    """Unit of an outcome in ``places``; None where it is the one of the city's figure."""
    found = _of_family(PLACES, outcome)
    return found[0] if found else None


def over_months(outcome: str) -> str:
    """``sum`` where months of ``places`` add up to the window, ``end`` where the last one counts.

    What nothing declares is taken for a sum.
    """
    found = _of_family(PLACES, outcome)
    return found[1] if found else SUM


def profile_unit(outcome: str) -> str | None:
    """Unit of an outcome in ``profile``."""
    return _of_family(PROFILE, outcome)


def _of_family(known: dict, outcome: str):
    """Entry of an id, or of the longest family (ending in a dot) that it belongs to."""
    names = [k for k in known if k == outcome or (k.endswith(".") and outcome.startswith(k))]
    return known[max(names, key=len)] if names else None

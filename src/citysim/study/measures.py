"""The table of measures: one row per outcome of a study, saying what it is."""

from __future__ import annotations

import json

import pyarrow as pa

from citysim.config.errors import InputError
from citysim.outcomes import tables as meanings
from citysim.outcomes.registry import Measure, describe
from citysim.study.parts import DONE, Holding

COLUMNS = ("outcome", "label", "unit", "better", "groups", "tables", "unit_places",
           "over_months", "unit_profile", "meaning")
HELD_BY = ("outcomes", "daily", "places", "profile")


def measures_of(found: Holding) -> pa.Table:
    """Describe every outcome that finished runs hold.

    Parameters
    ----------
    found
        The runs; one run for each set of policies is looked at.

    Returns
    -------
    pyarrow.Table
        Columns :data:`COLUMNS`, all strings: id, label, unit of the city's figure (and of
        ``daily``), better direction (``lower``, ``higher``, empty for neither), kinds of groups,
        tables that hold it, its unit in ``places`` and ``profile``, whether the months of
        ``places`` add up (``sum``) or the last one counts (``end``), and what it means. One row
        per outcome, in the order of ids.
    """
    held: dict[str, dict[str, set[str]]] = {}
    for key in _one_of_each(found):
        own = Holding(found.folder, *({key: names[key]} if key in names else {}
                                      for names in (found.parts, found.merged)), found.inside, [])
        for table in set(HELD_BY) & set(own.tables):
            columns = ["outcome", "group"] if table == "outcomes" else ["outcome"]
            for row in own.read(table, columns).group_by(columns).aggregate([]).to_pylist():
                held.setdefault(row["outcome"], {}).setdefault(table, set()).add(
                    _kind(row.get("group")))
    rows = [_row(outcome, held[outcome]) for outcome in sorted(held)]
    return pa.table({name: pa.array([row[name] for row in rows], pa.string())
                     for name in COLUMNS})


def _one_of_each(found: Holding) -> list[str]:
    """One finished run for each set of policies: their outcomes are the same."""
    chosen = {}
    for row in found.rows.select(["key", "status", "parameters"]).to_pylist():
        if row["status"] == DONE:
            policies = json.loads(row["parameters"] or "{}").get("policies")
            chosen.setdefault(json.dumps(policies), row["key"])
    return list(chosen.values())


def _kind(group: str | None) -> str:
    """Kind of a group: itself, or the word before the colon."""
    return (group or "").partition(":")[0]


def _row(outcome: str, held: dict[str, set[str]]) -> dict[str, str]:
    try:
        known = meanings.BY_PLACE.get(outcome) or describe(outcome)
    except InputError:  # measured by another version; the rows are there all the same
        known = Measure(outcome, "", None, "")
    by_place, by_hour = "places" in held, "profile" in held
    return {
        "outcome": outcome, "label": known.label, "unit": known.unit,
        "better": known.better or "", "groups": ", ".join(sorted(held.get("outcomes", ()))),
        "tables": ", ".join(name for name in HELD_BY if name in held),
        "unit_places": (meanings.places_unit(outcome) or known.unit) if by_place else "",
        "over_months": meanings.over_months(outcome) if by_place else "",
        "unit_profile": (meanings.profile_unit(outcome) or known.unit) if by_hour else "",
        "meaning": known.doc}

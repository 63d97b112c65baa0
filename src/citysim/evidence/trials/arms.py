"""Handing a trial's units to the policies of its arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from citysim.config.errors import InputError
from citysim.evidence.trials.schema import Arm, Trial
from citysim.evidence.trials.units import Units
from citysim.policies.policy import Target, parse_policy, plain
from citysim.policies.targeting import choose
from citysim.state.levers import LEVERS
from citysim.state.table import Table

WHOLE_CITY = "city"


def handed_out(trial: Trial, arm_of: np.ndarray, units: Units, policies: Mapping[str, Any],
               tables: dict[str, Table]) -> dict[str, dict[str, Any]]:
    """The policies of a trial run: those of every arm, in its units, in its windows.

    Parameters
    ----------
    trial
        The entry.
    arm_of
        int (units, windows): arms of the units.
    units
        The units.
    policies
        Content of the policies that the arms name.
    tables
        Of the model, for filters of single measures and for the homes of people.

    Returns
    -------
    dict
        Content of policies by new names, ready for a model. Each is the city's own policy but
        for its target, which is the rows of the units, its dose, and its days.
    """
    found: dict[str, dict[str, Any]] = {}
    length = trial.timing.days // arm_of.shape[1]
    for index, (name, arm) in enumerate(trial.arms.items()):
        for window in range(arm_of.shape[1]):
            members = np.flatnonzero(arm_of[:, window] == index)
            if not len(members):
                continue
            rows = None if trial.units.kind == WHOLE_CITY else \
                np.concatenate([units.rows[u] for u in members])
            for policy in arm.policies:
                content = content_of(policy, arm, policies, trial)
                begin = window * length
                end = begin + length if begin + length < trial.evaluated else None
                _set_days(content, begin, end)
                if rows is not None:
                    _set_rows(content, policy, rows, units.table, tables, trial)
                if content["measures"]:
                    found[f"{policy}__{name}_{window}"] = content
    return found


def content_of(policy: str, arm: Arm, policies: Mapping[str, Any], trial: Trial
               ) -> dict[str, Any]:
    """A policy's content at the arm's dose, with what the arm changes in it."""
    content = plain(policies[policy])
    content["dose"] = arm.dose * content.get("dose", 1.0)
    content.pop("budget", None)
    for path, value in arm.set.items():
        head, _, rest = path.partition(".")
        if head == policy:
            _put(content, rest.split("."), value, f"{trial.id}, arms, set.{path}")
    return content


def _put(node: Any, path: list[str], value: Any, where: str) -> None:
    """Change one value of a policy's content; the path must be there."""
    for i, key in enumerate(path):
        key = int(key) if isinstance(node, list) and key.isdigit() else key
        known = range(len(node)) if isinstance(node, list) else node
        if key not in known:
            raise InputError(f"unknown key '{key}'", where=where, allowed=[str(k) for k in known])
        if i == len(path) - 1:
            node[key] = value
        else:
            node = node[key]


def _set_days(content: dict[str, Any], begin: int, end: int | None) -> None:
    """Move a policy into days ``begin`` to ``end`` of the window; its ramps stay its own."""
    for part in (content, *content["measures"]):
        when = dict(part.get("when") or {})
        if part is content or when.get("start_day") is not None:
            when["start_day"] = (when.get("start_day") or 0) + begin
        if when.get("end_day") is not None:
            when["end_day"] = when["end_day"] + begin
        ends = [e for e in (when.get("end_day"), end) if e is not None]
        # A measure's own end outranks the policy's: it must not outlive the window either.
        if ends and (part is content or when.get("end_day") is not None):
            when["end_day"] = min(ends)
        if when:
            part["when"] = when
    if end is not None:  # what would begin after its window is over never begins
        start = content["when"]["start_day"]
        content["measures"] = [m for m in content["measures"]
                               if m.get("when", {}).get("start_day", start) < end]


def _set_rows(content: dict[str, Any], policy: str, rows: np.ndarray, table: str,
              tables: dict[str, Table], trial: Trial) -> None:
    """Aim every measure at the units' rows; a measure's own filter still holds within them."""
    parse_policy(policy, content)
    content.pop("target", None)
    kept = []
    for measure in content["measures"]:
        there = LEVERS[measure["lever"]].table
        own = measure.pop("target", None)
        if there not in ("places", "people"):  # a lever of the city as a whole
            kept.append(measure)
            continue
        if table == "people" and there == "places":
            raise InputError(f"policy '{policy}' acts on places, the units are people",
                             where=f"{trial.id}, arms", allowed="a policy that enrols people")
        mine = rows if there == table else _living_at(rows, tables["people"])
        if own and own.get("filter"):
            target = Target.model_validate({"table": there, "filter": own["filter"]})
            passing = choose(target, tables, np.uint64(0)).rows
            mine = mine[np.isin(mine, passing)]
        if len(mine):
            measure["target"] = {"table": there, "rows": [int(r) for r in mine]}
            kept.append(measure)
    content["measures"] = kept


def _living_at(places: np.ndarray, people: Table) -> np.ndarray:
    """Residents whose home is at one of these places."""
    return np.flatnonzero((people.kind == 0) & np.isin(people.anchors[:, 0], places))



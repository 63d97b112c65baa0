"""Weekly timetables by stage of life, and who follows which."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np

from citysim.config.errors import InputError, closest_match
from citysim.population.draws import Draws
from citysim.state.columns import (
    CHILD,
    COMMUTER,
    EMPLOYED,
    RESIDENT,
    RETIRED,
    STUDENT,
    VISITOR,
)
from citysim.state.table import Table

SLEEP, HOME, DAY, FREE = 0, 1, 2, 3
LETTERS = {"S": SLEEP, "H": HOME, "D": DAY, "F": FREE}
STAGES = ("preschool", "school", "secondary", "student", "worker_day", "worker_evening",
          "worker_night", "worker_shop", "no_work", "retired", "commuter", "commuter_evening",
          "visitor")
DAY_TYPES = ("weekday", "saturday", "sunday")
HOURS = 24
WEEK = ("weekday",) * 5 + ("saturday", "sunday")
_WHERE = "configs/population, timetables"


def read_timetables(given: Mapping[str, Mapping[str, str]]) -> np.ndarray:
    """Decode timetables: uint8 ``(stages, 168)``, hour 0 is Monday midnight.

    Parameters
    ----------
    given
        For each of ``STAGES`` a string of 24 letters for each of ``DAY_TYPES``.

    Raises
    ------
    InputError
        On a missing or unknown stage, a wrong length or an unknown letter.
    """
    for stage in given:
        if stage not in STAGES:
            raise InputError(f"unknown timetable '{stage}'", where=_WHERE, allowed=STAGES,
                             closest=closest_match(stage, STAGES))
    table = np.empty((len(STAGES), HOURS * len(WEEK)), np.uint8)
    for i, stage in enumerate(STAGES):
        if stage not in given:
            raise InputError(f"timetable '{stage}' is missing", where=_WHERE, allowed=STAGES)
        days = {day: _decode(stage, day, given[stage]) for day in DAY_TYPES}
        table[i] = np.concatenate([days[day] for day in WEEK])
    return table


def _decode(stage, day, days):
    where = f"{_WHERE}.{stage}.{day}"
    text = days.get(day)
    if not isinstance(text, str) or len(text) != HOURS:
        raise InputError(f"'{text}' is no day of {HOURS} letters", where=where,
                         allowed=f"{HOURS} letters out of {', '.join(LETTERS)}")
    unknown = sorted(set(text) - set(LETTERS))
    if unknown:
        raise InputError(f"unknown letter '{unknown[0]}'", where=where, allowed=list(LETTERS))
    return [LETTERS[letter] for letter in text]


def assign_timetables(people: Table, places: Table, parameters: SimpleNamespace,
                      draws: Draws) -> None:
    """Fill ``people.timetable`` and ``people.shift`` (hours, -1 to 1).

    Pupils of age have the evenings of students, younger ones in upper secondary school Saturday's.
    Evening and night work is drawn by person. People whose job is on a shopping street are
    in shops with the share ``shifts.shop`` over the retail share of all jobs.
    """
    p, n = parameters.shifts, len(people)
    kind, work, age = people.kind, people.employment, people.age
    u = draws.uniform("shift_work", n)
    codes = {stage: i for i, stage in enumerate(STAGES)}
    table = np.full(n, codes["no_work"], np.uint8)
    table[work == CHILD] = codes["school"]
    table[(work == CHILD) & (age < p.school_from)] = codes["preschool"]
    table[work == STUDENT] = codes["student"]
    minor = (work == CHILD) | ((work == STUDENT) & (age < parameters.ages.majority))
    table[minor & (age >= p.secondary_from)] = codes["secondary"]
    table[work == RETIRED] = codes["retired"]
    employed = work == EMPLOYED
    table[employed] = codes["worker_day"]
    in_shop = _shop_workers(people, places, employed, p.shop)
    table[employed & (u < in_shop)] = codes["worker_shop"]
    table[employed & (u > 1.0 - p.evening - p.night)] = codes["worker_evening"]
    table[employed & (u > 1.0 - p.night) & (age >= p.night_youngest)] = codes["worker_night"]
    table[kind == COMMUTER] = codes["commuter"]
    table[(kind == COMMUTER) & (u < p.commuter_evening)] = codes["commuter_evening"]
    table[kind == VISITOR] = codes["visitor"]
    people.timetable[:] = table
    v = draws.uniform("personal_shift", n)
    people.shift[:] = (v > 1.0 - p.later).astype(np.int8) - (v < p.earlier)


def _shop_workers(people, places, employed, share):
    """Chance that each person works in a shop: higher where shops are dense."""
    retail = places.retail[people.anchors[:, 1]].astype(float)
    rows = employed & (people.kind == RESIDENT)
    mean = retail[rows].mean() if rows.any() else 0.0
    return np.minimum(share * retail / mean, 1.0) if mean > 0 else np.full(len(retail), share)

"""What a trial counts or asks, and adding it up by place or person while a model steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from citysim.config.errors import InputError, closest_match
from citysim.evidence.trials.persons import Expected, chance_of_arrest
from citysim.evidence.trials.schema import Outcome
from citysim.kernels import events as ev
from citysim.kernels.places import HOUSEHOLD
from citysim.model.simulate import configured_shares
from citysim.outcomes.record import mean_chances
from citysim.policies.policy import Target
from citysim.policies.targeting import choose

WEEK = 168


@dataclass(frozen=True)
class Measure:
    """One measure of trials.

    Parameters
    ----------
    table
        ``places`` or ``people``: whose rows it is known by.
    form
        ``events`` are counted; a ``sum`` is the growth of ``read`` over a period; a ``mean``
        is the average of ``read`` at the end of its days.
    doc
        Meaning and unit.
    read
        From a model to one float per row; for events, whether each event counts beside place
        and offence, as ``(column that names the row, column that must be 1 or None)``.
    """

    table: str
    form: str
    doc: str
    read: Callable | tuple


def _resident(column: str, index: int | None = None) -> Callable:
    def read(m):
        values = m.people[column][:m.n_residents]
        return values if index is None else values[:, index]

    return read


MEASURES: dict[str, Measure] = {
    "crime": Measure("places", "events", "offences at the places", (ev.PLACE, None)),
    "victimisation": Measure("people", "events", "offences suffered", (ev.VICTIM, None)),
    "offending": Measure("people", "events", "offences committed", (ev.CULPRIT, None)),
    "arrests": Measure("people", "events", "arrests", (ev.CULPRIT, ev.CLEARED)),
    "police_stops": Measure("people", "sum", "police stops", _resident("stops")),
    "use": Measure("places", "sum", "person-hours in the street",
                   lambda m: m.recorder.presence.sum(axis=1)),
    "use_by_day": Measure("places", "sum", "person-hours in the street by day",
                          lambda m: m.recorder.presence[:, 0]),
    "use_at_night": Measure("places", "sum", "person-hours in the street at night",
                            lambda m: m.recorder.presence[:, 2]),
    "patrol_minutes": Measure("places", "sum", "minutes of patrols", lambda m: m.recorder.patrol),
    "safe_after_dark": Measure(
        "people", "mean", "share who feel safe walking alone after dark",
        lambda m: _resident("fear", 1)(m) < m.constants.mind.afraid),
    "unsafe_after_dark": Measure(
        "people", "mean", "share who feel unsafe walking alone after dark",
        lambda m: _resident("fear", 1)(m) >= m.constants.mind.afraid),
    "fear_by_day": Measure("people", "mean", "fear by day, 0 to 1", _resident("fear", 0)),
    "fear_after_dark": Measure("people", "mean", "fear after dark, 0 to 1", _resident("fear", 1)),
    "trust_police": Measure("people", "mean", "trust in the police, 0 to 1",
                            _resident("trust_police")),
    "trust_city": Measure("people", "mean", "trust in the city, 0 to 1", _resident("trust_city")),
    "unease": Measure("places", "mean", "unease of the place after dark, 0 to 1",
                      lambda m: m.places.unease_night),
    "disorder": Measure("places", "mean", "visible disorder, 0 to 1", lambda m: m.places.disorder),
    "upkeep": Measure("places", "mean", "upkeep, 0 to 1", lambda m: m.places.upkeep),
}


@dataclass(frozen=True)
class Totals:
    """One outcome over one period.

    Attributes
    ----------
    value
        float64 by row of the measure's table: counts, sums, or means over the days.
    expected
        Summed hazards of the same offences and hours, else ``None``: of crime at places, where
        reports or records are counted times the mean chance of each offence of being told, and of
        offences and arrests of the people watched, NaN for all others.
    days
        Days of the period.
    """

    value: np.ndarray
    expected: np.ndarray | None
    days: int


def offence_rows(offences: str | list[str], names: tuple[str, ...], in_total: np.ndarray,
                 where: str) -> np.ndarray:
    """Indices of offences by name; ``all`` and ``all_but_vandalism`` count those in totals.

    Raises
    ------
    InputError
        For an offence that the model does not have.
    """
    found: list[int] = []
    for word in [offences] if isinstance(offences, str) else offences:
        if word in ("all", "all_but_vandalism"):
            found += [i for i in np.flatnonzero(in_total)
                      if word == "all" or names[i] != "vandalism"]
        elif word in names:
            found.append(names.index(word))
        else:
            known = ("all", "all_but_vandalism", *names)
            raise InputError(f"there is no offence '{word}'", where=where, allowed=known,
                             closest=closest_match(word, known))
    return np.unique(found)


def hours_mask(outcome: Outcome) -> np.ndarray:
    """Which hours of the week count, bool (168); 0 is Monday midnight.

    Hours after midnight belong to the weekday on which they began.
    """
    first, last = outcome.hours or (0.0, 24.0)
    length = (last - first) % 24 or 24
    mask = np.zeros(WEEK, dtype=bool)
    for day in range(7) if outcome.weekdays is None else outcome.weekdays:
        begin = day * 24 + int(first)
        mask[np.arange(begin, begin + round(length)) % WEEK] = True
    return mask


@dataclass
class Watch:
    """Steps a model through days and adds up what the outcomes need.

    Parameters
    ----------
    model
        A :class:`citysim.model.city_model.CityModel`.
    outcomes
        By name.
    people
        Rows of the people whose own offences and arrests are to be expected too, none by default.
    """

    model: object
    outcomes: Mapping[str, Outcome]
    people: np.ndarray | None = None
    masks: dict[str, np.ndarray] = field(init=False)
    offences: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self):
        known = self.model.constants.offences
        self.masks = {name: hours_mask(o) for name, o in self.outcomes.items()}
        self.offences = {name: offence_rows(o.offences, known.names, known.in_total,
                                            f"outcomes.{name}.offences")
                         for name, o in self.outcomes.items()}

    def run(self, days: int) -> dict[str, Totals]:
        """Step through whole days; what each outcome came to in them."""
        m = self.model
        if m.calendar.day(m.step_index) == 0:
            m.recorder.drop()  # the model does so itself in its first hour of the window
        first, steps = m.step_index, days * m.calendar.steps_per_day
        chances = m.recorder.chances.copy()
        keys = {name: mask.tobytes() for name, mask in self.masks.items()
                if MEASURES[self.outcomes[name].measure].form == "events"}
        persons = self._expected()
        hazards = {(key, about): _Hazard(np.frombuffer(key, bool), source.hazard)
                   for key in set(keys.values())
                   for about, source in (("places", m.recorder), ("people", persons))
                   if source is not None}
        begun = {name: np.array(kind.read(m), "f8") for name, kind in self._of("sum")}
        means = {name: np.zeros(len(kind.read(m))) for name, kind in self._of("mean")}
        if persons is not None:
            m.after["offenders"] = persons
        for step in range(steps):
            for hazard in hazards.values():
                hazard.before(m)
            m.step()
            if (step + 1) % m.calendar.steps_per_day == 0:
                for name, kind in self._of("mean"):
                    means[name] += kind.read(m)
        for hazard in hazards.values():
            hazard.close()
        m.after.clear()
        found = {name: Totals(total / days, None, days) for name, total in means.items()}
        found |= {name: Totals(MEASURES[self.outcomes[name].measure].read(m) - start, None, days)
                  for name, start in begun.items()}
        happened = events_between(m, first)
        told = mean_chances(np.bincount(happened[:, ev.OFFENCE], minlength=len(chances)),
                            m.recorder.chances - chances, configured_shares(m.constants))
        told = {"true": np.ones(len(told)), "reported": told[:, 0], "recorded": told[:, 1]}
        for name, key in keys.items():
            hazard = hazards.get((key, MEASURES[self.outcomes[name].measure].table))
            found[name] = self._counted(name, happened, hazard,
                                        told[self.outcomes[name].counted], days)
        return {name: self._there(name, found[name]) for name in self.outcomes}

    def _there(self, name: str, totals: Totals) -> Totals:
        """Only the places that the outcome is about."""
        where, m = self.outcomes[name].where, self.model
        if not where:
            return totals
        tables = {"places": m.places, "people": m.people}
        here = np.zeros(len(m.places), bool)
        here[choose(Target(table="places", filter=where), tables, np.uint64(0)).rows] = True
        expected = None if totals.expected is None else np.where(here, totals.expected, 0.0)
        return Totals(np.where(here, totals.value, 0.0), expected, totals.days)

    def _expected(self) -> Expected | None:
        """What adds up expectations of the people watched, where an outcome is about them."""
        wanted = any(MEASURES[o.measure].read[0] == ev.CULPRIT for o in self.outcomes.values()
                     if MEASURES[o.measure].form == "events")
        return Expected(self.model, self.people) if wanted and self.people is not None else None

    def _of(self, form: str):
        return [(name, MEASURES[o.measure]) for name, o in self.outcomes.items()
                if MEASURES[o.measure].form == form]

    def _counted(self, name: str, happened: np.ndarray, hazard: _Hazard | None,
                 told: np.ndarray, days: int) -> Totals:
        """Events of one outcome by row, and their expectation where there is one.

        ``told`` (offences) is the mean chance of an offence of being counted.
        """
        m, outcome = self.model, self.outcomes[name]
        kind = MEASURES[outcome.measure]
        column, flag = kind.read
        rows = self.offences[name]
        hour = (happened[:, ev.STEP] * m.calendar.step_hours).astype("i8")
        start = m.calendar.hour_of_week(0)
        keep = np.isin(happened[:, ev.OFFENCE], rows) & self.masks[name][(hour + start) % WEEK]
        counted = {"true": None, "reported": ev.REPORTED, "recorded": ev.RECORDED}
        for needed in (flag, counted[outcome.counted]):
            if needed is not None:
                keep &= happened[:, needed] == 1
        size = len(m.places) if kind.table == "places" else len(m.people)
        chosen = happened[keep, column]
        value = np.bincount(chosen[chosen >= 0], minlength=size).astype("f8")
        if hazard is None or column == ev.VICTIM:
            return Totals(value, None, days)
        # An arrest's chance holds that of the report.
        weight = chance_of_arrest(m)[rows] if flag == ev.CLEARED else told[rows]
        expected = np.full(size, np.nan)  # a day's expectation is booked at midnight
        if self.masks[name].all() or not self._at_home(rows):
            expected[slice(None) if kind.table == "places" else self.people] = \
                hazard.sum[:, rows] @ weight
        return Totals(value, expected, days)

    def _at_home(self, rows: np.ndarray) -> bool:
        known = self.model.constants.offences
        return bool(np.isin(rows, known.of_form(HOUSEHOLD)).any())


class _Hazard:
    """Expected offences by row, added up over chosen hours of the week.

    Parameters
    ----------
    mask
        Which hours of the week are chosen, bool (168).
    grown
        float64 (rows, offences), kept by somebody else: sums that only grow, so that it is enough
        to look when chosen hours begin and end.
    """

    def __init__(self, mask: np.ndarray, grown: np.ndarray):
        self.mask, self.grown, self.sum, self.start = mask, grown, np.zeros(grown.shape), None

    def before(self, m) -> None:
        """Called before each step."""
        wanted = self.mask[m.calendar.hour_of_week(m.step_index)]
        if wanted and self.start is None:
            self.start = self.grown.copy()
        elif not wanted:
            self.close()

    def close(self) -> None:
        """Take in the hours since they began."""
        if self.start is not None:
            self.sum += self.grown - self.start
            self.start = None


def events_between(m, first: int) -> np.ndarray:
    """Events from a step up to now, today's included, int32 (n, 10)."""
    r = m.recorder
    found = np.concatenate([*r.history, r.events[:r.n_events]])
    return found[found[:, ev.STEP] >= first]

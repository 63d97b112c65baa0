"""What measures are taken from: one run's record over the evaluation window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from citysim.kernels import events as ev

DAYS_PER_YEAR = 365.0
BANDS = ("day", "evening", "night")
BY_KIND = ("property", "violence")
TOTALS = ("all", "all_but_vandalism", *BY_KIND)


@dataclass(frozen=True)
class Record:
    """One run, summed up.

    Attributes
    ----------
    events
        int32 (n, 10): offences of the window; columns in ``kernels/events.py``.
    hour_of_week
        Of each event.
    hazard, hourly
        Expected offences by (place, offence) and by (hour of the week, offence).
    chances
        float64 (offences, 2): probabilities of being reported and recorded, summed over the
        offences that happened.
    configured
        float64 (offences, 2): configured shares that are reported and recorded, at middling trust.
    victim_chances
        float64 (offences, cells): probabilities that the victim is of each cell of residents,
        summed over the offences that happened.
    daily
        One dict per day (see ``model/recorder.py``).
    months
        One dict per calendar month of the window: ``month`` (its first day), ``days`` of the
        window so far, sums by place so far, states of the places at its end.
    offences, kinds, in_total
        Ids in column order; property, violence or disorder; which of them count in totals.
    groups
        ``model.groups.Groups``: names, sizes, cells.
    people, households, places
        Tables at the end of the run.
    districts
        Names of districts.
    stops
        Police stops by cell.
    days, scale
        Days of the window; simulated residents per real one.
    bands
        Hour band (0 day, 1 evening, 2 night) of each hour of the day.
    patrol, presence
        Patrol minutes by place; person-hours by (place, band).
    contacts, ledger
        Talks of beat officers with residents; ``policies.costs.Ledger``.
    plan
        Per policy its dose and spending (``Programme.summary``).
    budget
        EUR or ``None``.
    maintenance_hours
        Hours of one cleaning visit.
    """

    events: np.ndarray
    hour_of_week: np.ndarray
    hazard: np.ndarray
    hourly: np.ndarray
    chances: np.ndarray
    configured: np.ndarray
    victim_chances: np.ndarray
    daily: list[dict]
    months: list[dict]
    offences: tuple[str, ...]
    kinds: tuple[str, ...]
    in_total: np.ndarray
    groups: Any
    people: Any
    households: Any
    places: Any
    districts: tuple[str, ...]
    stops: np.ndarray
    days: int
    scale: float
    bands: np.ndarray
    patrol: np.ndarray
    presence: np.ndarray
    contacts: int
    ledger: Any
    plan: list[dict]
    budget: float | None
    maintenance_hours: float

    @property
    def n_residents(self) -> int:
        """Simulated residents."""
        return len(self.groups.cell)

    @property
    def per_100k_year(self) -> float:
        """Factor from a count in the window to a yearly rate per 100,000 residents."""
        return 1e5 / self.n_residents * DAYS_PER_YEAR / max(1, self.days)

    def select(self, offence: str) -> np.ndarray:
        """Columns of an offence, or of those that count in one of :data:`TOTALS`."""
        if offence == "all":
            return np.flatnonzero(self.in_total)
        if offence in BY_KIND:
            return np.flatnonzero(self.in_total & (np.array(self.kinds) == offence))
        if offence == "all_but_vandalism":
            keep = self.in_total & (np.array(self.offences) != "vandalism")
            return np.flatnonzero(keep)
        return np.array([self.offences.index(offence)])

    @property
    def totals(self) -> tuple[str, ...]:
        """Offence ids and the totals."""
        return (*self.offences, *TOTALS)

    def happened(self) -> np.ndarray:
        """Offences of the window that happened, int64 (offences)."""
        return np.bincount(self.events[:, ev.OFFENCE], minlength=len(self.offences))

    def told(self) -> np.ndarray:
        """Mean probability that an offence is reported and recorded, float64 (offences, 2).

        Over the offences of the window that happened, each with its own victim's trust and
        origin; the configured share where none happened.
        """
        return mean_chances(self.happened(), self.chances, self.configured)

    def where_and_when(self):
        """Events by district of the place and by hour band: label and bool (events) of each."""
        district = self.places.district[self.events[:, ev.PLACE]]
        band = self.bands[self.hour_of_week % 24]
        for d, label in enumerate(self.districts):
            yield f"district:{label}", district == d
        for b, label in enumerate(BANDS):
            yield f"hours:{label}", band == b

    def victim_cells(self, chosen: np.ndarray) -> np.ndarray:
        """Chosen events by the cell of their victim, float64 (cells); residents only."""
        victim = self.events[chosen, ev.VICTIM]
        victim = victim[(victim >= 0) & (victim < self.n_residents)]
        return np.bincount(self.groups.cell[victim], minlength=self.groups.n_cells).astype(float)

    def expected_victims(self, columns: np.ndarray) -> np.ndarray | None:
        """Expected offences in some columns by the cell of their victim, float64 (cells).

        The summed hazard times the mean chance of each cell to be hit by the offences of the
        window that happened. Offences that never did are spread like the others of the columns;
        ``None`` where nothing happened in any of them.
        """
        hazard, happened = self.hazard.sum(axis=0)[columns], self.happened()[columns]
        known = hazard * (happened > 0)
        if not known.any():
            return None
        chances = self.victim_chances[columns] / np.maximum(happened, 1)[:, None]
        return hazard.sum() / known.sum() * (known @ chances)

    def group_size(self) -> np.ndarray:
        """Residents in each group, float64, in the order of ``groups.names``."""
        return self.groups.sum(self.groups.size)

    def mean_by_group(self, column: int):
        """Mean over the window's days of a column of the daily sums, by group."""
        from citysim.kernels.perception import PEOPLE

        total = sum(day["sums"] for day in self.daily)
        sums = self.groups.sum(total)
        with np.errstate(invalid="ignore", divide="ignore"):
            return sums[:, column] / sums[:, PEOPLE]


def mean_chances(happened: np.ndarray, chances: np.ndarray, configured: np.ndarray) -> np.ndarray:
    """Mean probability that an offence is reported and recorded, float64 (offences, 2).

    Parameters
    ----------
    happened
        int64 (offences): how many of each offence happened in a period.
    chances
        float64 (offences, 2): the same events' probabilities, summed.
    configured
        float64 (offences, 2): what holds for an offence that did not happen.
    """
    happened = happened[:, None]
    return np.where(happened > 0, chances / np.maximum(happened, 1), configured)

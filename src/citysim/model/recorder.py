"""What a run keeps for its measures: events, sums per day, sums per place."""

from __future__ import annotations

from datetime import date

import numpy as np

from citysim.kernels.events import N_EVENT
from citysim.kernels.perception import N_SUMS


class Recorder:
    """Counters of one run, in memory, small: nothing per person and step.

    Attributes
    ----------
    events
        int32 (limit, 10): the offences of the current day; columns in ``kernels/events.py``.
    history
        Arrays of events of the days before, warm-up left out.
    hazard
        float64 (places, offences): expected offences over the evaluation window.
    total
        float64 (offences): expected offences of the current step.
    hourly
        float64 (168, offences): expected offences by hour of the week.
    chances
        float64 (offences, 2): probabilities that offences of the window are reported and recorded,
        summed over those that happened, as they stood before the draws.
    victim_chances
        float64 (offences, cells): probabilities that the victim is of each cell of residents,
        summed over the offences of the window that happened, as they stood before the draw.
    daily
        One dict a day: what :meth:`close_day` is given.
    months
        One dict a closed month: its first day, and by place what had piled up when it ended.
    sums
        float64 (cells, 7): last midnight's sums over residents (``kernels/perception.py``).
    out, stops
        int64 (cells): residents out, summed over the night's steps; stops in the window.
    """

    LIMIT = 1 << 16

    def __init__(self, n_places: int, n_offences: int, n_cells: int):
        self.events = np.zeros((self.LIMIT, N_EVENT), np.int32)
        self.n_events = 0
        self.history: list[np.ndarray] = []
        self.hazard = np.zeros((n_places, n_offences))
        self.total = np.zeros(n_offences)
        self.hourly = np.zeros((168, n_offences))
        self.chances = np.zeros((n_offences, 2))
        self.victim_chances = np.zeros((n_offences, n_cells))
        self.day_hazard = np.zeros(n_offences)
        self.daily: list[dict] = []
        self.months: list[dict] = []
        self.out = np.zeros(n_cells, np.int64)
        self.night_hours = 0.0
        self.presence = np.zeros((n_places, 3))     # person-hours by band: day, evening, night
        self.patrol = np.zeros(n_places)            # minutes
        self.stops = np.zeros(n_cells, np.int64)
        self.contacts = 0
        self.visits = 0
        self.motivated = 0
        self.sums = np.zeros((n_cells, N_SUMS))

    def add_hazard(self, hour_of_week: int) -> None:
        """Take over the step's expected offences."""
        self.hourly[hour_of_week] += self.total
        self.day_hazard += self.total
        self.total[:] = 0.0

    def drop(self) -> None:
        """Forget everything so far: the evaluation window begins."""
        for array in (self.hazard, self.hourly, self.chances, self.victim_chances, self.presence,
                      self.patrol, self.stops):
            array[:] = 0
        self.history.clear()
        self.daily.clear()
        self.months.clear()
        self.contacts = self.visits = self.motivated = 0

    def close_day(self, **values) -> None:
        """Put the day's numbers by and start the next one."""
        self.history.append(self.events[:self.n_events].copy())
        self.daily.append({"hazard": self.day_hazard.copy(), "out": self.out.copy(),
                           "night_hours": self.night_hours,
                           "sums": self.sums.copy(), **values})
        self.n_events = 0
        self.events[:] = 0
        self.day_hazard[:] = 0.0
        self.out[:] = 0
        self.night_hours = 0.0

    def close_month(self, month: date, unease: np.ndarray, upkeep: np.ndarray) -> None:
        """Keep what each place has come to; closing a month again replaces it.

        Parameters
        ----------
        month
            First day of the calendar month.
        unease, upkeep
            States of the places at its end.
        """
        if self.months and self.months[-1]["month"] == month:
            self.months.pop()
        self.months.append({
            "month": month, "days": len(self.daily), "hazard": self.hazard.copy(),
            "presence": self.presence[:, 2].copy(), "patrol": self.patrol.copy(),
            "unease": unease.astype(float), "upkeep": upkeep.astype(float)})

    def all_events(self) -> np.ndarray:
        """All events of the window, int32 (n, 10)."""
        if not self.history:
            return np.zeros((0, N_EVENT), np.int32)
        return np.concatenate(self.history)

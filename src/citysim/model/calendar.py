"""Dates, hours and daylight."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

from citysim.kernels.places import Hour

AXIAL_TILT = 23.44  # degrees
HOURS, WEEK = 24, 168


class Calendar:
    """What the clock says at each step.

    Parameters
    ----------
    start
        First evaluated day (ISO date); the warm-up lies before it.
    warmup_days
        Days run before.
    step_hours
        Hours in a step.
    constants
        ``settings.model.clock``.
    latitude, longitude
        Degrees.
    """

    def __init__(self, start: str, warmup_days: int, step_hours: float, constants,
                 latitude: float, longitude: float):
        self.first = date.fromisoformat(str(start)) - timedelta(days=warmup_days)
        self.warmup_days = warmup_days
        self.step_hours = step_hours
        self.steps_per_day = round(HOURS / step_hours)
        self.c = constants
        self.latitude, self.longitude = latitude, longitude

    def day(self, step: int) -> int:
        """Evaluated day of a step; negative in the warm-up."""
        return step // self.steps_per_day - self.warmup_days

    def hour(self, step: int) -> float:
        """Hour of the day, [0, 24)."""
        return (step % self.steps_per_day) * self.step_hours

    def date(self, step: int) -> date:
        """Date of a step."""
        return self.first + timedelta(days=step // self.steps_per_day)

    def weekday(self, step: int) -> int:
        """Day of the week, 0 Monday."""
        return self.date(step).weekday()

    def hour_of_week(self, step: int) -> int:
        """Whole hour of the week, 0 at Monday midnight."""
        return self.weekday(step) * HOURS + int(self.hour(step))

    def evening_clock(self, step: int) -> float:
        """Hour, counted on past midnight for the hours that belong to the evening before."""
        hour = self.hour(step)
        return hour + HOURS if hour < self.c.day_breaks else hour

    def daylight(self, step: int) -> float:
        """Daylight in [0, 1] at the middle of a step: 0 below twilight, 1 above the horizon.

        Sun's elevation from latitude, day of the year and local solar time (Cooper 1969).
        """
        day = self.date(step)
        hour = self.hour(step) + self.step_hours / 2
        summer = self.c.daylight_saving if _summer_time(day) else 0.0
        solar = hour - summer - self.c.utc_offset + self.longitude / 15.0
        tilt = math.radians(-AXIAL_TILT) * math.cos(
            2 * math.pi * (day.timetuple().tm_yday + 10) / 365)
        latitude = math.radians(self.latitude)
        elevation = math.degrees(math.asin(
            math.sin(latitude) * math.sin(tilt)
            + math.cos(latitude) * math.cos(tilt) * math.cos(math.pi * (solar - 12) / 12)))
        return min(1.0, max(0.0, (elevation + self.c.twilight) / self.c.twilight))

    def now(self, step: int, scale: float, services_until: float) -> Hour:
        """What is the same everywhere in a step; ``services_until`` is a lever of the city."""
        c, hour, clock = self.c, self.hour(step), self.evening_clock(step)
        asleep = hour >= c.asleep_from or hour < c.asleep_to
        return Hour(
            step_seconds=self.step_hours * 3600.0 * scale,
            daylight=self.daylight(step),
            awake=c.awake_night if asleep else 1.0,
            clock=float(clock),
            shops_open=float(c.shops_from <= hour < c.shops_to and self.weekday(step) < 6),
            services_open=float(c.evening_from <= clock < services_until),
            hosts_on=float(c.hosts_from <= clock < c.hosts_to),
            evening=float(clock >= c.evening_from),
        )


def _summer_time(day: date) -> bool:
    """Whether EU summer time holds: from the last Sunday of March to that of October."""
    def last_sunday(month):
        end = datetime(day.year, month, 31).date()
        return end - timedelta(days=(end.weekday() + 1) % 7)

    return last_sunday(3) <= day < last_sunday(10)

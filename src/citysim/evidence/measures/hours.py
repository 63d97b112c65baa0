"""When crimes happen: hours of the day, days of the week."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import NotMeasurable, Reading
from citysim.evidence.measures.registry import measure

DAY, WEEK = 24, 7
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@measure("share of crimes", needs=("hour",))
def hours_share(data, start=22, end=4, offences="all", outdoors=False) -> Reading:
    """Share of crimes from one hour of the day up to another, past midnight if it comes earlier.

    ``outdoors`` leaves out what is known to have happened among the guests of a venue.
    """
    crimes = data.select(offences)
    if outdoors and crimes.in_venue is not None:
        crimes = crimes.where(~crimes.in_venue)
    hour = crimes.hour
    if not len(hour):
        raise NotMeasurable("no crime of this kind")
    inside = (hour - start) % DAY < (end - start) % DAY
    return Reading(float(inside.mean()), len(hour), f"{len(hour)} crimes")


@measure("hour", needs=("hour",))
def busiest_hour(data, offences="all") -> Reading:
    """Hour of the day with most crimes; ``more`` holds the profile, shares by hour."""
    return _busiest(data.select(offences).hour, DAY, lambda hour: f"{hour:02d}:00")


@measure("day", needs=("weekday",))
def busiest_day(data, offences="all") -> Reading:
    """Day of the week with most crimes, 0 Monday; ``more`` holds the profile, shares by day."""
    return _busiest(data.select(offences).weekday, WEEK, lambda day: NAMES[day])


def _busiest(when: np.ndarray, size: int, name) -> Reading:
    if not len(when):
        raise NotMeasurable("no crime of this kind")
    profile = np.bincount(when, minlength=size) / len(when)
    top = int(np.argmax(profile))
    return Reading(float(top), len(when), f"{name(top)} with {profile[top]:.1%}, evenly it were "
                   f"{1 / size:.1%}", {"profile": profile})

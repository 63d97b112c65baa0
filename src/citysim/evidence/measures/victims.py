"""Who is hit, how often, and who more than others."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure, package

DAYS_PER_YEAR = 365.0
_YEAR_ENOUGH = 0.9  # of a year: shorter windows cannot show repeats within twelve months
_HOURS = 24.0


@measure("share of victims", needs=("victim", "time", "days"))
def repeat_victims(data, offences="all", unit="person") -> Reading:
    """Share of a year's victims who are hit more than once by the same kinds within that year.

    Parameters
    ----------
    offences
        Kinds of crime taken together.
    unit
        Who is hit: ``person`` or ``household`` (for dwellings, vehicles and damage).
    """
    if data.days < _YEAR_ENOUGH * DAYS_PER_YEAR:
        raise NotMeasurable(f"{data.days:.0f} days; repeats within twelve months need a year")
    crimes = data.select(offences)
    if len(crimes):
        crimes = crimes.where(crimes.time > crimes.time.max() - DAYS_PER_YEAR * _HOURS)
    hit = crimes.victim if unit == "person" else crimes.household
    if hit is None:
        raise NotMeasurable(f"the victims' {unit} is not known here")
    times = np.unique(hit[hit >= 0], return_counts=True)[1]
    if not len(times):
        raise NotMeasurable("no victim of this kind")
    return Reading(float((times > 1).mean()), len(times), f"{len(times)} victims")


def _residents_hit(data: CityData, offences) -> np.ndarray:
    """Rows of residents hit at least once."""
    if data.people is None:
        raise NotMeasurable("not known here: people one by one")
    victim = data.select(offences).victim
    return np.unique(victim[(victim >= 0) & (victim < data.people.residents)])


@measure("share of residents", needs=("victim", "people", "days"))
def victimised(data, offences="all", sex=None, ages=None) -> Reading:
    """Share of residents who are hit in a year, by sex (``women``, ``men``) and ages [from, to].

    Windows of other lengths are scaled to a year in proportion.
    """
    chosen = residents_of(data, sex, ages)
    hit = _residents_hit(data, offences)
    share = chosen[hit].sum() / max(1, chosen.sum()) * DAYS_PER_YEAR / data.days
    return Reading(float(share), int(chosen[hit].sum()), f"of {chosen.sum()} residents")


def residents_of(data: CityData, sex: str | None = None, ages=None) -> np.ndarray:
    """Mask of residents by sex and ages, both ends included."""
    people, n = data.people, data.people.residents
    chosen = np.ones(n, bool)
    if sex is not None:
        if sex not in ("women", "men"):
            raise NotMeasurable(f"sex '{sex}' is neither women nor men")
        chosen &= people.sex[:n] == (sex == "women")
    if ages is not None:
        chosen &= (people.age[:n] >= ages[0]) & (people.age[:n] <= ages[1])
    if not chosen.any():
        raise NotMeasurable("no such residents")
    return chosen


@measure("ratio of shares", needs=("victim", "people"))
def relative_risk(data, habit="evening", offences="all", ages=(14, 110)) -> Reading:
    """Share of residents hit among those with a habit, over the share among the others.

    Parameters
    ----------
    habit
        ``evening``: evening venues among the usual leisure places (who goes out how often is not
        kept); ``transit``: a usual trip by transit.
    offences, ages
        Kinds of crime; ages of residents, both ends included.
    """
    if habit not in data.people.habits:
        raise NotMeasurable(f"nothing is known here of the habit '{habit}'")
    chosen, n = residents_of(data, ages=ages), data.people.residents
    has, hit = data.people.habits[habit][:n], np.zeros(n, bool)
    hit[_residents_hit(data, offences)] = True
    table = np.array([[(chosen & has & hit).sum(), (chosen & has & ~hit).sum()],
                      [(chosen & ~has & hit).sum(), (chosen & ~has & ~hit).sum()]])
    if not (table.sum(axis=1).all() and table[:, 0].all()):
        raise NotMeasurable("too few with the habit, or too few victims: "
                            f"{table[0].sum()} have it, {table[:, 0].sum()} were hit")
    ratio = package("statsmodels.stats.contingency_tables").Table2x2(table)
    low, high = ratio.riskratio_confint(alpha=0.1)
    return Reading(float(ratio.riskratio), int(table[:, 0].sum()),
                   f"{low:.2f} to {high:.2f} (90 %); {has[chosen].mean():.0%} have the habit",
                   {"low": float(low), "high": float(high)})

"""Who is hit, how often, and who more than others."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, Crimes, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure, package

DAYS_PER_YEAR = 365.0
_YEAR_ENOUGH = 0.9  # of a year: shorter windows cannot show repeats within twelve months
_HOURS = 24.0
_ASKED = 16  # years: from this age on people are asked in a survey of victims
_SPREAD = (-12.0, 12.0)  # log of the shape: from all crimes on one victim to chance alone


@measure("share of victims", needs=("victim", "time", "days"))
def repeat_victims(data, offences="all", unit="person", rate=None, series=None) -> Reading:
    """Share of a year's victims who are hit more than once by the same kinds within that year.

    Where people are known, only those count whom a survey asks: residents from age 16 on, or
    their households.

    With ``rate`` the value is that share as it would be at another rate of crime. A negative
    binomial is fitted by maximum likelihood to the counts of all persons or households, those never
    hit included, and its mean is set to ``rate`` at the same shape (victims differ as much as
    they do here). The share as counted stands in ``more["counted"]`` and in the note.

    Parameters
    ----------
    offences
        Kinds of crime taken together.
    unit
        Who is hit: ``person`` or ``household`` (for dwellings, vehicles and damage).
    rate
        Crimes per resident from age 16 on, or per household, and year; ``None`` takes the city's
        as it is. Needs people one by one.
    series
        Most crimes of one kind by one offender against one victim that count, as a survey may
        count no more of those alike; ``None`` counts all. The share as counted does not depend on
        it (from two on), the fitted shape does.

    Raises
    ------
    NotMeasurable
        Without victims, in windows below a year, or where people are not known.
    """
    if data.days < _YEAR_ENOUGH * DAYS_PER_YEAR:
        raise NotMeasurable(f"{data.days:.0f} days; repeats within twelve months need a year")
    crimes = data.select(offences)
    if len(crimes):
        crimes = crimes.where(crimes.time > crimes.time.max() - DAYS_PER_YEAR * _HOURS)
    hit = crimes.victim if unit == "person" else crimes.household
    if hit is None:
        raise NotMeasurable(f"the victims' {unit} is not known here")
    hit = hit[_asked(data, hit, unit) & _counts_in_series(crimes, hit, series)]
    times = np.unique(hit, return_counts=True)[1]
    if not len(times):
        raise NotMeasurable("no victim of this kind among those whom a survey asks")
    counted = float((times > 1).mean())
    if rate is None:
        return Reading(counted, len(times), f"{len(times)} victims")
    each = _hits_of_all(data, hit, unit)
    shape = fit_shape(each)
    return Reading(
        repeat_share(rate, shape), len(times),
        f"at {rate:.3g} a year per {unit}, here {each.mean():.3g}; as counted {counted:.3g} of "
        f"{len(times)} victims; shape {shape:.3g}",
        {"counted": counted, "mean": float(each.mean()), "shape": shape})


def _asked(data: CityData, hit: np.ndarray, unit: str) -> np.ndarray:
    """Which crimes hit somebody whom a survey asks; anybody known where people are not, bool."""
    if data.people is None:
        return hit >= 0
    if unit == "person":
        n = data.people.residents
        able = data.people.age[:n] >= _ASKED
        return (hit >= 0) & (hit < n) & able[np.clip(hit, 0, n - 1)]
    return np.isin(hit, _households(data))


def _households(data: CityData) -> np.ndarray:
    """Households in which residents live."""
    if data.people.household is None:
        raise NotMeasurable("not known here: who lives in which household")
    own = np.unique(data.people.household[:data.people.residents])
    return own[own >= 0]


def _counts_in_series(crimes: Crimes, hit: np.ndarray, most: int | None) -> np.ndarray:
    """Which crimes are among the first ``most`` of their kind by one offender on one victim."""
    if most is None or crimes.offender is None or not len(hit):
        return np.ones(len(hit), bool)
    kind = np.unique(crimes.offence, return_inverse=True)[1]
    alike = np.unique(np.column_stack([hit, kind, crimes.offender]), axis=0,
                      return_inverse=True)[1].ravel()
    order = np.lexsort((crimes.time, alike))
    start = np.searchsorted(alike[order], alike[order])
    before = np.empty(len(hit), np.int64)
    before[order] = np.arange(len(hit)) - start
    return (before < most) | (crimes.offender < 0)


def _hits_of_all(data: CityData, hit: np.ndarray, unit: str) -> np.ndarray:
    """How often each resident who could be asked, or each household, was hit; int64."""
    if data.people is None:
        raise NotMeasurable("not known here: people one by one, so those never hit neither")
    if unit == "person":
        n = data.people.residents
        return np.bincount(hit, minlength=n)[data.people.age[:n] >= _ASKED]
    own = _households(data)
    return np.bincount(hit, minlength=own[-1] + 1)[own]


def fit_shape(counts: np.ndarray) -> float:
    """Shape of the negative binomial that fits counts best; infinite where chance explains them.

    The smaller, the more victims differ. The mean that fits best is the mean of the counts. Where
    counts spread no more than chance would have them, the likelihood grows without end and the
    limit is Poisson.

    Parameters
    ----------
    counts
        Crimes per person or household, those with none included; int (n).

    Returns
    -------
    float
        Variance is mean + mean^2 / shape. NaN without crimes.
    """
    from scipy.optimize import minimize_scalar
    from scipy.stats import nbinom

    mean = counts.mean()
    if mean == 0.0:
        return float("nan")
    if counts.var() <= mean:
        return float("inf")
    times, people = np.unique(counts, return_counts=True)

    def loss(log_shape):
        shape = np.exp(log_shape)
        return -float(people @ nbinom.logpmf(times, shape, shape / (shape + mean)))

    return float(np.exp(minimize_scalar(loss, bounds=_SPREAD, method="bounded").x))


def repeat_share(rate: float, shape: float) -> float:
    """Share of victims hit more than once in a negative binomial (Poisson at infinite shape)."""
    from scipy.stats import nbinom, poisson

    law = poisson(rate) if np.isinf(shape) else nbinom(shape, shape / (shape + rate))
    return float(law.sf(1) / law.sf(0))


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

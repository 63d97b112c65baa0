"""Who offends: how few, how old, with whom. Offenders who are not residents are left out."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, Crimes, NotMeasurable, Reading
from citysim.evidence.measures.concentration import top_share, top_share_bounds
from citysim.evidence.measures.registry import measure

ADULT = 18
YOUNGEST = 12  # years: from here on people count among those who could offend


def known_offenders(data: CityData, offences) -> Crimes:
    """Crimes by residents who are known.

    Raises
    ------
    NotMeasurable
        If there is none.
    """
    crimes = data.select(offences)
    crimes = crimes.where((crimes.offender >= 0) & (crimes.offender < data.people.residents))
    if not len(crimes):
        raise NotMeasurable("no crime of this kind by a known resident")
    return crimes


@measure("share of crimes", needs=("offender", "people"))
def worst_offenders(data, share=0.1, among="people", offences="all") -> Reading:
    """Share of crimes by the worst tenth (or other share) of people, or of active offenders.

    Parameters
    ----------
    share
        Of them that count as the worst.
    among
        ``people``: residents from age 12 on; ``offenders``: those of them with any offence.
    offences
        Kinds of crime.
    """
    crimes, n = known_offenders(data, offences), data.people.residents
    each = np.bincount(crimes.offender, minlength=n)[data.people.age[:n] >= YOUNGEST]
    active = each[each > 0]
    if not len(active):
        raise NotMeasurable(f"no crime of this kind by a known resident from age {YOUNGEST} on")
    asked, least = (each, 0) if among == "people" else (active, 1)
    return Reading(top_share(asked, share), len(crimes),
                   f"{len(active)} offenders, {len(active) / len(each):.2%} of people, "
                   f"{active.mean():.2f} crimes each",
                   possible=top_share_bounds(int(asked.sum()), len(asked), share, least))


@measure("years", needs=("offender", "people"))
def age_peak(data, window=3, offences="all", by="crimes") -> Reading:
    """Age with most crimes, or arrests, per resident of that age, over a moving window of years.

    Arrests are crimes weighed by the share of their kind that is cleared in this city. That is what
    is expected of them, without the luck of the few that are: clearance knows the offence, not how
    old the offender is. ``more`` holds the age-crime curve: ``age`` and ``rate`` (per resident).

    Parameters
    ----------
    window
        Years of age taken together, odd. The curve rises faster than it falls, so a wide window
        shows the peak too late.
    offences
        Kinds of crime.
    by
        ``crimes`` (as people tell of themselves) or ``arrests`` (as police figures have it).
    """
    crimes, n = known_offenders(data, offences), data.people.residents
    age, kernel = data.people.age[:n], np.ones(window)
    most, old = int(age.max()) + 1, age[crimes.offender]
    done, living = (np.convolve(np.bincount(years, weight, most), kernel, "same")
                    for years, weight in ((old, _weight(data, crimes, by)), (age, None)))
    rate = np.divide(done, living, out=np.zeros(most), where=living > 0)
    return Reading(float(np.argmax(rate)), len(crimes),
                   f"by {by}; median age at the crime {np.median(old):.0f}",
                   {"age": np.arange(most), "rate": rate})


def _weight(data: CityData, crimes: Crimes, by: str) -> np.ndarray:
    """What each crime counts: one, or the share of its kind that is cleared, float64 (n)."""
    if by == "crimes":
        return np.ones(len(crimes))
    if by != "arrests":
        raise NotMeasurable(f"'{by}' is neither crimes nor arrests")
    if data.crimes.cleared is None:
        raise NotMeasurable("not known here: which crimes were cleared")
    found = {kind: data.crimes.cleared[data.crimes.offence == kind].mean()
             for kind in np.unique(crimes.offence)}
    return np.array([found[kind] for kind in crimes.offence])


@measure("share of juvenile offenders", needs=("offender", "people", "together"))
def co_offending(data, offences="all") -> Reading:
    """Share of offenders under 18 who commit most of their crimes with others."""
    crimes = known_offenders(data, offences)
    crimes = crimes.where(data.people.age[crimes.offender] < ADULT)
    if not len(crimes):
        raise NotMeasurable("no crime by a juvenile")
    who, owner = np.unique(crimes.offender, return_inverse=True)
    share = np.bincount(owner, crimes.together) / np.bincount(owner)
    return Reading(float((share > 0.5).mean()), len(who), f"{len(who)} juvenile offenders")

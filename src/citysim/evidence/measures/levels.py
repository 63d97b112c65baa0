"""How much: rates, reporting, police."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure
from citysim.evidence.measures.victims import DAYS_PER_YEAR

PER = 1e5


def _rate(data: CityData, crimes: int) -> float:
    return crimes / data.residents * PER * DAYS_PER_YEAR / data.days


@measure("share of crimes", needs=("reported",))
def reporting_rate(data, offences="all") -> Reading:
    """Share of crimes that the police are told of."""
    crimes = data.select(offences)
    if not len(crimes):
        raise NotMeasurable("no crime of this kind")
    return Reading(float(crimes.reported.mean()), len(crimes), f"{len(crimes)} crimes")


@measure("per 100,000 residents and year", needs=("recorded", "residents", "days"))
def recorded_rate(data, offences="all") -> Reading:
    """Recorded crimes per 100,000 residents and year."""
    recorded = int(data.select(offences).recorded.sum())
    return Reading(_rate(data, recorded), recorded, f"{recorded} recorded crimes")


@measure("per 100,000 residents and year", needs=("residents", "days"))
def true_rate(data, offences="all") -> Reading:
    """All crimes, recorded or not, per 100,000 residents and year."""
    crimes = len(data.select(offences))
    return Reading(_rate(data, crimes), crimes, f"{crimes} crimes")


@measure("per 100,000 residents", needs=("police",))
def police_strength(data, force="national") -> Reading:
    """Police officers per 100,000 residents: an input of a simulated city."""
    if force not in data.police_per_100k:
        raise NotMeasurable(f"no force '{force}' here")
    return Reading(float(data.police_per_100k[force]), note="input, not outcome")


@measure("power of city size", of_many=True)
def size_slope(data, offences="all") -> Reading:
    """Slope of log crimes per resident on log residents, over cities; 0 when size is no matter.

    Runs of one city with several seeds count as one. Needs three cities of different size.
    """
    sizes: dict[tuple[str, int], list[float]] = {}
    for city in data:
        if city.residents is None or city.days is None:
            raise NotMeasurable(f"residents or window of {city.name} are not known")
        sizes.setdefault((city.name, city.residents), []).append(
            _rate(city, len(city.select(offences))))
    if len({size for _, size in sizes}) < 3:
        raise NotMeasurable(f"{len(sizes)} cities; a slope over size needs three")
    from scipy.stats import linregress

    mean = np.array([np.mean(rates) for rates in sizes.values()])
    if not (mean > 0).all():
        raise NotMeasurable("a city without any crime of this kind")
    found = linregress(np.log([size for _, size in sizes]), np.log(mean))
    return Reading(float(found.slope), len(sizes), f"{len(sizes)} cities, standard error "
                   f"{found.stderr:.2g}")

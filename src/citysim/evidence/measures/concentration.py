"""How few places hold how much crime, beside as many crimes placed at random.

Random placement is the yardstick of Chalfin, Kaplan and Cuellar; the generalised Gini that of
Bernasco and Steenbeek (2017), both for cities where places outnumber crimes.
"""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, NotMeasurable, Reading
from citysim.evidence.measures.registry import measure, package

DRAWS = 200  # random placements
SEED = 1
_EXACT = 1e-9  # of a crime: shares of counts are not exact in floating point


def holding(counts: np.ndarray, share: float) -> float:
    """Least share of places that together hold ``share`` of the crimes; NaN without crimes."""
    total = counts.sum()
    if total == 0:
        return float("nan")
    held = np.cumsum(np.sort(counts)[::-1])
    return float(np.searchsorted(held, share * total - _EXACT) + 1) / len(counts)


def gini_of(counts: np.ndarray) -> float:
    """Gini coefficient of counts, by the package ``inequality``; NaN without crimes."""
    if counts.sum() == 0:
        return float("nan")
    return float(package("inequality.gini").Gini(counts).g)


def generalised(gini: float, crimes: int, places: int) -> float:
    """Gini against the most even spread that whole crimes allow.

    Equals the Gini where crimes outnumber places; 0 when no place has a second crime. It is
    ``max(places / crimes, 1) (G - 1) + 1`` (Bernasco and Steenbeek 2017).
    """
    return max(places / crimes, 1.0) * (gini - 1) + 1


def at_random(crimes: int, weights: np.ndarray, function, draws: int = DRAWS) -> float:
    """Mean of a function of counts when crimes fall on places with these weights by chance."""
    rng = np.random.default_rng(SEED)
    even = weights / weights.sum()
    return float(np.mean([function(rng.multinomial(crimes, even)) for _ in range(draws)]))


def _samples(data: CityData, offences, per_place: float | None):
    """Counts by place, as they are or thinned at random to so many crimes per place."""
    counts = data.on_places(data.select(offences))
    crimes = int(counts.sum())
    if crimes == 0:
        raise NotMeasurable("no crime of this kind")
    wanted = crimes if per_place is None else round(per_place * len(counts))
    if wanted >= crimes:
        return [counts], ("" if per_place is None or wanted == crimes else
                          f"fewer crimes than {wanted}: taken as they are")
    rng = np.random.default_rng(SEED)
    owner = np.repeat(np.arange(len(counts)), counts)
    drawn = [np.bincount(rng.choice(owner, wanted, replace=False), minlength=len(counts))
             for _ in range(DRAWS)]
    return drawn, f"mean of {DRAWS} random draws of {wanted} of {crimes} crimes"


def _reading(data: CityData, offences, per_place, random, function) -> Reading:
    samples, note = _samples(data, offences, per_place)
    crimes, n = int(samples[0].sum()), len(data.places)
    weights = data.places.length if random == "length" else np.ones(n)
    chance = at_random(crimes, weights, function)
    value = float(np.mean([function(counts) for counts in samples]))
    words = f"{crimes} crimes on {n} segments; at random {chance:.3g}"
    return Reading(value, crimes, f"{words}; {note}" if note else words,
                   {"at_random": chance, "beyond_random": value - chance})


@measure("share of segments")
def segments_holding(data, share=0.5, offences="all", per_place=None, random="equal") -> Reading:
    """Least share of street segments that hold a share of crime.

    Parameters
    ----------
    share
        Of all crimes, in (0, 1].
    offences
        Kinds of crime.
    per_place
        Thin to so many crimes per segment first, to compare with a city of fewer crimes.
    random
        What the crimes placed at random go by: ``equal`` chance or ``length`` of the segments.
    """
    return _reading(data, offences, per_place, random, lambda counts: holding(counts, share))


@measure("1")
def gini(data, offences="all", per_place=None, random="equal") -> Reading:
    """Gini coefficient of crime over street segments (arguments as for segments_holding)."""
    return _reading(data, offences, per_place, random, gini_of)


@measure("1")
def generalised_gini(data, offences="all", per_place=None, random="equal") -> Reading:
    """Gini of crime over segments against the most even spread of so many crimes."""
    return _reading(data, offences, per_place, random, lambda counts: generalised(
        gini_of(counts), int(counts.sum()), len(counts)))


@measure("share of crimes")
def lorenz(data, worst=0.05, offences="all", random="equal") -> Reading:
    """Share of crime on the worst share of segments; ``more`` holds the whole Lorenz curve.

    The curve: ``places`` and ``crimes``, cumulated shares from the quietest segment on.
    """
    found = _reading(data, offences, None, random, lambda counts: top_share(counts, worst))
    counts = np.sort(data.on_places(data.select(offences)))
    curve = {"places": np.arange(len(counts) + 1) / len(counts),
             "crimes": np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])}
    return Reading(found.value, found.cases, found.note, {**found.more, **curve})


def top_share(counts: np.ndarray, share: float) -> float:
    """Share of the total that the worst ``share`` of entries hold; NaN when there is nothing."""
    if counts.sum() == 0:
        return float("nan")
    n = _worst(share, len(counts))
    return float(np.sort(counts)[::-1][:n].sum() / counts.sum())


def _worst(share: float, entries: int) -> int:
    return max(1, round(share * entries))


def top_share_bounds(total: int, entries: int, share: float, least: int = 0
                     ) -> tuple[float, float]:
    """Least and greatest :func:`top_share` of whole numbers with this total.

    Least where all have as nearly the same as whole crimes allow: ``total // entries`` each, one
    more for ``total % entries`` of them. So where crimes are fewer than the worst share of people,
    all of it lies on them whatever anybody does. Greatest where the others have ``least`` each.

    Parameters
    ----------
    total, entries
        Crimes, at least ``least`` per entry and at least one; people or places.
    share
        That counts as the worst.
    least
        What every entry has.
    """
    n = _worst(share, entries)
    even, over = divmod(total, entries)
    return (n * even + min(n, over)) / total, (total - least * (entries - n)) / total


@measure("1", needs=("areas",))
def gini_areas(data, offences="all", fewest=20) -> Reading:
    """Gini coefficient of crime over the city's areas; needs at least so many of them."""
    crimes = data.select(offences)
    areas = np.unique(data.places.area)
    if len(areas) < fewest:
        raise NotMeasurable(f"{len(areas)} areas; a Gini over so few says nothing (at least "
                            f"{fewest})")
    counts = np.bincount(data.places.area[crimes.place], minlength=areas.max() + 1)[areas]
    return Reading(gini_of(counts), len(crimes), f"{len(areas)} areas")

"""Risky facilities: how shops, venues, stops, schools and parks are run, for good or ill.

Of any set of like facilities a few have most of the crime (Eck, Clarke and Guerette 2007; the
iron law of troublesome places, Wilcox and Eck 2011), because owners and staff manage them
differently (Madensen and Eck 2008). So each facility draws once, for the whole run, how much
crime it lets happen: lognormal, mean 1 over its kind, the same draw for all offences. Derelict
houses and lots are run by nobody, until a measure puts them right.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from citysim.kernels import streams
from citysim.kernels.places import FORMS
from citysim.kernels.random import address
from citysim.kernels.start import pair_uniforms
from citysim.model.start import backgrounds

WORST = 0.2  # the part of all facilities that the published shares are told for
# The land use that each kind of facility is, and how many of them a place holds.
KINDS = {
    "retail": lambda places: places.shops,
    "leisure": lambda places: places.venues,
    "school": lambda places: places.pupils > 0,
    "green": lambda places: places.green > 0,
    "transit": lambda places: places.stop,
}
SHOPS = "retail"
# Forms of opportunity that grow with the people or goods of a place, and so with the size of what
# stands there; a lone target or something to break does not.
BY_SIZE = [FORMS.index(form) for form in ("crowd", "shop", "friction")]


def spread_of(worst_fifth: float) -> float:
    """Log standard deviation at which the worst fifth of a lognormal holds this share of it.

    The share is Phi(spread - 0.84); a fifth that holds a fifth differs in nothing.
    """
    return float(ndtri(worst_fifth) - ndtri(WORST))


def start(m) -> None:
    """Lasting background of a model's places, and what offenders find there as it begins.

    ``background``, float32 (places, offences): what differs by chance, times how facilities are
    run. Derelict sites move crime to where they are and add hardly any to the city as it starts:
    none where opportunities go by length.
    """
    settings, offences, seed = m.settings.model.facilities, m.constants.offences, m.run_seed
    m.background = backgrounds(m.places, offences, seed)
    if settings.enabled:
        m.background *= facility_factors(
            m.places, np.diff(m.world.passers.start), offences,
            (settings.worst_fifth, settings.worst_fifth_shops), m.city.size_spreads, seed)
        sites = derelict_factors(m.places, m.stretch, offences.derelict)
        m.background /= np.average(sites, axis=0, weights=m.stretch).astype(np.float32)
    weigh_derelict(m)


def weigh_derelict(m) -> None:
    """``attract``, float32 (places, offences): the background, by derelict sites as they are."""
    sites = 1.0
    if m.settings.model.facilities.enabled:
        sites = derelict_factors(m.places, m.stretch, m.constants.offences.derelict)
    m.attract = (m.background * sites).astype(np.float32)


def facility_factors(places, footfall: np.ndarray, offences, shares: tuple[float, float],
                     sizes: dict[str, float], seed: int) -> np.ndarray:
    """Factor of every place's opportunities by how the facilities on it are run.

    Facilities count by their share of the place's land use, the rest of the place stays as it
    is; what happens in shops only (``facilities: shops``) follows the shops alone.

    Parameters
    ----------
    places
        Table of places.
    footfall
        Routes that cross each place, ``(places,)``: what facilities are weighted by where their
        mean is set to 1.
    offences
        The offence table; ``sigma`` is the spread that its places have already.
    shares
        Share of the crime at like facilities that the worst fifth of them has, 0.2 to 1: of any
        kind, and of shops for what happens in shops only.
    sizes
        Spread (log standard deviation) of the sizes of a kind's facilities, for kinds that have
        one: what is published is of large and small ones together.
    seed
        Seed of the run.

    Returns
    -------
    float32 (places, offences), positive.
    """
    factor = np.ones((len(places), len(offences.names)))
    where = np.array(offences.facilities)
    published = np.where(where == "shops", spread_of(shares[1]), spread_of(shares[0]))
    by_size = np.isin(offences.form, BY_SIZE)
    for k, (use, count) in enumerate(KINDS.items()):
        share = places[use].astype(float)
        # What is published is all that lasts: the surroundings' part of it is the background's,
        # and part of it is size.
        spread = np.sqrt(np.maximum(published**2 - offences.sigma**2
                                    - by_size * sizes.get(use, 0.0)**2, 0.0))
        run = management(np.asarray(count(places), np.int64), share * footfall, spread,
                         address(seed, streams.MANAGEMENT, k))
        factor += np.where(where == "all", share[:, None] * (run - 1), 0.0)
        if use == SHOPS:
            factor[:, where == "shops"] = run[:, where == "shops"]
    return factor.astype(np.float32)


def derelict_factors(places, stretch: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Factor of every place's opportunities by the derelict sites on it that are not put right.

    A house or lot without an owner who cares is a facility that nobody runs: open ones serve as
    hangouts of whoever offends (Spelman 1993). One site works along a usual length of street.

    Parameters
    ----------
    places
        Table of places: ``derelict`` sites, ``remediation``.
    stretch
        Length of each place in usual lengths of street, ``(places,)``.
    ratio
        Times as many offences beside such a site, at least 1, ``(offences,)``.

    Returns
    -------
    float64 (places, offences), 1 or more.
    """
    open_still = np.minimum(1, places.derelict / stretch) * (1 - places.remediation)
    return 1 + open_still[:, None] * (ratio - 1)


def management(count: np.ndarray, weight: np.ndarray, spread: np.ndarray, key) -> np.ndarray:
    """How the facilities of one kind are run, as the mean of those on each place.

    Parameters
    ----------
    count
        Facilities on each place, int64 ``(places,)``.
    weight
        What they attract, ``(places,)``: over places weighted so the mean is 1.
    spread
        Log standard deviation over single facilities, ``(offences,)``.
    key
        Address of the draws; a facility's own is its place and its number there.

    Returns
    -------
    float64 (places, offences), 1 where a place has none.
    """
    place = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    z = ndtri(pair_uniforms(key, place, number))
    some = count > 0
    run = np.ones((len(count), len(spread)))
    for o, s in enumerate(spread):
        sums = np.bincount(place, np.exp(s * z - 0.5 * s**2), len(count))
        run[some, o] = sums[some] / count[some]
    weight = weight * some
    if weight.sum() > 0:
        run[some] /= np.average(run, axis=0, weights=weight)
    return run

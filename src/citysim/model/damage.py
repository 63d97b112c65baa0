"""What there is to damage on a street, and whose it is.

Vandals damage what stands there: vehicles most of all, dwellings, shops and venues, and what
belongs to the street itself. Each kind has its share of all acts in the city, and a street its
part of each kind, so that a street lined with parked cars has more of it than a bare one of the
same length. Households own their dwellings and as many vehicles as dwellings have on the mean of
the city; what else is parked there belongs to somebody from elsewhere.
"""

import numpy as np

from citysim.config.errors import InputError


def breakable(places, stretch: np.ndarray, opportunity) -> tuple[np.ndarray, np.ndarray]:
    """Amount of what can be damaged on each place, and the part of it that households own.

    Parameters
    ----------
    places
        Table of places: ``vehicles``, ``dwellings``, ``shops``, ``venues``.
    stretch
        float32 (places): lengths in usual lengths of street.
    opportunity
        ``settings.model.opportunity``: ``damage_vehicles``, ``damage_dwellings`` and
        ``damage_premises``, shares of all damage; what remains is the street's own.

    Returns
    -------
    float32 (places), float32 (places)
        The amount, in usual lengths of an average street, so that its mean is that of
        ``stretch``; and the share, 0 to 1, that households of the place own. The share of a
        kind of which the city has none falls to the street.

    Raises
    ------
    InputError
        When the three shares are together more than 1.
    """
    given = (opportunity.damage_vehicles, opportunity.damage_dwellings,
             opportunity.damage_premises)
    if sum(given) > 1 + 1e-9:
        raise InputError(f"shares of what is damaged add up to {sum(given):g}",
                         where="model.opportunity.damage_vehicles, damage_dwellings, "
                               "damage_premises", allowed="at most 1 in all")
    length = np.asarray(stretch, np.float64)
    vehicles, dwellings, premises = (
        np.asarray(stock, np.float64) for stock in
        (places.vehicles, places.dwellings, places.shops + places.venues))
    per_dwelling = vehicles.sum() / dwellings.sum() if dwellings.any() else 0.0
    of_households = np.minimum(vehicles, per_dwelling * dwellings)
    owned, amount, left = np.zeros(len(length)), np.zeros(len(length)), 1.0
    for share, stock, mine in zip(given, (vehicles, dwellings, premises),
                                  (of_households, dwellings, 0.0 * premises), strict=True):
        if stock.any():
            amount += share * stock / stock.sum()
            owned += share * mine / stock.sum()
            left -= share
    amount += left * length / length.sum()
    part = np.divide(owned, amount, out=np.zeros(len(length)), where=amount > 0)
    return (amount * length.sum()).astype(np.float32), part.astype(np.float32)

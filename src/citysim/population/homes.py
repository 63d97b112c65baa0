"""Dwellings: each household of a district gets a home on one of its streets."""

from __future__ import annotations

import numpy as np

from citysim.city.apportion import largest_remainder
from citysim.config.errors import InputError
from citysim.population.draws import Draws


def assign_homes(places, district: int, name: str, income: np.ndarray, sorting: float,
                 draws: Draws, first_household: int) -> np.ndarray:
    """Draw a home place for every household of one district.

    Places get households in proportion to their dwellings. Which household goes where is
    partly by income: the correlation between income rank and the street's rank in low
    deprivation is about ``sorting``.

    Parameters
    ----------
    places
        The places table.
    district, name
        Index and name of the district.
    income
        Income rank of each household inside the district, in (0, 1).
    sorting
        0 for no segregation inside the district, towards 1 for full.
    draws, first_household
        Random numbers and the address of the first household.

    Returns
    -------
    int64 ``(households,)``

    Raises
    ------
    InputError
        When the district has households and no dwelling.
    """
    n = len(income)
    if n == 0:
        return np.zeros(0, np.int64)
    here = np.flatnonzero((places.district == district) & (places.dwellings > 0))
    if len(here) == 0:
        raise InputError(f"district '{name}' has residents and no dwellings",
                         where="the city's places, column 'dwellings'",
                         allowed="at least one dwelling in every district with residents")
    homes = np.repeat(here, largest_remainder(places.dwellings[here], n))
    mixed = draws.uniform("dwelling", n, first_household)
    homes = homes[np.lexsort((mixed, -places.deprivation[homes].astype(float)))]
    noise = draws.uniform("sorting", n, first_household)
    blend = sorting * income + np.sqrt(1.0 - sorting ** 2) * noise
    rank = np.argsort(blend, kind="stable")
    out = np.empty(n, np.int64)
    out[rank] = homes
    return out

"""Streets and those around them, once a day: promises of the city kept or broken, efficacy."""

from __future__ import annotations

import numpy as np

from citysim.kernels import neighbourhood as kernels
from citysim.kernels.neighbourhood import Bond


def start(m) -> None:
    """Residents are used to their street as it is, and efficacy is where it would settle.

    Gives the model its arrays by place: ``noticed``, ``street``, ``residents_at``,
    ``base_efficacy``, ``first_efficacy``, ``ownership``; and the scratch ``condition`` (2, places).
    """
    p, s, e = m.people, m.places, m.settings.model.efficacy
    n, home = len(s), m.home
    m.condition, m.noticed = np.zeros((2, n)), np.zeros(n)
    s.accustomed = _seen(m)
    m.residents_at = np.bincount(home, minlength=n)
    m.street = np.column_stack([np.bincount(home, felt[:m.n_residents], n)
                                for felt in (p.trust_city, p.fear[:, 0])])
    m.base_efficacy = e.base - e.deprivation * s.deprivation.astype(float)
    m.ownership = s.stewardship.astype(float)
    build_efficacy(m, m.constants.bond._replace(pace=1.0))
    m.first_efficacy = s.efficacy.copy()


def notice(m) -> None:
    """What the city does, or lets go, where people live moves what they expect of it."""
    if m.settings.model.promises.enabled:
        kernels.get_used(m.constants.look, _seen(m), m.places.accustomed, m.noticed)


def take_part(m) -> None:
    """Residents' ownership of places follows the city's stewards and efficacy."""
    s = m.places
    kernels.take_part(m.constants.bond, s.stewardship, s.efficacy, m.first_efficacy, m.ownership)


def build_efficacy(m, bond: Bond) -> None:
    """Collective efficacy of places moves with trust in the city, fear by day and ownership."""
    s = m.places
    kernels.build_efficacy(bond, m.neighbours.start, m.neighbours.items, m.residents_at, m.street,
                           _district_means(m, bond), m.base_efficacy, m.ownership, s.efficacy)


def _seen(m) -> np.ndarray:
    s = m.places
    own, seen = m.condition
    kernels.see_streets(m.constants.look, s.lighting, s.upkeep, s.disorder, s.greenery, s.services,
                        s.hosts, m.neighbours.start, m.neighbours.items, own, seen)
    return seen


def _district_means(m, bond: Bond) -> np.ndarray:
    """Mean trust in the city and fear by day in each place's district, float64 (places, 2)."""
    of, n = m.places.district, len(m.city.districts)
    people = np.bincount(of, m.residents_at, n)
    means = np.column_stack([np.bincount(of, felt, n) for felt in m.street.T])
    usual = (bond.usual_trust, bond.usual_fear)  # for a district without residents
    means = np.where(people[:, None] > 0, means / np.maximum(people, 1)[:, None], usual)
    return means[of]

"""Commuters and visitors: people who enter at gateways and are no residents."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from citysim.config.errors import InputError
from citysim.population.draws import Draws
from citysim.state.columns import COMMUTER, EMPLOYED, VISITOR
from citysim.state.table import Table


def add_outsiders(people: Table, first: int, n_commuters: int, parameters: SimpleNamespace,
                  draws: Draws) -> None:
    """Fill the characteristics of commuters and visitors, who follow the residents.

    Parameters
    ----------
    people
        The table; rows from ``first`` on are commuters, then visitors.
    first
        Number of residents.
    n_commuters
        Number of commuters.
    """
    p, n = parameters.outsiders, len(people) - first
    visitor = np.arange(n) >= n_commuters
    u = draws.uniform("outsider_age", n, first)
    span = p.commuter_oldest - p.commuter_youngest
    age = np.where(visitor, p.visitor_youngest - p.visitor_mean_extra * np.log(u),
                   p.commuter_youngest + u * span)
    rows = slice(first, None)
    people.kind[rows] = np.where(visitor, VISITOR, COMMUTER)
    people.household[rows] = -1
    people.age[rows] = np.minimum(age, p.visitor_oldest)
    women = np.where(visitor, p.visitor_women, p.commuter_women)
    people.sex[rows] = draws.uniform("outsider_sex", n, first) < women
    people.foreign[rows] = draws.uniform("outsider_foreign", n, first) < p.foreign
    level = draws.uniform("outsider_education", n, first)
    people.education[rows] = (level >= p.lower).astype(int) + (level >= 1.0 - p.tertiary)
    people.employment[rows] = EMPLOYED


def choose_gateways(places: Table, first: int, n: int, rides: np.ndarray,
                    parameters: SimpleNamespace, draws: Draws) -> np.ndarray:
    """Gateway place of every outsider, int64 ``(n,)``.

    Those who ride (``rides``, 1 or 0) enter where a stop is rather than elsewhere, the
    others at any gateway.

    Raises
    ------
    InputError
        When there are outsiders and no gateway.
    """
    if n == 0:
        return np.zeros(0, np.int64)
    gates = np.flatnonzero(places.gateway > 0)
    if len(gates) == 0:
        raise InputError("commuters and visitors have no gateway to enter at",
                         where="the city's places, column 'gateway'",
                         allowed="at least one gateway, or no commuters and visitors")
    u = draws.uniform("gateway", n, first)
    out = np.empty(n, np.int64)
    for riding in (0, 1):
        weight = np.ones(len(gates))
        if riding:
            weight = np.where(places.stop[gates] > 0, parameters.outsiders.station_weight, 1.0)
        who = rides == riding
        cumulative = np.cumsum(weight) / weight.sum()
        pick = np.searchsorted(cumulative, u[who], side="right")
        out[who] = gates[np.minimum(pick, len(gates) - 1)]
    return out

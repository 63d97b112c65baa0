"""The world of a study: a city and its population, built once and shared by all runs."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from citysim.city.city import City, build_city
from citysim.kernels.routes import index_routes
from citysim.population.population import Population, build_population
from citysim.state.csr import Ragged


@dataclass(frozen=True)
class World:
    """City, population, and the indices that lead from places to people.

    Attributes
    ----------
    city, population
        As built from the settings.
    regulars
        For every place the people who have it as day place or leisure anchor.
    passers
        For every place the stored routes that cross it, as 4 x person + route.
    first_household
        int32 (places + 1): households of place ``s`` are rows ``first[s]`` to ``first[s + 1]``.
    """

    city: City
    population: Population
    regulars: Ragged
    passers: Ragged
    first_household: np.ndarray

    def __deepcopy__(self, memo) -> World:
        """Runs never change a world, so copies of a model share it."""
        return self

    def save(self, path: str | Path) -> None:
        """Write the world to a file that :meth:`load` reads."""
        with Path(path).open("wb") as file:
            pickle.dump(self, file, protocol=5)

    @staticmethod
    def load(path: str | Path) -> World:
        """Read a world that :meth:`save` wrote."""
        with Path(path).open("rb") as file:
            return pickle.load(file)


def build_world(settings) -> World:
    """Build city and population from ``settings.city``, ``.population`` and ``.scale``."""
    city = build_city(settings.city)
    population = build_population(city, city.spec, settings.population, city.spec.seed,
                                  settings.scale)
    return assemble_world(city, population)


def assemble_world(city: City, population: Population) -> World:
    """A world from a city and a population made elsewhere."""
    people = population.people
    n = len(people)
    away = people.anchors[:, 1:5]
    # Two anchors may be the same place: count a person once there. Gateways are out of town.
    keep = np.ones((n, 4), bool)
    keep[:, 0] = city.places.gateway[away[:, 0]] == 0
    for k in range(1, 4):
        same = (away[:, k:k + 1] == away[:, :k]) & keep[:, :k]
        keep[:, k] = ~same.any(axis=1)
    person = np.repeat(np.arange(n, dtype=np.int32), 4).reshape(n, 4)
    regulars = Ragged.from_pairs(away[keep].astype(np.int64), person[keep], len(city.places))
    first = np.searchsorted(population.households.home, np.arange(len(city.places) + 1))
    passers = Ragged(*index_routes(people.route, people.hops, population.routes, len(city.places)))
    return World(city, population, regulars, passers, first.astype(np.int32))

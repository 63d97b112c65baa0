"""A grid of streets with two districts and its people, for the tests of populations."""

import functools
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import yaml

from citysim.city.spec import District
from citysim.population.population import build_population
from citysim.state.columns import PLACES
from citysim.state.csr import Ragged
from citysim.state.table import Table

CONFIG = Path(__file__).parents[1] / "configs" / "population" / "default.yaml"
BLOCK = 100.0
@dataclass
class FakeCity:
    """The part of a city that a population needs."""

    places: Table
    neighbours: Ragged
    districts: tuple[str, ...]


def grid_city(columns: int, rows: int, districts: int = 2, seed: int = 1,
              residents: int = 6000) -> FakeCity:
    """A grid of streets: segments between crossings, districts as vertical stripes."""
    ends, middle = [], []
    for i in range(columns):
        for j in range(rows):
            if i + 1 < columns:
                ends.append((i * rows + j, (i + 1) * rows + j))
                middle.append((i + 0.5, j))
            if j + 1 < rows:
                ends.append((i * rows + j, i * rows + j + 1))
                middle.append((i, j + 0.5))
    n = len(ends)
    at = [[] for _ in range(columns * rows)]
    for s, (a, b) in enumerate(ends):
        at[a].append(s)
        at[b].append(s)
    pairs = [(s, t) for here in at for s in here for t in here if s != t]
    one, other = np.array(pairs, np.int64).T
    rng = np.random.default_rng(seed)
    places = Table("places", PLACES, n)
    xy = np.array(middle) * BLOCK
    places.x[:], places.y[:] = xy.T
    places.length[:] = BLOCK
    places.district[:] = np.minimum(xy[:, 0] / (columns * BLOCK) * districts, districts - 1)
    weight = rng.gamma(2.0, 1.0, n)
    places.dwellings[:] = np.ceil(0.55 * residents * weight / weight.sum())
    places.jobs[:] = rng.poisson(0.5 * residents / n, n)
    places.pupils[rng.choice(n, n // 40 + 1, replace=False)] = 300
    places.shops[:] = rng.poisson(0.8, n)
    places.venues[:] = rng.poisson(0.3, n)
    places.shop_space, places.venue_space = places.shops, places.venues
    places.retail[:] = np.minimum(places.shops / 10, 0.5)
    places.green[rng.choice(n, n // 20 + 1, replace=False)] = 0.8
    places.services[rng.choice(n, n // 100 + 1, replace=False)] = 2
    places.stop[rng.choice(n, n // 25 + 1, replace=False)] = 1
    places.gateway[[0, n - 1]] = 1
    places.deprivation[:] = rng.uniform(0, 1, n)
    return FakeCity(places, Ragged.from_pairs(one, other, n), tuple("ABCDEFGH"[:districts]))


def district(name: str, population: int, **changes) -> District:
    """Margins of one district."""
    margins = {
        "foreign_share": 0.2, "women_share": 0.52, "age_shares": (.12, .10, .26, .28, .24),
        "household_sizes": (.44, .27, .15, .10, .04), "large_household": 5.4,
        "employment_rate": .64, "unemployment_rate": .09, "neet_share": .19,
        "student_share": .6, "education_shares": (.38, .38, .24), "deprivation": .5,
        "income_level": 1.0,
    }
    return District(name=name, population=population, **(margins | changes))


def spec_of(*districts: District, commuters=0.1, visitors=0.05, out=0.1) -> SimpleNamespace:
    """Districts and visitors as the population reads them."""
    return SimpleNamespace(districts=districts, visitors=SimpleNamespace(
        commuters_in=commuters, evening_visitors=visitors, commuters_out=out))


@functools.cache
def parameters():
    return yaml.safe_load(CONFIG.read_text(encoding="utf-8"))


@functools.cache
def city():
    return grid_city(25, 12)


@functools.cache
def spec():
    return spec_of(
        district("A", 2500),
        district("B", 3500, foreign_share=.35, women_share=.49, income_level=.7,
                 age_shares=(.17, .14, .32, .23, .14), household_sizes=(.30, .25, .20, .15, .10),
                 employment_rate=.55, unemployment_rate=.15, neet_share=.27,
                 student_share=.52, education_shares=(.5, .35, .15)))


@functools.cache
def population():
    return build_population(city(), spec(), parameters(), seed=7)

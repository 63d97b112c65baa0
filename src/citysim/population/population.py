"""The synthetic population of a city: residents, households, outsiders, ties and routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from citysim.config.errors import InputError
from citysim.kernels import streams
from citysim.population.anchors import place_anchors
from citysim.population.draws import Draws
from citysim.population.homes import assign_homes
from citysim.population.households import form_households
from citysim.population.margins import MarginFit, measure_fit, targets_of
from citysim.population.outsiders import add_outsiders, choose_gateways
from citysim.population.parameters import read_parameters
from citysim.population.persons import describe_persons
from citysim.population.ties import tie_residents
from citysim.population.timetables import assign_timetables, read_timetables
from citysim.population.traits import draw_traits
from citysim.population.travel import lay_routes, riders
from citysim.state.columns import HOUSEHOLDS, PEOPLE, RESIDENT, TIE_KINDS
from citysim.state.csr import Ragged
from citysim.state.table import Table

MOST_PLACES = 65_535  # places are stored in two bytes


@dataclass(frozen=True)
class Population:
    """Everyone in the city.

    Attributes
    ----------
    people
        Residents by home place and household, then commuters, then visitors.
    households
        By home place; members stand together in ``people``.
    ties
        For every resident the residents known, symmetric.
    tie_kinds
        What each tie is, uint8 aligned with ``ties.items``: codes of
        :data:`citysim.state.columns.TIE_KINDS`, the closest where two people are tied twice.
    routes
        Places walked from home to each anchor, four routes a person (uint16).
    timetables
        Activity by timetable and hour of the week, uint8 ``(n, 168)``: 0 asleep, 1 at home,
        2 at the day place, 3 free.
    fit
        How closely the margins are met.
    """

    people: Table
    households: Table
    ties: Ragged
    tie_kinds: np.ndarray
    routes: np.ndarray
    timetables: np.ndarray
    fit: list[MarginFit] = field(default_factory=list)

    def __deepcopy__(self, memo) -> Population:
        """Runs never change it, so copies of a model share it."""
        return self

    @property
    def n_residents(self) -> int:
        """Residents; rows of ``people`` beyond are commuters and visitors."""
        return len(self.ties)

    @property
    def nbytes(self) -> dict[str, int]:
        """Bytes held by part."""
        return {"people": self.people.nbytes, "households": self.households.nbytes,
                "ties": self.ties.nbytes, "tie_kinds": self.tie_kinds.nbytes,
                "routes": self.routes.nbytes, "timetables": self.timetables.nbytes}

    def route(self, person: int, anchor: int) -> np.ndarray:
        """Places walked from home to anchor 1 to 4, home first."""
        hops = self.people.hops[person]
        begin = int(self.people.route[person]) + int(hops[:anchor - 1].sum(dtype=np.int64))
        return self.routes[begin:begin + int(hops[anchor - 1])]

    def validate(self, n_places: int) -> None:
        """Check conservation: one home each, sizes that add up, indices in range.

        Raises
        ------
        ValueError
            Naming what does not hold.
        """
        p, h, n = self.people, self.households, self.n_residents
        p.validate()
        h.validate()
        checks = {
            "residents come first": (p.kind[:n] == RESIDENT).all()
                                    and (p.kind[n:] != RESIDENT).all(),
            "household sizes sum to the residents": int(h["size"].sum(dtype=np.int64)) == n,
            "members stand together": np.array_equal(
                p.household[:n], np.repeat(np.arange(len(h)), h["size"])),
            "households begin where the one before ends": np.array_equal(
                h.first, np.cumsum(h["size"], dtype=np.int64) - h["size"]),
            "residents live where their household does": np.array_equal(
                p.anchors[:n, 0], np.repeat(h.home, h["size"])),
            "households stand by home": bool((np.diff(h.home.astype(int)) >= 0).all()),
            "outsiders have no household": (p.household[n:] == -1).all(),
            "places in range": max(int(p.anchors.max(initial=0)),
                                   int(self.routes.max(initial=0))) < n_places,
            "routes add up": int(p.hops.sum(dtype=np.int64)) == len(self.routes),
            "ties in range": len(self.ties.items) == 0
                             or 0 <= self.ties.items.min() <= self.ties.items.max() < n,
            "every tie has a kind": len(self.tie_kinds) == len(self.ties.items)
                                    and int(self.tie_kinds.max(initial=0)) < len(TIE_KINDS),
            "timetables in range": int(p.timetable.max(initial=0)) < len(self.timetables),
        }
        broken = [name for name, holds in checks.items() if not holds]
        if broken:
            raise ValueError(f"population: not so: {'; '.join(broken)}")


def build_population(city, spec, parameters: Any, seed: int, scale: float = 1.0) -> Population:
    """Build the population of a city.

    Parameters
    ----------
    city
        A :class:`citysim.city.city.City`.
    spec
        Its :class:`citysim.city.spec.CitySpec`: districts with margins, and visitors.
        ``None`` takes ``city.spec``, which knows what street files said.
    parameters
        The ``population`` group of the configuration.
    seed
        Seed; the same seed gives the same population.
    scale
        Simulated residents per resident, in (0, 1].

    Raises
    ------
    InputError
        When scale, places, dwellings or gateways do not allow a population.
    """
    p = read_parameters(parameters)
    spec = city.spec if spec is None else spec
    districts = _checked(city, spec, scale)
    draws = Draws(seed, streams.SYNTHESIS)
    targets = targets_of(districts, scale, p)
    timetables = read_timetables(p.timetables)
    columns, home, size, strain, district = _residents(city.places, targets, p, draws)
    n = len(columns["age"])
    commuters = round(spec.visitors.commuters_in * n)
    visitors = round(spec.visitors.evening_visitors * p.outsiders.visitor_pool * n)
    people = Table("people", PEOPLE, n + commuters + visitors)
    for name, values in columns.items():
        people[name][:n] = values
    households = _households(home, size, strain)
    people.household[:n] = np.repeat(np.arange(len(size)), size)
    add_outsiders(people, n, commuters, p, draws)
    rides = riders(people.age, people.kind == RESIDENT, p, draws)
    gates = choose_gateways(city.places, n, len(people) - n, rides[n:], p, draws)
    place_anchors(city.places, people, np.concatenate([np.repeat(home, size), gates]),
                  spec.visitors.commuters_out, p, draws)
    assign_timetables(people, city.places, p, draws)
    draw_traits(people, p, Draws(seed, streams.TRAITS))
    routes = lay_routes(city, people, rides, p)
    ties, kinds = tie_residents(city.places, people, households, n, p,
                                Draws(seed, streams.TIES))
    fit = measure_fit(targets, people, households, district, p)
    return Population(people, households, ties, kinds, routes, timetables, fit)


def _checked(city, spec, scale):
    """The spec's districts in the city's order, or a refusal."""
    if not 0 < scale <= 1:
        raise InputError(f"scale {scale} is out of range", where="scale", allowed="(0, 1]")
    if len(city.places) > MOST_PLACES:
        raise InputError(f"the city has {len(city.places):,} places", where="the street network",
                         allowed=f"at most {MOST_PLACES:,} places")
    by_name = {d.name: d for d in spec.districts}
    unknown = [name for name in city.districts if name not in by_name]
    if unknown:
        raise InputError(f"district '{unknown[0]}' of the city has no margins",
                         where="city.districts", allowed=list(by_name))
    return [by_name[name] for name in city.districts]


def _residents(places, targets, p, draws):
    """Residents of all districts in final order: by home place, then household.

    Returns columns of people, then home, size, strain and district by household.
    """
    drafts, profiles, homes, district = [], [], [], []
    first_person = first_household = 0
    for i, target in enumerate(targets):
        draft = form_households(target, p, draws, first_person, first_household)
        profile = describe_persons(target, draft, p, draws)
        drafts.append(draft)
        profiles.append(profile)
        homes.append(assign_homes(places, i, target.district.name, profile.income,
                                  p.homes.sorting, draws, first_household))
        district.append(np.full(len(draft.size), i))
        first_person += len(draft.age)
        first_household += len(draft.size)
    if first_person == 0:
        raise InputError("the city has no residents", where="city.districts, population",
                         allowed="a population above 0 in some district")
    home, size = np.concatenate(homes), np.concatenate([d.size for d in drafts])
    order = np.argsort(home, kind="stable")
    begin = (np.cumsum(size) - size)[order]
    size = size[order]
    rows = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(first_person)
    columns = {c: np.concatenate([getattr(d, c) for d in drafts])[rows] for c in ("age", "sex")}
    for c in ("foreign", "education", "employment"):
        columns[c] = np.concatenate([getattr(f, c) for f in profiles])[rows]
    quintile = np.concatenate([f.quintile for f in profiles])[order]
    columns["quintile"] = np.repeat(quintile, size)
    strain = np.concatenate([f.strain for f in profiles])[order]
    return columns, home[order], size, strain, np.concatenate(district)[order]


def _households(home, size, strain) -> Table:
    households = Table("households", HOUSEHOLDS, len(size))
    households.home[:] = home
    households["size"][:] = size
    households.first[:] = np.cumsum(size) - size
    households.strain[:] = strain
    households.at_home[:] = size  # the week begins with everyone at home
    return households

"""The agents' Mesa face: classes of views, and the sets that a model offers.

The state lives in the tables; kernels never see an agent. Each class names what its rows are
related to, as views or as sets of views.
"""

from __future__ import annotations

import numpy as np

from citysim.model.columnar import ColumnarSet
from citysim.model.views import Derived, Source, View, part

CITY_WIDE = ("municipality", "national police", "local police")
LOCAL = ("schools", "employers")  # one of each per district
STRATEGIES = ("reactive", "hot spot", "beat", "random patrol")
FORCES = ("national", "local")


def _place_of_people(model, rows):
    """Places where people are, or to which they belong while at home."""
    people = model.people
    at = np.asarray(people.at[rows]).astype(np.int64)
    return np.take_along_axis(people.anchors[rows], at[..., None], -1)[..., 0]


def _name_of(names, index):
    """Names by index, one or many."""
    return np.asarray(names, dtype=object)[index]


class Placed(View):
    """A view that stands on a place: its ``place`` is the row."""

    @property
    def pos(self) -> tuple[float, float]:
        """Easting and northing in metres of the place where it is."""
        return _position(self.model, self.place)

    @property
    def location(self) -> PublicSpace:
        """The place where it is; for a unit off duty, where it was last."""
        return _one(self.model, PublicSpace, self.place)


class Person(Placed):
    """A row of people."""

    TABLE = "people"
    FIXED = frozenset({"kind", "household", "anchors", "minutes", "modes", "hops", "route", "at",
                       "status", "group", "age", "sex", "victimised", "stops"})
    fear_day = part("people", "fear", 0, "fear of crime by day, [0, 1]")
    fear_night = part("people", "fear", 1, "fear of crime after dark, [0, 1]")
    caution_day = part("people", "caution", 0, "weight of going out by day, [0, 1]")
    caution_night = part("people", "caution", 1, "weight of going out after dark, [0, 1]")
    place = Derived(_place_of_people, doc="row of the place where the person is")
    out = Derived(lambda model, rows: model.people.at[rows] >= 2,
                  doc="true while at a leisure place")

    @property
    def home(self) -> PublicSpace:
        """The street of the dwelling; for outsiders the gateway they come through."""
        return _one(self.model, PublicSpace, self.anchors[0])


class Resident(Person):
    """A resident."""

    @property
    def household_members(self) -> ColumnarSet:
        """Everyone in the household, this resident among them."""
        households, row = self.model.households, self.household
        first = int(households.first[row])
        return _some(self.model, Resident, np.arange(first, first + households["size"][row]))

    @property
    def ties(self) -> ColumnarSet:
        """Residents known: kin, friends, school and work mates."""
        return _some(self.model, Resident, self.model.population.ties[self.row])

    @property
    def offender(self) -> Offender | None:
        """The offending role, if this resident has ever held it in this run."""
        row = int(self.model.role[self.row])
        return None if row < 0 else _one(self.model, Offender, row)


class Outsider(Person):
    """A commuter or visitor: present, a target, a guardian, a drinker, but no resident."""


class Offender(Placed):
    """A resident's offending role; ``active`` is 1 while it is held."""

    TABLE = "offenders"
    FIXED = frozenset({"person", "group", "released_at", "crimes", "arrests"})
    place = Derived(lambda model, rows: _place_of_people(model, model.offenders.person[rows]),
                    doc="row of the place where the offender is")

    @property
    def resident(self) -> Resident:
        """The resident who holds the role."""
        return _one(self.model, Resident, self.person)

    @property
    def co_offenders(self) -> ColumnarSet:
        """Others of the co-offending group."""
        rows = self.model.groups[self.group] if self.group >= 0 else np.empty(0, np.int64)
        return _some(self.model, Offender, rows[rows != self.row])


class Guardian(Placed):
    """A police unit that can be on duty."""

    TABLE = "guardians"
    FIXED = frozenset({"kind", "force"})
    strategy = Derived(lambda model, rows: _name_of(STRATEGIES, model.guardians.kind[rows]),
                       doc="what the unit does on duty")


class PublicSpace(View):
    """A street segment, square or park."""

    TABLE = "places"
    FIXED = frozenset({"district", "dwellings", "length", "x", "y"})
    district_name = Derived(
        lambda model, rows: _name_of(model.city.districts, model.places.district[rows]),
        doc="name of the district")

    @property
    def pos(self) -> tuple[float, float]:
        """Easting and northing of the middle in metres."""
        return _position(self.model, self.row)

    @property
    def neighbours(self) -> ColumnarSet:
        """Places met at an intersection."""
        return _some(self.model, PublicSpace, self.model.neighbours[self.row])

    @property
    def residents(self) -> ColumnarSet:
        """Residents whose dwelling is here."""
        model = self.model
        bounds = model.world.first_household[self.row:self.row + 2]
        firsts = np.append(model.households.first, model.n_residents)
        return _some(model, Resident, np.arange(*firsts[bounds]))


class Institution(View):
    """An institution of the city: the municipality, a police force, a district's schools or firms.

    Institutions have no table: what they are follows from the city, what they have from the
    state as it is now.
    """

    kind = Derived(lambda model, rows: _institutions(model)[0][rows], doc="what it is")
    district = Derived(lambda model, rows: _institutions(model)[1][rows],
                       doc="index of its district; -1 for the whole city")
    spent = Derived(lambda model, rows: _spent(model)[rows],
                    doc="EUR spent on policies since the run began")
    size = Derived(lambda model, rows: _sizes(model)[rows],
                   doc="residents, units on duty, school places or jobs")

    @property
    def district_name(self) -> str | None:
        """Name of its district; None for the whole city."""
        return None if self.district < 0 else self.model.city.districts[self.district]

    @property
    def name(self) -> str:
        """Its name."""
        place = self.model.city.name if self.district < 0 else self.district_name
        return f"{self.kind} of {place}"

    @property
    def pos(self) -> None:
        """Institutions are nowhere in particular."""

    @property
    def guardians(self) -> ColumnarSet:
        """The units of a police force; empty for others."""
        force = CITY_WIDE.index(self.kind) - 1 if self.kind in CITY_WIDE[1:] else -1
        rows = np.flatnonzero(self.model.guardians.force == force) if force >= 0 else []
        return _some(self.model, Guardian, rows)

    @property
    def trust(self) -> float | None:
        """Residents' mean trust in the city or, for a force, in the police; None for others."""
        if self.kind not in CITY_WIDE:
            return None
        people, n = self.model.people, self.model.n_residents
        column = people.trust_city if self.kind == CITY_WIDE[0] else people.trust_police
        return float(column[:n].mean(dtype=np.float64))


def agent_sets(model) -> dict:
    """The model's agent sets by class, and all of them as one set under ``"all"``."""
    n_institutions = len(CITY_WIDE) + len(LOCAL) * len(model.city.districts)
    rows = ((Resident, 0, model.n_residents),
            (Outsider, model.n_residents, len(model.people)),
            (Offender, 0, len(model.offenders)), (Guardian, 0, len(model.guardians)),
            (PublicSpace, 0, len(model.places)), (Institution, 0, n_institutions))
    first, sources = 1, []
    for kind, start, stop in rows:
        sources.append(Source(model, kind, start, stop, first))
        first += stop - start
    sources = tuple(sources)
    sets = {s.kind: ColumnarSet.of(sources, s.ids, whole=True) for s in sources}
    return {**sets, "all": ColumnarSet.of(sources, range(1, first), whole=True)}


def _source(model, kind) -> Source:
    return next(s for s in model.agents._sources if s.kind is kind)


def _one(model, kind, row: int) -> View:
    return _source(model, kind).view(row)


def _some(model, kind, rows) -> ColumnarSet:
    ids = np.asarray(rows, dtype=np.int64) + _source(model, kind).first
    return ColumnarSet.of(model.agents._sources, ids)


def _position(model, place: int) -> tuple[float, float]:
    return float(model.places.x[place]), float(model.places.y[place])


def _institutions(model) -> tuple[np.ndarray, np.ndarray]:
    """Kind and district of every institution."""
    n = len(model.city.districts)
    kinds = [*CITY_WIDE, *(kind for kind in LOCAL for _ in range(n))]
    districts = [*(-1 for _ in CITY_WIDE), *(d for _ in LOCAL for d in range(n))]
    return np.array(kinds, dtype=object), np.array(districts)


def _spent(model) -> np.ndarray:
    """EUR by institution: policies are paid by the municipality."""
    spent = np.zeros(len(_institutions(model)[0]))
    spent[0] = model.programme.ledger.total
    return spent


def _sizes(model) -> np.ndarray:
    """What each institution counts, in the order of :func:`_institutions`."""
    force, on_duty = model.guardians.force, model.guardians.on_duty
    districts = model.places.district
    n = len(model.city.districts)
    return np.concatenate([
        [model.n_residents, *(on_duty[force == f].sum() for f in range(len(FORCES)))],
        np.bincount(districts, model.places.pupils, n),
        np.bincount(districts, model.places.jobs, n)])


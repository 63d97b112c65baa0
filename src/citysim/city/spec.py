"""What a city is made of, checked: the object that the city and the population are built from.

``CitySpec.read(mapping)`` accepts the ``city`` group of the configuration, with leaves either
plain or as ``{value, unit, source}``. Margins that hold for the whole city stand once under
``margins``; a district repeats only what differs. After reading, every district in
``spec.districts`` carries all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from citysim.city.apportion import largest_remainder
from citysim.city.files import existing
from citysim.city.refusal import as_input_error
from citysim.city.surroundings import (
    Condition,
    Deprivation,
    Economy,
    Green,
    LandUse,
    Lighting,
    Night,
    Part,
    Share,
    Transport,
)
from citysim.config.errors import InputError

Relative = Annotated[float, Field(gt=0, le=20)]
Fraction = Annotated[float, Field(ge=-0.5, le=1.5)]

AGE_BANDS = ("0-14", "15-24", "25-44", "45-64", "65+")
HOUSEHOLD_SIZES = ("1", "2", "3", "4", "5+")
EDUCATION_LEVELS = ("lower secondary or less", "upper secondary", "tertiary")
_SUM_TOLERANCE = 0.02  # published shares are rounded to a percent


class Margins(Part):
    """Margins of the residents; shares in [0, 1]. Vectors sum to 1.

    Attributes
    ----------
    foreign_share, women_share
        Share of residents who are foreign nationals; who are women.
    age_shares
        Five shares of residents, by ``AGE_BANDS``.
    household_sizes
        Five shares of households, by ``HOUSEHOLD_SIZES``.
    large_household
        Mean members of a household of five or more.
    employment_rate
        Employed residents aged 15-64 over all residents aged 15-64.
    unemployment_rate
        Unemployed over employed plus unemployed, ages 15-64.
    neet_share
        Share of residents aged 15-29 in no employment, education or training.
    student_share
        Share of residents aged 15-24 in school or university.
    education_shares
        Three shares of residents aged 25 and over, by ``EDUCATION_LEVELS``.
    deprivation
        Mean deprivation of the district's dwellings, 0 least to 1 most.
    income_level
        Mean household income relative to the city's (1 = city mean).
    """

    foreign_share: Share
    women_share: Share
    age_shares: tuple[Share, Share, Share, Share, Share]
    household_sizes: tuple[Share, Share, Share, Share, Share]
    large_household: Annotated[float, Field(ge=5, le=10)]
    employment_rate: Share
    unemployment_rate: Share
    neet_share: Share
    student_share: Share
    education_shares: tuple[Share, Share, Share]
    deprivation: Share
    income_level: Annotated[float, Field(gt=0, le=10)]

    @field_validator("age_shares", "household_sizes", "education_shares")
    @classmethod
    def _sums_to_one(cls, shares):
        total = sum(shares)
        if abs(total - 1) > _SUM_TOLERANCE:
            raise ValueError(f"the shares sum to {total:.3f}, not to 1")
        return tuple(s / total for s in shares)

    @property
    def mean_household_size(self) -> float:
        """Mean members per household."""
        sizes = (1, 2, 3, 4, self.large_household)
        return sum(s * n for s, n in zip(self.household_sizes, sizes, strict=True))

    @property
    def employed_share(self) -> float:
        """Employed residents over all residents."""
        return self.employment_rate * sum(self.age_shares[1:4])


class District(Margins):
    """One district: its margins, and how it differs from the rest of the city.

    Attributes
    ----------
    name, population
        Label; residents.
    density, work, night
        Residents per metre of street, jobs and evening venues per resident, each relative to
        the city's mean (1).
    position
        Where the generator plants the district: shares of the city's width (from the west)
        and height (from the south).
    """

    name: Annotated[str, Field(min_length=1)]
    population: Annotated[int, Field(ge=0, le=5_000_000)]
    density: Relative = 1.0
    work: Relative = 1.0
    night: Relative = 1.0
    position: tuple[Fraction, Fraction] | None = None

    @property
    def households(self) -> int:
        """Households that the residents form."""
        return round(self.population / self.mean_household_size)


class Visitors(Part):
    """People who come and go. Commuters and visitors are counted per resident of the city.

    ``commuters_in``: who enter on a working day; ``evening_visitors``: who come on an average
    evening; ``commuters_out``: share of employed residents who work outside the city.
    """

    commuters_in: Annotated[float, Field(ge=0, le=3)]
    evening_visitors: Annotated[float, Field(ge=0, le=3)]
    commuters_out: Share


class Force(Part):
    """A police force: staff per 100,000 residents, share of them on patrol in a shift,
    officers in a patrol unit."""

    per_100k: Annotated[float, Field(ge=0)]
    patrol_share: Share
    officers_per_unit: Annotated[float, Field(ge=1, le=10)]


class Police(Part):
    """The national and the local force."""

    national: Force
    local: Force

    @model_validator(mode="after")
    def _fewer_than_residents(self):
        staff = self.national.per_100k + self.local.per_100k
        if staff >= 100_000:
            raise ValueError(f"{staff:,.0f} police per 100,000 residents are more police than "
                             "residents; national and local per_100k must stay below 100,000 "
                             "together")
        return self


class River(Part):
    """A river across the generated city: from and to (shares of width and height), width in
    metres, meander (share of its length), bridges."""

    start: tuple[Fraction, Fraction]
    end: tuple[Fraction, Fraction]
    width: Annotated[float, Field(ge=0, le=2000)]
    meander: Annotated[float, Field(ge=0, le=0.3)]
    bridges: Annotated[int, Field(ge=1, le=100)]


class Layout(Part):
    """Streets of a generated city.

    Attributes
    ----------
    segments
        Street segments.
    block
        Typical distance between intersections, m.
    aspect
        Width over height of the built-up area.
    irregularity
        0 a strict grid, 1 a maze-like old town.
    missing_links
        Share of the grid's links that do not exist.
    sprawl
        How much larger blocks are at the edge than at the centre (0 equal).
    length_spread
        Standard deviation of the log of segments' lengths; 0 leaves each piece of the grid as is.
    avenue_every
        Blocks between main avenues.
    jitter, bend, bend_reach
        At irregularity 1, in blocks: how far an intersection strays, how far streets bend, and
        over which distance.
    roundness, raggedness
        Exponent of the outline (2 an ellipse, more a rounded rectangle); its variation as a
        share of the radius.
    rivers
        Rivers by name.
    """

    segments: Annotated[int, Field(ge=20, le=65_000)]
    block: Annotated[float, Field(ge=20, le=1000)]
    aspect: Annotated[float, Field(ge=0.2, le=5)]
    irregularity: Share
    missing_links: Annotated[float, Field(ge=0, le=0.45)]
    sprawl: Annotated[float, Field(ge=0, le=3)]
    length_spread: Annotated[float, Field(ge=0, le=0.7)]
    avenue_every: Annotated[int, Field(ge=2, le=50)]
    jitter: Share
    bend: Annotated[float, Field(ge=0, le=5)]
    bend_reach: Annotated[float, Field(gt=0, le=1000)]
    roundness: Annotated[float, Field(ge=1, le=20)]
    raggedness: Annotated[float, Field(ge=0, le=0.5)]
    rivers: dict[str, River] = {}


class Reading(Part):
    """How street files are read: lengths and distances in metres."""

    snap: Annotated[float, Field(gt=0, le=50)]
    min_length: Annotated[float, Field(ge=1, le=100)]
    max_length: Annotated[float, Field(ge=20, le=20_000)]
    twin_distance: Annotated[float, Field(ge=0, le=200)]
    max_extent: Annotated[float, Field(ge=1000)]
    building_reach: Annotated[float, Field(gt=0, le=1000)]
    least_district: Share
    residents_per_km: Annotated[float, Field(gt=0, le=20_000)]
    income_to_deprivation: Annotated[float, Field(ge=0, le=2)]
    drop_classes: tuple[str, ...]
    main_classes: tuple[str, ...]
    land_use_classes: dict[str, tuple[str, ...]]
    district_columns: dict[Literal["name", "share", "income"], tuple[str, ...] | str | None]
    point_area: Annotated[float, Field(ge=0, le=100_000)]


class CitySpec(Part):
    """Everything that a city is built from.

    Attributes
    ----------
    name, kind, seed
        Label; ``generate``, ``streets`` (a file) or ``geodanet``; seed of the city's draws.
    latitude, longitude
        Degrees; ``None`` takes them from the street file.
    population
        Residents; ``None`` (street files only) derives them from the street length. Districts
        are scaled to it.
    margins, districts
        Defaults; the districts with all margins filled in. The configuration gives districts
        as a mapping or list of what differs, or as the path of a polygon layer.
    district_file, streets, layer, crs, buildings, land_use_layer, venues_layer
        Files and the layer to read; coordinate system to assume where a file names none.
    """

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["generate", "streets", "geodanet"]
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    population: Annotated[int, Field(ge=1, le=5_000_000)] | None = None
    margins: Margins
    districts: tuple[District, ...]
    district_file: str | None = None
    streets: str | None = None
    layer: str | None = None
    crs: str | None = None
    buildings: str | None = None
    land_use_layer: str | None = None
    venues_layer: str | None = None
    layout: Layout | None = None
    reading: Reading
    visitors: Visitors
    police: Police
    economy: Economy
    land_use: LandUse
    night: Night
    green: Green
    transport: Transport
    deprivation: Deprivation
    lighting: Lighting
    condition: Condition

    @classmethod
    def read(cls, mapping: Mapping[str, Any]) -> CitySpec:
        """Check a mapping (plain, or with ``{value, unit, source}`` leaves).

        Raises
        ------
        InputError
            Naming the key, what is allowed, and the closest known key.
        """
        if isinstance(mapping, cls):
            return mapping
        if not isinstance(mapping, Mapping):
            raise InputError(f"{mapping!r} is not the description of a city", where="city",
                             allowed="a mapping of keys: " + ", ".join(cls.model_fields))
        try:
            return cls.model_validate(plain(mapping))
        except ValidationError as error:
            given = mapping.get("districts")
            keys = {"districts": list(given)} if isinstance(given, Mapping) else None
            raise as_input_error(error, cls, "city", keys) from None

    @model_validator(mode="before")
    @classmethod
    def _fill_districts(cls, data):
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        given, margins = data.get("districts"), data.get("margins")
        if given is not None and not given:
            raise ValueError("city.districts holds no district; null gives the city one")
        if isinstance(given, str):
            data["district_file"], given = given, None
        if isinstance(given, Mapping):
            given = [{"name": str(key), **entry} if isinstance(entry, Mapping) else entry
                     for key, entry in given.items()]
        if not given:
            given = [{"name": data.get("name"), "population": data.get("population") or 0}]
        if isinstance(margins, Mapping) and isinstance(given, list | tuple):
            data["districts"] = _scaled([_with_margins(d, margins) for d in given],
                                        data.get("population"))
        return data

    @model_validator(mode="after")
    def _complete(self):
        if self.kind == "generate":
            if self.layout is None:
                raise ValueError("a generated city needs city.layout")
            if self.population is None:
                raise ValueError("a generated city needs city.population")
        if self.kind == "streets" and not self.streets:
            raise ValueError("a city from a file needs city.streets, the path of the street file")
        names = [d.name for d in self.districts]
        if len(set(names)) != len(names):
            raise ValueError(f"two districts have the same name: {', '.join(names)}")
        if len(names) > 255:
            raise ValueError(f"{len(names)} districts, at most 255 are possible")
        return self

    def check_files(self) -> None:
        """Raise InputError for the first file that is named but not there; reads nothing."""
        files = {"city.streets": self.streets, "city.districts": self.district_file,
                 "city.buildings": self.buildings, "city.land_use_layer": self.land_use_layer,
                 "city.venues_layer": self.venues_layer}
        for key, path in files.items():
            if path:
                existing(path, key)

    def with_districts(self, districts, **changes) -> CitySpec:
        """A copy with other districts, populations scaled to ``population`` where it is set."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        fields |= changes
        fields["margins"] = self.margins.model_dump()
        fields["districts"] = [d.model_dump() if isinstance(d, District) else dict(d)
                               for d in districts]
        return type(self).read({k: v.model_dump() if isinstance(v, BaseModel) else v
                                for k, v in fields.items()})


def plain(node):
    """Replace every ``{value, unit, source}`` mapping by its value, at any depth."""
    if isinstance(node, Mapping):
        if "value" in node and set(node) <= {"value", "unit", "source", "range", "bounds"}:
            return plain(node["value"])
        return {str(k): plain(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [plain(v) for v in node]
    return node


def _with_margins(entry, margins):
    if not isinstance(entry, Mapping):
        return entry
    entry = dict(entry)
    # Sources give counts of foreign residents; the margin is a share.
    foreign, people = entry.pop("foreign_residents", None), entry.get("population")
    if foreign is not None and isinstance(people, int | float) and people > 0:
        entry.setdefault("foreign_share", foreign / people)
    return {**margins, **entry}


def _scaled(districts, total):
    """Bring district populations to the city's total, to whole persons."""
    counts = [d.get("population") if isinstance(d, Mapping) else None for d in districts]
    if not isinstance(total, int) or not all(isinstance(c, int | float) for c in counts) \
            or sum(counts) <= 0 or min(counts) < 0:
        return districts
    return [{**d, "population": int(n)}
            for d, n in zip(districts, largest_remainder(counts, total), strict=True)]

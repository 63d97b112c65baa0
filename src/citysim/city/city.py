"""The city: places, who is next to whom, their lines on the map, and the districts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from citysim.city.districts import grow_districts
from citysim.city.landuse import USES, Evidence, fill_places
from citysim.city.network import Streets, neighbours
from citysim.city.spec import CitySpec
from citysim.config.errors import InputError
from citysim.kernels.network import components
from citysim.state.columns import PLACES
from citysim.state.csr import Ragged
from citysim.state.table import Table

MOST_PLACES = 65_535  # routes and anchors hold places as 16-bit indices


@dataclass(frozen=True)
class City:
    """Everything that stands still.

    Attributes
    ----------
    name
        Label.
    places
        One row per street segment (``state/columns.py``, ``PLACES``).
    neighbours
        int32 rows: segments that share an intersection, sorted, symmetric, never itself.
        Walking from middle to middle costs half of each length.
    lines
        float32 rows of (x, y) in metres, one list per place, in the frame of ``places``.
    districts
        Names; ``places.district`` points here.
    latitude, longitude
        Degrees.
    notes
        What was changed or left out while building.
    spec
        The specification the city was built from, its ``districts`` aligned with
        ``districts`` (residents and margins; filled from files where they name districts).
    origin, crs
        What to add to x and y to come back to the coordinates of the street file, and their
        system; (0, 0) and ``None`` for a generated city.
    night_centres
        float32 ``(k, 2)``, metres.
    water
        Lines of rivers, each float32 ``(m, 2)``.
    """

    name: str
    places: Table
    neighbours: Ragged
    lines: Ragged
    districts: tuple[str, ...]
    latitude: float
    longitude: float
    notes: list[str]
    spec: CitySpec
    origin: tuple[float, float] = (0.0, 0.0)
    crs: str | None = None
    night_centres: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    water: tuple[np.ndarray, ...] = ()

    def __deepcopy__(self, memo) -> City:
        """Runs never change it, so copies of a model share it."""
        return self

    def __len__(self) -> int:
        return len(self.places)

    @property
    def nbytes(self) -> int:
        """Bytes held by tables and lists."""
        return self.places.nbytes + self.neighbours.nbytes + self.lines.nbytes

    @property
    def size_spreads(self) -> dict[str, float]:
        """Spread (log units) of the sizes of shops and venues, by their land use.

        0 where floor areas are known: these share out premises of mean size.
        """
        drawn = {"retail": ("shops", "shop_space", self.spec.economy.shop_spread),
                 "leisure": ("venues", "venue_space", self.spec.economy.venue_spread)}
        return {use: spread if (self.places[count] != self.places[space]).any() else 0.0
                for use, (count, space, spread) in drawn.items()}

    def graph(self):
        """The place graph as :class:`networkx.Graph`.

        Nodes are place indices and carry every initial column as plain numbers; edges carry
        ``metres``, the walking cost from middle to middle.
        """
        import networkx as nx

        graph = nx.Graph(name=self.name)
        columns = {name: self.places[name].tolist() for name in self.places}
        graph.add_nodes_from((i, {name: values[i] for name, values in columns.items()})
                             for i in range(len(self)))
        start, items = self.neighbours.start, self.neighbours.items
        row = np.repeat(np.arange(len(self)), np.diff(start))
        once = row < items
        length = self.places.length.astype(float)
        metres = (length[row] + length[items]) / 2
        graph.add_weighted_edges_from(
            zip(row[once].tolist(), items[once].tolist(), metres[once].tolist(), strict=True),
            weight="metres")
        return graph

    def validate(self) -> None:
        """Check ranges, sums and the graph.

        Raises
        ------
        ValueError
            Naming the first thing that is wrong.
        """
        places = self.places
        places.validate()
        used = sum(places[use].astype(float) for use in USES)
        if used.max() > 1 + 1e-5:
            raise ValueError(f"places: land uses sum to {used.max():.6f}, above 1")
        if places.district.max() >= len(self.districts):
            raise ValueError("places.district points beyond the districts")
        start, items = self.neighbours.start, self.neighbours.items
        row = np.repeat(np.arange(len(self)), np.diff(start))
        forth = row.astype(np.int64) * len(self) + items
        back = items.astype(np.int64) * len(self) + row
        if (row == items).any() or not np.array_equal(forth, np.sort(back)):
            raise ValueError("neighbours are not symmetric, sorted and free of loops")
        if components(start, items).max() > 0:
            raise ValueError("places are not one connected network")
        if not places.gateway.any():
            raise ValueError("no place is a gateway")
        for k, d in enumerate(self.spec.districts):
            homes = int(places.dwellings[places.district == k].sum())
            if homes < d.households:
                raise ValueError(f"district '{d.name}': {homes} dwellings for {d.households} "
                                 "households")


def build_city(spec: CitySpec | Mapping) -> City:
    """Build a city from its specification.

    Parameters
    ----------
    spec
        A :class:`CitySpec`, or a mapping as the ``city`` configuration group holds it.

    Returns
    -------
    City, validated. The same specification always gives the same city.

    Raises
    ------
    InputError
        For a bad specification, a missing or broken file, or streets without homes.
    """
    spec = CitySpec.read(spec)
    if spec.kind == "generate":
        from citysim.city.generator import generate_streets

        streets = generate_streets(spec.layout, spec.seed, spec.reading.max_length)
        return assemble(spec, streets)
    from citysim.city.readers import read_city

    return assemble(*read_city(spec))


def assemble(spec: CitySpec, streets: Streets, district: np.ndarray | None = None,
             evidence: Evidence | None = None, crs: str | None = None) -> City:
    """Make a city of streets: number places, grow districts if there are none, fill the table.

    Parameters
    ----------
    spec
        Specification with its final districts.
    streets
        Tidy, connected streets.
    district
        District of each segment, or ``None`` to grow them.
    evidence
        What files say about the places.
    crs
        Coordinate system of the streets, for the record.
    """
    if len(streets) > MOST_PLACES:
        raise InputError(f"{len(streets):,} street segments", where="city.streets",
                         allowed=f"at most {MOST_PLACES:,}")
    middles = streets.middles()
    # Single precision holds centimetres only near the origin.
    origin = np.zeros(2) if crs is None else np.round(middles.mean(axis=0))
    points = middles - origin
    length = np.maximum(streets.lengths(), 1.0)
    near = neighbours(streets.ends)
    water = [line - origin for line in streets.water]
    bridge = streets.crosses(streets.water)
    if district is None:
        district = grow_districts(points, length, near, bridge, spec.districts, spec.seed)
    places = Table("places", PLACES, len(streets), {
        "x": points[:, 0], "y": points[:, 1], "length": length, "district": district})
    centres = fill_places(places, spec, near, points, streets.main, bridge, water,
                          evidence or Evidence())
    if places.dwellings.sum() == 0:
        raise InputError("the city has no homes", where="city.population",
                         allowed="at least one household and one street with dwellings")
    city = City(spec.name, places, near, streets.ragged(origin),
                tuple(d.name for d in spec.districts), spec.latitude, spec.longitude,
                list(streets.notes), spec, (float(origin[0]), float(origin[1])), crs,
                centres.astype(np.float32), tuple(w.astype(np.float32) for w in water))
    try:
        city.validate()
    except ValueError as error:
        raise InputError(str(error), where=f"city '{spec.name}'") from None
    return city

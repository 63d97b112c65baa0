"""Land use and everything counted from it, for generated streets and real ones alike.

Order: through-movement (centrality), night centres, parks, stops; strengths of each use, made
into shares; dwellings, jobs, schools, shops, venues and vehicles shared out over them; then
deprivation, light and condition. What files tell (buildings, land-use polygons, venue points)
replaces the assumed strengths.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from citysim.city.amenities import fill_condition, fill_counts
from citysim.city.fields import nearness, ranks, smooth_field
from citysim.city.spec import CitySpec
from citysim.kernels.network import passages
from citysim.state.csr import Ragged
from citysim.state.table import Table

USES = ("dwelling", "retail", "office", "school", "leisure", "green", "transit")

@dataclass(frozen=True)
class Evidence:
    """What files say about places; every array ``(n,)`` or ``None`` where nothing is known.

    ``home``, ``work``, ``day``, ``night``: floor area of buildings (m2) with that flag;
    ``use``: index into ``USES`` from a land-use layer, -1 where none; ``venues``: evening
    venues counted.
    """

    home: np.ndarray | None = None
    work: np.ndarray | None = None
    day: np.ndarray | None = None
    night: np.ndarray | None = None
    use: np.ndarray | None = None
    venues: np.ndarray | None = None


@dataclass
class Setting:
    """What the steps of filling a city hand to each other; arrays ``(n,)`` over places."""

    points: np.ndarray
    length: np.ndarray
    district: np.ndarray
    main: np.ndarray
    bridge: np.ndarray
    centrality: np.ndarray
    evidence: Evidence
    rng: np.random.Generator
    centre: np.ndarray = field(default_factory=lambda: np.zeros(0))
    night_centres: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


def fill_places(places: Table, spec: CitySpec, neighbours: Ragged, points, main, bridge, water,
                evidence: Evidence) -> np.ndarray:
    """Fill the initial columns of ``places`` beyond position, length and district.

    Parameters
    ----------
    places
        Table of places; x, y, length and district are set.
    spec
        The city's specification, districts aligned with ``places.district``.
    neighbours, points, main, bridge, water
        Place graph; middles in metres ``(n, 2)``; flags of main streets and of bridges; lines
        of rivers.
    evidence
        What files say.

    Returns
    -------
    Night centres, float64 ``(k, 2)`` in metres.
    """
    rng = np.random.Generator(np.random.Philox(key=[spec.seed, 1]))
    length = places.length.astype(np.float64)
    central = centrality(spec, neighbours, places.length, rng)
    main = main.astype(bool) if main.any() else central > 1 - spec.land_use.main_share
    setting = Setting(points, length, places.district, main, bridge, central, evidence, rng)
    setting.night_centres = _night_centres(setting, spec)
    setting.centre = nearness(points, setting.night_centres, spec.night.radius)
    green = _parks(setting, spec, water)
    stations, stops, gateways = _transport(setting, spec)
    schools = _spread(setting, spec, _school_count(spec), ~(green | setting.bridge))
    places["stop"] = stops
    places["gateway"] = gateways
    strengths = _strengths(setting, spec, green, stations, stops, schools)
    if evidence.home is not None:
        _trust_buildings(strengths, evidence, length)
    if evidence.use is not None:
        _trust_land_use(strengths, evidence.use, spec.land_use.polygon_lead)
    total = np.maximum(sum(strengths.values()), 1e-12)
    for use in USES:
        places[use] = np.minimum(strengths[use] / total, 1).astype(np.float32)
    _round_down(places)
    fill_counts(places, spec, setting, schools)
    fill_condition(places, spec, setting, stations)
    return setting.night_centres


def centrality(spec: CitySpec, neighbours: Ragged, length, rng) -> np.ndarray:
    """Rank of through-movement in [0, 1], from shortest walks of sampled places."""
    n = len(length)
    k = min(n, spec.land_use.centrality_sources)
    sources = np.sort(rng.choice(n, k, replace=False)).astype(np.int64)
    return ranks(passages(neighbours.start, neighbours.items, length, sources, np.inf))


def _night_centres(setting: Setting, spec: CitySpec) -> np.ndarray:
    """Middles of night life: central places of lively districts, kept apart."""
    night = spec.night
    liveliness = np.array([d.night for d in spec.districts])[setting.district]
    middle = np.average(setting.points, axis=0, weights=setting.length)
    spread = np.hypot(*(setting.points - middle).T)
    score = setting.centrality**spec.land_use.centrality_power
    # Averaged over the surroundings: one busy bridge is no night centre.
    tree = cKDTree(setting.points)
    near = tree.sparse_distance_matrix(tree, night.radius, output_type="coo_matrix")
    around = np.bincount(near.row, score[near.col], minlength=len(score)) \
        / np.maximum(np.bincount(near.row, minlength=len(score)), 1)
    score = around * liveliness**night.liveliness_power
    score *= np.exp(-night.pull * spread / max(spread.max(), 1))
    evidence = setting.evidence
    known = evidence.venues if evidence.venues is not None else evidence.night
    if known is not None and known.any():
        score = np.bincount(near.row, known[near.col], minlength=len(score))
    chosen: list[int] = []
    for _ in range(min(night.centres, len(score))):
        best = int(np.argmax(score))
        if not np.isfinite(score[best]):
            break
        chosen.append(best)
        score[np.hypot(*(setting.points - setting.points[best]).T) < night.separation] = -np.inf
    return setting.points[chosen]


def _parks(setting: Setting, spec: CitySpec, water) -> np.ndarray:
    """Mask of green places: round patches, more likely by rivers, off the night centres."""
    green = np.zeros(len(setting.points), bool)
    target = spec.green.share * setting.length.sum()
    appeal = np.full(len(green), 1.0)
    if water:
        river = cKDTree(np.vstack(water)).query(setting.points)[0]
        appeal += spec.green.river_pull * np.exp(-river / spec.green.patch_radius)
    appeal *= (1 - setting.centre) * (1 - setting.centrality)
    # Exponential race: an order of places in which the more appealing tend to come first.
    order = np.argsort(setting.rng.exponential(size=len(green)) / np.maximum(appeal, 1e-9))
    tree = cKDTree(setting.points)
    covered = 0.0
    for place in order:
        if covered >= target:
            break
        if green[place]:
            continue
        radius = spec.green.patch_radius * (
            1 + spec.green.patch_spread * setting.rng.uniform(-1, 1))
        patch = np.array(tree.query_ball_point(setting.points[place], radius))
        fresh = patch[~(green | setting.main | setting.bridge)[patch]]
        reach = np.cumsum(setting.length[fresh])
        fresh = fresh[reach - setting.length[fresh] < target - covered]
        green[fresh] = True
        covered += setting.length[fresh].sum()
    return green


def _transport(setting: Setting, spec: CitySpec):
    """Indices of stations; flags of stops; flags of gateways."""
    transport = spec.transport
    score = np.where(setting.bridge, -1, setting.centrality
                     + spec.land_use.main_pull * setting.main)
    chosen = _apart(setting.points, score, transport.stop_spacing)
    stops = np.zeros(len(score), np.uint8)
    stops[chosen] = 1
    stations = chosen[:transport.stations]
    if len(stations) > 1:  # stations serve different parts of the city
        gap = np.ptp(setting.points, axis=0).max() / (2 * len(stations))
        apart = _apart(setting.points, np.where(stops, score, -1), gap)
        stations = apart[:transport.stations]
    middle = setting.points.mean(axis=0)
    arm = setting.points - middle
    outward = np.hypot(*arm.T) / np.hypot(*arm.T).max()
    gateways = np.zeros(len(score), np.uint8)
    gateways[stations[:transport.gateways]] = 1
    # The way in by road: in each sector the busiest street near the edge.
    left = transport.gateways - int(gateways.sum())
    if left > 0:
        turn = (np.arctan2(arm[:, 1], arm[:, 0]) / (2 * np.pi) + 0.5) * left
        sector = np.minimum(turn.astype(int), left - 1)
        for k in range(left):
            inside = np.flatnonzero(sector == k)
            if len(inside):
                edge = inside[outward[inside] >= transport.gateway_edge * outward[inside].max()]
                gateways[edge[np.argmax(score[edge])]] = 1
    return stations, stops, gateways


def _apart(points, score, spacing) -> np.ndarray:
    """Places in order of falling score, none within ``spacing`` metres of an earlier one."""
    tree = cKDTree(points)
    free = np.ones(len(points), bool)
    chosen = []
    for place in np.argsort(-score, kind="stable"):
        if free[place]:
            chosen.append(place)
            free[tree.query_ball_point(points[place], spacing)] = False
    return np.array(chosen, np.int64)


def _school_count(spec: CitySpec) -> int:
    pupils = sum(d.population * d.age_shares[0] for d in spec.districts)
    if spec.economy.school_places <= 0 or pupils <= 0:
        return 0
    return max(1, round(pupils / spec.economy.school_size))


def _spread(setting: Setting, spec: CitySpec, count: int, weight) -> np.ndarray:
    """``count`` distinct places spread over districts by residents, at random within."""
    people = np.array([d.population for d in spec.districts], float)
    metres = np.bincount(setting.district, setting.length, minlength=len(people))
    chance = weight * (people / np.maximum(metres, 1))[setting.district] * setting.length
    chance = np.where(chance > 0, chance, 0)
    order = np.argsort(setting.rng.exponential(size=len(chance)) / np.maximum(chance, 1e-12))
    return np.sort(order[:min(count, int((chance > 0).sum()))])


def _strengths(setting: Setting, spec: CitySpec, green, stations, stops, schools) -> dict:
    """Strength of each use on each place, ``(n,)`` per use."""
    use = spec.land_use
    patch = {name: np.exp(use.patchiness * smooth_field(setting.points, use.patch_length,
                                                        setting.rng)
                          - use.patchiness**2 / 2) for name in ("retail", "office", "dwelling")}
    busy = setting.centrality**use.centrality_power
    work = np.array([d.work for d in spec.districts])[setting.district]
    night = np.array([d.night for d in spec.districts])[setting.district]
    built = ~(green | setting.bridge)
    strengths = {
        "dwelling": use.dwelling * patch["dwelling"] * built,
        "retail": (use.retail + use.retail_main * setting.main + use.retail_central * busy)
        * patch["retail"] * built,
        "office": (use.office + use.office_central * busy) * patch["office"] * work * built,
        "leisure": (use.leisure * night + use.leisure_night * setting.centre) * built
        + use.leisure * green,
        "green": use.green * green,
        "school": np.zeros(len(green)),
        "transit": use.stop * stops.astype(float),
    }
    strengths["school"][schools] = use.school
    strengths["transit"][stations] = use.station
    return strengths


def _trust_buildings(strengths, evidence: Evidence, length) -> None:
    """Replace the assumed uses by floor areas where there are buildings at all."""
    inside = (evidence.home + evidence.work + evidence.day + evidence.night) > 0
    busy = np.maximum(evidence.day + evidence.night, 1e-9)
    # A building open by night serves the evening, one open by day sells or serves by day.
    strengths["leisure"] = np.where(inside, evidence.night * evidence.night / busy, 0)
    strengths["retail"] = np.where(inside, evidence.day * evidence.day / busy, 0)
    strengths["office"] = np.where(
        inside, np.maximum(evidence.work - strengths["leisure"] - strengths["retail"], 0), 0)
    strengths["dwelling"] = np.where(inside, evidence.home, 0)
    floor = np.where(inside, (evidence.home + evidence.work) / np.maximum(length, 1), 0)
    for use in ("school", "green", "transit"):
        strengths[use] = strengths[use] * np.where(inside, floor * length, 1)
    strengths["green"][inside] = 0


def _trust_land_use(strengths, use, lead) -> None:
    """Where a land-use polygon lies, its use is the main one."""
    known = use >= 0
    for k, name in enumerate(USES):
        here = known & (use == k)
        others = np.maximum(sum(strengths.values()), 1e-9)
        strengths[name] = np.where(here, lead * others + strengths[name], strengths[name])


def _round_down(places: Table) -> None:
    """Shares summed in single precision may pass 1 by a rounding: scale those down."""
    total = sum(places[use].astype(np.float64) for use in USES)
    factor = np.where(total > 1, (1 - 1e-6) / np.maximum(total, 1), 1)
    for use in USES:
        places[use] = places[use] * factor.astype(np.float32)

"""The state in which a run begins: minds, offenders, guardians, backgrounds."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.special import ndtri

from citysim.config.errors import InputError
from citysim.kernels import streams
from citysim.kernels.life import SKILL, propensities, resting_shares
from citysim.kernels.patrol import BEAT, HOT_SPOT, RANDOM, REACTIVE
from citysim.kernels.people import N_STOCKS
from citysim.kernels.perception import OF_CITY, OF_POLICE
from citysim.kernels.random import address
from citysim.kernels.start import (
    find_haunts,
    mean_of_ties,
    own_levels,
    pair_uniforms,
    uniforms,
)
from citysim.model.constants import age_curve, others_share
from citysim.state.columns import CITY, GUARDIANS, OFFENDERS
from citysim.state.csr import Ragged
from citysim.state.table import Table

YOUNG_BELOW, OLD_FROM = 25, 65  # age bands of the six travel groups
PERSON_TRAITS = 101             # purpose of draws for people's traits
PASSES = 5                      # towards the trust in which a run begins
SPARE_UNITS = 100               # guardians beyond four times the city's own strength


def normals(seed: int, purpose: int, n: int, kinds: int = 1) -> np.ndarray:
    """Standard normal draws addressed by entity, float64 (n, kinds)."""
    return ndtri(uniforms(address(seed, streams.TRAITS, purpose), n, kinds))


def start_people(people: Table, settings, seed: int) -> None:
    """Groups, readiness for violence, norms at the start of a run."""
    m = settings.model
    n = len(people)
    band = np.where(people.age < YOUNG_BELOW, 0, np.where(people.age < OLD_FROM, 1, 2))
    people.group = people.sex * 3 + band
    z = normals(seed, PERSON_TRAITS, n, 4)  # 1 and 2 are trust's
    log = (m.night.aggression_sd * z[:, 0] + m.night.aggression_man * (people.sex == 0)
           + m.night.aggression_young * ((people.age >= 15) & (people.age < YOUNG_BELOW))
           + m.night.aggression_old * (people.age >= OLD_FROM)
           + m.night.aggression_control * (1.0 - people.self_control))
    aggression = np.exp(log) * (people.age >= 12)
    people.aggression = aggression / aggression.mean()
    people.norms = np.clip(m.offending.norms_mean + m.offending.norms_sd * z[:, 3], 0, 1)
    people.lasting_norms = np.round(people.norms * SKILL)


def start_trust(people: Table, ties: Ragged, constants, settings, seed: int) -> None:
    """Trust begins at rest, where people's own levels and their ties' hold each other.

    There a resident's trust is ``own + others (mean of ties' trust - own)``, with ``others`` the
    share of :func:`others_share`; every pass leaves that share of what is missing. Outsiders' ties
    are not known and stand at the usual level.
    """
    mind, others = constants.mind, others_share(settings.model.trust)
    key = address(seed, streams.TRAITS, PERSON_TRAITS)
    for column, whom, usual in (("trust_police", OF_POLICE, mind.usual_trust_police),
                                ("trust_city", OF_CITY, mind.usual_trust_city)):
        own = own_levels(key, len(people), whom, usual, mind.own_spread)
        level, heard = own, np.full(len(people), float(usual))
        for _ in range(PASSES):
            mean_of_ties(ties.start, ties.items, level, heard)
            level = own + others * (heard - own)
        people[column] = level


def start_fear(people: Table, places: Table, settings) -> None:
    """Fear begins where it would settle: at what the home street is known for."""
    home = people.anchors[:, 0]
    for column, unease in enumerate((places.unease_day, places.unease_night)):
        people.fear[:, column] = np.clip(people.sensitivity * unease[home], 0, 1)
    m = settings.model.fear
    for column, avoid in enumerate((m.avoid_day, m.avoid_night)):
        people.caution[:, column] = np.exp(
            -m.enabled * avoid * np.maximum(0, people.fear[:, column] - m.tolerated))


def start_places(places: Table, settings) -> None:
    """Places begin at rest: what is worn off in a day is what cleaning puts back.

    So wear differs by place (a worn place is one that is used hard), and so does the disorder
    that the surroundings bring beside lost upkeep; neighbours know their street as it is.
    """
    f, u, p = settings.model.fear, settings.model.upkeep, settings.model.patrol
    places.visit_minutes = p.visit_minutes
    places.visit_from, places.visit_to = p.visit_from, p.visit_to
    _venue_areas(places, settings.model.observation.venue_radius)
    visits = places.cleaning / 7.0
    places.wear = u.mend * visits * (1 - places.upkeep) / np.maximum(1 - places.stewardship, 0.05)
    gone = np.minimum(1.0, u.clean * visits * (1 + places.stewardship))
    held = np.maximum(1 - gone, 0.05)
    resting = places.disorder * (1 - (1 - u.drift) * held) / (u.drift * held)
    places.grime = np.clip(resting - u.cue_of_neglect * (1 - places.upkeep), -5, 5)
    places.unease_day = np.clip(f.unease_disorder * places.disorder, 0, 1)
    places.unease_night = np.clip(f.unease_disorder * places.disorder
                                  + f.unease_dark * (1 - places.lighting)
                                  + f.start_empty * f.unease_empty, 0, 1)


def _venue_areas(places: Table, radius: float) -> None:
    """Clusters of places with venues no further than ``radius`` (m) apart, the largest first."""
    rows = np.flatnonzero(places.venues > 0)
    places.venue_area, places.area_venues = -1, 0
    if not len(rows):
        return
    here = np.column_stack((places.x[rows], places.y[rows])).astype("f8")
    one, other = cKDTree(here).query_pairs(radius, output_type="ndarray").reshape(-1, 2).T
    n, label = connected_components(csr_array((np.ones(len(one)), (one, other)),
                                              shape=(len(rows), len(rows))), directed=False)
    venues = np.bincount(label, places.venues[rows], n)
    rank = np.empty(n, np.int64)
    rank[np.argsort(-venues, kind="stable")] = np.arange(n)
    places.venue_area[rows] = rank[label]
    places.area_venues[rows] = venues[label]


def start_offenders(people: Table, places: Table, ties: Ragged, settings, course,
                    seed: int) -> tuple[Table, np.ndarray, Ragged]:
    """Holders of the offending role, the row of each person in it, and their groups.

    Holders are drawn evenly; age, traits, work, moral rules, grievance and peers then set how
    readily each offends. As many are active at each age as onset and desistance keep there,
    so that offending begins at rest; the mean propensity of the active at rest is 1.
    Co-offending groups are the connected parts of their ties.
    """
    m = settings.model.offending
    n_residents = len(ties)
    eligible = np.flatnonzero((people.age[:n_residents] >= m.youngest)
                              & (people.age[:n_residents] <= m.oldest))
    count = round(m.role_share * len(eligible))
    u = uniforms(address(seed, streams.OFFENDERS, 0), n_residents, 3)
    curve = age_curve(settings.model)
    # The role is held by some of every age; how much they offend is the propensity's matter.
    race = -np.log(u[eligible, 0])
    chosen = np.sort(eligible[np.argsort(race, kind="stable")[:count]].astype(np.int32))
    offenders = Table("offenders", OFFENDERS, len(chosen))
    offenders.person = chosen
    share = np.empty(len(chosen))
    resting_shares(course, chosen, people.age, people.employment, share)
    offenders.active = u[chosen, 1] < share
    z = ndtri(u[chosen, 2])
    offenders.latent = np.exp(m.spread * z - 0.5 * m.spread ** 2)
    role = np.full(len(people), -1, np.int32)
    role[chosen] = np.arange(len(chosen))
    propensities(course, chosen, offenders.latent, curve, people.age, people.employment,
                 people.self_control, people.skill, people.substance, people.norms,
                 people.trust_police, ties.start, ties.items, role, offenders.active,
                 offenders.propensity)
    if len(chosen):
        mean = np.average(offenders.propensity, weights=share if share.any() else None)
        offenders.latent = offenders.latent / mean
        offenders.propensity = offenders.propensity / mean
    _haunts(offenders, people, places, m.haunt_scale, seed)
    groups = _groups(offenders, ties, role, m.co_offending, seed)
    return offenders, role, groups


def _haunts(offenders, people, places, scale, seed) -> None:
    # Crime attractors: where much is on offer and many pass.
    draw_in = places.shop_space + places.venue_space + places.stop + places.jobs / 10.0 + 0.1
    home = people.anchors[offenders.person, 0].astype(np.int64)
    find_haunts(address(seed, streams.OFFENDERS, 1), home, places.x, places.y,
                np.cumsum(draw_in) / draw_in.sum(), scale, offenders.haunts)


def _groups(offenders, ties, role, share, seed) -> Ragged:
    """Co-offenders: connected by a share of the ties among offenders.

    Fills ``offenders.group`` and returns the members of each group. The share keeps groups
    small: if every tie counted, thousands would hang together.
    """
    n = len(offenders)
    degree = np.diff(ties.start)
    one = np.repeat(role[:len(degree)], degree)
    other = role[ties.items]
    both = (one >= 0) & (other > one)
    one, other = one[both], other[both]
    key = address(seed, streams.OFFENDERS, 2)
    kept = pair_uniforms(key, one, other) < share
    one, other = one[kept], other[kept]
    _, label = connected_components(csr_array((np.ones(len(one)), (one, other)), shape=(n, n)),
                                    directed=False)
    size = np.bincount(label, minlength=1) if n else np.zeros(1, int)
    together = np.flatnonzero(size[label] > 1) if n else np.empty(0, int)
    new = np.full(len(size), -1)
    new[np.unique(label[together])] = np.arange(len(np.unique(label[together])))
    offenders.group = new[label] if n else -1
    return Ragged.from_pairs(new[label[together]], together, int(new.max(initial=-1)) + 1)


def backgrounds(places: Table, offences, seed: int) -> np.ndarray:
    """Lasting attractiveness of every place for every offence, mean 1, float32.

    Lognormal; half of it is shared by all offences of a place, so that hot spots are hot for
    more than one kind of crime.
    """
    n = len(places)
    u = ndtri(uniforms(address(seed, streams.BACKGROUND, 0), n, len(offences.names) + 1))
    z = math.sqrt(0.5) * u[:, :1] + math.sqrt(0.5) * u[:, 1:]
    return np.exp(offences.sigma * z - 0.5 * offences.sigma ** 2).astype(np.float32)


def start_city(spec, settings, n_residents: int, scale: float) -> Table:
    """The row of city-wide quantities: night transport and police strength."""
    m = settings.model.patrol
    city = Table("city", CITY, 1)
    real = n_residents / scale
    police = spec.police

    def units(force):
        return force.per_100k / 1e5 * real * force.patrol_share / force.officers_per_unit

    national, local = units(police.national), units(police.local)
    if (police.national.per_100k + police.local.per_100k) / 1e5 >= 1:
        raise InputError("more police than residents", where="city.police",
                         allowed="fewer than 100,000 per 100,000 residents")
    on = float(m.enabled)
    city.reactive_units = on * national * m.reactive_share
    city.hot_spot_units = on * national * m.hot_spot_share
    city.random_units = on * national * max(0.0, 1 - m.reactive_share - m.hot_spot_share)
    city.beat_units = on * local * m.beat_share
    city.random_units = city.random_units + on * local * (1 - m.beat_share)
    city.services_until = settings.model.clock.services_to
    city.stop_minutes = m.stop_minutes
    city.procedural_quality = m.procedural_quality
    city.contacts_per_hour = m.contacts_per_hour
    city.night_headway = settings.model.routine.night_headway
    city.night_service_end = settings.model.routine.night_service_end
    return city


def start_guardians(city: Table, places: Table,
                    most: dict[int, float]) -> tuple[Table, dict[int, slice]]:
    """Rows for as many units as may be on duty, by strategy; they start spread over the city.

    ``most`` is the largest number of units of each strategy that can be out at once.
    """
    counts = {REACTIVE: city.reactive_units, HOT_SPOT: city.hot_spot_units,
              BEAT: city.beat_units, RANDOM: city.random_units}
    usual = {kind: math.ceil(4 * float(count[0])) + SPARE_UNITS for kind, count in counts.items()}
    slices, at = {}, 0
    for kind, room in usual.items():
        slices[kind] = slice(at, at + max(room, math.ceil(most[kind])))
        at = slices[kind].stop
    guardians = Table("guardians", GUARDIANS, at)
    for kind, rows in slices.items():
        guardians.kind[rows] = kind
        guardians.force[rows] = kind == BEAT
        n = rows.stop - rows.start
        # The spacing is that of the usual number: more rows move nobody.
        guardians.place[rows] = (np.arange(n) * max(1, len(places) // usual[kind])) % len(places)
    guardians.district = places.district[guardians.place]
    return guardians, slices


def form_beats(places: Table, size: int, cell: float) -> Ragged:
    """Beats: compact runs of places inside a district, the most deprived first.

    ``cell`` (m) is the width of the strips that keep a beat within walking distance.
    """
    order = np.lexsort((places.y, np.floor(places.x / cell), places.district))
    beat = np.empty(len(places), np.int64)
    n = max(1, round(len(places) / size))
    beat[order] = np.minimum(np.arange(len(places)) * n // len(places), n - 1)
    need = np.bincount(beat, places.deprivation * (1 + places.dwellings), n) / np.maximum(
        1, np.bincount(beat, 1.0 + places.dwellings, n))
    rank = np.empty(n, np.int64)
    rank[np.argsort(-need, kind="stable")] = np.arange(n)
    return Ragged.from_pairs(rank[beat], np.arange(len(places)), n)


def start_stocks(people: Table, households: Table, n_places: int) -> np.ndarray:
    """Everyone starts at home: stocks by place, int32 (places, 6)."""
    stock = np.zeros((n_places, N_STOCKS), np.int32)
    resident = people.household >= 0
    stock[:, 0] = np.bincount(people.anchors[resident, 0], minlength=n_places)
    households.at_home = households["size"]
    return stock

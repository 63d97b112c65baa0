"""Counts shared out over land use, and the condition of places at the start."""

from __future__ import annotations

import numpy as np

from citysim.city.apportion import largest_remainder
from citysim.city.fields import smooth_field
from citysim.config.errors import InputError

# Streams of the sizes and of derelict sites; land use has 1, the spacing of streets 2.
_SIZES, _DERELICT = 3, 4
_TOP_SMALL = np.iinfo(np.int16).max


def fill_counts(places, spec, setting, schools) -> None:
    """Dwellings, jobs, school places, shops, venues and vehicles of each place.

    Totals follow from the residents and ``spec.economy``; places share them in proportion to
    length times share of the use, within the district for dwellings.
    """
    economy, length = spec.economy, setting.length
    district, evidence = setting.district, setting.evidence
    weight = length * places.dwelling
    if evidence.home is not None:
        weight = evidence.home
    for k, d in enumerate(spec.districts):
        here = district == k
        dwellings = int(np.ceil(d.households * (1 + economy.vacancy)))
        if dwellings and weight[here].sum() <= 0:
            raise InputError(f"no street in district '{d.name}' has dwellings, but "
                             f"{d.population:,} residents", where="city.land_use.dwelling, "
                             "city.districts", allowed="some land use dwelling in each district "
                             "that has residents")
        places.dwellings[here] = largest_remainder(weight[here], dwellings)
    people = sum(d.population for d in spec.districts)
    employed = sum(d.population * d.employed_share for d in spec.districts)
    _fill_schools(places, spec, setting, schools)
    shops = length * places.retail if evidence.day is None else evidence.day
    _share_out(places, "shops", shops, people * economy.shops_per_10k / 1e4, spec)
    if evidence.venues is not None:
        places["venues"] = np.minimum(evidence.venues, _TOP_SMALL)
    else:
        venues = length * places.leisure if evidence.night is None else evidence.night
        _share_out(places, "venues", venues, people * economy.venues_per_10k / 1e4, spec, "night")
    _fill_sizes(places, spec, evidence)
    bulk = {"retail": _bulk(places.shop_space, places.shops),
            "leisure": _bulk(places.venue_space, places.venues)}
    jobs = sum(weight * places[use] * bulk.get(use, np.float32(1))
               for use, weight in economy.job_weights)
    _share_out(places, "jobs", jobs * length, employed * economy.jobs_per_worker, spec, "work")
    # By frontage: who drives to a large store does not park along its street.
    parked = length * (places.dwelling + places.office + places.retail)
    total = parked.sum()
    if total > 0:
        places["vehicles"] = parked * (people * economy.vehicles_per_1000 / 1e3 / total)


def _fill_sizes(places, spec, evidence) -> None:
    """Size of the shops and of the venues on each place, in premises of mean size.

    Premises differ in size by a lognormal: a few hold much of the trade and draw most people
    (crime generators: Brantingham and Brantingham 1995). Totals stay those of even sizes. Where
    floor areas are known they share out the premises, and every one is of mean size.
    """
    # Draws of their own: what comes after in a city is the same whatever sizes are.
    rng = np.random.Generator(np.random.Philox(key=[spec.seed, _SIZES]))
    for space, count, spread, areas in (
            ("shop_space", places.shops, spec.economy.shop_spread, evidence.day),
            ("venue_space", places.venues, spec.economy.venue_spread,
             evidence.night if evidence.venues is None else None)):
        total = int(count.sum())
        size = np.exp(rng.standard_normal(total) * spread)
        if areas is not None or spread == 0 or total == 0:
            places[space] = count
            continue
        owner = np.repeat(np.arange(len(places)), count)
        places[space] = np.bincount(owner, size, len(places)) * (total / size.sum())


def _bulk(space, count) -> np.ndarray:
    """Mean size of the premises on each place, float32, 1 where there are none."""
    return np.divide(space, count, out=np.ones(len(count), np.float32), where=count > 0)


def _share_out(places, column, weight, total, spec, relative=None) -> None:
    """Whole units by weight; a small column takes no more than it can hold.

    With ``relative`` (``work``, ``night``), each district first gets its part by residents
    times that figure.
    """
    top = np.iinfo(places[column].dtype).max
    if relative is None:
        places[column] = np.minimum(largest_remainder(weight, round(total)), top)
        return
    count = len(spec.districts)
    able = np.bincount(places.district, weight, minlength=count) > 0
    due = able * np.array([d.population * getattr(d, relative) for d in spec.districts])
    for k, units in enumerate(largest_remainder(due, round(total))):
        here = places.district == k
        places[column][here] = np.minimum(largest_remainder(weight[here], int(units)), top)


def _fill_schools(places, spec, setting, schools) -> None:
    """School places by length of street around, and the campuses' on a few central ones."""
    economy = spec.economy
    if len(schools) == 0:
        return
    pupils = sum(d.population * (d.age_shares[0] + d.student_share * d.age_shares[1])
                 for d in spec.districts) * economy.school_places
    on_campus = min(economy.campuses * economy.campus_places, int(pupils * economy.campus_limit)) \
        if economy.campuses else 0
    # Schools differ in size; a lognormal spread keeps all of them positive.
    size = np.exp(setting.rng.standard_normal(len(schools)) * economy.school_spread)
    places.pupils[schools] = largest_remainder(size, round(pupils) - on_campus)
    if on_campus:
        central = schools[np.argsort(-setting.centrality[schools], kind="stable")]
        campus = central[:economy.campuses]
        places.pupils[campus] += largest_remainder(np.ones(len(campus)), on_campus)


def fill_condition(places, spec, setting, stations) -> None:
    """Deprivation, light, closing hours, alcohol, upkeep, disorder, cleaning and cameras."""
    rng, centre = setting.rng, setting.centre
    noise = [smooth_field(setting.points, spec.deprivation.patch_length, rng),
             *rng.standard_normal((3, len(places)))]
    places["deprivation"] = _deprivation(places, spec, setting, noise[0])
    deprivation = places.deprivation
    light, state, night = spec.lighting, spec.condition, spec.night
    places["lighting"] = np.clip(
        light.base + light.main * setting.main + light.centre * centre
        + light.green * places.green + light.deprivation * deprivation
        + light.variation * noise[1], 0, 1)
    places["upkeep"] = np.clip(state.upkeep + state.upkeep_deprivation * deprivation
                            + state.variation * noise[2], 0, 1)
    places["disorder"] = np.clip(state.disorder + state.disorder_deprivation * deprivation
                              + state.variation * noise[3], 0, 1)
    places["cleaning"] = np.clip(state.cleaning + state.cleaning_centre * centre, 0, 14)
    places["stewardship"] = state.stewardship
    places["camera"] = np.clip(state.camera + state.camera_centre * centre, 0, 1)
    places["closing_hour"] = night.closing_hour + (
        night.centre_closing_hour - night.closing_hour) * np.round(2 * centre) / 2
    places["alcohol"] = night.alcohol + (night.centre_alcohol - night.alcohol) * centre
    places["events"] = np.where(places.venues > 0, night.centre_events * centre, 0)
    places["services"] = 0
    places.services[stations] = spec.transport.station_services
    places["derelict"] = _derelict(places, spec, ~setting.bridge)


def _derelict(places, spec, possible) -> np.ndarray:
    """Derelict sites on each place: so many for each dwelling, most on long streets in disorder.

    A site is some 30 m of frontage; ``possible``, bool (places), is False where none can be.
    """
    # Draws of their own: the rest of the city is the same however many there are.
    rng = np.random.Generator(np.random.Philox(key=[spec.seed, _DERELICT]))
    weight = places.length.astype(float) * places.disorder * (1 - places.green) * possible
    total = round(spec.condition.derelict * int(places.dwellings.sum()))
    if total == 0 or weight.sum() == 0:
        return np.zeros(len(places), np.int16)
    where = rng.choice(len(places), total, p=weight / weight.sum())
    return np.bincount(where, minlength=len(places)).astype(np.int16)


def _deprivation(places, spec, setting, field) -> np.ndarray:
    """A patchy surface whose mean over each district's dwellings is the margin."""
    result = np.zeros(len(places))
    for k, d in enumerate(spec.districts):
        here = setting.district == k
        if not here.any():
            continue
        weight = places.dwellings[here].astype(float)
        weight = weight if weight.sum() > 0 else np.ones(here.sum())
        rough = spec.deprivation.spread * field[here]
        low, high = d.deprivation - rough.max() - 1, d.deprivation - rough.min() + 1
        # Clipping to [0, 1] shifts the mean: find the level at which the mean fits.
        for _ in range(50):
            level = (low + high) / 2
            if np.average(np.clip(level + rough, 0, 1), weights=weight) < d.deprivation:
                low = level
            else:
                high = level
        result[here] = np.clip(level + rough, 0, 1)
    return result

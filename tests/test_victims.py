"""Whom an offence hits: who is there, in proportion to exposure, and whom offenders remember."""
import dataclasses

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import people, places, random, streams
from citysim.kernels.events import (
    CULPRIT,
    IN_VENUE,
    OFFENCE,
    OFFENDER,
    PLACE,
    VICTIM,
)
from citysim.kernels.places import FORMS
from citysim.model import phases
from citysim.model.city_model import CityModel
from whole_model import row_of

LEAST_P = 1e-4


def find(m, rows, seed=1):
    """Victims of made-up events, given as (place, offence, offender); events that have one."""
    r = m.recorder
    r.events[:] = 0
    for k, (place, offence, offender) in enumerate(rows):
        r.events[k, :5] = m.step_index, place, offence, offender, -1
    r.n_events, m.first_event, m.run_seed, m.counts[2] = len(rows), 0, seed, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "follow_up", lambda m, begin, end: None)
        phases.consequences(m)
    return r.events[:r.n_events].copy()


def crossed(m, r):
    """Places that a person walks over in this hour."""
    if not m.moved[r]:
        return set()
    trip = int(m.moved[r]) - 1
    return {int(s) for k in (trip // 5, trip % 5) if k for s in m.population.route(r, k)}


def there(m, place):
    """Rows of people who cross a place in this hour, and of those who stay there."""
    walking = {r for r in np.flatnonzero(m.moved) if place in crossed(m, r)}
    p = m.people
    at = p.anchors[np.arange(len(p)), p.at]
    least = 2 if m.places.gateway[place] else 1  # whose day place is a gateway is out of town
    out = set(np.flatnonzero((p.at >= least) & (at == place) & (p.status == 0)))
    return walking, out




@pytest.mark.parametrize("offence", ["theft_person", "robbery", "harassment", "assault"])
def test_victims_of_street_crime_are_there(hour, offence):
    o = row_of(hour, offence)
    busiest = np.argsort(-hour.places.present)[:40]
    for place in busiest:
        walking, out = there(hour, int(place))
        offender = -1 if offence == "assault" else 0
        culprit = hour.offenders.person[0]
        for e in find(hour, [(place, o, offender)]):
            assert e[VICTIM] in walking | out and e[VICTIM] != e[CULPRIT]
            if offence == "assault":
                assert e[CULPRIT] in walking | out
                assert e[OFFENDER] == hour.role[e[CULPRIT]]
            else:
                assert e[CULPRIT] == culprit


@pytest.mark.parametrize("inside", [0.0, 1.0])
def test_both_parties_of_an_assault_are_of_its_setting(hour, inside):
    """Guests among guests; outside whoever walks by or stays, guests in their time outdoors too."""
    m, o = hour, row_of(hour, "assault")
    m.indoors[:] = inside
    at = m.people.anchors[np.arange(len(m.people)), m.people.at]
    leisure = (m.people.at >= 2) & (m.people.status == 0)
    m.guests[:] = 0.0
    m.guests[:, 1] = 1.0  # men of 25 to 64 are guests, and nobody else
    guest = leisure & (m.people.group == 1)
    checked = 0
    for place in np.flatnonzero(np.bincount(at[guest], minlength=len(m.places)) > 1):
        walking, out = there(m, int(place))
        guests = set(np.flatnonzero(guest & (at == place)))
        others = walking | out
        if len(others) < 2:
            continue
        for seed in range(5):
            for e in find(m, [(place, o, -1)], seed):
                assert {e[CULPRIT], e[VICTIM]} <= (guests if inside else others)
                assert e[IN_VENUE] == inside
                checked += 1
    assert checked > 30


def chances_and_shares(m, rows, seeds):
    """Mean chance of each cell to hold a victim, and the share of draws that hit it."""
    r = m.recorder
    r.victim_chances[:] = 0
    shares = np.zeros(m.groups_of_people.n_cells)
    n = 0
    for seed in range(seeds):
        victims = find(m, rows, seed)[:, VICTIM]
        n += len(victims)
        inside = victims[(victims >= 0) & (victims < m.n_residents)]
        shares += np.bincount(m.cell[inside], minlength=len(shares))
    return r.victim_chances.sum(axis=0) / n, shares / n, n


def chi_square(chances, shares, n):
    """P value of counts by cell, small cells and nobody in particular thrown together."""
    common = n * chances >= 10
    expected = np.append(n * chances[common], n * (1 - chances[common].sum()))
    found = np.append(n * shares[common], n * (1 - shares[common].sum()))
    kept = expected > 1e-6
    assert found[~kept].sum() < 0.5 and kept.sum() > 1
    return stats.chisquare(found[kept], expected[kept]).pvalue


@pytest.mark.parametrize("offence", ["theft_person", "harassment", "assault", "burglary_home",
                                     "theft_from_vehicle", "vandalism"])
def test_chances_of_cells_are_the_shares_of_many_draws(hour, offence):
    """One place where people walk and stay; lasting proneness is the run's, hence held still."""
    o = row_of(hour, offence)
    held = random.address(1, streams.VICTIM, -1)
    drawn = CityModel.key
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CityModel, "key", lambda m, stream, step=None: held if step == -1
                      else drawn(m, stream, step))
        mixed = (hour.stock[:, people.OUT] > 3) & (unpacked(hour) > 3) & (hour.homes > 3)
        place = int(np.flatnonzero(mixed)[0])
        found = chances_and_shares(hour, [(place, o, -1 if offence == "assault" else 0)], 1500)
    assert chi_square(*found) > LEAST_P


@pytest.mark.parametrize("walk, stay", [(True, False), (False, True)])
def test_where_nobody_of_one_kind_is_found_chances_are_those_of_the_other(hour, walk, stay):
    """Presence promises both kinds, of which one cannot be found."""
    if not walk:
        hour.moved[:] = 0
    if not stay:
        hour.people.at = np.minimum(hour.people.at, 0)
    o = row_of(hour, "theft_person")
    mixed = np.flatnonzero((hour.stock[:, people.OUT] > 0) & (unpacked(hour) > 0))
    r = hour.recorder
    for place in mixed[:20]:
        r.victim_chances[:] = 0
        events = find(hour, [(int(place), o, 0)])
        walking, out = there(hour, int(place))
        kind = (walking if walk else out) - {int(hour.offenders.person[0])}
        assert len(events) <= bool(kind)
        if len(events):
            residents = [q for q in kind if q < hour.n_residents]
            cells = np.unique(hour.cell[residents]) if residents else []
            assert set(np.flatnonzero(r.victim_chances[o])) <= set(cells)
            if len(residents) == len(kind):
                assert r.victim_chances[o].sum() == pytest.approx(1)
        assert not np.delete(r.victim_chances, o, axis=0).any()


def test_only_women_are_harassed_also_where_only_men_walk(hour):
    """A woman sits at a venue, men walk past: never one of the men."""
    hour.people.group[hour.moved > 0] %= 3
    bits = people.FIELD_BITS
    flow = hour.place_rows[:, people.FLOW]
    flow &= ~np.uint64(people.FIELD_MASK << bits)
    o, count = row_of(hour, "harassment"), 0
    for seed in range(20):
        victims = find(hour, [(s, o, 0) for s in range(len(hour.places))], seed)[:, VICTIM]
        assert (hour.people.sex[victims] == 1).all()
        count += len(victims)
    assert count > 20


def exposure(m, place, o):
    """Chance of each person to be the victim of a crowd offence at a place."""
    walking, staying = there(m, place)
    k, female = m.constants.watch, m.constants.offences.female[o]
    hours = m.places.length[place] / m.settings.model.guardianship.walking_speed / 3600
    passing = int(unpacked(m)[place]) * hours
    outside = {r: k.outdoors if m.people.at[r] >= 2 else float(m.day_outdoors[place])
               for r in staying}
    share = passing / (passing + sum(outside.values()))
    chance = np.zeros(len(m.people))
    for group, part in ((dict.fromkeys(walking, 1.0), share), (outside, 1 - share)):
        w = np.array([time * (female if m.people.sex[r] else 1.0) for r, time in group.items()])
        np.add.at(chance, list(group), part * w / w.sum())
    return chance


def test_victims_are_drawn_in_proportion_to_exposure(hour):
    o, n = row_of(hour, "theft_person"), 4000
    hour.constants = without_proneness(hour)
    hour.constants.offences.female[o] = 4.0
    mixed = np.flatnonzero((hour.stock[:, people.OUT] > 3)
                           & (unpacked(hour) > 3))
    assert len(mixed)
    place = int(mixed[np.argmin(hour.places.present[mixed])])
    expected = n * exposure(hour, place, o)
    expected[hour.offenders.person[0]] = 0
    victims = np.array([find(hour, [(place, o, 0)], seed)[0, VICTIM] for seed in range(n)])
    counts = np.bincount(victims, minlength=len(expected))
    possible = expected > 0
    assert counts[~possible].sum() == 0
    expected *= counts.sum() / expected.sum()
    big = expected >= 5
    assert big.sum() > 5
    seen = np.append(counts[big], counts[~big].sum())
    due = np.append(expected[big], expected[~big].sum())
    assert stats.chisquare(seen[due > 0], due[due > 0]).pvalue > LEAST_P


def without_proneness(m):
    """Constants under which exposure alone decides."""
    return dataclasses.replace(m.constants, exposure=m.constants.exposure._replace(proneness=0.0))


def unpacked(m):
    return m.place_rows[:, people.FLOW] & np.uint64(people.FIELD_MASK)


def households_at(m, place):
    first = m.world.first_household
    return np.arange(first[place], first[place + 1])


def test_burglars_find_empty_homes_evenly(hour):
    o = row_of(hour, "burglary_home")
    hour.constants = without_proneness(hour)
    empty = hour.stock[:, people.EMPTY]
    place = int(np.argmax(empty))
    homes = households_at(hour, place)
    due = homes[hour.households.at_home[homes] == 0]
    assert len(due) == empty[place] > 2
    n = 200 * len(due)
    hit = [find(hour, [(place, o, 0)], seed)[0, VICTIM] for seed in range(n)]
    household = hour.people.household[hit]
    assert set(household) <= set(due)
    assert stats.chisquare(np.bincount(household, minlength=due.max() + 1)[due]).pvalue > LEAST_P
    nobody = [s for s in range(len(hour.places)) if empty[s] == 0]
    assert nobody and len(find(hour, [(s, o, 0) for s in nobody])) == 0


def test_larger_households_have_more_vehicles_and_damage_hits_some(hour):
    o = row_of(hour, "vehicle_theft")
    hour.constants = without_proneness(hour)
    place = int(np.argmax(np.diff(hour.world.first_household)))
    homes = households_at(hour, place)
    n = 4000
    hit = [hour.people.household[find(hour, [(place, o, 0)], seed)[0, VICTIM]]
           for seed in range(n)]
    weight = np.minimum(2, hour.households["size"][homes]).astype(float)
    counts = np.bincount(hit, minlength=homes.max() + 1)[homes]
    for size in (1, 2):
        chosen = weight == size
        p = weight[chosen].sum() / weight.sum()
        assert stats.binomtest(int(counts[chosen].sum()), n, p).pvalue > LEAST_P
    v = row_of(hour, "vandalism")
    struck = sum(find(hour, [(place, v, 0)], seed)[0, VICTIM] >= 0 for seed in range(2000))
    assert stats.binomtest(struck, 2000, float(hour.household_damage[place])).pvalue > LEAST_P


def knows(m, place, offence, target, strength=0.5):
    """The first offender remembers one success; factor on the weight of its target."""
    f = m.offenders
    f.memory_place[0], f.memory[0], f.memory_target[0] = -1, 0, -1
    f.memory_place[0, 2], f.memory_offence[0, 2] = place, offence
    f.memory[0, 2], f.memory_target[0, 2] = strength, target
    return 1 + m.constants.offences.memory_own[offence] * strength


def test_burglars_come_back_to_the_dwelling_they_remember(hour):
    o, other = row_of(hour, "burglary_home"), row_of(hour, "vandalism")
    hour.constants = without_proneness(hour)
    place = int(np.argmax(hour.stock[:, people.EMPTY]))
    homes = households_at(hour, place)
    due = homes[hour.households.at_home[homes] == 0]
    n = 1000

    def hits():
        victims = [find(hour, [(place, o, 0)], seed)[0, VICTIM] for seed in range(n)]
        return int((hour.people.household[victims] == due[0]).sum())

    factor = knows(hour, place, o, due[0])
    assert factor > 2
    assert stats.binomtest(hits(), n, factor / (factor + len(due) - 1)).pvalue > LEAST_P
    for where, what in ((place + 1, o), (place, other)):  # another place, another offence
        knows(hour, where, what, due[0])
        assert stats.binomtest(hits(), n, 1 / len(due)).pvalue > LEAST_P


@pytest.mark.parametrize("walks", [True, False])
def test_thieves_know_a_person_again_who_walks_or_stays(hour, walks):
    """The remembered weight counts among those of the same sex who walk, or among all who stay."""
    o, n, sex = row_of(hour, "theft_person"), 1500, hour.people.sex
    hour.constants = without_proneness(hour)
    hour.constants.offences.female[o] = 1.0
    mixed = np.flatnonzero((hour.stock[:, people.OUT] > 3) & (unpacked(hour) > 3))
    place = int(mixed[np.argmax(hour.places.present[mixed])])
    chance = exposure(hour, place, o)
    walking, staying = there(hour, place)
    only = (walking - staying if walks else staying - walking) - {int(hour.offenders.person[0])}
    whom = max(only, key=lambda r: (chance[r], -r))
    rivals = {r for r in (walking if walks else staying) if not walks or sex[r] == sex[whom]}
    part = sum(chance[r] for r in rivals - walking.intersection(staying))
    factor = knows(hour, place, o, whom)
    hit = sum(find(hour, [(place, o, 0)], seed)[0, VICTIM] == whom for seed in range(n))
    p = part * factor * chance[whom] / (part + (factor - 1) * chance[whom])
    assert stats.binomtest(hit, n, p).pvalue > LEAST_P and p > 2 * chance[whom]


def test_memory_of_a_target_moves_who_is_hit_and_nothing_else(hour):
    v = row_of(hour, "vandalism")
    place = int(np.argmax(np.diff(hour.world.first_household)))
    rows = [(place, v, 0)]
    knows(hour, place, v, -1)  # the damage remembered hit no household
    without = np.array([find(hour, rows, seed)[0] for seed in range(500)])
    knows(hour, place, v, households_at(hour, place)[0], 1.0)
    with_it = np.array([find(hour, rows, seed)[0] for seed in range(500)])
    moved = with_it[:, VICTIM] != without[:, VICTIM]
    assert moved.any()
    assert (hour.people.household[with_it[moved, VICTIM]] == households_at(hour, place)[0]).all()
    np.testing.assert_array_equal(with_it[:, VICTIM] >= 0, without[:, VICTIM] >= 0)
    rest = np.arange(with_it.shape[1]) != VICTIM
    np.testing.assert_array_equal(with_it[:, rest], without[:, rest])


def test_every_event_has_the_victim_its_form_asks_for(busy_week):
    e = busy_week.recorder.all_events()
    form = busy_week.constants.offences.form[e[:, OFFENCE]]
    assert set(form) == set(range(len(FORMS)))
    victim = e[:, VICTIM]
    personal = np.isin(form, [places.CROWD, places.LONE, places.LONE_WOMAN, places.FRICTION,
                              places.HOUSEHOLD, places.EMPTY_DWELLING])
    assert (victim[personal] >= 0).all() and (victim[form == places.SHOP] == -1).all()
    assert (victim[personal] != e[personal, CULPRIT]).all()
    assert (busy_week.people.sex[victim[form == places.LONE_WOMAN]] == 1).all()
    at_home = np.isin(form, [places.EMPTY_DWELLING, places.VEHICLE, places.NEGLECT,
                             places.HOUSEHOLD]) & (victim >= 0)
    np.testing.assert_array_equal(busy_week.people.anchors[victim[at_home], 0],
                                  e[at_home, PLACE])
    driven = ~np.isin(form, [places.FRICTION, places.HOUSEHOLD])
    np.testing.assert_array_equal(busy_week.offenders.person[e[driven, OFFENDER]],
                                  e[driven, CULPRIT])


def test_most_acts_find_a_victim(town, busy_changes):
    """Acts are weighed by who is there, so few may come to nothing for want of a victim."""
    m = town(busy_changes, seed=8)
    acts, kept = np.zeros(10), np.zeros(10)
    for _ in range(7 * 24):
        for name, phase in phases.PHASES:
            if name == "aftermath":
                new = m.recorder.events[m.first_event:m.recorder.n_events]
                acts += np.bincount(new[:, OFFENCE], minlength=10)
            phase(m)
            if name == "aftermath":
                new = m.recorder.events[m.first_event:m.recorder.n_events]
                kept += np.bincount(new[:, OFFENCE], minlength=10)
        m.step_index += 1
    often = acts > 20
    assert often.sum() >= 6
    # a true rate of nine tenths, seen through counts of this size
    floor = 0.9 - 3 * np.sqrt(0.09 / acts[often])
    names = np.array(m.constants.offences.names)[often]
    lost = {n: f"{k:.0f} of {a:.0f}" for n, k, a, f in
            zip(names, kept[often], acts[often], floor, strict=True) if k / a < f}
    assert not lost


# --- reports, clearance, arrest

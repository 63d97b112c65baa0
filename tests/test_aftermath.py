"""What follows an offence: the right victim, reports by their odds, response, arrest, memory."""

import copy
import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import aftermath, people, places, random, streams
from citysim.kernels.events import (
    CLEARED,
    CULPRIT,
    OFFENCE,
    OFFENDER,
    PLACE,
    RECORDED,
    REPORTED,
    STEP,
    VICTIM,
)
from citysim.kernels.places import FORMS
from citysim.model import phases
from citysim.model.city_model import CityModel

LEAST_P = 1e-4


@pytest.fixture
def hour(evening):
    """Saturday 22:00 when offenders have acted and nothing has followed yet."""
    for _, phase in phases.PHASES[:5]:
        phase(evening)
    evening.recorder.n_events = evening.first_event = 0
    evening.recorder.events[:] = 0
    return evening


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


def row_of(m, name):
    return m.constants.offences.names.index(name)


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
    share = hour.settings.model.opportunity.damage_share
    assert stats.binomtest(struck, 2000, share).pvalue > LEAST_P


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


def plain_odds(m, offence, victim):
    law, k, o = m.settings.model.law, m.constants.offences, offence
    logit = math.log(k.report[o] / (1 - k.report[o]))
    if victim >= 0:
        logit += law.trust_weight * (m.people.trust_police[victim] - 0.5)
        logit += law.foreign_weight * m.people.foreign[victim]
    if k.form[o] in (places.HOUSEHOLD, places.LONE_WOMAN):
        logit += law.support_weight * float(m.city_row.reporting_support[0])
    return 1 / (1 + math.exp(-logit))


def follow(m, rows):
    """What follows made-up events (offence, offender, victim, place), one after the other."""
    e = m.recorder.events
    e[:] = 0
    for k, (offence, offender, victim, place) in enumerate(rows):
        e[k, [STEP, PLACE, OFFENCE, OFFENDER, VICTIM]] = (m.step_index, place, offence, offender,
                                                          victim)
        e[k, CULPRIT] = m.offenders.person[offender] if offender >= 0 else -1
    phases.follow_up(m, 0, len(rows))
    return e[:len(rows)].copy()


@pytest.mark.parametrize("support", [0.0, 1.0])
@pytest.mark.parametrize("offence", ["robbery", "harassment"])
def test_reports_follow_their_odds(hour, offence, support):
    hour.city_row.reporting_support = support
    o = row_of(hour, offence)
    victims = np.arange(0, hour.n_residents, 2)
    expected = np.array([plain_odds(hour, o, v) for v in victims])
    before = hour.recorder.chances.copy()
    e = follow(hour, [(o, -1, v, 0) for v in victims])
    added = hour.recorder.chances - before
    assert added[o] == pytest.approx(
        expected.sum() * np.array([1, hour.settings.model.law.recording]), rel=1e-5)
    assert not np.delete(added, o, axis=0).any()
    luck = np.array([random.uniform2(hour.key(streams.REPORT), v, 2 * o) for v in victims])
    sure = np.abs(luck - expected) > 1e-5  # trust is held in single precision
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(e[sure, REPORTED], luck[sure] < expected[sure])
    spread = math.sqrt((expected * (1 - expected)).sum())
    assert abs(e[:, REPORTED].sum() - expected.sum()) < 4 * spread
    told = e[:, REPORTED] == 1
    assert stats.binomtest(int(e[told, RECORDED].sum()), int(told.sum()),
                           hour.settings.model.law.recording).pvalue > LEAST_P
    assert not e[~told][:, [RECORDED, CLEARED]].any()


def test_trust_and_origin_move_reporting_the_way_they_should(hour):
    trust = hour.people.trust_police
    base, law = 0.4, hour.constants.law
    odds = [aftermath.report_odds(base, 0, hidden, law, support,
                                  np.full_like(hour.people.foreign, foreign),
                                  np.full_like(trust, t))
            for t, foreign, hidden, support in
            ((0.5, 0, False, 1.0), (0.9, 0, False, 1.0), (0.5, 1, False, 1.0),
             (0.5, 0, True, 0.0), (0.5, 0, True, 1.0))]
    assert odds[0] == pytest.approx(base) and odds[1] > base > odds[2]
    assert odds[3] == pytest.approx(base) and odds[4] > base


def test_clearance_is_as_frequent_as_configured(hour):
    hour.people.trust_police = 0.5
    hour.people.foreign = 0
    o = row_of(hour, "theft_from_vehicle")  # no urgent call, so no delay
    k = hour.constants.offences
    k.clear[o], k.detain[o] = 0.3, 0.5
    n = len(hour.offenders)
    rows = [(o, i, v, v % 100) for v, i in enumerate(np.resize(np.arange(n), 3000))]
    before = hour.offenders.arrests.astype(int)
    free = hour.people.status[hour.offenders.person] == 0
    e = follow(hour, rows)
    told = e[:, REPORTED] == 1
    assert not k.urgent[o]
    assert not e[~told, CLEARED].any()
    # one draw a culprit and place: the draws of a culprit at different places are independent
    assert stats.binomtest(int(e[:, CLEARED].sum()), int(told.sum()), 0.3).pvalue > LEAST_P
    arrests = np.bincount(e[e[:, CLEARED] == 1, OFFENDER], minlength=n)
    np.testing.assert_array_equal(hour.offenders.arrests - before, arrests)
    inside = hour.people.status[hour.offenders.person] == 1
    assert inside[free & (arrests > 0)].mean() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(n))
    assert not inside[free & (arrests == 0)].any()


def test_arrest_teaches_risk_and_a_clean_escape_ease(hour):
    o = row_of(hour, "theft_person")
    k, law = hour.constants.offences, hour.settings.model.law
    hour.offenders.perceived_risk = 0.2
    k.report[o], k.clear[o] = 0.999, 1e9
    caught = follow(hour, [(o, 0, -1, 3)])
    k.clear[o] = 0
    free = follow(hour, [(o, 1, -1, 3)])
    assert caught[0, CLEARED] == 1 and free[0, CLEARED] == 0
    risk = hour.offenders.perceived_risk
    assert risk[0] == pytest.approx(0.2 + 0.8 * law.learning, rel=1e-5)
    assert risk[1] == pytest.approx(0.2 * (1 - law.ease), rel=1e-5)
    assert 3 in hour.offenders.memory_place[1] and 3 not in hour.offenders.memory_place[0]


def test_co_offenders_hear_of_a_success(hour):
    f, o = hour.offenders, row_of(hour, "theft_person")
    f.memory_place, f.memory, f.memory_target = -1, 0, -1
    hour.constants.offences.clear[o] = 0
    told = hour.constants.offences.memory[o]
    teller = int(np.flatnonzero(f.group >= 0)[0])
    mates = set(hour.groups[f.group[teller]]) - {teller}
    follow(hour, [(o, teller, 5, 9)])
    assert mates and told > 0
    share = hour.settings.model.near_repeat.share
    for i in range(len(f)):
        part = 1 if i == teller else share if i in mates else 0
        assert f.memory[i].max() == pytest.approx(told * part)
        assert f.memory_target[i].max() == (5 if part else -1)


def test_dwellings_are_remembered_by_household(hour):
    o, f = row_of(hour, "burglary_home"), hour.offenders
    f.memory_place, f.memory, f.memory_target = -1, 0, -1
    hour.constants.offences.clear[o] = 0
    follow(hour, [(o, 0, 40, 9)])
    assert hour.people.household[40] not in (-1, 40)
    assert f.memory_target[0, f.memory[0].argmax()] == hour.people.household[40]


def test_being_a_victim_frightens_oneself_most_then_the_household(hour):
    o = row_of(hour, "robbery")
    h = hour.households
    home = int(np.flatnonzero(h["size"] >= 3)[0])
    victim = int(h.first[home]) + 1
    hour.people.fear, hour.people.victimised = 0.2, 0
    follow(hour, [(o, -1, victim, 0)])
    impact = hour.constants.offences.impact[o]
    share = hour.settings.model.fear.household
    fear = hour.people.fear
    members = range(h.first[home], h.first[home] + h["size"][home])
    for r in members:
        part = impact if r == victim else impact * share
        np.testing.assert_allclose(fear[r], 0.2 + 0.8 * part, rtol=1e-5)
    others = np.setdiff1d(np.arange(len(fear)), members)
    assert (fear[others] == np.float32(0.2)).all()
    assert hour.people.victimised[victim] == 1


# --- response


def plain_response(place, law, units, busy, x, y):
    """The unit that is first there, and when."""
    times = [busy[u] + math.hypot(x[p] - x[place], y[p] - y[place]) / law.speed
             for u, p in enumerate(units)]
    first = int(np.argmin(times)) if times else -1
    return (times[first], first) if times and times[first] < law.no_unit else (law.no_unit, -1)


def test_the_first_unit_that_can_come_does(hour):
    s, law = hour.places, hour.constants.law
    rng = np.random.default_rng(2)
    where = rng.integers(0, len(s), 6).astype(np.uint16)
    busy = rng.uniform(0, 160, 6).astype(np.float32)
    nobody = 0
    for place in rng.integers(0, len(s), 40):
        minutes, unit = plain_response(place, law, where.copy(), busy.copy(), s.x, s.y)
        expected = where.copy(), busy.copy()
        if unit >= 0:
            expected[0][unit], expected[1][unit] = place, minutes + law.handling
        nobody += unit < 0
        got = aftermath.respond(int(place), law, 6, where, busy, s.x, s.y)
        assert got == pytest.approx(minutes + (law.dispatch if unit >= 0 else 0), rel=1e-5)
        np.testing.assert_array_equal(where, expected[0])
        np.testing.assert_allclose(busy, expected[1], rtol=1e-5)
    assert 0 < nobody < 40
    assert aftermath.respond(0, law, 0, where, busy, s.x, s.y) == law.no_unit


# --- detention


def test_taken_in_and_released_the_stocks_close(hour):
    m = hour
    stock, at_home = m.stock.copy(), m.households.at_home.copy()
    p, f = m.people, m.offenders
    args = (p.at, p.status, p.anchors)
    free = [r for r in f.person if p.status[r] == 0]
    away = [r for r in free if p.at[r] != 0]
    assert away and len(free) > len(away)
    for r in free:
        aftermath.take_in(r, *args, p.group, p.household, m.households.at_home, m.stock)
    gone = m.stock.sum(axis=0) - stock.sum(axis=0)
    assert gone[[people.HOME, people.DAY, people.OUT]].sum() == -len(free)
    assert (p.status[free] == 1).all() and (p.at[free] == 0).all()
    f.released_at = m.step_index + 1
    aftermath.release(m.step_index, f.person, f.released_at, *args, p.household,
                      m.households.at_home, m.stock)
    assert (p.status[free] == 1).all(), "not before their time"
    aftermath.release(m.step_index + 1, f.person, f.released_at, *args, p.household,
                      m.households.at_home, m.stock)
    assert (p.status[f.person] == 0).all()
    home = np.bincount(p.household[:m.n_residents][p.at[:m.n_residents] == 0],
                       minlength=len(m.households))
    np.testing.assert_array_equal(m.households.at_home, home)
    inside = m.stock[:, people.HOME].sum()
    assert inside == home.sum() and (at_home <= home).all()


def test_nobody_is_kept_beyond_their_time(busy_week):
    busy_week.finish()
    f, p = busy_week.offenders, busy_week.people
    detained = p.status[f.person] == 1
    assert detained.any()
    assert (f.released_at[detained] > busy_week.step_index).all()
    others = np.delete(p.status, f.person)
    assert not others.any(), "only holders of the role are detained"


def test_the_order_of_events_does_not_matter(hour):
    """Reports, clearance and fear do not depend on which event stands first."""
    v, o = row_of(hour, "vandalism"), row_of(hour, "theft_person")
    rows = [(o, i, 10 * i, i) for i in range(80)] + [(v, i, -1, 90 + i) for i in range(80, 140)]
    other = copy.deepcopy(hour)
    columns = [PLACE, OFFENCE, VICTIM, REPORTED, RECORDED, CLEARED]
    forth = follow(hour, rows)[:, columns]
    back = follow(other, rows[::-1])[::-1][:, columns]
    assert forth[:, 3:].any(axis=0).all()
    np.testing.assert_array_equal(forth, back)

"""Guardians on their rounds: where they go, what their presence leaves, whom they stop."""

import copy
import math

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import patrol, people, random
from citysim.kernels.patrol import BEAT, HOT_SPOT, RANDOM
from citysim.model import phases

LEAST_P = 1e-4


@pytest.fixture
def hour(evening):
    """Saturday 22:00 when people have moved and patrols are about to go out."""
    phases.clock(evening)
    phases.move(evening)
    evening.places.deterrence = 0
    evening.places.patrol_minutes = 0
    evening.counts[:] = 0
    return evening


def go(m, strategy, units, *, hours=1.0, step=0, dwell=10.0, contacts=0.0, quality=0.5,
       consultation=0.0, rounds=None, seed=1):
    """One step of units of one strategy; where they were last."""
    s, h = m.places, m.households
    where = np.zeros(max(1, units), np.uint16)
    patrol.patrol(strategy, units, hours, step, random.address(seed, 10, step),
                  random.address(seed, 11, step), rounds or m.constants.rounds, dwell, contacts,
                  quality, s.procedural_quality, consultation, m.hot_places, m.beats.start,
                  m.beats.items, s.disorder, s.recorded, s.deterrence, s.patrol_minutes,
                  m.neighbours.start, m.neighbours.items, m.place_rows, m.hour.step_seconds,
                  m.world.first_household, h.first, h["size"], m.people.age,
                  m.people.trust_police, m.people.trust_city,
                  where, m.stop_list, m.counts)
    return where


def without(m, **changes):
    return m.constants.rounds._replace(**changes)


def test_a_visit_leaves_deterrence_here_and_a_share_next_door(hour):
    m, dwell, spill = hour, 12.0, 0.2
    built = 1 - math.exp(-dwell / m.constants.rounds.tau_build)
    place = 40
    expected = np.linspace(0, 0.9, len(m.places))
    m.places.deterrence = expected
    expected[place] += (1 - expected[place]) * built
    for t in m.neighbours[place]:
        expected[t] += (1 - expected[t]) * built * spill
    patrol.visit(place, dwell, built, spill, m.places.deterrence, m.places.patrol_minutes,
                 m.neighbours.start, m.neighbours.items)
    np.testing.assert_allclose(m.places.deterrence, expected, rtol=1e-6)
    assert m.places.patrol_minutes[place] == dwell == m.places.patrol_minutes.sum()


def test_deterrence_fades_to_one_over_e_in_its_time(town):
    m = town({"model.deterrence.tau_decay": 3.0})
    m.places.deterrence = 0.9
    m.places.patrol_minutes = 7
    for _ in range(3):
        patrol.fade_deterrence(m.places.deterrence, m.places.patrol_minutes,
                               m.constants.keep_deterrence)
    np.testing.assert_allclose(m.places.deterrence, 0.9 / math.e, rtol=1e-5)
    assert not m.places.patrol_minutes.any()


def test_a_hot_spot_round_sees_every_place_in_turn(hour):
    hour.hot_places = np.array([3, 17, 30, 31, 90], np.int32)
    rounds = without(hour, spill=0.0, move_minutes=5.0)
    go(hour, HOT_SPOT, 5, dwell=10.0, rounds=rounds)
    # five units, four stops of 10 + 5 minutes an hour
    assert hour.counts[0] == 20
    expected = np.zeros(len(hour.places))
    expected[hour.hot_places] = 40
    np.testing.assert_allclose(hour.places.patrol_minutes, expected)
    four = 1 - math.exp(-4 * 10 / rounds.tau_build)
    np.testing.assert_allclose(hour.places.deterrence[hour.hot_places], four, rtol=1e-5)


def test_without_records_there_is_no_hot_spot(hour):
    hour.hot_places = np.zeros(0, np.int32)
    go(hour, HOT_SPOT, 4)
    assert hour.counts[0] == 0 and not hour.places.patrol_minutes.any()


def test_random_patrols_go_everywhere_alike(hour):
    visits = np.zeros(len(hour.places))
    rounds = without(hour, spill=0.0)
    for step in range(120):
        hour.places.patrol_minutes = 0
        go(hour, RANDOM, 20, step=step, rounds=rounds)
        visits += hour.places.patrol_minutes / 10
    assert visits.sum() == 120 * 20 * 60 // (10 + rounds.move_minutes)
    assert stats.chisquare(visits).pvalue > LEAST_P


def test_a_beat_officer_keeps_to_the_beat(hour):
    beats, n = hour.beats, len(hour.beats)
    assert n >= 2
    np.testing.assert_array_equal(np.sort(beats.items), np.arange(len(hour.places)))
    for unit_count in range(1, n + 1):
        hour.places.patrol_minutes = 0
        go(hour, BEAT, unit_count, rounds=without(hour, spill=0.0), step=unit_count)
        walked = np.flatnonzero(hour.places.patrol_minutes)
        assert set(walked) <= set(np.concatenate([beats[b] for b in range(unit_count)]))


def test_consultation_sends_beats_where_the_trouble_is(hour):
    hour.places.disorder = np.random.default_rng(1).uniform(0, 1, len(hour.places))
    hour.places.recorded = 0
    seen = []
    for consultation in (0.0, 1.0):
        minutes = np.zeros(len(hour.places))
        for step in range(60):
            hour.places.patrol_minutes = 0
            go(hour, BEAT, 6, step=step, consultation=consultation)
            minutes += hour.places.patrol_minutes
        seen.append(minutes @ hour.places.disorder / minutes.sum())
    # the worse of two places in one beat, uniform disorder: two thirds on average against a half
    assert seen[0] == pytest.approx(0.5, abs=0.06)
    assert seen[1] == pytest.approx(2 / 3, abs=0.06)


@pytest.mark.parametrize(("units", "dwell"), [((1, 4), (10, 10)), ((3, 3), (6, 14)),
                                              ((2, 6), (15, 15))])
def test_more_patrol_minutes_never_lower_deterrence(hour, units, dwell):
    """Along the same round, in number and length of stops."""
    hour.hot_places = np.arange(0, 12, dtype=np.int32)
    left = []
    for n, minutes in zip(units, dwell, strict=True):
        m = copy.deepcopy(hour)
        rounds = without(m, move_minutes=20.0 - minutes)  # as many stops however long they are
        go(m, HOT_SPOT, n, dwell=float(minutes), rounds=rounds)
        left.append((m.places.deterrence.copy(), m.places.patrol_minutes.sum()))
    assert left[1][1] > left[0][1]
    assert (left[1][0] >= left[0][0] - 1e-7).all() and left[1][0].sum() > left[0][0].sum()


@pytest.mark.parametrize("hours", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("dwell", [10.0, 25.0, 60.0])
def test_units_do_not_work_longer_than_the_clock(hour, hours, dwell):
    """Over four hours no more minutes on the spot than units were out, but for a last stop."""
    rounds = without(hour, spill=0.0)
    steps, units = round(4 / hours), 3
    for step in range(steps):
        go(hour, RANDOM, units, hours=hours, step=step, dwell=dwell, rounds=rounds)
    worked = hour.places.patrol_minutes.sum()
    assert 0 < worked <= units * (4 * 60 + dwell)


def test_talks_move_trust_by_the_quality_of_the_contact(hour):
    m, rounds = hour, hour.constants.rounds
    police, city = m.people.trust_police.copy(), m.people.trust_city.copy()
    go(m, BEAT, 6, contacts=6.0, quality=1.0)
    talks = m.counts[1]
    change = m.people.trust_police
    moved = np.flatnonzero(change != police)
    assert len(moved) > 5
    assert (m.people.age[moved] >= 14).all() and (moved < m.n_residents).all()
    # each contact takes the same share of the way to the trust of those who expect just that
    settled = rounds.usual_trust + (1 - rounds.expected_quality) / rounds.expected_slope
    left = ((settled - change) / (settled - police.astype(float)))[moved]
    count = np.log(left) / np.log(1 - rounds.contact_trust * rounds.expected_slope)
    full = (change[moved] >= 1) | (police[moved] < 0.05)  # nobody expects less than nothing
    np.testing.assert_allclose(count[~full], np.round(count[~full]), atol=1e-4)
    assert np.round(count[~full]).sum() <= talks
    half = (m.people.trust_city - city)[moved]
    open_ended = ~full & (m.people.trust_city[moved] < 1)
    np.testing.assert_allclose(half[open_ended], 0.5 * (change - police)[moved][open_ended],
                               atol=1e-5)
    walked = np.flatnonzero(m.places.patrol_minutes)
    assert set(m.people.anchors[moved, 0]) <= set(walked)
    worse = copy.deepcopy(m)
    before = worse.people.trust_police.copy()
    go(worse, BEAT, 6, contacts=6.0, quality=0.0, step=1)
    assert (worse.people.trust_police <= before).all()
    assert (worse.people.trust_police < before).any()


def test_a_contact_is_judged_by_what_the_person_expects(hour):
    """The same fair contact raises low trust and lowers high trust; without a slope neither."""
    r = hour.constants.rounds
    usual, fair = r.usual_trust, r.expected_quality
    assert patrol.expected_of(r, usual) == fair
    assert usual == hour.settings.model.trust.usual_police
    trust = np.linspace(0, 1, 21)
    expects = np.array([patrol.expected_of(r, t) for t in trust])
    assert (np.diff(expects) >= 0).all() and expects[-1] > fair > expects[0] >= 0
    flat = without(hour, expected_slope=0.0)
    assert {patrol.expected_of(flat, t) for t in trust} == {fair}
    for rounds, moves in ((r, True), (flat, False)):
        m = copy.deepcopy(hour)
        low = np.arange(len(m.people)) % 2 == 0
        before = np.where(low, usual - 0.3, usual + 0.3).astype(np.float32)
        m.people.trust_police = before
        go(m, BEAT, 6, contacts=6.0, quality=fair, rounds=rounds)
        change = m.people.trust_police - before
        assert m.counts[1] > 10
        assert (change[low] > 0).any() == moves and (change[low] >= 0).all()
        assert (change[~low] < 0).any() == moves and (change[~low] <= 0).all()


def test_officers_who_are_unfair_to_those_who_expect_it_leave_their_trust(hour):
    """Trust settles where expectation meets quality, wherever it came from."""
    r = hour.constants.rounds
    poor = r.expected_quality - 0.2
    settled = r.usual_trust - 0.2 / r.expected_slope
    hour.people.trust_police = settled
    go(hour, BEAT, 6, contacts=6.0, quality=poor)
    assert hour.counts[1] > 10
    np.testing.assert_allclose(hour.people.trust_police, settled, atol=1e-6)


def stop(m, places, quality=0.5, seed=1):
    """Resolve wanted stops at given places; rows of the people stopped."""
    for k, s in enumerate(places):
        m.stop_list[k] = s, 64 * k
    made = np.zeros(len(m.stop_list), np.int64)
    n = patrol.stop_people(len(places), m.stop_list, random.address(seed, 11, 1),
                           m.constants.rounds, quality, m.places.procedural_quality,
                           m.place_rows, m.world.passers.start, m.world.passers.items, m.moved,
                           m.people.group, m.people.foreign, m.people.trust_police,
                           m.people.stops, made)
    return made[:n]


def test_whoever_is_stopped_was_passing(hour):
    m, stopped = hour, []
    m.people.stops = 0
    flow = m.place_rows[:, people.FLOW] & np.uint64(people.FIELD_MASK)
    for seed in range(10):
        for s in np.flatnonzero(flow):
            for r in stop(m, [s], seed=seed):
                trip = int(m.moved[r]) - 1
                ways = [m.population.route(r, k) for k in (trip // 5, trip % 5) if k]
                assert trip >= 0 and any(s in way for way in ways)
                stopped.append(r)
    assert len(stopped) > 100
    np.testing.assert_array_equal(m.people.stops, np.bincount(stopped, minlength=len(m.people)))
    assert len(stop(m, np.flatnonzero(flow == 0)[:20])) == 0


def passages(m, r, place):
    """How often a person crosses a place in this hour."""
    trip = divmod(int(m.moved[r]) - 1, 5) if m.moved[r] else (0, 0)
    return sum(int((m.population.route(r, a) == place).sum()) for a in trip if a)


def test_stops_fall_on_whom_officers_select(hour):
    """By passage: young people and foreigners more often, women at their weight."""
    m = hour
    k = m.settings.model.patrol
    place = int(np.argmax(m.place_rows[:, people.FLOW] & np.uint64(people.FIELD_MASK)))
    first, last = m.world.passers.start[place:place + 2]
    walkers = {r: passages(m, r, place) for r in np.unique(m.world.passers.items[first:last] >> 2)
               if passages(m, r, place)}
    stopped = np.concatenate([stop(m, [place], seed=seed) for seed in range(6000)])
    weight = np.zeros(len(m.people))
    p = m.people
    for r in walkers:
        weight[r] = (walkers[r] * (k.stop_young if p.age[r] < 25 else 1)
                     * (k.stop_foreign if p.foreign[r] else 1))
    women = p.sex == 1
    rows = np.array(list(walkers))
    for chosen in (rows[women[rows]], rows[~women[rows]]):
        counts = np.bincount(stopped, minlength=len(p))[chosen]
        assert counts.sum() > 50
        due = weight[chosen] / weight[chosen].sum() * counts.sum()
        assert stats.chisquare(counts, due).pvalue > LEAST_P
    w, men = (weight[rows[chosen]].sum() for chosen in (women[rows], ~women[rows]))
    share = k.stop_women * w / (k.stop_women * w + men)
    assert stats.binomtest(int(women[stopped].sum()), len(stopped), share).pvalue > LEAST_P


def test_stops_lower_or_raise_trust_by_their_quality(hour):
    flow = hour.place_rows[:, people.FLOW] & np.uint64(people.FIELD_MASK)
    places = np.flatnonzero(flow)[:40]
    for quality, sign in ((0.1, -1), (0.9, 1)):
        before = hour.people.trust_police.copy()
        stopped = stop(hour, places, quality)
        change = hour.people.trust_police - before
        assert len(stopped) > 3
        assert (sign * change[stopped] >= 0).all() and (sign * change[stopped] > 0).any()
        assert not np.delete(change, stopped).any()


def test_units_work_through_their_queue():
    busy = np.array([0, 30, 200], np.float32)
    patrol.work_off(1.0, 2.0, 45.0, busy, 3)
    np.testing.assert_allclose(busy, [0, max(0, 30 + 30 - 60), 200 + 30 - 60])


def test_duty_follows_the_profile_on_average(town):
    m = town({"model.patrol.duty_national": [0.5] * 24})
    out = []
    for step in range(3000):
        m.step_index = step
        out.append(m.on_duty(RANDOM, 3.7))
    mean = 0.5 * 3.7
    assert set(out) == {1, 2}
    share = stats.binomtest(out.count(2), len(out), mean - 1)
    assert share.pvalue > LEAST_P


def test_patrols_are_told_to_the_guardians_table(town):
    m = town()
    for _ in range(20):
        m.step()
    g = m.guardians
    g.validate()
    assert (g.place < len(m.places)).all()
    for kind, rows in m.guardian_rows.items():
        assert (g.kind[rows] == kind).all()

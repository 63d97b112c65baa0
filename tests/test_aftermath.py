"""What follows an offence: reports by their odds, response, arrest, memory, fear."""
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
from citysim.model import phases
from whole_model import row_of

LEAST_P = 1e-4


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


@pytest.mark.parametrize("taken", [0.5, 0.0])
def test_who_comes_back_finds_less_and_so_do_co_offenders(hour, taken):
    """Three successes at once: here, here again, next door."""
    f, o = hour.offenders, row_of(hour, "theft_from_vehicle")
    f.memory_place, f.memory, f.memory_target = -1, 0, -1
    hour.constants.offences.clear[o] = 0
    hour.constants = dataclasses.replace(
        hour.constants, law=hour.constants.law._replace(taken=taken))
    first, share = hour.constants.offences.memory[o], hour.settings.model.near_repeat.share
    teller = int(np.flatnonzero(f.group >= 0)[0])
    mate = int(next(i for i in hour.groups[f.group[teller]] if i != teller))
    here, = hour.neighbours[9][:1]
    left = 1 - taken

    def known(i, place):
        return float(f.memory[i, f.memory_place[i] == place].max(initial=0.0)) / first

    follow(hour, [(o, teller, 5, 9)])
    assert (known(teller, 9), known(mate, 9)) == pytest.approx((1, share))
    follow(hour, [(o, teller, 6, 9)])
    assert known(teller, 9) == pytest.approx(left)
    assert known(mate, 9) == pytest.approx((1 - taken * share) * share)
    follow(hour, [(o, teller, 7, here)])
    assert known(teller, here) == pytest.approx(1 - taken * left)
    assert known(teller, 9) == pytest.approx(left * (1 - taken))


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
    rows = [(o, i, 10 * i, i) for i in range(80)] + [(v, i, -1, i) for i in range(80, 140)]
    other = copy.deepcopy(hour)
    columns = [PLACE, OFFENCE, VICTIM, REPORTED, RECORDED, CLEARED]
    forth = follow(hour, rows)[:, columns]
    back = follow(other, rows[::-1])[::-1][:, columns]
    assert forth[:, 3:].any(axis=0).all()
    np.testing.assert_array_equal(forth, back)

"""Offenders: who is moved, what is weighed, what is chosen, and what is remembered."""

import copy
import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import aftermath, offending, random, streams
from citysim.kernels.parallel import chunk_bounds
from citysim.model import phases

LEAST_P = 1e-4


@pytest.fixture
def hour(evening):
    """Saturday 22:00 before offenders decide; many of them have memories."""
    for _, phase in phases.PHASES[:5]:
        phase(evening)
    assert phases.PHASES[5][0] == "offenders"
    f, rng = evening.offenders, np.random.default_rng(5)
    f.memory_place = rng.integers(-1, len(evening.places), f.memory_place.shape)
    f.memory = rng.uniform(0, 1, f.memory.shape) * (f.memory_place >= 0)
    f.memory_offence = rng.integers(0, len(evening.constants.offences.names), f.memory.shape)
    f.propensity = 3 * f.propensity
    return evening


def rate(m, i):
    """Motivations expected in the hour."""
    f, d, r = m.offenders, m.constants.drive, m.offenders.person[i]
    factor = {0: d.at_home, 1: d.at_day_place}.get(int(m.people.at[r]), d.out)
    own = d.rate * (1 + company(m, r)) * f.propensity[i]
    return ((own + d.memory_drive * f.memory[i].max()) * factor
            * math.exp(-d.arrest_weight * f.perceived_risk[i]))


def company(m, r):
    """What peers at the place of leisure add, in plain words of the settings."""
    o, years, k = m.settings.model.offending, int(m.people.age[r]), int(m.people.at[r])
    if k < 2:
        return 0.0
    s = m.people.anchors[r, k]
    others = max(0.0, m.young[s] - m.settings.model.guardianship.outdoors / m.scale) / m.stretch[s]
    led = np.interp(years, [o.company_until, o.company_end], [1, 0])
    return (o.company * led * others / (others + o.company_half)
            * (1 - float(m.places.guardianship[s])))


def known(m, i):
    """Places thought of, with their weight: the first reason to think of a place counts."""
    f, p, r = m.offenders, m.people, m.offenders.person[i]
    here = int(p.anchors[r, p.at[r]])
    near, home = m.neighbours, int(p.anchors[r, 0])
    order = [(s, m.constants.drive.near_home) for s in (home, *near[home])]
    order += [(s, 1) for s in (here, *near[here])]
    for place, strength in zip(f.memory_place[i], f.memory[i], strict=True):
        if place >= 0 and strength >= offending.FORGOTTEN:
            order += [(place, 1), *((s, 1) for s in near[place])]
    order += [(s, 1) for s in p.anchors[r, 1:]]
    for haunt in f.haunts[i]:
        order += [(s, m.constants.drive.prowl) for s in (haunt, *near[haunt])]
    order += [(s, 1) for s in m.population.route(r, 1)]
    if p.at[r] > 1:
        order += [(s, 1) for s in m.population.route(r, int(p.at[r]))]
    weight = {}
    for place, w in order:
        if len(weight) < offending.MAX_CANDIDATES:
            weight.setdefault(int(place), w)
    return here, weight


def worth(m, i):
    """Worth of every known opportunity, {place: array by offence}."""
    f, s, k, d = m.offenders, m.places, m.constants.offences, m.constants.drive
    here, weight = known(m, i)
    z = [random.bell(np.uint64(random.draw2(d.leanings, f.person[i], o)))
         for o in range(m.value.shape[1])]
    leaning = np.exp(d.specialisation * np.array(z) - d.specialisation**2 / 2)
    out = {}
    for place, w in weight.items():
        away = math.hypot(s.x[place] - s.x[here], s.y[place] - s.y[here])
        out[place] = m.value[place] * w * math.exp(-away / d.effort) * leaning
        for spot, o, strength in zip(f.memory_place[i], f.memory_offence[i], f.memory[i],
                                     strict=True):
            if spot < 0 or strength < offending.FORGOTTEN:
                continue
            if spot == place:
                out[place][o] *= 1 + k.memory_own[o] * strength
            elif place in m.neighbours[spot]:
                out[place][o] *= 1 + k.memory_near[o] * strength
    return out


def plain_offend(m):
    """Hazards and acts {row of offender: (place, offence)} in plain Python."""
    hazard = np.zeros_like(m.recorder.hazard)
    acts, motivated = {}, 0
    for i, r in enumerate(m.offenders.person):
        luck = random.uniform(m.key(streams.MOTIVATION), r)
        if not m.offenders.active[i] or m.people.status[r] or luck >= rate(m, i):
            continue
        motivated += 1
        weights = worth(m, i)
        total = sum(w.sum() for w in weights.values())
        for place, w in weights.items():
            hazard[place] += w / (1 + total)
        if random.uniform(m.key(streams.COMMIT), r) < total / (1 + total):
            late = {(s, o): -math.log(random.uniform2(m.key(streams.TARGET), r,
                                                      s * len(w) + o)) / w[o]
                    for s, w in weights.items() for o in range(len(w)) if w[o] > 0}
            acts[i] = min(late, key=late.get)
    return hazard, acts, motivated


def offend(m):
    """The phase of offenders alone, without frictions; events as rows."""
    k = m.constants.offences
    k.level[k.of_form(phases.places.FRICTION)] = 0
    before = m.recorder.n_events
    m.recorder.hazard[:] = 0
    m.recorder.total[:] = 0
    phases.offenders(m)
    return m.recorder.events[before:m.recorder.n_events]


def test_offenders_lean_to_some_offences_for_good(hour):
    """Of kinds that all do alike, the same follows the same by the published excess."""
    drive, people, kinds = hour.constants.drive, 20_000, 7
    made = np.array([offending.leanings(r, drive, kinds) for r in range(people)])
    np.testing.assert_array_equal(made[5], offending.leanings(5, drive, kinds))
    assert made.mean() == pytest.approx(1, abs=4 * 1.2 / np.sqrt(made.size))
    assert abs(np.corrcoef(made[:, 0], made[:, 1])[0, 1]) < 4 / np.sqrt(people)
    # Who did one of them before does it again with chance p (1 + excess), seldom as all are done.
    p = 1 / kinds
    again = p * np.average(made[:, 0], weights=made[:, 0])
    assert (again - p) / (1 - p) == pytest.approx(0.2, abs=0.03)
    assert (offending.leanings(5, drive._replace(specialisation=0.0), kinds) == 1).all()


def test_offending_agrees_with_a_plain_pass(hour):
    m = hour
    hazard, acts, motivated = plain_offend(m)
    assert motivated > 20 and len(acts) > 5
    before = m.recorder.motivated
    events = offend(m)
    assert m.recorder.motivated - before == motivated
    np.testing.assert_allclose(m.recorder.hazard, hazard, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(m.recorder.total, hazard.sum(axis=0), rtol=1e-4)
    found = {int(e[aftermath.OFFENDER]): (int(e[aftermath.PLACE]), int(e[aftermath.OFFENCE]))
             for e in events}
    assert found == acts
    assert (events[:, aftermath.STEP] == m.step_index).all()
    assert (events[:, aftermath.VICTIM] == -1).all()


def peers(m, at=2, years=16, young=3.0, watched=0.0, **drive):
    """Companionship of the first resident, whose place of leisure is made so."""
    m.people.at[0], m.people.age[0] = at, years
    s = m.people.anchors[0, at]
    m.young[s], m.places.guardianship[s], m.stretch[s] = young, watched, 1.0
    return offending.companionship(
        0, m.constants.drive._replace(**drive), m.people.at, m.people.anchors, m.people.age,
        m.young, m.stretch, m.places.guardianship)


def test_company_counts_among_peers_at_leisure_whom_nobody_watches(hour):
    m, d = hour, hour.constants.drive
    full = peers(m)
    assert 0 < full < d.company
    assert peers(m, at=0) == peers(m, at=1) == 0
    # Alone one is no company to oneself; half of it comes with as many others as configured.
    assert peers(m, young=d.oneself) == peers(m, young=0.0) == 0
    assert peers(m, young=d.oneself + d.company_half) == pytest.approx(d.company / 2)
    assert peers(m, young=30.0) > full
    assert peers(m, watched=0.25) == pytest.approx(0.75 * full, rel=1e-6)
    assert peers(m, watched=1.0) == 0
    ages = [peers(m, years=years) for years in range(12, 70)]
    assert (np.diff(ages) <= 0).all() and ages[0] == full
    assert peers(m, years=int(d.company_end)) == 0
    assert peers(m, company=0.0) == 0


def test_company_moves_the_young_who_are_out_and_nobody_else(hour):
    m, p, f = hour, hour.people, hour.offenders
    f.memory[:] = 0
    m.young[:], m.places.guardianship[:] = 50.0, 0.0
    drive = m.constants.drive._replace(rate=0.05)

    def moved(company):
        out = np.zeros(len(f) + 1, np.uint64)
        n = offending.motivate(
            0, len(f), m.key(streams.MOTIVATION), 1.0, drive._replace(company=company), f.person,
            f.active, f.propensity, f.memory, f.perceived_risk, p.at, p.status, p.anchors, p.age,
            m.young, m.stretch, m.places.guardianship, out)
        return set(out[:n].tolist())

    alone, together = moved(0.0), moved(5.0)
    assert alone < together
    rows = f.person[np.array(sorted(together - alone), int)]
    assert (p.at[rows] >= 2).all() and (p.age[rows] < drive.company_end).all()


def test_a_cue_is_what_full_disorder_adds_to_the_log_odds_of_acting(hour, monkeypatch):
    """One who is moved, one offence, all streets alike: P = S / (1 + S)."""
    m, k = hour, hour.constants.offences
    m.constants = dataclasses.replace(
        m.constants, watch=m.constants.watch._replace(disorder_loss=0.0))
    row = k.names.index("theft_person")
    k.level[np.arange(len(k.names)) != row] = 0
    k.disorder_cue[row] = 0.8

    def chance(i, disorder):
        monkeypatch.setattr(phases, "motivate", lambda m: np.array([i], m.motivated.dtype))
        m.places.disorder[:] = disorder
        phases.observe_places(m)
        m.place_marks[:] = -1  # the same offender once more in this step
        offend(m)
        return m.recorder.total[row]

    unsure = [i for i in range(40) if 0.05 < chance(i, 0.0) < 0.95]
    assert len(unsure) > 5
    for i in unsure:
        before, half, full = (math.log(p / (1 - p)) for p in
                              (chance(i, disorder) for disorder in (0.0, 0.5, 1.0)))
        assert half - before == pytest.approx(0.4, abs=1e-5)
        assert full - before == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_it_does_not_matter_how_many_are_weighed_at_once_or_by_whom(hour, threads):
    other = copy.deepcopy(hour)
    other.threads = threads
    other.candidate, other.expected, other.chosen = (
        a[:7].copy() for a in (hour.candidate, hour.expected, hour.chosen))
    other.place_marks = np.tile(hour.place_marks, (threads, 1))
    other.offender_bounds = chunk_bounds(len(other.offenders), threads)
    other.chunk_counts = np.zeros(threads, np.int64)
    events = [offend(m).tolist() for m in (hour, other)]
    assert len(events[0]) > 5 and events[0] == events[1]
    assert hour.recorder.motivated == other.recorder.motivated > 7
    np.testing.assert_array_equal(hour.recorder.hazard, other.recorder.hazard)
    np.testing.assert_array_equal(hour.recorder.total, other.recorder.total)


def test_motivated_offenders_are_the_same_whatever_is_on_offer(hour):
    other = copy.deepcopy(hour)
    other.value[:] *= 0.5
    counts = []
    for m in (hour, other):
        before = m.recorder.motivated
        events = offend(m)
        counts.append((m.recorder.motivated - before, {int(e[3]) for e in events},
                       m.recorder.total.sum()))
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] <= counts[0][1], "with less on offer nobody new begins"
    assert counts[1][2] < counts[0][2]


def test_one_worse_place_leaves_the_choices_of_others_alone(hour):
    """Only whom a place tempted is moved by what happens to it; the race keeps the rest."""
    other = copy.deepcopy(hour)
    acts = {int(e[3]): tuple(e[1:3]) for e in offend(copy.deepcopy(hour))}
    place = Counter(p for p, _ in acts.values()).most_common(1)[0][0]
    other.value[place] *= 0.01
    after = {int(e[3]): tuple(e[1:3]) for e in offend(other)}
    kept = {i for i, (p, _) in acts.items() if p != place}
    assert kept and len(kept) < len(acts)
    for i in kept & set(after):
        assert after[i] == acts[i]
    assert set(after) <= set(acts)


@pytest.mark.parametrize("form", range(10))
def test_a_heavier_weight_of_certainty_never_raises_the_offence(hour, form):
    lighter = copy.deepcopy(hour)
    k = hour.constants.offences
    k.beta[form] += 1.0
    sums = []
    for m in (hour, lighter):
        phases.observe_places(m)
        phases.offenders(m)
        sums.append(m.recorder.total[form])
    if k.form[form] == phases.places.HOUSEHOLD:
        assert sums[0] == sums[1] == 0
    elif k.form[form] == phases.places.SHOP:
        assert sums[0] == sums[1] == 0, "shops are shut at this hour"
    else:
        assert sums[0] < sums[1]


def test_without_value_or_motive_nothing_happens(hour):
    empty = copy.deepcopy(hour)
    empty.value[:] = 0
    assert len(offend(empty)) == 0 and empty.recorder.total.sum() == 0
    assert empty.recorder.motivated > 0
    hour.offenders.active = 0
    hour.recorder.motivated = 0
    assert len(offend(hour)) == 0 and hour.recorder.motivated == 0


def test_people_in_detention_do_not_offend(hour):
    expected = {i for i, (p, o) in plain_offend(hour)[1].items()}
    inside = sorted(expected)[:len(expected) // 2]
    hour.people.status[hour.offenders.person[inside]] = 1
    assert {int(e[3]) for e in offend(hour)} == expected - set(inside)


def test_a_full_record_stays_in_bounds(hour):
    hour.recorder.LIMIT = hour.recorder.n_events + 2
    assert len(offend(hour)) == 2


def test_the_race_is_won_in_proportion_to_weight():
    weight = np.zeros((offending.MAX_CANDIDATES, 10))
    weight[:3, :2] = [[1, 2], [0, 3], [0.5, 1.5]]
    candidate = np.arange(offending.MAX_CANDIDATES) * 7 + 1
    n = 8000
    key = random.address(1, 2, 3)
    won = Counter(offending.race(key, r, 3, 10, candidate, weight) for r in range(n))
    assert all(weight[(s - 1) // 7, o] > 0 for s, o in won)
    shares = weight[:3, :2].ravel()
    counts = [won[7 * c + 1, o] for c in range(3) for o in range(2)]
    assert counts[2] == 0
    there = shares > 0
    assert stats.chisquare(np.array(counts)[there],
                           n * shares[there] / shares.sum()).pvalue > LEAST_P


def test_a_race_without_runners_has_no_winner():
    nothing = np.zeros((offending.MAX_CANDIDATES, 10))
    candidate = np.arange(offending.MAX_CANDIDATES)
    assert offending.race(np.uint64(1), 3, 5, 10, candidate, nothing) == (-1, -1)


def test_acts_come_as_often_as_their_hazard_says(town, busy_changes):
    """Counted acts against expected ones over a week, per offence."""
    m = town(busy_changes, seed=4)
    expected = np.zeros(len(m.constants.offences.names))
    acts = expected.copy()
    for _ in range(168):
        for _, phase in phases.PHASES[:5]:
            phase(m)
        before = m.recorder.n_events
        phases.offenders(m)
        new = m.recorder.events[before:m.recorder.n_events, aftermath.OFFENCE]
        acts += np.bincount(new, minlength=len(acts))
        expected += m.recorder.total
        m.recorder.total[:] = 0
        m.recorder.n_events = before
        m.step_index += 1
    # A sum of independent choices varies by no more than a Poisson number of the same mean.
    enough = expected > 20
    assert enough.sum() >= 7
    assert (np.abs(acts - expected)[enough] < 4.5 * np.sqrt(expected[enough])).all()


def test_offenders_start_as_asked(town):
    even = {f"model.life.{key}": 0.02 for key in ("onset_base", "desist_base")}
    m = town({"model.offending.role_share": 0.1, "model.life.desist_age": 0,
              "model.life.desist_job": 1, "model.life.onset_neet": 1, **even})
    f, n = m.offenders, len(m.offenders)
    ages = m.people.age[:m.n_residents]
    assert n == round(0.1 * ((ages >= 12) & (ages <= 69)).sum())
    assert len(np.unique(f.person)) == n and (f.person < m.n_residents).all()
    assert stats.binomtest(int(f.active.sum()), n, 0.5).pvalue > LEAST_P
    assert f.propensity.mean() == pytest.approx(1, rel=1e-5) and (f.propensity >= 0).all()
    np.testing.assert_array_equal(m.role[f.person], np.arange(n))
    assert (m.role >= 0).sum() == n
    for i in np.flatnonzero(f.group >= 0)[:50]:
        mates = m.groups[f.group[i]]
        assert i in mates and len(mates) > 1
    f.validate()


def test_the_active_are_as_ready_as_one_whoever_is_active(town):
    """By construction, but for the luck of who is active."""
    m = town({"model.offending.role_share": 0.9})
    f = m.offenders
    assert f.propensity.mean() < 1  # the old are ready less and active less
    active = f.propensity[f.active == 1].astype(float)
    assert abs(active.mean() - 1) < 4.5 * active.std() / math.sqrt(len(active))


# --- memory


def test_memories_fade_by_half_in_a_half_life(town):
    m = town({"model.near_repeat.half_life": 5})
    memory = np.full((3, 4), 0.8, np.float32)
    for _ in range(5):
        offending.fade_memories(memory, m.constants.keep_memory)
    np.testing.assert_allclose(memory, 0.4, rtol=1e-5)


def test_the_weakest_memory_gives_way():
    place = np.array([[3, 8, 5, -1]], np.int32)
    memory = np.array([[0.5, 0.2, 0.9, 0.0]], np.float32)
    offence = np.array([[1, 1, 2, 0]], np.int16)
    target = np.full((1, 4), -1, np.int32)

    def remember(where, what, strength, whom=-1):
        offending.remember(0, where, what, whom, strength, place, memory, offence, target)
        return [tuple(x) for x in zip(place[0].tolist(), offence[0].tolist(),
                                      memory[0].astype(float).round(3).tolist(), strict=True)]

    first, second, third = (3, 1, 0.5), (8, 1, 0.2), (5, 2, 0.9)
    assert remember(11, 4, 1.0) == [first, second, third, (11, 4, 1)]
    assert remember(12, 4, 1.0) == [first, (12, 4, 1), third, (11, 4, 1)]
    assert remember(5, 2, 0.3) == [first, (12, 4, 1), third, (11, 4, 1)], "fresher stays"
    assert remember(3, 1, 0.7) == [(3, 1, 0.7), (12, 4, 1), third, (11, 4, 1)]
    assert remember(20, 0, 0.6) == [(3, 1, 0.7), (12, 4, 1), third, (11, 4, 1)], "too faint"
    assert remember(3, 9, 0.8)[0] == (3, 9, 0.8), "another offence there is another memory"
    remember(3, 9, 0.9, whom=70)
    assert target[0].tolist() == [70, -1, -1, -1], "the latest whom the act hit"
    remember(3, 9, 0.4, whom=80)
    assert target[0, 0] == 70 and memory[0, 0] == np.float32(0.9), "hearsay does not replace it"
    remember(40, 2, 1.0, whom=90)
    assert target[0, place[0].tolist().index(40)] == 90


def test_a_return_finds_less_and_leaves_less_to_come_back_for():
    """Places 0, 1 and 2 stand in a row; of four memories three are of burglary (1)."""
    start, items = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1])
    offence = np.array([[1, 1, 1, 2]], np.int16)

    def left(place, what, taken, where=(0, 1, 2, 1), strength=(0.4, 0.8, 1.0, 1.0), full=1.0):
        memory = np.array([strength], np.float32)
        share = offending.use_up(0, place, what, taken, full, np.array([where], np.int32), memory,
                                 offence, start, items)
        return share, memory[0].tolist()

    share, memory = left(0, 1, 0.5)
    assert share == pytest.approx(1 - 0.5 * 0.8), "the fresher of here and next door"
    assert memory == pytest.approx([0.2, 0.4, 1.0, 1.0]), "two doors off and thefts stay"
    assert left(1, 1, 1.0) == (0.0, [0.0, 0.0, 0.0, 1.0])
    assert left(1, 1, 0.0) == (1.0, pytest.approx([0.4, 0.8, 1.0, 1.0]))
    assert left(2, 3, 0.5)[0] == 1.0, "nothing of the kind is remembered"
    assert left(1, 1, 0.5, strength=(0.1, 0.2, 0, 0), full=0.2)[0] == pytest.approx(0.5)
    assert left(1, 1, 0.5, strength=(0.0, 0.3, 0, 0), full=0.2)[0] == 0.5, "never less"
    assert left(1, 1, 0.5, full=0.0)[0] == 1.0
    assert left(0, 1, 0.5, where=(-1, -1, -1, -1))[0] == 1.0


def test_a_success_draws_the_offender_back_and_next_door(hour):
    m = hour
    m.offenders.memory = 0
    m.offenders.memory_place = -1
    i = int(np.argmax([rate(m, j) * m.offenders.active[j] * (m.people.status[r] == 0)
                       for j, r in enumerate(m.offenders.person)]))
    place, o = known(m, i)[0], m.constants.offences.names.index("vandalism")
    m.offenders.propensity = 0  # only this offender is moved, whatever the luck
    m.offenders.propensity[i] = 1e6
    without = copy.deepcopy(m)
    m.offenders.memory_place[i, 0], m.offenders.memory[i, 0] = place, 1.0
    m.offenders.memory_offence[i, 0] = o
    for x in (m, without):
        offend(x)
    with_it, bare = m.recorder.hazard, without.recorder.hazard
    near = [t for t in m.neighbours[place] if t != place]
    assert with_it[place, o] > bare[place, o] > 0
    assert with_it[near, o].sum() > bare[near, o].sum() > 0
    others = np.delete(np.arange(with_it.shape[1]), o)
    assert (with_it[:, others] <= bare[:, others] + 1e-12).all(), "other offences are crowded out"

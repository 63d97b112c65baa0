"""Minds at midnight, the life course, harm at home, and the ageing of places."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import life, perception, random, streams, upkeep
from citysim.kernels.aftermath import CULPRIT, OFFENCE, PLACE, STEP, VICTIM
from citysim.kernels.life import EMPLOYED, NEET, STUDENT, UNEMPLOYED
from citysim.model import phases
from citysim.model.constants import others_share

LEAST_P = 1e-4


@pytest.fixture
def night(busy_week):
    """Midnight after a week with much crime, before the day is closed."""
    return busy_week


# --- minds


def own_trust(m, whom, usual):
    """Levels to which residents' trust returns, from the four parts of 64 bits each."""
    t = m.settings.model.trust
    key = random.address(m.run_seed, streams.TRAITS, 101)
    bits = [int(random.draw2(key, r, whom)) for r in range(m.n_residents)]
    parts = np.array([[b >> shift & 65535 for shift in (0, 16, 32, 48)] for b in bits])
    uniform = (parts + 0.5) / 65536
    z = (uniform.sum(1) - 2) * math.sqrt(3)  # a uniform has variance 1/12
    return np.clip(usual + t.spread * (t.fade + t.talk) / t.fade * z, 0, 1)


TRUST = (("trust_police", perception.OF_POLICE, "usual_police"),
         ("trust_city", perception.OF_CITY, "usual_city"))


def pass_days(m, days):
    """Nights in which nothing happens in between."""
    for day in range(days):
        m.step_index = day * m.calendar.steps_per_day
        phases.minds(m, day)


def test_a_day_in_the_mind_agrees_with_plain_formulas(night):
    m, p, n = night, night.people, night.n_residents
    k, f, t = m.constants.mind, m.settings.model.fear, m.settings.model.trust
    rng = np.random.default_rng(4)
    p.trust_city[:n] = rng.uniform(0, 1, n)
    learn = f.learn_place
    day = m.places.unease_day + learn * (m.cue_day - m.places.unease_day)
    dark = m.places.unease_night + learn * (m.cue_night - m.places.unease_night)
    before = {c: p[c].astype(float) for c in ("fear", "trust_police", "trust_city")}
    partner = np.arange(n)
    key = m.key(streams.TALK)
    for r in range(n):
        ties = m.population.ties[r]
        if len(ties):
            partner[r] = ties[(int(random.draw(key, r)) >> 32) * len(ties) >> 32]
    fear = before["fear"][:n]
    known = np.stack([day, dark], 1)[m.home]
    level = np.minimum(1, p.sensitivity[:n, None] * known)
    fear = np.clip(fear + f.fade * (level - fear) + f.talk * (fear[partner] - fear), 0, 1)
    phases.minds(m, 7)
    np.testing.assert_allclose(p.fear[:n], fear, atol=2e-6)
    told = m.noticed[m.home]  # test_neighbourhood.py
    for (name, whom, usual), seen in zip(TRUST, (0, told), strict=True):
        old = before[name][:n]
        own = own_trust(m, whom, t[usual])
        new = old + t.fade * (own + seen - old) + t.talk * (old[partner] - old)
        np.testing.assert_allclose(p[name][:n], new, atol=2e-6)
    avoid = np.array([f.avoid_day, f.avoid_night])
    np.testing.assert_allclose(p.caution[:n], np.exp(-avoid * np.maximum(0, fear - f.tolerated)),
                               atol=2e-6)
    np.testing.assert_array_equal(p.fear[n:], before["fear"][n:].astype(np.float32))
    assert (partner != np.arange(n)).mean() > 0.9 and k.fade > 0


@pytest.mark.parametrize(("name", "whom", "usual"), TRUST)
def test_trust_begins_where_own_levels_and_ties_hold_each_other(town, name, whom, usual):
    m = town()
    p, n, t, ties = m.people, m.n_residents, m.settings.model.trust, m.population.ties
    own, trust = own_trust(m, whom, t[usual]), p[name][:n].astype(float)
    theirs = np.array([trust[ties[r]].mean() if len(ties[r]) else trust[r] for r in range(n)])
    at_rest = t.fade * (own - trust) + t.talk * (theirs - trust)
    np.testing.assert_allclose(at_rest / (t.fade + t.talk), 0, atol=1e-3)
    # ties add a percent or two, the ends of the scale take as much
    for group in (p[name][:n], p[name][n:]):
        off = 3.3 / math.sqrt(len(group))
        assert group.mean() == pytest.approx(t[usual], abs=0.001 + off * t.spread)
        assert group.std() == pytest.approx(t.spread, rel=0.02 + off / math.sqrt(2))


def test_trust_stands_still_while_nothing_happens(town):
    m = town()
    n = m.n_residents
    before = {name: m.people[name][:n].astype(float) for name, *_ in TRUST}
    pass_days(m, 120)
    for name, old in before.items():
        now = m.people[name][:n].astype(float)
        assert now.mean() == pytest.approx(old.mean(), abs=0.001)
        assert now.std() == pytest.approx(old.std(), rel=0.01)
        # whom one happens to talk to: talk x spread a day against the pace of return
        t = m.settings.model.trust
        luck = t.talk * t.spread * math.sqrt(2 / (2 * (t.fade + t.talk)))
        assert 0 < np.sqrt(((now - old) ** 2).mean()) < luck


def test_whoever_lost_trust_gets_back_to_their_own_level(town):
    hit, same = town(), town()
    who, t = 1234, hit.settings.model.trust
    hit.people.trust_police[who] -= 0.3
    for m in (hit, same):
        pass_days(m, 60)
    left = (same.people.trust_police - hit.people.trust_police)[:hit.n_residents].astype(float)
    assert left[who] == pytest.approx(0.3 * (1 - t.fade - t.talk) ** 60, rel=0.01)
    told = np.flatnonzero(left > 1e-6)
    assert set(hit.population.ties[who].tolist()) & set(told.tolist())
    assert left.max() == left[who] and left.min() > -1e-6


def test_people_stay_as_different_as_their_own_levels(town):
    """All begin alike, and come to differ by what is lastingly their own."""
    m = town()
    n, t = m.n_residents, m.settings.model.trust
    own = own_trust(m, perception.OF_POLICE, t.usual_police)
    m.people.trust_police = t.usual_police
    pass_days(m, 365)
    trust = m.people.trust_police[:n].astype(float)
    assert trust.std() == pytest.approx(t.spread, rel=0.05)
    assert np.corrcoef(trust, own)[0, 1] > 0.9
    low, high = np.argsort(own)[[0, -1]]
    assert trust[high] - trust[low] > 4 * t.spread


def test_ties_weigh_in_trust_as_in_moral_rules(town, town_settings):
    t, c = town_settings.model.trust, town_settings.model.life
    share = others_share(t)
    assert share == pytest.approx(t.talk / (t.fade + t.talk))
    assert share == pytest.approx(c.norms_talk / (c.norms_talk + c.norms_return), rel=0.01)
    m = town({"model.trust.fade": 0.0})  # nothing holds anybody: trust becomes one
    assert m.constants.mind.own_spread == t.spread
    before = m.people.trust_police[:m.n_residents].std()
    assert before == pytest.approx(t.spread, rel=0.05)
    pass_days(m, 365)
    assert m.people.trust_police[:m.n_residents].std() < 0.8 * before


def test_sums_of_minds_are_a_recount(night):
    m, n = night, night.n_residents
    phases.minds(m, 7)
    p, cells = m.people, m.groups_of_people.n_cells
    afraid = m.settings.model.fear.afraid
    columns = {perception.PEOPLE: np.ones(n), perception.SAFE_DAY: p.fear[:n, 0] < afraid,
               perception.SAFE_NIGHT: p.fear[:n, 1] < afraid,
               perception.TRUST_POLICE: p.trust_police[:n],
               perception.TRUST_CITY: p.trust_city[:n], perception.FEAR_DAY: p.fear[:n, 0],
               perception.FEAR_NIGHT: p.fear[:n, 1]}
    assert len(columns) == perception.N_SUMS
    for column, values in columns.items():
        expected = np.bincount(m.cell, values, cells)
        np.testing.assert_allclose(m.recorder.sums[:, column], expected, rtol=1e-5, atol=1e-4)
    assert 0 < m.safe_after_dark < 1


def test_friends_are_met_evenly(town):
    """Each tie of a person is met as often as any other."""
    m = town()
    degree = np.diff(m.population.ties.start)
    r = int(np.argmax(degree))
    met = [int(random.draw(m.key(streams.TALK, step), r)) % int(degree[r]) for step in range(3000)]
    assert stats.chisquare(np.bincount(met, minlength=degree[r])).pvalue > LEAST_P


def test_fear_rises_fast_and_fades_slowly(town_settings):
    fear = town_settings.model.fear
    assert fear.rise > fear.fall > 0


def test_who_is_out_is_counted_by_cell(evening):
    m, n = evening, evening.n_residents
    counts = np.zeros(m.groups_of_people.n_cells, np.int64)
    perception.count_out(0, n, m.people.at, m.people.status, m.cell, counts)
    out = (m.people.at[:n] >= 2) & (m.people.status[:n] == 0)
    assert out.sum() > 20
    np.testing.assert_array_equal(counts, np.bincount(m.cell[out], minlength=len(counts)))


def test_efficacy_grows_with_trust_and_care_and_shrinks_with_fear(town):
    def after(column, amount, table="people"):
        m = town()
        target = getattr(m, table)
        target[column][...] = np.clip(target[column] + amount, 0, 1)
        phases.minds(m, 1)
        return m.places.efficacy

    neutral = after("trust_city", 0.0)
    assert (after("trust_city", 0.3) > neutral).all()
    assert (after("fear", 0.3) < neutral).all()
    assert (after("stewardship", 0.5, "places") > neutral).all()


# --- the life course


def month(m, step=0):
    """One month of everybody; who was what before."""
    p, n = m.people, m.n_residents
    keys = random.address(1, streams.WORK, step), random.address(1, streams.SCHOOL, step)
    before = p.employment[:n].copy()
    life.month(0, n, m.constants.course, *keys, p.age, p.employment, p.programme, m.placed,
               p.self_control, p.skill, p.aggression, p.timetable, m.timetable_work,
               m.timetable_free)
    return before, keys


@pytest.mark.parametrize("bits", [0, life.TRAINING, life.SCHOOL_SUPPORT, life.PLACEMENT,
                                  life.MENTOR, life.SESSIONS, 31])
def test_a_month_agrees_with_plain_rules(town, bits):
    m = town({"model.life.dropout": 0.3})
    n, c, p = m.n_residents, m.settings.model.life, m.people
    p.programme[:n:2] = bits
    p.employment[:n:3] = np.where(p.age[:n:3] < 30, NEET, UNEMPLOYED)
    control, timetable = p.self_control[:n].astype(float), p.timetable[:n].copy()
    lacking, calm = 1 - control, p.aggression[:n].astype(float)
    before, (work, school) = month(m)
    changed = 0
    for r in range(n):
        has = int(p.programme[r])
        e, luck = before[r], [random.uniform2(work, r, k) for k in (2, 3)]
        new = e
        if has & life.PLACEMENT:
            new = EMPLOYED if e in (UNEMPLOYED, NEET) else e
        elif e == EMPLOYED:
            idle = NEET if p.age[r] < 30 else UNEMPLOYED
            new = idle if luck[0] < c.job_loss else e
        elif e in (UNEMPLOYED, NEET):
            chance = c.job_find if e == UNEMPLOYED else c.neet_find
            chance *= c.training_gain if has & life.TRAINING else 1
            new = EMPLOYED if luck[1] < chance else e
        elif e == STUDENT and 14 <= p.age[r] <= 18:
            chance = c.dropout * (1 - c.support_gain if has & life.SCHOOL_SUPPORT else 1)
            new = NEET if random.uniform(school, r) < chance else e
        assert p.employment[r] == new, (r, e)
        changed += new != e
        works = new == EMPLOYED if new != e else has & life.PLACEMENT and e == STUDENT
        expected = m.timetable_work if works else timetable[r] if new == e else m.timetable_free
        assert p.timetable[r] == expected
        for bit, gain in ((life.MENTOR, c.mentor_gain), (life.SCHOOL_SUPPORT, c.school_gain)):
            if has & bit:
                control[r] += gain * (1 - control[r])
        assert (m.placed[r] & 1) == bool(has & life.PLACEMENT)
    assert changed > 20
    np.testing.assert_allclose(p.self_control[:n], control, atol=1e-6)
    taught = np.where(p.programme[:n] & life.SESSIONS, c.session_gain * c.session_most, 0)
    fewer = (1 - control) * (1 - taught) - lacking
    weight = m.settings.model.night.aggression_control
    calmer = np.exp(weight * fewer - c.session_calm * taught)
    np.testing.assert_allclose(p.aggression[:n], calm * calmer, rtol=1e-4)
    assert (fewer.min() < 0) == bool(bits & (life.MENTOR | life.SCHOOL_SUPPORT | life.SESSIONS))


def test_some_placements_become_jobs_and_the_others_end(town):
    m = town()
    p = m.people
    rows = np.flatnonzero((p.age[:m.n_residents] >= 16) & (p.age[:m.n_residents] < 60))
    p.employment[rows] = UNEMPLOYED
    p.programme[rows] = life.PLACEMENT
    month(m)
    assert (p.employment[rows] == EMPLOYED).all()
    p.programme[rows] = 0
    month(m, 1)
    kept = p.employment[rows] == EMPLOYED
    share = m.settings.model.life.placement_kept
    assert stats.binomtest(int(kept.sum()), len(rows), share).pvalue > LEAST_P
    young = p.age[rows] < 30
    assert (p.employment[rows][~kept & young] == NEET).all()
    assert (p.employment[rows][~kept & ~young] == UNEMPLOYED).all()
    assert not m.placed.any()


def test_months_are_as_often_as_configured(town):
    """Exits over two years against the shares a month, without any programme."""
    m, c = town(), town().settings.model.life
    lost = found = at_work = looking = 0
    for step in range(24):
        before, _ = month(m, step)
        after = m.people.employment[:m.n_residents]
        at_work += (before == EMPLOYED).sum()
        lost += ((before == EMPLOYED) & (after != EMPLOYED)).sum()
        looking += (before == UNEMPLOYED).sum()
        found += ((before == UNEMPLOYED) & (after == EMPLOYED)).sum()
    assert stats.binomtest(int(lost), int(at_work), c.job_loss).pvalue > LEAST_P
    assert stats.binomtest(int(found), int(looking), c.job_find).pvalue > LEAST_P


def again(m, changes=None):
    """Propensities worked out anew, with constants changed; returns them."""
    f, p, ties = m.offenders, m.people, m.population.ties
    course = m.constants.course._replace(**(changes or {}))
    life.propensities(course, f.person, f.latent, m.age_factor, p.age, p.employment,
                      p.self_control, p.skill, p.substance, p.norms, p.trust_police, ties.start,
                      ties.items, m.role, f.active, f.propensity)
    return f.propensity.astype(float)


def test_propensity_agrees_with_its_formula_and_its_signs(town):
    m = town()
    f, p, o = m.offenders, m.people, m.settings.model.offending
    offend = set(f.person[f.active == 1].tolist())

    def peers(r):
        ties = m.population.ties[r]
        return sum(int(t) in offend for t in ties) / max(1, len(ties))

    def expected(i):
        r = f.person[i]
        age = float(p.age[r])
        curve = (math.exp(-((age - o.age_peak) / o.age_rise) ** 2) if age <= o.age_peak
                 else math.exp(-(age - o.age_peak) / o.age_decay)) * (age >= 10)
        missing = (1 - p.self_control[r]) * (1 - p.skill[r] / 65535)
        drive = (o.control_drive * missing + o.substance_drive * p.substance[r]
                 + o.norms_drive * (1 - p.norms[r])
                 + o.grievance_drive * (m.settings.model.trust.usual_police - p.trust_police[r])
                 + o.peers_drive * peers(r))
        e = p.employment[r]
        drive += o.jobless_drive if e in (UNEMPLOYED, NEET) else 0
        drive += o.school_drive if e == STUDENT else 0
        return f.latent[i] * curve * math.exp(drive)

    p.skill[::2] = 20000
    again(m)
    np.testing.assert_allclose(f.propensity, [expected(i) for i in range(len(f))], rtol=1e-4)
    assert m.age_factor.argmax() == o.age_peak and m.age_factor.max() == 1
    assert (np.diff(m.age_factor[int(o.age_peak):]) < 0).all()


def test_grievance_and_peers_work_through_trust_and_roles_alone(town):
    m = town()
    f, p = m.offenders, m.people
    off = {"grievance_drive": 0.0, "peers_drive": 0.0}
    without, with_both = again(m, off), again(m)
    usual = m.settings.model.trust.usual_police
    p.trust_police[f.person] = usual
    f.active[:] = 0
    np.testing.assert_allclose(again(m), without, rtol=1e-6)  # usual trust, nobody offends
    p.trust_police[f.person] -= 0.2
    drive = m.settings.model.offending.grievance_drive
    np.testing.assert_allclose(again(m) / without, math.exp(0.2 * drive), rtol=1e-5)
    p.trust_police[f.person] = usual
    f.active[:] = 1
    most = m.settings.model.offending.peers_drive
    gain = again(m) / without
    assert gain.max() > gain.min() >= 1 - 1e-6 and gain.max() <= math.exp(most) * (1 + 1e-6)
    assert not np.allclose(with_both, without)


def test_peers_stay_bounded_over_years(town):
    """Roles follow from age and work alone, so what peers add cannot feed on itself."""
    plain, strong = town({"model.offending.peers_drive": 0.0}), town()
    strong.constants = dataclasses.replace(
        strong.constants, course=strong.constants.course._replace(peers_drive=4.0))
    for m in (plain, strong):
        for step in range(36):
            m.step_index = step * 720
            phases.life_course(m, 30 * step)
    np.testing.assert_array_equal(plain.offenders.active, strong.offenders.active)
    ratio = strong.offenders.propensity / plain.offenders.propensity
    latent = strong.offenders.latent / plain.offenders.latent
    assert (ratio / latent >= 1 - 1e-5).all() and (ratio / latent <= math.exp(4.0) + 1e-3).all()


def spread(m, months, **changes):
    """Moral rules after some months in which nothing else happens."""
    p, n, ties = m.people, m.n_residents, m.population.ties
    course = m.constants.course._replace(**changes)
    for step in range(months):
        life.spread_norms(0, n, random.address(1, streams.NORMS, step), course, ties.start,
                          ties.items, p.lasting_norms, p.norms[:n].copy(), p.norms)
    return p.norms[:n].astype(float)


def test_moral_rules_move_towards_a_tie_and_back_to_ones_own(town):
    m = town()
    p, n, ties = m.people, m.n_residents, m.population.ties
    np.testing.assert_allclose(p.lasting_norms / 65535, p.norms, atol=1e-5)
    rng = np.random.default_rng(3)
    p.norms[:n] = rng.uniform(0, 1, n)
    old, c = p.norms[:n].astype(float), m.settings.model.life
    key = random.address(1, streams.NORMS, 0)
    partner = [ties[r][int(random.draw(key, r)) % len(ties[r])] if len(ties[r]) else r
               for r in range(n)]
    expected = (old + c.norms_talk * (old[partner] - old)
                + c.norms_return * (p.lasting_norms[:n] / 65535 - old))
    outside = p.norms[n:].copy()
    np.testing.assert_allclose(spread(m, 1), expected, atol=1e-6)
    np.testing.assert_array_equal(p.norms[n:], outside)


def test_moral_rules_grow_alike_among_ties_and_do_not_become_one(town):
    m, alone, only_talk = town(), town(), town()
    before = m.people.norms[:m.n_residents].astype(float)
    degree = np.diff(m.population.ties.start)

    def with_ties(norms):
        other = np.bincount(np.repeat(np.arange(len(degree)), degree),
                            norms[m.population.ties.items], len(degree))[degree > 0]
        return np.corrcoef(norms[degree > 0], other / degree[degree > 0])[0, 1]

    after = spread(m, 240)
    assert with_ties(after) > with_ties(before) + 0.05
    merged = spread(only_talk, 240, norms_return=0.0)
    assert before.std() > after.std() > 0.5 * before.std() > merged.std()
    np.testing.assert_array_equal(
        spread(alone, 5, norms_talk=0.0, norms_return=0.0), before)


def test_a_tie_whose_rules_change_changes_others(town):
    """Who is told of weaker rules offends more, as far as rules have spread."""
    changed, same = town(), town()
    outsiders = np.setdiff1d(np.arange(changed.n_residents), changed.offenders.person)
    changed.people.norms[outsiders] = 0
    changed.people.lasting_norms[outsiders] = 0
    for m in (changed, same):
        spread(m, 12)
    ratio = again(changed) / again(same)
    assert (ratio >= 1 - 1e-6).all() and ratio.mean() > 1.001


def test_roles_begin_and_end_as_often_as_configured(town):
    m = town({"model.offending.role_share": 0.9})
    f, p, c = m.offenders, m.people, m.settings.model.life
    ends = begins = 0
    due_end = due_begin = 0.0
    for step in range(12):
        before = f.active.copy()
        life.roles(m.constants.course, random.address(1, streams.ROLE, step), f.person, p.age,
                   p.employment, f.active)
        work = p.employment[f.person]
        decades = np.maximum(0, (p.age[f.person].astype(float) - 20) / 10)
        leave = (c.desist_base + c.desist_age * decades) * np.where(work == EMPLOYED,
                                                                   c.desist_job, 1)
        start = c.onset_base * np.where(np.isin(work, (NEET, UNEMPLOYED)), c.onset_neet, 1)
        on = before == 1
        ends += (on & (f.active == 0)).sum()
        begins += (~on & (f.active == 1)).sum()
        due_end += leave[on].sum()
        due_begin += start[~on].sum()
    assert abs(ends - due_end) < 4 * math.sqrt(due_end)
    assert abs(begins - due_begin) < 4 * math.sqrt(due_begin)


def test_as_many_begin_as_end_at_every_age_from_the_start(town):
    """At the start and five years on, in each band of age, by chance alone apart."""
    m = town({"model.offending.role_share": 0.9})
    f, p = m.offenders, m.people
    age, work = p.age[f.person], p.employment[f.person]
    begins = np.where(np.isin(work, (NEET, UNEMPLOYED)), m.settings.model.life.onset_neet, 1.0)
    begins *= m.settings.model.life.onset_base
    bands = [(12, 20), (20, 35), (35, 50), (50, 70)]
    first = []
    for step in range(60):
        if step in (0, 59):
            for low, high in bands:
                band = (age >= low) & (age < high)
                on = band & (f.active == 1)
                leaves = sum(life.stopping(m.constants.course, age[i], work[i])
                             for i in np.flatnonzero(on))
                due = begins[band & (f.active == 0)].sum()
                # Flows balance but for the luck of who is active: p (1 - p) n (on + off)^2.
                off = leaves / on.sum()
                on_rate = due / (band.sum() - on.sum())
                spread = (on_rate + off) * math.sqrt(on.sum() * (band.sum() - on.sum())
                                                     / band.sum())
                assert abs(due - leaves) < 4 * spread
                if step == 0:
                    first.append(on.sum() / band.sum())
        life.roles(m.constants.course, random.address(1, streams.ROLE, step), f.person, p.age,
                   p.employment, f.active)
    assert (np.diff(first) < 0).all()  # fewer at later ages


# --- harm at home


def harm(m, level=0.5, day=0):
    """A day of harm at home at a level; the new events."""
    h, p, r = m.households, m.people, m.recorder
    row = m.constants.offences.names.index("domestic_abuse")
    r.total[:] = 0
    r.hazard[:] = 0
    r.events[:] = 0
    keys = (random.address(3, streams.DOMESTIC, day), random.address(3, streams.DOMESTIC,
                                                                     day + 32))
    n = life.harm_at_home(*keys, 240, 1.0, row, level, m.constants.harm, h.home, h.first,
                          h["size"], h.strain, h.abuse_norms, p.age, p.sex, p.status, m.cell,
                          r.total, r.hazard, r.victim_chances, r.events, 0, len(r.events))
    return r.events[:n].copy(), keys, row


def test_harm_at_home_follows_strain_and_norms(town):
    m = town()
    level = 0.5
    events, (key, _), row = harm(m, level)
    h = m.households
    base = m.settings.model.domestic.base
    expected = np.where(h["size"] >= 2, level * (base + h.strain) * h.abuse_norms, 0)
    luck = np.array([random.uniform(key, i) for i in range(len(h))])
    adults = np.array([(m.people.age[h.first[i]:h.first[i] + h["size"][i]] >= 18).any()
                       for i in range(len(h))])
    due = np.flatnonzero((luck < expected) & adults)
    assert len(due) > 50
    np.testing.assert_array_equal(m.people.household[events[:, VICTIM]], due)
    by_place = np.bincount(h.home, expected, len(m.places))
    np.testing.assert_allclose(m.recorder.hazard[:, row], by_place, rtol=1e-5)
    assert m.recorder.total[row] == pytest.approx(expected.sum())
    np.testing.assert_array_equal(events[:, PLACE], h.home[due])
    assert (events[:, OFFENCE] == row).all()


def test_harm_at_home_has_an_adult_culprit_and_another_victim(town):
    m = town()
    p = m.people
    inside = np.arange(0, m.n_residents, 5)
    p.status[inside] = 1
    rows = np.concatenate([harm(m, day=64 * day)[0] for day in range(10)])
    assert len(rows) > 200
    culprit, victim = rows[:, CULPRIT], rows[:, VICTIM]
    assert (p.household[culprit] == p.household[victim]).all() and (culprit != victim).all()
    assert (p.age[culprit] >= 18).all()
    assert not p.status[culprit].any() and not p.status[victim].any()
    assert (p.sex[culprit] == 0).mean() > 0.6 < (p.sex[victim] == 1).mean()


def test_chances_at_home_are_the_shares_of_many_draws(town):
    """By sex and age of the victim, whoever of the adults did it."""
    m = town()
    drawn = np.concatenate([harm(m, day=64 * day)[0][:, VICTIM] for day in range(10)])
    chances = m.recorder.victim_chances.sum(axis=0)
    assert chances.sum() == pytest.approx(len(drawn))
    names = m.groups_of_people.names[1:7]  # sexes, ages
    hit_cells = np.bincount(m.cell[drawn], minlength=len(chances)).astype(float)
    for name, expected, found in zip(names, m.groups_of_people.sum(chances)[1:7],
                                     m.groups_of_people.sum(hit_cells)[1:7], strict=True):
        error = np.sqrt(expected * (1 - expected / len(drawn)))
        assert abs(found - expected) < 4 * error, name


def test_harm_at_home_falls_in_its_hours(town):
    m = town()
    steps = np.concatenate([harm(m, day=64 * day)[0][:, STEP] for day in range(20)]) - 240
    assert steps.min() >= 0 and steps.max() < 24
    late = m.settings.model.domestic.late
    share = np.where(np.arange(24) >= 14, late / 10, (1 - late) / 14)
    counts = np.bincount(steps, minlength=24)
    assert stats.chisquare(counts, share * counts.sum()).pvalue > LEAST_P
    np.testing.assert_allclose(m.home_weight, share)


# --- places


def test_a_day_of_places_agrees_with_plain_formulas(town):
    m = town()
    s, a = m.places, m.constants.ageing
    rng = np.random.default_rng(6)
    s.stewardship = rng.uniform(0, 1, len(s))
    s.works = rng.choice([0, 0.05], len(s))
    s.cleaning = rng.uniform(0, 14, len(s))
    s.wear = rng.uniform(0, 0.05, len(s))
    s.grime = rng.uniform(-0.1, 0.3, len(s))
    s.upkeep, s.disorder = rng.uniform(0, 1, (2, len(s)))
    visits, u, d = s.cleaning / 7, s.upkeep.astype(float), s.disorder.astype(float)
    u = np.clip(u + s.works + a.mend * visits * (1 - u) - s.wear * (1 - s.stewardship), 0, 1)
    s.remediation = rng.choice([0, 0.3, 1], len(s))
    brought = np.where(s.grime > 0, s.grime * (1 - s.remediation), s.grime)
    d += a.drift * (a.cue_of_neglect * (1 - u) + brought - d)
    d = np.clip(d * np.maximum(0, 1 - a.clean * visits * (1 + s.stewardship)), 0, 1)
    upkeep.age_places(a, s.wear, s.grime, s.remediation, s.stewardship, s.cleaning, s.works,
                      s.upkeep, s.disorder)
    np.testing.assert_allclose(s.upkeep, u, atol=1e-6)
    np.testing.assert_allclose(s.disorder, d, atol=1e-6)


def test_recovered_places_last_only_where_people_care(town):
    m = town({"model.upkeep.mend": 0.0})
    s = m.places
    s.upkeep, s.stewardship, s.cleaning, s.wear, s.grime = 0.9, 0, 0, 0.001, 0
    s.stewardship[::2] = 1
    for _ in range(365):
        upkeep.age_places(m.constants.ageing, s.wear, s.grime, s.remediation, s.stewardship,
                          s.cleaning, s.works, s.upkeep, s.disorder)
    np.testing.assert_allclose(s.upkeep[::2], 0.9, atol=1e-4)
    np.testing.assert_allclose(s.upkeep[1::2], 0.9 - 365 * 0.001, atol=1e-3)
    assert s.disorder[1::2].min() > s.disorder[::2].max()


@pytest.mark.parametrize("damage", [0.1, 1.0])
def test_vandalism_leaves_its_mark_and_nothing_else_does(town, damage):
    m = town()
    k, e = m.constants.offences, m.recorder.events
    m.places.disorder = 0.2
    vandalism, theft = k.names.index("vandalism"), k.names.index("theft_person")
    e[:4, PLACE], e[:4, OFFENCE] = [5, 5, 6, 7], [vandalism, vandalism, vandalism, theft]
    upkeep.mark_damage(0, 4, e, k.form, np.full(len(m.places), damage), m.places.disorder)
    expected = np.full(len(m.places), 0.2)
    expected[5], expected[6] = 1 - 0.8 * (1 - damage) ** 2, 1 - 0.8 * (1 - damage)
    np.testing.assert_allclose(m.places.disorder, expected, rtol=1e-5)

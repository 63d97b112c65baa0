"""What residents see of the city in their street, and the efficacy of those who live around."""

import numpy as np
import pytest

from citysim.model import neighbourhood, phases

DARKER = 0.4  # share of the lamps taken away


def plain_seen(m):
    """What residents see of their street and those around it, street by street."""
    p, w = m.places, m.settings.model.promises
    own = np.array([w.light * p.lighting[s] + w.upkeep * p.upkeep[s]
                    + w.order * (1 - p.disorder[s]) + w.green * p.greenery[s]
                    + w.staff * (1 - np.exp(-float(p.services[s] + p.hosts[s])))
                    for s in range(len(p))])
    near = [own[m.neighbours[s]].mean() if len(m.neighbours[s]) else own[s] for s in range(len(p))]
    return own + w.around * (near - own)


def plain_aim(m, s):
    """Where the efficacy of a place settles, or ``None`` where nobody lives around."""
    e, t, p, n = m.settings.model.efficacy, m.settings.model.trust, m.people, m.n_residents
    around = np.isin(m.home, [s, *m.neighbours[s]])
    if not around.any():
        return None
    aim = (e.base - e.deprivation * m.places.deprivation[s]
           + e.trust * (p.trust_city[:n][around].mean() - t.usual_city)
           - e.fear * (p.fear[:n, 0][around].mean() - e.usual_fear)
           + e.stewardship * m.ownership[s])
    return min(1.0, max(0.0, aim))


def test_what_is_seen_agrees_with_plain_formulas(busy_week):
    m, p = busy_week, busy_week.places
    rng = np.random.default_rng(2)
    for column, most in (("lighting", 1), ("upkeep", 1), ("disorder", 1), ("greenery", 1),
                         ("services", 3), ("hosts", 3)):
        p[column][:] = rng.uniform(0, most, len(p))
    used, look = p.accustomed.astype(float), m.settings.model.promises
    gap = plain_seen(m) - used
    neighbourhood.notice(m)
    np.testing.assert_allclose(m.noticed, look.notice * gap, atol=1e-6)
    np.testing.assert_allclose(p.accustomed, used + look.habit * gap, atol=1e-6)
    assert gap.std() > 0.01


def test_at_the_start_nothing_is_news_and_efficacy_rests(town):
    m = town()
    before = m.places.efficacy.copy()
    neighbourhood.notice(m)
    neighbourhood.build_efficacy(m, m.constants.bond)
    np.testing.assert_allclose(m.noticed, 0, atol=1e-7)
    np.testing.assert_allclose(m.places.efficacy, before, atol=1e-6)
    assert before.std() > 0.01, "streets differ"


def test_a_promise_kept_is_noticed_there_and_forgotten_and_missed_when_broken(town):
    m = town()
    look, lamps = m.settings.model.promises, m.places.lighting.copy()
    lit = int(np.argmax(m.residents_at * (np.diff(m.neighbours.start) > 0)))
    around = m.neighbours[lit]
    beyond = np.setdiff1d(np.arange(len(lamps)), [lit, *around])
    m.places.lighting[lit] = 1.0
    neighbourhood.notice(m)
    first = m.noticed.copy()
    assert first[lit] > 0 and (first[around] > 0).all()
    np.testing.assert_allclose(first[beyond], 0, atol=1e-7)
    for _ in range(100):
        neighbourhood.notice(m)
    assert m.noticed[lit] == pytest.approx(first[lit] * (1 - look.habit) ** 100, rel=1e-3)
    m.places.lighting[lit] = lamps[lit]
    neighbourhood.notice(m)
    assert m.noticed[lit] < 0, "what one had got used to is missed"


def test_trust_in_the_city_follows_the_street_and_no_other_trust_does(town):
    def after(changes, darker):
        m = town(changes)
        west = m.places.x < np.median(m.places.x)
        m.places.lighting[west] *= 1 - darker * DARKER
        for day in range(1, 31):
            phases.minds(m, day)
        return m, west[m.home]

    (m, west), (other, _) = after(None, 1), after(None, 0)
    n = m.n_residents
    lost = (other.people.trust_city - m.people.trust_city)[:n].astype(float)
    assert lost[west].mean() > 0.001 and lost[west].mean() > 2 * lost[~west].mean()
    np.testing.assert_array_equal(m.people.trust_police, other.people.trust_police)
    (off, _), (mute, _) = (after({f"model.promises.{key}": value}, 1)
                           for key, value in (("enabled", False), ("notice", 0.0)))
    np.testing.assert_array_equal(off.people.trust_city, mute.people.trust_city)
    np.testing.assert_array_equal(off.places.efficacy, mute.places.efficacy)
    np.testing.assert_array_equal(off.people.trust_city, after(
        {"model.promises.enabled": False}, 0)[0].people.trust_city)


def test_efficacy_agrees_with_plain_formulas(busy_week):
    m = busy_week
    rng = np.random.default_rng(3)
    m.places.stewardship[:] = rng.uniform(0, 1, len(m.places))
    m.people.trust_city[:] = rng.uniform(0, 1, len(m.people))
    before, pace = m.places.efficacy.astype(float), m.settings.model.efficacy.pace
    phases.minds(m, 7)
    aims = [plain_aim(m, s) for s in range(len(before))]
    lived = np.array([aim is not None for aim in aims])
    aim = np.array(aims, float)[lived]
    moved = before[lived] + pace * (aim - before[lived])
    np.testing.assert_allclose(m.places.efficacy[lived], moved, atol=1e-6)
    assert lived.sum() > 20 and np.ptp(aim) > 0.05


def test_where_nobody_lives_efficacy_is_that_of_the_district(town):
    m = town()
    place = int(np.argmin(m.residents_at))
    near = [place, *m.neighbours[place]]
    m.residents_at[near] = 0
    m.street[near] = 0
    neighbourhood.build_efficacy(m, m.constants.bond._replace(pace=1.0))
    e, t, p = m.settings.model.efficacy, m.settings.model.trust, m.places
    mates = p.district == p.district[place]
    trust, fear = m.street[mates].sum(axis=0) / m.residents_at[mates].sum()
    assert p.efficacy[place] == pytest.approx(
        e.base - e.deprivation * p.deprivation[place] + e.trust * (trust - t.usual_city)
        - e.fear * (fear - e.usual_fear) + e.stewardship * p.stewardship[place], abs=1e-6)


def test_fear_in_one_street_wears_down_efficacy_there_and_next_door_only(town):
    m, calm = town(), town()
    street = int(np.argmax(m.residents_at))
    m.people.fear[:m.n_residents, 0][m.home == street] = 1.0
    for x in (m, calm):
        phases.minds(x, 1)
    lost = calm.places.efficacy - m.places.efficacy
    near = [street, *m.neighbours[street]]
    assert (lost[near] > 0).all()
    far = np.setdiff1d(np.arange(len(lost)), near)
    assert np.abs(lost[far]).max() < 0.1 * lost[near].min(), "only what is told spreads further"


def test_who_holds_together_takes_part_in_upkeep(town):
    m, idle = (town({"model.efficacy.participation": share}) for share in (0.5, 0.0))
    for x in (m, idle):
        neighbourhood.take_part(x)
        np.testing.assert_array_equal(x.ownership, x.places.stewardship)
    for x in (m, idle):
        x.places.efficacy += np.float32(0.1)
        x.places.stewardship[0] = 1.0
        neighbourhood.take_part(x)
    np.testing.assert_array_equal(idle.ownership, idle.places.stewardship)
    np.testing.assert_allclose(m.ownership[1:], m.places.stewardship[1:] + 0.05, atol=1e-6)
    assert m.ownership[0] == 1
    upkeep = [x.places.upkeep.astype(float) for x in (m, idle)]
    for x in (m, idle):
        phases.close_day(x)
    worn = np.flatnonzero((m.places.wear > 1e-4) & (upkeep[0] < 0.9))[1:]
    kept = (m.places.upkeep - upkeep[0]) - (idle.places.upkeep - upkeep[1])
    assert len(worn) > 20 and (kept[worn] > 0).all()

"""Levers that field trials need: each moves what it says, in a model of the town, and only that."""

import copy
import math

import numpy as np
import pytest

from citysim import CityModel, compose
from citysim.config.errors import InputError
from citysim.kernels import life, people, random, streams
from citysim.kernels.life import NEET, STUDENT, UNEMPLOYED
from citysim.kernels.patrol import BEAT, HOT_SPOT
from citysim.model import phases
from citysim.model.start import _venue_areas
from citysim.policies.policy import with_rows

OF_PLACES = {"directed_patrol": "patrol_visits", "procedural_justice": "procedural_quality",
             "foot_patrol": "visit_contacts", "bus_stop_patrol": "visit_minutes",
             "staffed_stops": "hosts", "municipal_services": "cleaning",
             "light_towers": "lighting", "brighter_lighting": "lighting",
             "closing_hour_later": "closing_hour", "closing_hour_earlier": "closing_hour",
             "greening": "greenery", "mowing_only": "remediation",
             "abandoned_houses": "remediation", "alley_gates": "rear_closed",
             "cameras": "camera", "cameras_car_parks": "camera", "norm_campaign": "norm_campaign",
             "business_improvement": "cleaning"}
OF_PEOPLE = {"summer_jobs": life.PLACEMENT | life.MENTOR, "cognitive_sessions": life.SESSIONS}
ROWS = [3, 40, 41, 7]


@pytest.fixture(scope="module")
def settings():
    names = ",".join([*OF_PLACES, *OF_PEOPLE, "hot_spot_policing", "community_policing"])
    return compose(["city=town", f"policy=[{names}]", "warmup_days=0", "days=7"])


@pytest.fixture(scope="module")
def ruled(settings, town_world):
    """Make a model in which one policy acts on named rows."""
    def make(name, table="places", rows=ROWS, changes=None):
        content = with_rows(settings.policies[name], table, rows)
        with_policy = settings.replace({f"policies.{name}": content, **(changes or {})})
        return CityModel(with_policy, 1, (name,), town_world)

    return make


# --- policies on named rows


@pytest.mark.parametrize("name", OF_PLACES)
def test_a_policy_of_places_moves_its_column_on_the_rows_it_is_given(ruled, town, name):
    m, plain = ruled(name), town()
    for model in (m, plain):
        phases.clock(model)
        phases.policies(model)
    column = OF_PLACES[name]
    moved = np.flatnonzero(m.places[column] != plain.places[column])
    assert len(moved) and set(moved) <= set(ROWS)
    levers = {p.lever for p in m.programme.policies[name].measures}
    touched = {c for c in m.places if not np.array_equal(m.places[c], plain.places[c])}
    assert touched <= {m.levers._key(lever)[1] for lever in levers}


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_a_programme_enrols_the_people_it_is_given(ruled, name):
    rows = [11, 500, 77]
    m = ruled(name, "people", rows, {f"policies.{name}.dose": 1.0})
    phases.clock(m)
    phases.policies(m)
    assert list(np.flatnonzero(m.people.programme)) == sorted(rows)
    assert (m.people.programme[rows] == OF_PEOPLE[name]).all()


def test_rows_that_the_city_lacks_are_refused(ruled, town):
    n, residents = len(town().places), town().n_residents
    for table, row in (("places", n), ("people", residents)):
        name = "cognitive_sessions" if table == "people" else "cameras"
        ruled(name, table, [row - 1])
        with pytest.raises(InputError, match=f"row {row} ") as caught:
            ruled(name, table, [1, row])
        assert f"0 to {row - 1}" in caught.value.allowed and name in caught.value.where


# --- directed visits


def minutes_by_hour(m, days=1):
    """Patrol minutes of each place in each step, without any unit on its rounds."""
    out = []
    for _ in range(days * m.calendar.steps_per_day):
        for phase in (phases.clock, phases.policies, phases.guardians):
            phase(m)
        out.append(m.places.patrol_minutes.copy())
        m.step_index += 1
    return np.array(out)


def quiet(town, changes=None):
    """A model whose only officers are those on directed visits, felt only where they are."""
    off = {f"model.patrol.{k}": [0.0] * 24 for k in ("duty_national", "duty_local")}
    return town({**off, "model.deterrence.spill": 0.0, "days": 40, **(changes or {})})


@pytest.mark.parametrize("step_hours", [1.0, 0.5])
@pytest.mark.parametrize(("visits", "begins", "ends"), [(8, 10, 26), (3.5, 15, 21), (40, 8, 18)])
def test_visits_come_as_often_as_asked_and_in_their_hours(town, visits, begins, ends, step_hours):
    m = quiet(town, {"step_hours": step_hours})
    p, rows = m.places, [5, 60, 61]
    p.patrol_visits[rows], p.visit_minutes[rows] = visits, 14
    p.visit_from[rows], p.visit_to[rows] = begins, ends
    days = 20
    minutes = minutes_by_hour(m, days)
    assert not np.delete(minutes, rows, axis=1).any()
    assert not np.delete(m.places.deterrence, rows).any()
    count = minutes[:, rows] / 14
    np.testing.assert_array_equal(count, np.round(count))
    hours = np.arange(len(minutes)) * step_hours % 24
    clock = np.where(hours < m.settings.model.clock.day_breaks, hours + 24, hours)
    inside = (clock >= begins) & (clock < ends)
    assert not count[~inside].any()
    # a window's visits are its mean rounded up or down, whatever the day's phase
    per_day = count.sum(axis=0) / days
    assert (np.abs(per_day - visits) < 1.0).all()
    assert count.sum() / (3 * days) == pytest.approx(visits, abs=0.35)
    gap = (ends - begins) / visits
    seen = np.flatnonzero(count[:, 0])
    within = np.diff(seen)[np.diff(seen) * step_hours < 8] * step_hours
    assert within.max() <= max(gap, step_hours) + step_hours


def test_visits_to_one_place_do_not_depend_on_those_to_others(town):
    m, other = quiet(town), quiet(town)
    m.places.patrol_visits[5] = 6
    other.places.patrol_visits[[2, 5, 90]] = 6, 6, 20
    np.testing.assert_array_equal(minutes_by_hour(m, 3)[:, 5], minutes_by_hour(other, 3)[:, 5])


def test_a_visit_builds_deterrence_by_its_length(town):
    m = quiet(town)
    m.places.patrol_visits[[5, 6]], m.places.visit_minutes[5], m.places.visit_minutes[6] = 24, 8, 20
    m.places.visit_from[[5, 6]], m.places.visit_to[[5, 6]] = 6, 30
    m.step_index = 12
    phases.clock(m)
    phases.guardians(m)
    tau = m.constants.rounds.tau_build
    expected = [1 - math.exp(-8 / tau), 1 - math.exp(-20 / tau)]
    np.testing.assert_allclose(m.places.deterrence[[5, 6]], expected, rtol=1e-5)


def test_without_patrols_there_are_no_visits(town):
    m = town({"model.patrol.enabled": False})
    m.places.patrol_visits = 20
    assert not minutes_by_hour(m).any()


def test_contacts_and_quality_work_where_they_are_asked_for(town):
    m = quiet(town)
    p, street = m.places, int(np.argmax(m.homes))
    p.patrol_visits[street], p.visit_minutes[street], p.visit_contacts[street] = 40, 30, 8
    worse, same = copy.deepcopy(m), copy.deepcopy(m)
    worse.places.procedural_quality[street] = -0.3
    m.places.procedural_quality[street] = 0.3
    usual = m.constants.rounds.usual_trust  # whoever has it expects what officers do here
    for model in (m, worse, same):
        model.people.trust_police = usual
    before = m.people.trust_police.copy()
    for model, sign in ((m, 1), (worse, -1), (same, 0)):
        assert model.city_row.procedural_quality[0] == model.constants.rounds.expected_quality
        minutes_by_hour(model)
        moved = np.flatnonzero(model.people.trust_police != before)
        assert bool(len(moved)) == bool(sign)
        assert (np.sign(model.people.trust_police - before)[moved] == sign).all()
        assert set(model.people.anchors[moved, 0]) <= {street}


def test_stops_at_a_place_are_as_fair_as_officers_are_there(evening):
    from test_patrol import stop

    phases.clock(evening)
    phases.move(evening)
    flow = evening.place_rows[:, people.FLOW] & np.uint64(people.FIELD_MASK)
    rows = np.argsort(-flow.astype(np.int64))[:20]
    m = evening
    m.places.procedural_quality[rows] = 0.4
    rounds = m.constants.rounds
    m.people.trust_police = rounds.usual_trust
    before = m.people.trust_police.copy()
    stopped, times = np.unique(stop(m, rows, quality=0.3), return_counts=True)
    full = rounds.stop_trust * (0.3 + 0.4 - rounds.expected_quality)
    change = (m.people.trust_police - before)[stopped]
    assert (times == 1).any() and full > 0
    np.testing.assert_allclose(change[times == 1], full, atol=1e-6)
    assert (change > 0).all()


# --- rows of guardians


@pytest.mark.parametrize("budget", [None, 5e7])
def test_every_unit_that_is_paid_is_on_the_street(settings, town_world, budget):
    units = 4000.0 if budget is None else 3.0
    changed = settings.replace({"policies.hot_spot_policing.measures.0.change.add": units,
                                "policies.hot_spot_policing.measures.0.per_residents": 2000.0,
                                "budget": budget})
    m = CityModel(changed, 1, ("hot_spot_policing",), town_world)
    plain = CityModel(changed, 1, (), town_world)
    m.take_over(plain.standing())
    for kind, rows in plain.guardian_rows.items():
        mine = m.guardians.place[m.guardian_rows[kind]][:rows.stop - rows.start]
        np.testing.assert_array_equal(mine, plain.guardians.place[rows])
    phases.clock(m)
    phases.policies(m)
    ordered = float(m.city_row.hot_spot_units[0])
    assert ordered > 500 and m.programme.most("patrol.hot_spot_units") >= ordered
    m.step_index = 12
    phases.clock(m)
    phases.guardians(m)
    on = m.guardians.on_duty[m.guardian_rows[HOT_SPOT]].sum()
    share = m.settings.model.patrol.duty_national[12]
    assert abs(on - ordered * share) <= 1


def test_units_beyond_any_policy_are_refused(town):
    m = town()
    with pytest.raises(RuntimeError, match="rows for"):
        for step in range(24):
            m.step_index = step
            m.on_duty(BEAT, 1e5)


# --- places


def test_green_brings_residents_out_by_day_and_nobody_else(morning):
    m = morning
    for phase in (phases.clock, phases.move, phases.guardians, phases.observe_places):
        phase(m)
    before, women = m.places.present.copy(), m.women.copy()
    m.places.greenery[::2] = 1.0
    phases.observe_places(m)
    out = m.settings.model.guardianship.green_outdoors * m.stock[:, people.HOME]
    out = out * np.maximum(m.hour.daylight, m.places.lighting) * (np.arange(len(before)) % 2 == 0)
    np.testing.assert_allclose(m.places.present - before, out, rtol=1e-3, atol=1e-5)
    assert out.sum() > 1
    np.testing.assert_array_equal(m.women, women)


def test_gates_close_burglary_and_nothing_else(evening):
    m = evening
    for phase in (phases.clock, phases.move, phases.guardians, phases.observe_places):
        phase(m)
    before = m.value.copy()
    m.places.rear_closed[ROWS] = 1.0
    phases.observe_places(m)
    burglary = m.constants.offences.names.index("burglary_home")
    rear = m.settings.model.opportunity.rear_entry
    np.testing.assert_allclose(m.value[ROWS, burglary], (1 - rear) * before[ROWS, burglary],
                               rtol=1e-5)
    before[ROWS, burglary] = m.value[ROWS, burglary]
    np.testing.assert_array_equal(m.value, before)
    assert before[ROWS, burglary].any()


def test_remediation_takes_away_what_the_surroundings_bring(town):
    m, plain = town(), town()
    m.places.remediation = 1.0
    for model in (m, plain):
        for _ in range(60):
            phases.upkeep.age_places(
                model.constants.ageing, *(model.places[c] for c in (
                    "wear", "grime", "remediation", "stewardship", "cleaning", "works", "upkeep",
                    "disorder")))
    dirty = plain.places.grime > 0
    assert dirty.sum() > 0
    assert (m.places.disorder[dirty] < plain.places.disorder[dirty]).all()
    np.testing.assert_array_equal(m.places.disorder[~dirty], plain.places.disorder[~dirty])
    np.testing.assert_array_equal(m.places.upkeep, plain.places.upkeep)


def test_venue_areas_are_clusters_the_largest_first(town):
    places = town().places
    rows = np.flatnonzero(places.venues > 0)
    for radius in (40.0, 150.0):
        _venue_areas(places, radius)
        label = dict(zip(rows, range(len(rows)), strict=True))
        for a in rows:  # plain: spread the smaller label until nothing changes
            for b in rows:
                away = math.hypot(float(places.x[a]) - float(places.x[b]),
                                  float(places.y[a]) - float(places.y[b]))
                if away <= radius and label[a] != label[b]:
                    one, other = sorted((label[a], label[b]))
                    label = {r: one if v == other else v for r, v in label.items()}
        groups = {}
        for r, v in label.items():
            groups.setdefault(v, set()).add(int(r))
        found = {frozenset(np.flatnonzero(places.venue_area == k))
                 for k in range(places.venue_area.max() + 1)}
        assert found == {frozenset(g) for g in groups.values()}
        sizes = [places.venues[places.venue_area == k].sum() for k in range(len(found))]
        assert sizes == sorted(sizes, reverse=True)
        for k, size in enumerate(sizes):
            assert (places.area_venues[places.venue_area == k] == size).all()
        assert (places.venue_area[places.venues == 0] == -1).all()


# --- people and households


def month(m, step):
    p = m.people
    life.month(0, m.n_residents, m.constants.course, random.address(1, streams.WORK, step),
               random.address(1, streams.SCHOOL, step), p.age, p.employment, p.programme, m.placed,
               p.self_control, p.skill, p.aggression, p.timetable, m.timetable_work,
               m.timetable_free)


def test_a_course_of_sessions_ends_at_what_was_measured():
    """Eight months; .32 standard deviations of the self-control of young people as the
    population's tables have it, and .27 of aggression."""
    settings = compose(["city=town", "policy=[cognitive_sessions]"])
    life_course, traits = settings.model.life, settings.population.traits
    end, month = settings.policies["cognitive_sessions"]["when"]["end_day"], life_course.month_days
    (months,) = {(warmup + end) // month - warmup // month for warmup in range(60)}
    assert months == 8  # monthly closes, whatever the run-in
    lacks = 1 - traits.self_control_mean - traits.self_control_youth - traits.self_control_man / 2
    held = life_course.session_most * (1 - (1 - life_course.session_gain) ** months)
    assert held * lacks / traits.self_control_sd == pytest.approx(0.32, abs=0.01)
    night = settings.model.night
    calmer = held * (night.aggression_control * lacks + life_course.session_calm)
    assert calmer / night.aggression_sd == pytest.approx(0.27, abs=0.01)


@pytest.mark.parametrize(("most", "gain", "calm_by"),
                         [(0.0, 0.264, 1.5), (0.102, 0.264, 0.0), (0.102, 0.264, 1.5),
                          (1.0, 0.3, 0.5)])
def test_sessions_lend_skill_that_fades_and_the_decision_follows(town, most, gain, calm_by):
    m = town({"model.life.session_most": most, "model.life.session_gain": gain,
              "model.life.session_calm": calm_by})
    p, c = m.people, m.settings.model.life
    rows = np.arange(0, m.n_residents, 3)
    p.programme[rows] = life.SESSIONS
    control, calm = p.self_control.copy(), p.aggression.astype(float)
    for step in range(12):
        month(m, step)
    weight = m.settings.model.night.aggression_control * (1 - control[rows].astype(float)) + calm_by

    def lent(skill):
        np.testing.assert_allclose(p.skill[rows] / 65535, skill, atol=4e-4)
        np.testing.assert_allclose(p.aggression[rows], calm[rows] * np.exp(-weight * skill),
                                   rtol=2e-3)

    skill = most * (1 - (1 - gain) ** 12)
    lent(skill)
    p.programme[rows] = 0
    for step in range(12, 24):
        month(m, step)
    lent(skill * (1 - c.session_fade) ** 12)
    np.testing.assert_array_equal(p.self_control, control)
    others = np.setdiff1d(np.arange(len(p)), rows)
    assert not p.skill[others].any()
    np.testing.assert_array_equal(p.aggression[others], calm[others].astype("f4"))
    if not gain:
        np.testing.assert_array_equal(p.aggression, calm.astype("f4"))


def test_pupils_in_a_job_work_and_then_go_back_to_their_own_hours(town):
    m = town({"model.life.dropout": 0.0})
    p = m.people
    pupils = np.flatnonzero(p.employment[:m.n_residents] == STUDENT)
    before = p.timetable[pupils].copy()
    assert len(pupils) > 20 and len(set(before)) >= 1
    p.programme[pupils] = life.PLACEMENT
    for step in range(2):
        month(m, step)
        assert (p.timetable[pupils] == m.timetable_work).all()
        assert (p.employment[pupils] == STUDENT).all()
    p.programme[pupils] = 0
    month(m, 2)
    np.testing.assert_array_equal(p.timetable[pupils], before)
    assert not m.placed.any() and not np.isin(p.employment[pupils], (NEET, UNEMPLOYED)).any()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_campaign_moves_tolerance_slowly_down_to_a_floor(town, share):
    m = town()
    h, d = m.households, m.settings.model.domestic
    m.places.norm_campaign[::2] = share
    before = h.abuse_norms.astype(float)
    for _ in range(100):
        life.shift_norms(m.constants.harm, m.places.norm_campaign, h.home, h.abuse_norms)
    treated = m.places.norm_campaign[h.home] > 0
    kept = (1 - share * d.campaign_pace) ** 100
    expected = np.where(treated & (before > d.campaign_floor),
                        d.campaign_floor + (before - d.campaign_floor) * kept, before)
    np.testing.assert_allclose(h.abuse_norms, expected, atol=1e-5)
    np.testing.assert_array_equal(h.abuse_norms[~treated], before[~treated].astype("f4"))


def test_the_campaign_runs_at_the_close_of_the_day(town):
    m = town()
    m.places.norm_campaign = 1.0
    before = m.households.abuse_norms.mean()
    m.run_days(2)
    m.finish()
    assert m.households.abuse_norms.mean() < before


# --- all together


def test_at_dose_zero_a_run_is_the_one_without_policies(settings, town_world):
    names = [*OF_PLACES, *OF_PEOPLE]
    none = settings.replace({f"policies.{name}.dose": 0.0 for name in names})
    m, plain = (CityModel(none, 1, chosen, town_world) for chosen in (names, ()))
    for model in (m, plain):
        model.run_days(3)
    mine, theirs = m.state(), plain.state()
    for name, array in theirs.items():
        np.testing.assert_array_equal(mine[name], array, err_msg=name)
    assert m.recorder.n_events == plain.recorder.n_events and m.programme.ledger.total == 0


def test_threads_give_the_same_hours_with_these_levers(town):
    models = [town(threads=threads) for threads in (1, 2)]
    for m in models:
        p = m.places
        p.greenery[::2], p.rear_closed[::3], p.remediation[::5] = 0.7, 0.9, 1.0
        p.patrol_visits[::4], p.visit_contacts[::4], p.procedural_quality[::4] = 12, 5, 0.3
        p.norm_campaign[::6] = 1.0
        for _ in range(30):
            m.step()
    for name, array in models[0].state().items():
        np.testing.assert_array_equal(array, models[1].state()[name], err_msg=name)
    assert models[0].recorder.visits > 12 * np.count_nonzero(models[0].places.patrol_visits)

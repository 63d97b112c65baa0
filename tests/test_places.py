"""Presence, guardianship, opportunity, friction and pull of places against plain formulas."""

import copy
import dataclasses
import math

import numpy as np
import pytest

from citysim.kernels import people, places, random
from citysim.kernels.places import FORMS
from citysim.model import phases

CLOSE = {"rtol": 2e-5, "atol": 1e-9}


@pytest.fixture
def hour(evening):
    """Saturday 22:00 with patrols out, seen up to the places."""
    return seen(evening)


def seen(model):
    for phase in (phases.clock, phases.policies, phases.move, phases.guardians,
                  phases.observe_places):
        phase(model)
    return model


def look_again(model):
    """Watch the places again after a test has changed something; counts stay."""
    phases.observe_places(model)
    return model.places


def plain_watch(m, s):
    """Present, women, young, guardianship, certainty and unease of one place."""
    p, w, h = m.places, m.constants.watch, m.hour
    flow = int(m.place_rows[s, people.FLOW])
    bits = people.FIELD_BITS
    passing = p.length[s] / m.settings.model.guardianship.walking_speed / h.step_seconds
    counts = [(flow >> (bits * k)) & ((1 << bits) - 1) for k in range(3)]
    out = m.stock[s, [people.OUT, people.OUT_WOMEN, people.OUT_YOUNG]]
    n, women, young = (c * passing + o * w.outdoors for c, o in zip(counts, out, strict=True))
    at_work = 0 if p.gateway[s] else m.settings.model.guardianship.day_outdoors
    n += m.stock[s, people.DAY] * at_work / m.scale
    light = max(h.daylight, p.lighting[s])
    on_green = m.settings.model.guardianship.green_outdoors * p.greenery[s] * light
    n += m.stock[s, people.HOME] * h.awake * on_green / m.scale
    venues = p.venues[s] if h.evening and h.clock < p.closing_hour[s] else 0
    staff = p.services[s] * h.services_open + p.hosts[s] * h.hosts_on
    long = p.length[s] / m.settings.model.guardianship.usual_length
    eyes = (n + w.home_eyes * m.stock[s, people.HOME] * h.awake
            + w.shop_eyes * p.shops[s] * h.shops_open + w.venue_eyes * venues
            + w.service_eyes * p.services[s] * h.services_open
            + w.host_eyes * p.hosts[s] * h.hosts_on) / long
    guard = (p.efficacy[s] * (w.blind + (1 - w.blind) * light)
             * (1 - math.exp(-eyes / w.saturation)) * (1 - w.disorder_loss * p.disorder[s]))
    guard = min(1, guard)
    unseen = 1.0
    for share, amount in ((w.certainty_informal, guard), (w.certainty_patrol, p.deterrence[s]),
                          (w.certainty_light, light), (w.certainty_camera, p.camera[s])):
        unseen *= 1 - share * amount
    night = 1 - h.daylight
    cue = (w.unease_dark * night * (1 - p.lighting[s]) + w.unease_disorder * p.disorder[s]
           + w.unease_empty * night * math.exp(-eyes / w.empty_scale))
    cue *= 1 - w.comfort * (1 - math.exp(-(staff + p.patrol_minutes[s] / 15)))
    return n, women, young, guard, 1 - unseen, min(1, max(0, cue))


def plain_value(m, s, o):
    """Worth of one offence at one place."""
    t, k, p = m.constants.target, m.constants.offences, m.places
    long = p.length[s] / m.settings.model.guardianship.usual_length
    n, there, women, young = (float(x[s]) / long
                              for x in (p.company, p.present, m.women, m.young))
    form = FORMS[k.form[o]]
    half, empty = k.half[o], int(m.stock[s, people.EMPTY])
    homes = (m.households.home == s).sum()
    targets = {
        "crowd": lambda: long * n * n / (n + half),
        "lone": lambda: long * (1 - math.exp(-12 * n)) * math.exp(-there / half),
        "empty_dwelling": lambda: (empty + t.occupied * (1 - m.hour.awake) * (homes - empty)) * (
            1 - m.settings.model.opportunity.rear_entry * p.rear_closed[s]),
        "vehicle": lambda: p.vehicles[s] * (1 + t.night_vehicle * (1 - p.light[s])),
        "shop": lambda: p.shop_space[s] * m.hour.shops_open * n / (n + half),
        "lone_woman": lambda: long * (1 - math.exp(-12 * women)) * math.exp(-there / half),
        "neglect": lambda: (m.breakable[s]
                            * (1 + t.disorder_feed * p.disorder[s] / (p.disorder[s] + half))
                            * (1 + t.youth_feed * young / (young + 1))),
        "friction": lambda: 0.0, "household": lambda: 0.0}[form]()
    return (k.level[o] * m.attract[s, o] * targets
            * math.exp(-k.beta[o] * float(p.certainty[s]))
            * math.exp(k.disorder_cue[o] * float(p.disorder[s])))


@pytest.mark.parametrize("when", ["evening", "morning"])
def test_watching_agrees_with_plain_formulas(when, request):
    m = request.getfixturevalue(when)
    m.places.camera[::3] = 0.5
    m.places.hosts[::4] = 1
    m.places.services[::5] = 1
    m.places.greenery[::2] = 0.6
    seen(m)
    got = np.stack([m.places.present, m.women, m.young, m.places.guardianship,
                    m.places.certainty, m.places.unease], 1)
    expected = np.array([plain_watch(m, s) for s in range(len(m.places))])
    assert (expected[:, 0] > 0).mean() > 0.5
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(m.place_rows[:, people.CUE] / people.CUE_SCALE, expected[:, 5],
                               atol=2e-6)


@pytest.mark.parametrize("when", ["evening", "morning"])
def test_opportunities_agree_with_plain_formulas(when, request):
    m = request.getfixturevalue(when)
    m.places.rear_closed[::2] = 0.8
    m.places.greenery[::3] = 0.5
    m.constants.offences.disorder_cue[::2] += 0.9
    seen(m)
    expected = [[plain_value(m, s, o) for o in range(m.value.shape[1])]
                for s in range(len(m.places))]
    assert np.count_nonzero(expected) > 100
    np.testing.assert_allclose(m.value, expected, rtol=1e-4, atol=1e-12)


def test_pulls_agree_with_plain_formulas(evening):
    m, r = evening, evening.settings.model.routine
    m.places.events[::3] = 2
    m.places.services[::4] = 1
    m.places.greenery[::2] = 0.4
    phases.clock(m)
    unease = m.places.unease.copy()
    phases.move(m)
    p, h, k = m.places, m.hour, m.constants
    tastes = np.array([r[f"taste_{n}"] for n in ("alcohol", "other_venues", "shops", "green",
                                                 "events", "services")]) * r.offer
    night = 1 - h.daylight
    for s in range(len(p)):
        venues = p.venue_space[s] * (h.clock < p.closing_hour[s])
        offer = np.array([
            math.sqrt(venues * p.alcohol[s]), math.sqrt(venues * (1 - p.alcohol[s])),
            math.sqrt(p.shop_space[s]) * h.shops_open,
            (p.green[s] + p.greenery[s] + p.leisure[s]) * (1 - night * (1 - p.lighting[s])),
            math.sqrt(p.events[s] / 7), math.sqrt(p.services[s])])
        expected = offer @ tastes * np.exp(-night * np.array(r.sensitivity) * unease[s])
        np.testing.assert_allclose(m.pull[s], expected, rtol=1e-4, atol=1e-7)
        rate = m.settings.model.night.drink_rate * p.alcohol[s] if venues else 0
        guests = np.divide(offer[:2] @ tastes[:2], offer @ tastes, out=np.zeros(6),
                           where=offer @ tastes > 0)
        np.testing.assert_allclose(m.guests[s], guests, rtol=1e-5)
        assert m.drink[s] == pytest.approx(rate)
    assert (h.evening, h.services_open) == (1, 1) and k.sensitivity.min() > 0


def drinking(m, **changes):
    """Pull and guests of all places this hour, with columns or the share of others changed."""
    p, others = m.places, changes.pop("others_drink", 0.0)
    names = ("closing_hour", "venue_space", "alcohol", "events", "services", "green", "leisure",
             "shop_space", "lighting", "unease")
    pull, guests = np.full((2, len(p), 6), np.nan, np.float32)
    drink = np.full(len(p), np.nan, np.float32)
    places.pulls(0, len(p), m.hour, *(changes.get(n, p[n]) for n in names), m.constants.tastes,
                 m.constants.sensitivity, m.drink_rate, others, pull, guests, drink)
    served = (p.venues > 0) & (m.hour.clock < p.closing_hour)
    np.testing.assert_allclose(drink, served * m.drink_rate * p.alcohol, rtol=1e-5)
    assert not guests[~served].any()
    assert ((guests >= 0) & (guests <= 1 + 1e-6)).all()
    return pull, guests


def test_what_draws_others_neither_adds_nor_takes_drinking(evening):
    """Green, shops, events and services bring people who do not drink as guests of the bar."""
    m = evening
    phases.clock(m)
    m.hour = m.hour._replace(shops_open=1.0)
    pull, guests = drinking(m)
    more, less = drinking(m, green=m.places.green + np.float32(0.6),
                          shop_space=m.places.shop_space + np.float32(4),
                          events=m.places.events + np.float32(3),
                          services=m.places.services + np.uint16(2))
    bars = guests[:, 0] > 0
    assert bars.sum() > 5 and (more > pull).all()
    assert (less[bars] < guests[bars]).all() and not less[~bars].any()
    np.testing.assert_allclose(more * less, pull * guests, rtol=1e-4, atol=1e-9)


def test_guests_of_venues_drink_as_far_as_alcohol_leads(evening):
    m = evening
    phases.clock(m)
    nothing = np.zeros(len(m.places), np.float32)
    alone = {n: nothing for n in ("events", "services", "green", "leisure", "shop_space")}
    is_open = (m.places.venues > 0) & (m.hour.clock < m.places.closing_hour)
    assert is_open.any() and not is_open.all()
    for got in (drinking(m, **alone), drinking(m, others_drink=1.0)):
        np.testing.assert_allclose(got[1], np.tile(is_open[:, None], 6), rtol=1e-5)
    one, other = (drinking(m, others_drink=x)[1] for x in (0.0, 1.0))
    np.testing.assert_allclose(drinking(m, others_drink=0.25)[1], 0.75 * one + 0.25 * other,
                               rtol=1e-5, atol=1e-6)


def test_friction_agrees_with_plain_formulas(hour):
    m, t, k = hour, hour.constants.target, hour.constants.offences
    row = int(k.of_form(places.FRICTION)[0])
    n_places = len(m.places)
    m.friction[:] = np.random.default_rng(3).integers(0, 40 * people.FRICTION_SCALE,
                                                      m.friction.shape)
    m.friction[::2, [people.INSIDE, people.GUESTS]] = 0  # no venue is open there
    m.attract[::3] *= 1.5  # what stands derelict beside a venue does nothing inside it
    hazard, total = np.zeros_like(m.recorder.hazard), np.zeros_like(m.recorder.total)
    events = np.zeros_like(m.recorder.events)
    key = random.address(9, 6, 3)
    level = 0.05
    n = places.frictions(0, n_places, key, 77, row, level, 0.5, t, 1.0, 1.0, m.stretch,
                         m.friction, m.places.company, phases.calm(m), m.places.certainty,
                         m.background, m.attract, m.indoors,
                         hazard, total, events, 0, len(events))
    expected, share = np.zeros((2, n_places))
    for s in np.flatnonzero(m.places.company > 0):
        crowd = float(m.places.company[s])
        long = m.places.length[s] / m.settings.model.guardianship.usual_length
        inside, heat, guests = m.friction[s] / people.FRICTION_SCALE
        heat += t.friction_base * crowd
        met = crowd / (crowd + t.friction_crowd * long)
        green = m.settings.model.opportunity.green_calms * m.places.green[s]
        heat *= (t.friction_known + (1 - t.friction_known) * met) * (1 - green)
        if guests > 0:
            inside *= guests / (guests + t.friction_crowd * long)
        heat *= m.attract[s, row]
        inside *= m.background[s, row]
        expected[s] = (level * (heat + inside)
                       * math.exp(-0.5 * m.places.certainty[s]))
        share[s] = inside / (heat + inside)
    some = m.places.company > 0
    np.testing.assert_allclose(m.indoors[some], share[some], **CLOSE)
    assert (share[some] > 0.1).any() and (share[some] == 0).any()
    np.testing.assert_allclose(hazard[:, row], expected, **CLOSE)
    assert total[row] == pytest.approx(expected.sum())
    assert np.count_nonzero(hazard) == np.count_nonzero(expected)
    luck = np.array([random.uniform(key, s) for s in range(n_places)])
    happens = np.flatnonzero(luck < 1 - np.exp(-expected))
    assert n == len(happens) > 2
    np.testing.assert_array_equal(events[:n, :5],
                                  [[77, s, row, -1, -1] for s in happens])


def test_no_level_no_crime_and_a_full_record_stays_in_bounds(hour):
    m, k = hour, hour.constants.offences
    k.level[:] = 0
    look_again(m)
    assert (m.value == 0).all()
    r, limit = m.recorder, 3
    n = places.frictions(0, len(m.places), np.uint64(1), 0, 6, 1e6, 0.5, m.constants.target, 1.0,
                         1.0, m.stretch, m.friction, m.places.company, phases.calm(m),
                         m.places.certainty, m.background, m.attract, m.indoors,
                         r.hazard, r.total, r.events, 0, limit)
    assert n == limit


def test_what_happens_among_guests_knows_nothing_of_the_street(hour):
    """Whom something else draws to the street adds nothing inside, and the other way round."""
    m, t, out = hour, hour.constants.target, hour.places.company
    inside = int(np.argmax(m.friction[:, people.INSIDE] * (out > 0)))

    def both():
        return places.frictions_at(inside, t, 1.0, m.stretch, m.friction, out, phases.calm(m))

    before = both()
    assert min(before) > 0
    out[inside] += 20
    m.friction[inside, people.OUTSIDE] += 5 * people.FRICTION_SCALE
    assert both()[0] == before[0] and both()[1] > before[1]
    before = both()
    m.friction[inside, people.GUESTS] += 5 * people.FRICTION_SCALE
    assert both()[0] > before[0] and both()[1] == before[1]


def test_half_of_the_people_each_for_two_and_a_longer_street(hour):
    """Contact goes by people, not by those simulated, and by usual lengths, in both settings."""
    m, t = hour, hour.constants.target
    s = int(np.argmax(m.friction[:, people.INSIDE] * (m.places.company > 0)))
    whole = places.frictions_at(s, t, 1.0, m.stretch, m.friction, m.places.company, phases.calm(m))
    m.friction //= 2
    sample = places.frictions_at(s, t, 2.0, m.stretch, m.friction, m.places.company, phases.calm(m))
    assert sample == pytest.approx(whole, rel=1e-3)
    m.stretch *= 2
    m.places.company *= 2
    twice = places.frictions_at(s, t, 4.0, m.stretch, m.friction, m.places.company, phases.calm(m))
    assert twice == pytest.approx(np.multiply(2, sample))


def test_company_of_ones_own_needs_no_crowd(hour):
    """Where few are about, twice the people are between two and four times the assaults."""
    m, known = hour, 0.27
    s = int(np.argmin(np.where(m.friction[:, people.OUTSIDE] > 0, m.places.company, np.inf)))
    t = m.constants.target._replace(friction_known=known, friction_base=0.0)
    out, left = m.places.company, np.ones(len(m.places), np.float32)

    def outside(part, crowd):
        out[s] = crowd * m.stretch[s]
        return places.frictions_at(s, t._replace(friction_known=part), 1.0, m.stretch,
                                   m.friction, out, left)[1]

    heat = m.friction[s, people.OUTSIDE] / people.FRICTION_SCALE
    assert outside(known, 1e-6) == pytest.approx(known * heat, rel=1e-5)
    assert outside(known, 1e9) == pytest.approx(heat, rel=1e-5)
    assert outside(0.0, 2.0) == pytest.approx(heat * 2 / (2 + t.friction_crowd))
    # Friction itself goes with the people, so their number counts once more than contact does.
    for part, least, most in ((0.0, 3.6, 4.0), (known, 2.0, 2.8), (1.0, 2.0, 2.0)):
        assert least - 1e-9 <= 2 * outside(part, 1.0) / outside(part, 0.5) <= most + 1e-9


def test_green_calms_outside_and_no_further_than_a_street_all_green(hour):
    m = hour
    s = int(np.argmax(m.friction[:, people.INSIDE] * (m.places.company > 0)))

    def both(green, planted):
        m.places.green[s], m.places.greenery[s] = green, planted
        return places.frictions_at(s, m.constants.target, 1.0, m.stretch, m.friction,
                                   m.places.company, phases.calm(m))

    bare = both(0, 0)
    takes = m.settings.model.opportunity.green_calms
    assert both(0, 0.5)[0] == bare[0]
    assert both(0.3, 0.2)[1] == pytest.approx((1 - 0.5 * takes) * bare[1], rel=1e-5)
    assert both(0.8, 0.9)[1] == pytest.approx((1 - takes) * bare[1], rel=1e-5)


# --- signs


def never_lower(before, after):
    assert (after >= before - 1e-7).all()
    assert (after > before + 1e-7).any(), "the change must show somewhere"


@pytest.mark.parametrize(("column", "low", "high", "affected"), [
    ("lighting", 0.1, 0.9, ("guardianship", "certainty", "light")),
    ("camera", 0.0, 1.0, ("certainty",)), ("deterrence", 0.0, 0.8, ("certainty",)),
    ("hosts", 0, 2, ("guardianship", "certainty")),
    ("services", 0, 2, ("guardianship", "certainty")),
    ("closing_hour", 20, 28, ("guardianship", "certainty"))])
def test_more_of_it_never_lowers_certainty(hour, column, low, high, affected):
    hour.places[column][:] = low
    before = copy.deepcopy(look_again(hour))
    hour.places[column][:] = high
    after = look_again(hour)
    for name in affected:
        never_lower(before[name], after[name])


@pytest.mark.parametrize(("column", "low", "high"), [
    ("lighting", 0.9, 0.1), ("hosts", 2, 0), ("services", 2, 0), ("patrol_minutes", 30, 0),
    ("disorder", 0.1, 0.8)])
def test_it_never_makes_people_more_at_ease(hour, column, low, high):
    hour.places[column][:] = low
    before = look_again(hour).unease.copy()
    hour.places[column][:] = high
    never_lower(before, look_again(hour).unease)


@pytest.mark.parametrize("step_hours", [1.0, 0.25])
def test_officers_calm_by_their_share_of_the_hour(town, step_hours):
    """Ten minutes in an hour calm as much as two and a half in each of its quarters."""
    m = seen(town({"step_hours": step_hours}))
    m.places.patrol_minutes[:] = 0
    alone = look_again(m).unease.copy()
    m.places.patrol_minutes[:] = 10 * step_hours
    nobody_else = (m.places.services == 0) & (m.places.hosts == 0) & (alone < 1)
    assert nobody_else.sum() > 20
    comfort = m.settings.model.fear.comfort
    np.testing.assert_allclose(look_again(m).unease[nobody_else],
                               alone[nobody_else] * (1 - comfort * (1 - math.exp(-10 / 15))),
                               rtol=1e-5)


def test_disorder_lowers_guardianship_and_invites_damage(hour):
    hour.places.disorder = 0.1
    before = look_again(hour).guardianship.copy()
    target = hour.constants.offences.names.index("vandalism")
    value = hour.value[:, target].copy()
    hour.places.disorder = 0.8
    never_lower(look_again(hour).guardianship, before)
    never_lower(value, hour.value[:, target])


@pytest.fixture
def unheeded(hour):
    """The hour, and disorder takes nothing from guardianship: what is left is what it tells."""
    hour.constants = dataclasses.replace(
        hour.constants, watch=hour.constants.watch._replace(disorder_loss=0.0))
    return hour


def worth_at(m, disorder):
    m.places.disorder[:] = disorder
    phases.observe_places(m)
    return m.value.copy()


def test_disorder_adds_to_the_worth_what_its_cue_says(unheeded):
    k = unheeded.constants.offences
    k.disorder_cue[:] = [math.log(2), 0, math.log(3), *[0] * (len(k.names) - 3)]
    tidy, worse = (worth_at(unheeded, d) for d in (0.25, 0.75))
    assert (tidy[:, :3] > 0).any(axis=0).all()
    # Half the scale lies between: roots of 2 and 3.
    np.testing.assert_allclose(worse[:, 0], 2 ** 0.5 * tidy[:, 0], rtol=1e-6)
    np.testing.assert_allclose(worse[:, 2], 3 ** 0.5 * tidy[:, 2], rtol=1e-6)


def test_without_a_cue_disorder_tells_nothing_bit_by_bit(unheeded):
    k = unheeded.constants.offences
    k.disorder_cue[:] = 0
    tidy, worse = (worth_at(unheeded, d) for d in (0.0, 0.9))
    others = np.flatnonzero(k.form != places.NEGLECT)
    assert np.count_nonzero(tidy[:, others]) > 100
    np.testing.assert_array_equal(worse[:, others], tidy[:, others])


def test_no_cue_where_disorder_has_another_way_or_none(hour):
    """Vandalism makes disorder: a cue beside its feed would count twice and feed on itself."""
    k = hour.constants.offences
    told = {name for name, cue in zip(k.names, k.disorder_cue, strict=True) if cue > 0}
    assert told == {"theft_person", "theft_from_vehicle"}
    for name in k.names:
        low, _ = hour.settings.provenance[f"offences.{name}.disorder_cue"].range
        assert low == 0


def test_more_people_are_more_guardians(hour):
    before = look_again(hour).guardianship.copy()
    hour.stock[:, people.OUT] += 3
    never_lower(before, look_again(hour).guardianship)
    before = hour.places.guardianship.copy()
    hour.stock[:, people.HOME] += 30
    never_lower(before, look_again(hour).guardianship)


def test_residents_on_their_green_see_and_are_not_met(hour):
    """They can be nobody's victim or assailant, so they make no target and no friction."""
    persons = [o for o, f in enumerate(hour.constants.offences.form)
               if FORMS[f] in ("crowd", "lone", "lone_woman", "shop")]
    hour.places.greenery[:] = 0
    before = copy.deepcopy(look_again(hour))
    value = hour.value[:, persons].copy()
    hour.places.greenery[:] = 1
    after = look_again(hour)
    never_lower(before.guardianship, after.guardianship)
    never_lower(before.present, after.present)
    np.testing.assert_array_equal(after.company, before.company)
    never_lower(hour.value[:, persons], value)


def test_a_heavier_weight_of_certainty_never_adds_worth_or_hazard(hour):
    before = hour.value.copy()
    for o in range(before.shape[1]):
        hour.constants.offences.beta[o] += 0.7
        look_again(hour)
        assert (hour.value[:, o] <= before[:, o]).all()
        if before[:, o].any():
            assert (hour.value[:, o] < before[:, o]).any()
        np.testing.assert_array_equal(hour.value[:, o + 1:], before[:, o + 1:])


def test_light_is_the_greater_of_day_and_lamp(evening):
    evening.step_index -= 9  # Saturday 13:00
    noon = seen(evening)
    assert noon.hour.daylight == 1 and (noon.places.light == 1).all()


def test_everything_stays_in_its_range_under_extremes(hour):
    p = hour.places
    for column, value in (("disorder", 1), ("lighting", 0), ("deterrence", 1), ("camera", 1),
                          ("hosts", 20), ("services", 20)):
        p[column][::2] = value
    hour.stock[::3, people.OUT] = 100_000
    look_again(hour)
    p.validate()
    assert np.isfinite(hour.value).all() and (hour.value >= 0).all()

"""How people choose and travel: the compiled pass against a plain one, and conservation."""

import copy
import itertools

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import parallel as chunks
from citysim.kernels import people, random, streams
from citysim.model import phases

SCALE = 1 << 16


def route_of(model, person, anchor):
    """Places walked from home to an anchor; none to home itself."""
    return [] if anchor == 0 else list(model.population.route(person, anchor))


def wanted(model, r, pull, decay):
    """Where a person wants to be, from the words of the docstring."""
    p, hour, dark = model.people, model.hour_of_week, model.dark
    activity = model.population.timetables[p.timetable[r], (hour - int(p["shift"][r])) % 168]
    if activity in (0, 1):
        return 0
    if activity == 2:
        return 1 if p.anchors[r, 1] != p.anchors[r, 0] else 0
    weights = [1.0]
    for anchor in (2, 3, 4):
        w = float(pull[p.anchors[r, anchor], p.group[r]]) * float(p.caution[r, dark])
        if p.at[r] == anchor:
            w *= float(model.stay)
        else:
            mode = (int(p.modes[r]) >> (2 * (anchor - 1))) & 3
            w *= float(decay[mode, p.minutes[r, anchor - 1]])
        weights.append(w)
    u = random.uniform(model.key(streams.CHOICE), r) * sum(weights)
    steps = np.cumsum(weights)
    if np.abs(steps - u).min() < 1e-4 * steps[-1]:
        return None  # too close to call in single precision
    return (0, 2, 3, 4)[int(np.searchsorted(steps, u, side="right"))]


def walk(model, r, start, end, cue, seen):
    """What a trip leaves behind and takes in, the way home first; writes into ``seen``."""
    p, f = model.people, model.settings.model.fear
    heat = float(p.aggression[r]) * int(p.intoxication[r]) / 255 * SCALE / 3600
    for way in (route_of(model, r, start), route_of(model, r, end)):
        for s in way:
            seen["flow"][s] += [1, p.sex[r] == 1, p.age[r] < 25]
            seen["friction"][s, people.OUTSIDE] += int(np.float32(heat) * model.seconds[s])
        if way:
            target = min(1.0, float(p.sensitivity[r]) * np.mean([cue[s] for s in way]))
            before = seen["fear"].get(r, float(p.fear[r, model.dark]))
            gap = target - before
            seen["fear"][r] = before + gap * (f.rise if gap > 0 else f.fall)


def plain_move(model):
    """The whole phase of moving in plain Python."""
    p = model.people
    decay = phases.travel_decay(model)
    cue = model.place_rows[:, people.CUE] / people.CUE_SCALE
    n = len(model.places)
    seen = {"flow": np.zeros((n, 3), int), "friction": np.zeros((n, 3), np.int64),
            "fear": {}, "at": p.at.copy(), "unsure": set()}
    for r in range(len(p)):
        here = int(p.at[r])
        if here >= 2 and p.status[r] == 0:
            s = p.anchors[r, here]
            night = model.settings.model.night
            usual = night.usual if p.age[r] >= night.adult_from else 0.0
            guest = float(model.guests[s, p.group[r]])
            thirst = usual + (1 - usual) * float(p.substance[r])
            level = min(float(p.intoxication[r] + model.drink[s] * guest * thirst), 255.0)
            p.intoxication[r] = int(level + 0.5)
            drunk = np.array([level, 0] if guest > 0 else [0, level]) / 255
            heat = float(p.aggression[r]) * (0.12 * np.array([guest, 1 - guest]) + drunk)
            heat = np.array([0.7 * heat[0], heat[1] + 0.3 * heat[0]])  # a guest's time outdoors
            seen["friction"][s] += (np.append(heat, 0.7 * guest) * SCALE).astype(int)
        there = here if p.status[r] else wanted(model, r, model.pull, decay)
        if there is None:
            seen["unsure"].add(r)
        elif there != here:
            walk(model, r, here, there, cue, seen)
            seen["at"][r] = there
    return seen


def recount(model):
    """Stocks by place from where everyone is."""
    p, h = model.people, model.households
    stock = np.zeros_like(model.stock)
    for r in np.flatnonzero(p.status == 0):
        at = p.at[r]
        s = p.anchors[r, at]
        if at == 0:
            stock[s, people.HOME] += p.household[r] >= 0
        elif at == 1:
            stock[s, people.DAY] += 1
        else:
            stock[s, people.OUT] += 1
            stock[s, people.OUT_WOMEN] += p.sex[r] == 1
            stock[s, people.OUT_YOUNG] += p.age[r] < 25
    home = np.bincount(p.household[(p.household >= 0) & (p.at == 0) & (p.status == 0)],
                       minlength=len(h))
    np.add.at(stock[:, people.EMPTY], h.home[home == 0], 1)
    return stock, home


def unpack(rows):
    """Passages of all, women, and under 25 from the packed counter."""
    flow = rows[:, people.FLOW]
    mask = np.uint64(people.FIELD_MASK)
    return np.stack([(flow >> np.uint64(people.FIELD_BITS * k)) & mask for k in range(3)], 1)


@pytest.mark.parametrize("when", ["evening", "morning"])
def test_moving_agrees_with_a_plain_pass(when, request):
    model = request.getfixturevalue(when)
    phases.clock(model)
    plain = copy.deepcopy(model)
    before = model.people.fear.copy()
    phases.move(model)
    phases.places.pulls(0, len(plain.places), plain.hour, *(
        plain.places[c] for c in ("closing_hour", "venue_space", "alcohol", "events",
                                  "services", "green", "leisure", "shop_space", "lighting",
                                  "unease")),
        plain.constants.tastes, plain.constants.sensitivity, plain.drink_rate,
        plain.settings.model.night.others_drink, plain.pull, plain.guests, plain.drink)
    seen = plain_move(plain)
    assert len(seen["unsure"]) < 10, "single precision is in doubt for a handful only"
    sure = np.setdiff1d(np.arange(len(model.people)), list(seen["unsure"]))
    assert (seen["at"] != plain.people.at)[sure].sum() > 100, "the hour must hold trips"
    np.testing.assert_array_equal(model.people.at[sure], seen["at"][sure])
    clear = np.ones(len(model.places), bool)
    for r in seen["unsure"]:
        clear[np.concatenate([plain.people.anchors[r],
                              *(plain.population.route(r, k) for k in range(1, 5))])] = False
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(unpack(model.place_rows)[clear], seen["flow"][clear])
    # whole numbers are cut off from products in single precision: one unit a passage
    passages = seen["flow"][:, 0] + np.bincount(
        plain.people.anchors[np.arange(len(plain.people)), plain.people.at],
        minlength=len(plain.places))
    slack = passages[:, None] + 1e-6 * seen["friction"]
    assert (np.abs(model.friction - seen["friction"]) <= slack)[clear].all()
    assert (seen["friction"][:, people.INSIDE] > 0).any() == (when == "evening")
    home = (seen["at"] == 0) & (plain.people.at != 0)
    kept = model.settings.model.night.sober * plain.people.intoxication
    drunk = np.where(home, kept, plain.people.intoxication).astype(np.uint8)
    np.testing.assert_array_equal(model.people.intoxication[sure], drunk[sure])
    assert when == "morning" or (plain.people.intoxication[home & (plain.people.at > 1)] > 0).any()
    d = model.dark
    for r, fear in seen["fear"].items():
        if r not in seen["unsure"]:
            assert model.people.fear[r, d] == pytest.approx(fear, abs=1e-5)
    still = np.setdiff1d(sure, list(seen["fear"]))
    np.testing.assert_array_equal(model.people.fear[still], before[still])
    np.testing.assert_array_equal(model.people.fear[:, 1 - d], before[:, 1 - d])


def test_who_moved_and_how_much_is_told(evening):
    before = evening.people.at.copy()
    phases.clock(evening)
    phases.move(evening)
    after = evening.people.at
    went = before != after
    expected = np.where(went, 1 + 5 * before.astype(int) + after, 0)
    np.testing.assert_array_equal(evening.moved, expected)
    assert evening.trips[:, 0].sum() == went.sum()
    hops = sum(len(route_of(evening, r, before[r])) + len(route_of(evening, r, after[r]))
               for r in np.flatnonzero(went))
    assert evening.trips[:, 1].sum() == hops
    assert unpack(evening.place_rows)[:, 0].sum() == hops


def test_stocks_are_a_recount_of_people_after_a_week(busy_week):
    assert (busy_week.people.status == 1).sum() > 0, "detention must be among what is counted"
    stock, home = recount(busy_week)
    np.testing.assert_array_equal(busy_week.stock, stock)
    np.testing.assert_array_equal(busy_week.households.at_home, home)


def test_nobody_is_lost_or_in_two_places(busy_week):
    p, n = busy_week.people, busy_week.n_residents
    in_town = busy_week.stock[:, [people.HOME, people.DAY, people.OUT]].sum()
    outsiders_away = ((p.at == 0) & (np.arange(len(p)) >= n)).sum()
    assert in_town + outsiders_away + (p.status == 1).sum() == len(p)
    assert (busy_week.stock >= 0).all() and (p.at[p.status == 1] == 0).all()


def drink_once(usual, drink=100.0, guests=1.0, times=1, drunk=0):
    """Intoxication of an adult, a minor, an adult and a minor who use, after a step on one street.

    Friction of the street is inside, outside, and how many guests; ``times`` as many people of each
    kind, all of aggression 2.
    """
    n = 4 * times
    taken, friction = np.full(n, drunk, np.uint8), np.zeros((1, 3), np.int64)
    people.drink_and_jostle(
        n, np.arange(n, dtype=people.ROW), np.full(n, 2, np.uint8), np.zeros((n, 5), np.uint16),
        np.tile(np.array([1, 0, 1, 0], np.uint8), times),
        np.tile(np.array([18, 17, 40, 17], np.uint8), times), taken,
        np.tile(np.array([0, 0, 0.5, 0.5], np.float32), times), np.full(n, 2, np.float32),
        np.full((1, 6), guests, np.float32), np.full(1, drink, np.float32),
        people.Thirst(np.float32(usual), 18), 0.3, 0.25, friction)
    return taken, friction[0] / SCALE


def test_adults_drink_a_little_and_those_who_use_more():
    taken, friction = drink_once(0.2)
    np.testing.assert_array_equal(taken, [20, 0, 60, 50])  # 100 (.2 + .8 substance), 100 substance
    heat = 2 * (4 * 0.25 + 130 / 255)
    assert friction == pytest.approx([0.7 * heat, 0.3 * heat, 0.7 * 4], abs=1e-3)
    np.testing.assert_array_equal(drink_once(0.0)[0], [0, 0, 50, 50])
    np.testing.assert_array_equal(drink_once(0.2, drink=0.0)[0], 0)
    assert drink_once(1.0, drink=250.0)[0][0] == 250


def test_guests_are_inside_but_for_their_time_outdoors_and_others_outside():
    """Three in ten came for the bar, so that they drink 30 of what would be 100 as a mean."""
    taken, friction = drink_once(0.2, guests=0.3)
    np.testing.assert_array_equal(taken, [6, 0, 18, 15])
    guests = 2 * (0.3 * 4 * 0.25 + 39 / 255)
    assert friction == pytest.approx(
        [0.7 * guests, 2 * 0.7 * 4 * 0.25 + 0.3 * guests, 0.7 * 4 * 0.3], abs=1e-3)


def test_where_no_venue_is_open_all_friction_is_outside():
    _, friction = drink_once(0.2, drink=0.0, guests=0.0, drunk=51)  # a fifth of the most
    assert friction == pytest.approx([0, 2 * 4 * (0.25 + 0.2), 0], abs=1e-3)


@pytest.mark.parametrize("times", [2, 5])
def test_more_people_for_something_else_leave_friction_among_guests(times):
    """As many come for the bar, and other people besides, whom the green draws."""
    _, before = drink_once(0.2)
    _, after = drink_once(0.2, guests=1.0 / times, times=times)
    assert after[[people.INSIDE, people.GUESTS]] == pytest.approx(
        before[[people.INSIDE, people.GUESTS]], rel=1e-4)
    assert after[people.OUTSIDE] - before[people.OUTSIDE] == pytest.approx(
        4 * (times - 1) * 2 * 0.25, rel=1e-3)


def test_people_in_detention_neither_move_nor_drink(evening):
    inside = np.flatnonzero(evening.people.at[:evening.n_residents] >= 2)[:50]
    evening.people.status[inside] = 1
    drunk = evening.people.intoxication[inside].copy()
    phases.clock(evening)
    phases.move(evening)
    assert len(inside) == 50 and (evening.moved[inside] == 0).all()
    np.testing.assert_array_equal(evening.people.intoxication[inside], drunk)


def test_a_choice_is_made_in_proportion_to_weights():
    n, w = 20_000, np.float32([0.5, 0.25, 2.0])
    key = random.address(5, 6, 7)
    chosen = [people.pick(np.float32(random.uniform(key, i)), *w) for i in range(n)]
    counts = np.bincount(chosen, minlength=5)[[0, 2, 3, 4]]
    share = np.array([1, *w]) / (1 + w.sum())
    assert stats.chisquare(counts, n * share).pvalue > 1e-4


def test_the_order_of_blocks_and_chunks_does_not_matter(evening):
    """Five chunks, merged, against one pass: presence, friction, minds and stocks."""
    phases.clock(evening)
    other = copy.deepcopy(evening)
    other.threads = 5
    other.people_bounds = chunks.people_bounds(len(other.people), other.n_residents, 5,
                                               other.households.first)
    other.place_bounds = chunks.chunk_bounds(len(other.places), 5)
    other.chunk_rows = np.zeros((4, *other.place_rows.shape), np.uint64)
    other.chunk_stocks = np.zeros((4, *other.stock.shape), np.int32)
    other.chunk_friction = np.zeros((4, *other.friction.shape), np.int64)
    other.trips = np.zeros((5, 2), np.int64)
    phases.move(evening)
    phases.move(other)
    assert evening.trips[0, 0] > 100
    for name in ("place_rows", "stock", "friction", "moved"):
        np.testing.assert_array_equal(getattr(evening, name), getattr(other, name), name)
    for name in evening.people:
        np.testing.assert_array_equal(evening.people[name], other.people[name], name)
    np.testing.assert_array_equal(evening.households.at_home, other.households.at_home)


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 64])
def test_chunks_cover_everyone_once_and_split_no_household(town_world, pieces):
    starts, n = town_world.population.households.first, len(town_world.population.people)
    bounds = chunks.chunk_bounds(n, pieces, starts)
    assert bounds[0] == 0 and bounds[-1] == n and (np.diff(bounds) >= 0).all()
    inside = bounds[1:-1]
    household = town_world.population.people.household
    assert all(household[b] < 0 or household[b] != household[b - 1] for b in inside)


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_threads_share_residents_and_outsiders_evenly(town_world, pieces):
    population = town_world.population
    n, residents = len(population.people), population.n_residents
    bounds = chunks.people_bounds(n, residents, pieces, population.households.first)
    rows = np.concatenate([np.arange(lo, hi) for part in bounds
                           for lo, hi in itertools.pairwise(part)])
    np.testing.assert_array_equal(rows, np.arange(n))
    largest = population.households["size"].max()
    for part, whole in zip(bounds, (residents, n - residents), strict=True):
        assert np.abs(np.diff(part) - whole / pieces).max() <= largest
    household = population.people.household
    assert all(household[b] != household[b - 1] for b in bounds[0, 1:-1])


def test_a_later_closing_hour_never_keeps_anybody_in(town):
    """With the same luck, whoever was out at night is still out when bars close later."""
    early, late = (town({"model.fear.enabled": False}) for _ in range(2))
    early.places.closing_hour = 23
    late.places.closing_hour = 28
    more = 0
    for _ in range(30):
        early.step()
        late.step()
        out = [m.people.at >= 2 for m in (early, late)]
        assert (out[1] | ~out[0]).all()
        more += (out[1] & ~out[0]).sum()
    assert more > 0


def test_fear_keeps_in_and_offers_draw_out(evening):
    phases.clock(evening)
    at = []
    for caution, offer in ((1.0, 1.0), (0.3, 1.0), (1.0, 3.0)):
        m = copy.deepcopy(evening)
        m.people.caution = caution
        m.constants.tastes[:] *= offer
        phases.move(m)
        at.append(m.people.at >= 2)
    assert (at[0] | ~at[1]).all() and at[0].sum() > at[1].sum()
    assert (at[2] | ~at[0]).all() and at[2].sum() > at[0].sum()


def test_night_buses_matter_only_at_night_and_to_those_who_ride(evening):
    phases.clock(evening)
    rare = phases.travel_decay(evening)
    evening.city_row.night_headway = 10
    often = phases.travel_decay(evening)
    assert (often[phases.MODE_TRANSIT] > rare[phases.MODE_TRANSIT]).all()
    others = [k for k in range(4) if k != phases.MODE_TRANSIT]
    np.testing.assert_array_equal(often[others], rare[others])
    evening.step_index -= 10
    phases.clock(evening)
    np.testing.assert_array_equal(phases.travel_decay(evening)[0], phases.travel_decay(evening)[1])

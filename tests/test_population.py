"""The synthetic population: margins, conservation, routes, ties, timetables, determinism."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from citysim.city.spec import District
from citysim.config.errors import InputError
from citysim.population.margins import MarginFit, fit_report
from citysim.population.population import build_population
from citysim.state.columns import PLACES
from citysim.state.csr import Ragged
from citysim.state.table import Table

CONFIG = Path(__file__).parents[1] / "configs" / "population" / "default.yaml"
BLOCK = 100.0
# Chosen beforehand: whole persons are placed, so shares of persons may be off by rounding
# and by one household; the quintile and household margins by a few households.
TOLERANCE = 0.01


@dataclass
class FakeCity:
    """The part of a city that a population needs."""

    places: Table
    neighbours: Ragged
    districts: tuple[str, ...]


def grid_city(columns: int, rows: int, districts: int = 2, seed: int = 1,
              residents: int = 6000) -> FakeCity:
    """A grid of streets: segments between crossings, districts as vertical stripes."""
    ends, middle = [], []
    for i in range(columns):
        for j in range(rows):
            if i + 1 < columns:
                ends.append((i * rows + j, (i + 1) * rows + j))
                middle.append((i + 0.5, j))
            if j + 1 < rows:
                ends.append((i * rows + j, i * rows + j + 1))
                middle.append((i, j + 0.5))
    n = len(ends)
    at = [[] for _ in range(columns * rows)]
    for s, (a, b) in enumerate(ends):
        at[a].append(s)
        at[b].append(s)
    pairs = [(s, t) for here in at for s in here for t in here if s != t]
    one, other = np.array(pairs, np.int64).T
    rng = np.random.default_rng(seed)
    places = Table("places", PLACES, n)
    xy = np.array(middle) * BLOCK
    places.x[:], places.y[:] = xy.T
    places.length[:] = BLOCK
    places.district[:] = np.minimum(xy[:, 0] / (columns * BLOCK) * districts, districts - 1)
    weight = rng.gamma(2.0, 1.0, n)
    places.dwellings[:] = np.ceil(0.55 * residents * weight / weight.sum())
    places.jobs[:] = rng.poisson(0.5 * residents / n, n)
    places.pupils[rng.choice(n, n // 40 + 1, replace=False)] = 300
    places.shops[:] = rng.poisson(0.8, n)
    places.venues[:] = rng.poisson(0.3, n)
    places.retail[:] = np.minimum(places.shops / 10, 0.5)
    places.green[rng.choice(n, n // 20 + 1, replace=False)] = 0.8
    places.services[rng.choice(n, n // 100 + 1, replace=False)] = 2
    places.stop[rng.choice(n, n // 25 + 1, replace=False)] = 1
    places.gateway[[0, n - 1]] = 1
    places.deprivation[:] = rng.uniform(0, 1, n)
    return FakeCity(places, Ragged.from_pairs(one, other, n), tuple("ABCDEFGH"[:districts]))


def district(name: str, population: int, **changes) -> District:
    """Margins of one district."""
    margins = {
        "foreign_share": 0.2, "women_share": 0.52, "age_shares": (.12, .10, .26, .28, .24),
        "household_sizes": (.44, .27, .15, .10, .04), "large_household": 5.4,
        "employment_rate": .64, "unemployment_rate": .09, "neet_share": .19,
        "student_share": .6, "education_shares": (.38, .38, .24), "deprivation": .5,
        "income_level": 1.0,
    }
    return District(name=name, population=population, **(margins | changes))


def spec_of(*districts: District, commuters=0.1, visitors=0.05, out=0.1) -> SimpleNamespace:
    """Districts and visitors as the population reads them."""
    return SimpleNamespace(districts=districts, visitors=SimpleNamespace(
        commuters_in=commuters, evening_visitors=visitors, commuters_out=out))


@pytest.fixture(scope="module")
def parameters():
    return yaml.safe_load(CONFIG.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def city():
    return grid_city(25, 12)


@pytest.fixture(scope="module")
def spec():
    return spec_of(
        district("A", 2500),
        district("B", 3500, foreign_share=.35, women_share=.49, income_level=.7,
                 age_shares=(.17, .14, .32, .23, .14), household_sizes=(.30, .25, .20, .15, .10),
                 employment_rate=.55, unemployment_rate=.15, neet_share=.27,
                 student_share=.52, education_shares=(.5, .35, .15)))


@pytest.fixture(scope="module")
def population(city, spec, parameters):
    return build_population(city, spec, parameters, seed=7)


# --- margins -----------------------------------------------------------------------------


def recount(population, city, spec):
    """Shares by district, counted here from the tables and not by the code under test."""
    p, n = population.people, population.n_residents
    home = city.places.district[population.households.home]
    where = home[p.household[:n]]
    for i, d in enumerate(spec.districts):
        rows = where == i
        age, work = p.age[:n][rows].astype(int), p.employment[:n][rows]
        sizes = population.households["size"][home == i]
        working, young, adult = (age >= 15) & (age < 65), (age >= 15) & (age < 30), age >= 25
        yield d, "population", d.population / 6000, rows.sum() / 6000
        yield d, "women", d.women_share, (p.sex[:n][rows] == 1).mean()
        yield d, "foreign", d.foreign_share, (p.foreign[:n][rows] == 1).mean()
        bands = ((0, 15), (15, 25), (25, 45), (45, 65), (65, 200))
        for (low, high), share in zip(bands, d.age_shares, strict=True):
            yield d, f"age {low}", share, ((age >= low) & (age < high)).mean()
        for k, share in enumerate(d.household_sizes, 1):
            yield d, f"size {k}", share, ((sizes == k) if k < 5 else (sizes >= 5)).mean()
        for k, share in enumerate(d.education_shares):
            yield d, f"education {k}", share, (p.education[:n][rows][adult] == k).mean()
        yield d, "employed", d.employment_rate, (work[working] == 2).mean()
        yield d, "neet", d.neet_share, (work[young] == 4).mean()
        yield d, "student", d.student_share, (work[(age >= 15) & (age < 25)] == 1).mean()


def test_margins_are_met(population, city, spec):
    for d, margin, target, achieved in recount(population, city, spec):
        assert achieved == pytest.approx(target, abs=TOLERANCE), (d.name, margin)


def test_fit_reports_what_a_recount_finds(population, city, spec):
    reported = {(f.district, f.category): f for f in population.fit}
    for d, margin, target, achieved in recount(population, city, spec):
        if margin in ("women", "foreign", "employed", "neet", "student"):
            line = reported[d.name, margin]
            assert line.target == pytest.approx(target)
            assert line.achieved == pytest.approx(achieved)
            assert line.error == pytest.approx(achieved - target)
    assert max(abs(f.error) for f in population.fit) < TOLERANCE


def test_fit_report_names_the_worst():
    lines = fit_report([MarginFit("A", "sex", "women", .52, .521, .001),
                        MarginFit("B", "age", "0-14", .10, .13, .03)], worst=1).splitlines()
    assert lines[0].startswith("1 of 2")
    assert "B: age 0-14" in lines[1] and "+3.00" in lines[1] and len(lines) == 2


def test_income_quintiles_are_fifths_of_the_city_and_follow_income(population, city):
    p, n = population.people, population.n_residents
    shares = np.bincount(p.quintile[:n], minlength=6)[1:] / n
    assert shares == pytest.approx([0.2] * 5, abs=TOLERANCE)
    district = city.places.district[p.anchors[:n, 0]]
    poorest = [(p.quintile[:n][district == i] == 1).mean() for i in (0, 1)]
    assert poorest[1] > poorest[0] + 0.05  # the second district has 0.7 times the income


def test_margins_hold_at_a_tenth(city, spec, parameters):
    small = build_population(city, spec, parameters, seed=7, scale=0.1)
    assert small.n_residents == 600
    assert small.people.sex[:600].mean() == pytest.approx(0.5025, abs=0.01)
    assert np.count_nonzero(small.people.kind == 1) == 60


@pytest.mark.parametrize("changes", [
    {"household_sizes": (1, 0, 0, 0, 0), "age_shares": (0, 0, 0, 0, 1)},
    {"household_sizes": (0, 0, 0, 0, 1), "age_shares": (.6, .3, .1, 0, 0)},
    {"women_share": 1.0, "foreign_share": 1.0},
    {"women_share": 0.0, "foreign_share": 0.0, "employment_rate": 0.0},
    {"employment_rate": 1.0, "unemployment_rate": 1.0, "neet_share": 1.0, "student_share": 1.0},
])
def test_extreme_margins_still_give_a_valid_population(city, parameters, changes):
    built = build_population(city, spec_of(district("A", 300, **changes), district("B", 1)),
                             parameters, seed=1)
    built.validate(len(city.places))
    assert built.n_residents == 301


# --- conservation and households -----------------------------------------------------------


def test_valid_and_conserved(population, city):
    population.validate(len(city.places))
    p, h, n = population.people, population.households, population.n_residents
    members = np.bincount(p.household[:n], minlength=len(h))
    assert np.array_equal(members, h["size"])
    assert np.array_equal(p.anchors[:n, 0], h.home[p.household[:n]])
    assert (np.diff(p.anchors[:n, 0].astype(int)) >= 0).all()
    assert (city.places.dwellings[h.home] > 0).all()


def test_validate_notices_a_broken_table(population, city, spec, parameters):
    broken = build_population(city, spec, parameters, seed=7, scale=0.05)
    broken.people.household[3] = 0 if broken.people.household[3] else 1
    with pytest.raises(ValueError, match="stand together"):
        broken.validate(len(city.places))


def test_homes_follow_dwellings(population, city):
    lived_in = np.bincount(population.households.home, minlength=len(city.places))
    for i in (0, 1):
        here = city.places.district == i
        dwellings = city.places.dwellings[here]
        expected = dwellings * lived_in[here].sum() / dwellings.sum()
        assert np.abs(lived_in[here] - expected).max() <= 1  # largest remainder


def test_children_live_with_adults_a_generation_older(population):
    p, n = population.people, population.n_residents
    home, age = p.household[:n], p.age[:n].astype(int)
    oldest = np.zeros(len(population.households), int)
    np.maximum.at(oldest, home, age)
    minors = age < 18
    gap = oldest[home[minors]] - age[minors]
    assert (oldest[home[minors]] >= 18).all()
    assert np.mean((gap >= 16) & (gap <= 60)) > 0.98


def test_pairs_without_children_are_mostly_couples_of_like_age(population):
    p, h = population.people, population.households
    first = h.first[h["size"] == 2]
    a, b = first, first + 1
    both_adult = (p.age[a] >= 18) & (p.age[b] >= 18)
    gap = np.abs(p.age[a].astype(int) - p.age[b])[both_adult]
    assert np.mean(gap <= 10) > 0.6
    like = both_adult.nonzero()[0][gap <= 10]
    assert np.mean(p.sex[a[like]] != p.sex[b[like]]) > 0.8


def test_members_share_nationality_more_than_chance(population):
    p, h = population.people, population.households
    a = h.first[h["size"] > 1]
    alike = np.mean(p.foreign[a] == p.foreign[a + 1])
    share = p.foreign[:population.n_residents].mean()
    assert alike > share ** 2 + (1 - share) ** 2 + 0.15


# --- anchors and outsiders -----------------------------------------------------------------


def test_pupils_go_to_schools_and_workers_to_jobs(population, city):
    p, n, places = population.people, population.n_residents, city.places
    day, work = p.anchors[:n, 1], p.employment[:n]
    assert (places.pupils[day[work <= 1]] > 0).all()
    employed = day[work == 2]
    assert ((places.jobs[employed] > 0) | (places.gateway[employed] > 0)).all()
    inside = places.gateway[employed] == 0  # gateways lead to jobs out of town too
    arriving = np.bincount(employed[inside], minlength=len(places))
    stripe = (places.x / 250).astype(int)
    town = places.gateway == 0
    jobs = np.bincount(stripe[town], places.jobs[town])
    arrivals = np.bincount(stripe[town], arriving[town])
    assert np.corrcoef(jobs, arrivals)[0, 1] > 0.5


def test_the_elderly_stay_closer_than_the_young(population, city):
    p, n = population.people, population.n_residents
    x, y = city.places.x, city.places.y
    home, goal = p.anchors[:n, 0], p.anchors[:n, 2]
    metres = np.hypot(x[home] - x[goal], y[home] - y[goal])
    age = p.age[:n]
    assert metres[age >= 65].mean() < 0.8 * metres[(age >= 16) & (age < 30)].mean()


def test_young_go_out_where_venues_are(population, city):
    p, n = population.people, population.n_residents
    goal, age = p.anchors[:n, 2:], p.age[:n]
    venues = city.places.venues
    assert venues[goal[(age >= 16) & (age < 30)]].mean() > venues[goal[age >= 65]].mean() + 0.2


def test_outsiders_enter_at_gateways(population, city, spec):
    p, n = population.people, population.n_residents
    assert np.count_nonzero(p.kind == 1) == 600
    assert np.count_nonzero(p.kind == 2) == 300
    assert (city.places.gateway[p.anchors[n:, 0]] == 1).all()
    assert (p.household[n:] == -1).all()
    commuters = np.flatnonzero(p.kind == 1)
    assert (city.places.jobs[p.anchors[commuters, 1]] > 0).all()


def test_no_gateway_is_refused(spec, parameters):
    closed = grid_city(8, 8)
    closed.places.gateway[:] = 0
    with pytest.raises(InputError, match="gateway"):
        build_population(closed, spec, parameters, seed=1, scale=0.1)


def test_no_dwellings_is_refused(spec, parameters):
    empty = grid_city(8, 8)
    empty.places.dwellings[empty.places.district == 1] = 0
    with pytest.raises(InputError, match="'B' has residents and no dwellings"):
        build_population(empty, spec, parameters, seed=1, scale=0.1)


def test_unknown_district_and_scale_are_refused(city, spec, parameters):
    with pytest.raises(InputError, match="'B' of the city has no margins"):
        build_population(city, spec_of(district("A", 100)), parameters, seed=1)
    for scale in (0.0, 1.5):
        with pytest.raises(InputError, match="scale"):
            build_population(city, spec, parameters, seed=1, scale=scale)


# --- routes --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walks(city):
    """Shortest walks by networkx, the oracle."""
    import networkx as nx

    graph, near = nx.Graph(), city.neighbours
    length = city.places.length.astype(float)
    for i in range(len(city.places)):
        for j in near[i]:
            graph.add_edge(i, int(j), metres=(length[i] + length[j]) / 2)
    return dict(nx.all_pairs_dijkstra_path_length(graph, weight="metres"))


def trip(population, person, leg):
    """Mode, places and minutes of one trip."""
    p = population.people
    return ((int(p.modes[person]) >> (2 * leg)) & 3, population.route(person, leg + 1),
            int(p.minutes[person, leg]))


def along(city, route):
    """Metres along a route; ``inf`` where it is not a walk from place to neighbour."""
    length = city.places.length.astype(float)
    for a, b in zip(route[:-1], route[1:], strict=True):
        if int(b) not in city.neighbours[int(a)]:
            return np.inf
    return float((length[route[:-1]] + length[route[1:]]).sum() / 2)


def test_routes_against_an_oracle(population, city, walks, parameters):
    p, places = population.people, city.places
    limit = parameters["travel"]["walk_limit"]["value"]
    speed = parameters["travel"]["walking_speed"]["value"]
    stops = np.flatnonzero(places.stop)
    seen = set()
    for person in range(0, len(p), 7):
        for leg in range(4):
            mode, route, minutes = trip(population, person, leg)
            home, goal = (int(a) for a in p.anchors[person, [0, leg + 1]])
            shortest = walks[home][goal]
            assert route[0] == home and route[-1] == goal
            if shortest <= limit:
                assert mode == 0
                assert along(city, route) == pytest.approx(shortest)
                assert minutes == np.ceil(shortest / speed)
            elif mode == 2:
                assert list(route) == [home, goal]
            elif mode == 1:
                to_stop, from_stop = (min(walks[end][int(s)] for s in stops)
                                      for end in (home, goal))
                assert any(
                    places.stop[route[k - 1]] and places.stop[route[k]]
                    and along(city, route[:k]) == pytest.approx(to_stop)
                    and along(city, route[k:]) == pytest.approx(from_stop)
                    for k in range(1, len(route)))
            seen.add(mode)
    assert seen == {0, 1, 2}


def test_memory_per_resident(population):
    # Most that a resident may take: 400 bytes in all, 180 for routes, 45 for ties. Outsiders
    # (15 % here) add people and routes of their own.
    by_part = {k: v / population.n_residents for k, v in population.nbytes.items()}
    assert sum(by_part.values()) < 400
    assert by_part["routes"] < 180
    assert by_part["ties"] < 45


def test_children_do_not_drive(population):
    p = population.people
    legs = (p.modes[:, None].astype(int) >> np.array([0, 2, 4, 6])) & 3
    children = (p.age < 18) & (p.kind == 0)
    rides = legs[children]
    assert (rides == 1).any()
    # A child is driven only where no stop is in reach, and stops are everywhere here.
    assert (rides == 2).mean() < 0.01


def test_same_place_is_one_segment(population):
    p = population.people
    same = p.anchors[:, 1:] == p.anchors[:, :1]
    assert same.any()
    assert (p.hops[same] == 1).all()


# --- ties ----------------------------------------------------------------------------------


def test_ties_are_symmetric_without_self_or_duplicates(population):
    ties, n = population.ties, population.n_residents
    row = np.repeat(np.arange(n), np.diff(ties.start))
    forth = row * n + ties.items
    assert (row != ties.items).all()
    assert len(np.unique(forth)) == len(forth)
    assert np.array_equal(np.sort(ties.items.astype(np.int64) * n + row), np.sort(forth))


def test_ties_hold_households_age_and_degree(population):
    p, h, ties, n = population.people, population.households, population.ties, \
        population.n_residents
    for first, size in zip(h.first[:200], h["size"][:200], strict=True):
        for i in range(first, first + size):
            assert set(range(first, first + size)) - {i} <= set(ties[i].tolist())
    # Households of mean 2.2 give about 2 ties each, the other kinds 6.4 by configuration.
    assert 7.0 < len(ties.items) / n < 9.5
    row = np.repeat(np.arange(n), np.diff(ties.start))
    age = p.age[:n].astype(int)
    outside = p.household[row] != p.household[ties.items]
    near = np.mean(np.abs(age[row[outside]] - age[ties.items[outside]]) <= 8)
    rng = np.random.default_rng(0)
    chance = np.mean(np.abs(age[row] - age[rng.permutation(ties.items)]) <= 8)
    assert near > chance + 0.2


# --- timetables and traits -----------------------------------------------------------------


def test_timetables_decode(population, parameters):
    table = population.timetables
    assert table.shape == (12, 168) and table.max() <= 3
    school = parameters["timetables"]["school"]
    for day, type_ in ((0, "weekday"), (4, "weekday"), (5, "saturday"), (6, "sunday")):
        assert "".join("SHDF"[c] for c in table[1, 24 * day:24 * day + 24]) == \
            school[type_]["value"]


@pytest.mark.parametrize("stage, day, text, said", [
    ("retired", "sunday", "SSS", "24 letters"),
    ("retired", "sunday", "X" * 24, "unknown letter 'X'"),
    ("retird", "sunday", "S" * 24, "did you mean 'retired'"),
])
def test_bad_timetables_are_refused(city, spec, parameters, stage, day, text, said):
    changed = dict(parameters) | {"timetables": {k: dict(v) for k, v in
                                                 parameters["timetables"].items()}}
    changed["timetables"].setdefault(stage, {})[day] = text
    with pytest.raises(InputError, match=said):
        build_population(city, spec, changed, seed=1, scale=0.05)


def test_who_follows_which_timetable(population):
    p = population.people
    stages = {0: p.age < 6, 1: (p.age >= 6) & (p.age < 20), 8: p.employment == 5,
              9: p.kind == 1, 11: p.kind == 2}
    for code, may in stages.items():
        follows = p.timetable == code
        assert follows.any() and may[follows].all()
    workers = (p.employment == 2) & (p.kind == 0)
    assert np.isin(p.timetable[workers], (3, 4, 5, 6)).all()
    assert np.mean(p.timetable[workers] == 5) == pytest.approx(0.05, abs=0.015)
    assert set(np.unique(p.shift)) == {-1, 0, 1}


def test_traits_differ_by_group(population):
    p, n = population.people, population.n_residents
    woman, elderly = p.sex[:n] == 1, p.age[:n] >= 65
    feel = p.sensitivity[:n]
    assert feel[woman & ~elderly].mean() > 1.15 * feel[~woman & ~elderly].mean()
    assert feel[woman & elderly].mean() > 1.1 * feel[woman & ~elderly].mean()
    young = (p.age[:n] >= 14) & (p.age[:n] <= 24)
    assert p.self_control[:n][young].mean() < p.self_control[:n][elderly].mean() - 0.05
    assert (p.substance[:n][p.age[:n] < 14] == 0).all()
    use = p.substance[:n] > 0
    adult = p.age[:n] >= 25
    assert p.self_control[:n][use & adult].mean() < p.self_control[:n][~use & adult].mean()


# --- draws ---------------------------------------------------------------------------------


def test_same_seed_same_population_other_seed_another(city, spec, parameters, population):
    again = build_population(city, spec, parameters, seed=7)
    for name in population.people:
        assert np.array_equal(again.people[name], population.people[name]), name
    assert np.array_equal(again.routes, population.routes)
    assert np.array_equal(again.ties.items, population.ties.items)
    other = build_population(city, spec, parameters, seed=8)
    assert not np.array_equal(other.people.age, population.people.age)


def test_settings_in_any_form_give_the_same(city, spec, parameters):
    def bare(node):
        if isinstance(node, dict):
            return node["value"] if "value" in node else {k: bare(v) for k, v in node.items()}
        return node

    def spaces(node):
        if isinstance(node, dict):
            return SimpleNamespace(**{k: spaces(v) for k, v in node.items()})
        return node

    built = [build_population(city, spec, form, seed=3, scale=0.1)
             for form in (parameters, bare(parameters), spaces(bare(parameters)))]
    for other in built[1:]:
        assert np.array_equal(built[0].people.anchors, other.people.anchors)


# --- kernels against plain Python ----------------------------------------------------------


def test_gravity_choice_follows_weight_and_distance():
    from citysim.kernels.synthesis import gravity_choice, group_by

    x, y = np.array([0, 100, 300], np.float32), np.zeros(3, np.float32)
    n = 20_000
    members = np.empty(n, np.int32)
    start = group_by(np.zeros(n, np.int32), 3, members)
    decay = np.exp(-(np.arange(40) + 0.5) * 10 / 150)
    weight = np.array([1.0, 3.0])
    chosen = np.empty(n, np.uint16)
    gravity_choice(x, y, start, members, np.array([1, 2], np.int32), weight, decay, 10.0,
                   np.random.default_rng(0).uniform(size=n), chosen)
    pull = weight * np.exp(-np.array([105, 305]) / 150)
    assert np.mean(chosen == 1) == pytest.approx(pull[0] / pull.sum(), abs=0.015)
    assert np.isin(chosen, (1, 2)).all()


def test_symmetric_rows_against_sets():
    from citysim.kernels.synthesis import symmetric_rows

    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 40, (2, 300)).astype(np.int32)
    start, items = symmetric_rows(one, other, 40)
    known = [set() for _ in range(40)]
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        if a != b:
            known[a].add(b)
            known[b].add(a)
    assert [items[start[i]:start[i + 1]].tolist() for i in range(40)] == \
        [sorted(k) for k in known]


def test_long_routes_keep_their_ends(parameters):
    """A walk of more than 255 places is cut to what a byte can count."""
    from citysim.kernels.routes import group_trips, measure_trips, write_routes

    n = 400
    near = Ragged.from_pairs(np.r_[np.arange(n - 1), np.arange(1, n)],
                             np.r_[np.arange(1, n), np.arange(n - 1)], n)
    length, zero = np.ones(n, np.float32), np.zeros(n)
    anchors = np.array([[0, 399, 0, 10, 0]], np.uint16)
    start, trips = group_trips(anchors, n)
    none, far = np.full(n, -1, np.int32), np.full(n, np.inf, np.float32)
    hops, modes = np.zeros((1, 4), np.uint8), np.zeros(1, np.uint8)
    minutes = np.zeros((1, 4), np.uint8)
    measure_trips(near.start, near.items, length, zero, zero, anchors, start, trips,
                  np.ones(1, np.uint8), 1000.0, none, none, far, np.ones(6), hops, modes, minutes)
    assert hops.tolist() == [[255, 1, 11, 1]]
    routes = np.full(int(hops.sum()), 60_000, np.uint16)
    write_routes(near.start, near.items, length, anchors, start, trips, 1000.0, none, none, none,
                 hops, modes, np.zeros(1, np.uint32), routes)
    assert routes[0] == 0 and routes[253] == 253 and routes[254] == 399
    assert routes[256:267].tolist() == list(range(11))

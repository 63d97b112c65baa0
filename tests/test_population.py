"""The synthetic population: margins, conservation, anchors, timetables, traits, determinism."""

from types import SimpleNamespace

import numpy as np
import pytest

import made_population
from citysim.config.errors import InputError
from citysim.population.margins import MarginFit, fit_report
from citysim.population.population import build_population
from made_population import district, grid_city, spec_of

# Chosen beforehand: whole persons are placed, so shares of persons may be off by rounding
# and by one household; the quintile and household margins by a few households.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def parameters():
    return made_population.parameters()


@pytest.fixture(scope="module")
def city():
    return made_population.city()


@pytest.fixture(scope="module")
def spec():
    return made_population.spec()


@pytest.fixture(scope="module")
def population():
    return made_population.population()


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


def test_timetables_decode(population, parameters):
    table = population.timetables
    assert table.shape == (13, 168) and table.max() <= 3
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
    stages = {0: p.age < 6, 1: (p.age >= 6) & (p.age < 14), 2: (p.age >= 14) & (p.age < 18),
              3: (p.age >= 18) & (p.employment == 1), 9: p.employment == 5, 10: p.kind == 1,
              12: p.kind == 2}
    for code, may in stages.items():
        follows = p.timetable == code
        assert follows.any() and may[follows].all()
    workers = (p.employment == 2) & (p.kind == 0)
    assert np.isin(p.timetable[workers], (4, 5, 6, 7)).all()
    assert np.mean(p.timetable[workers] == 6) == pytest.approx(0.05, abs=0.015)
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


def test_kernels_read_the_codes_that_the_tables_declare():
    from citysim.kernels import life
    from citysim.state import columns

    for code, name in enumerate(columns.EMPLOYMENT):
        assert getattr(columns, name.upper()) == getattr(life, name.upper()) == code

"""Delivery: doses, budgets, costs, ramps, and the notes on what cannot be done."""

from __future__ import annotations

import copy
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from citysim import compose
from citysim.config.errors import InputError
from citysim.outcomes.dose import dose as dose_and_reach
from citysim.policies.costs import read_prices
from citysim.policies.delivery import Programme
from citysim.policies.policy import parse_policy, with_rows
from citysim.state.levers import LEVERS, Levers
from made_policies import AT_RISK, DAYS, ROOT, key, lamps, make_tables, policy, run, snapshot


@pytest.fixture(scope="module")
def prices():
    return yaml.safe_load((ROOT / "configs/prices/default.yaml").read_text())


@pytest.fixture(scope="module")
def shipped():
    files = sorted((ROOT / "configs/policy").glob("*.yaml"))
    return {f.stem: yaml.safe_load(f.read_text()) for f in files}


def test_zero_dose_changes_and_costs_nothing(shipped, prices):
    for budget in (None, 1e6):
        zero = {name: {**data, "dose": 0} for name, data in shipped.items()}
        tables = make_tables()
        before = snapshot(tables)
        programme, _, _ = run(zero, prices, tables=tables, budget=budget)
        assert snapshot(tables) == before
        assert programme.ledger.total == 0 and not programme.ledger.rows()
    tables = make_tables()
    before = snapshot(tables)
    programme, _, _ = run(shipped, prices, tables=tables, budget=0.0)
    assert snapshot(tables) == before and programme.ledger.total == 0


def test_budget_is_spent_within_one_per_cent_and_equally(shipped, prices):
    three = {n: shipped[n] for n in ("night_activation", "community_policing", "youth_programme")}
    for names, total in itertools.product(([*three], ["youth_programme"]), (4e5, 9e5)):
        programme, _, _ = run({n: three[n] for n in names}, prices, budget=total)
        assert programme.ledger.total == pytest.approx(total, rel=0.01)
        assert programme.ledger.total <= total
        for row in programme.summary():
            assert row["spent_eur"] == pytest.approx(total / len(names), rel=0.01)
            assert row["spent_eur"] == pytest.approx(row["planned_eur"], rel=1e-9)
    shares = dict(zip(three, (2, 1, 1), strict=True))
    programme, _, _ = run(three, prices, budget=8e5, shares=shares)
    spent = programme.ledger.totals("policy")
    assert spent["night_activation"] == pytest.approx(4e5, rel=0.01)
    assert spent["community_policing"] == pytest.approx(2e5, rel=0.01)


def test_money_that_no_dose_can_spend_is_reported(prices):
    tables = make_tables()
    dark = tables["places"].lighting.astype("f8")
    per = prices["places"]["lighting"]
    full = ((0.95 - dark) * tables["places"].length).sum() * (
        per["capital"]["value"] + per["running"]["value"] * DAYS / 365)
    programme, levers, _ = run({"a": lamps(share=0.5)}, prices, tables=tables, budget=1e9)
    assert programme.ledger.total == pytest.approx(full, rel=0.001)
    assert programme.summary()[0]["unspendable_eur"] == pytest.approx(1e9 - full, rel=0.001)
    assert levers.value("places.lighting").min() > 0.94


def test_costs_by_hand(prices):
    officers = policy(when={"start_day": 10, "end_day": 50}, measures=[
        {"lever": "patrol.beat_units", "change": {"add": 4}}])
    programme, _, _ = run({"a": officers}, prices)
    by = programme.ledger.totals("category")
    assert by["running"] == pytest.approx(4 * 42500 * 40 / 365)  # Prato's price per officer
    assert by["capital"] == pytest.approx(4 * prices["patrol"]["beat_units"]["capital"]["value"])
    buses = policy(measures=[{"lever": "transport.night_headway", "change": {"set": 20}}])
    programme, _, tables = run({"a": buses}, prices)  # from one departure an hour to three
    assert programme.ledger.total == pytest.approx(
        2 * 18000 * prices["transport"]["night_headway"]["running"]["value"] * DAYS / 365)
    assert tables["city"].night_headway[0] == 20


def test_what_is_planned_is_what_is_spent_where_ranks_tie(prices):
    data = lamps(count=5)
    data["measures"][0]["target"]["rank_by"] = "venues"  # most places tie, at other lengths
    programme, _, _ = run({"a": data}, prices, budget=20000.0)
    assert programme.ledger.total == pytest.approx(programme.doses["a"].planned_eur, rel=1e-9)
    assert programme.ledger.total == pytest.approx(20000, rel=0.01)


def test_sites_can_be_priced_as_such(prices):
    by_site = copy.deepcopy(prices)
    by_site["places"]["lighting"].update(capital=1000, running=0, counts="site", times=None)
    programme, _, _ = run({"a": lamps(count=7.5)}, by_site)
    assert programme.ledger.total == pytest.approx(7500)


@pytest.mark.parametrize("spoil, word", [
    (lambda p: p["places"]["lighting"].update(times="lenght"), "length"),
    (lambda p: p["places"]["lighting"].update(capitol=3), "capital"),
    (lambda p: p["places"].update(lightning=p["places"]["lighting"]), "places.lighting")])
def test_misspelt_prices_are_refused(prices, spoil, word):
    wrong = copy.deepcopy(prices)
    spoil(wrong)
    with pytest.raises(InputError) as caught:
        read_prices(wrong)
    assert caught.value.closest == word and "configs/prices/default.yaml" in caught.value.where


def test_a_programme_is_counted_in_persons_only(prices):
    wrong = copy.deepcopy(prices)
    wrong["youth"]["mentor"]["counts"] = "change"
    with pytest.raises(InputError, match="youth.mentor"):
        read_prices(wrong)


def test_measures_share_their_screening_and_policies_do_not(prices):
    def crew(*levers):
        target = {**AT_RISK, "accuracy": 0.2}
        return policy(measures=[{"lever": lever, "change": {"set": 1}, "target": target}
                                for lever in levers])
    _, levers, _ = run({"a": crew("youth.mentor", "youth.training"),
                        "b": crew("youth.placement")}, prices, until=1)
    mentor = levers.value("youth.mentor")
    assert mentor.any() and np.array_equal(mentor, levers.value("youth.training"))
    assert not np.array_equal(mentor, levers.value("youth.placement"))


def test_leakage_costs_the_same_and_delivers_less(prices):
    def officers(**delivery):
        return policy(delivery=delivery, measures=[
            {"lever": "patrol.beat_units", "change": {"add": 10}}])
    whole, _, t0 = run({"a": officers()}, prices)
    leaky, _, t1 = run({"a": officers(leakage=0.3)}, prices)
    weak, _, t2 = run({"a": officers(capacity=0.6)}, prices)
    late, _, _ = run({"a": officers(delay_days=42)}, prices)
    assert leaky.ledger.total == pytest.approx(whole.ledger.total)
    assert leaky.ledger.totals("category")["leakage"] == pytest.approx(0.3 * whole.ledger.total)
    assert [t["city"].beat_units[0] for t in (t0, t1, t2)] == pytest.approx([10, 7, 6])
    assert weak.ledger.total == pytest.approx(0.6 * whole.ledger.total)
    assert late.ledger.totals("category")["running"] == \
        pytest.approx(whole.ledger.totals("category")["running"] / 2)


def test_ramp_rises_by_equal_steps_and_the_end_restores_the_base(prices):
    plan = policy(when={"start_day": 5, "ramp_days": 10, "end_day": 30}, measures=[
        {"lever": "patrol.beat_units", "change": {"add": 20}}])
    crew = policy(when={"start_day": 3, "end_day": 40}, measures=[
        {"lever": "youth.mentor", "change": {"set": 1}, "dropout": 0.2, "target": {
            "table": "people", "count": 100, "accuracy": 0.5, "rank_by": "risk"}}])
    tables = make_tables()
    before = snapshot(tables)
    levers = Levers(tables)
    three = {"plan": plan, "crew": crew,
             "lamps": {**lamps(share=0.1), "when": {"end_day": 60}}}
    programme = Programme(three, {"prices": prices}, levers, tables, days=DAYS)
    units, moved = [], []
    for day in range(DAYS):
        moved.append(programme.advance(day, key(day)))
        units.append(float(tables["city"].beat_units[0]))
    expected = [0] * 5 + [2 * (i + 1) for i in range(10)] + [20] * 15 + [0] * 54
    assert units == pytest.approx(expected)
    assert snapshot(tables) == before
    assert "patrol.beat_units" not in moved[20] and moved[30] == {"patrol.beat_units"}


def test_enrolment_drops_out_by_month_and_is_scaled(prices):
    crew = policy(measures=[{"lever": "youth.mentor", "change": {"set": 1}, "dropout": 0.2,
                             "target": {"table": "people", "count": 2000}}])
    counts = {}
    for scale in (1.0, 0.25):
        tables = make_tables()
        levers = Levers(tables)
        programme = Programme({"a": crew}, {"prices": prices}, levers, tables, scale, days=DAYS)
        counts[scale] = []
        for day in range(DAYS):
            programme.advance(day, key(day))
            counts[scale].append(int(levers.value("youth.mentor").sum()))
        price = prices["youth"]["mentor"]
        assert programme.ledger.total == pytest.approx(2000 * (
            price["capital"]["value"] + price["running"]["value"] * DAYS / 365))
    assert counts[1.0][0] == 2000 and counts[0.25][0] == 500
    assert counts[1.0][30] == 2000 and counts[1.0][31] < 2000
    assert abs(counts[1.0][40] - 1600) < 4 * np.sqrt(2000 * 0.2 * 0.8)
    assert abs(counts[1.0][-1] - 1280) < 4 * np.sqrt(2000 * 0.64 * 0.36)


def test_more_dose_never_reaches_fewer(prices):
    def reached(dose, data, lever):
        _, levers, tables = run({"a": {**data, "dose": dose}}, prices, until=1)
        value = levers.value(lever)
        return set(np.flatnonzero(value if LEVERS[lever].bit else value != levers.base(lever)))
    crew = policy(measures=[{"lever": "youth.training", "change": {"set": 1}, "target": {
        **AT_RISK, "accuracy": 0.4}}])
    corridor = lamps(count=3, area={"within": 200})
    for data, lever in ((lamps(share=0.05), "places.lighting"), (corridor, "places.lighting"),
                        (crew, "youth.training")):
        sizes = []
        for dose in (0.3, 1.0, 2.0, 4.0):
            more = reached(dose, data, lever)
            assert not sizes or sizes[-1] <= more
            sizes.append(more)
        assert len(sizes[-1]) > len(sizes[0]) > 0


def test_two_policies_together_do_both_and_each_as_it_would_alone(shipped, prices):
    names = ("community_policing", "street_lighting")
    alone = [run({n: shipped[n]}, prices, until=50) for n in names]
    both, _, tables = run({n: shipped[n] for n in names}, prices, until=50)
    assert np.array_equal(tables["city"].beat_units, alone[0][2]["city"].beat_units)
    assert np.array_equal(tables["places"].lighting, alone[1][2]["places"].lighting)
    assert both.ledger.total == pytest.approx(sum(p.ledger.total for p, _, _ in alone))


def test_regeneration_keeps_its_sites_from_works_to_upkeep(shipped, prices):
    tables = make_tables()
    levers = Levers(tables)
    name = "place_regeneration"
    programme = Programme({name: shipped[name]}, {"prices": prices}, levers, tables, days=DAYS)
    works = None
    for day in range(60):
        programme.advance(day, key(day))
        if day == 0:
            works = set(np.flatnonzero(tables["places"].works))
            tables["places"]["upkeep"] = tables["places"].upkeep[::-1].copy()  # ranks turn over
    assert works and not tables["places"].works.any()
    base = levers.base("places.cleaning")
    assert set(np.flatnonzero(tables["places"].cleaning != base)) == works
    assert set(np.flatnonzero(tables["places"].stewardship)) == works


def test_nothing_happens_in_the_warm_up_or_after_the_window(shipped, prices):
    tables = make_tables()
    before = snapshot(tables)
    levers = Levers(tables)
    programme = Programme(shipped, {"prices": prices}, levers, tables, days=DAYS)
    for day in (-28, -1):
        assert not programme.advance(day, key(day + 28))
    assert snapshot(tables) == before and programme.ledger.total == 0
    assert not programme.doses  # doses follow the state at the start of the window
    for day in range(DAYS):
        programme.advance(day, key(day))
    last, spent = snapshot(tables), programme.ledger.total
    assert last != before and spent > 0
    assert not programme.advance(DAYS, key(DAYS))
    assert snapshot(tables) == last and programme.ledger.total == spent


# --- notes


def mentors(**target):
    return policy(measures=[{"lever": "youth.mentor", "change": {"set": 1}, "target": {
        "table": "people", "count": 30, **target}}])


@pytest.mark.parametrize("data, said", [
    (mentors(filter=[{"column": "age", "above": 100}]),
     "youth.mentor reaches no one, since no one fits its target"),
    (mentors(count=0.3), "less than one of the 18,000 persons who fit"),
    (lamps(share=0.1, filter=[{"column": "venues", "above": 900}]),
     "places.lighting reaches no place, since no place fits its target")],
    ids=["nobody", "too few", "nowhere"])
def test_a_policy_that_reaches_no_one_says_so(prices, data, said):
    tables = make_tables()
    before = snapshot(tables)
    programme, _, _ = run({"mine": data}, prices, tables=tables)
    assert len(programme.notes) == 1 and programme.notes[0].startswith("mine: ")
    assert said in programme.notes[0]
    assert snapshot(tables) == before
    row, = programme.summary()
    assert {row["places"], row["people"]} == {0, None}


def test_a_measure_that_starts_after_the_window_is_noted_and_one_on_its_last_day_is_not(prices):
    data = {**lamps(count=3), "when": {"start_day": 10}}
    assert not run({"mine": data}, prices, days=11)[0].notes
    note, = run({"mine": data}, prices, days=10)[0].notes
    assert "places.lighting does nothing" in note and "day 10" in note and "10 days" in note
    assert not run({"mine": {**data, "dose": 0}}, prices, days=10)[0].notes


def test_a_budget_out_of_proportion_is_noted_beyond_the_limit_only(prices):
    data = policy(measures=[{"lever": "patrol.beat_units", "change": {"add": 1}}])
    price = prices["patrol"]["beat_units"]
    one = price["capital"]["value"] + price["running"]["value"] * DAYS / 365
    limit = prices["accounting"]["dose_warning"]["value"]
    assert not run({"mine": data}, prices, budget=0.98 * limit * one)[0].notes
    note, = run({"mine": data}, prices, budget=4 * limit * one)[0].notes
    assert "buys 20 times the plan as written" in note and limit == 5
    note, = run({"mine": data}, prices, budget=234.4 * one)[0].notes
    assert "buys 234 times" in note
    given = run({"mine": {**data, "dose": 4.0 * limit}}, prices)[0]
    assert not given.notes  # a dose that was asked for is nobody's mistake


def test_reach_counts_each_place_and_person_once(prices):
    tables = make_tables()
    twice = policy(measures=[
        {"lever": lever, "change": {"add": 0.1},
         "target": {"table": "places", "count": n, "rank_by": "deprivation"}}
        for lever, n in (("places.lighting", 20), ("places.stewardship", 50))])
    programme, levers, _ = run({"twice": twice, "all": policy(measures=[
        {"lever": "places.camera", "change": {"add": 0.1}}]), "young": mentors()}, prices,
        tables=tables, scale=0.5)
    reach = {row["policy"]: (row["places"], row["people"]) for row in programme.summary()}
    assert reach == {"twice": (50, None), "all": (600, None), "young": (None, 30)}
    assert np.count_nonzero(levers.value("youth.mentor")) == 15  # half of them are simulated
    record = SimpleNamespace(plan=programme.summary(), budget=None)
    found = {outcome: value for outcome, _, value in dose_and_reach(record)}
    assert found["policy.places.twice"] == 50 and found["policy.people.young"] == 30
    assert "policy.people.twice" not in found


def patrolled(visits=8, minutes=13, **more):
    """Directed visits with their length, which is an instruction."""
    return policy(measures=[
        {"lever": "places.patrol_visits", "change": {"add": visits}},
        {"lever": "places.visit_minutes", "change": {"set": minutes}, "scales": False}],
        target={"table": "places", "rows": [3, 1, 20]}, **more)


@pytest.mark.parametrize("dose", [0.5, 1, 2])
def test_visits_are_paid_by_the_minute_that_the_policy_makes_them_last(prices, dose):
    programme, levers, tables = run({"a": patrolled(dose=dose)}, prices)
    per = prices["places"]["patrol_visits"]["running"]["value"]
    assert programme.ledger.total == pytest.approx(3 * dose * 8 * 13 * per * DAYS / 365)
    assert levers.value("places.patrol_visits")[[3, 1, 20]] == pytest.approx(8 * dose)
    assert levers.value("places.visit_minutes")[[3, 1, 20]] == pytest.approx(13)
    assert np.count_nonzero(tables["places"].patrol_visits) == 3
    hours = 8 * 13 / 60 * 365  # two officers, half as much again for the way
    unit = prices["patrol"]["hot_spot_units"]["running"]["value"] / (8 * 365)
    assert per * 8 * 13 == pytest.approx(1.5 * hours * unit, rel=0.01)


def test_an_instruction_is_none_at_dose_zero_and_whole_at_any_other(prices):
    tables = make_tables()
    before = snapshot(tables)
    run({"a": patrolled(dose=0)}, prices, tables=tables)
    assert snapshot(tables) == before
    sites = policy(measures=[{"lever": "places.visit_minutes", "change": {"set": 30},
                              "scales": False}],
                   target={"table": "places", "rank_by": "recorded", "count": 5}, dose=0.5)
    _, levers, _ = run({"a": sites}, prices)
    assert sorted(set(levers.value("places.visit_minutes"))) == [12, 30]
    assert (levers.value("places.visit_minutes") == 30).sum() == 3  # two sites and a half


def test_a_budget_buys_visits_of_the_length_asked_for(prices):
    short, _, _ = run({"a": patrolled(minutes=10)}, prices, budget=1e5)
    long, _, _ = run({"a": patrolled(minutes=20)}, prices, budget=1e5)
    assert short.doses["a"].dose == pytest.approx(2 * long.doses["a"].dose, rel=1e-3)


def test_rows_of_a_policy_hold_for_all_its_measures_of_that_table(shipped, prices):
    chosen = [5, 17, 2]
    for name, table in (("night_activation", "places"), ("street_lighting", "places"),
                        ("youth_programme", "people")):
        tables = make_tables()
        before = {c: tables[table][c].copy() for c in tables[table]}
        content = with_rows(shipped[name], table, np.array(chosen))
        programme, _, _ = run({name: content}, prices, tables=tables, until=60)
        for column, old in before.items():
            moved = np.flatnonzero(tables[table][column] != old)
            assert set(moved) <= set(chosen), (name, column)
        assert programme.summary()[0][table] == 3
    with pytest.raises(InputError, match="row 600 ") as caught:
        run({"street_lighting": with_rows(shipped["street_lighting"], "places", [600])}, prices)
    assert caught.value.where == "configs/policy/street_lighting.yaml, target.rows"


def test_rows_can_be_set_in_the_settings(shipped):
    settings = compose(["city=town", "policy=[cameras,street_lighting]"])
    direct = settings.replace({"policies.cameras.target": {"table": "places", "rows": [4, 5]}})
    assert parse_policy("cameras", direct.policies["cameras"]).target.rows == [4, 5]
    whole = settings.replace({"policies.street_lighting": with_rows(
        settings.policies["street_lighting"], "places", [1])})
    parsed = parse_policy("street_lighting", whole.policies["street_lighting"])
    assert parsed.target_of(parsed.measures[0]).rows == [1]
    assert settings.key() != direct.key() != whole.key()


@pytest.mark.parametrize(("given", "budget", "bound"), [(2.0, None, 1 + 2 * 3), (2.0, 0.0, 1.0),
                                                        (0.0, 1e9, 1.0)])
def test_the_most_units_are_known_before_the_dose_is_solved(prices, given, budget, bound):
    tables = make_tables()
    tables["city"].hot_spot_units = 1.0
    more = policy(dose=given, measures=[
        {"lever": "patrol.hot_spot_units", "change": {"add": 3}},
        {"lever": "places.camera", "change": {"add": 0.1}}])
    programme = Programme({"a": more}, {"prices": prices}, Levers(tables), tables, days=DAYS,
                          budget=budget)
    assert programme.most("patrol.hot_spot_units") == pytest.approx(bound)
    assert programme.most("patrol.beat_units") == 0


def test_a_solved_dose_stays_within_the_most(shipped, prices):
    for budget in (1e5, 3e6, 1e9):
        tables = make_tables()
        both = {n: shipped[n] for n in ("hot_spot_policing", "community_policing")}
        programme = Programme(both, {"prices": prices}, Levers(tables), tables, days=DAYS,
                              budget=budget)
        most = {lever: programme.most(f"patrol.{lever}") for lever in ("hot_spot_units",
                                                                       "beat_units")}
        for day in range(DAYS):
            programme.advance(day, key(day))
            for lever, bound in most.items():
                assert tables["city"][lever][0] <= bound
        assert all(tables["city"][lever][0] > 0 for lever in most)

"""Levers, targeting, budgets and delivery: what policies may do, and what they must not."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from citysim.config.errors import InputError
from citysim.kernels.random import stream_key, uniform
from citysim.kernels.targeting import blurred_priority, keyed_uniforms
from citysim.policies.costs import read_prices
from citysim.policies.delivery import Programme, validate
from citysim.policies.policy import Target, parse_policies, parse_policy
from citysim.policies.targeting import _ranks, choose, select
from citysim.state import columns
from citysim.state.levers import LEVERS, TABLES, Levers, Modifier
from citysim.state.table import Table

ROOT = Path(__file__).parents[1]
DAYS = 84


def key(day=0, seed=7):
    return stream_key(seed, 3, day)


@pytest.fixture(scope="module")
def prices():
    return yaml.safe_load((ROOT / "configs/levers/default.yaml").read_text())


@pytest.fixture(scope="module")
def shipped():
    files = sorted((ROOT / "configs/policy").glob("*.yaml"))
    return {f.stem: yaml.safe_load(f.read_text()) for f in files}


def make_tables(places=600, people=20000):
    r = np.random.default_rng(11)
    p = Table("places", columns.PLACES, places, {
        "x": r.uniform(0, 1500, places), "y": r.uniform(0, 1500, places),
        "length": r.uniform(40, 200, places), "venues": r.poisson(0.5, places),
        "leisure": r.uniform(0, 0.5, places), "lighting": r.uniform(0.1, 0.9, places),
        "alcohol": r.uniform(0.2, 0.9, places), "district": r.integers(0, 4, places),
        "upkeep": r.uniform(0.2, 1, places), "deprivation": r.uniform(0, 1, places),
        "recorded": r.gamma(0.3, 4, places)})
    age = r.integers(0, 95, people)
    work = r.choice([1, 2, 3, 4, 6], people)
    q = Table("people", columns.PEOPLE, people, {
        "age": age, "employment": np.where(age < 14, 0, np.where(age < 17, 1, work)),
        "self_control": r.uniform(0, 1, people), "substance": r.uniform(0, 1, people),
        "quintile": r.integers(1, 6, people),
        "anchors": r.integers(0, places, (people, 5)),
        "kind": np.where(np.arange(people) < 0.9 * people, 0, 2)})
    return {"places": p, "people": q, "city": Table("city", columns.CITY, 1),
            "households": Table("households", columns.HOUSEHOLDS, people // 2)}


def run(policies, prices, *, tables=None, days=DAYS, until=None, **more):
    tables = tables or make_tables()
    levers = Levers(tables)
    programme = Programme(policies, {"levers": prices}, levers, tables, days=days, **more)
    for day in range(days if until is None else until):
        programme.advance(day, key(day))
    return programme, levers, tables


def snapshot(tables):
    return {(t, c): tables[t][c].tobytes() for t in tables for c in tables[t]}


def policy(**parts):
    return {"label": "Test", "doc": "For a test", **parts}


def lamps(change=None, **target):
    return policy(measures=[{
        "lever": "places.lighting", "change": change or {"at_least": 0.95},
        "target": {"table": "places", "rank_by": "lighting", "order": "low", **target}}])


# --- levers

def test_every_lever_has_a_column_a_price_and_a_line_in_the_docs(prices):
    priced = read_prices(prices)
    page = (ROOT / "docs/policies.md").read_text()
    for name, lever in LEVERS.items():
        assert lever.declaration.name == lever.column
        assert lever.control in ("city", "national")
        assert priced.of(name).control == lever.control
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {lever.unit} |" in row and f"| {lever.control} |" in row
        low, high = lever.range
        assert f"| {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'} |" \
            .replace("to  |", "to any |") in row
    assert set(priced.unit) == set(LEVERS)


MODIFIERS = [
    Modifier("places.lighting", "set", 0.4, np.arange(0, 40)),
    Modifier("places.lighting", "set", 0.7, np.arange(20, 60), 0.5),
    Modifier("places.lighting", "multiply", 1.3, np.arange(10, 90), 0.7),
    Modifier("places.lighting", "add", 0.11, None, np.linspace(0, 1, 100)),
    Modifier("places.lighting", "add", 0.07, np.arange(50, 100), 0.3),
    Modifier("places.lighting", "at_least", 0.5, np.arange(0, 100, 3), 0.9),
    Modifier("places.lighting", "at_most", 0.8, np.arange(0, 100, 2), 0.6),
]


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(len(MODIFIERS))))
def test_modifiers_combine_in_any_order_to_the_same_bits(order):
    def combined(indices):
        levers = Levers(make_tables(100, 10))
        for i in indices:
            levers.add(MODIFIERS[i])
        return levers.value("places.lighting").tobytes()
    assert combined(order) == combined(range(len(MODIFIERS)))


def test_combination_is_set_multiply_add_then_bounds():
    tables = make_tables(10, 10)
    levers = Levers(tables)
    for op, amount in (("at_most", 6.5), ("add", 4), ("multiply", 2), ("set", 1.5)):
        levers.add(Modifier("places.cleaning", op, amount))
    levers.apply()
    assert (tables["places"].cleaning == 6.5).all()  # 1.5 * 2 + 4 = 7, then the ceiling
    levers.add(Modifier("places.cleaning", "at_least", 9))
    assert (levers.value("places.cleaning") == 6.5).all()  # a ceiling outranks a floor


def test_part_of_a_change_and_the_mean_of_two_settings():
    tables = make_tables(10, 10)
    levers = Levers(tables)
    base = levers.base("places.cleaning")
    assert (base == 1).all()
    levers.add(Modifier("places.cleaning", "set", 9, None, 0.25))
    assert levers.value("places.cleaning") == pytest.approx(3)  # a quarter of the way
    levers.add(Modifier("places.cleaning", "set", 5, None, 0.25))
    assert levers.value("places.cleaning") == pytest.approx(2.5)  # a quarter of 9 and 5's mean
    levers.add(Modifier("places.cleaning", "multiply", 3, None, 0.5))
    assert levers.value("places.cleaning") == pytest.approx(5)


@pytest.mark.parametrize("op", ["set", "multiply", "add", "at_least", "at_most"])
def test_values_stay_in_the_column_range_whatever_is_asked(op):
    tables = make_tables(100, 10)
    levers = Levers(tables)
    levers.add(Modifier("venues.closing_hour", op, 500.0, None, 3.0))
    levers.add(Modifier("places.camera", op, 500.0, None, 3.0))
    levers.apply()
    tables["places"].validate()


@pytest.mark.parametrize("modifier", [
    Modifier("places.lighting", "add", 0), Modifier("places.lighting", "multiply", 1),
    Modifier("places.lighting", "set", 0.9, None, 0.0),
    Modifier("places.lighting", "at_least", 0.9, np.zeros(0, dtype="i8")),
    Modifier("youth.mentor", "set", 1, np.arange(5), 0.0)])
def test_a_modifier_of_nothing_leaves_every_bit(modifier):
    tables = make_tables(50, 50)
    before = snapshot(tables)
    levers = Levers(tables)
    levers.add(modifier)
    levers.apply()
    assert snapshot(tables) == before


def test_removal_restores_the_base_in_the_same_array():
    tables = make_tables(50, 50)
    array, before = tables["places"].lighting, snapshot(tables)
    levers = Levers(tables)
    one = levers.add(Modifier("places.lighting", "multiply", 1.37))
    two = levers.add(Modifier("youth.training", "set", 1, np.arange(7)))
    three = levers.add(Modifier("youth.mentor", "set", 1, np.arange(5, 9)))
    assert levers.dirty == {"places.lighting", "youth.training", "youth.mentor"}
    assert levers.apply() == {"places.lighting", "youth.training", "youth.mentor"}
    assert not levers.dirty
    assert tables["places"].lighting is array
    assert list(np.flatnonzero(levers.value("youth.mentor"))) == [5, 6, 7, 8]
    assert tables["people"].programme[6] == 2 + 8
    levers.remove(two)
    assert levers.value("youth.mentor").sum() == 4 and not levers.value("youth.training").any()
    levers.remove(one)
    levers.remove(three)
    levers.apply()
    assert snapshot(tables) == before


def test_only_changed_columns_are_written():
    tables = make_tables(50, 50)
    levers = Levers(tables)
    levers.add(Modifier("places.lighting", "add", 0.1))
    tables["places"]["cleaning"] = 9.0  # would be put back to its base if it were written
    levers.apply()
    assert (tables["places"].cleaning == 9.0).all()


def test_levers_refuse_nonsense():
    levers = Levers(make_tables(20, 20))
    for bad in (Modifier("youth.mentor", "add", 1), Modifier("places.lighting", "add", np.nan),
                Modifier("places.lighting", "add", 1, np.array([3, 3])),
                Modifier("places.lighting", "add", 1, np.array([20])),
                Modifier("places.lighting", "add", 1, None, -1.0),
                Modifier("places.lighting", "add", 1, np.arange(3), np.ones(2))):
        with pytest.raises(InputError):
            levers.add(bad)
    assert not levers.dirty


# --- policies as data

def test_shipped_policies_read_and_say_what_they_do(shipped):
    assert {"night_activation", "community_policing", "youth_programme", "hot_spot_policing",
            "street_lighting", "place_regeneration",
            "place_regeneration_works_only"} <= set(shipped)
    for name, parsed in parse_policies(shipped).items():
        assert parsed.name == name and parsed.doc


def test_shipped_policies_stay_in_range_and_move_each_of_their_levers(shipped, prices):
    for name in shipped:
        tables = make_tables()
        before = {lever.name: tables[lever.table][lever.column].copy()
                  for lever in LEVERS.values()}
        programme, levers, _ = run({name: shipped[name]}, prices, tables=tables, until=27)
        for table in tables.values():
            table.validate()
        assert not programme.notes
        for measure in programme.policies[name].measures:
            start = programme.policies[name].clock_of(measure)[0]
            if start < 27 and measure.lever != "patrol.stop_minutes":  # its base is 15 already
                lever = LEVERS[measure.lever]
                moved = (levers.value(lever.name) if lever.bit
                         else tables[lever.table][lever.column] != before[lever.name])
                assert np.any(moved), (name, measure.lever)


BAD = [
    (lambda p: p["measures"][0].update(lever="places.lightning"), "places.lighting"),
    (lambda p: p["measures"][0].update(change={"ad": 0.1}), "add"),
    (lambda p: p["measures"][0].update(target={"table": "places", "rank_by": "recordd"}),
     "recorded"),
    (lambda p: p["measures"][0].update(target={"table": "places", "filter": [
        {"column": "vnues", "above": 1}]}), "venues"),
    (lambda p: p["measures"][0].update(targt={}), "target"),
    (lambda p: p["measures"][0].update(lever="youth.mentor", change={"set": 1}, target={
        "table": "people", "filter": [{"column": "employment", "in": ["neat"]}]}), "neet"),
    (lambda p: p.update(mesures=[]), "measures"),
    (lambda p: p.update(when={"start_dy": 3}), "start_day"),
    (lambda p: p["measures"][0].update(target={"table": "places", "filter": [
        {"column": "venues", "abov": 1}]}), "above"),
    (lambda p: p["measures"][0].update(target={"table": "places", "count": 2, "area": {
        "withn": 5}}), "within"),
]


@pytest.mark.parametrize("spoil, closest", BAD, ids=[c for _, c in BAD])
def test_misspelt_names_are_refused_with_the_closest(spoil, closest):
    data = lamps(count=3)
    spoil(data)
    with pytest.raises(InputError) as caught:
        parse_policy("mine", data)
    assert caught.value.closest == closest
    assert "configs/policy/mine.yaml" in caught.value.where
    assert closest in caught.value.allowed


def test_missing_keys_and_unknown_words_are_named():
    for spoil, where, allowed in (
            (lambda p: p.pop("doc"), "doc", None),
            (lambda p: p["measures"][0]["target"].update(order="lowest"), "target.order", "low")):
        data = lamps(count=3)
        spoil(data)
        with pytest.raises(InputError) as caught:
            parse_policy("mine", data)
        assert caught.value.where.endswith(where) and "given" not in caught.value.message
        assert allowed is None or (allowed in caught.value.allowed
                                   and caught.value.closest == allowed)


def test_ranks_share_the_mean_where_values_tie():
    assert _ranks(np.array([5.0, 1, 5, 3, 5])).tolist() == [4, 1, 4, 2, 4]
    assert _ranks(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("spoil", [
    lambda p: p["measures"][0].update(change={"at_least": 1.5}),
    lambda p: p["measures"][0].update(change={}),
    lambda p: p["measures"][0]["target"].update(share=1.2),
    lambda p: p["measures"][0]["target"].update(share=0.1),  # besides count
    lambda p: p["measures"][0].update(lever="youth.mentor", change={"set": 1}),
    lambda p: p["measures"][0].update(lever="patrol.beat_units"),
    lambda p: p.update(when={"start_day": 9, "end_day": 9}),
    lambda p: p.update(delivery={"capacity": 1.4}),
    lambda p: p.update(dose=-1), lambda p: p.update(measures=[]),
    lambda p: p["measures"][0]["target"].update(filter=[{"column": "venues"}])])
def test_values_out_of_range_are_refused(spoil):
    data = lamps(count=3)
    spoil(data)
    with pytest.raises(InputError) as caught:
        parse_policy("mine", data)
    assert "configs/policy/mine.yaml" in caught.value.where


def test_the_example_in_the_docs_works(prices):
    page = (ROOT / "docs/policies.md").read_text()
    data = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    tables = make_tables()
    tables["places"]["stop"][::7] = 1
    _, levers, _ = run({"brighter_stops": data}, prices, tables=tables)
    lit = levers.value("places.lighting") != levers.base("places.lighting")
    assert lit.sum() >= 20


def test_leaves_with_units_read_like_plain_numbers():
    plain = lamps(share=0.1)
    dressed = copy.deepcopy(plain)
    dressed["measures"][0]["target"]["share"] = {"value": 0.1, "unit": "share", "source": "assumed"}
    assert parse_policy("a", dressed) == parse_policy("a", plain)


def test_a_locked_lever_and_an_unknown_policy_are_refused(prices, shipped):
    locked = copy.deepcopy(prices)
    locked["patrol"]["beat_units"]["control"] = "none"
    chosen = parse_policies(shipped, ["community_policing"])
    validate(chosen, read_prices(prices))
    with pytest.raises(InputError, match="patrol.beat_units"):
        validate(chosen, read_prices(locked))
    with pytest.raises(InputError) as caught:
        parse_policies(shipped, ["comunity_policing"])
    assert caught.value.closest == "community_policing"


# --- targeting

AT_RISK = {"table": "people", "rank_by": "risk", "share": 0.1,
           "filter": [{"column": "age", "at_least": 12, "at_most": 24}]}


def oracle_risk(people, i):
    neet = 1.0 if columns.EMPLOYMENT[people.employment[i]] == "neet" else 0.0
    return (1 - people.self_control[i] + people.substance[i] + neet
            + (5 - people.quintile[i]) / 4) / 4


def test_full_accuracy_takes_exactly_the_riskiest_and_none_takes_anybody():
    tables = make_tables()
    people = tables["people"]
    young = [i for i in range(len(people)) if 12 <= people.age[i] <= 24 and people.kind[i] == 0]
    risks = np.array([oracle_risk(people, i) for i in young])
    n = round(0.1 * len(young))
    sure = select(Target(**AT_RISK, accuracy=1), tables, key())
    blind = select(Target(**AT_RISK, accuracy=0), tables, key())
    half = select(Target(**AT_RISK, accuracy=0.5), tables, key())
    assert len(sure) == len(blind) == n
    risk = {i: r for i, r in zip(young, risks, strict=True)}
    means = [np.mean([risk[i] for i in chosen]) for chosen in (sure, half, blind)]
    assert min(risk[i] for i in sure) >= np.sort(risks)[-n - 1] - 1e-9
    assert means[0] > means[1] > means[2]
    error = risks.std() / np.sqrt(n)
    assert abs(means[2] - risks.mean()) < 4 * error


def test_kernels_agree_with_plain_python():
    entities = np.array([0, 3, 70000, 3], dtype="i8")
    luck = keyed_uniforms(key(), entities)
    assert list(luck) == [uniform(key(), e) for e in entities] and luck[1] == luck[3]
    rank = np.array([0.25, 0.5, 0.75, 1.0])
    expected = [0.3 * r + 0.7 * u for r, u in zip(rank, luck, strict=True)]
    assert list(blurred_priority(rank, luck, 0.3)) == pytest.approx(expected)


def test_choice_is_keyed_and_repeatable():
    tables = make_tables()
    target = Target(**AT_RISK, accuracy=0.3)
    again = select(target, tables, key())
    assert np.array_equal(select(target, tables, key()), again)
    assert not np.array_equal(select(target, tables, key(seed=8)), again)
    assert not np.array_equal(np.sort(select(target, tables, key(seed=8))), np.sort(again))


def test_conditions_names_of_codes_and_free_residents_only():
    tables = make_tables()
    tables["people"]["status"][:3000] = 1
    rows = select(Target(table="people", filter=[
        {"column": "employment", "in": ["neet", "unemployed"]}, {"column": "sex", "equals": "man"},
        {"column": "age", "above": 20, "below": 30}], count=50), tables, key())
    p = tables["people"]
    assert len(rows) == 50 and rows.min() >= 3000
    assert set(p.employment[rows]) == {3, 4} and set(p.kind[rows]) == {0}
    assert p.age[rows].min() > 20 and p.age[rows].max() < 30


def test_per_district_serves_each_alike():
    tables = make_tables()
    places = tables["places"]
    rows = select(Target(table="places", rank_by="recorded", count=5, per_district=True),
                  tables, key())
    assert sorted(np.bincount(places.district[rows])) == [5, 5, 5, 5]
    for d in range(4):
        mine = places.recorded[places.district == d]
        assert set(places.recorded[rows[places.district[rows] == d]]) == set(np.sort(mine)[-5:])
    shares = select(Target(table="places", share=0.2, per_district=True), tables, key())
    for d in range(4):
        assert abs(np.count_nonzero(places.district[shares] == d)
                   - 0.2 * np.count_nonzero(places.district == d)) <= 1
    homes = select(Target(table="people", count=9, per_district=True), tables, key())
    assert set(np.bincount(places.district[tables["people"].anchors[homes, 0]])) == {9}


def test_an_area_is_all_that_lies_within_reach_of_the_top_places():
    tables = make_tables()
    p = tables["places"]
    rows = select(Target(table="places", rank_by="recorded", count=4,
                         area={"within": 150}), tables, key())
    centres = np.argsort(-p.recorded, kind="stable")[:4]
    reach = [i for i in range(len(p)) if min(
        np.hypot(float(p.x[i]) - float(p.x[c]), float(p.y[i]) - float(p.y[c]))
        for c in centres) <= 150]
    assert set(rows) == set(reach) and len(set(rows)) == len(rows)
    assert rows[0] == centres[0]


def test_ranks_by_weighed_columns():
    tables = make_tables(3, 10)
    tables["places"]["venues"] = [4, 2, 0]
    tables["places"]["leisure"] = [0.0, 0.4, 0.5]
    rows = choose(Target(table="places", rank_by={"venues": 1.0, "leisure": 1.0}, count=1),
                  tables, key()).rows
    assert list(rows) == [1, 0, 2] or list(rows) == [1, 2, 0]  # 0.5 + 0.8 against 1 and 1


# --- delivery, dose, money

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
    assert caught.value.closest == word and "configs/levers/default.yaml" in caught.value.where


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
    programme = Programme(three, {"levers": prices}, levers, tables, days=DAYS)
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
        programme = Programme({"a": crew}, {"levers": prices}, levers, tables, scale, days=DAYS)
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
    programme = Programme({name: shipped[name]}, {"levers": prices}, levers, tables, days=DAYS)
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
    programme = Programme(shipped, {"levers": prices}, levers, tables, days=DAYS)
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


def test_tables_named_by_levers_are_those_of_the_declarations():
    assert {lever.table for lever in LEVERS.values()} <= set(TABLES)
    moved_by_the_model = {"upkeep", "disorder", "deterrence", "light", "present", "guardianship",
                          "certainty", "unease", "recorded", "norms", "fear_day", "fear_night",
                          "trust_police", "trust_city"}
    assert not moved_by_the_model & {lever.column for lever in LEVERS.values()}

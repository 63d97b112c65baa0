"""Policies as data: what their files may say, and how slips are refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import yaml

from citysim.config.errors import InputError
from citysim.policies.costs import read_prices
from citysim.policies.delivery import validate
from citysim.policies.policy import parse_policies, parse_policy
from citysim.state.levers import LEVERS
from made_policies import ROOT, lamps, make_tables, run


@pytest.fixture(scope="module")
def prices():
    return yaml.safe_load((ROOT / "configs/prices/default.yaml").read_text())


@pytest.fixture(scope="module")
def shipped():
    files = sorted((ROOT / "configs/policy").glob("*.yaml"))
    return {f.stem: yaml.safe_load(f.read_text()) for f in files}


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

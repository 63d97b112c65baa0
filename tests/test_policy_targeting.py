"""Targeting: who or where a measure goes to."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from citysim.config.errors import InputError
from citysim.kernels.random import uniform
from citysim.kernels.targeting import blurred_priority, keyed_uniforms
from citysim.policies.policy import Target
from citysim.policies.targeting import _ranks, choose, select
from citysim.state import columns
from made_policies import AT_RISK, key, make_tables


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


def test_ranks_share_the_mean_where_values_tie():
    assert _ranks(np.array([5.0, 1, 5, 3, 5])).tolist() == [4, 1, 4, 2, 4]
    assert _ranks(np.zeros(0)).tolist() == []


def test_named_rows_are_the_whole_choice_in_their_order():
    tables = make_tables()
    chosen = choose(Target(table="places", rows=[9, 2, 500]), tables, key())
    assert chosen.rows.tolist() == [9, 2, 500] and chosen.wanted == 3
    people = choose(Target(table="people", rows=[4, 1]), tables, key(), scale=0.5)
    assert people.rows.tolist() == [4, 1] and people.wanted == 4  # persons of the real city
    outsider = int(np.flatnonzero(tables["people"].kind != 0)[0])
    for table, row in (("places", 600), ("people", outsider)):
        with pytest.raises(InputError, match=f"row {row} "):
            choose(Target(table=table, rows=[0, row]), tables, key())


@pytest.mark.parametrize("more", [{"rows": [1, 1]}, {"rows": [-1]}, {"rows": [1], "count": 1},
                                  {"rows": [1], "rank_by": "recorded"},
                                  {"rows": [1], "filter": [{"column": "stop", "equals": 1}]}])
def test_rows_stand_alone_and_each_once(more):
    with pytest.raises(ValidationError):
        Target(table="places", **more)

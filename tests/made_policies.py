"""Tables, policies and runs of a programme, for the tests of policies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from citysim.kernels.random import stream_key
from citysim.policies.delivery import Programme
from citysim.state import columns
from citysim.state.levers import Levers
from citysim.state.table import Table

ROOT = Path(__file__).parents[1]
DAYS = 84
AT_RISK = {"table": "people", "rank_by": "risk", "share": 0.1,
           "filter": [{"column": "age", "at_least": 12, "at_most": 24}]}


def key(day=0, seed=7):
    return stream_key(seed, 3, day)


def make_tables(places=600, people=20000):
    r = np.random.default_rng(11)
    p = Table("places", columns.PLACES, places, {
        "x": r.uniform(0, 1500, places), "y": r.uniform(0, 1500, places),
        "length": r.uniform(40, 200, places), "venues": r.poisson(0.5, places),
        "leisure": r.uniform(0, 0.5, places), "lighting": r.uniform(0.1, 0.9, places),
        "alcohol": r.uniform(0.2, 0.9, places), "district": r.integers(0, 4, places),
        "upkeep": r.uniform(0.2, 1, places), "deprivation": r.uniform(0, 1, places),
        "recorded": r.gamma(0.3, 4, places), "stop": r.random(places) < 0.2,
        "dwelling": r.uniform(0, 1, places), "dwellings": r.poisson(12, places),
        "retail": r.uniform(0, 0.3, places), "shops": r.poisson(1, places),
        "vehicles": r.poisson(8, places), "disorder": r.uniform(0, 0.6, places),
        "derelict": r.random(places) < 0.2})
    p.venue_area = np.where(p.venues > 0, r.integers(0, 9, places), -1)
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
    programme = Programme(policies, {"prices": prices}, levers, tables, days=days, **more)
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

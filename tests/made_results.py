"""Makes the folder of a study with invented results, for tests of analysis and report."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa

from citysim.state.columns import PEOPLE, PLACES
from citysim.state.csr import Ragged
from citysim.state.table import Table
from citysim.study.store import Store

SCENARIOS = ("no_action", "night_activation", "community_policing", "youth_programme", "together")
GROUPS = ("women", "men", "youth", "adult", "elderly", "migrants", "quintile_1", "quintile_2",
          "quintile_3", "quintile_4", "quintile_5")
DISTRICTS = ("Aurora", "Vanchiglia", "Borgo Rossini", "Vanchiglietta")
OFFENCES = {"vandalism": 2600, "theft_from_person": 1700, "assault": 700, "burglary": 450,
            "robbery": 160}
REPORTED = {"vandalism": 0.15, "theft_from_person": 0.45, "assault": 0.35, "burglary": 0.8,
            "robbery": 0.6}
UNITS = {"safety.safe_after_dark": "share", "trust.police": "share", "cost.total": "EUR",
         "victimisation.poorest_richest": "ratio", "night.users": "persons"}
RATE = "crimes per 100,000 residents and year"
# Effect by scenario: crime (share), safe after dark (points), night users (share), trust
# (points), reporting (share), cost (EUR).
EFFECTS = {"no_action": (0, 0, 0, 0, 0, 0),
           "night_activation": (0.012, 0.021, 0.14, 0.002, 0.0, 410_000),
           "community_policing": (-0.055, 0.014, 0.01, 0.035, 0.09, 395_000),
           "youth_programme": (-0.021, 0.001, 0.0, 0.004, 0.0, 402_000),
           "together": (-0.038, 0.016, 0.06, 0.018, 0.04, 400_000)}


def outcome_rows(scenario, seed, rng_of_seed):
    """Rows of the outcomes table of one run; luck is the seed's, noise is the run's own."""
    luck = np.random.default_rng(rng_of_seed)
    own = np.random.default_rng([seed, SCENARIOS.index(scenario) if scenario in SCENARIOS else 9])
    crime, safe, users, trust, report, cost = EFFECTS[scenario]
    level = luck.normal(1, 0.04)
    rows = []

    def add(outcome, group, unit, value):
        rows.append((outcome, group, unit, float(value)))

    totals = {}
    for offence, rate in OFFENCES.items():
        true = rate * level * (1 + crime) * own.normal(1, 0.01)
        reported = true * REPORTED[offence] * (1 + report)
        for kind, value in (("true", true), ("reported", reported), ("recorded", reported * 0.93),
                            ("expected_reported", reported * 1.01),
                            ("expected_recorded", reported * 0.94)):
            add(f"crime.{kind}.{offence}", "all", RATE, value)
            for total in ("all", *(() if offence == "vandalism" else ("all_but_vandalism",))):
                totals[kind, total] = totals.get((kind, total), 0) + value
    for (kind, total), value in totals.items():
        add(f"crime.{kind}.{total}", "all", RATE, value)
    hazard = sum(OFFENCES.values()) * level * (1 + crime) * own.normal(1, 0.003)
    add("crime.hazard.all", "all", RATE, hazard)
    add("crime.count.hazard", "all", "crimes", hazard * 83_000 / 1e5 * 84 / 365)
    for group in ("all", *GROUPS, *(f"district:{d}" for d in DISTRICTS)):
        sign = -1 if group == "elderly" and scenario == "night_activation" else 1
        add("safety.safe_after_dark", group, "share",
            0.55 + luck.normal(0, 0.01) + sign * safe + own.normal(0, 0.003))
        add("trust.police", group, "share", 0.52 + luck.normal(0, 0.01) + trust
            + own.normal(0, 0.002))
        add("harassment.prevalence", group, "share", max(
            0.0, 0.08 + luck.normal(0, 0.005) + crime / 10 + own.normal(0, 0.002)))
    add("night.users", "all", "persons", 5200 * level * (1 + users) * own.normal(1, 0.01))
    add("victimisation.poorest_richest", "all", "ratio",
        1.4 * luck.normal(1, 0.02) + crime + own.normal(0, 0.01))
    add("police.stops", "all", "stops per 100 residents", 3 * level)
    add("cost.total", "all", "EUR", cost)
    return rows


def tables(scenario, seed, places=2000, days=84):
    """All result tables of one run as frames."""
    own = np.random.default_rng([7, seed, SCENARIOS.index(scenario)])
    luck = np.random.default_rng([8, seed])
    crime, safe, users, *_ = EFFECTS[scenario]
    outcomes = pd.DataFrame(outcome_rows(scenario, seed, [5, seed]),
                            columns=["outcome", "group", "unit", "value"])
    day = np.arange(days, dtype=np.int32)
    ramp = np.clip(day / 28, 0, 1)
    daily = pd.concat([pd.DataFrame({"day": day, "outcome": o, "group": "all", "value": v})
                       for o, v in (
        ("crime.hazard.all", 5600 * luck.normal(1, 0.05, days) * (1 + crime * ramp)),
        ("safety.safe_after_dark", 0.55 + luck.normal(0, 0.006) - day * 2e-4 + safe * ramp
         + own.normal(0, 0.001, days)),
        ("night.users", 5200 * (1 + 0.3 * (day % 7 > 3)) * luck.normal(1, 0.03, days)
         * (1 + users * ramp)))])
    base = np.random.default_rng(3).lognormal(-1.2, 1.1, places)
    near = np.random.default_rng(4).random(places) < 0.25
    hazard = base * luck.normal(1, 0.05, places) * (1 + crime * (1 + 3 * near))
    unease = 0.4 + 0.2 * np.sin(np.arange(places) / 90) - safe * (1 + 4 * near) \
        + luck.normal(0, 0.02, places)
    spots = np.arange(places, dtype=np.int32)
    places_ = pd.concat([pd.DataFrame({"place": spots, "outcome": o, "value": v})
                         for o, v in (("crime.hazard.all", hazard), ("safety.unease", unease))])
    hours = np.arange(168)
    night = np.exp(-((hours % 24 - 22) % 24) / 5.0)
    profile = pd.concat([pd.DataFrame({"weekday": hours // 24, "hour": hours % 24, "outcome": o,
                                       "value": v * own.normal(1, 0.05, 168)})
                         for o, v in (("crime.hazard.all", 1 + 3 * night * (hours > 96)),
                                      ("night.users", 50 + 900 * night))])
    return {"outcomes": outcomes, "daily": daily, "places": places_, "profile": profile}


def write_study(folder, scenarios=SCENARIOS, seeds=range(8), fail=(), skip=(), places=2000,
                days=84, change=None, manifest=None, more=None):
    """Write a study with the project's own store; ``fail`` and ``skip`` hold (scenario, seed).

    ``change`` may map the outcomes frame of a run to another one, ``more`` give further tables
    of a run as frames.
    """
    store, keys = Store(folder), []
    for scenario in scenarios:
        for seed in seeds:
            key = f"{SCENARIOS.index(scenario)}{seed:04d}"
            keys.append(key)
            if (scenario, seed) in skip:
                continue
            failed = (scenario, seed) in fail
            frames = {} if failed else tables(scenario, seed, places, days)
            if change is not None and not failed:
                frames["outcomes"] = change(frames["outcomes"], scenario, seed)
            if more is not None and not failed:
                frames |= more(scenario, seed)
            write_run(store, key, scenario, 0, seed, frames, failed)
    store.write_manifest({
        "name": "flagship", "keys": keys, "seeds": list(seeds), "config_key": "abc123",
        "scenarios": [{"name": name, "policies": [], "set": {}} for name in scenarios],
        "versions": {"citysim": "0.1.0", "numpy": "2"}, "command": "citysim run seeds=8",
        "config": {"days": days, "city": {"name": "turin_dora"}, "scale": 1.0},
        "parameters": {
            "model.guardianship.saturation": {"value": 0.7, "unit": "persons",
                                              "source": "assumed", "range": [0.3, 3.0]},
            "model.fear.decay": {"value": 30, "unit": "days", "source": "a field study",
                                 "range": None}},
        **(manifest or {})})
    return folder


def write_run(store, key, scenario, future, seed, frames, failed=False):
    """Write one run from frames, as a study does."""
    record = {"key": key, "scenario": scenario, "future": future, "seed": seed, "seconds": 4.2,
              "status": "failed" if failed else "done", "parameters": "{}",
              "error": "Traceback\nValueError: <b>no homes</b>" if failed else None,
              "citysim": "0.1.0"}
    store.write_run(record, {name: pa.Table.from_pandas(frame, preserve_index=False)
                             for name, frame in frames.items()})


def made_sweep(design, factors, model, seeds=(1, 2), manifest=None, skip=()):
    """A study with a design, in memory: what analyses ask of opened results.

    Parameters
    ----------
    design
        Frame of scenario, future, sample and a column per factor, as ``design.parquet`` has it.
    factors
        Role by factor, or the manifest's entry where there is more to say.
    model
        ``(row of the design, seed) -> {outcome: value}``, for everyone.
    skip
        (scenario, future, seed) of runs that are missing.
    """
    rows = [(row["scenario"], row["future"], seed, o, "all", UNITS.get(o, RATE), float(v))
            for row in design.drop_duplicates(["scenario", "future"]).to_dict("records")
            for seed in seeds if (row["scenario"], row["future"], seed) not in skip
            for o, v in model(row, seed).items()]
    outcomes = pd.DataFrame(rows, columns=["scenario", "future", "seed", "outcome", "group",
                                           "unit", "value"])
    names = list(dict.fromkeys(design["scenario"]))
    tables = {"design": design, "outcomes": outcomes}
    return SimpleNamespace(
        scenarios=names, baseline=names[0], folder="memory", table=tables.__getitem__,
        done=outcomes[["scenario", "future", "seed"]].drop_duplicates(),
        manifest={
            "name": "sweep", "seeds": list(seeds), "study_key": "5eed", "command": "citysim run",
            "scenarios": [{"name": n, "policies": [] if n == "no_action" else ["lamps"],
                           "set": {}} for n in names],
            "factors": [{"name": n, **({"role": f} if isinstance(f, str) else f)}
                        for n, f in factors.items()],
            "config": {"days": 84, "city": {"name": "town"}, "scale": 1.0}, **(manifest or {})})


def write_sweep(folder, *arguments, **keys):
    """Write the study of :func:`made_sweep` into a folder; few runs, as each is a file."""
    made, store = made_sweep(*arguments, **keys), Store(folder)
    runs = []
    for (scenario, future, seed), rows in made.table("outcomes").groupby(
            ["scenario", "future", "seed"], sort=False):
        runs.append(f"{made.scenarios.index(scenario):04d}{future:04d}{seed:02d}")
        write_run(store, runs[-1], scenario, future, seed,
                  {"outcomes": rows[["outcome", "group", "unit", "value"]]})
    made.table("design").to_parquet(store.folder / "design.parquet", index=False)
    store.write_manifest({**made.manifest, "keys": runs})
    return folder


def made_world(places=2000, residents=500):
    """A crooked grid of streets in four districts, with a river, and some people."""
    rng = np.random.default_rng(1)
    wide = int(np.ceil(np.sqrt(places / 2))) + 1
    corner = np.stack(np.meshgrid(np.arange(wide), np.arange(wide)), -1) * 90.0
    corner += rng.normal(0, 12, corner.shape)
    across = [(corner[j, i], corner[j, i + 1]) for j in range(wide) for i in range(wide - 1)]
    up = [(corner[j, i], corner[j + 1, i]) for j in range(wide - 1) for i in range(wide)]
    ends = np.array(across + up, dtype=np.float32)[
        np.sort(rng.permutation(len(across) + len(up))[:places])]
    middle = ends.mean(axis=1)
    centre = np.median(middle, axis=0)
    district = (middle[:, 0] > centre[0]) + 2 * (middle[:, 1] > centre[1])
    table = Table("places", PLACES, places, {
        "x": middle[:, 0], "y": middle[:, 1], "district": district.astype("u1"),
        "length": np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)})
    lines = Ragged(np.arange(places + 1, dtype=np.int64) * 2, ends.reshape(-1, 2))
    river = np.stack([np.linspace(0, wide * 90, 30),
                      wide * 45 + 200 * np.sin(np.linspace(0, 5, 30))], axis=1)
    city = SimpleNamespace(name="turin_dora", places=table, lines=lines, districts=DISTRICTS,
                           water=(river,), notes=[])
    people = Table("people", PEOPLE, residents + 50)
    people["kind"][residents:] = 1
    return SimpleNamespace(city=city, population=SimpleNamespace(people=people))

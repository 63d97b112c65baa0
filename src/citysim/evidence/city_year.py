"""The baseline year: a city without any policy, run by the study machinery, for the facts.

A year study is a study like any other, keyed and resumable; its runs also keep how people feel
at the end (table ``minds``), which surveys ask about and ordinary studies do not store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from citysim.config.errors import InputError
from citysim.evidence.crimes import CityData, Crimes, People, Places
from citysim.study.program import Program

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from citysim.config.settings import Settings
    from citysim.model.world import World

DAYS = 365
MINDS = "minds"
PROGRAM = Program(simulate=f"{__name__}:simulate_year", code=(__name__,))


def simulate_year(settings, scenario, seed: int, world) -> dict[str, pa.Table]:
    """One run with the table ``minds`` beside the usual ones.

    ``minds`` has a row per resident at the end: ``fear_after_dark`` (share) and ``odds_kept``
    (share of the odds of an evening out that fear leaves).
    """
    import pyarrow as pa

    from citysim.model.simulate import record_of, run_model, tables_of

    model = run_model(settings, scenario, seed, world)
    people, n = model.people, model.n_residents
    minds = pa.table({
        "person": pa.array(np.arange(n, dtype=np.int32)),
        "fear_after_dark": pa.array(people.fear[:n, 1].astype(np.float32)),
        "odds_kept": pa.array(people.caution[:n, 1].astype(np.float32))})
    return {**tables_of(record_of(model), model), MINDS: minds}


def year_settings(overrides: Sequence[str] = (), config_path: str | None = None) -> Settings:
    """Settings of a baseline year: no policy, 365 days, ``outputs/evidence/year_<city>``.

    Parameters
    ----------
    overrides
        As on the command line: ``city=town``, ``seeds=3``, ``model.x.y=1``.
    config_path
        Folder of configuration files.
    """
    from citysim.config.compose import compose_study

    given = {word.split("=")[0].lstrip("+~"): word.partition("=")[2] for word in overrides}
    words = ["experiment=single"] if "experiment" not in given else []
    city = given.get("city", "turin_dora")
    for key, value in (("days", DAYS), ("seeds", 1), ("policy", "[]"), ("name", f"year_{city}"),
                       ("output_dir", f"outputs/evidence/year_{city}")):
        if key not in given:
            words.append(f"{key}={value}")
    settings = compose_study([*words, *overrides], config_path)
    if settings.policies or settings.scenarios:
        raise InputError("a baseline year has no policies", where="policy", allowed="policy=[]")
    return settings


def run_year(settings: Settings, progress: Callable | None = None) -> list[CityData]:
    """Run what is missing of a baseline year and open it; one entry per seed.

    Raises
    ------
    InputError
        On bad settings or when no run ended well.
    """
    from citysim.study.run import run_study

    result = run_study(settings, progress, PROGRAM)
    return open_year(result.folder, settings=settings)


def open_year(folder: str | Path, scenario: str | None = None,
              settings: Settings | None = None, config_path: str | None = None
              ) -> list[CityData]:
    """Open the finished runs of a study as data for measures, one entry per future and seed.

    City and people are built again from the configuration that the manifest names, with what each
    run drew or set (the point of an ensemble, a future).

    Parameters
    ----------
    folder
        Any study's folder; one made by :func:`run_year` knows people's minds as well.
    scenario
        Which one; the baseline by default.
    settings
        Of the study, when they are at hand.
    config_path
        Folder of configuration files the study was composed from.

    Raises
    ------
    InputError
        If there is no such study or scenario, or its city cannot be built again.
    """
    from citysim.model.world import build_world
    from citysim.results import open

    study = open(folder)
    scenario = scenario or study.baseline
    if scenario not in study.scenarios:
        raise InputError(f"no scenario '{scenario}'", where=str(folder), allowed=study.scenarios)
    settings = settings or _settings_of(study.manifest, str(folder), config_path)
    runs = study.done[study.done["scenario"] == scenario]
    if not len(runs):
        raise InputError("no run of the baseline ended well", where=str(folder),
                         allowed="citysim status tells what failed")
    tables = {name: _read(study, name, scenario) for name in ("events", "outcomes", MINDS)}
    found, worlds = [], {}
    for run in runs.itertuples():
        own = settings.replace(json.loads(run.parameters)["set"])
        if own.world_key() not in worlds:
            worlds = {own.world_key(): build_world(own)}
        data = city_data(own, *worlds.values(), int(run.seed),
                         *(_of_run(table, run.key) for table in tables.values()))
        found.append(replace(data, future=int(run.future)))
    return found


def _settings_of(manifest: dict, where: str, config_path: str | None) -> Settings:
    from citysim.config.compose import compose_study

    settings = compose_study(manifest.get("overrides") or [], config_path)
    if settings.key() != manifest.get("config_key"):
        raise InputError("the configuration files have changed since this study, so its city "
                         "cannot be built again", where=where, allowed="run the study again")
    return settings


def _read(study, table: str, scenario: str) -> pd.DataFrame | None:
    import pyarrow.dataset as ds

    if table not in study.store.finished().tables:
        return None
    return study.store.read(table, filter=ds.field("scenario") == scenario)


def _of_run(table: pd.DataFrame | None, key: str) -> pd.DataFrame | None:
    return None if table is None else table[table["key"] == key]


def city_data(settings: Settings, world: World, seed: int, events: pd.DataFrame,
              outcomes: pd.DataFrame, minds: pd.DataFrame | None = None) -> CityData:
    """One run in the form that measures take.

    Parameters
    ----------
    settings, world, seed
        What it was run with; the settings hold what the run drew.
    events, outcomes, minds
        Its result tables.
    """
    city = world.city
    names = tuple(settings.offences)
    police = city.spec.police
    places = city.places
    return CityData(
        city.name, _crimes(events, world, settings),
        Places(places.x.astype(float), places.y.astype(float), places.length.astype(float),
               city.neighbours, places.district.astype(np.int64)),
        _people(world, settings, minds), outcomes[["outcome", "group", "value"]],
        float(settings.days), _residents(world), names,
        tuple(n for n in names if settings.offences[n].in_total),
        {"national": police.national.per_100k, "local": police.local.per_100k}, seed)


def _residents(world: World) -> int:
    return int((world.population.people.kind == 0).sum())


def _crimes(events: pd.DataFrame, world: World, settings: Settings) -> Crimes:
    places, households = world.city.places, world.population.people.household
    place = events["place"].to_numpy(np.int64)
    victim = events["victim"].to_numpy(np.int64)
    return Crimes(
        place, places.x[place].astype(float), places.y[place].astype(float),
        events["offence"].to_numpy(str), events["step"].to_numpy(float) * settings.step_hours,
        events["hour"].to_numpy(np.int64), events["weekday"].to_numpy(np.int64),
        events["offender"].to_numpy(np.int64), victim,
        np.where(victim >= 0, households[np.maximum(victim, 0)], -1),
        events["reported"].to_numpy(bool), events["recorded"].to_numpy(bool),
        cleared=events["cleared"].to_numpy(bool),
        in_venue=events["in_venue"].to_numpy(bool))


def _people(world: World, settings: Settings, minds: pd.DataFrame | None) -> People:
    people, places = world.population.people, world.city.places
    n = _residents(world)
    known = {}
    if minds is not None:
        order = np.argsort(minds["person"].to_numpy())
        known = {name: minds[name].to_numpy(float)[order]
                 for name in ("fear_after_dark", "odds_kept")}
    return People(
        n, people.age.astype(np.int64), people.sex.astype(np.int64),
        people.anchors[:, 0].astype(np.int64), people.household.astype(np.int64),
        _habits(people.anchors, people.modes, places.venues),
        afraid=settings.model.fear.afraid, **known)


def _habits(anchors: np.ndarray, modes: np.ndarray, venues: np.ndarray) -> dict[str, np.ndarray]:
    """Who has evening venues among the usual leisure places; who makes a usual trip by transit."""
    transit = (modes[:, None] >> np.array([0, 2, 4, 6])) & 3 == 1
    return {"evening": (venues[anchors[:, 2:5]] > 0).any(axis=1), "transit": transit.any(axis=1)}


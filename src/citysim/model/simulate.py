"""One run: a scenario with a seed, from the first warm-up hour to tables of results."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from citysim.config.settings import stable_hash
from citysim.kernels import events as ev
from citysim.kernels.perception import PEOPLE, SAFE_NIGHT, TRUST_POLICE
from citysim.model.city_model import CityModel
from citysim.outcomes.record import DAYS_PER_YEAR, TOTALS, Record
from citysim.outcomes.registry import take_all


def simulate(settings, scenario, seed: int, world) -> dict[str, pa.Table]:
    """Run one scenario and take all measures.

    Parameters
    ----------
    settings
        Resolved settings; a scenario's own parameters are already in them.
    scenario
        Anything with ``policies``: names out of ``settings.policies``.
    seed
        Seed of the run.
    world
        City and population.

    Returns
    -------
    dict of pyarrow.Table
        ``outcomes``, ``daily``, ``places``, ``profile``, ``events`` (``docs/architecture.md``).
    """
    model = run_model(settings, scenario, seed, world)
    return tables_of(record_of(model), model)


def run_model(settings, scenario, seed: int, world) -> CityModel:
    """The model of one run at its end; arguments as for :func:`simulate`."""
    model = CityModel(settings, seed, scenario.policies, world)
    model.collecting = False
    model.take_over(_warmed_up(settings, seed, world).standing())
    model.run_days(settings.days)
    model.finish()
    return model


_warm: dict[tuple, CityModel] = {}


def _warmed_up(settings, seed: int, world) -> CityModel:
    """A model without policies at the end of its warm-up, kept for the next scenario.

    Before the evaluation window no policy acts, so all scenarios of a seed share it to the last
    bit; only the latest one is kept.
    """
    content = {k: v for k, v in settings.content().items() if k not in ("policies", "budget")}
    key = (stable_hash(content), seed, id(world))
    if key not in _warm:
        _warm.clear()
        model = CityModel(settings, seed, (), world)
        model.collecting = False
        model.run_days(settings.warmup_days)
        _warm[key] = model
    return _warm[key]


def record_of(model: CityModel) -> Record:
    """What a finished model's measures are taken from."""
    r = model.recorder
    if not r.months or r.months[-1]["days"] < len(r.daily):  # the window ends within a month
        model.close_month()
    events = r.all_events()
    start = model.calendar.hour_of_week(0)
    hour = ((events[:, ev.STEP] * model.settings.step_hours).astype(np.int64) + start) % 168
    return Record(
        events=events, hour_of_week=hour, hazard=r.hazard, hourly=r.hourly,
        chances=r.chances, configured=configured_shares(model.constants),
        victim_chances=r.victim_chances, daily=r.daily, months=r.months,
        offences=model.constants.offences.names, kinds=model.constants.offences.kinds,
        in_total=model.constants.offences.in_total,
        groups=model.groups_of_people, people=model.people, households=model.households,
        places=model.places, districts=model.city.districts, stops=r.stops, days=len(r.daily),
        scale=model.scale, bands=model.bands, patrol=r.patrol, presence=r.presence,
        contacts=r.contacts, ledger=model.programme.ledger,
        plan=model.programme.summary(), budget=model.settings.budget,
        maintenance_hours=model.settings.model.observation.maintenance_hours)


def configured_shares(constants) -> np.ndarray:
    """Shares of each offence reported and recorded at middling trust, float64 (offences, 2)."""
    report = constants.offences.report
    return np.column_stack([report, report * constants.law.recording])


def tables_of(record: Record, model: CityModel) -> dict[str, pa.Table]:
    """The result tables of a run."""
    return {"outcomes": _outcomes(record), "daily": _daily(record, model),
            "places": _places(record, model), "profile": _profile(record),
            "events": _events(record),
            "notes": pa.table({"note": pa.array(model.programme.notes, pa.string())})}


def _outcomes(record) -> pa.Table:
    rows = list(take_all(record))
    outcome, group, unit, value = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table({"outcome": pa.array(outcome, pa.string()),
                     "group": pa.array(group, pa.string()), "unit": pa.array(unit, pa.string()),
                     "value": pa.array(value, pa.float64())})


def _daily(record, model) -> pa.Table:
    all_events, totals = record.events, {t: record.select(t) for t in ("all", "all_but_vandalism")}
    day_of = _day_of(all_events, model.calendar)
    per_day = 1e5 / record.n_residents * DAYS_PER_YEAR
    # What is recorded of a day's expectation is the window's share, so that days add up to it.
    shares = {"hazard": 1.0, "expected_recorded": record.told()[:, 1]}
    columns: dict[str, np.ndarray] = {}
    for name, chosen in totals.items():
        there = np.isin(all_events[:, ev.OFFENCE], chosen)
        for kind, column in (("true", None), ("recorded", ev.RECORDED)):
            keep = there if column is None else there & (all_events[:, column] == 1)
            count = np.bincount(day_of[keep], minlength=record.days)[:record.days]
            columns[f"crime.{kind}.{name}"] = count * per_day
        for kind, share in shares.items():
            columns[f"crime.{kind}.{name}"] = np.array(
                [(d["hazard"] * share)[chosen].sum() for d in record.daily]) * per_day
    sums = np.array([d["sums"].sum(axis=0) for d in record.daily])
    columns["safety.safe_after_dark"] = sums[:, SAFE_NIGHT] / sums[:, PEOPLE]
    columns["trust.police"] = sums[:, TRUST_POLICE] / sums[:, PEOPLE]
    columns["night.users"] = np.array(
        [1e3 * d["out"].sum() / max(1.0, d["night_hours"] * d["steps_per_hour"])
         / record.n_residents for d in record.daily])
    for name in ("upkeep", "disorder"):
        columns[f"place.{name}"] = np.array([d[name] for d in record.daily])
    columns["cost.total"] = np.array([d["cost"] for d in record.daily])
    days = np.arange(record.days, dtype=np.int32)
    return pa.table({
        "day": pa.array(np.tile(days, len(columns)), pa.int32()),
        "outcome": pa.array(np.repeat(list(columns), record.days), pa.string()),
        "group": pa.array(["all"] * (len(columns) * record.days), pa.string()),
        "value": pa.array(np.concatenate(list(columns.values())), pa.float64())})


def _places(record, model) -> pa.Table:
    n, total = len(record.places), record.select("all")
    treated = model.programme.reached_places.astype(float)
    events = record.events[np.isin(record.events[:, ev.OFFENCE], total)]
    day = _day_of(events, model.calendar)
    parts, before = [], {"hazard": 0.0, "presence": 0.0, "patrol": 0.0, "days": 0}
    for now in record.months:
        here = (day >= before["days"]) & (day < now["days"])
        # Sums run on through the window; a month's own part is the difference.
        hazard, presence, patrol = (now[k] - before[k] for k in ("hazard", "presence", "patrol"))
        columns = {
            **{f"crime.hazard.{name}": hazard[:, record.select(name)].sum(axis=1)
               for name in TOTALS},
            "crime.true.all": np.bincount(events[here, ev.PLACE], minlength=n).astype(float),
            "safety.unease": now["unease"], "night.presence": presence,
            "place.upkeep": now["upkeep"], "police.patrol_minutes": patrol,
            "policy.treated": treated,
        }
        parts.append(pa.table({
            "month": pa.repeat(pa.scalar(now["month"], pa.date32()), n * len(columns)),
            "place": pa.array(np.tile(np.arange(n, dtype=np.int32), len(columns)), pa.int32()),
            "outcome": pa.array(np.repeat(list(columns), n), pa.string()),
            "value": pa.array(np.concatenate(list(columns.values())), pa.float64())}))
        before = now
    return pa.concat_tables(parts).combine_chunks()


def _day_of(events: np.ndarray, calendar) -> np.ndarray:
    """Day of the evaluation window of each event."""
    return events[:, ev.STEP] // calendar.steps_per_day - calendar.warmup_days


def _profile(record) -> pa.Table:
    weeks = max(1, record.days) / 7
    columns = {f"crime.hazard.{name}": record.hourly[:, record.select(name)].sum(axis=1) / weeks
               for name in record.totals}
    hours = np.arange(168)
    return pa.table({
        "weekday": pa.array(np.tile(hours // 24, len(columns)), pa.int32()),
        "hour": pa.array(np.tile(hours % 24, len(columns)), pa.int32()),
        "outcome": pa.array(np.repeat(list(columns), 168), pa.string()),
        "value": pa.array(np.concatenate(list(columns.values())), pa.float64())})


def _events(record) -> pa.Table:
    e, people = record.events, record.people
    victim = e[:, ev.VICTIM]
    known = victim >= 0

    def of_victim(column):
        return pa.array(np.where(known, people[column][victim], 0).astype(np.int16),
                        pa.int16(), mask=~known)

    offence = np.array(record.offences, dtype=object)[e[:, ev.OFFENCE]] if len(e) else []
    return pa.table({
        "step": pa.array(e[:, ev.STEP], pa.int32()), "place": pa.array(e[:, ev.PLACE], pa.int32()),
        "offence": pa.array(offence, pa.string()),
        "hour": pa.array(record.hour_of_week % 24, pa.int32()),
        "weekday": pa.array(record.hour_of_week // 24, pa.int32()),
        "district": pa.array(record.places.district[e[:, ev.PLACE]].astype(np.int32), pa.int32()),
        "reported": pa.array(e[:, ev.REPORTED] == 1), "recorded": pa.array(e[:, ev.RECORDED] == 1),
        "cleared": pa.array(e[:, ev.CLEARED] == 1),
        "in_venue": pa.array(e[:, ev.IN_VENUE] == 1), "victim_sex": of_victim("sex"),
        "victim_age": of_victim("age"), "victim_foreign": of_victim("foreign"),
        "victim_quintile": of_victim("quintile"),
        "victim_resident": pa.array(known & (victim < record.n_residents)),
        "victim": pa.array(victim, pa.int32()), "offender": pa.array(e[:, ev.CULPRIT], pa.int32()),
    })

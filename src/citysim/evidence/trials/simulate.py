"""One trial with one seed: the trial as it was run, and the same city had nobody been treated.

Where the control arm has a policy of its own, "untreated" means that all units have that.
Both start from one warm state and share all their luck, so that beside the estimate that the
trial itself could make there is the precise effect: trial run minus untreated run in the same
units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from citysim.evidence.trials.arms import WHOLE_CITY, handed_out
from citysim.evidence.trials.assignment import Assigned, assign
from citysim.evidence.trials.entries import BASELINE, PART, parse_trial
from citysim.evidence.trials.estimates import ESTIMATES, estimates_of
from citysim.evidence.trials.measures import MEASURES, Totals, Watch, events_between
from citysim.evidence.trials.schema import CONTROL, Trial
from citysim.evidence.trials.shared_runs import SharedRun
from citysim.evidence.trials.units import STREAM, Units, find_units, ring_labels
from citysim.kernels import events as ev
from citysim.kernels.random import address
from citysim.kernels.start import uniforms
from citysim.model.city_model import CityModel

UNITS = pa.schema([
    ("unit", pa.int32()), ("arm", pa.string()), ("stratum", pa.int32()), ("window", pa.int32()),
    ("period", pa.string()), ("scope", pa.string()), ("outcome", pa.string()),
    ("count", pa.float64()), ("asked", pa.float64()), ("hazard", pa.float64()),
    ("untreated_count", pa.float64()),
    ("untreated_hazard", pa.float64()), ("size", pa.float64()), ("days", pa.float64())])
"""Columns of the table ``units``. ``count`` is the outcome in the trial run (a count, a sum or a
mean over the unit's ``size`` rows), ``asked`` what the trial itself learns of it (a survey's mean),
``hazard`` its expectation where there is one (of people, for those who are ever treated);
``untreated`` is the same unit in the run without treatment. In the baseline both runs are one."""

SURVEY = 1 << 20  # of the purposes that trials draw for: one for each wave
CITY_SEED = 16  # one for each replication of a city
AGAIN = 1 << 24  # one for each further draw of lots


def simulate_trial(settings, scenario, seed: int, world) -> dict[str, pa.Table]:
    """Run one trial with one seed.

    Parameters
    ----------
    settings
        Of the study, with the entry in ``settings.trial["entry"]``.
    scenario
        The study's only scenario; its policies are those of the arms.
    seed
        Of the city's luck and of the lots.
    world
        City and population.

    Returns
    -------
    dict of pyarrow.Table
        ``units`` (:data:`UNITS`) and ``estimates`` (``estimates.ESTIMATES``), with the trial's own
        estimate for every draw of lots.
    """
    trial = parse_trial(settings[PART]["entry"])
    if trial.units.kind == WHOLE_CITY:
        lots = assign(trial, np.zeros(trial.units.number), seed)
        rows = []
        for city in range(trial.units.number):
            # Each replication of the city has luck of its own, also before the trial.
            own = int(address(seed, STREAM, CITY_SEED + city) >> np.uint64(2))
            rows += _replication(trial, settings, own, world, lots, city)
    else:
        rows = _replication(trial, settings, seed, world)
    columns = {name: pa.array([row[name] for row in rows], UNITS.field(name).type)
               for name in UNITS.names}
    table = pa.table(columns, schema=UNITS)
    estimates = estimates_of(trial, table)
    for draw in range(1, trial.assignment.draws):
        again = estimates_of(trial, _drawn_again(trial, table, seed, draw))
        estimates += [row | {"draw": draw} for row in again if row["basis"] == "trial"]
    return {"units": table, "estimates": pa.Table.from_pylist(estimates, schema=ESTIMATES)}


def _drawn_again(trial: Trial, units: pa.Table, seed: int, draw: int) -> pa.Table:
    """The table ``units`` with other lots: as nobody is treated, the run would be the same."""
    unit, names = units["unit"].to_numpy(), list(trial.arms)
    luck = int(address(seed, STREAM, AGAIN + draw) >> np.uint64(2))
    lots = assign(trial, np.zeros(unit.max() + 1), luck)
    arm = [was if u < 0 else names[lots.arm[u, 0]]
           for u, was in zip(unit, units["arm"].to_pylist(), strict=True)]
    return units.set_column(units.column_names.index("arm"), UNITS.field("arm"), pa.array(arm))


@dataclass(frozen=True)
class _Run:
    """What both runs of one replication came to, by period and outcome."""

    baseline: dict[str, Totals]
    trial: dict[str, dict[str, Totals]]
    untreated: dict[str, dict[str, Totals]]


def _replication(trial: Trial, settings, seed: int, world, lots: Assigned | None = None,
                 city: int = 0) -> list[dict]:
    """Rows of ``units`` from one warm-up, one trial run and one untreated run."""
    warm, shared = CityModel(settings, seed, (), world), SharedRun(trial, settings, seed)
    warm.collecting = False
    baseline = shared.begin(warm)
    first = trial.timing.warmup * warm.calendar.steps_per_day
    tables = {"places": warm.places, "people": warm.people}
    if lots is None:
        recorded = _recorded(warm, first)
        units = find_units(trial, tables, recorded, seed, warm.scale)
        lots = assign(trial, _score(trial, units, tables, recorded), seed)
        mine = np.arange(len(units))
    else:
        units, mine = Units("places", [np.arange(len(warm.places))]), np.array([city])
    control = np.full_like(lots.arm[mine], list(trial.arms).index(CONTROL))
    treated, untreated = (_branched(
        warm, settings, handed_out(trial, arms, units, settings.policies, tables), world, seed)
        for arms in (lots.arm[mine], control))
    people = None
    if units.table == "people":  # the effect is on the treated: nobody else need be expected of
        unit, ever = units.labels(len(warm.people)), (lots.arm != control).any(axis=1)
        people = np.flatnonzero((unit >= 0) & ever[unit])
    nobody = untreated is warm and people is None  # the control arm has no policy
    theirs = shared.untreated(warm, _periods(trial)) if nobody else \
        _watched(trial, untreated, people)
    ours = theirs if treated is untreated else _watched(trial, treated, people)
    done = _Run(baseline, ours, theirs)
    return _rows(trial, units, lots, mine, done, warm, seed)


def _watched(trial: Trial, model: CityModel, people: np.ndarray | None) \
        -> dict[str, dict[str, Totals]]:
    """Step a model through the periods of the trial; ``people`` are those ever treated."""
    return {name: Watch(model, trial.outcomes, people).run(days)
            for name, days in _periods(trial).items()}


def _branched(warm: CityModel, settings, policies: dict, world, seed: int) -> CityModel:
    """A model that goes on from the warm one with policies; without any, the warm one itself."""
    if not policies:
        return warm
    own = settings.carrying("policies", policies)
    model = CityModel(own, seed, tuple(policies), world)
    model.collecting = False
    model.take_over(warm.standing())
    return model


def _recorded(m, first: int) -> np.ndarray:
    """Crime recorded at each place since a step, of the offences that count in totals.

    Without a baseline the memory of the police stands in for it.
    """
    if m.step_index == first:
        return m.places.recorded.astype("f8")
    found = events_between(m, first)
    keep = (found[:, ev.RECORDED] == 1) & m.constants.offences.in_total[found[:, ev.OFFENCE]]
    return np.bincount(found[keep, ev.PLACE], minlength=len(m.places)).astype("f8")


def _score(trial: Trial, units: Units, tables, recorded: np.ndarray) -> np.ndarray:
    """What blocks and pairs are made by: baseline crime of the unit, or the mean of a column."""
    by = trial.assignment.by
    if by == BASELINE and units.table == "places":
        return units.sums(recorded)
    if by == BASELINE:  # people: as they were ranked
        return -np.arange(len(units), dtype="f8")
    sizes = np.array([len(rows) for rows in units.rows])
    return units.sums(tables[units.table][by].astype("f8")) / sizes


def _periods(trial: Trial) -> dict[str, int]:
    """Days of each period of the evaluation window, in order."""
    windows = trial.assignment.windows or 1
    found = {f"trial_{w}": trial.timing.days // windows for w in range(windows)}
    if trial.timing.follow_up:
        found["follow_up"] = trial.timing.follow_up
    return found


def _rows(trial: Trial, units: Units, lots: Assigned, mine: np.ndarray, done: _Run,
          m, seed: int) -> list[dict]:
    """One row per unit, scope, period and outcome."""
    names, found = list(trial.arms), []
    rings = ring_labels(m.places, units, trial.rings) if units.table == "places" else []
    periods = [("baseline", done.baseline, done.baseline)] if done.baseline else []
    periods += [(p, done.trial[p], done.untreated[p]) for p in done.trial]
    for wave, (period, ours, theirs) in enumerate(periods):
        window = int(period.removeprefix("trial_")) if period.startswith("trial_") else \
            lots.arm.shape[1] - 1 if period == "follow_up" else 0
        for outcome in trial.outcomes:
            scopes = _scopes(trial, units, rings, outcome, m)
            for scope, labels, n in scopes:
                sums = [_by_unit(t, labels, n, MEASURES[trial.outcomes[outcome].measure].form)
                        for t in (ours[outcome], theirs[outcome])]
                size = np.bincount(labels[labels >= 0], minlength=n)
                asked = sums[0][0]
                survey = trial.outcomes[outcome].survey
                if survey is not None:
                    some = respondents(labels, survey / (1 if scope == "city" else len(lots.arm)),
                                       address(seed, STREAM, SURVEY + wave))
                    asked = _by_unit(ours[outcome], some, n, "mean")[0]
                for u in range(n):
                    unit = int(mine[u]) if scope != "city" else -1
                    found.append({
                        "unit": unit, "window": window, "period": period, "scope": scope,
                        "arm": "all" if unit < 0 else names[lots.arm[unit, window]],
                        "stratum": 0 if unit < 0 else int(lots.stratum[unit]),
                        "outcome": outcome, "count": sums[0][0][u], "asked": asked[u],
                        "hazard": sums[0][1][u],
                        "untreated_count": sums[1][0][u], "untreated_hazard": sums[1][1][u],
                        "size": float(size[u]), "days": float(ours[outcome].days)})
    return found


def respondents(labels: np.ndarray, wanted: float, key: np.uint64) -> np.ndarray:
    """Labels of those who are asked: at most ``wanted`` of each unit, at least one; -1 others.

    Parameters
    ----------
    labels
        Unit of each person, -1 for none.
    wanted
        People to ask in each unit.
    key
        Address of the draw; each person's place in the order hangs on the person alone.
    """
    order = np.lexsort((uniforms(key, len(labels), 1)[:, 0], labels))
    sorted_labels = labels[order]
    first = np.searchsorted(sorted_labels, sorted_labels)  # where each one's unit begins
    kept = np.arange(len(labels)) - first < max(1, round(wanted))
    chosen = np.full_like(labels, -1)
    chosen[order[kept]] = sorted_labels[kept]
    return chosen


def _scopes(trial: Trial, units: Units, rings: list[np.ndarray], outcome: str,
            m) -> list[tuple[str, np.ndarray, int]]:
    """Units, rings and the whole city as (name, unit of each row of the measure, how many)."""
    table = MEASURES[trial.outcomes[outcome].measure].table
    whole = "people" if table == "people" else "places"
    if units.table == whole == "people":
        labels = [units.labels(len(m.people))]
    else:
        labels = [units.labels(len(m.places)), *rings]
        if whole == "people":  # by home
            labels = [here[m.home] for here in labels]
    size = len(m.home) if whole == "people" else len(m.places)
    named = zip(["units", *trial.ring_names], labels, strict=False)
    return [*((name, here, len(units)) for name, here in named),
            ("city", np.zeros(size, np.int64), 1)]


def _by_unit(totals: Totals, labels: np.ndarray, n: int, form: str) -> tuple:
    """Value and expectation of each unit; means over the unit's rows for states."""
    size = min(len(labels), len(totals.value))  # commuters and visitors live in no unit
    labels, value = labels[:size], totals.value[:size]
    there = labels >= 0
    at = labels[there]

    def added(values):
        return np.bincount(at, values[there], minlength=n)

    if form == "mean":
        with np.errstate(invalid="ignore", divide="ignore"):
            return added(value) / np.bincount(at, minlength=n), np.full(n, np.nan)
    expected = np.full(n, np.nan) if totals.expected is None else added(totals.expected[:size])
    return added(value), expected



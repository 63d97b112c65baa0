"""From the units of one seed to estimates: the trial's own, and the precise one."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from citysim.analysis.displacement import displacement_quotient
from citysim.evidence.trials.estimators import Effect, Panel, estimate
from citysim.evidence.trials.measures import MEASURES
from citysim.evidence.trials.schema import CONTROL, Trial

ESTIMATES = pa.schema([
    ("outcome", pa.string()), ("arm", pa.string()), ("scope", pa.string()),
    ("basis", pa.string()), ("percent", pa.float64()), ("low", pa.float64()),
    ("high", pa.float64()), ("change", pa.float64()), ("change_low", pa.float64()),
    ("change_high", pa.float64()), ("p", pa.float64()), ("treated", pa.float64()),
    ("untreated", pa.float64()), ("units", pa.int32()), ("draw", pa.int32())])
"""Columns of the table ``estimates``. ``basis``: ``trial`` is what the trial would report from its
own units; ``counts`` and ``hazards`` compare the treated units with themselves untreated, whose
sums are ``treated`` and ``untreated``; ``draw`` counts the draws of lots on one run, from 0;
``quotient`` is the weighted displacement quotient of the
trial's own counts, in ``change``."""

ALL_ARMS = "all"
SLOPE_ARM = "per_x"


def estimates_of(trial: Trial, units: pa.Table) -> list[dict]:
    """Rows of ``estimates`` from the table ``units`` of one seed."""
    data = {name: np.asarray(units[name].to_pylist() if units[name].type == pa.string()
                             else units[name].to_numpy()) for name in units.column_names}
    found: list[dict] = []
    for outcome in trial.outcomes:
        here = _rows(data, data["outcome"] == outcome)
        for scope in ("units", *trial.ring_names):
            rows = _rows(here, here["scope"] == scope)
            if not (rows["size"] > 0).any():
                continue  # rings in which there is no place, or nobody lives
            found += _own(trial, outcome, scope, rows)
            found += _paired(trial, outcome, scope, rows)
        city = _rows(here, here["scope"] == "city")
        found += _contrast(trial, outcome, "city", ALL_ARMS, _after(trial, outcome, city))
        found += _quotients(trial, outcome, here)
    return found


def panel_of(trial: Trial, outcome: str, rows: dict[str, np.ndarray]) -> Panel:
    """Units of one outcome and scope as the estimators want them."""
    mean = MEASURES[trial.outcomes[outcome].measure].form == "mean"
    names = list(trial.arms)
    keep = (rows["period"] == "baseline") | _in_period(trial, outcome, rows)
    keep &= rows["size"] > 0
    rows = _rows(rows, keep)
    doses = {n: a.x if a.x is not None else 0.0 for n, a in trial.arms.items()}
    arm = np.array([names.index(a) for a in rows["arm"]])
    order = [names.index(CONTROL), *(names.index(t) for t in trial.treatments)]
    place = np.argsort(order)
    return Panel(
        value=rows["asked"].astype("f8"), exposure=rows["days"], arm=place[arm],
        after=(rows["period"] != "baseline").astype(int), unit=rows["unit"].astype(int),
        stratum=rows["stratum"].astype(int), window=rows["window"].astype(int),
        x=np.array([doses[a] for a in rows["arm"]]), mean=mean)


def _own(trial: Trial, outcome: str, scope: str, rows) -> list[dict]:
    """What the trial itself would report."""
    panel = panel_of(trial, outcome, _joined(trial, outcome, rows))
    effects = estimate(panel, trial.estimator, trial.assignment.kind == "matched_pairs")
    arms = [SLOPE_ARM] if trial.estimator.kind == "slope" else trial.treatments
    return [_row(outcome, arms[max(0, e.arm - 1)], scope, "trial", e) for e in effects]


def _joined(trial: Trial, outcome: str, rows) -> dict[str, np.ndarray]:
    """Trial and follow-up as one period where an outcome covers both."""
    if trial.outcomes[outcome].period != "whole":
        return rows
    mean = MEASURES[trial.outcomes[outcome].measure].form == "mean"
    first, rest = (_rows(rows, rows["period"] == p) for p in ("trial_0", "follow_up"))
    days = first["days"] + rest["days"]
    joined = dict(first)
    for name in ("count", "asked", "hazard", "untreated_count", "untreated_hazard"):
        joined[name] = (first[name] * first["days"] + rest[name] * rest["days"]) / days if mean \
            else first[name] + rest[name]
    joined["days"] = days
    before = _rows(rows, rows["period"] == "baseline")
    return {name: np.concatenate([before[name], joined[name]]) for name in rows}


def _paired(trial: Trial, outcome: str, scope: str, rows) -> list[dict]:
    """The treated units against themselves untreated."""
    after = _after(trial, outcome, rows)
    found = [row for arm in trial.treatments
             for row in _contrast(trial, outcome, scope, arm, _rows(after, after["arm"] == arm))]
    if trial.estimator.kind == "slope":
        found += _per_x(trial, found)
    return found


def _per_x(trial: Trial, rows: list[dict]) -> list[dict]:
    """Change per unit of dose from the arms' precise effects: least squares through none."""
    found = []
    for basis in ("counts", "hazards"):
        mine = [r for r in rows if r["basis"] == basis and r["percent"] > -100]
        doses = np.array([trial.arms[r["arm"]].x for r in mine], "f8")
        if not np.any(doses):
            continue
        logs = np.log1p(np.array([r["percent"] for r in mine]) / 100)
        percent = 100 * math.expm1(float(doses @ logs / (doses @ doses)))
        row = _row(mine[0]["outcome"], SLOPE_ARM, mine[0]["scope"], basis,
                   Effect(0, percent, math.nan, math.nan, units=mine[0]["units"]))
        found.append({**row, "treated": 1 + percent / 100, "untreated": 1.0})
    return found


def _contrast(trial: Trial, outcome: str, scope: str, arm: str, rows) -> list[dict]:
    mean = MEASURES[trial.outcomes[outcome].measure].form == "mean"
    found = []
    for basis, column in (("counts", "count"), ("hazards", "hazard")):
        treated, untreated = rows[column], rows[f"untreated_{column}"]
        keep = rows["size"] > 0
        if not keep.any() or not np.isfinite(treated[keep]).all():
            continue
        if mean:
            weight = rows["size"] * rows["days"]
            sums = [float(np.sum(v[keep] * weight[keep]) / weight[keep].sum())
                    for v in (treated, untreated)]
        else:
            sums = [float(v[keep].sum()) for v in (treated, untreated)]
        percent = 100 * (sums[0] / sums[1] - 1) if sums[1] > 0 else math.nan
        change = sums[0] - sums[1]
        if not mean:  # per unit
            change /= len(np.unique(rows["unit"][keep]))
        effect = Effect(0, percent, math.nan, math.nan, change,
                        units=len(np.unique(rows["unit"][keep])))
        found.append({**_row(outcome, arm, scope, basis, effect),
                      "treated": sums[0], "untreated": sums[1]})
    return found


def _quotients(trial: Trial, outcome: str, rows) -> list[dict]:
    """Weighted displacement quotient of the trial's own counts, for every ring."""
    if MEASURES[trial.outcomes[outcome].measure].form == "mean" or not trial.timing.baseline:
        return []
    before, after = _rows(rows, rows["period"] == "baseline"), _after(trial, outcome, rows)

    def rates(scope, arm):
        return tuple(float(np.sum((p["count"] / p["days"])[(p["scope"] == scope)
                                                           & (p["arm"] == arm)]))
                     for p in (before, after))

    found = []
    for ring in trial.ring_names:
        for arm in trial.treatments:
            value = displacement_quotient(rates("units", arm), rates(ring, arm),
                                          rates("units", CONTROL))
            effect = Effect(0, math.nan, math.nan, math.nan, value)
            found.append(_row(outcome, arm, ring, "quotient", effect))
    return found


def _in_period(trial: Trial, outcome: str, rows) -> np.ndarray:
    period = trial.outcomes[outcome].period
    follow = rows["period"] == "follow_up"
    within = np.char.startswith(rows["period"].astype(str), "trial_")
    return {"trial": within, "follow_up": follow, "whole": within | follow}[period]


def _after(trial: Trial, outcome: str, rows):
    return _rows(rows, _in_period(trial, outcome, rows))


def _rows(data: dict[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[keep] for name, column in data.items()}


def _row(outcome: str, arm: str, scope: str, basis: str, e: Effect) -> dict:
    return {"outcome": outcome, "arm": arm, "scope": scope, "basis": basis, "percent": e.percent,
            "low": e.low, "high": e.high, "change": e.change, "change_low": e.change_low,
            "change_high": e.change_high, "p": e.p, "treated": math.nan, "untreated": math.nan,
            "units": e.units, "draw": 0}

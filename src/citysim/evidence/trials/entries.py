"""Reading the entries of ``configs/evidence/trials`` and refusing what cannot be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from citysim.config.complaints import explain
from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, read_yaml
from citysim.evidence.trials.measures import MEASURES
from citysim.evidence.trials.schema import (
    CONTROL,
    Arm,
    AssignmentKeys,
    EstimatorKeys,
    Outcome,
    Published,
    Quick,
    Timing,
    Trial,
    UnitKeys,
)
from citysim.policies.policy import DERIVED, Condition, Target, code_of, plain
from citysim.state.levers import TABLES

FOLDER = Path("evidence") / "trials"
PART = "trial"  # of settings: carries the entry to where it is run
BASELINE = "baseline"
_MODELS = {"units": UnitKeys, "assignment": AssignmentKeys, "timing": Timing, "arms": Arm,
           "outcomes": Outcome, "estimator": EstimatorKeys, "published": Published,
           "quick": Quick,
           "eligible": Target, "filter": Condition, "where": Condition}


def trial_files(config_path: str | Path | None = None) -> dict[str, Path]:
    """Files of all entries by id."""
    folder = find_config_dir(config_path) / FOLDER
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_trial(name: str, config_path: str | Path | None = None) -> Trial:
    """The entry called ``name``, or the one in the file of that path.

    Raises
    ------
    InputError
        If there is none, or it cannot be run; names file and key.
    """
    files = trial_files(config_path)
    path = Path(name) if name.endswith(".yaml") else files.get(name)
    if path is None:
        raise InputError(f"there is no trial '{name}'", where=str(FOLDER), allowed=sorted(files),
                         closest=closest_match(name, files))
    trial = parse_trial(read_yaml(path), str(path))
    if trial.id != path.stem:
        raise InputError(f"the entry is called '{trial.id}', its file '{path.stem}'",
                         where=f"{path}, id", allowed=path.stem)
    return trial


def load_trials(config_path: str | Path | None = None) -> dict[str, Trial]:
    """All entries by id."""
    return {name: load_trial(name, config_path) for name in trial_files(config_path)}


def parse_trial(content: Mapping[str, Any], where: str = "trial") -> Trial:
    """Check the content of one entry.

    Raises
    ------
    InputError
        For keys, values and combinations that make no trial.
    """
    try:
        trial = Trial.model_validate(plain(content))
    except ValidationError as error:
        raise explain(error, where, _known) from None
    _check_units(trial, where)
    _check_arms(trial, where)
    _check_outcomes(trial, where)
    _check_estimator(trial, where)
    _check_published(trial, where)
    return trial


def _check_units(trial: Trial, where: str) -> None:
    """Every column that eligibility or blocks name must be there to choose by."""
    table = "people" if trial.units.kind == "people" else "places"
    named = [("assignment.by", trial.assignment.by)] if trial.assignment.by != BASELINE else []
    if (eligible := trial.units.eligible) is not None:
        ranks = eligible.rank_by or ()
        named += [("units.eligible.rank_by", r) for r in ([ranks] if isinstance(ranks, str)
                                                          else ranks)]
        tests = [*eligible.filter, *(eligible.area.filter if eligible.area else ())]
        named += [("units.eligible.filter", c.column) for c in tests]
        _check_codes(tests, f"{where}, units.eligible.filter")
    _check_columns(named, table, where)
    for name, outcome in trial.outcomes.items():
        key = f"outcomes.{name}.where"
        _check_columns([(key, c.column) for c in outcome.where], "places", where)
        _check_codes(outcome.where, f"{where}, {key}")


def _check_columns(named: list[tuple[str, str]], table: str, where: str) -> None:
    known = [c.name for c in TABLES[table] if c.width == 1] + list(DERIVED[table])
    for key, column in named:
        if column not in known:
            raise InputError(f"table '{table}' has no column '{column}' to choose by",
                             where=f"{where}, {key}", allowed=known,
                             closest=closest_match(column, known))


def _check_codes(tests: Iterable[Condition], where: str) -> None:
    for test in tests:
        for value in (test.equals, *(test.within or ())):
            code_of(test.column, value, where)


def _check_arms(trial: Trial, where: str) -> None:
    if CONTROL not in trial.arms:
        raise InputError("no arm is called 'control'", where=f"{where}, arms",
                         allowed="one arm 'control', with or without policies")
    if len(trial.arms) > trial.units.number and trial.assignment.kind != "switch_back":
        raise InputError(f"{trial.units.number} units are too few for {len(trial.arms)} arms",
                         where=f"{where}, units.number", allowed=f"{len(trial.arms)} or more")
    for name in trial.assignment.shares or {}:
        if name not in trial.arms:
            raise InputError(f"there is no arm '{name}'", where=f"{where}, assignment.shares",
                             allowed=trial.arms, closest=closest_match(name, trial.arms))
    kind, assignment = trial.units.kind, trial.assignment
    if assignment.kind == "before_after":
        if len(trial.arms) != 2:
            raise InputError("before and after has one treated arm", where=f"{where}, arms")
        if assignment.treated >= trial.units.number:
            raise InputError("no unit is left as control", allowed=f"1 to {trial.units.number - 1}",
                             where=f"{where}, assignment.treated")
    if kind == "city" and assignment.kind not in ("simple", "switch_back"):
        raise InputError(f"whole cities cannot be assigned by {assignment.kind}",
                         where=f"{where}, assignment.kind", allowed="simple, switch_back")
    if assignment.windows and trial.timing.days % assignment.windows:
        raise InputError(f"{trial.timing.days} days are no {assignment.windows} equal windows",
                         where=f"{where}, timing.days",
                         allowed=f"a multiple of {assignment.windows}")


def _check_outcomes(trial: Trial, where: str) -> None:
    for name, outcome in trial.outcomes.items():
        place = f"{where}, outcomes.{name}"
        if outcome.measure not in MEASURES:
            raise InputError(f"there is no measure '{outcome.measure}'", where=f"{place}.measure",
                             allowed=MEASURES, closest=closest_match(outcome.measure, MEASURES))
        kind = MEASURES[outcome.measure]
        if trial.units.kind == "people" and kind.table == "places":
            raise InputError(f"'{outcome.measure}' is of places, the units are people",
                             where=f"{place}.measure",
                             allowed=[n for n, m in MEASURES.items() if m.table == "people"])
        if kind.form != "events" and (outcome.hours or outcome.weekdays):
            raise InputError(f"'{outcome.measure}' is not known by hour", where=f"{place}.hours",
                             allowed=[n for n, m in MEASURES.items() if m.form == "events"])
        if outcome.where and (kind.form == "mean" or kind.table != "places"):
            raise InputError(f"'{outcome.measure}' is not added up over places",
                             where=f"{place}.where",
                             allowed=[n for n, m in MEASURES.items()
                                      if m.table == "places" and m.form != "mean"])
        if outcome.survey is not None and (kind.table != "people" or kind.form != "mean"):
            raise InputError(f"'{outcome.measure}' is not asked of people", where=f"{place}.survey",
                             allowed=[n for n, m in MEASURES.items()
                                      if m.table == "people" and m.form == "mean"])
        if outcome.period != "trial" and not trial.timing.follow_up:
            raise InputError("the trial has no follow-up", where=f"{place}.period",
                             allowed="trial, or days in timing.follow_up")


def _check_estimator(trial: Trial, where: str) -> None:
    """An estimator must fit the design and every outcome."""
    kind, assigned = trial.estimator.kind, trial.assignment.kind
    place = f"{where}, estimator.kind"
    means = [n for n, o in trial.outcomes.items() if MEASURES[o.measure].form == "mean"]
    if kind == "slope":
        missing = [n for n, arm in trial.arms.items() if arm.x is None and n != CONTROL]
        if missing:
            raise InputError(f"a slope needs the dose x of arm '{missing[0]}'",
                             where=f"{where}, arms.{missing[0]}.x", allowed="a number")
        if assigned != "switch_back":
            raise InputError("a slope over a panel needs units whose dose changes", where=place,
                             allowed="assignment switch_back, or another estimator")
    elif assigned == "switch_back":
        raise InputError(f"{kind} does not fit units that switch", where=place, allowed="slope")
    if kind != "slope" and assigned == "before_after" and kind != "difference_in_differences":
        raise InputError(f"{kind} does not fit areas that were not drawn", where=place,
                         allowed="difference_in_differences")
    if not trial.timing.baseline and (kind == "difference_in_differences"
                                      or trial.estimator.adjust):
        raise InputError("there is no baseline to compare with", where=f"{where}, timing.baseline",
                         allowed="1 day or more")
    if trial.units.kind == "city" and kind == "difference_in_differences" \
            and assigned == "switch_back":
        raise InputError("whole cities that switch need a slope", where=place, allowed="slope")
    if kind == "rate_ratio" and means:
        raise InputError(f"outcome '{means[0]}' is no count: a rate ratio does not fit",
                         where=place, allowed="difference_in_differences, risk_difference")


def _check_published(trial: Trial, where: str) -> None:
    if trial.constants and all(figure.rule == "none" for figure in trial.published):
        raise InputError("nothing published that constants could change the verdict on",
                         where=f"{where}, constants",
                         allowed="a published figure that can be agreed with, or no constants")
    scopes = ["units", *trial.ring_names, "city"]
    for i, figure in enumerate(trial.published):
        place = f"{where}, published[{i}]"
        for key, value, known in (("outcome", figure.outcome, list(trial.outcomes)),
                                  ("arm", figure.arm, trial.treatments),
                                  ("scope", figure.scope, scopes)):
            if value not in known:
                raise InputError(f"unknown {key} '{value}'", where=f"{place}.{key}", allowed=known,
                                 closest=closest_match(value, known))


def _known(path: list[str]) -> list[str]:
    """Keys that are allowed at a place of an entry."""
    model: Any = Trial
    for part in path:
        model = _MODELS.get(part, model)
    return list(model.model_fields)

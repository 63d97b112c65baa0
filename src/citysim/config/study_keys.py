"""The keys of a study itself: how long, how often, from when, what is compared."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from citysim.config.errors import InputError, closest_match
from citysim.config.factors import (
    ALLOWED,
    DesignKeys,
    FactorKeys,
    ReplicateKeys,
    Strict,
    refuse_contradictions,
)

BASELINE = "no_action"
TOGETHER = "together"
AUTO, POINT = "auto", "point"
_MOST_SEEDS = 100_000  # a slip of the keyboard beyond it
# Scenarios are compared run by run: over the same days and seeds, in one folder.
_ONE_FOR_ALL = ("name", "question", "days", "seeds", "scenarios", "output_dir", "jobs",
                "executor", "time_limit_s", "threads", "levers", "uncertainties", "design",
                "futures", "replicates", "parameters")


class ScenarioKeys(Strict):
    """One scenario written out in a study file.

    Attributes
    ----------
    policies
        Names of policies in force; none for the baseline.
    set
        Parameters that differ in this scenario, by dotted path.
    """

    policies: list[str] = Field(default=[], description="policies in force")
    set: dict[str, Any] = Field(default={}, description="parameters by path")


class ExecutorKeys(Strict):
    """How runs are carried out."""

    kind: Literal["local", "serial", "ray"] = Field(
        default="local", description="local: worker processes; serial: one by one in this "
        "process; ray: tasks of Ray")
    address: Annotated[str, Field(
        min_length=1, description="of a Ray cluster: host:port or auto; null: Ray on this "
        "machine")] | None = None

    @model_validator(mode="after")
    def _address_of_a_cluster(self):
        if self.address is not None and self.kind != "ray":
            raise ValueError("an address goes with executor=ray")
        return self


class StudyKeys(Strict):
    """Study-level keys with their ranges; every field's description is its documentation."""

    name: str | None = Field(default=None, description="name of the study; null: its policies")
    question: str | None = Field(default=None, description="what is asked, for the report")
    days: Annotated[int, Field(ge=1, le=3660, description="days of the evaluation window")] = 84
    warmup_days: Annotated[int, Field(ge=0, le=3660, description="days run before it")] = 28
    start_date: str = Field(default="2024-03-04", description="first day of the window, ISO")
    step_hours: Literal[0.25, 0.5, 1.0] = Field(default=1.0, description="hours per step")
    scale: Annotated[float, Field(gt=0, le=1, description="simulated persons per real one")] = 1.0
    seeds: list[int] = Field(default=[], description="seeds: how many, or a list of them")
    threads: Annotated[int, Field(ge=1, le=256, description="threads of one run")] = 1
    budget: Annotated[float, Field(
        ge=0, description="EUR a scenario may spend over the window; null: no limit")] | None = None
    scenarios: dict[str, ScenarioKeys] | None = Field(
        default=None, description="name -> {policies, set}; null: nothing, each policy, all")
    levers: dict[str, FactorKeys] | None = Field(
        default=None, description="what a city can set: path -> values or range")
    uncertainties: dict[str, FactorKeys] | None = Field(
        default=None, description="what nobody controls: path -> values or range")
    design: DesignKeys | None = Field(
        default=None, description="how points are chosen; null: a grid over the levers")
    futures: DesignKeys | None = Field(
        default=None, description="a design of its own for the uncertainties")
    parameters: Annotated[str, Field(
        min_length=1, description="auto: each seed draws a point of the city's ensemble, where it "
        "has one; point: as configured; or an ensemble's name")] = AUTO
    replicates: ReplicateKeys | None = Field(
        default=None, description="seeds are added until contrasts are this narrow; null: none")
    output_dir: str | None = Field(default=None, description="folder; null: outputs/<name>")
    jobs: Annotated[int, Field(ge=1, le=1024, description="runs at a time; null: by cores")] \
        | None = None
    time_limit_s: Annotated[float, Field(
        gt=0, description="seconds after which a run counts as failed; null: none")] | None = None
    executor: ExecutorKeys = ExecutorKeys()

    @field_validator("step_hours", "scale", "budget", "time_limit_s", mode="before")
    @classmethod
    def _whole_as_float(cls, value):
        if isinstance(value, bool):  # 1.0 == True, which a list of choices would accept
            raise ValueError("expected a number")
        return float(value) if type(value) is int else value

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value):
        if type(value) is int and 1 <= value <= _MOST_SEEDS:
            return list(range(1, value + 1))
        good = isinstance(value, list | tuple) and value and all(
            type(s) is int and 0 <= s < 2**63 for s in value)
        if not good or len(set(value)) != len(value):
            raise ValueError("expected how many seeds, or a list of different ones")
        return list(value)

    @field_validator("start_date")
    @classmethod
    def _date(cls, value):
        return datetime.date.fromisoformat(value).isoformat()

    @field_validator("name")
    @classmethod
    def _name(cls, value):
        if value is not None and not _names_a_folder(value):
            raise ValueError("expected a name that can be a folder's name")
        return value

    @field_validator("output_dir")
    @classmethod
    def _folder(cls, value):
        if value is not None and not value.strip():
            raise ValueError("expected the path of a folder")
        return value

    @field_validator("levers", "uncertainties")
    @classmethod
    def _something_varies(cls, value):
        if value == {}:
            raise ValueError("nothing varies")
        return value

    @field_validator("scenarios")
    @classmethod
    def _scenario_names(cls, value):
        for name, keys in (value or {}).items():
            if not name.strip():
                raise ValueError("a scenario needs a name")
            for path in keys.set:
                if path in _ONE_FOR_ALL:
                    raise ValueError(f"scenario '{name}' cannot have {path} of its own")
        return value


def _names_a_folder(name: str) -> bool:
    return bool(name.strip(" .")) and not set(name) & set("/\\\0")


STUDY_KEYS = tuple(StudyKeys.model_fields)
_WORDS = re.compile(r"'([^']+)'")
_ALLOWED = {
    "days": "a whole number from 1 to 3660 [days]",
    "warmup_days": "a whole number from 0 to 3660 [days]",
    "start_date": "a date such as 2024-03-04",
    "step_hours": "0.25, 0.5 or 1 [h]",
    "scale": "above 0, at most 1 [share]",
    "seeds": (f"a whole number of 1 or more (to {_MOST_SEEDS:,}), "
              f"or a list of different whole numbers"),
    "threads": "a whole number from 1 to 256",
    "budget": "0 or more [EUR], or null",
    "jobs": "a whole number from 1 to 1024, or null",
    "time_limit_s": "above 0 [s], or null",
    "executor": "kind: local, serial or ray, with ray an address: host:port, auto or null",
    "name": "words without / or \\, or null",
    "output_dir": "the path of a folder, or null",
    "parameters": "auto, point, or the name or path of an ensemble",
    "scenarios": "name: {policies: [names], set: {path: value}}",
    **ALLOWED,
}
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_BELOW = {"scenarios": ScenarioKeys, "executor": ExecutorKeys, "levers": FactorKeys,
          "uncertainties": FactorKeys, "design": DesignKeys, "futures": DesignKeys,
          "replicates": ReplicateKeys}


def check_study_keys(given: dict[str, Any], where: str = "") -> dict[str, Any]:
    """The study's keys as plain values, missing ones by default; a misspelt one is told first.

    Raises
    ------
    InputError
        Naming key, allowed values and, for an unknown key, the closest known one.
    """
    try:
        keys = StudyKeys(**given)
    except ValidationError as error:
        found = error.errors()
        first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
        raise _refusal(first, where) from None
    checked = keys.model_dump()
    try:
        refuse_contradictions(checked, _ONE_FOR_ALL)
    except InputError as error:
        raise InputError(error.message, where=f"{where}, key {error.where}" if where
                         else error.where, allowed=error.allowed,
                         closest=error.closest) from None
    return checked


def _refusal(found: dict, where: str) -> InputError:
    loc = [str(part) for part in found["loc"]]
    path = ".".join(part for part in loc if part not in ("float", "int", "list[int]"))
    place = f"{where}, key {path}" if where else path
    if found["type"] == "extra_forbidden":
        known = STUDY_KEYS if len(loc) == 1 else tuple(_BELOW[loc[0]].model_fields)
        return InputError(f"unknown key '{loc[-1]}'", where=place, allowed=known,
                          closest=closest_match(loc[-1], known))
    near = None
    if found["type"] == "literal_error" and isinstance(found["input"], str):
        near = closest_match(found["input"], _WORDS.findall(found["ctx"]["expected"]))
    message = f"{found['input']!r} is not accepted"
    if found["type"] in _BOUNDS:
        message += ": " + found["msg"].replace("Input should be ", "it should be ")
    elif found["type"] == "value_error":
        message += ": " + found["msg"].removeprefix("Value error, ")
    return InputError(message, where=place, allowed=_ALLOWED.get(loc[0]), closest=near)

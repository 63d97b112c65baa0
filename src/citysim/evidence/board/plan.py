"""What a board of some depth runs, and what it is held to, from ``configs/evidence/board``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, read_yaml, shipped_config_dir
from citysim.evidence.trials.entries import trial_files
from citysim.evidence.trials.schema import Trial

FOLDER = ("evidence", "board")
DEPTHS = ("quick", "full")
GATE, SWEEP = "gate", "sweep"

Seeds = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Strict(BaseModel):
    """Keys that are not declared are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Year(Strict):
    """City and number of seeds of the year without policy."""

    city: str
    seeds: Seeds


class Depth(Strict):
    """What a board runs.

    ``quickened`` cuts trials down to what their entry allows for a quick look; ``seeds`` names
    trials with a number of seeds of their own, all others have ``seeds_share`` of their entry's,
    at least ``least_seeds``. ``minutes`` is what it may take on two cores.
    """

    year: Year
    quickened: bool
    seeds_share: Share = 1.0
    least_seeds: Seeds = 2
    seeds: dict[str, Seeds] = {}
    minutes: Annotated[float, Field(gt=0)] | None = None

    def cut(self, trial: Trial) -> Trial:
        """A trial as this board runs it."""
        share = round(trial.seeds * self.seeds_share)
        seeds = self.seeds.get(trial.id, max(share, min(self.least_seeds, trial.seeds)))
        short = trial.quickened() if self.quickened else trial
        return short.model_copy(update={"seeds": seeds})


class SweepPlan(Strict):
    """How trials are run when their constants are taken through their ranges."""

    quickened: bool
    seeds: Seeds

    def cut(self, trial: Trial) -> Trial:
        """A trial as the sweep runs it."""
        short = trial.quickened() if self.quickened else trial
        return short.model_copy(update={"seeds": self.seeds})


class Honesty(Strict):
    """An entry of the gate's honesty checks."""

    trial: str
    seeds: Seeds
    least: Share | None = None


class Number(Strict):
    """A number with unit and source."""

    value: float
    unit: str
    source: str


class Gate(Strict):
    """What the gate runs and lets pass."""

    year: Year
    factor: Number
    facts: Annotated[list[str], Field(min_length=1)]
    coverage: Honesty
    nothing: Honesty
    something: Honesty


class Reasons(Strict):
    """Known reasons for misses, by id of a fact (or ``id: part``) or trial."""

    facts: dict[str, str] = {}
    trials: dict[str, str] = {}

    def of_fact(self, fact: str, part: str) -> str:
        """Reason for a part of a fact; that of the whole fact if it has none of its own."""
        return self.facts.get(f"{fact}: {part}") or self.facts.get(fact, "")


def load_depth(name: str, config_path: str | Path | None = None) -> Depth:
    """The board called ``quick`` or ``full``.

    Raises
    ------
    InputError
        For another name, a file that is not right, or seeds for trials that do not exist.
    """
    if name not in DEPTHS:
        raise InputError(f"unknown depth '{name}'", where="depth", allowed=(*DEPTHS, GATE),
                         closest=closest_match(name, (*DEPTHS, GATE)))
    content, where = _content(name, config_path)
    depth = _checked(Depth, content, where)
    _trials_exist(depth.seeds, f"{where}: seeds", config_path)
    return depth


def load_sweep(config_path: str | Path | None = None) -> SweepPlan:
    """What the sweep of the constants runs."""
    return _checked(SweepPlan, *_content(SWEEP, config_path))


def load_gate(config_path: str | Path | None = None) -> Gate:
    """What the gate checks."""
    content, where = _content(GATE, config_path)
    gate = _checked(Gate, content, where)
    _trials_exist([c.trial for c in (gate.coverage, gate.nothing, gate.something)], where,
                  config_path)
    return gate


def load_reasons(config_path: str | Path | None = None) -> Reasons:
    """Reasons that were known before."""
    return _checked(Reasons, *_content("reasons", config_path))


def load_aims(config_path: str | Path | None = None) -> dict[str, float]:
    """What the board is asked to reach, by name."""
    content, where = _content("aims", config_path)
    return {name: _checked(Number, entry, f"{where}: {name}").value
            for name, entry in content.items()}


def _content(name: str, config_path: str | Path | None) -> tuple[dict[str, Any], str]:
    folder = find_config_dir(config_path)
    path = folder.joinpath(*FOLDER, f"{name}.yaml")
    if not path.is_file():
        path = shipped_config_dir().joinpath(*FOLDER, f"{name}.yaml")
    return read_yaml(path), str(path)


def _checked(model, content: Any, where: str):
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = error.errors()  # a misspelt key before the one that is missing for it
        first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = list(model.model_fields)
            raise InputError(f"there is no key '{key}'", where=where, allowed=known,
                             closest=closest_match(key, known)) from None
        raise InputError(first["msg"], where=f"{where}: {key}") from None


def _trials_exist(names, where: str, config_path) -> None:
    files = trial_files(config_path)
    for name in names:
        if name not in files:
            raise InputError(f"there is no trial '{name}'", where=where, allowed=sorted(files),
                             closest=closest_match(name, files))

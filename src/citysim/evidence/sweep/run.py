"""Running trials at the ends of the ranges of their constants, each a study that can be resumed.

One constant at a time, then all at once: at the ends that make the main figure lowest, and at
those that make it highest. Constants that work against each other or only together could reach
farther still; that is not looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from citysim.config.errors import InputError
from citysim.evidence.board.plan import load_sweep
from citysim.evidence.board.run import OUTPUTS, Watch, chosen, judged, silent
from citysim.evidence.trials.constants import HIGH, LOW, Constant, constants_of
from citysim.evidence.trials.entries import load_trials
from citysim.evidence.trials.pool import FACTOR
from citysim.evidence.trials.run import check_entries, run_trial, settings_of
from citysim.evidence.trials.schema import Trial
from citysim.study.design import code_hash

if TYPE_CHECKING:
    import pandas as pd

CONFIGURED, LEAST, MOST = "as configured", "lowest", "highest"
ALL = "all"
ALWAYS, SOMEWHERE, NOWHERE, UNSAID = "always", "somewhere", "nowhere", "unsaid"
_SHORT = {LEAST: min, MOST: max}


@dataclass
class Sweep:
    """What came out.

    Attributes
    ----------
    trials
        The entries as they were run.
    constants
        Their constants, by id of the trial.
    figures
        Verdicts (``trials/pool.py``, with ``main`` and ``note``) of every setting: ``constant`` is
        a constant's name or ``all``; ``end`` is ``low``, ``high``, of all ``lowest`` or
        ``highest``, and ``as configured``.
    problems
        What did not run, in words.
    code, date
        Hash of the source; day and time (UTC).
    """

    trials: dict[str, Trial]
    constants: dict[str, list[Constant]]
    figures: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    code: str = ""
    date: str = ""


def run_sweep(overrides: Sequence[str] = (), output_dir: str | Path = OUTPUTS,
              config_path: str | Path | None = None, watch: Watch | None = None,
              only: Iterable[str] = ()) -> Sweep:
    """Run what is missing of a sweep.

    Parameters
    ----------
    overrides
        Further words for every study (``executor=ray``, ``jobs=1``, a parameter).
    output_dir
        Folder of boards; studies go below ``<output_dir>/sweep``.
    config_path
        Folder of configuration files.
    watch
        Shows progress.
    only
        Trials to run; by default all that name constants.

    Raises
    ------
    InputError
        On bad settings, or a chosen trial without constants.
    """
    import datetime

    import pandas as pd

    plan, watch, only = load_sweep(config_path), watch or silent, list(only)
    trials = chosen(load_trials(config_path), only)
    bare = [name for name, trial in trials.items() if not trial.constants]
    if only and bare:
        raise InputError(f"trial '{bare[0]}' names no constants", where="--trial",
                         allowed="an entry with the key constants")
    trials = {name: plan.cut(trial) for name, trial in trials.items() if trial.constants}
    check_entries(trials.values(), overrides, config_path)
    constants = {name: constants_of(trial, settings_of(trial, overrides, config_path), name)
                 for name, trial in trials.items()}
    sweep = Sweep(trials, constants, pd.DataFrame(), code=code_hash(),
                  date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"))
    folder, parts = Path(output_dir) / "sweep", []
    for name, trial in trials.items():
        runner = _Runner(trial, constants[name], overrides, folder / name, config_path, watch)
        parts += runner.run()
        sweep.problems += runner.problems
    if parts:
        sweep.figures = pd.concat(parts, ignore_index=True)
    return sweep


class _Runner:
    """All settings of one trial."""

    def __init__(self, trial, constants, overrides, folder, config_path, watch):
        self.trial, self.constants, self.folder = trial, constants, folder
        self.overrides, self.config_path, self.watch = overrides, config_path, watch
        self.problems: list[str] = []

    def run(self) -> list[pd.DataFrame]:
        """Verdicts of every setting that ran."""
        parts = [self._setting(ALL, CONFIGURED, {})]
        for constant in self.constants:
            parts += [self._setting(constant.name, end, constant.at(end)) for end in (LOW, HIGH)]
        parts = [part for part in parts if part is not None]
        if len(self.constants) > 1 and parts:
            for end in (LEAST, MOST):
                found = self._setting(ALL, end, self._together(parts, end))
                parts += [] if found is None else [found]
        return parts

    def _together(self, parts: list[pd.DataFrame], wanted: str) -> dict[str, float]:
        """Every constant where the main figure was lowest or highest, the configured included."""
        found = {(p["constant"].iat[0], p["end"].iat[0]): _main(p) for p in parts}
        values: dict[str, float] = {}
        for constant in self.constants:
            ends = {end: value for end in (LOW, HIGH, CONFIGURED)
                    if math.isfinite(value := found.get(
                        (ALL if end == CONFIGURED else constant.name, end), math.nan))}
            best = _SHORT[wanted](ends, key=lambda end, ends=ends: ends[end], default=CONFIGURED)
            values |= constant.at(best)
        return values

    def _setting(self, constant: str, end: str, values: dict[str, float]) -> pd.DataFrame | None:
        trial = self.trial.model_copy(update={"set": {**self.trial.set, **values}})
        name = f"{constant}_{end}".replace("*", "all").replace(" ", "_")
        words = [f"seeds={trial.seeds}", *self.overrides, f"output_dir={self.folder / name}"]
        try:
            with self.watch(f"{trial.label}: {constant}, {end}") as told:
                result = run_trial(trial, words, self.config_path, told)
        except InputError as error:  # one trial that cannot run must not hide the others
            place = f" (in {error.where})" if error.where else ""
            self.problems.append(f"{trial.id}: {constant}, {end}: {error.message}{place}")
            return None
        if len(result.failed):
            self.problems.append(f"{trial.id}: {constant}, {end}: {len(result.failed)} of "
                                 f"{result.total} seeds failed")
        if result.summary is None or not len(result.summary):
            self.problems.append(f"{trial.id}: {constant}, {end}: no effect came out")
            return None
        return judged(trial, result.summary).assign(constant=constant, end=end)


def _main(part: pd.DataFrame) -> float:
    return float(part.loc[part["main"].astype(bool), "simulated"].iat[0])


def reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest precise effect of one figure over all settings."""
    return float(rows["simulated"].min()), float(rows["simulated"].max())


def standing(rows: pd.DataFrame) -> str:
    """How the verdict on one figure hangs on the constants.

    Parameters
    ----------
    rows
        Verdicts on the figure, one of each setting.

    Returns
    -------
    str
        ``always``: every setting agrees. ``somewhere``: one does, or the published effect lies
        between two that do not, so that constants in between would. ``nowhere``: neither.
        ``unsaid``: there is no verdict at all.
    """
    told = [bool(v) for v in rows["agrees"] if v is not None and v == v]
    if not told:
        return UNSAID
    if all(told):
        return ALWAYS
    return SOMEWHERE if any(told) or _between(rows) else NOWHERE


def _between(rows: pd.DataFrame) -> bool:
    """Whether what would agree lies between the ends, though no setting is there."""
    low, high = reach(rows)
    first = rows.iloc[0]
    if first["rule"] == "overlap":
        wanted = (first["published_low"], first["published_high"])
    elif first["rule"] == "sign_and_factor":
        wanted = sorted((first["published"] / FACTOR, first["published"] * FACTOR))
    else:
        return False
    return low <= wanted[1] and high >= wanted[0]

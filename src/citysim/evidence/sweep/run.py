"""Running trials at the ends of the ranges of their constants, each trial a study or two.

One constant at a time, then all at once: where each makes the main figure lowest, and where each
makes it highest. Constants that matter only together could reach farther still; that is not
looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from citysim.config.errors import InputError
from citysim.evidence.board.plan import load_sweep
from citysim.evidence.board.run import OUTPUTS, Watch, chosen, judged, parameter_hash, silent
from citysim.evidence.sweep.standing import inside
from citysim.evidence.trials.constants import HIGH, LOW, Constant, constants_of
from citysim.evidence.trials.entries import PART, load_trials, parse_trial
from citysim.evidence.trials.pool import pooled
from citysim.evidence.trials.run import PROGRAM, compose_cities, for_trial, kept_world
from citysim.evidence.trials.schema import Trial
from citysim.study.design import code_hash
from citysim.study.local import kept_workers
from citysim.study.run import run_study
from citysim.study.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from citysim.config.settings import Settings

CONFIGURED, LEAST, MOST = "as configured", "lowest", "highest"
ALL = "all"
_SWEPT = replace(PROGRAM, summarise=f"{__name__}:summarise")


@dataclass(frozen=True)
class Setting:
    """One way to run a trial: ``constant`` (or ``all``) at ``end``, and parameters by path."""

    constant: str
    end: str
    values: dict[str, float]

    @property
    def name(self) -> str:
        """Of the scenario that runs it."""
        return f"{self.constant} {self.end}"


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
        Verdicts (``trials/pool.py``, with ``main`` and ``note``) of every setting that gave any:
        ``constant`` is a constant's name or ``all``; ``end`` is ``low`` or ``high``, of all
        ``as configured``, ``lowest`` or ``highest``; ``inside`` says whether the middle of the
        precise effect agrees, of a null whether a single trial would find nothing.
    problems
        What did not run, in words.
    quickened
        Whether trials were cut short as on the quick board.
    overrides
        Words that every study was given.
    code, parameters, date
        Hashes of the source and of the parameters as configured; day and time (UTC).
    """

    trials: dict[str, Trial]
    constants: dict[str, list[Constant]]
    figures: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    quickened: bool = True
    overrides: tuple[str, ...] = ()
    code: str = ""
    parameters: str = ""
    date: str = ""

    def planned(self, trial: str) -> int:
        """How many settings of a trial there should be."""
        n = len(self.constants[trial])
        return 1 + 2 * n + 2 * (n > 1)


@kept_workers()
@kept_world()
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
        On bad settings, or if no chosen trial names constants.
    """
    import datetime

    import pandas as pd

    plan, watch, only = load_sweep(config_path), watch or silent, list(only)
    trials = chosen(load_trials(config_path), only)
    bare = [name for name, trial in trials.items() if not trial.constants]
    if (only and bare) or len(bare) == len(trials):
        raise InputError(f"trial '{bare[0]}' names no constants" if only else
                         "no trial names constants", where="--trial" if only else "",
                         allowed="entries with the key constants")
    trials = {name: plan.cut(trial) for name, trial in trials.items() if trial.constants}
    composed = compose_cities(trials.values(), overrides, config_path)
    constants = {name: constants_of(trial, for_trial(composed[trial.city], trial), name)
                 for name, trial in trials.items()}
    sweep = Sweep(trials, constants, pd.DataFrame(), quickened=plan.quickened,
                  overrides=tuple(overrides), code=code_hash(),
                  parameters=parameter_hash(*composed.values()),
                  date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"))
    parts = []
    for name in trials:
        folder = Path(output_dir) / "sweep" / name
        apart = _apart(constants[name])
        parts.append(_run(sweep, name, apart, folder / "one_at_a_time", composed, watch))
        if len(constants[name]) > 1 and len(parts[-1]):
            together = _together(constants[name], parts[-1])
            parts.append(_run(sweep, name, together, folder / "all_at_once", composed, watch))
    if any(len(part) for part in parts):
        sweep.figures = pd.concat([part for part in parts if len(part)], ignore_index=True)
    again = compose_cities(trials.values(), overrides, config_path).values()
    if (code_hash.__wrapped__(), parameter_hash(*again)) != (sweep.code, sweep.parameters):
        sweep.problems.append("sweep: code or configuration changed while it ran; run it again")
    return sweep


def summarise(folder: Path) -> pd.DataFrame:
    """Pooled effects of every setting that has run, with the column ``scenario``."""
    import pandas as pd

    store = Store(folder)
    trial = parse_trial(store.manifest["config"][PART]["entry"])
    estimates = store.read("estimates")
    return pd.concat([pooled(trial, rows).assign(scenario=name)
                      for name, rows in estimates.groupby("scenario", sort=False, observed=True)],
                     ignore_index=True)


def _apart(constants: list[Constant]) -> list[Setting]:
    return [Setting(ALL, CONFIGURED, {}), *(Setting(c.name, end, c.at(end)) for c in constants
                                            for end in (LOW, HIGH))]


def _together(constants: list[Constant], rows: pd.DataFrame) -> list[Setting]:
    """Every constant where the main figure came out lowest, and highest; configured if as good."""
    main = rows[rows["main"].astype(bool)]
    found = {(r.constant, r.end): float(r.simulated) for r in main.itertuples()
             if math.isfinite(r.simulated)}
    settings = []
    for name, best in ((LEAST, min), (MOST, max)):
        values: dict[str, float] = {}
        for constant in constants:
            ends = {end: found[key] for end in (CONFIGURED, LOW, HIGH)
                    if (key := (ALL if end == CONFIGURED else constant.name, end)) in found}
            values |= constant.at(best(ends, key=ends.__getitem__, default=CONFIGURED))
        settings.append(Setting(ALL, name, values))
    return settings


def _run(sweep: Sweep, name: str, settings: list[Setting], folder: Path,
         composed: dict[str, Settings], watch: Watch) -> pd.DataFrame:
    """Verdicts of some settings of one trial, run as the scenarios of one study."""
    import pandas as pd

    trial, problems = sweep.trials[name], sweep.problems
    study = for_trial(composed[trial.city], trial, {s.name: s.values for s in settings},
                      output_dir=str(folder))
    try:
        with watch(f"{trial.label}: {folder.name.replace('_', ' ')}") as told:
            result = run_study(study, told, _SWEPT)
    except InputError as error:  # one trial that cannot run must not hide the others
        place = f" (in {error.where})" if error.where else ""
        problems.append(f"{name}: {error.message}{place}")
        return pd.DataFrame()
    if failed := len(result.failed):
        problems.append(f"{name}: {failed} of {result.total} runs failed")
    if result.summary is None or not len(result.summary):
        problems.append(f"{name}: no effect came out")
        return pd.DataFrame()
    parts = []
    for setting in settings:
        rows = result.summary[result.summary["scenario"] == setting.name]
        if len(rows):
            parts.append(judged(trial, rows.drop(columns="scenario")).assign(
                constant=setting.constant, end=setting.end))
    table = pd.concat(parts, ignore_index=True)
    table["inside"] = [inside(row) for row in table.to_dict("records")]
    return table

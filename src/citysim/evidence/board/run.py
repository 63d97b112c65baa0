"""Running a board: a year without policy and every trial, each a study that can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.settings import Settings, stable_hash
from citysim.evidence.board.plan import Depth, Reasons, load_aims, load_depth, load_reasons
from citysim.evidence.city_year import run_year, year_settings
from citysim.evidence.facts import load_facts
from citysim.evidence.trials.entries import load_trials
from citysim.evidence.trials.pool import verdicts
from citysim.evidence.trials.run import compose_cities, for_trial, kept_world, run_trial
from citysim.evidence.trials.schema import Trial
from citysim.evidence.trials.shared_runs import family, in_common
from citysim.evidence.verdicts import evaluate
from citysim.study.design import code_hash
from citysim.study.local import kept_workers

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = Path("outputs") / "evidence"
_PARAMETERS = ("model", "offences", "population", "city", "scale")

Watch = Callable[[str], AbstractContextManager[Callable]]
"""Given the name of what is run next, gives what is told of its progress."""


@dataclass
class Board:
    """What came out, and what it came from.

    Attributes
    ----------
    depth, plan
        Name of the board and what it asked for.
    facts
        Frame of :func:`citysim.evidence.verdicts.evaluate`, with the column ``reason``.
    figures
        One row per published figure of a trial (``trials/pool.py``), with the columns ``main``
        (the first figure of its trial that can be judged), ``note`` and ``reason``.
    effects
        Pooled effects of all trials, with the column ``trial``.
    trials
        The entries as they were run.
    aims, reasons
        What the board is held to; reasons known beforehand.
    problems
        What did not run, in words.
    seconds, fresh
        Time taken; whether everything was run now and nothing kept from an earlier start.
    code, parameters
        Hash of the source and of the parameters, ensemble included.
    """

    depth: str
    plan: Depth
    facts: pd.DataFrame
    figures: pd.DataFrame
    effects: pd.DataFrame
    trials: dict[str, Trial]
    aims: dict[str, float]
    reasons: Reasons
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    fresh: bool = True
    code: str = ""
    parameters: str = ""
    calibrated: bool = False
    date: str = ""


@kept_workers()
@kept_world()
def run_board(depth: str = "quick", overrides: Sequence[str] = (),
              output_dir: str | Path = OUTPUTS, config_path: str | Path | None = None,
              watch: Watch | None = None, only: Iterable[str] = ()) -> Board:
    """Run what is missing of a board and hold it against what was published.

    Parameters
    ----------
    depth
        ``quick`` or ``full``.
    overrides
        Further words for every study (``executor=ray``, ``jobs=1``, a parameter).
    output_dir
        Folder of boards; studies go below ``<output_dir>/<depth>``.
    config_path
        Folder of configuration files.
    watch
        Shows progress.
    only
        Trials to run; all by default. The aims then stand on these alone.

    Raises
    ------
    InputError
        On bad settings; whatever goes wrong in single trials is a problem of the board.
    """
    import datetime

    began, watch = time.monotonic(), watch or silent
    plan, folder = load_depth(depth, config_path), Path(output_dir) / depth
    facts, reasons, fresh = load_facts(config_path), load_reasons(config_path), not folder.exists()
    trials = {name: plan.cut(t) for name, t in chosen(load_trials(config_path), only).items()}
    composed = compose_cities(trials.values(), overrides, config_path)
    words = [f"city={plan.year.city}", f"seeds={plan.year.seeds}", *overrides,
             f"output_dir={folder / f'year_{plan.year.city}'}"]
    settings, others = year_settings(words, config_path), _other_cities(plan, trials)
    with watch(f"a year of {plan.year.city}") as told:
        data = run_year(settings, told)
    board = Board(depth, plan, evaluate(facts, data), *_no_trials(), trials,
                  load_aims(config_path), reasons, code=code_hash(),
                  parameters=parameter_hash(settings, *(composed[city] for city in others)),
                  fresh=fresh,
                  calibrated=ensemble_of(settings) is not None,
                  date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"))
    if len(data) < len(settings.seeds):
        board.problems.append(f"{len(settings.seeds) - len(data)} of {len(settings.seeds)} years "
                              "failed")
    board.facts["reason"] = [reasons.of_fact(r.fact, r.part) for r in board.facts.itertuples()]
    _run_trials(board, folder / "trials", composed, watch)
    # Hashed anew: the function keeps what it found first.
    again = [words, *([f"city={city}", *overrides] for city in others)]
    now = code_hash.__wrapped__(), parameter_hash(*(year_settings(w, config_path) for w in again))
    if now != (board.code, board.parameters):
        board.problems.append("board: code or configuration changed while it ran; run it again")
    board.seconds = time.monotonic() - began
    return board


def _other_cities(plan: Depth, trials: dict[str, Trial]) -> list[str]:
    """Cities of trials beside that of the year."""
    return sorted({trial.city for trial in trials.values()} - {plan.year.city})


def parameter_hash(*cities: Settings) -> str:
    """Hash of all that describes cities, people and mechanisms, with the ensembles drawn from."""
    found = []
    for settings in cities:
        content, ensemble = settings.content(), ensemble_of(settings)
        drawn = None if ensemble is None else [list(ensemble.paths),
                                               list(map(list, ensemble.points))]
        found.append([{name: content.get(name) for name in _PARAMETERS}, drawn])
    return stable_hash(found)


def _run_trials(board: Board, folder: Path, composed: dict[str, Settings],
                watch: Watch) -> None:
    import pandas as pd

    figures, effects = {}, {}
    for members in _families(board.trials):
        with in_common(folder, list(members.values())):
            for name, trial in members.items():
                summary = _run_one(board, trial, composed[trial.city], folder / name, watch)
                if summary is not None:
                    effects[name] = summary.assign(trial=name)
                    figures[name] = judged(trial, summary).assign(
                        reason=board.reasons.trials.get(trial.id, ""))
    if figures:
        there = [name for name in board.trials if name in figures]
        board.effects = pd.concat([effects[name] for name in there], ignore_index=True)
        board.figures = pd.concat([figures[name] for name in there if len(figures[name])],
                                  ignore_index=True)


def _families(trials: dict[str, Trial]) -> Iterator[dict[str, Trial]]:
    """Trials by what they share: those of one world one behind the other, and its families."""
    def order(item: tuple[str, Trial]) -> tuple:
        return item[1].city, item[1].set.get("scale", 1.0), repr(family(item[1]))

    for _, members in groupby(sorted(trials.items(), key=order), order):
        yield dict(members)


def _run_one(board: Board, trial: Trial, city: Settings, folder: Path,
             watch: Watch) -> pd.DataFrame | None:
    """Pooled effects of one trial; what goes wrong with it must not hide the others."""
    try:
        study = for_trial(city, trial, output_dir=str(folder))
        with watch(trial.label) as told:
            result = run_trial(study, told)
    except InputError as error:
        place = f" (in {error.where})" if error.where else ""
        board.problems.append(f"{trial.id}: {error.message}{place}")
        return None
    failed = len(result.failed)
    if failed:
        board.problems.append(f"{trial.id}: {failed} of {result.total} seeds failed")
    if result.summary is None or not len(result.summary):
        board.problems.append(f"{trial.id}: no effect came out")
        return None
    return result.summary


def judged(trial: Trial, summary: pd.DataFrame) -> pd.DataFrame:
    """Verdicts with the main figure marked: the first in its entry that has a rule to agree by."""
    table = verdicts(trial, summary)
    if not len(table):
        return table
    ruled = [i for i, figure in enumerate(trial.published) if figure.rule != "none"]
    main = ruled[0] if ruled else 0
    table["main"] = [i == main for i in range(len(table))]
    table["note"] = [figure.note for figure in trial.published]
    table["direction"] = [figure.direction or "" for figure in trial.published]
    return table


def chosen(trials: dict[str, Trial], only: Iterable[str]) -> dict[str, Trial]:
    """The trials that are wanted, all if none is named; refuses names that there are not."""
    from citysim.config.errors import closest_match

    wanted = list(only) or list(trials)
    for name in wanted:
        if name not in trials:
            raise InputError(f"there is no trial '{name}'", where="--trial",
                             allowed=sorted(trials), closest=closest_match(name, trials))
    return {name: trials[name] for name in wanted}


def _no_trials() -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    return (pd.DataFrame(columns=["trial", "status", "agrees", "main"]),
            pd.DataFrame(columns=["trial", "outcome", "arm", "scope", "seeds"]))


def silent(name: str):
    """Watches without a word."""
    from contextlib import nullcontext

    return nullcontext(lambda news: None)

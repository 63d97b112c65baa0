"""Runs that trials of one city have in common, made once for all of them.

All luck is addressed (``kernels/random.py``), so that two trials of the same city, parameters, seed
and calendar are one run up to the end of the baseline. After it the city that nobody treats is the
same one, too, for as long as both follow it. While a board runs such trials one behind the other,
the first to get there leaves its run on disk for the others; what comes out is the same to the
last bit.
"""

from __future__ import annotations

import json
import pickle
import shutil
import uuid
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citysim.config.settings import stable_hash
from citysim.evidence.trials.arms import WHOLE_CITY
from citysim.evidence.trials.entries import PART
from citysim.evidence.trials.measures import Totals, Watch
from citysim.evidence.trials.schema import Outcome, Trial
from citysim.model.city_model import CityModel
from citysim.study.design import data_files
from citysim.study.whole import replacing, write_text

FOLDER = ".in_common"  # beside the folders of the trials; no entry can have that name
_WANTED = "wanted.json"
_OF_ONE_TRIAL = ("policies", "budget", "days", PART)  # change nothing while nobody is treated


def family(trial: Trial) -> Hashable | None:
    """What trials must agree in to have runs in common; ``None`` for one that has none.

    Trials of people follow those who are treated, and replications of whole cities have luck of
    their own.
    """
    if trial.units.kind in ("people", WHOLE_CITY):
        return None
    timing = trial.timing
    return (trial.city, json.dumps(trial.set, sort_keys=True), timing.start_date, timing.warmup,
            timing.baseline)


@contextmanager
def in_common(folder: Path, trials: Sequence[Trial]) -> Iterator[None]:
    """Within it, trials of one family whose results go below ``folder`` share their runs.

    Nothing is kept afterwards: a state is as large as the city, and results do not need it.
    """
    place = Path(folder).expanduser().absolute() / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    if len(trials) > 1 and family(trials[0]) is not None:
        with suppress(OSError):  # then nothing is shared
            place.mkdir(parents=True)
            _Wanted.by(trials).write(place)
    try:
        yield
    finally:
        shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class _Wanted:
    """What the trials of a family need of each other's runs.

    Attributes
    ----------
    round
        Drawn anew for every family that is run, so that nothing older is taken for its own.
    seeds
        How many seeds at least two of the trials have.
    outcomes
        All of theirs, by a name that follows from the content.
    """

    round: str
    seeds: int
    outcomes: dict[str, Outcome]

    @classmethod
    def by(cls, trials: Sequence[Trial]) -> _Wanted:
        seeds = sorted(trial.seeds for trial in trials)[-2]
        return cls(uuid.uuid4().hex, seeds,
                   {_name(o): o for trial in trials for o in trial.outcomes.values()})

    def write(self, place: Path) -> None:
        text = json.dumps({"round": self.round, "seeds": self.seeds, "outcomes": {
            name: o.model_dump(mode="json") for name, o in self.outcomes.items()}})
        write_text(place / _WANTED, text)

    @classmethod
    def read(cls, place: Path) -> _Wanted | None:
        try:
            found = json.loads((place / _WANTED).read_text(encoding="utf-8"))
        except OSError:
            return None
        return cls(found["round"], found["seeds"], {
            name: Outcome.model_validate(o) for name, o in found["outcomes"].items()})


class SharedRun:
    """The run of one seed as far as a trial may have it in common with others.

    Parameters
    ----------
    trial
        The entry.
    settings
        Of the run. What others left is looked for beside its ``output_dir``; where nothing is to
        be shared, everything is run here.
    seed
        Of the city's luck.
    """

    def __init__(self, trial: Trial, settings: Any, seed: int):
        self.trial = trial
        self.outcomes: Mapping[str, Outcome] = trial.outcomes
        self.names = {name: name for name in trial.outcomes}
        self.files: Path | None = None  # how their paths begin; None where nothing is shared
        place = Path(settings.output_dir).expanduser().absolute().parent / FOLDER
        wanted = _Wanted.read(place)
        names = {name: _name(outcome) for name, outcome in trial.outcomes.items()}
        if wanted is None or family(trial) is None or seed not in settings.seeds[:wanted.seeds] \
                or not wanted.outcomes.keys() >= set(names.values()):
            return
        content = {k: v for k, v in settings.content().items() if k not in _OF_ONE_TRIAL}
        self.outcomes, self.names = wanted.outcomes, names
        self.files = place / stable_hash([wanted.round, content, family(trial), seed,
                                          data_files(settings.city)])

    def begin(self, model: CityModel) -> dict[str, Totals]:
        """Bring a fresh model to the end of the baseline; totals of that, if there is one."""
        timing = self.trial.timing
        found = self._read("baseline")
        if found is None:
            model.run_days(timing.warmup)
            totals = Watch(model, self.outcomes).run(timing.baseline) if timing.baseline else {}
            self._write("baseline", (model.standing(), totals))
        else:
            standing, totals = found
            model.take_over(standing)
        return self._of_trial(totals)

    def untreated(self, model: CityModel, periods: Mapping[str, int]) -> dict[str, dict]:
        """Totals by period and outcome of the city that nobody treats.

        Parameters
        ----------
        model
            As it stands at the end of the baseline; steps on only if no other trial has been here.
        periods
            Days of each period, in order.
        """
        name = stable_hash(list(periods.items()))
        found = self._read(name)
        if found is None:
            found = {period: Watch(model, self.outcomes).run(days)
                     for period, days in periods.items()}
            self._write(name, found)
        return {period: self._of_trial(totals) for period, totals in found.items()}

    def _of_trial(self, totals: Mapping[str, Totals]) -> dict[str, Totals]:
        return {name: totals[shared] for name, shared in self.names.items()} if totals else {}

    def _read(self, name: str) -> Any:
        """What another trial has left, or ``None``: then it is run here."""
        if self.files is None:
            return None
        try:
            return pickle.loads(self._path(name).read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None

    def _write(self, name: str, content: Any) -> None:
        if self.files is not None:
            # A full disk costs the others time, not this run its results.
            with suppress(OSError), replacing(self._path(name)) as file:
                pickle.dump(content, file, pickle.HIGHEST_PROTOCOL)

    def _path(self, name: str) -> Path:
        return self.files.with_name(f"{self.files.name}-{name}")


def _name(outcome: Outcome) -> str:
    return stable_hash(outcome.model_dump(mode="json"))

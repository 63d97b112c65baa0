"""What trials of one city have in common, run once for all of them.

All luck is addressed (``kernels/random.py``), so that up to the end of the baseline two trials of
the same city, parameters, seed and calendar are one run, and so is the city in which nobody is
treated after it. While a board runs such trials one behind the other, the first to get there leaves
that run on disk for the others; what comes out is the same to the last bit.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from citysim.config.settings import stable_hash
from citysim.evidence.trials.arms import WHOLE_CITY
from citysim.evidence.trials.measures import Totals, Watch
from citysim.evidence.trials.schema import Outcome, Trial
from citysim.model.city_model import CityModel

PART = "trial"  # of the settings, which carries the entry to where it is run
FOLDER = "in_common"  # beside the folders of the trials
_WANTED = "outcomes.json"
_OWN = ("policies", "budget", "days", PART)  # of a trial, without effect where nobody is treated


def family(trial: Trial) -> Hashable | None:
    """What trials must agree in to have runs in common; ``None`` for one that has none.

    Expectations of people are of those treated, and replications of whole cities have luck of
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
    place = Path(folder) / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    if len(trials) > 1 and family(trials[0]) is not None:
        place.mkdir(parents=True)
        wanted = {_name(o): o.model_dump(mode="json") for t in trials for o in t.outcomes.values()}
        (place / _WANTED).write_text(json.dumps(wanted), encoding="utf-8")
    try:
        yield
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Common:
    """The run of one seed as far as the trial has it in common with others.

    Parameters
    ----------
    trial
        The entry.
    settings
        Of the run. What others left is looked for beside its ``output_dir``; if nothing is there
        to be shared, everything is run here.
    seed
        Of the city's luck.
    """

    def __init__(self, trial: Trial, settings: Any, seed: int):
        self.trial = trial
        self.names = {name: _name(outcome) for name, outcome in trial.outcomes.items()}
        self.outcomes = {self.names[name]: o for name, o in trial.outcomes.items()}
        self.place: Path | None = None
        wanted = _wanted(Path(settings.output_dir).parent / FOLDER)
        if family(trial) is not None and set(self.outcomes) <= set(wanted):
            content = {k: v for k, v in settings.content().items() if k not in _OWN}
            self.outcomes = wanted
            self.place = Path(settings.output_dir).parent / FOLDER / stable_hash([content, seed])

    def begin(self, model: CityModel) -> dict[str, Totals]:
        """Bring a fresh model to the end of the baseline; totals of that, if there is one."""
        timing = self.trial.timing
        found = self._left("baseline")
        if found is None:
            model.run_days(timing.warmup)
            totals = Watch(model, self.outcomes).run(timing.baseline) if timing.baseline else {}
            self._leave("baseline", (model.standing(), totals))
        else:
            standing, totals = found
            model.take_over(standing)
        return self._own(totals)

    def untreated(self, model: CityModel, periods: Mapping[str, int],
                  people: np.ndarray | None) -> dict[str, dict[str, Totals]]:
        """Totals by period of the city that nobody treats.

        Parameters
        ----------
        model
            As it stands at the end of the baseline; steps on only if no other trial has been here.
        periods
            Days of each period.
        people
            As for :class:`citysim.evidence.trials.measures.Watch`.
        """
        name = "-".join(f"{period}_{days}" for period, days in periods.items())
        totals = self._left(name)
        if totals is None:
            totals = {period: Watch(model, self.outcomes, people).run(days)
                      for period, days in periods.items()}
            self._leave(name, totals)
        return {period: self._own(found) for period, found in totals.items()}

    def _own(self, totals: Mapping[str, Totals]) -> dict[str, Totals]:
        return {name: totals[key] for name, key in self.names.items()} if totals else {}

    def _left(self, name: str) -> Any:
        """What another trial has left, or ``None``."""
        if self.place is not None:
            with suppress(FileNotFoundError):
                return pickle.loads(self._file(name).read_bytes())
        return None

    def _leave(self, name: str, content: Any) -> None:
        """Write as a whole or not at all; a full disk costs time later, not this run."""
        if self.place is None:
            return
        part = self._file(f"{name}.{os.getpid()}")
        with suppress(OSError):
            part.write_bytes(pickle.dumps(content, pickle.HIGHEST_PROTOCOL))
            part.replace(self._file(name))

    def _file(self, name: str) -> Path:
        return self.place.with_name(f"{self.place.name}-{name}")


def _name(outcome: Outcome) -> str:
    return stable_hash(outcome.model_dump(mode="json"))


def _wanted(place: Path) -> dict[str, Outcome]:
    """Outcomes of all trials that share, by name; empty where nothing is shared."""
    try:
        content = json.loads((place / _WANTED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: Outcome.model_validate(entry) for name, entry in content.items()}

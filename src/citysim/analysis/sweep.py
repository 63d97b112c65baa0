"""All analyses that a study's design allows, as frames and as CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from citysim.analysis.cases import Cases
from citysim.analysis.discovery import Failing, available, discover, no_gain
from citysim.analysis.measures import CRIME, SAFETY, first_present
from citysim.analysis.points import Points, read_points
from citysim.analysis.robustness import pareto, robustness
from citysim.analysis.sensitivity import Sensitivity, sensitivity
from citysim.results import Results

FOLDER = "analysis"
_NO_PACKAGE = ("where options fail was not searched for: that needs the package ema_workbench "
               "(pip install 'citysim[discovery]')")


@dataclass(frozen=True)
class Sweep:
    """What a design told; frames are empty where it allows no such analysis.

    Parameters
    ----------
    points
        The design, or None.
    outcomes
        Outcomes that were analysed.
    sensitivity, robustness, pareto, discovery
        Frames of the modules of these names; ``discovery`` is None where it was not asked for.
    notes
        In words, what was left out and why.
    """

    points: Points | None = None
    outcomes: list[str] = field(default_factory=list)
    sensitivity: Sensitivity | None = None
    robustness: pd.DataFrame = field(default_factory=pd.DataFrame)
    pareto: pd.DataFrame = field(default_factory=pd.DataFrame)
    discovery: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Every frame with rows, by the name of its file."""
        found = {"sensitivity": self.sensitivity.table if self.sensitivity else pd.DataFrame(),
                 "robustness": self.robustness, "pareto": self.pareto,
                 "discovery": self.discovery}
        return {name: frame for name, frame in found.items() if frame is not None and len(frame)}


def analyse(study: Results, outcomes: Sequence[str] = (), rules: Sequence[Failing] = (),
            deep: bool = False) -> Sweep:
    """Sensitivity, robustness, Pareto set and, when asked, scenario discovery.

    Parameters
    ----------
    study
        The opened study.
    outcomes
        Outcome ids; by default the headline outcomes.
    rules
        When an option fails; by default where it brings no gain, in crime and in perceived
        safety or in the outcomes asked for.
    deep
        Whether to search for where options fail (some seconds an option).

    Raises
    ------
    InputError
        If the study lacks an outcome, or ``rules`` are given and ema_workbench is missing.
    """
    if not len(study.done):
        return Sweep()
    cases, points = Cases(study), read_points(study)
    wanted = cases.known(outcomes)
    cases.known([rule.outcome for rule in rules])
    influence = sensitivity(points, cases, wanted) if points else None
    notes = list(influence.notes) if influence else []
    found = None
    if points and (deep or rules):
        if rules or available():
            found = discover(points, cases, list(rules) or _default_rules(cases, outcomes))
        else:
            notes.append(_NO_PACKAGE)
    return Sweep(points, wanted, influence, robustness(cases, wanted, list(rules)),
                 pareto(cases), found, notes)


def write(sweep: Sweep, summary: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the frames to ``analysis/*.csv`` in a study's folder; older ones go.

    ``contrasts.csv`` holds the rows of ``summary`` that are adjusted as one family, the surest
    difference first.
    """
    family = summary[summary["p_holm"].notna()].sort_values(["p_holm", "p_value"], kind="stable")
    frames = {"contrasts": family, **sweep.frames}
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    for name in ("contrasts", "sensitivity", "robustness", "pareto", "discovery"):
        (place / f"{name}.csv").unlink(missing_ok=True)
    paths = []
    for name, frame in frames.items():
        if len(frame):
            paths.append(place / f"{name}.csv")
            frame.to_csv(paths[-1], index=False)
    return paths


def _default_rules(cases: Cases, outcomes: Sequence[str]) -> list[Failing]:
    wanted = list(outcomes) or [first_present(CRIME, cases.names), SAFETY]
    rules = [no_gain(o) for o in wanted if o in cases.names]
    return [r for r in rules if r is not None]

"""One wave: a study in which every seed runs a point of its own, and what it says of the targets.

A wave is an ordinary study over an ensemble that is written down first, so it runs on every
executor, goes on where it stopped, and its folder can be read like any other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.evidence.calibration.plan import Plan, Target
from citysim.study.program import Program

if TYPE_CHECKING:
    import pandas as pd

    from citysim.evidence.crimes import CityData

_HERE = "citysim.evidence.calibration.waves"
PROGRAM = Program(summarise=f"{_HERE}:summarise", write_report=f"{_HERE}:write_table")
POINTS = "points.yaml"


@dataclass(frozen=True)
class Wave:
    """Runs of one wave that ended well, in the order of seeds.

    Attributes
    ----------
    seeds
        Of the runs.
    shares
        Their points as shares of the ranges (n, d).
    expected
        Expectation of each target up to its constant, NaN where it has none (n, t).
    measured
        What the measure said, NaN where it is not measurable (n, t).
    data
        The runs themselves.
    """

    seeds: np.ndarray
    shares: np.ndarray
    expected: np.ndarray
    measured: np.ndarray
    data: tuple[CityData, ...]

    def where(self, chosen: np.ndarray) -> Wave:
        """Only the runs of a mask."""
        return Wave(self.seeds[chosen], self.shares[chosen], self.expected[chosen],
                    self.measured[chosen],
                    tuple(run for run, keep in zip(self.data, chosen, strict=False) if keep))


def run_wave(settings: Settings, plan: Plan, shares: np.ndarray, folder: Path, first_seed: int,
             progress: Callable | None = None) -> Wave:
    """Run points, each with a seed of its own, and read them.

    Parameters
    ----------
    settings
        Of the city.
    plan
        What moves and what is looked at.
    shares
        Points as shares of the ranges (n, d).
    folder
        Of the wave.
    first_seed
        Of the first point; the others follow.
    progress
        Called with news of the study.

    Raises
    ------
    InputError
        On settings that cannot be run.
    """
    from citysim.evidence.city_year import open_year
    from citysim.study.run import run_study

    seeds = [first_seed + i for i in range(len(shares))]
    points = plan.values(shares)
    file = folder / POINTS
    # Seed s gets point (s - 1) modulo their number: the rows are turned to make the first fit.
    turned = np.roll(points, (first_seed - 1) % len(points), axis=0)
    _write(file, settings, plan, turned)
    study = settings.replace({"parameters": str(file), "seeds": seeds, "days": plan.days,
                              "warmup_days": plan.warmup_days, "output_dir": str(folder / "runs"),
                              "name": f"calibrate {folder.parent.name} {folder.name}"})
    result = run_study(study, progress, PROGRAM)
    if not len(result.runs) or len(result.failed) == len(result.runs):
        raise InputError("no run ended well", where=str(result.folder),
                         allowed="citysim status tells what failed")
    return read_wave(plan, study, open_year(result.folder, settings=study), shares, first_seed)


def read_wave(plan: Plan, settings: Settings, data: Sequence[CityData], shares: np.ndarray,
              first_seed: int) -> Wave:
    """What runs say of the targets.

    Parameters
    ----------
    plan, settings
        As for :func:`run_wave`.
    data
        One entry per run that ended well.
    shares, first_seed
        Points of all seeds from the first on.
    """
    data = sorted(data, key=lambda run: run.seed)
    seeds = np.array([run.seed for run in data])
    own = shares[seeds - first_seed]
    names = [prior.path for prior in plan.priors]
    at = [settings.replace(dict(zip(names, row, strict=True))) for row in plan.values(own).tolist()]
    expected = np.array([[_expected(target, run, own_settings) for target in plan.targets]
                         for run, own_settings in zip(data, at, strict=True)])
    measured = np.array([[_measured(target, run) for target in plan.targets] for run in data])
    return Wave(seeds, own, expected, measured, tuple(data))


def joined(waves: Sequence[Wave]) -> Wave:
    """Several waves as one."""
    return Wave(*(np.concatenate([getattr(w, name) for w in waves])
                  for name in ("seeds", "shares", "expected", "measured")),
                tuple(run for wave in waves for run in wave.data))


def values_of(wave: Wave) -> np.ndarray:
    """Value of each target in each run (n, t): expectation times its constant, or the measure.

    The constant is the measure's sum over the expectation's, over all runs.
    """
    values = wave.measured.copy()
    for t in range(values.shape[1]):
        told = np.isfinite(wave.expected[:, t]) & np.isfinite(wave.measured[:, t])
        if told.any():
            constant = wave.measured[told, t].sum() / wave.expected[told, t].sum()
            values[:, t] = constant * wave.expected[:, t]
    return values


def _expected(target: Target, run: CityData, settings: Settings) -> float:
    """Product of a run's outcomes and parameters, NaN for a target without expectation."""
    if not target.expected:
        return float("nan")
    table = run.outcomes[run.outcomes["group"] == "all"].set_index("outcome")["value"]
    return float(np.prod([settings.get_path(name) if name.split(".")[0] in settings
                          else table.get(name, np.nan) for name in target.expected]))


def _measured(target: Target, run: CityData) -> float:
    value = target.fact.read(target.part, run).value
    return float("nan") if value is None else float(value)


def _write(file: Path, settings: Settings, plan: Plan, points: np.ndarray) -> None:
    content: dict[str, Any] = {
        "city": Path(settings.files.get("city", "")).stem,
        "paths": [prior.path for prior in plan.priors],
        "points": [[float(f"{v:.6g}") for v in row] for row in points]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100),
                    encoding="utf-8")


# --- what the study machinery calls

def summarise(folder: Path) -> pd.DataFrame:
    """Outcomes of the whole city, one row per run."""
    from citysim.study.store import Store

    table = Store(folder).read("outcomes")
    return table[table["group"] == "all"].pivot_table(index="seed", columns="outcome",
                                                      values="value").reset_index()


def write_table(folder: Path, world: Any) -> Path:
    """A page of the same; the calibration's own result is the ensemble."""
    import pandas as pd

    path = Path(folder) / "report.html"
    path.write_text(pd.read_csv(Path(folder) / "summary.csv").to_html(index=False),
                    encoding="utf-8")
    return path

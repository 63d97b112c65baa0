"""Calibrating a city's levels: waves of runs that close in on the published figures.

First wave: Latin hypercube over the priors (McKay et al. 1979). An emulator is fitted to all runs
so far; the next wave is drawn where it thinks the targets are met. The ensemble is drawn from
what approximate Bayesian computation leaves of the priors (Beaumont et al. 2002), the emulator
standing in for runs. Then every point of it is run, with luck of its own. Points where the
emulator proves wrong, by more than the luck of a run explains, are rejected; the runs of the
others alone say how well each target is met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.evidence.calibration.emulator import (
    correlations,
    excess,
    fit,
    straightened,
    undetermined,
    walk,
)
from citysim.evidence.calibration.plan import CALIBRATE, Plan
from citysim.evidence.calibration.waves import Wave, joined, run_wave, values_of
from citysim.study.local import kept_workers

if TYPE_CHECKING:
    import pandas as pd

CLOUD = 4000  # points of the emulator's cloud, from which it is said what stays open
LUCK = 3.0  # of the emulator's error for a run: farther outside a target, a point is rejected
AGAIN = 5000  # added to seeds for the runs that verify
_FIGURES = 5


@dataclass
class Fit:
    """What a calibration came to.

    Attributes
    ----------
    plan
        What was asked.
    points
        The ensemble: values of the parameters, a row each.
    runs
        How many were made, those that verify included.
    rejected
        Points that the emulator had proposed and their runs refuted, or whose runs failed.
    met_alone
        Share of the ensemble's runs that met every target one by one, whatever their luck.
    table
        One row per published level: see :func:`targets_table`.
    directions, pairs
        What the targets leave open, and which parameters they tie together.
    error
        Of the emulator for a run it has not seen, by target; straightened scale.
    dropped
        Targets that no run could tell, with the reason.
    """

    plan: Plan
    points: np.ndarray
    runs: int
    rejected: int
    met_alone: float
    table: pd.DataFrame
    directions: list[dict] = field(default_factory=list)
    pairs: list[dict] = field(default_factory=list)
    error: dict[str, float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


@kept_workers()
def calibrate(settings: Settings, plan: Plan, folder: Path,
              progress: Callable | None = None, tell: Callable[[str], None] = lambda text: None
              ) -> Fit:
    """Find points at which a city shows the published levels.

    Parameters
    ----------
    settings
        Of the city, without policies; scale, executor and jobs as the runs shall have them.
    plan
        See :func:`citysim.evidence.calibration.plan.read_plan`.
    folder
        Where the waves go; an earlier start goes on there.
    progress
        Called with news of each wave's study.
    tell
        Called with a line after each wave.

    Raises
    ------
    InputError
        On settings that cannot be run, or when no target can be measured.
    """
    from scipy.stats import qmc

    if settings.policies or settings.scenarios:
        raise InputError("a calibration has no policies", where="policy", allowed="policy=[]")
    d, seed = len(plan.priors), plan.first_seed
    shares = qmc.LatinHypercube(d=d, rng=seed).random(plan.runs)
    waves: list[Wave] = []
    for number in range(1, plan.waves + 1):
        waves.append(run_wave(settings, plan, shares, folder / f"wave_{number}",
                              seed + (number - 1) * plan.runs, progress))
        found = joined(waves)
        told = _told(found)
        values, (low, high) = _straight(plan, values_of(found), told), _ends(plan, told)
        emulator = fit(found.shares, values, plan.logs)
        tell(f"wave {number}: {_met(values[-len(waves[-1].seeds):], low, high)}")
        n = plan.runs if number < plan.waves else CLOUD
        shares = walk(emulator, low, high, d, n, seed + number)
    chosen = np.random.default_rng(seed).choice(len(shares), plan.points, replace=False)
    check = run_wave(settings, plan, shares[chosen], folder / "check", seed + AGAIN, progress)
    ends = _straight(plan, _on_scale(found, check), told)
    good = stands(ends, low, high, emulator.error)
    if not good.any():
        raise InputError("no point of the ensemble stood its verifying run",
                         where=str(folder / "check"), allowed="more runs or more waves")
    verified, alone = check.where(good), excess(ends[good], low, high) <= 0
    names = [prior.path for prior in plan.priors]
    return Fit(plan, plan.values(verified.shares), len(found.seeds) + len(check.seeds),
               plan.points - len(verified.seeds), float(alone.mean()),
               targets_table(plan, verified), undetermined(shares, names),
               correlations(shares, names),
               {plan.targets[t].name: float(e) for t, e in zip(told, emulator.error, strict=True)},
               tuple(t.name for i, t in enumerate(plan.targets) if i not in told))


def stands(values: np.ndarray, low: np.ndarray, high: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Which runs (n, t) lie no farther outside any target than luck explains; all straightened."""
    outside = np.maximum(low - values, values - high)
    return (outside <= LUCK * error).all(axis=1)


def _met(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """How a wave stands, in words."""
    mean = values.mean(axis=0)
    return (f"the means of {((mean >= low) & (mean <= high)).sum()} of {len(low)} targets are met, "
            f"in single runs {((values >= low) & (values <= high)).mean():.0%} of all")


def _on_scale(found: Wave, check: Wave) -> np.ndarray:
    """Values of the last runs, their expectations scaled as in the waves before."""
    return values_of(joined([found, check]))[len(found.seeds):]


def _told(wave: Wave) -> np.ndarray:
    """Targets that every run can tell."""
    values = values_of(wave)
    told = np.flatnonzero(np.isfinite(values).all(axis=0))
    if not len(told):
        raise InputError("no target can be measured in these runs", where="citysim calibrate",
                         allowed="a larger scale or more days")
    return told


def _straight(plan: Plan, values: np.ndarray, told: np.ndarray) -> np.ndarray:
    return np.column_stack([straightened(values[:, t], plan.targets[t].share) for t in told])


def _ends(plan: Plan, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array([straightened([getattr(plan.targets[t], end)], plan.targets[t].share)[0]
                           for t in told]) for end in ("low", "high"))


def targets_table(plan: Plan, wave: Wave) -> pd.DataFrame:
    """How every level to calibrate on stands in some runs.

    Returns
    -------
    pandas.DataFrame
        ``target``, ``published``, ``fitted``, ``mean, low, high`` (over runs, 90 % interval of the
        mean), ``verdict`` and ``off`` as on the board, ``met`` (inside), ``note`` (why it is not
        fitted, or not measurable), ``expected`` (the mean with less luck, where there is one).
    """
    from citysim.evidence.verdicts import INSIDE, NOT_MEASURABLE, evaluate

    fitted = {(t.fact.id, t.part.label): i for i, t in enumerate(plan.targets)}
    values = values_of(wave)
    table = evaluate(plan.others, wave.data)
    table = table[table["use"] == CALIBRATE]
    found = table[[]].copy()
    found["target"] = [f"{r.fact}: {r.part}" if r.part else r.fact for r in table.itertuples()]
    found["published"] = table["target"]
    found["fitted"] = [(r.fact, r.part) in fitted for r in table.itertuples()]
    for name in ("mean", "low", "high", "verdict", "off"):
        found[name] = table[name]
    found["met"] = table["verdict"] == INSIDE
    found["note"] = [_note(plan, r, NOT_MEASURABLE, fitted) for r in table.itertuples()]
    found["expected"] = [float(np.mean(values[:, fitted[r.fact, r.part]]))
                         if (r.fact, r.part) in fitted else np.nan for r in table.itertuples()]
    return found.reset_index(drop=True)


def _note(plan: Plan, row, not_measurable: str, fitted) -> str:
    if row.verdict == not_measurable:
        return f"not measurable: {row.note}"
    return "" if (row.fact, row.part) in fitted else plan.left_out.get(row.fact, "not fitted")


def rounded(value: float) -> float:
    """A number with as many figures as a file needs."""
    return float(f"{value:.{_FIGURES}g}")


def unmet(fit: Fit) -> list[str]:
    """Fitted targets that the last runs did not meet."""
    table = fit.table
    return table.loc[table["fitted"] & ~table["met"], "target"].tolist()

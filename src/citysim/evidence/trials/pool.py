"""Many seeds of one trial together, and whether they agree with what was published."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from citysim.evidence.trials.schema import Published, Trial
from citysim.evidence.trials.spillover import moved

if TYPE_CHECKING:
    import pandas as pd

FACTOR = 2.0  # sign right and within this factor: agreement where no interval is published
ROW = ("outcome", "arm", "scope")
CHANGE = ("change", "change_low", "change_high")


def pooled(trial: Trial, estimates: pd.DataFrame) -> pd.DataFrame:
    """One row per outcome, arm and scope.

    Returns
    -------
    DataFrame
        ``trial_percent`` is the middle of the single trials' estimates and ``trial_low``,
        ``trial_high`` the ends that a single trial reports on average, ``significant`` the share
        of single trials whose interval leaves zero out (``significant_se``: its standard error,
        over seeds). ``counts`` and ``hazards`` (with ``_low``, ``_high``) are the precise effect
        in per cent of all seeds together at the entry's level;
        ``change`` is the precise change per unit or of the mean, with its interval, of hazards
        where there are any, else of counts.
        ``quotient`` is the median weighted displacement quotient of the trials,
        ``moved`` the change in the ring per offence prevented among the treated.
        ``saving`` is how many times more runs independent seeds would take for the same
        interval.
    """
    import pandas as pd

    level, rows = trial.estimator.level, []
    for key, group in estimates.groupby(list(ROW), sort=False):
        row = dict(zip(ROW, key, strict=True)) | {"seeds": int(group["seed"].nunique())}
        for basis, part in group.groupby("basis", sort=False):
            if basis == "trial":
                row |= _single(part)
            elif basis == "quotient":
                row["quotient"] = float(part["change"].median())
            else:
                precise = _precise(basis, part, level)
                if basis == "counts":  # gives way to what hazards say of the change per unit
                    precise |= {name: row[name] for name in CHANGE if name in row}
                row |= precise
        rows.append(row)
    table = pd.DataFrame(rows)
    table["moved"] = [_moved(trial, estimates, row) for row in rows]
    return table


def ratio_of_sums(treated: np.ndarray, untreated: np.ndarray,
                  level: float) -> tuple[float, float, float]:
    """Change in per cent of the sums over seeds, with interval (linearised ratio, Student's t).

    The interval is NaN for fewer than two seeds; everything is where nothing was untreated.
    """
    n, total = len(treated), untreated.sum()
    if not total > 0:
        return (math.nan,) * 3
    ratio = treated.sum() / total
    if n < 2:
        return 100 * (ratio - 1), math.nan, math.nan
    se = math.sqrt(n / (n - 1) * np.sum((treated - ratio * untreated) ** 2)) / total
    half = 100 * student.ppf(0.5 + level / 200, n - 1) * se
    middle = 100 * (ratio - 1)
    return middle, middle - half, middle + half


def verdicts(trial: Trial, table: pd.DataFrame) -> pd.DataFrame:
    """Each published figure beside the simulated ones.

    ``agrees`` is True, False or None (nothing to agree with, or not enough to say). An interval
    is compared with the precise effect's; a null with what a single trial of this size reports,
    for that is what the published null says.
    """
    import pandas as pd

    rows = []
    for figure in trial.published:
        arm = "per_x" if figure.unit == "percent_per_x" else \
            "all" if figure.scope == "city" else figure.arm
        found = table[(table["outcome"] == figure.outcome) & (table["arm"] == arm)
                      & (table["scope"] == figure.scope)]
        row = found.iloc[0].to_dict() if len(found) else {}
        simulated = simulated_of(figure, row)
        rows.append({
            "trial": trial.id, "label": trial.label, "status": trial.status,
            "outcome": figure.outcome, "arm": figure.arm, "scope": figure.scope,
            "unit": figure.unit, "published": figure.value, "published_low": figure.low,
            "published_high": figure.high, "simulated": simulated[0],
            "simulated_low": simulated[1], "simulated_high": simulated[2],
            "trial_low": row.get("trial_low", math.nan),
            "trial_high": row.get("trial_high", math.nan),
            "significant": row.get("significant", math.nan), "rule": figure.rule,
            "agrees": agrees(figure, simulated, row), "seeds": row.get("seeds", 0)})
    return pd.DataFrame(rows)


def simulated_of(figure: Published, row: dict) -> tuple[float, float, float]:
    """The precise effect in the unit of the published figure, on hazards where there are any."""
    if figure.unit in ("per_100", "points"):
        return tuple(100 * row.get(n, math.nan) for n in ("change", "change_low", "change_high"))
    basis = "hazards" if math.isfinite(row.get("hazards", math.nan)) else "counts"
    return tuple(row.get(n, math.nan) for n in (basis, f"{basis}_low", f"{basis}_high"))


def agrees(figure: Published, simulated: tuple[float, float, float], row: dict) -> bool | None:
    """Whether a simulated effect agrees with the published one, by the figure's rule."""
    middle, low, high = simulated
    if figure.rule == "none" or not math.isfinite(middle):
        return None
    if figure.rule == "null":
        low, high = row.get("trial_low", math.nan), row.get("trial_high", math.nan)
        return low <= 0 <= high if math.isfinite(low) else None
    if figure.rule == "at_least":
        return middle >= figure.value
    if figure.rule == "direction":
        return bool(middle > 0) == (figure.direction == "up") and middle != 0
    if figure.rule == "overlap":
        low, high = (low, high) if math.isfinite(low) else (middle, middle)
        return low <= figure.high and high >= figure.low
    ratio = middle / figure.value
    return 1 / FACTOR <= ratio <= FACTOR


def _single(part: pd.DataFrame) -> dict:
    """Single trials: their middle, what one of them reports, how often it would be significant."""
    good = part[np.isfinite(part["percent"])]
    if not len(good):
        return {"trial_percent": math.nan, "trial_n": 0}
    logs = {c: np.log1p(good[c].clip(lower=-99.9) / 100) for c in ("percent", "low", "high")}
    middle = float(logs["percent"].mean())
    clear = ((good["low"] > 0) | (good["high"] < 0)).astype(float)
    out = {"trial_percent": 100 * math.expm1(middle), "trial_n": len(good),
           "trial_low": 100 * math.expm1(float(logs["low"].mean())),
           "trial_high": 100 * math.expm1(float(logs["high"].mean())),
           "significant": float(clear.mean()), "significant_se": _error(clear, good["seed"])}
    return out


def _error(shares: pd.Series, seed: pd.Series) -> float:
    """Standard error of a mean over seeds, whose trials on one run share its luck."""
    n, by_seed = seed.nunique(), (shares - shares.mean()).groupby(seed).sum()
    return math.sqrt(n / (n - 1) * float((by_seed ** 2).sum())) / len(shares) if n > 1 else math.nan


def _precise(basis: str, part: pd.DataFrame, level: float) -> dict:
    """The precise effect of all seeds on one basis, in per cent and as a change per unit."""
    treated, untreated = (part[c].to_numpy("f8") for c in ("treated", "untreated"))
    middle, low, high = ratio_of_sums(treated, untreated, level)
    change, n = part["change"].to_numpy("f8"), len(part)
    half = student.ppf(0.5 + level / 200, n - 1) * change.std(ddof=1) / math.sqrt(n) \
        if n > 1 else math.nan
    ends = (change.mean(), change.mean() - half, change.mean() + half)
    return {basis: middle, f"{basis}_low": low, f"{basis}_high": high,
            f"{basis}_saving": _saving(treated, untreated)} | dict(zip(CHANGE, map(float, ends),
                                                                       strict=True))


def _saving(treated: np.ndarray, untreated: np.ndarray) -> float:
    """Variance of a difference of independent runs over that of runs that share their luck."""
    if len(treated) < 2:
        return math.nan
    together = np.var(treated - untreated, ddof=1)
    apart = np.var(treated, ddof=1) + np.var(untreated, ddof=1)
    return float(apart / together) if together > 0 else math.nan


def _moved(trial: Trial, estimates: pd.DataFrame, row: dict) -> float:
    if not row["scope"].startswith("ring"):
        return math.nan
    same = (estimates["outcome"] == row["outcome"]) & (estimates["arm"] == row["arm"])
    for basis in ("hazards", "counts"):
        parts = [estimates[same & (estimates["basis"] == basis) & (estimates["scope"] == scope)]
                 for scope in ("units", row["scope"])]
        if all(len(p) for p in parts):
            return moved(*(float((p["treated"] - p["untreated"]).sum()) for p in parts))
    return math.nan

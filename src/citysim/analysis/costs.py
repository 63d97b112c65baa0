"""What one unit of gain costs: euro per crime avoided, per resident who newly feels safe."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from citysim.analysis.measures import COST, CRIME_COUNTS, SAFETY, first_present
from citysim.analysis.repetitions import LEVEL, futures_of, over_runs
from citysim.results import Results

CRIMES_AVOIDED = "crimes avoided"
FEEL_SAFE = "more residents who feel safe after dark"
SAFE_POINTS = "more percentage points of residents who feel safe after dark"
_PERCENT = 100.0


def fieller(numerator: np.ndarray | pd.Series, denominator: np.ndarray | pd.Series
            ) -> tuple[float, float, float]:
    """Ratio of two paired means with its 90 % interval by Fieller's theorem.

    Parameters
    ----------
    numerator, denominator : ndarray (n,) or pandas.Series
        Paired values, one per seed of one future; or series by (future, seed), averaged as in
        :func:`~citysim.analysis.repetitions.estimate`.

    Returns
    -------
    ratio, low, high : float
        The bounds are NaN when the denominator's mean cannot be told from zero (the interval
        of the ratio is then unbounded) or with fewer than two pairs.

    Notes
    -----
    The set of all r for which mean(numerator - r denominator) has zero in its own t interval
    (Fieller 1954). Chosen over the bootstrap because eight seeds are too few to resample.
    """
    a, b = _by_seed(numerator), _by_seed(denominator)
    # The sum tells the covariance: V(a + b) = V(a) + 2 V(a, b) + V(b).
    means, _, errors, freedom = over_runs(pd.concat([a, b, a + b], axis=1).T)
    over, under, _ = means
    if not len(a) or under == 0:
        return np.nan, np.nan, np.nan
    squares = errors ** 2
    t2 = special.stdtrit(freedom[:2].min(), 0.5 + LEVEL / 2) ** 2
    # Roots of (a - r b)^2 = t^2 (Vaa - 2 r Vab + r^2 Vbb).
    square = under ** 2 - t2 * squares[1]
    linear = over * under - t2 * (squares[2] - squares[0] - squares[1]) / 2
    constant = over ** 2 - t2 * squares[0]
    if not square > 0:
        return over / under, np.nan, np.nan
    root = np.sqrt(max(linear ** 2 - square * constant, 0.0))
    return over / under, (linear - root) / square, (linear + root) / square


def _by_seed(values: np.ndarray | pd.Series) -> pd.Series:
    """Values of independent repetitions as seeds of one future."""
    if isinstance(values, pd.Series):
        return values
    runs = pd.MultiIndex.from_product([[0], range(len(values))], names=["future", "seed"])
    return pd.Series(np.asarray(values, float), runs)


def cost_per_unit(study: Results, residents: float | None = None) -> pd.DataFrame:
    """Euro per crime avoided and per additional resident who feels safe after dark.

    Parameters
    ----------
    study
        The opened study.
    residents
        Number of residents, to turn the share who feel safe into people. Where it is not
        known, the unit of gain is one percentage point.

    Returns
    -------
    pandas.DataFrame
        One row per scenario (without the baseline) and unit of gain: ``extra_cost`` (EUR over
        the window), ``gain`` with ``gain_lo90`` and ``gain_hi90``, ``per_unit`` with its
        Fieller interval ``per_unit_lo90``, ``per_unit_hi90`` (NaN unless a gain is shown and
        money is spent), ``n`` and ``status``: ``gain shown``, ``no gain shown`` (the interval
        of the gain holds zero), ``loss shown``, ``no extra cost`` or ``no cost recorded``.

    Notes
    -----
    Crimes avoided come from the summed hazard of the window where it is recorded
    (``crime.count.hazard``), else from the count of true crimes. Intervals are over seeds and
    futures, as in :func:`~citysim.analysis.contrasts.summarise`; ``n`` counts pairs of runs.
    """
    values = study.table("outcomes", [COST, SAFETY, *CRIME_COUNTS])
    if len(values):
        values = values[values["group"] == "all"]
    gains = _gains(study, values, residents)
    cost = _wide(values, COST)
    rows = []
    for unit, wide, sign in gains:
        for name in study.scenarios[1:]:
            rows.append({"scenario": name, "unit": unit,
                         **_one(name, study.baseline, cost, wide, sign)})
    return pd.DataFrame(rows, columns=["scenario", "unit", "extra_cost", "gain", "gain_lo90",
                                       "gain_hi90", "per_unit", "per_unit_lo90",
                                       "per_unit_hi90", "n", "status"])


def _gains(study: Results, values: pd.DataFrame, residents: float | None) -> list:
    """The units of gain: name, values by scenario, future and seed, and sign of the good."""
    gains = []
    counted = first_present(CRIME_COUNTS, values["outcome"])
    crimes = _wide(values, counted) if counted else _count_events(study)
    if len(crimes):
        gains.append((CRIMES_AVOIDED, crimes, -1.0))
    safe = _wide(values, SAFETY)
    if len(safe):
        unit = values.loc[values["outcome"] == SAFETY, "unit"].iloc[0]
        share = safe / _PERCENT if unit.startswith("%") else safe
        gains.append((FEEL_SAFE, share * residents, 1.0) if residents
                     else (SAFE_POINTS, share * _PERCENT, 1.0))
    return gains


def _one(name: str, baseline: str, cost: pd.Series, gain: pd.Series, sign: float) -> dict:
    """Gain, extra cost and their ratio for one scenario."""
    change = sign * _paired(gain, name, baseline)
    mean, half = (float(part[0]) for part in over_runs(change)[:2])
    row = {"extra_cost": np.nan, "gain": mean, "gain_lo90": mean - half,
           "gain_hi90": mean + half, "n": len(change), "per_unit": np.nan,
           "per_unit_lo90": np.nan, "per_unit_hi90": np.nan}
    extra = _paired(cost, name, baseline)
    both = change.index.intersection(extra.index)
    if not len(both):
        return {**row, "status": "no cost recorded"}
    extra, change = extra[both], change[both]
    row["extra_cost"] = float(over_runs(extra).mean[0])
    if not row["gain_lo90"] > 0:
        return {**row, "status": "loss shown" if row["gain_hi90"] < 0 else "no gain shown"}
    if row["extra_cost"] <= 0:
        return {**row, "status": "no extra cost"}
    ratio, low, high = fieller(extra, change)
    return {**row, "per_unit": ratio, "per_unit_lo90": low, "per_unit_hi90": high,
            "status": "gain shown"}


def _wide(values: pd.DataFrame, outcome: str) -> pd.Series:
    rows = values[values["outcome"] == outcome]
    return _by_run(rows)["value"].astype(float).sort_index()


def _by_run(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(future=futures_of(rows)).set_index(["scenario", "future", "seed"])


def _count_events(study: Results) -> pd.Series:
    events = study.table("events")
    runs = _by_run(study.done).index
    if not len(events):
        return pd.Series(dtype=float)
    counts = _by_run(events).groupby(level=[0, 1, 2]).size()
    return counts.reindex(runs, fill_value=0).astype(float)


def _paired(values: pd.Series, name: str, baseline: str) -> pd.Series:
    """Scenario minus baseline by future and seed."""
    there = values.index.get_level_values(0) if len(values) else []
    if name not in there or baseline not in there:
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []]))
    return (values[name] - values[baseline]).dropna()

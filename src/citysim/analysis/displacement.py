"""Does trouble move? Treated places, the ring around them, and the rest of the city.

Rings are drawn around the places that an option's own run treated. Changes are those against
doing nothing with the same seed at the very same places, so that luck and regression to the mean
cancel out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from citysim.analysis.costs import fieller
from citysim.analysis.repetitions import over_runs, share_over_runs
from citysim.config.errors import InputError
from citysim.results import Results

TREATED, RING, REST, CITY = ZONES = ("treated", "ring", "rest", "city")
OUTCOMES = ("crime.hazard.all", "crime.hazard.property", "crime.hazard.violence")
_FLAG = "policy.treated"
_RUN = ["future", "seed"]


def displacement_quotient(treated: tuple, buffer: tuple, control: tuple):
    """Weighted displacement quotient (Bowers and Johnson 2003).

    The change of the buffer's crime over that of the treated area, both relative to the control
    area: (B1/C1 - B0/C0) / (A1/C1 - A0/C0).

    Parameters
    ----------
    treated, buffer, control
        Crime before and after (or without and with), numbers or ndarrays of one shape.

    Returns
    -------
    float or ndarray
        Above 0 the buffer gained too (diffusion of benefits), below 0 crime was displaced there,
        below -1 more of it than was prevented. NaN where the control area had no crime, or where
        crime in the treated area did not fall against the control's.
    """
    before, after = (np.asarray(part, float) for part in control)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain, near = (np.asarray(area[1], float) / after - np.asarray(area[0], float) / before
                      for area in (treated, buffer))
        found = np.where((before > 0) & (after > 0) & (gain < 0), near / gain, np.nan)
    return float(found) if found.ndim == 0 else found


def zones(treated: np.ndarray, x: np.ndarray, y: np.ndarray, reach: float) -> np.ndarray:
    """Zone of each place: 0 treated, 1 not treated but within ``reach`` of one that is, 2 neither.

    Parameters
    ----------
    treated : ndarray of bool (places)
    x, y : ndarray (places)
        Middles of the places, m.
    reach
        Width of the ring, m, between middles.

    Returns
    -------
    ndarray of int8 (places)
    """
    from scipy.spatial import cKDTree

    treated = np.asarray(treated, bool)
    zone = np.where(treated, 0, 2).astype(np.int8)
    if treated.any():
        here = np.column_stack((x, y)).astype(float)
        away, _ = cKDTree(here[treated]).query(here)
        zone[(away <= reach) & ~treated] = 1
    return zone


def displacement(study: Results, outcomes: Sequence[str] = OUTCOMES, reach: float = 100.0,
                 city=None) -> pd.DataFrame:
    """Change in treated places, their ring and the rest, for every option that treats places.

    Parameters
    ----------
    study
        The opened study, with a baseline.
    outcomes
        Sums by place, such as expected offences.
    reach
        Width of the ring, m.
    city
        City whose places these are; by default built again from the manifest's description.

    Returns
    -------
    pandas.DataFrame
        One row per scenario and outcome. ``places_treated``, ``places_ring``: their mean number
        over runs; for each zone and the whole city ``<zone>_base`` (mean of the baseline in that
        zone, in the outcome's unit over the window), ``<zone>``, ``<zone>_lo90``, ``<zone>_hi90``
        (mean change with its interval) and ``<zone>_share`` with its interval (the same as a share
        of the base, a ratio of means: :func:`~citysim.analysis.repetitions.share_of`).
        ``moved_next_door`` is the rise of the ring per unit prevented among the treated,
        ``moved`` that of everywhere else, ring and rest; negative where others gain too.
        ``quotient`` is the weighted displacement quotient with the rest of the city as control.
        All three are ratios of means over the runs with Fieller's interval, NaN where no
        fall among the treated can be shown. ``n``: pairs of runs.

    Raises
    ------
    InputError
        If no run of the study says which places it treated, outcomes are not known by place, or
        the city has another number of places.
    """
    if city is None:
        city = city_of(study)
    runs, treated, pairs = _pairs(study)
    if treated.shape[1] != len(city.places):
        raise InputError("the city has another number of places than the results",
                         where=str(study.folder), allowed=f"{treated.shape[1]} places")
    zone = {i: zones(treated[i], city.places.x, city.places.y, reach) for i, _ in pairs}
    rows = []
    for outcome in outcomes:
        sums = _by_month(study, outcome, runs).sum(axis=1)
        sides = {i: _sides(zone[i], sums[i], sums[b]) for i, b in pairs}
        for name in study.scenarios[1:]:
            own = [i for i, _ in pairs if runs.at[i, "scenario"] == name]
            if own:
                rows.append({"scenario": name, "outcome": outcome,
                             "places_treated": np.mean([(zone[i] == 0).sum() for i in own]),
                             "places_ring": np.mean([(zone[i] == 1).sum() for i in own]),
                             **_estimates(np.array([sides[i] for i in own]),
                                          pd.MultiIndex.from_frame(runs.loc[own, _RUN])),
                             "n": len(own)})
    return pd.DataFrame(rows)


def city_of(study: Results):
    """The city of a study, built again from the description in its manifest.

    Raises
    ------
    InputError
        If the manifest holds no city, or a file that it names is gone.
    """
    from citysim.city.city import build_city

    described = (study.manifest.get("config") or {}).get("city")
    if not described:
        raise InputError("the manifest describes no city", where=str(study.folder),
                         allowed="a study with its manifest")
    return build_city(described)


def at_treated(study: Results, outcomes: Sequence[str]) -> pd.DataFrame:
    """Means over the treated places, month by month, with and without the option.

    Parameters
    ----------
    study
        The opened study, with a baseline.
    outcomes
        Outcomes by place, sums or states.

    Returns
    -------
    pandas.DataFrame
        Columns scenario, future, seed, ``month`` (1 for the window's first calendar month),
        outcome, ``value``, and ``base``: the baseline's mean over the same places in the same
        future with the same seed.

    Raises
    ------
    InputError
        If no run says which places it treated, or an outcome is not known by place.
    """
    runs, treated, pairs = _pairs(study)
    frames = []
    for outcome in outcomes:
        values = _by_month(study, outcome, runs)
        for i, b in pairs:
            run = runs.loc[i]
            frames.append(pd.DataFrame({
                "scenario": run.scenario, "future": run.future, "seed": run.seed,
                "month": np.arange(1, values.shape[1] + 1), "outcome": outcome,
                "value": values[i][:, treated[i]].mean(axis=1),
                "base": values[b][:, treated[i]].mean(axis=1)}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _pairs(study: Results) -> tuple[pd.DataFrame, np.ndarray, list[tuple[int, int]]]:
    """Runs, the places that each treated, and the rows of options with those of their baseline."""
    flags = study.xarray(_FLAG).isel(month=-1)
    runs = pd.DataFrame({name: flags[name].values
                         for name in ("key", "scenario", "future", "seed")})
    treated = flags.values > 0
    base_of = {(r.future, r.seed): r.Index for r in runs.itertuples()
               if r.scenario == study.baseline}
    return runs, treated, [(r.Index, base_of[r.future, r.seed]) for r in runs.itertuples()
                           if r.scenario != study.baseline and (r.future, r.seed) in base_of
                           and treated[r.Index].any()]


def _by_month(study: Results, outcome: str, runs: pd.DataFrame) -> np.ndarray:
    """One outcome as (runs, months, places), in the order of ``runs``."""
    values = study.xarray(outcome)
    position = {key: i for i, key in enumerate(values["key"].values)}
    return values.values[[position[key] for key in runs["key"]]]


def _sides(zone: np.ndarray, option: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Sums by zone and for the city, without and with the option: float64 (4, 2)."""
    found = np.array([np.bincount(zone, v, minlength=3)[:3] for v in (base, option)]).T
    return np.vstack((found, found.sum(axis=0)))


def _estimates(sides: np.ndarray, runs: pd.MultiIndex) -> dict[str, float]:
    """Levels, changes and ratios from the sides (runs, 4, 2) of runs, by future and seed."""
    base, change = (pd.DataFrame(part, runs).T for part in (sides[..., 0], np.diff(sides)[..., 0]))
    row = {f"{name}_base": level for name, level in zip(ZONES, over_runs(base).mean, strict=True)}
    for tail, (mean, half) in (("", over_runs(change)[:2]),
                               ("_share", share_over_runs(change, base))):
        for k, name in enumerate(ZONES):
            row |= {f"{name}{tail}": mean[k], f"{name}{tail}_lo90": mean[k] - half[k],
                    f"{name}{tail}_hi90": mean[k] + half[k]}
    with np.errstate(divide="ignore", invalid="ignore"):
        weighed = sides[:, :2] / sides[:, 2:3]
    weighed = pd.DataFrame(np.diff(weighed)[..., 0], runs).T
    row |= _ratio("moved_next_door", -change.loc[1], change.loc[0])
    row |= _ratio("moved", -change.loc[1] - change.loc[2], change.loc[0])
    return row | _ratio("quotient", weighed.loc[1], weighed.loc[0])


def _ratio(name: str, elsewhere: pd.Series, treated: pd.Series) -> dict[str, float]:
    """Ratio of means with its interval; NaN where no fall among the treated can be shown."""
    mean, half, _, _ = over_runs(treated)
    found = fieller(elsewhere, treated) if mean[0] + half[0] < 0 else (np.nan,) * 3
    return dict(zip((name, f"{name}_lo90", f"{name}_hi90"), found, strict=True))

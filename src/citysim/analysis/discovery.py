"""Scenario discovery: in which futures does an option fail?"""

from __future__ import annotations

import logging
import operator
import re
import warnings
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import pandas as pd

from citysim.analysis.cases import EFFECT, Cases
from citysim.analysis.measures import meaning
from citysim.analysis.points import ALL_POINTS, LEVER, UNCERTAINTY, Factor, Points
from citysim.config.errors import InputError

COLUMNS = ("outcome", "fails_when", "option", "cases", "failing", "coverage", "density", "mass",
           "factor", "low", "high", "words", "full_low", "full_high", "quasi_p", "said")
_RULE = re.compile(r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(%?)\s*$", re.I)
_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_WORDS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
_FEWEST_CASES = 20
_FEWEST_FAILING = 5
_MOST_OPTIONS = 20
_BY_LUCK = 0.05  # quasi-p above which a limit could stand there by luck
_EQUAL = 1e-9
NEVER = "there is nothing to look for"


@dataclass(frozen=True)
class Failing:
    """When an option fails: a comparison of its effect with a number.

    Parameters
    ----------
    outcome, sign, limit
        The option fails where ``effect <sign> limit``; the effect is option minus baseline in
        the same future with the same seeds, in the outcome's unit.
    relative
        Whether the limit is a share of the baseline in that future.
    """

    outcome: str
    sign: str
    limit: float
    relative: bool = False

    def __call__(self, cases: pd.DataFrame) -> np.ndarray:
        """Whether each row of :meth:`Cases.of` fails."""
        effect = cases[EFFECT] / cases["base"].abs() if self.relative else cases[EFFECT]
        return _COMPARE[self.sign](effect.to_numpy(float), self.limit)

    def __str__(self) -> str:
        limit = f"{self.limit * 100:g} %" if self.relative else f"{self.limit:g}"
        return f"change of {self.outcome} {_WORDS[self.sign]} {limit}"


def failing(text: str) -> Failing:
    """A rule such as ``crime.hazard.all>=0`` or ``crime.hazard.all>-2%``, taken apart.

    Raises
    ------
    InputError
        If it is not OUTCOME, a comparison, and a number.
    """
    found = _RULE.match(text)
    try:
        outcome, sign, number, share = found.groups()
        limit = float(number) / (100.0 if share else 1.0)
    except (AttributeError, ValueError):
        raise InputError(f"cannot read '{text}'", where="--fails",
                         allowed="OUTCOME<=NUMBER, OUTCOME>=NUMBER; a number may end in %",
                         closest="crime.hazard.all>=0") from None
    return Failing(outcome, sign, limit, bool(share))


def no_gain(outcome: str) -> Failing | None:
    """Fails where nothing is gained; None for an outcome without a better direction."""
    sign = {"lower": ">=", "higher": "<="}.get(meaning(outcome).better)
    return Failing(outcome, sign, 0.0) if sign else None


def discover(points: Points, cases: Cases, rules: list[Failing]) -> pd.DataFrame:
    """Where in the factors each option fails: one box each, found by PRIM.

    Parameters
    ----------
    points
        The design.
    cases
        The results.
    rules
        When an option counts as failing.

    Returns
    -------
    pandas.DataFrame
        One row per rule, option and limited factor. ``cases`` and ``failing`` count futures
        (points, where each option ran in one future only); ``coverage`` is the share of the
        failing cases that lie in the box, ``density`` the share of the box that fails, ``mass``
        the share of all cases in it; ``low`` and ``high`` bound the factor (``words`` where it
        has words) within ``full_low`` to ``full_high``; ``quasi_p`` is the chance of such a
        density without this limit. ``said`` tells it in a sentence, also where there is no box
        (then without factor).

    Raises
    ------
    InputError
        If ema_workbench is not installed.

    Notes
    -----
    In the boxes that PRIM peels, limits that could stand there by luck (quasi-p above 0.05) are
    lifted; then the one with the largest harmonic mean of coverage and density is taken.
    Coverage and density are those of the cases that found the box, hence somewhat optimistic.
    """
    prim = _prim()
    parts = []
    for rule in rules:
        values = cases.of(rule.outcome)
        for option, factors, rows in _searches(points):
            found = rows.merge(values, on=["scenario", "future"], how="left").dropna(
                subset=[EFFECT])
            parts.append(_search(prim, rule, option, factors, found))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return frame.reindex(columns=list(COLUMNS))


def available() -> bool:
    """Whether the package that searches is installed."""
    return find_spec("ema_workbench") is not None


def _prim():
    try:
        with warnings.catch_warnings():  # it speaks of extras of its own
            warnings.simplefilter("ignore")
            from ema_workbench.analysis import prim
    except ImportError:
        raise InputError("scenario discovery needs the package ema_workbench",
                         where="citysim analyse",
                         allowed="pip install 'citysim[discovery]', or leave --fails out") from None
    logging.getLogger("EMA").setLevel(logging.ERROR)
    # The lenient objectives stop at the first peel that gains nothing, early with few cases.
    return partial(prim.Prim, obj_function=prim.PRIMObjectiveFunctions.ORIGINAL)


def _searches(points: Points):
    """Option, the factors that differ between its cases, and those cases.

    An option that ran in enough futures is searched alone, over the uncertainties. Where the
    design gives each option a future of its own, all points are searched over all factors.
    """
    rows = points.rows[points.rows["scenario"] != points.study.baseline]
    rows = rows.drop_duplicates(["scenario", "future"])
    futures = rows.groupby("scenario", sort=False)["future"].nunique()
    uncertain = [f for f in points.factors if f.role == UNCERTAINTY]
    many = [s for s in points.study.scenarios if futures.get(s, 0) >= _FEWEST_CASES]
    if many and uncertain:
        for name in many[:_MOST_OPTIONS]:
            yield name, uncertain, rows[rows["scenario"] == name]
    elif any(f.role == LEVER for f in points.factors):
        for name, part in points.families.items():
            yield name, points.factors, part.drop_duplicates(["scenario", "future"])
    else:
        for name in futures.index[:_MOST_OPTIONS]:
            yield name, uncertain, rows[rows["scenario"] == name]


def _search(prim, rule: Failing, option: str, factors: list[Factor],
            found: pd.DataFrame) -> pd.DataFrame:
    fails = rule(found)
    case = "points" if option == ALL_POINTS else "futures"
    row = {"outcome": rule.outcome, "fails_when": str(rule), "option": option,
           "cases": len(found), "failing": int(fails.sum())}
    told = f"fails in {fails.sum()} of {len(found)} {case}"
    if len(found) < _FEWEST_CASES:
        said = f"{told}: too few to say where (at least {_FEWEST_CASES} are needed)"
    elif not fails.any():
        said = f"{told}: {NEVER}"
    elif fails.all():
        said = f"{told}: it fails everywhere"
    elif min(fails.sum(), (~fails).sum()) < _FEWEST_FAILING:
        said = f"{told}: too few to say where"
    else:
        return _box(prim, row, told, factors, found, fails)
    return pd.DataFrame([{**row, "said": said}])


def _box(prim, row: dict, told: str, factors: list[Factor], found: pd.DataFrame,
         fails: np.ndarray) -> pd.DataFrame:
    """Limits of the box that PRIM finds, one row per limited factor."""
    x = _table(factors, found)
    limits, quasi = _peel(prim, x, fails)
    inside = _inside(x, limits)
    n, caught = int(inside.sum()), int((fails & inside).sum())
    if not limits or caught / n <= fails.mean():
        return pd.DataFrame([{**row, "said": f"{told}: no part of them stands out"}])
    row |= {"coverage": caught / fails.sum(), "density": caught / n, "mass": n / len(x)}
    known = {f.name: f for f in factors}
    rows, where = [], []
    for name, limit in limits.items():
        rows.append({**row, "factor": name, "quasi_p": quasi[name], **_bounds(x[name], limit)})
        where.append(_where(known[name], rows[-1]))
    said = (f"{told}; {caught} of these lie where {' and '.join(where)}, and there it fails in "
            f"{caught} of {n}")
    return pd.DataFrame(rows).assign(said=said)


def _table(factors: list[Factor], found: pd.DataFrame) -> pd.DataFrame:
    """The factors that vary, as PRIM wants them: floats and words."""
    columns = {f.name: found[f.name].astype(object if f.words else float).to_numpy()
               for f in factors if found[f.name].nunique() > 1}
    return pd.DataFrame(columns).reset_index(drop=True)


def _peel(prim, x: pd.DataFrame, fails: np.ndarray) -> tuple[dict, dict]:
    """Limits by factor and their quasi-p: the best box, without limits that luck may explain."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        box = prim(x, fails).find_box()
    best, chosen = 0.0, ({}, {})
    for ends, p in zip(box.box_lims, box.p_values, strict=True):
        limits, quasi = _limits(x, ends, box.box_lims[0], p)
        inside = _inside(x, limits)
        caught = (fails & inside).sum()
        score = 2 * caught / (fails.sum() + inside.sum())  # harmonic mean of coverage and density
        if limits and score > best + _EQUAL:
            best, chosen = score, (limits, quasi)
    return chosen


def _limits(x: pd.DataFrame, ends: pd.DataFrame, start: pd.DataFrame,
            p_values: dict) -> tuple[dict, dict]:
    """A box as limits by factor: (low, high) with None where open, or the set of its words."""
    limits, quasi = {}, {}
    for name, p in p_values.items():
        sides = [q if 0 <= q <= _BY_LUCK else None for q in p]
        if not pd.api.types.is_numeric_dtype(x[name]):
            if sides[0] is not None and set(ends[name].iloc[0]) < set(start[name].iloc[0]):
                limits[name], quasi[name] = set(ends[name].iloc[0]), sides[0]
            continue
        low, high = (ends[name].iloc[i] if sides[i] is not None else None for i in (0, 1))
        if low is not None or high is not None:
            limits[name] = (low, high)
            quasi[name] = max(q for q in sides if q is not None)
    return limits, quasi


def _inside(x: pd.DataFrame, limits: dict) -> np.ndarray:
    there = np.ones(len(x), bool)
    for name, limit in limits.items():
        if isinstance(limit, set):
            there &= x[name].isin(limit).to_numpy()
            continue
        low, high = limit
        there &= (x[name] >= low).to_numpy() if low is not None else True
        there &= (x[name] <= high).to_numpy() if high is not None else True
    return there


def _bounds(column: pd.Series, limit) -> dict:
    if isinstance(limit, set):
        return {"words": ", ".join(sorted(map(str, limit)))}
    low, high = limit
    return {"low": column.min() if low is None else low,
            "high": column.max() if high is None else high,
            "full_low": column.min(), "full_high": column.max()}


def _where(factor: Factor, row: dict) -> str:
    """One limit in words."""
    label = factor.label[:1].lower() + factor.label[1:]
    unit = f" {factor.unit}" if factor.unit else ""
    if "words" in row:
        return f"{label} is {row['words']}"
    reach = max(row["full_high"] - row["full_low"], _EQUAL) * _EQUAL
    above = row["low"] > row["full_low"] + reach
    below = row["high"] < row["full_high"] - reach
    if above and below:
        return f"{label} is between {row['low']:.3g} and {row['high']:.3g}{unit}"
    return f"{label} is above {row['low']:.3g}{unit}" if above \
        else f"{label} is below {row['high']:.3g}{unit}"

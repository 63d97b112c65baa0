"""What drives an outcome: Sobol indices, Morris screening, and scores for any other design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from citysim.analysis.cases import EFFECT, Cases
from citysim.analysis.cases import LEVEL as OUTCOME
from citysim.analysis.points import Factor, Points
from citysim.analysis.repetitions import LEVEL

COLUMNS = ("outcome", "of", "option", "factor", "role", "measure", "value", "lo90", "hi90", "n",
           "unit")
MAIN = {"sobol": "ST", "morris": "mu_star", "one_at_a_time": "swing"}
"""The measure that ranks the factors, by design; ``share`` for every other design."""

SHARE = "share"
_RESAMPLES = 200
_SEED = 1  # of resampling; the same numbers each time
_FEWEST_POINTS = 8
_BINS = 8
_PER_BIN = 10
_Z = float(special.ndtri(0.5 + LEVEL / 2))


@dataclass(frozen=True)
class Sensitivity:
    """Measures of influence, and in words what could not be told."""

    table: pd.DataFrame
    notes: list[str]
    kind: str

    @property
    def main(self) -> str:
        """The measure that ranks the factors."""
        return MAIN.get(self.kind, SHARE)


def sensitivity(points: Points, cases: Cases, outcomes: list[str]) -> Sensitivity:
    """How much each factor matters for each outcome and for its effect.

    Parameters
    ----------
    points
        The design.
    cases
        The results.
    outcomes
        Outcome ids.

    Returns
    -------
    Sensitivity
        Its table has one row per outcome, ``of`` (``level`` of the outcome, or ``effect``:
        option minus baseline in the same future with the same seed), option, factor and measure
        with value, 90 % interval and number of points ``n``. Measures by design:

        ``sobol``
            ``S1`` and ``ST``, first and total order index (Saltelli 2010; intervals by the
            bootstrap, SALib).
        ``morris``
            ``mu_star`` (with interval), ``mu`` and ``sigma`` of the elementary effects, in the
            outcome's unit over the factor's whole range.
        ``one_at_a_time``
            ``swing``, the largest less the smallest outcome while only this factor moves.
        every other
            ``share``, see :func:`share_explained`, and ``rank_correlation`` (Spearman).

    Notes
    -----
    All points share their seeds, so luck that no factor touches does not count as influence.
    Whatever a change of a factor stirs up besides does: it swells the total indices and
    ``mu_star`` of all factors alike, and more seeds wear it away. A point without any finished
    run takes its whole block (Sobol) or path (Morris) with it; a note says how many.
    """
    kind = points.kind
    notes, parts = [], []
    for outcome in outcomes:
        values = cases.of(outcome)
        for name, rows in points.families.items():
            for of in (OUTCOME, EFFECT):
                if of == EFFECT and (name == points.study.baseline
                                     or not values["effect"].notna().any()):
                    continue
                found, note = _one(points, kind, rows, values, of)
                where = f"{outcome} ({of}, {name})"
                notes += [f"{where}: {note}"] if note else []
                parts += [found.assign(outcome=outcome, of=of, option=name)]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Sensitivity(table.reindex(columns=list(COLUMNS)), notes, kind)


def _one(points: Points, kind: str, rows: pd.DataFrame, values: pd.DataFrame,
         of: str) -> tuple[pd.DataFrame, str]:
    """Measures of one outcome in one family, and a note on what is missing."""
    if kind in ("sobol", "morris"):
        rows = rows[rows["sample"] >= 0].drop_duplicates("sample").sort_values("sample")
    rows = rows.merge(values[["scenario", "future", of]], on=["scenario", "future"], how="left")
    y = rows[of].to_numpy(float)
    there = np.isfinite(y)
    if np.ptp(y[there]) <= 1e-12 * np.abs(y[there]).max() if there.any() else True:
        return pd.DataFrame(), "it does not vary" if there.any() else "no finished run"
    analyse: Callable = {"sobol": _sobol, "morris": _morris,
                         "one_at_a_time": _swings}.get(kind, _scores)
    found, note = analyse(points, rows, y)
    if not len(found):
        return found, note
    roles = {f.name: f.role for f in points.factors}
    unit = values["unit"].iloc[0]
    plain = found["measure"].isin(["mu_star", "mu", "sigma", "swing"])
    return found.assign(role=found["factor"].map(roles), unit=np.where(plain, unit, "share")), note


# --- Sobol -----------------------------------------------------------------------------------

def _sobol(points: Points, rows: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, str]:
    from SALib.analyze import sobol

    size = len(points.factors)
    block = _block(points, len(y), (size + 2, 2 * size + 2))
    if block is None:
        return pd.DataFrame(), f"{len(y)} points are not whole blocks of a Sobol design"
    y, dropped = _whole_blocks(y, block)
    if len(y) < 2 * block:
        return pd.DataFrame(), "too few whole blocks of points: runs are missing"
    found = sobol.analyze(_problem(points.factors), y, conf_level=LEVEL, seed=_SEED,
                          num_resamples=_RESAMPLES, calc_second_order=block == 2 * size + 2)
    parts = [_frame(points.factors, m, found[m], found[f"{m}_conf"], len(y))
             for m in ("S1", "ST")]
    return pd.concat(parts), _lost(dropped, block)


def _block(points: Points, n: int, sizes: tuple[int, int]) -> int | None:
    """Points per row of the base sample: without or with second-order indices."""
    asked = points.design.get("points")
    if asked and n % int(asked) == 0 and n // int(asked) in sizes:
        return n // int(asked)
    return next((s for s in sizes if n % s == 0), None)


# --- Morris ----------------------------------------------------------------------------------

def _morris(points: Points, rows: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, str]:
    from SALib.analyze import morris

    block = len(points.factors) + 1
    if len(y) % block:
        return pd.DataFrame(), f"{len(y)} points are not whole paths of a Morris design"
    x = np.column_stack([f.numbers(rows[f.name]) for f in points.factors])
    keep = np.isfinite(y).reshape(-1, block).all(axis=1).repeat(block)
    dropped = (len(y) - keep.sum()) // block
    x, y = x[keep], y[keep]
    if len(y) < 2 * block:
        return pd.DataFrame(), "too few whole paths: runs are missing"
    found = morris.analyze(_problem(points.factors), x, y, conf_level=LEVEL, seed=_SEED,
                           num_resamples=_RESAMPLES,
                           num_levels=int(points.design.get("levels") or 4))
    none = np.full(len(points.factors), np.nan)
    parts = [_frame(points.factors, m, np.asarray(found[m], float),
                    np.asarray(found["mu_star_conf"], float) if m == "mu_star" else none, len(y))
             for m in ("mu_star", "mu", "sigma")]
    return pd.concat(parts), _lost(dropped, block)


# --- one at a time ---------------------------------------------------------------------------

def _swings(points: Points, rows: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, str]:
    """Range of the outcome over the points that differ from the reference in one factor only."""
    names = [f.name for f in points.factors]
    values = rows[names].astype(object)
    reference = values.mode().iloc[0]
    moved = values.ne(reference)
    swings = []
    for name in names:
        own = y[~moved.drop(columns=name).any(axis=1).to_numpy()]
        own = own[np.isfinite(own)]
        swings.append(np.ptp(own) if len(own) > 1 else np.nan)
    none = np.full(len(names), np.nan)
    missing = int((~np.isfinite(y)).sum())
    return (_frame(points.factors, "swing", np.array(swings), none, len(y) - missing),
            f"{missing} points have no finished run" if missing else "")


# --- any other design ------------------------------------------------------------------------

def _scores(points: Points, rows: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, str]:
    there = np.isfinite(y)
    if there.sum() < _FEWEST_POINTS:
        return pd.DataFrame(), f"{there.sum()} points are too few to score factors"
    shares, halves, ranks = [], [], []
    for factor in points.factors:
        x = factor.numbers(rows[factor.name])
        use = there & np.isfinite(x)
        share, half = share_explained(x[use], y[use], bool(factor.words))
        shares.append(share)
        halves.append(half)
        vague = factor.words or use.sum() < 3 or not np.ptp(x[use])
        ranks.append(np.nan if vague else stats.spearmanr(x[use], y[use]).statistic)
    none = np.full(len(shares), np.nan)
    n = int(there.sum())
    lost = len(y) - n
    scores = _frame(points.factors, SHARE, np.array(shares), np.array(halves), n)
    scores[["lo90", "hi90"]] = scores[["lo90", "hi90"]].clip(0, 1)
    ranked = _frame(points.factors, "rank_correlation", np.array(ranks), none, n)
    return (pd.concat([scores, ranked]),
            f"{lost} of {len(y)} points have no finished run" if lost else "")


def share_explained(x: np.ndarray, y: np.ndarray, words: bool = False) -> tuple[float, float]:
    """Share of an outcome's variance that goes with one factor alone.

    Parameters
    ----------
    x : ndarray (n,)
        The factor. More than eight distinct numbers are put into bins of equal counts.
    y : ndarray (n,)
        The outcome.
    words
        Whether ``x`` stands for words, which are never put together.

    Returns
    -------
    share, half : float
        Variance of the group means over the variance, corrected for what groups explain by
        chance (the adjusted correlation ratio; an estimate of the first-order index from any
        sample), and the half-width of its 90 % interval by the bootstrap. Below 0 counts as 0.
        NaN where there is only one group.
    """
    y = np.asarray(y, float)
    groups, own = _groups(np.asarray(x, float), y, words)
    k, n = int(groups.max(initial=0)) + 1, len(groups)
    if k < 2 or n <= k or not np.ptp(y):
        return float("nan"), float("nan")
    if not np.ptp(own):  # whatever moves the outcome averages out over this factor
        return 0.0, 0.0
    part = own.var() / y.var()
    picks = np.random.default_rng(_SEED).integers(n, size=(_RESAMPLES, n))
    share = part * _adjusted(groups[None], own[None], k)[0]
    spread = part * _adjusted(groups[picks], own[picks], k)
    return max(0.0, float(share)), float(_Z * np.nanstd(spread, ddof=1))


def _groups(x: np.ndarray, y: np.ndarray, words: bool) -> tuple[np.ndarray, np.ndarray]:
    """Group of each value, and the outcomes to group.

    Points that share one of many numbers stand for it together, by their mean: where options
    are crossed with futures, it is the futures that are independent, not the points in them.
    """
    distinct, codes = np.unique(x, return_inverse=True)
    if words or len(distinct) <= _BINS:
        return codes, y
    bins = int(np.clip(len(distinct) // _PER_BIN, 2, _BINS))
    means = np.bincount(codes, y) / np.bincount(codes)
    return np.arange(len(distinct)) * bins // len(distinct), means


def _adjusted(groups: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """Adjusted correlation ratio of each row of (draws, n)."""
    draws, n = groups.shape
    y = y - y.mean(axis=1, keepdims=True)
    cell = (groups + k * np.arange(draws)[:, None]).ravel()
    count = np.bincount(cell, minlength=draws * k).reshape(draws, k)
    total = np.bincount(cell, y.ravel(), minlength=draws * k).reshape(draws, k)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(count > 0, total ** 2 / count, 0.0).sum(axis=1)
        ratio = between / (y ** 2).sum(axis=1)
    filled = (count > 0).sum(axis=1)
    return 1 - (1 - ratio) * (n - 1) / np.maximum(n - filled, 1)


# --- shared ----------------------------------------------------------------------------------

def _problem(factors: list[Factor]) -> dict:
    """The factors as SALib names them; every sample is drawn on the unit cube."""
    return {"num_vars": len(factors), "names": [f.name for f in factors],
            "bounds": [[0.0, 1.0]] * len(factors)}


def _whole_blocks(y: np.ndarray, block: int) -> tuple[np.ndarray, int]:
    whole = np.isfinite(y).reshape(-1, block).all(axis=1)
    return y[whole.repeat(block)], int((~whole).sum())


def _lost(dropped: int, block: int) -> str:
    return f"{dropped} blocks of {block} points left out: runs are missing" if dropped else ""


def _frame(factors: list[Factor], measure: str, value: np.ndarray, half: np.ndarray,
           n: int) -> pd.DataFrame:
    return pd.DataFrame({"factor": [f.name for f in factors], "measure": measure, "value": value,
                         "lo90": value - half, "hi90": value + half, "n": n})

"""How well options do over the futures, and which of them no other beats in every respect."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from citysim.analysis.cases import EFFECT, LEVEL, Cases
from citysim.analysis.discovery import Failing
from citysim.analysis.measures import COST, CRIME, EQUITY, SAFETY, first_present, meaning

COLUMNS = ("outcome", "option", "unit", "better", "futures", "effect", "effect_worst_tenth",
           "level_worst_tenth", "regret_max", "regret_p90", "share_better", "share_good", "good")
_TENTH = 0.1
_DRAWS = 200
_SEED = 1


def robustness(cases: Cases, outcomes: list[str], rules: list[Failing] = ()) -> pd.DataFrame:
    """Regret, satisficing and worst tenth of every option over the futures.

    Parameters
    ----------
    cases
        The results.
    outcomes
        Outcome ids; those without a better direction are left out.
    rules
        When an option fails; what does not fail is good (``share_good``).

    Returns
    -------
    pandas.DataFrame
        One row per outcome and option (the baseline among them: doing nothing is an option
        too). Everything is taken from means over the seeds of a future.

        ``effect``
            Mean change against the baseline.
        ``effect_worst_tenth``, ``level_worst_tenth``
            Mean over the worst tenth of the futures (at least one), for the change and for the
            outcome itself.
        ``regret_max``, ``regret_p90``
            Regret in a future is how far the option stays behind the best option of that
            future, 0 for the best: the largest, and the one exceeded in a tenth of the futures.
        ``share_better``
            Share of the futures in which the option is better than the baseline.
        ``share_good``, ``good``
            Share of the futures in which it is good enough, and what that means: that a rule of
            ``rules`` on this outcome does not make it fail, else better than the baseline.

        Empty where the options did not run in the same futures, or in one only.
    """
    if cases.pairs["future"].nunique() < 2 or not cases.crossed:
        return pd.DataFrame(columns=list(COLUMNS))
    parts = []
    by_outcome = {rule.outcome: rule for rule in rules}
    for outcome in dict.fromkeys([*outcomes, *by_outcome]):
        sign = {"lower": -1.0, "higher": 1.0}.get(meaning(outcome).better)
        if sign is not None:
            parts.append(_one(cases, outcome, sign, by_outcome.get(outcome)))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return frame.reindex(columns=list(COLUMNS))


def _one(cases: Cases, outcome: str, sign: float, rule: Failing | None) -> pd.DataFrame:
    found = cases.of(outcome)
    found = found[found["scenario"].isin(cases.crossed)]
    level = sign * found.pivot(index="future", columns="scenario", values=LEVEL)
    regret = level.max(axis=1).to_numpy()[:, None] - level
    good = f"not ({rule})" if rule else "better than the baseline"
    rows = []
    for name in [s for s in cases.crossed if s in level]:
        own = found[found["scenario"] == name].dropna(subset=[LEVEL])
        gain = sign * own[EFFECT].dropna().to_numpy()
        is_base = name == cases.study.baseline
        better = np.nan if is_base or not len(gain) else float((gain > 0).mean())
        enough = better if rule is None or is_base else \
            float((~rule(own.dropna(subset=[EFFECT]))).mean()) if len(gain) else np.nan
        rows.append({
            "outcome": outcome, "option": name, "unit": own["unit"].iloc[0],
            "better": meaning(outcome).better, "futures": len(own),
            "effect": sign * gain.mean() + 0.0 if len(gain) else np.nan,
            "effect_worst_tenth": sign * worst_tenth(gain) + 0.0,
            "level_worst_tenth": sign * worst_tenth(sign * own[LEVEL].to_numpy()),
            "regret_max": regret[name].max(), "regret_p90": regret[name].quantile(1 - _TENTH),
            "share_better": better, "share_good": enough, "good": good})
    return pd.DataFrame(rows)


def worst_tenth(values: np.ndarray) -> float:
    """Mean of the smallest tenth of the values, of at least one; NaN for none."""
    if not len(values):
        return float("nan")
    return float(np.sort(values)[:max(1, math.ceil(_TENTH * len(values) - 1e-9))].mean())


# --- the Pareto set --------------------------------------------------------------------------

def non_dominated(losses: np.ndarray) -> np.ndarray:
    """Which rows no other row beats.

    Parameters
    ----------
    losses : ndarray (options, objectives)
        Smaller is better. A row with a NaN is never in the set and beats no one.

    Returns
    -------
    ndarray of bool (options,)
        False where another row is no worse in every objective and better in one.
    """
    losses = np.asarray(losses, float)
    whole = np.isfinite(losses).all(axis=1)
    no_worse = (losses[:, None] <= losses[None]).all(axis=2)  # [i, j]: i no worse than j
    beaten = (no_worse & (losses[:, None] < losses[None]).any(axis=2)).any(axis=0)
    return whole & ~beaten


def pareto(cases: Cases) -> pd.DataFrame:
    """The options that no other beats in cost, crime, perceived safety and equity at once.

    Returns
    -------
    pandas.DataFrame
        One row per option, the baseline among them: ``option``, a column per objective with its
        mean change against the baseline, ``pareto`` (on the means, no other option is at least
        as good in everything and better in something) and ``pareto_share`` (in which share of
        200 bootstrap draws of the futures, or of the seeds of the only future, that is so: the
        set as sure as the results are). Empty where fewer than two objectives were measured, or
        the options did not run in the same futures.

    Notes
    -----
    Options that lack more than a tenth of the baseline's futures are left out.
    """
    names, options = objectives(cases), cases.crossed
    if len(names) < 2 or not options:
        return pd.DataFrame()
    pairs = cases.pairs[cases.pairs["outcome"].isin(names)]
    wide = pairs.pivot_table(index=["future", "seed"], columns=["outcome", "scenario"],
                             values="diff")
    if wide.index.get_level_values(0).nunique() > 1:
        wide = wide.groupby(level=0).mean()
    options = [s for s in options if all((o, s) in wide for o in names)]
    sign = np.array([-1.0 if meaning(o).better == "higher" else 1.0 for o in names])
    change = np.stack([wide[o].reindex(columns=options).to_numpy() for o in names], axis=2)
    mean = np.nanmean(change, axis=0)
    return pd.DataFrame({"option": options, **{o: mean[:, i] for i, o in enumerate(names)},
                         "pareto": non_dominated(sign * mean),
                         "pareto_share": _share_of_draws(sign * change)})


def objectives(cases: Cases) -> list[str]:
    """Cost, crime, perceived safety and equity, as far as the study measured them."""
    wanted = [first_present(kind, cases.names) for kind in ((COST,), CRIME, (SAFETY,), EQUITY)]
    return [o for o in wanted if o]


def _share_of_draws(losses: np.ndarray) -> np.ndarray:
    """Share of bootstrap draws of the repetitions (first axis) with an option in the set."""
    n = len(losses)
    if n < 2:
        return np.full(losses.shape[1], np.nan)
    picks = np.random.default_rng(_SEED).integers(n, size=(_DRAWS, n))
    there = np.nan_to_num(losses)
    weight = np.isfinite(losses).astype(float)
    held = np.zeros(losses.shape[1])
    for pick in picks:
        count = np.bincount(pick, minlength=n)
        with np.errstate(invalid="ignore"):
            mean = np.einsum("r,roj->oj", count, there) / np.einsum("r,roj->oj", count, weight)
        held += non_dominated(mean)
    return held / _DRAWS

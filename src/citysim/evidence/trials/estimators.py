"""The effect that one trial would report, from its own units.

Every estimator takes a :class:`Panel` and gives one :class:`Effect` per treated arm, with an
interval that is robust against unequal variances and, where units come in pairs or are seen more
than once, against likeness within them. Generalised linear models are those of statsmodels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from citysim.evidence.trials.schema import EstimatorKeys

FEW = 3  # fewer units in an arm than this cannot show how they vary
HALF = 0.5  # added to baseline counts under a logarithm


@dataclass(frozen=True)
class Panel:
    """Units of one trial as arrays of equal length, one row per unit and period.

    Attributes
    ----------
    value
        Counts, or means.
    exposure
        Days of the period for counts; persons or places behind a mean.
    arm
        0 control, 1 and up the treated arms; in the baseline the arm to come.
    after
        1 in the trial, 0 in the baseline.
    unit, stratum, window
        Numbers from 0.
    x
        Dose of the row in the slope's own unit.
    mean
        Whether values are means and not counts.
    """

    value: np.ndarray
    exposure: np.ndarray
    arm: np.ndarray
    after: np.ndarray
    unit: np.ndarray
    stratum: np.ndarray
    window: np.ndarray
    x: np.ndarray
    mean: bool = False

    def where(self, keep: np.ndarray) -> Panel:
        """Some of its rows."""
        arrays = {k: v[keep] for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **arrays)


@dataclass(frozen=True)
class Effect:
    """What a trial reports.

    Attributes
    ----------
    arm
        Index of the treated arm; 0 for a slope, which all arms share.
    percent, low, high
        Relative change in per cent, with the interval.
    change, change_low, change_high
        The same in the outcome's unit (per unit and period), where the estimator gives it.
    p
        Two-sided probability of a result as far from none.
    units
        Units behind it.
    """

    arm: int
    percent: float
    low: float
    high: float
    change: float = math.nan
    change_low: float = math.nan
    change_high: float = math.nan
    p: float = math.nan
    units: int = 0


def estimate(panel: Panel, keys: EstimatorKeys, paired: bool = False) -> list[Effect]:
    """Effects of all treated arms.

    Parameters
    ----------
    panel
        The trial's units.
    keys
        The entry's estimator.
    paired
        Whether strata are matched pairs, within which errors may go together.
    """
    return {"rate_ratio": rate_ratio, "risk_difference": risk_difference, "slope": slope,
            "difference_in_differences": difference_in_differences}[keys.kind](
                panel, keys, paired)


def rate_ratio(panel: Panel, keys: EstimatorKeys, paired: bool = False) -> list[Effect]:
    """Ratio of rates after treatment, by Poisson or negative binomial regression.

    With ``adjust`` the logarithm of the unit's baseline rate is a covariate. Blocks get a level
    each; of pairs the errors are clustered.
    """
    now = panel.where(panel.after == 1)
    arms = np.unique(panel.arm[panel.arm > 0])
    columns = [np.ones(len(now.value)), *(now.arm == a for a in arms)]
    if keys.adjust:
        columns.append(np.log(_baseline(panel, now)))
    columns += [] if paired else _levels(now.stratum, now.value)
    fit = _fit(now, np.column_stack(columns).astype("f8"), keys,
               now.stratum if paired else None)
    return [_relative(fit, 1 + i, keys, int(a), len(now.value), _empty(now, a))
            for i, a in enumerate(arms)]


def difference_in_differences(panel: Panel, keys: EstimatorKeys,
                              paired: bool = False) -> list[Effect]:
    """Change of the treated against change of the controls.

    For counts the ratio of ratios; where an arm has fewer than three units, its interval rests
    on the counts alone (variance of the log: the sum of their inverses, times
    ``overdispersion``). For means the difference of differences, errors clustered by unit.
    """
    arms = np.unique(panel.arm[panel.arm > 0])
    columns = [np.ones(len(panel.value)), panel.after]
    for a in arms:
        columns += [panel.arm == a, (panel.arm == a) & (panel.after == 1)]
    if not panel.mean and min(_units_in(panel, a) for a in (0, *arms)) < FEW:
        return [_cells(panel, int(a), keys) for a in arms]
    design = np.column_stack(columns).astype("f8")
    if panel.mean:
        return _means(panel, design, keys, arms, [3 + 2 * i for i in range(len(arms))], panel.unit)
    fit = _fit(panel, design, keys, panel.stratum if paired else panel.unit)
    return [_relative(fit, 3 + 2 * i, keys, int(a), len(np.unique(panel.unit)), _empty(panel, a))
            for i, a in enumerate(arms)]


def risk_difference(panel: Panel, keys: EstimatorKeys, paired: bool = False) -> list[Effect]:
    """Difference of means (or of counts per unit), by least squares; also relative to control."""
    now = panel.where(panel.after == 1)
    arms = np.unique(panel.arm[panel.arm > 0])
    columns = [np.ones(len(now.value)), *(now.arm == a for a in arms)]
    if keys.adjust:
        before = _of_baseline(panel, now)
        columns.append(before - before.mean())
    columns += [] if paired else _levels(now.stratum)
    return _means(now, np.column_stack(columns).astype("f8"), keys, arms,
                  range(1, 1 + len(arms)), now.stratum if paired else None)


def slope(panel: Panel, keys: EstimatorKeys, paired: bool = False) -> list[Effect]:
    """Change per unit of the dose ``x`` over a panel, with a level per unit and per window."""
    now = panel.where(panel.after == 1)
    design = np.column_stack([np.ones(len(now.value)), now.x, *_levels(now.unit, now.value),
                              *_levels(now.window, now.value)]).astype("f8")
    if now.mean:
        return _means(now, design, keys, [0], [1], now.unit)
    fit = _fit(now, design, keys, now.unit)
    return [_relative(fit, 1, keys, 0, len(np.unique(now.unit)), now.value.sum() == 0)]


# --- inner


@dataclass(frozen=True)
class _Fit:
    b: np.ndarray
    cov: np.ndarray
    df: int


def _fit(panel: Panel, design: np.ndarray, keys: EstimatorKeys, groups) -> _Fit:
    """Coefficients on the log scale with their robust covariance."""
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    offset = np.log(panel.exposure)
    blank = np.full(design.shape[1], np.nan)
    if panel.value.sum() == 0 or np.linalg.matrix_rank(design) < design.shape[1]:
        return _Fit(blank, np.diag(blank), 1)
    family = families.Poisson()
    if keys.family == "negative_binomial":
        mean = GLM(panel.value, design, family, offset=offset).fit().mu
        alpha = ((panel.value - mean) ** 2 - mean).sum() / (mean ** 2).sum()
        if alpha > 1e-6:
            family = families.NegativeBinomial(alpha=alpha)
    model = GLM(panel.value, design, family, offset=offset)
    return _robust(model, design, groups)


def _robust(model, design: np.ndarray, groups) -> _Fit:
    """Fit with a sandwich covariance that leaves each unit or cluster out of its own mean.

    The plain sandwich is too narrow for the numbers of units that trials have. Dividing each
    residual by what the unit leaves of it (HC3 of MacKinnon and White 1985; for clusters CR3 of
    Bell and McCaffrey 2002) keeps intervals near their level.
    """
    result = model.fit()
    rows, columns = design.shape
    weight = np.asarray(model.family.weights(result.mu), "f8")
    root = np.sqrt(weight)
    x = design * root[:, None]
    residual = root * (model.endog - result.mu) * model.family.link.deriv(result.mu)
    bread = np.linalg.inv(x.T @ x)
    if groups is None:
        left = 1.0 - np.einsum("ij,jk,ik->i", x, bread, x)
        meat = x * (residual / np.maximum(left, 1e-8))[:, None]
    else:
        scores = []
        for g in np.unique(groups):
            own = x[groups == g]
            left = np.linalg.pinv(np.eye(len(own)) - own @ bread @ own.T, rcond=1e-8)
            scores.append(own.T @ left @ residual[groups == g])
        meat = np.asarray(scores)
    n = len(meat)
    cov = bread @ (meat.T @ meat) @ bread * (n - 1) / n
    df = n - columns if groups is None else n - 1
    return _Fit(np.asarray(result.params), cov, max(1, df))


def _relative(fit: _Fit, at: int, keys: EstimatorKeys, arm: int, units: int,
              empty: bool) -> Effect:
    """A log ratio as a change in per cent; nothing can be said of an arm without any event."""
    if empty or not np.isfinite(fit.b[at]):
        return Effect(arm, math.nan, math.nan, math.nan, units=units)
    b, se = float(fit.b[at]), math.sqrt(max(0.0, float(fit.cov[at, at])))
    half = student.ppf(0.5 + keys.level / 200, fit.df) * se
    p = float(2 * student.sf(abs(b) / se, fit.df)) if se > 0 else math.nan
    low, mid, high = (100 * math.expm1(v) for v in (b - half, b, b + half))
    return Effect(arm, mid, low, high, p=p, units=units)


def _means(panel: Panel, design, keys: EstimatorKeys, arms, at, groups) -> list[Effect]:
    """Least squares; the change itself and relative to the level without treatment."""
    from statsmodels.genmod.generalized_linear_model import GLM

    if np.ptp(panel.value) == 0 or np.linalg.matrix_rank(design) < design.shape[1]:
        return [Effect(int(a), *[math.nan] * 3) for a in arms]
    fit = _robust(GLM(panel.value, design), design, groups)
    found = []
    for a, column in zip(arms, at, strict=True):
        b, se = float(fit.b[column]), math.sqrt(max(0.0, float(fit.cov[column, column])))
        half = student.ppf(0.5 + keys.level / 200, fit.df) * se
        treated = panel.value[(panel.arm == a) & (panel.after == 1)].mean() if a else \
            panel.value.mean()
        usual = treated - b if a else treated
        told = usual > 0 and not (a and _empty(panel, a))
        percent = [100 * v / usual if told else math.nan for v in (b, b - half, b + half)]
        p = float(2 * student.sf(abs(b) / se, fit.df)) if se > 0 else math.nan
        found.append(Effect(int(a), *percent, b, b - half, b + half, p,
                            len(np.unique(panel.unit))))
    return found


def _cells(panel: Panel, arm: int, keys: EstimatorKeys) -> Effect:
    """Ratio of ratios of four sums, as evaluations with one area on each side report it."""
    cells = [(panel.value[keep].sum(), panel.exposure[keep].max())
             for a in (arm, 0) for after in (1, 0)
             for keep in [(panel.arm == a) & (panel.after == after)]]
    units = len(np.unique(panel.unit))
    if min(count for count, _ in cells) == 0:
        return Effect(arm, math.nan, math.nan, math.nan, units=units)
    logs = [math.log(count / days) for count, days in cells]
    b = (logs[0] - logs[1]) - (logs[2] - logs[3])
    variance = keys.overdispersion * sum(1 / count for count, _ in cells)
    fit = _Fit(np.array([b]), np.array([[variance]]), 10**6)
    return _relative(fit, 0, keys, arm, units, False)


def _baseline(panel: Panel, now: Panel) -> np.ndarray:
    """Baseline rate of the unit of each row, kept above zero."""
    before = panel.where(panel.after == 0)
    value, days = np.zeros(panel.unit.max() + 1), np.ones(panel.unit.max() + 1)
    value[before.unit], days[before.unit] = before.value, before.exposure
    return ((value + HALF) / days)[now.unit]


def _of_baseline(panel: Panel, now: Panel) -> np.ndarray:
    before = panel.where(panel.after == 0)
    value = np.zeros(panel.unit.max() + 1)
    value[before.unit] = before.value
    return value[now.unit]


def _levels(group: np.ndarray, value: np.ndarray | None = None) -> list[np.ndarray]:
    """An indicator for each group but the first; groups without any event share its level."""
    names = [g for g in np.unique(group) if value is None or value[group == g].sum() > 0]
    return [group == g for g in names[1:]]


def _units_in(panel: Panel, arm: int) -> int:
    return len(np.unique(panel.unit[panel.arm == arm]))


def _empty(panel: Panel, arm: int) -> bool:
    """Whether the arm or the control saw no event in a period: then no ratio can be told."""
    return min(panel.value[(panel.after == after) & (panel.arm == a)].sum()
               for after in np.unique(panel.after) for a in (arm, 0)) == 0

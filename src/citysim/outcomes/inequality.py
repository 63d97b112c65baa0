"""How unequally victimisation falls."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import Record
from citysim.outcomes.registry import Measure, register


def gini(values: np.ndarray) -> float:
    """Gini coefficient of non-negative values: 0 equal, near 1 all on one; NaN for no total."""
    values = np.sort(np.asarray(values, float))
    total = values.sum()
    if not total:
        return float("nan")
    n = len(values)
    return float((2 * np.arange(1, n + 1) - n - 1) @ values / (n * total))


@register({
    "victimisation.gini": Measure("Inequality of victimisation", "Gini", "lower",
                                  "Gini of offences suffered over residents in the window."),
    "victimisation.top10_share": Measure(
        "Share of the most victimised tenth of victims", "share", "lower",
        "Share of offences suffered by the tenth of victims (not of residents) that suffered most; "
        "with few repeats near a tenth, and larger in longer windows."),
    "victimisation.poorest_richest": Measure(
        "Poorest to richest fifth", "ratio", "lower",
        "Offences suffered per head in the poorest fifth over the richest."),
})
def inequality(record: Record):
    """Concentration of victimisation among residents."""
    chosen = np.isin(record.events[:, ev.OFFENCE], record.select("all"))
    victim = record.events[chosen, ev.VICTIM]
    victim = victim[(victim >= 0) & (victim < record.n_residents)]
    if not len(victim):
        return
    suffered = np.bincount(victim, minlength=record.n_residents)
    yield "victimisation.gini", "all", gini(suffered)
    hit = np.sort(suffered[suffered > 0])[::-1]
    yield "victimisation.top10_share", "all", hit[:max(1, round(len(hit) / 10))].sum() / hit.sum()
    names = record.groups.names
    rate = record.groups.sum(record.victim_cells(chosen)) / np.maximum(1, record.group_size())
    richest = rate[names.index("quintile_5")]
    if richest > 0:
        yield "victimisation.poorest_richest", "all", rate[names.index("quintile_1")] / richest

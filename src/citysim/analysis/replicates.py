"""How narrow the comparison of a study is so far."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from citysim.analysis.contrasts import interval
from citysim.config.errors import InputError, closest_match
from citysim.study.store import Store


def half_width(folder: str | Path, outcome: str) -> float:
    """Half the width of the 90 % interval of the least certain paired contrast.

    Every option is compared with the first scenario in the same future with the same seed. A
    seed's differences are averaged over the futures, and the interval is taken over seeds: it
    holds the luck that more seeds wear away, not the spread between futures.

    Parameters
    ----------
    folder
        Of the study.
    outcome
        Outcome id; of everybody (group ``all``).

    Returns
    -------
    float
        In the outcome's unit; infinite while an option has fewer than two pairs. In a study of
        one scenario alone: of its level.

    Raises
    ------
    InputError
        If the runs have no such outcome.
    """
    import pyarrow.dataset as ds

    store = Store(folder)
    columns = ["scenario", "future", "seed", "outcome", "value"]
    found = store.read("outcomes", columns, (ds.field("group") == "all")
                       & (ds.field("outcome") == outcome))
    if not len(found):
        known = store.read("outcomes", ["outcome"], ds.field("group") == "all")
        known = sorted(set(known["outcome"])) if len(known) else []
        if not known:
            return np.inf
        raise InputError(f"runs have no outcome '{outcome}' for all", where="replicates.of",
                         allowed=known, closest=closest_match(outcome, known))
    names = list(dict.fromkeys(s["name"] for s in store.manifest["scenarios"]))
    wide = found.pivot(index=["future", "seed"], columns="scenario", values="value")
    wide = wide.reindex(columns=names)
    base, *options = names
    apart = wide[options].sub(wide[base], axis=0) if options else wide[[base]]
    by_seed = apart.groupby(level="seed").agg(_mean_over_futures)
    _, half, _, n = interval(by_seed.to_numpy(float).T)
    return float(np.where(n >= 2, half, np.inf).max())


def _mean_over_futures(values) -> float:
    """The mean, or NaN when the option lacks a pair in one of the futures."""
    return values.mean(skipna=False)

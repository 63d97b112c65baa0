"""How narrow the comparison of a study is so far, and how narrow more seeds could make it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from citysim.analysis.repetitions import over_runs
from citysim.config.errors import InputError, closest_match
from citysim.study.store import Store


class Width(NamedTuple):
    """Half the width of a 90 % interval, and the part of it that no number of seeds takes away."""

    half: float
    floor: float


def half_width(folder: str | Path, outcome: str) -> Width:
    """Half the width of the 90 % interval of the least certain paired contrast.

    Every option is compared with the first scenario in the same future with the same seed.

    Parameters
    ----------
    folder
        Of the study.
    outcome
        Outcome id; of everybody (group ``all``).

    Returns
    -------
    Width
        In the outcome's unit, as in the study's table; infinite while an option has fewer than
        two pairs. In a study of one scenario alone: of its level.

    Raises
    ------
    InputError
        If the runs have no such outcome, or the first scenario has none to compare with.
    """
    store = Store(folder)
    found = _values(store, outcome)
    if not len(found):
        return Width(np.inf, 0.0)
    names = list(dict.fromkeys(s["name"] for s in store.manifest["scenarios"]))
    wide = found.pivot(index=["future", "seed"], columns="scenario", values="value")
    base, *options = names
    if base not in wide and base in set(store.runs().query("status == 'done'")["scenario"]):
        raise InputError(f"'{base}' has no outcome '{outcome}' to compare with",
                         where="replicates.of", allowed="an outcome that every scenario has")
    wide = wide.reindex(columns=names)
    apart = wide[options].sub(wide[base], axis=0) if options else wide[[base]]
    return max(width_of(apart[name].dropna()) for name in apart)


def width_of(apart: pd.Series) -> Width:
    """Half width of one contrast from its differences by (future, seed).

    As in the table of contrasts. In several futures a part of it, ``floor``, stays whatever the
    number of seeds: the spread of the futures' means, less the variance in it that is luck (the
    remainder of a two-way analysis of variance over futures and seeds).
    """
    _, half, error, _ = (float(part[0]) for part in over_runs(apart))
    values = apart.unstack("seed").dropna(axis=1).to_numpy(float)
    futures, seeds = values.shape
    if not np.isfinite(half) or seeds < 2:
        return Width(np.inf, 0.0)
    if futures < 2 or error == 0:
        return Width(half, 0.0)
    means = values.mean(axis=1)
    rest = values - means[:, None] - values.mean(axis=0) + values.mean()
    luck = (rest ** 2).sum() / ((futures - 1) * (seeds - 1)) / seeds
    stays = max(0.0, means.var(ddof=1) - luck) / futures
    return Width(half, half * float(np.sqrt(stays)) / error)


def _values(store: Store, outcome: str) -> pd.DataFrame:
    """Rows of the outcome for everybody; none while nothing has run."""
    import pyarrow.dataset as ds

    everybody = ds.field("group") == "all"
    columns = ["scenario", "future", "seed", "outcome", "value"]
    found = store.read("outcomes", columns, everybody & (ds.field("outcome") == outcome))
    if len(found):
        return found
    known = store.read("outcomes", ["outcome"], everybody)
    known = sorted(set(known["outcome"])) if len(known) else []
    if known:
        raise InputError(f"runs have no outcome '{outcome}' for all", where="replicates.of",
                         allowed=known, closest=closest_match(outcome, known))
    return found

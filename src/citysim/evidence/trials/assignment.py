"""Which unit gets which arm in which window: lots drawn by the seed, or none at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from citysim.evidence.trials.schema import CONTROL, Trial
from citysim.evidence.trials.units import LOTS, STREAM
from citysim.kernels.random import address, uniform2


@dataclass(frozen=True)
class Assigned:
    """Arms of units.

    Attributes
    ----------
    arm
        int (units, windows): index into the entry's arms.
    stratum
        int (units): block or pair; all 0 without.
    """

    arm: np.ndarray
    stratum: np.ndarray


def assign(trial: Trial, score: np.ndarray, seed: int) -> Assigned:
    """Assign units to arms.

    Parameters
    ----------
    trial
        The entry.
    score
        What blocks and pairs are made by, one number per unit (baseline crime or a column).
    seed
        The trial's own luck; the same seed draws the same lots.
    """
    keys, n = trial.assignment, len(score)
    names = list(trial.arms)
    order = np.argsort(-score, kind="stable")
    stratum = np.zeros(n, np.int64)
    if keys.kind == "before_after":
        arm = np.full(n, names.index(CONTROL))
        arm[:keys.treated] = names.index(trial.treatments[0])
        return Assigned(arm[:, None], stratum)
    if keys.kind == "switch_back":
        windows = [_lots(np.arange(n), np.full(n, n), names, keys.shares, seed, w)
                   for w in range(keys.windows)]
        return Assigned(np.column_stack(windows), stratum)
    if keys.kind == "blocked":
        stratum[order] = np.arange(n) * keys.blocks // n
    elif keys.kind == "matched_pairs":
        # A rest too small for a group of its own joins the last one.
        groups = max(1, n // len(names))
        stratum[order] = np.minimum(np.arange(n) // len(names), groups - 1)
    arm = np.empty(n, np.int64)
    for s in np.unique(stratum):
        members = np.flatnonzero(stratum == s)
        arm[members] = _lots(members, np.full(len(members), s), names, keys.shares, seed, 0)
    return Assigned(arm[:, None], stratum)


def _lots(members: np.ndarray, stratum: np.ndarray, names: list[str],
          shares: dict[str, float] | None, seed: int, window: int) -> np.ndarray:
    """Arms in equal (or given) shares, dealt out in an order drawn by lots."""
    key = address(seed, STREAM, LOTS + 8 * window)
    n = len(members)
    luck = np.array([uniform2(key, int(u), int(s)) for u, s in zip(members, stratum, strict=True)])
    weights = np.array([(shares or {}).get(name, 0.0 if shares else 1.0) for name in names])
    wanted = weights / weights.sum() * n
    count = np.floor(wanted).astype(int)
    # Units left over go to arms by lot too, so that no arm is favoured by its place in the list.
    spare = np.array([uniform2(key, -1 - a, int(stratum[0])) for a in range(len(names))])
    rest = np.lexsort((spare, -(wanted - count)))[:n - count.sum()]
    count[rest] += 1
    dealt = np.repeat(np.arange(len(names)), count)
    arm = np.empty(n, np.int64)
    arm[np.argsort(luck, kind="stable")] = dealt
    return arm

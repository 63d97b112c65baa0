"""Adding seeds until the comparison is as narrow as the study asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count, islice
from typing import Any

NARROW = "narrow enough"
MOST = "as many seeds as allowed"
FAILED = "runs failed"
APART = "the futures differ by more than that: more of them would narrow it, more seeds would not"


def seeds_so_far(settings, manifest: Mapping[str, Any], study: str) -> list[int]:
    """The study's seeds, with those that an earlier start of the same design added.

    Parameters
    ----------
    settings
        The study's.
    manifest
        What lies in its folder; empty when there is none.
    study
        Key of the design.
    """
    own = list(settings.seeds)
    added = manifest.get("seeds", []) if manifest.get("study_key") == study else []
    return list(added) if settings.replicates and set(own) < set(added) else own


def more_seeds(seeds: Sequence[int], half: float, floor: float,
               rule: Mapping[str, Any]) -> list[int]:
    """Seeds to add; none when the interval is narrow enough, or cannot be made so.

    The part of a variance that is luck shrinks with the number of seeds; the spread between
    futures stays. A width from few seeds is itself uncertain, so their number at most doubles
    before the next look.

    Parameters
    ----------
    seeds
        Those that ran.
    half, floor
        Half width of the least certain contrast, not finite while there are too few pairs, and
        what would be left of it with any number of seeds.
    rule
        ``until_half_width`` and ``max``, as in the study's ``replicates``.
    """
    n, wish = len(seeds), rule["until_half_width"]
    if half <= wish or floor >= wish or n >= rule["max"]:
        return []
    wanted = n + 1
    if math.isfinite(half):
        wanted = max(wanted, math.ceil(n * (half**2 - floor**2) / (wish**2 - floor**2)))
    taken = set(seeds)
    unused = (seed for seed in count(1) if seed not in taken)
    return list(islice(unused, min(wanted, 2 * n, rule["max"]) - n))


def reason(half: float, floor: float, failed: bool, rule: Mapping[str, Any]) -> str:
    """Why no more seeds are added."""
    if half <= rule["until_half_width"]:
        return NARROW
    if failed:
        return FAILED
    return APART if floor >= rule["until_half_width"] else MOST

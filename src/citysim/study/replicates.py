"""Adding seeds until the comparison is as narrow as the study asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count, islice
from typing import Any

NARROW = "narrow enough"
MOST = "as many seeds as allowed"
FAILED = "runs failed"


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


def more_seeds(seeds: Sequence[int], half_width: float, rule: Mapping[str, Any]) -> list[int]:
    """Seeds to add, none when the interval is narrow enough or there are as many as allowed.

    Intervals shrink with the root of the number of seeds; but a width from few seeds is itself
    uncertain, so their number at most doubles before the next look.

    Parameters
    ----------
    seeds
        Those that ran.
    half_width
        Of the least certain contrast; not finite while there are too few pairs.
    rule
        ``until_half_width`` and ``max``, as in the study's ``replicates``.
    """
    n = len(seeds)
    if half_width <= rule["until_half_width"] or n >= rule["max"]:
        return []
    wanted = n + 1
    if math.isfinite(half_width):
        wanted = max(wanted, math.ceil(n * (half_width / rule["until_half_width"]) ** 2))
    taken = set(seeds)
    unused = (seed for seed in count(1) if seed not in taken)
    return list(islice(unused, min(wanted, 2 * n, rule["max"]) - n))


def reason(half_width: float, failed: bool, rule: Mapping[str, Any]) -> str:
    """Why no more seeds are added."""
    if half_width <= rule["until_half_width"]:
        return NARROW
    return FAILED if failed else MOST

"""How a verdict hangs on the constants: agreement of every setting, of some, of none.

The board lets intervals overlap; here it is the middle of the precise effect that has to agree,
since so few seeds leave intervals that would overlap with almost anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from citysim.evidence.trials.pool import FACTOR

if TYPE_CHECKING:
    import pandas as pd

ALWAYS, SOMEWHERE, NOWHERE, UNSAID = "always", "somewhere", "nowhere", "unsaid"


def region(figure: Mapping[str, Any]) -> tuple[float, float]:
    """From where to where a simulated effect agrees with a published one.

    Parameters
    ----------
    figure
        A verdict (``trials/pool.py``, with ``direction``) whose rule is not ``none``.
    """
    rule, value = figure["rule"], figure["published"]
    if rule == "overlap":
        return float(figure["published_low"]), float(figure["published_high"])
    if rule == "sign_and_factor":
        low, high = sorted((value / FACTOR, value * FACTOR))
        return low, high
    if rule == "at_least":
        return float(value), math.inf
    if rule == "direction":
        least = math.ulp(0.0)
        return (least, math.inf) if figure["direction"] == "up" else (-math.inf, -least)
    return 0.0, 0.0


def inside(figure: Mapping[str, Any]) -> bool | None:
    """Whether one setting agrees with a figure; None where there is nothing to say."""
    if figure["rule"] == "null":  # what a single trial would report
        return figure["agrees"]
    if figure["rule"] == "none" or not math.isfinite(figure["simulated"]):
        return None
    low, high = region(figure)
    return bool(low <= figure["simulated"] <= high)


def reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Lowest and highest precise effect of one figure over all settings (NaN: none)."""
    return float(rows["simulated"].min()), float(rows["simulated"].max())


def standing(rows: pd.DataFrame, settings: int) -> str:
    """How the verdict on one figure hangs on the constants.

    Parameters
    ----------
    rows
        The figure in every setting that gave one, with the column ``inside``.
    settings
        How many settings there should be.

    Returns
    -------
    str
        ``always``: every setting agrees. ``somewhere``: one does, or what would agree lies
        between two that do not, so that constants in between would. ``nowhere``: neither.
        ``unsaid``: no setting says anything, or what was said is too little for the others.
    """
    told = [bool(v) for v in rows["inside"] if v is not None and v == v]
    low, high = reach(rows)
    wanted = region(rows.iloc[0])
    if any(told) and all(told):
        return ALWAYS if len(told) == settings else UNSAID
    if any(told) or (told and low <= wanted[1] and high >= wanted[0]):
        return SOMEWHERE
    return NOWHERE if len(told) == settings else UNSAID

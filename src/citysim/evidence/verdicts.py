"""Facts held against simulated cities: what came out, what was published, how far apart.

The verdict goes by the mean over seeds. A range: *inside* it, *near* within a share of its
width beyond an end. A single value: *inside* and *near* by deviation as a share of the value.
The shares stand in ``configs/evidence/board/tolerance.yaml`` and may be set by a fact. What was
published cannot be missed, nor met, where the measure cannot take it with as many crimes and people
as a city has (``Reading.possible``): that is *not measurable*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from citysim.evidence.crimes import CityData, Reading
from citysim.evidence.facts import CONTEXT, Fact, Part, Tolerance
from citysim.evidence.measures import describe

if TYPE_CHECKING:
    import pandas as pd

INSIDE, NEAR, OUTSIDE, NOT_MEASURABLE, SHOWN = (
    "inside", "near", "outside", "not measurable", "shown")
LEVEL = 0.9  # of the interval over seeds
ROUNDING = 1e-9  # an end counts as inside, whatever floating point makes of it
COLUMNS = ("fact", "part", "name", "measure", "unit", "use", "status", "counted", "mean", "low",
           "high", "word", "seeds", "cases", "target", "target_value", "target_low",
           "target_high", "verdict", "off", "seeds_inside", "note", "fact_note", "source")


def evaluate(facts: Iterable[Fact], data: CityData | Sequence[CityData]) -> pd.DataFrame:
    """Hold facts against one city, or one city run with several seeds.

    Parameters
    ----------
    facts
        See :func:`citysim.evidence.facts.load_facts`.
    data
        One entry per seed. Measures over several cities take all entries at once.

    Returns
    -------
    pandas.DataFrame
        One row per fact and part:

        ``mean, low, high``
            Over seeds, with the 90 % t-interval of the mean (NaN below two seeds); ``word``
            instead, where the measure gives one.
        ``seeds, cases``
            Runs that could be measured; crimes or persons they rest on, mean.
        ``target, target_value, target_low, target_high``
            What was published, in words and numbers.
        ``verdict, off``
            ``inside``, ``near``, ``outside``, ``not measurable``, or ``shown`` where nothing is to
            be compared; deviation from the value or the nearer end of the range, as a share
            of it (0 within a range).
        ``seeds_inside``
            Share of the seeds that are inside one by one.
        ``counted``
            Whether the row counts on the board: not from memory, not context, not a method.
        ``note, fact_note``
            Of the first reading; of the fact and part.
    """
    import pandas as pd

    runs = [data] if isinstance(data, CityData) else list(data)
    rows = [_row(fact, part, runs) for fact in facts for part in fact.parts]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def judge(value: float | str, part: Part, tolerance: Tolerance) -> tuple[str, float]:
    """Verdict on a value, and how far off it is as a share (0 within a range)."""
    if part.one_of:
        return (INSIDE if value in part.one_of else OUTSIDE), float("nan")
    if part.value is None and part.low is None:
        return SHOWN, float("nan")
    if part.value is not None:
        off = (value - part.value) / abs(part.value) if part.value else value
        away = abs(off) - ROUNDING
        return (INSIDE if away <= tolerance.inside else NEAR if away <= tolerance.near
                else OUTSIDE), float(off)
    end = part.low if value < part.low else part.high if value > part.high else None
    if end is None:
        return INSIDE, 0.0
    beyond = abs(value - end) / (part.high - part.low) - ROUNDING
    return (NEAR if beyond <= tolerance.width else OUTSIDE), \
        float((value - end) / abs(end) if end else value)


def tally(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that count, by use: how many are inside, near, outside, not measurable."""
    counted = table[table["counted"] | ((table["verdict"] == NOT_MEASURABLE)
                                        & (table["status"] != "memory")
                                        & table["use"].isin(["calibrate", "check"]))]
    return (counted.groupby("use")["verdict"].value_counts().unstack(fill_value=0)
            .reindex(columns=[INSIDE, NEAR, OUTSIDE, NOT_MEASURABLE], fill_value=0))


def _row(fact: Fact, part: Part, runs: list[CityData]) -> dict[str, Any]:
    many = describe(fact.measure).of_many
    readings = [fact.read(part, run) for run in ([runs] if many else runs)]
    whole = [r for r in readings if r.measurable]
    row = dict.fromkeys(COLUMNS, float("nan")) | {
        "fact": fact.id, "part": part.label, "name": fact.name, "measure": fact.measure,
        "unit": fact.unit, "use": part.use, "status": fact.status, "counted": False, "word": "",
        "seeds": len(whole), "target": part.target, "target_value": _number(part.value),
        "target_low": _number(part.low), "target_high": _number(part.high),
        "verdict": NOT_MEASURABLE, "note": (whole or readings)[0].note,
        "fact_note": "; ".join(text for text in (part.note, fact.note) if text),
        "source": fact.source}
    if not whole:
        return row
    row |= _over_seeds(whole, part, fact.tolerance)
    reason = out_of_reach(whole, part, fact.tolerance)
    if reason:
        return row | {"verdict": NOT_MEASURABLE, "off": float("nan"),
                      "seeds_inside": float("nan"), "note": reason}
    row["counted"] = (fact.status != "memory" and part.use not in (CONTEXT, "method")
                      and row["verdict"] != SHOWN)
    return row


def out_of_reach(readings: Sequence[Reading], part: Part, tolerance: Tolerance) -> str:
    """Why numbers alone keep the mean reading from being near what was published; empty else.

    The mean over seeds lies between the means of the least and of the most that each seed's
    numbers allow. Only where even the nearest value in between would be judged outside can no
    model meet the figure, nor miss it.
    """
    bounds = [r.possible for r in readings]
    low, high = (part.low, part.high) if part.value is None else (part.value, part.value)
    if low is None or None in bounds:
        return ""
    least, most = (float(end) for end in np.mean(bounds, axis=0))
    nearest = least if high < least else most if low > most else max(low, least)
    if judge(nearest, part, tolerance)[0] != OUTSIDE:
        return ""
    mean = float(np.mean([r.value for r in readings]))
    return (f"with as many crimes and people as here it lies between {least:.3g} and {most:.3g} "
            f"whatever they do ({mean:.3g} here); {readings[0].note}")


def _over_seeds(readings: list[Reading], part: Part, tolerance: Tolerance) -> dict[str, Any]:
    values = [r.value for r in readings]
    single = [judge(v, part, tolerance)[0] == INSIDE for v in values]
    found = {"cases": float(np.mean([r.cases for r in readings])),
             "seeds_inside": float(np.mean(single))}
    if isinstance(values[0], str):
        word = max(dict.fromkeys(values), key=values.count)
        verdict, off = judge(word, part, tolerance)
        return found | {"word": word, "verdict": verdict, "off": off}
    mean = float(np.mean(values))
    verdict, off = judge(mean, part, tolerance)
    low, high = interval(values)
    return found | {"mean": mean, "low": low, "high": high, "verdict": verdict, "off": off}


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """t-interval of a mean; NaN below two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    from scipy.stats import t

    half = t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

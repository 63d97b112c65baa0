"""Numbers and names as people read them, the same in the terminal and in the report."""

from __future__ import annotations

import math

import pandas as pd

from citysim.analysis.contrasts import shown, verdict

MINUS = "\u2212"
_PERCENT = 100.0
_SIGNIFICANT = 3
_GROUPS = {"all": "everyone", "youth": "young people", "adult": "adults",
           "elderly": "older people", "migrants": "foreign nationals",
           "quintile_1": "poorest fifth", "quintile_2": "second fifth",
           "quintile_3": "middle fifth", "quintile_4": "fourth fifth",
           "quintile_5": "richest fifth"}
_BANDS = {"day": "by day", "evening": "in the evening", "night": "at night"}
_ARROWS = {True: "\u25b2", False: "\u25bc"}


def scenario_label(name: str) -> str:
    """``night_activation`` as ``Night activation``."""
    return name.replace("_", " ").strip().capitalize()


def group_label(group: str) -> str:
    """A group id in words."""
    head, _, rest = group.partition(":")
    if head == "district":
        return rest
    if head == "hours":
        return _BANDS.get(rest, rest)
    return _GROUPS.get(group, group.replace("_", " "))


def number(value: float, digits: int = _SIGNIFICANT, sign: bool = False) -> str:
    """A number with so many significant digits and thousands set apart, never in powers."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{abs(value):,.{places}f}"
    if value < 0:
        return MINUS + text
    return ("+" if sign else "") + text


def percent(share: float, sign: bool = True, places: int = 1) -> str:
    """A share as a percentage with a fixed number of decimals, signed unless told not to."""
    if share is None or not math.isfinite(share):
        return "\u2013"
    return f"{fixed(share * _PERCENT, places, sign)} %"


def fixed(value: float, places: int = 1, sign: bool = True) -> str:
    """A number with a fixed number of decimals and a true minus sign."""
    if round(value, places) == 0:
        return f"{0:.{places}f}"
    text = f"{abs(value):,.{places}f}"
    return (MINUS if value < 0 else "+" if sign else "") + text


def is_share(unit: str) -> bool:
    """Whether a unit is a share in [0, 1], whose change is told in percentage points."""
    return unit == "share" or unit.startswith("share ")


def unit_label(unit: str) -> str:
    """A unit as people read it: shares are told in per cent, money in euro."""
    if is_share(unit):
        return unit.replace("share", "%", 1)
    return {"EUR": "euro", "1": ""}.get(unit, unit)


def level(value: float, unit: str) -> str:
    """A level with its unit; shares as percentages, money in euro."""
    if is_share(unit):
        return percent(value, sign=False)
    if unit.upper() in {"EUR", "EURO"}:
        return euro(value)
    return number(value)


def euro(value: float, sign: bool = False) -> str:
    """Money, rounded to three significant digits."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    if value == 0:
        return "\u20ac 0"
    rounded = round(value, _SIGNIFICANT - 1 - math.floor(math.log10(abs(value))))
    mark = MINUS if value < 0 else "+" if sign else ""
    return f"{mark}\u20ac {abs(rounded):,.0f}" if abs(rounded) >= 10 \
        else f"{mark}\u20ac {abs(rounded):,.2f}"


def change(row: pd.Series) -> tuple[str, str]:
    """Difference to the baseline and its interval, in the way that reads best.

    Shares change by percentage points (pts), money in euro, everything else in per cent of the
    baseline, or in the outcome's own unit where the baseline is zero or the interval of the
    percentage would contradict the verdict, which goes by the difference.

    Returns
    -------
    difference, interval : str
        The interval is empty when there is none.
    """
    if is_share(row["unit"]):
        keys, show = ("diff", "diff_lo90", "diff_hi90"), _points
        tail = " pts"
    elif row["unit"].upper() in {"EUR", "EURO"}:
        keys, tail = ("diff", "diff_lo90", "diff_hi90"), ""
        show = _signed_euro
    elif _by_share(row):
        keys, tail = ("relative", "relative_lo90", "relative_hi90"), " %"
        show = _points
    else:
        keys, show = ("diff", "diff_lo90", "diff_hi90"), _signed
        tail = _in_unit(row)
    middle, low, high = (row[k] for k in keys)
    if not math.isfinite(low) or low == high:
        return show(middle) + tail, ""  # nothing known of the spread, or none
    ends = f"{show(low)} to {show(high)}"
    return show(middle) + tail, ends if show is _signed else ends + tail  # a long unit once


def amount(row: pd.Series, explain: bool = False) -> str:
    """A difference in words, ``5.6 % less (5.2 to 5.9 %)``.

    Only for differences that are shown: both ends of the interval lie on one side of zero.
    ``explain`` says what the bracket holds.
    """
    share = is_share(row["unit"])
    key = "diff" if share or not _by_share(row) else "relative"
    plain = key == "diff" and not share
    ends = sorted(abs(row[f"{key}_{end}"]) for end in ("lo90", "hi90"))
    middle, low, high = (number(abs(v)) if plain else fixed(abs(v) * _PERCENT, sign=False)
                         for v in (row[key], *ends))
    unit = " points" if share else _in_unit(row) if plain else " %"
    tail = "" if share or plain else " %"
    more = "more" if row["diff"] > 0 else "less"
    what = "90 % interval " if explain else ""
    return f"{middle}{unit} {more} ({what}{low} to {high}{tail})"


def hardly(row: pd.Series) -> bool:
    """Whether the difference rounds to nothing in the figures that :func:`amount` shows."""
    share = is_share(row["unit"])
    if not share and not _by_share(row):
        return row["diff"] == 0
    return fixed(row["diff" if share else "relative"] * _PERCENT) == fixed(0.0)


def arrow(row: pd.Series) -> str:
    """Up or down triangle for a shown difference, an equals sign otherwise."""
    if not shown(row["diff_lo90"], row["diff_hi90"]):
        return "="
    return _ARROWS[bool(row["diff"] > 0)]


def plain_verdict(row: pd.Series) -> str:
    """The verdict of a row in words, with what is missing when there is no interval."""
    if not math.isfinite(row["diff_lo90"]):
        return "too few runs to tell"
    if row["diff_lo90"] == row["diff_hi90"] == 0:
        return "no change"
    return verdict(row)


def capital(text: str) -> str:
    """Text with its first letter raised, the rest as it is."""
    return text[:1].upper() + text[1:]


def running(text: str) -> str:
    """A label inside a sentence: its first letter lowered, the rest as it is."""
    return text[:1].lower() + text[1:]


def listing(words: list[str]) -> str:
    """``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def _by_share(row: pd.Series) -> bool:
    """Whether a change may be told in per cent: both intervals agree about zero, or none is."""
    return math.isfinite(row["relative"]) and (
        not math.isfinite(row["diff_lo90"])
        or shown(row["relative_lo90"], row["relative_hi90"])
        == shown(row["diff_lo90"], row["diff_hi90"]))


def _in_unit(row: pd.Series) -> str:
    """What follows a number in the outcome's own unit."""
    unit = unit_label(row["unit"])
    return f" {unit}" if unit else ""


def _points(value: float) -> str:
    return fixed(value * _PERCENT)


def _signed_euro(value: float) -> str:
    return euro(value, sign=True)


def _signed(value: float) -> str:
    return number(value, sign=True)

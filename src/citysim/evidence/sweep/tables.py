"""The sweep as plain rows: verdicts across all constants, and one constant at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citysim.analysis.wording import number
from citysim.evidence.board.findings import CONFIRMED
from citysim.evidence.board.tables import (
    BAD,
    GOOD,
    GREY,
    MIDDLE,
    PLAIN,
    UNITS,
    Table,
    effect_words,
    figure_name,
    published_words,
)
from citysim.evidence.sweep.run import ALL, CONFIGURED, Sweep
from citysim.evidence.sweep.standing import (
    ALWAYS,
    NOWHERE,
    SOMEWHERE,
    UNSAID,
    reach,
    standing,
)
from citysim.evidence.trials.constants import HIGH, LOW, Constant

if TYPE_CHECKING:
    import pandas as pd

SAID = {ALWAYS: "whatever they are", SOMEWHERE: "for some values", NOWHERE: "for none",
        UNSAID: "no verdict"}
_TONE = {ALWAYS: GOOD, SOMEWHERE: MIDDLE, NOWHERE: BAD, UNSAID: GREY}
_ORDER = (NOWHERE, SOMEWHERE, ALWAYS, UNSAID)
_FIGURE = ["trial", "outcome", "arm", "scope", "unit", "published", "note"]


def figures(sweep: Sweep, main: bool = True) -> list[tuple[str, pd.DataFrame]]:
    """Published figures with their standing and the rows of all settings.

    Main figures, or all others; worst first, trials from memory last.
    """
    if not len(sweep.figures):
        return []
    found = []
    for _, rows in sweep.figures.groupby(_FIGURE, sort=False, dropna=False):
        first = rows.iloc[0]
        if bool(first["main"]) == main and first["rule"] != "none":
            found.append((standing(rows, sweep.planned(first["trial"])), rows))
    return sorted(found, key=lambda f: (f[1].iloc[0]["status"] != CONFIRMED, _ORDER.index(f[0]),
                                        f[1].iloc[0]["trial"]))


def configured(rows: pd.DataFrame):
    """The row of a figure with everything as configured, or None if that did not run."""
    found = rows[(rows["constant"] == ALL) & (rows["end"] == CONFIGURED)]
    return next(found.itertuples(), None)


def across(sweep: Sweep, main: bool = True) -> Table:
    """One row a published figure, over everything that its constants may be."""
    table = Table("Main figures" if main else "Other figures",
                  ("Trial and outcome", "Published", "As configured", "Lowest to highest",
                   "Agrees"))
    for word, rows in figures(sweep, main):
        first = next(rows.itertuples())
        tone = GREY if first.status != CONFIRMED else _TONE[word]
        low, high = reach(rows)
        table.add(tone, figure_name(first) + (f" ({first.note})" if first.note else ""),
                  published_words(first), _said(configured(rows)),
                  f"{low:+.1f} to {high:+.1f} {UNITS[first.unit]}" if low == low else "\u2013",
                  SAID[word] + ("" if first.status == CONFIRMED
                                else f" (from {first.status}, not counted)"))
    return table


def apart(sweep: Sweep) -> Table:
    """Main figures with one constant at a time at the ends of its range."""
    table = Table("One constant at a time",
                  ("Trial and outcome", "Constant", "Configured", "Range", "Effect at the low end",
                   "at the high end", "as configured"))
    for _, rows in figures(sweep):
        first, base = rows.iloc[0], configured(rows)
        effects = {(r.constant, r.end): r for r in rows.itertuples()}
        for constant in sweep.constants[first["trial"]]:
            table.add(GREY if first["status"] != CONFIRMED else PLAIN, figure_name(first),
                      constant.name, *_values(constant),
                      *(_said(effects.get((constant.name, end))) for end in (LOW, HIGH)),
                      _said(base))
    return table


def headline(sweep: Sweep) -> str:
    """How much of the board's verdict hangs on the constants."""
    found = [word for word, rows in figures(sweep) if rows.iloc[0]["status"] == CONFIRMED]
    always, some, none, silent = (found.count(word) for word in (ALWAYS, SOMEWHERE, NOWHERE,
                                                                 UNSAID))
    return (f"By their main figure, {always} of {len(found)} confirmed trials agree with what was "
            f"published whatever their constants are within their ranges, {some} for some values, "
            f"{none} for none" + (f"; {silent} say nothing." if silent else "."))


def _values(constant: Constant) -> tuple[str, str]:
    if len(constant.now) > 1:
        return "each offence's own", "each offence's own"
    (now,), (low,), (high,) = (v.values() for v in (constant.now, constant.low, constant.high))
    unit = "" if constant.unit == "1" else f" {constant.unit}"
    return f"{number(now)}{unit}", f"{number(low)} to {number(high)}"


def _said(row) -> str:
    return "\u2013" if row is None else effect_words(row.simulated, None, None, UNITS[row.unit])

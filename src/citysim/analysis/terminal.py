"""The compact table that the command line prints when a study ends."""

from __future__ import annotations

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from citysim.analysis.leading import leading, left_out
from citysim.analysis.measures import MAIN_OUTCOMES, meaning
from citysim.analysis.wording import arrow, change, level, plain_verdict, scenario_label

_STYLES = {"better": "bold green", "worse": "bold red", "higher": "bold", "lower": "bold"}
_CAPTION = "= no difference can be shown; pts: percentage points."


def main_table(summary: pd.DataFrame) -> Table:
    """Main outcomes by scenario: level of the baseline, change of the others.

    Parameters
    ----------
    summary
        Frame of :func:`citysim.analysis.contrasts.summarise`.

    Returns
    -------
    rich.table.Table
        A row per outcome, a column per scenario (of many, the leading ones). Each cell holds
        the difference to the baseline with its 90 % interval; arrow and word say it without
        colour.
    """
    rows = summary[summary["group"] == "all"]
    every = list(dict.fromkeys(rows["scenario"]))  # the summary keeps the study's order
    names = leading(summary, every)
    pairing = "future and seed" if "futures" in rows and (rows["futures"] > 1).any() else "seed"
    base = scenario_label(names[0]).lower() if names else "-"
    title = f"Change against {base}, paired by {pairing}"
    caption = " ".join(text for text in (_CAPTION, left_out(names, every)) if text)
    table = Table(title=f"{title}, with 90 % intervals",
                  box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    table.add_column("outcome", overflow="fold")
    for position, name in enumerate(names):
        table.add_column(scenario_label(name) + ("" if position else " (level)"),
                         justify="right", overflow="fold")
    for outcome in MAIN_OUTCOMES:
        found = rows[rows["outcome"] == outcome].set_index("scenario")
        if len(found):
            unit = found["unit"].iloc[0]
            table.add_row(Text(meaning(outcome).label).append(f"\n{unit}", style="dim"),
                          *[_cell(found, name, not i) for i, name in enumerate(names)])
    return table


def _cell(found: pd.DataFrame, name: str, is_base: bool) -> Text:
    if name not in found.index:
        return Text("\u2013")
    row = found.loc[name]
    if is_base:
        return Text(level(row["mean"], row["unit"]))
    difference, interval = change(row)
    word = plain_verdict(row)
    text = Text(f"{arrow(row)} {difference}", style=_STYLES.get(word, "dim"))
    return text.append(f"\n{interval or word}", style="dim")

"""Which of many options a reader is shown."""

from __future__ import annotations

import pandas as pd

from citysim.analysis.measures import CRIME, HEADLINE, first_present, meaning

MOST_OPTIONS = 7
"""Options beside the baseline that tables and figures hold, as many as there are colours; files
hold all."""


def leading(summary: pd.DataFrame, scenarios: list[str], most: int = MOST_OPTIONS) -> list[str]:
    """The baseline and the options with the best mean effect on crime.

    Parameters
    ----------
    summary
        Frame of :func:`citysim.analysis.contrasts.summarise`.
    scenarios
        All scenarios, the baseline first.
    most
        Number of options to keep; all stay, in their order, where there are no more.

    Returns
    -------
    list of str
        The baseline first, then the best. Where crime was not measured, the first headline
        outcome with a better direction counts.
    """
    if len(scenarios) <= most + 1:
        return list(scenarios)
    rows = summary[(summary["group"] == "all") & (summary["scenario"] != scenarios[0])]
    outcome = first_present((*CRIME, *HEADLINE), rows["outcome"])
    if outcome is None:
        return scenarios[:most + 1]
    sign = -1.0 if meaning(outcome).better == "lower" else 1.0
    gain = sign * rows[rows["outcome"] == outcome].set_index("scenario")["diff"]
    best = gain.dropna().sort_values(ascending=False, kind="stable").index[:most]
    return [scenarios[0], *best]


def left_out(shown: list[str], scenarios: list[str]) -> str:
    """One sentence on what is not shown; empty where all is."""
    if len(shown) >= len(scenarios):
        return ""
    return (f"Of {len(scenarios) - 1} options, the {len(shown) - 1} with the best mean effect on "
            "crime are shown; the files hold all. The best of many look better than they are: "
            "part of their lead is luck.")

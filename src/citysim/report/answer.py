"""The answer in a few plain sentences, made from the numbers and from nothing else."""

from __future__ import annotations

import math

import pandas as pd

from citysim.analysis.contrasts import shown
from citysim.analysis.costs import CRIMES_AVOIDED
from citysim.analysis.measures import (
    CRIME,
    MAIN_OUTCOMES,
    NIGHT,
    SAFETY,
    TRUST,
    first_present,
    meaning,
)
from citysim.analysis.wording import (
    amount,
    change,
    euro,
    group_label,
    hardly,
    listing,
    plain_verdict,
    running,
    scenario_label,
)

_FEW_RUNS = ("Too few runs: nothing can be said of any measure from these runs. At least two seeds "
             "are needed, five or more to see small effects.")
_MOST_GROUPS = 4


def answer(summary: pd.DataFrame, gains: pd.DataFrame, costs: pd.DataFrame) -> list[str]:
    """Plain sentences: crime, safety, money, and what gets worse.

    Parameters
    ----------
    summary, gains, costs
        Frames of :mod:`citysim.analysis`.

    Returns
    -------
    list of str
        Up to six short paragraphs, each ``topic: sentences``, without markup. A difference is
        claimed only where its 90 % interval leaves out zero.
    """
    rows = summary[(summary["group"] == "all") & (summary["scenario"] != summary["baseline"])]
    if not len(rows):
        return ["Nothing to compare: the study has only one scenario."]
    if not rows["diff_lo90"].notna().any():
        return [_FEW_RUNS]
    crime = first_present(CRIME, rows["outcome"])
    said = [_effects(rows, crime, "Crime"),
            _effects(rows, SAFETY, "Feeling safe after dark"), _night_and_trust(rows),
            _money(costs), _drawbacks(rows, gains), _paradox(rows, crime)]
    return [s for s in said if s]


def _effects(rows: pd.DataFrame, outcome: str | None, topic: str) -> str:
    """One paragraph on one outcome: who does it, by how much, and for whom nothing is shown."""
    found = rows[rows["outcome"] == outcome]
    if not len(found):
        return ""
    verdicts = found.apply(plain_verdict, axis=1)
    open_ = [scenario_label(s)
             for s in found.loc[~verdicts.isin(["better", "worse"]), "scenario"]]
    if len(open_) == len(found):
        return f"{topic}: for none of the measures can a difference be shown."
    said, small = [], found.apply(hardly, axis=1)
    for word in ("better", "worse"):
        part = found[(verdicts == word) & ~small]
        if len(part):
            said.append(_ranking(part, first=not said))
    slight = found.loc[verdicts.isin(["better", "worse"]) & small, "scenario"]
    if len(slight):
        said.append(f"With {listing([running(scenario_label(s)) for s in slight])} there is "
                    "hardly any change")
    if open_:
        said.append(f"For {listing([running(s) for s in open_])} no difference can be shown")
    return f"{topic}: " + ". ".join(said) + "."


def _ranking(part: pd.DataFrame, first: bool) -> str:
    """Measures that move an outcome the same way, the strongest first."""
    part = part.reindex(part["diff"].abs().sort_values(ascending=False).index)
    top = part.iloc[0]
    verb = "raises" if top["diff"] > 0 else "lowers"
    most = " most" if len(part) > 1 else ""
    text = f"{scenario_label(top['scenario'])} {verb} it{most}: {amount(top, first)}"
    rest = [f"{running(scenario_label(r['scenario']))} {amount(r)}"
            for _, r in part.iloc[1:].iterrows()]
    return text + (f"; then {listing(rest)}" if rest else "")


def _night_and_trust(rows: pd.DataFrame) -> str:
    said = []
    for outcome, good in ((NIGHT, "more people are out at night"),
                          (TRUST, "trust in the police is higher")):
        found = rows[rows["outcome"] == outcome]
        found = found[[plain_verdict(r) == "better" and not hardly(r)
                       for _, r in found.iterrows()]]
        if len(found):
            names = listing([running(scenario_label(r["scenario"])) + f" ({change(r)[0]})"
                             for _, r in found.iterrows()])
            said.append(f"{good} with {names}")
    if not said:
        return ""
    return f"Night life and trust: {'; '.join(said)}."


def _money(costs: pd.DataFrame) -> str:
    rows = costs[(costs["unit"] == CRIMES_AVOIDED) & (costs["status"] == "gain shown")]
    if not len(rows):
        return "" if not len(costs) else \
            "Money: no measure can be shown to avoid crimes for the money it costs."
    rows = rows.sort_values("per_unit")
    first = rows.iloc[0]
    text = (f"Money: {running(scenario_label(first['scenario']))} avoids a crime for about "
            f"{euro(first['per_unit'])} (90 % interval {euro(first['per_unit_lo90'])} to "
            f"{euro(first['per_unit_hi90'])})")
    others = [f"{running(scenario_label(r['scenario']))} {euro(r['per_unit'])}"
              for _, r in rows.iloc[1:].iterrows()]
    return text + (f"; {listing(others)}." if others else ".")


def _drawbacks(rows: pd.DataFrame, gains: pd.DataFrame) -> str:
    """Main outcomes beyond crime and safety that get worse, and groups that lose."""
    said = []
    # What a measure costs is its price, told under money.
    untold = [o for o in MAIN_OUTCOMES if o != SAFETY and not o.startswith(("crime", "cost"))]
    for _, row in rows[rows["outcome"].isin(untold)].iterrows():
        if plain_verdict(row) == "worse" and not hardly(row):
            said.append(f"{running(meaning(row['outcome']).label)} gets worse with "
                        f"{running(scenario_label(row['scenario']))} ({change(row)[0]})")
    lost = gains[(gains["verdict"] == "loses") & (gains["outcome"] == SAFETY)
                 & (gains["kind"] == "people")]
    for name, part in lost.groupby("scenario", sort=False):
        groups = listing([group_label(g) for g in part["group"]][:_MOST_GROUPS])
        said.append(f"with {running(scenario_label(name))} fewer {groups} feel safe after dark")
    return "Drawbacks: " + "; ".join(said) + "." if said else ""


def _paradox(rows: pd.DataFrame, crime: str | None) -> str:
    """Recorded crime that moves against true crime, which headlines would get wrong."""
    if crime is None:
        return ""
    wide = {o: rows[rows["outcome"] == o].set_index("scenario")
            for o in (crime, "crime.recorded.all")}
    names = []
    for name in wide[crime].index.intersection(wide["crime.recorded.all"].index):
        true, seen = wide[crime].loc[name], wide["crime.recorded.all"].loc[name]
        clear = all(math.isfinite(r["diff_lo90"]) and shown(r["diff_lo90"], r["diff_hi90"])
                    for r in (true, seen))
        if clear and true["diff"] < 0 < seen["diff"]:
            names.append(running(scenario_label(name)))
    if not names:
        return ""
    return (f"Beware of the statistics: with {listing(names)} the police record more crime "
            "although less of it happens, because more of it is reported.")

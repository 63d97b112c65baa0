"""Figures of a sweep: what drives the results, robustness, the Pareto set, where options fail."""

from __future__ import annotations

from collections.abc import Iterator

from citysim.analysis.cases import EFFECT, LEVEL
from citysim.analysis.measures import COST, meaning
from citysim.analysis.sensitivity import SHARE
from citysim.analysis.wording import running, scenario_label
from citysim.report.figures.boxes import boxes_plot
from citysim.report.figures.frontier import frontier_plot
from citysim.report.figures.futures import futures_plot
from citysim.report.figures.influence import influence_plot
from citysim.report.material import Material

_MOST_OUTCOMES = 4
_ROBUST_OUTCOMES = 2
_READ = {"ST": "The dot is the share of the spread that would vanish if the factor were known, "
               "together with its interactions; the small bar is what it explains alone.",
         "mu_star": "The dot is how far the outcome moves, on average and whatever the "
                    "direction, when the factor goes through its whole range.",
         "swing": "The dot is how far the outcome moves when only this factor moves.",
         SHARE: "The dot is the share of the outcome\u2019s spread that goes with the factor "
                "alone."}


def _influence(m: Material) -> Iterator[tuple]:
    found = m.sweep.sensitivity
    if found is None or not len(found.table):
        return
    titles = {LEVEL: ("influence_level", "What drives the outcomes?", ""),
              EFFECT: ("influence_effect", "What decides how much a measure changes?",
                       f" Here the outcome is the change against "
                       f"{scenario_label(m.study.baseline).lower()} in the same future.")}
    for of, (name, title, more) in titles.items():
        rows = found.table[found.table["of"] == of]
        rows = rows[rows["outcome"].isin(list(dict.fromkeys(rows["outcome"]))[:_MOST_OUTCOMES])]
        if rows.loc[rows["measure"] == found.main, "value"].notna().any():
            yield (name, title, _READ[found.main] + more + " Bars are 90 % intervals. The ten "
                   "strongest factors are shown.", "influence",
                   influence_plot(rows, found.main, labels(m), m.study.baseline), True)


def _robustness(m: Material) -> Iterator[tuple]:
    table = m.sweep.robustness
    if not len(table):
        return
    outcomes = list(dict.fromkeys(table["outcome"]))[:_ROBUST_OUTCOMES]
    options = [s for s in m.scenarios[1:] if s in set(table["option"])] + [m.study.baseline]
    yield ("futures", "Does it hold whatever the future brings?",
           "Each row is an option. Left: in how many futures it is good enough. Middle: the "
           "average change, and the average over the worst tenth of the futures. Right: how far "
           "it stays behind the best option of the same future (regret); near zero is safe.",
           "robustness", futures_plot(table, outcomes, options, m.study.baseline), True)


def _frontier(m: Material) -> Iterator[tuple]:
    table = m.sweep.pareto
    if not len(table) or COST not in table or m.sweep.points is None:
        return
    objectives = [c for c in table if c not in ("option", "pareto", "pareto_share", COST)]
    if objectives:
        goals = ", ".join(["cost", *(running(meaning(o).label) for o in objectives)])
        yield ("frontier", "Which options are worth their money?",
               f"Further left is cheaper, higher up is better. Blue options are beaten by no "
               f"other in all of {goals} together.", "pareto",
               frontier_plot(table, objectives, m.units, m.study.baseline), True)


def _boxes(m: Material) -> Iterator[tuple]:
    table = m.sweep.discovery
    if table is None or not table["factor"].notna().any():
        return
    with_box = table[table["factor"].notna()]
    for number, (rule, rows) in enumerate(with_box.groupby("fails_when", sort=False), 1):
        label = meaning(rows["outcome"].iloc[0]).label
        yield (f"fails_{number}", f"When does it fail? ({label})",
               f"An option fails where {rule}. Each bar is the whole range of what nobody "
               "controls; most failures lie in the orange parts together.", "discovery",
               boxes_plot(rows, labels(m)), True)


def labels(m: Material) -> dict[str, str]:
    """Label of each factor, with its unit where it has one."""
    return {f.name: f"{f.label} [{f.unit}]" if f.unit else f.label
            for f in (m.sweep.points.factors if m.sweep.points else ())}


SWEEP_FIGURES = (_influence, _robustness, _frontier, _boxes)
"""Makers of figures; each yields name, title, caption, section, figure and whether as SVG."""

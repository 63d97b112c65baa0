"""The report's parts on a sweep, as HTML; all text from outside is escaped."""

from __future__ import annotations

import math
from html import escape

import pandas as pd

from citysim.analysis.leading import left_out
from citysim.analysis.measures import meaning
from citysim.analysis.sweep import FOLDER
from citysim.analysis.wording import (
    capital,
    change,
    euro,
    is_share,
    number,
    percent,
    running,
    scenario_label,
    unit_label,
)
from citysim.report.material import Material, Plate
from citysim.report.sections import plates
from citysim.report.sweep_gallery import labels

_ADJUSTED = 0.10  # the level of all intervals, held by the whole family
_MOST_ROWS = 15
_MOST_NOTES = 6
_WORTH_NAMING = 0.05  # of the strongest factor's influence


def comparisons(m: Material) -> str:
    """How many comparisons there are, and which differences stand when that is allowed for."""
    family = m.family.sort_values(["p_holm", "p_value"], kind="stable")
    if not len(family):
        return ""
    stand = int((family["p_holm"] < _ADJUSTED).sum())
    alone = int((family["p_value"] < _ADJUSTED).sum())
    body = []
    for row in family.head(_MOST_ROWS).to_dict("records"):
        row = pd.Series(row)
        difference, ends = change(row)
        body.append(
            f'<tr><th scope="row">{escape(scenario_label(row["scenario"]))}<span class="unit">'
            f'{escape(meaning(row["outcome"]).label)}</span></th>'
            f'<td data-label="change">{difference}<span class="range">{ends}</span></td>'
            f'<td class="number" data-label="alone">{_chance(row["p_value"])}</td>'
            f'<td class="number" data-label="among all">{_chance(row["p_holm"])}</td></tr>')
    more = "" if len(family) <= _MOST_ROWS else \
        f" The {_MOST_ROWS} surest are shown; <code>{FOLDER}/contrasts.csv</code> has all."
    return ("<details><summary>What stands when the number of comparisons is allowed for"
            f"</summary><p>{len(family)} comparisons are the headline of this study (options "
            "times headline outcomes, for everyone). Looked at one by one, "
            f"{alone} show a difference at the level of 90 %; held against their number (Holm), "
            f"{stand} do.{more}</p>"
            '<div class="wide"><table class="cards"><thead><tr><th scope="col">Option</th>'
            '<th scope="col">Change</th><th class="number" scope="col">p alone</th>'
            '<th class="number" scope="col">p among all</th></tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div></details>")


def what_drives(m: Material, figures: list[Plate]) -> str:
    """Influence of the factors."""
    found = m.sweep.sensitivity
    if found is None or not len(found.table):
        return _heading("What drives the results", _notes(m)) if found is not None else ""
    names = labels(m)
    main = found.table[found.table["measure"] == found.main].copy()
    items = []
    for (outcome, of), rows in main.groupby(["outcome", "of"], sort=False):
        top = rows.sort_values("value", ascending=False, kind="stable")
        top = top[top["value"] >= _WORTH_NAMING * top["value"].max()]
        top = top.drop_duplicates("factor").head(3)
        told = ", ".join(f"{escape(running(names.get(r.factor, r.factor)))} "
                         f"({_influence(r)})" for r in top.itertuples() if r.value > 0)
        if told:
            what = "what acting changes in it" if of == "effect" else "the outcome itself"
            items.append(f"<li><strong>{escape(meaning(outcome).label)}</strong>, {what}: "
                         f"{told}.</li>")
    return _heading("What drives the results",
                    "<p>Which of the things that were varied matter most, with the strongest "
                    "first. A weak factor need not be known better before deciding.</p>"
                    f"<ul>{''.join(items)}</ul>" + plates(figures, "influence") + _notes(m))


def robust(m: Material, figures: list[Plate]) -> str:
    """Regret, share of good futures, worst tenth."""
    table = m.sweep.robustness
    if not len(table):
        return ""
    body = []
    table = table[table["option"].isin(m.scenarios)]
    for row in table.itertuples():
        cells = (("futures", f"{row.futures}"), ("good in", percent(row.share_good, False, 0)),
                 ("average change", _amount(row.effect, row.unit)),
                 ("worst tenth", _amount(row.effect_worst_tenth, row.unit)),
                 ("largest regret", _amount(row.regret_max, row.unit, sign=False)))
        body.append(f'<tr><th scope="row">{escape(scenario_label(row.option))}<span class="unit">'
                    f'{escape(meaning(row.outcome).label)}, {escape(_unit(row.unit))}</span></th>'
                    + "".join(f'<td class="number" data-label="{k}">{v}</td>' for k, v in cells)
                    + "</tr>")
    heads = "".join(f'<th class="number" scope="col">{h}</th>' for h in
                    ("Futures", "Good in", "Average change", "Worst tenth", "Largest regret"))
    return _heading(
        "Does it hold in other futures",
        "<p>Every option met the same futures. Regret is how far an option stays behind the "
        "best option of the same future; the worst tenth is the average over the futures in "
        "which it does worst.</p>" + plates(figures, "robustness")
        + "<details><summary>Each option and outcome</summary>"
        '<div class="wide"><table class="cards"><thead><tr><th scope="col">Option</th>'
        f"{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div></details>")


def where_it_fails(m: Material, figures: list[Plate]) -> str:
    """What scenario discovery said, in sentences."""
    table = m.sweep.discovery
    if table is None:
        return ""
    items = []
    for rule, rows in table.drop_duplicates(["fails_when", "option"]).groupby("fails_when",
                                                                              sort=False):
        items.append(f"<li>Failing means: {escape(rule)} "
                     f"({escape(running(meaning(rows['outcome'].iloc[0]).label))}).<ul>")
        some = rows[rows["failing"] > 0]
        items += [f"<li><strong>{escape(scenario_label(r.option))}</strong> {escape(r.said)}.</li>"
                  for r in some.itertuples()]
        never = len(rows) - len(some)
        items.append(f"<li>{never} {'options do' if never > 1 else 'option does'} not fail in any "
                     "future.</li>" if never else "")
        items.append("</ul></li>")
    return _heading("When it fails",
                    "<p>The part of the futures that holds most failures, found by the patient "
                    "rule induction method. It was found in the same runs that it describes, so "
                    "new runs would agree a little less.</p>"
                    f"<ul>{''.join(items)}</ul>" + plates(figures, "discovery"))


def worth_the_money(m: Material, figures: list[Plate]) -> str:
    """The Pareto set, in a figure and a table of its members."""
    table = m.sweep.pareto
    shown = plates(figures, "pareto")
    if not shown:
        return ""
    goals = [c for c in table if c not in ("option", "pareto", "pareto_share")]
    members = table[table["pareto"]].sort_values("pareto_share", ascending=False, kind="stable")
    body = [f'<tr><th scope="row">{escape(scenario_label(r["option"]))}</th>' + "".join(
                f'<td class="number" data-label="{escape(meaning(g).label)}">'
                f"{_amount(r[g], m.units.get(g, ''))}</td>" for g in goals)
            + f'<td class="number" data-label="in the set">{percent(r["pareto_share"], False, 0)}'
            "</td></tr>" for r in members.head(_MOST_ROWS).to_dict("records")]
    heads = "".join(f'<th class="number" scope="col">{escape(meaning(g).label)}'
                    f'<span class="unit">change, {escape(_unit(m.units.get(g, "")))}</span></th>'
                    for g in goals)
    return (f"<h3>Options that no other beats</h3><p>{len(members)} of {len(table)} options "
            "(doing nothing is one) are beaten by no other in all goals together. \u201cSure "
            "to\u201d says in how many of 200 redraws of the runs an option stays among them.</p>"
            + shown + '<div class="wide"><table class="cards"><thead><tr><th scope="col">Option'
            f'</th>{heads}<th class="number" scope="col">Sure to</th></tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>")


def shown_options(m: Material) -> str:
    """A note on options that are not shown."""
    text = left_out(m.scenarios, m.study.scenarios)
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _heading(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def _notes(m: Material) -> str:
    notes = m.sweep.notes
    if not notes:
        return ""
    items = "".join(f"<li>{escape(capital(n))}.</li>" for n in notes[:_MOST_NOTES])
    more = len(notes) - _MOST_NOTES
    items += f"<li>{more} more of this kind.</li>" if more > 0 else ""
    return f"<details><summary>What was left out</summary><ul>{items}</ul></details>"


def _influence(row) -> str:
    if row.measure in ("ST", "share"):
        return percent(row.value, sign=False, places=0)
    return _amount(row.value, row.unit, sign=False) + (" points" if is_share(row.unit) else "")


def _amount(value: float, unit: str, sign: bool = True) -> str:
    if value is None or not math.isfinite(value):
        return "\u2013"
    if unit.upper() in ("EUR", "EURO"):
        return euro(value, sign)
    return number(value * (100.0 if is_share(unit) else 1.0), sign=sign)


def _unit(unit: str) -> str:
    return "percentage points" if is_share(unit) else unit_label(unit)


def _chance(p: float) -> str:
    return "\u2013" if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"

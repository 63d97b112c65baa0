"""The report's parts as HTML, one function each; all text from outside is escaped."""

from __future__ import annotations

import base64
import math
from html import escape

import pandas as pd

from citysim.analysis.contrasts import who_gains
from citysim.analysis.measures import MAIN_OUTCOMES, meaning
from citysim.analysis.wording import (
    arrow,
    capital,
    change,
    euro,
    group_label,
    is_share,
    level,
    listing,
    number,
    percent,
    plain_verdict,
    scenario_label,
    unit_label,
)
from citysim.report.gallery import Plate
from citysim.results import Results

_CLASS = {"better": "better", "worse": "worse", "no difference shown": "open",
          "too few runs to tell": "open", "no change": "open"}
_CRIME_KINDS = (("true", "hazard", "happened"),
                ("reported", "expected_reported", "reported to the police"),
                ("recorded", "expected_recorded", "recorded by the police"))
_CRIME_TOTALS = (("all", "all crime"), ("all_but_vandalism", "without vandalism"))
_MOST_NAMES = 4
_MOST_NOTES = 6
_NO_PRICE = {"loss shown": "none: it gets worse", "no gain shown": "none: no gain shown",
             "no extra cost": "none: no extra cost"}


def failures(study: Results) -> str:
    """Failed and missing runs, named; empty when there are none."""
    if not len(study.failed) and not study.missing:
        return ""
    items = []
    for run in study.failed.itertuples():
        lines = str(run.error or "no message").strip().splitlines() or ["no message"]
        items.append(f"<li>{escape(scenario_label(run.scenario))}, seed {run.seed}: "
                     f"<code>{escape(lines[-1])}</code></li>")
    if study.missing:
        items.append(f"<li>{study.missing} more were planned and never ended.</li>")
    total = len(study.runs()) + study.missing
    return (f'<div class="alarm"><p><strong>{len(study.failed) + study.missing} of {total} runs '
            "have no result.</strong> Their seeds are left out of the comparisons below.</p>"
            f"<ul>{''.join(items)}</ul></div>")


def remarks(study: Results) -> str:
    """What the runs had to say about their own plans; empty when nothing."""
    found = study.remarks()
    items = [f"<li>{escape(scenario_label(scenario))}: {escape(note)}.</li>"
             for scenario, note in found[:_MOST_NOTES]]
    more = len(found) - len(items)
    if more > 0:
        items.append(f"<li>and {more} more, in the table <code>notes</code></li>")
    return f'<div class="alarm"><p><strong>To know before reading on.</strong></p>' \
           f"<ul>{''.join(items)}</ul></div>" if items else ""


def main_table(summary: pd.DataFrame, scenarios: list[str]) -> str:
    """Main outcomes by scenario, coloured, with sign, word and interval in each cell."""
    rows = summary[summary["group"] == "all"].set_index(["outcome", "scenario"])
    head = "".join(f'<th scope="col">{escape(scenario_label(s))}</th>' for s in scenarios)
    body = []
    for outcome in MAIN_OUTCOMES:
        if (outcome, scenarios[0]) not in rows.index:
            continue
        base = rows.loc[(outcome, scenarios[0])]
        cells = [f'<td data-label="{escape(scenario_label(scenarios[0]))}">'
                 f'<span class="value">{level(base["mean"], base["unit"])}</span>'
                 f'<span class="range">level</span></td>']
        for name in scenarios[1:]:
            there = (outcome, name) in rows.index
            cells.append(_change_cell(rows.loc[(outcome, name)] if there else None, name))
        body.append(f'<tr><th scope="row">{escape(meaning(outcome).label)}'
                    f'<span class="unit">{escape(unit_label(base["unit"]))}</span></th>'
                    + "".join(cells) + "</tr>")
    return (f'<div class="wide"><table class="cards"><thead><tr><th scope="col">Outcome</th>'
            f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>")


def _change_cell(row: pd.Series | None, name: str) -> str:
    label = escape(scenario_label(name))
    if row is None:
        return f'<td data-label="{label}">not measured</td>'
    difference, interval = change(row)
    word = plain_verdict(row)
    chance = "" if not math.isfinite(row["p_better"]) else \
        f'<span class="range">chance {_hundred(row["p_better"])} %</span>'
    ends = f'<span class="range">{interval}</span>' if interval else ""
    return (f'<td class="{_CLASS.get(word, "")}" data-label="{label}">'
            f'<span class="value">{arrow(row)} {difference}</span> '
            f'<span class="word">{word}</span>{ends}{chance}</td>')


def _hundred(chance: float) -> str:
    """A chance in per cent, never rounded to certainty."""
    parts = chance * 100
    if parts < 1 and chance > 0:
        return "below 1"
    if parts > 99 and chance < 1:
        return "above 99"
    return f"{parts:.0f}"


def crime_table(summary: pd.DataFrame, scenarios: list[str]) -> str:
    """True, reported and recorded crime beside what was expected, with and without vandalism."""
    rows = summary[summary["group"] == "all"].set_index("outcome")
    wanted = [f"crime.{kind}.{total}" for total, _ in _CRIME_TOTALS for kind, *_ in _CRIME_KINDS]
    units = rows.loc[rows.index.isin(wanted), "unit"]
    if not len(units):
        return ""
    body = []
    for total, total_words in _CRIME_TOTALS:
        for name in scenarios:
            means = rows.loc[rows["scenario"] == name, "mean"]
            known, happened = (means.get(f"crime.{k}.{total}", math.nan)
                               for k in ("recorded", "true"))
            share = known / happened if happened else math.nan
            body.append(f'<tr><th scope="row">{escape(scenario_label(name))}'
                        f'<span class="unit">{total_words}</span></th>'
                        f"{_crime_cells(means, total)}"
                        f'<td class="number" data-label="share recorded">'
                        f"{percent(share, sign=False, places=0)}</td></tr>")
    return ('<div class="wide"><table class="cards"><thead><tr><th scope="col">Scenario</th>'
            f'{_crime_heads()}<th class="number" scope="col">share recorded</th></tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
            f'<p class="note">All in {escape(units.iloc[0])}, means over the runs. '
            "Below each count stands what was to be expected of it, which carries less luck.</p>")


def _crime_heads() -> str:
    return "".join(f'<th class="number" scope="col">{words}</th>' for _, _, words in _CRIME_KINDS)


def _crime_cells(means: pd.Series, offence: str) -> str:
    """Counts of an offence with their expectations below, from means by outcome."""
    cells = []
    for kind, expected, words in _CRIME_KINDS:
        count, mean = (means.get(f"crime.{k}.{offence}", math.nan) for k in (kind, expected))
        beside = f'<span class="range">expected {number(mean)}</span>' \
            if math.isfinite(mean) else ""
        cells.append(f'<td class="number" data-label="{words}">'
                     f'<span class="value">{number(count)}</span>{beside}</td>')
    return "".join(cells)


def offence_table(summary: pd.DataFrame, baseline: str) -> str:
    """Every offence in the baseline: true, reported, recorded, and what was expected of each."""
    rows = summary[(summary["group"] == "all") & (summary["scenario"] == baseline)]
    means = rows.set_index("outcome")["mean"]
    totals = {t for t, _ in _CRIME_TOTALS}
    offences = [o.removeprefix("crime.true.") for o in means.index
                if o.startswith("crime.true.") and o.removeprefix("crime.true.") not in totals]
    if not offences:
        return ""
    offences.sort(key=lambda o: -means[f"crime.true.{o}"])
    body = [f'<tr><th scope="row">{escape(offence.replace("_", " "))}</th>'
            f"{_crime_cells(means, offence)}</tr>" for offence in offences]
    return (f"<details><summary>Each offence, {escape(scenario_label(baseline).lower())}</summary>"
            '<div class="wide"><table><thead><tr><th scope="col">Offence</th>'
            f"{_crime_heads()}</tr></thead><tbody>{''.join(body)}</tbody></table></div></details>")


def cost_table(costs: pd.DataFrame) -> str:
    """Extra cost, gain and cost per unit of gain by scenario."""
    body = []
    for row in costs.itertuples():
        label = escape(scenario_label(row.scenario))
        gain = f"{number(row.gain, sign=True)}"
        ends = f"{number(row.gain_lo90, sign=True)} to {number(row.gain_hi90, sign=True)}"
        if math.isfinite(row.per_unit):
            price = (f'<span class="value">{euro(row.per_unit)}</span><span class="range">'
                     f"{euro(row.per_unit_lo90)} to {euro(row.per_unit_hi90)}</span>")
        else:
            price = f'<span class="word">{_NO_PRICE.get(row.status, row.status)}</span>'
        body.append(f'<tr><th scope="row">{label}<span class="unit">{escape(row.unit)}</span></th>'
                    f'<td data-label="extra cost">{euro(row.extra_cost)}</td>'
                    f'<td data-label="gain">{gain}<span class="range">{ends}</span></td>'
                    f'<td data-label="cost per unit of gain">{price}</td></tr>')
    if not body:
        return "<p>The study recorded no cost.</p>"
    return ('<div class="wide"><table class="cards"><thead><tr><th scope="col">Scenario</th>'
            '<th scope="col">Extra cost over the evaluation</th><th scope="col">Gain</th>'
            '<th scope="col">Cost per unit of gain</th></tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>")


def gains_list(summary: pd.DataFrame, outcomes: tuple[str, ...]) -> str:
    """Who gains and who loses, in words, by scenario."""
    gains = who_gains(summary)
    gains = gains[(gains["kind"] == "people") & gains["outcome"].isin(outcomes)]
    items = []
    for name, rows in gains.groupby("scenario", sort=False):
        parts = [f"{escape(meaning(outcome).label.lower())}: {_who(found)}"
                 for outcome, found in rows.groupby("outcome", sort=False)]
        items.append(f"<li><strong>{escape(scenario_label(name))}.</strong> "
                     f"{capital('; '.join(parts))}.</li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _who(found: pd.DataFrame) -> str:
    """Gainers and losers among the groups of one outcome."""
    winners, losers = (found[found["verdict"] == w]["group"] for w in ("gains", "loses"))
    if not len(winners) and not len(losers):
        return "no group can be shown to gain or lose"
    said = [f"{_groups(winners, len(found))} gain"] if len(winners) else []
    if len(losers):
        said.append(f"<strong>{_groups(losers, len(found))} lose</strong>")
    return ", ".join(said)


def _groups(groups: pd.Series, of: int) -> str:
    if len(groups) == of:
        return "all groups"
    if len(groups) > _MOST_NAMES:
        return f"{len(groups)} of {of} groups"
    return listing([escape(group_label(g)) for g in groups])


def all_outcomes(summary: pd.DataFrame) -> str:
    """Every outcome for everyone, folded away."""
    rows = summary[(summary["group"] == "all") & (summary["scenario"] != summary["baseline"])]
    body = []
    for row in rows.sort_values(["outcome", "scenario"], kind="stable").itertuples():
        scale = 100.0 if is_share(row.unit) else 1.0
        unit = "%" if is_share(row.unit) else row.unit
        values = [number(v * scale) for v in (row.mean, row.diff, row.diff_lo90, row.diff_hi90)]
        body.append(
            f"<tr><td>{escape(meaning(row.outcome).label)}</td>"
            f"<td>{escape(scenario_label(row.scenario))}</td><td>{escape(unit)}</td>"
            + "".join(f'<td class="number">{v}</td>' for v in values)
            + f'<td class="number">{percent(row.relative)}</td>'
            f'<td class="number">{number(row.p_better)}</td>'
            f"<td class=\"number\">{row.n}</td><td>{escape(row.note)}</td></tr>")
    heads = ("Outcome", "Scenario", "Unit", "Mean", "Difference", "from", "to", "Relative",
             "Chance of being better", "Pairs", "Note")
    return ("<details><summary>Every outcome, for everyone</summary>"
            '<div class="wide"><table><thead><tr>'
            + "".join(f'<th scope="col">{h}</th>' for h in heads)
            + f"</tr></thead><tbody>{''.join(body)}</tbody></table></div></details>")


def plates(found: list[Plate], section: str) -> str:
    """The figures of one section, embedded."""
    return "".join(_plate(p) for p in found if p.section == section)


def _plate(plate: Plate) -> str:
    data = base64.b64encode(plate.path.read_bytes()).decode("ascii")
    return (f"<figure><h3>{escape(plate.title)}</h3><div class=\"wide\">"
            f'<img src="data:image/png;base64,{data}" alt="{escape(plate.title)} '
            f'{escape(plate.caption)}"></div><figcaption>{escape(plate.caption)}</figcaption>'
            "</figure>")

"""What is left of restored places after the money ends? Table, figure and numbers of the answer.

Usage: python analyse.py STUDY [FOLDER FOR THE ANSWER]
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import citysim.results
from citysim.analysis.displacement import at_treated
from citysim.analysis.repetitions import over_runs, share_over_runs
from citysim.report.figures.style import MARKERS, QUIET, SCENARIO_COLOURS, look, new_figure
from citysim.report.saving import save

PATH = "policies.place_regeneration.measures."
LEVERS = {f"{PATH}0.change.add": "works", f"{PATH}1.change.add": "residents' care",
          f"{PATH}2.change.add": "cleaning"}
FIXED = {f"{PATH}0.when.end_day": 365, "policies.place_regeneration.delivery.capacity": 0.9}
NOTHING = "nothing"
ROWS = {"place.upkeep": ("Condition, 100 as new", "points"),
        "night.presence": ("People there at night", "%"),
        "safety.unease": ("Unease after dark, 100 at most", "points"),
        "crime.hazard.all": ("Expected crime", "%")}
POINTS = ("place.upkeep", "safety.unease")
NOISY = ("crime.hazard.all", "night.presence")  # months are smoothed, without bands
MONTHS = 12
COST = ["cost.capital", "cost.running"]


def main(folder: Path, out: Path) -> None:
    """Print and write the answer."""
    study = citysim.results.open(folder)
    names = _names(study.design())
    rows = at_treated(study, list(ROWS))
    rows = rows[rows["scenario"].isin(names.index)]
    rows["year"] = (rows["month"] - 1) // MONTHS + 1
    whole = rows.groupby("year")["month"].nunique() == MONTHS
    rows = rows[rows["year"].map(whole)]
    answer = _changes(rows, "year", names)
    months = _changes(rows, "month", names)
    cost = study.outcomes(COST).pivot_table(index="scenario", columns="outcome", values="value")
    answer = answer.join(cost, on="scenario").drop(columns="scenario")
    table = pd.concat([answer, months.drop(columns="scenario")])
    table.to_csv(out / "answer.csv", index=False, float_format="%.6g")
    _tell(answer)
    save(_figure(months), out / "after_the_money.png", False, study.manifest)


def _names(design: pd.DataFrame) -> pd.Series:
    """What each option holds, by scenario: each lever at 0 or at its largest value."""
    design = design.drop_duplicates("scenario").set_index("scenario").dropna()
    for name, value in FIXED.items():
        design = design[design[name] == value]
    levers = design[list(LEVERS)]
    most = levers.max()
    levers = levers[((levers == 0) | (levers == most)).all(axis=1)]
    return levers.apply(lambda row: " + ".join(label for name, label in LEVERS.items()
                                               if row[name]) or NOTHING, axis=1)


def _changes(rows: pd.DataFrame, period: str, names: pd.Series) -> pd.DataFrame:
    """Change at the treated places by option, outcome and period, with intervals over the runs."""
    by = ["scenario", "outcome", period]
    rows = rows.groupby([*by, "future", "seed"], sort=False)[["value", "base"]].mean()
    found = []
    for (scenario, outcome, when), own in rows.groupby(by, sort=False):
        own = own.droplevel(by)
        change, base = own["value"] - own["base"], own["base"]
        mean, half = (part[0] for part in (over_runs(change)[:2] if outcome in POINTS
                                           else share_over_runs(change, base)))
        found.append({"option": names[scenario], "scenario": scenario, "outcome": outcome,
                      "year": np.nan, "month": np.nan, period: when,
                      "base": over_runs(base).mean[0], "change": mean,
                      "change_lo90": mean - half, "change_hi90": mean + half,
                      "change_is": "difference" if outcome in POINTS else "share of base",
                      "n": len(own)})
    return pd.DataFrame(found)


def _tell(answer: pd.DataFrame) -> None:
    for outcome, (label, unit) in ROWS.items():
        print(f"\n{label} of the treated places, change against no action ({unit}), by year")
        for option, rows in answer[answer["outcome"] == outcome].groupby("option", sort=False):
            print(f"  {option}: base {rows['base'].iloc[-1]:.3g}; " + "; ".join(
                f"{100 * r.change:+.1f} ({100 * r.change_lo90:+.1f} to {100 * r.change_hi90:+.1f})"
                for r in rows.sort_values("year").itertuples()))
    print("\nEUR over the window, once and running")
    print(answer.drop_duplicates("option")[["option", *COST]].to_string(index=False))


def _figure(months: pd.DataFrame):
    options = [o for o in dict.fromkeys(months["option"]) if o != NOTHING]
    with look():
        fig = new_figure(9.6, 5.8)
        for ax, (outcome, (label, unit)) in zip(fig.subplots(2, 2).flat, ROWS.items(),
                                                strict=True):
            for i, option in enumerate(options):
                own = months[(months["outcome"] == outcome)
                             & (months["option"] == option)].sort_values("month")
                middle, low, high = (100 * own[f"change{end}"] for end in ("", "_lo90", "_hi90"))
                if outcome in NOISY:
                    middle, low, high = (v.rolling(3, center=True).mean()
                                         for v in (middle, low, high))
                ax.plot(own["month"], middle, color=SCENARIO_COLOURS[i], marker=MARKERS[i],
                        markevery=(i % 3 + 1, 4), markersize=4.5, linewidth=1.2, label=option)
                if outcome not in NOISY:
                    ax.fill_between(own["month"], low, high, color=SCENARIO_COLOURS[i], alpha=0.15,
                                    linewidth=0)
            ax.axhline(0, color=QUIET, linewidth=0.9)
            ax.axvline(MONTHS + 0.5, color=QUIET, linewidth=0.9, linestyle="--")
            ax.set_title(label)
            ax.set_ylabel(f"change, {unit}")
            ax.set_xlabel("month; dashed: the works' money has ended")
            ax.grid(axis="y")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        fig.supxlabel("At the treated streets, against no action there; bands: 90 % intervals; "
                      "crime and people: means of three months, no bands", fontsize=8, color=QUIET)
    return fig


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)

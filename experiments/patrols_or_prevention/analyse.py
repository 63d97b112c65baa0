"""Same money: patrols or prevention, and when does it pay off? Table, figure and numbers.

Usage: python analyse.py STUDY [FOLDER FOR THE ANSWER]
"""

import sys
from pathlib import Path

import pandas as pd

import citysim.results
from citysim.analysis.contrasts import contrast
from citysim.analysis.main_effects import by_period
from citysim.analysis.wording import fixed
from citysim.report.figures.style import MARKERS, QUIET, SCENARIO_COLOURS, look, new_figure
from citysim.report.saving import save

CRIME = "crime.hazard.all"
ROWS = [(CRIME, "Expected crime", "lower is better"),
        ("safety.safe_after_dark", "Residents who feel safe after dark", "higher is better"),
        ("trust.police", "Trust in the police", "higher is better")]
PATROLS = "patrols only"
SHOWN = (PATROLS, "prevention 50 %, involvement 50 %", "prevention only, involvement 10 %",
         "prevention only, involvement 90 %")
YEAR, QUARTER = 365, 91  # days
LEAST = 0.1  # percentage points that an axis shows at least


def main(folder: Path, out: Path) -> None:
    """Print and write the answer."""
    study = citysim.results.open(folder)
    split = study.design().drop_duplicates("scenario").set_index("scenario")["split"]
    patrols = split.index[split == PATROLS][0]
    outcomes = [outcome for outcome, *_ in ROWS]
    years = _changes(by_period(study, outcomes, YEAR), study.scenarios)
    against = _changes(by_period(study, outcomes, YEAR),
                       [patrols, *(s for s in study.scenarios[1:] if s != patrols)])
    quarters = by_period(study, outcomes, QUARTER)
    course = _changes(quarters, study.scenarios)
    for frame in (years, against, course):
        frame.insert(0, "split", frame["scenario"].map(split))
    answer = pd.concat([years.assign(period_days=YEAR), against.assign(period_days=YEAR),
                        course.assign(period_days=QUARTER)])
    answer = answer[answer["split"].notna() & (answer["scenario"] != answer["baseline"])]
    told = answer.drop(columns=["better", "scenario", "futures", "p_holm", "q_value"])
    told.replace("", pd.NA).dropna(axis="columns", how="all").to_csv(
        out / "answer.csv", index=False, float_format="%.6g")
    _tell("no action", years)
    _tell(PATROLS, against)
    _tell_crossing(_changes(quarters[quarters["outcome"] == CRIME],
                            [patrols, *study.scenarios[1:]]), split)
    save(_figure(course), out / "patrols_or_prevention.png", False, study.manifest)


def _changes(values: pd.DataFrame, scenarios: list[str]) -> pd.DataFrame:
    """Contrasts with the first scenario in each period."""
    scenarios = list(dict.fromkeys(scenarios))
    return pd.concat([contrast(own, scenarios).assign(period=period)
                      for period, own in values.groupby("period")], ignore_index=True)


def _tell(what: str, found: pd.DataFrame) -> None:
    for outcome, label, _ in ROWS:
        print(f"\n{label}, by year: change against {what}")
        own = found[(found["outcome"] == outcome) & found["split"].notna()
                    & (found["scenario"] != found["baseline"])]
        for name, rows in own.groupby("split", sort=False):
            print(f"  {name}: " + "; ".join(_interval(row) for _, row in rows.iterrows()))


def _interval(row: pd.Series) -> str:
    key, unit = ("diff", "points") if row["unit"] == "share" else ("relative", "%")
    middle, low, high = (fixed(100 * row[key + end], 2) for end in ("", "_lo90", "_hi90"))
    return f"{middle} ({low} to {high}) {unit}"


def _tell_crossing(found: pd.DataFrame, split: pd.Series) -> None:
    """From which quarter on an option has less crime than patrols only, for good."""
    print(f"\nLess crime than with {PATROLS}, and so until the end, from quarter")
    for name, rows in found[found["scenario"] != found["baseline"]].groupby("scenario",
                                                                            sort=False):
        rows = rows.sort_values("period")
        lasting = (rows["diff"] < 0)[::-1].cummin()[::-1]
        sure = (rows["diff_hi90"] < 0)[::-1].cummin()[::-1]
        first, surely = (f"{rows['period'][flags].min():.0f}" if flags.any() else "never"
                         for flags in (lasting, sure))
        print(f"  {split.get(name)}: {first} (shown by the intervals: {surely})")


def _figure(course: pd.DataFrame):
    with look():
        fig = new_figure(9.6, 3.7)
        for ax, (outcome, label, better) in zip(fig.subplots(1, len(ROWS)), ROWS, strict=True):
            rows = course[course["outcome"] == outcome]
            key = "diff" if rows["unit"].iloc[0] == "share" else "relative"
            for i, name in enumerate(SHOWN):
                own = rows[rows["split"] == name].sort_values("period")
                middle, low, high = (100 * own[key + end] for end in ("", "_lo90", "_hi90"))
                years = own["period"] * QUARTER / YEAR
                ax.plot(years, middle, color=SCENARIO_COLOURS[i], marker=MARKERS[i],
                        markersize=4, linewidth=1.3, label=name)
                ax.fill_between(years, low, high, color=SCENARIO_COLOURS[i], alpha=0.13,
                                linewidth=0)
            ax.axhline(0, color=QUIET, linewidth=0.9)
            ax.set_title(f"{label}\n({better})")
            ax.set_xlabel("years since the start")
            ax.set_ylabel("change, percentage points" if key == "diff" else "change, %")
            if key == "diff":  # less than a tenth of a point is no change worth a steep line
                low, high = ax.get_ylim()
                ax.set_ylim(min(low, -LEAST), max(high, LEAST))
            ax.grid(axis="y")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        fig.supxlabel("Against no action, by quarter; bands: 90 % intervals", fontsize=8,
                      color=QUIET)
    return fig


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)

"""Print what each scenario changes, in plain lines, from a study's summary.csv.

Usage: python answer.py [STUDY FOLDER]
"""

import sys
from pathlib import Path

import pandas as pd

from citysim.analysis.measures import meaning
from citysim.analysis.wording import change, plain_verdict, scenario_label

OUTCOMES = ("crime.hazard.all", "crime.hazard.all_but_vandalism", "crime.recorded.all",
            "safety.safe_after_dark", "night.users", "trust.police", "cost.total")


def sentence(row: pd.Series) -> str:
    """One scenario's effect on one outcome with its 90 % interval and what that shows."""
    difference, interval = change(row)
    return f"{difference} ({interval}), {plain_verdict(row)}" if interval else difference


def main(folder: Path) -> None:
    """Read the summary and print it by outcome."""
    summary = pd.read_csv(folder / "summary.csv")
    summary = summary[(summary["group"] == "all") & (summary["scenario"] != "no_action")]
    for outcome in OUTCOMES:
        rows = summary[summary["outcome"] == outcome]
        if len(rows):
            print(meaning(outcome).label)
            for _, row in rows.iterrows():
                print(f"  {scenario_label(row.scenario):<20} {sentence(row)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/flagship"))

"""Print what each scenario changes, in plain lines, from a study's summary.csv.

Usage: python answer.py [STUDY FOLDER]
"""

import sys
from pathlib import Path

import pandas as pd

OUTCOMES = ("crime.true.all", "crime.true.all_but_vandalism", "crime.recorded.all",
            "safety.safe_after_dark", "night.users", "trust.police", "cost.total")


def sentence(row: pd.Series) -> str:
    """One scenario's effect on one outcome; an interval that holds zero shows no change."""
    interval = f"90 % interval {row.diff_lo90:+.3g} to {row.diff_hi90:+.3g} {row.unit}"
    if not (row.diff_lo90 > 0 or row.diff_hi90 < 0):
        return f"no change can be shown ({interval})"
    verb = "falls" if row["diff"] < 0 else "rises"
    return f"{verb} by {abs(row['diff']):.3g} ({100 * row.relative:+.1f} %; {interval})"


def main(folder: Path) -> None:
    """Read the summary and print it by outcome."""
    summary = pd.read_csv(folder / "summary.csv")
    summary = summary[(summary["group"] == "all") & (summary["scenario"] != "no_action")]
    for outcome in OUTCOMES:
        rows = summary[summary["outcome"] == outcome]
        if len(rows):
            print(outcome)
            for _, row in rows.iterrows():
                print(f"  {row.scenario:<20} {sentence(row)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/flagship"))

"""How late may venues close, and what must come with it? Table, figure and numbers of the answer.

Usage: python analyse.py STUDY [FOLDER FOR THE ANSWER]
"""

import sys
from pathlib import Path

import pandas as pd

import citysim.results
from citysim.analysis.contrasts import contrast
from citysim.analysis.main_effects import main_effects
from citysim.analysis.points import read_points
from citysim.analysis.wording import fixed
from citysim.report.figures.style import MARKERS, QUIET, SCENARIO_COLOURS, look, new_figure
from citysim.report.saving import save

CLOSING, MIX, BUSES, HOSTS = LEVERS = (
    "policies.closing_hours.measures.0.change.set", "policies.cultural_mix.dose",
    "policies.night_transport.dose", "policies.street_hosts.measures.0.target.count")
PACKAGES = {"nothing else": (0, 0, 0), "cultural mix": (1, 0, 0), "night buses": (0, 1, 0),
            "street hosts": (0, 0, 1), "all three": (1, 1, 1)}  # shares of each lever's largest
NIGHT = "hours:night"
ROWS = [("crime.hazard.assault", NIGHT, "Assaults at night"),
        ("crime.hazard.theft_person", NIGHT, "Thefts from persons at night"),
        ("night.users", "all", "People out at night"),
        ("safety.safe_after_dark", "all", "Residents who feel safe after dark")]
ALSO = [("crime.hazard.harassment", NIGHT), ("crime.hazard.all", "all"),
        ("night.women_men_ratio", "all"), ("cost.capital", "all"), ("cost.running", "all")]


def main(folder: Path, out: Path) -> None:
    """Print and write the answer."""
    study = citysim.results.open(folder)
    wanted = {(outcome, group) for outcome, group, *_ in (*ROWS, *ALSO)}
    values = study.outcomes([outcome for outcome, _ in wanted])
    values = values[[pair in wanted for pair in zip(values["outcome"], values["group"],
                                                    strict=True)]]
    points = read_points(study)
    design = points.rows.drop_duplicates("scenario").set_index("scenario")[list(LEVERS)]
    options = contrast(values, study.scenarios).join(design, on="scenario")
    options["package"] = _package(options)
    effects = main_effects(points, values)
    answer = pd.concat([
        options[options["package"].notna()].assign(kind="option").rename(
            columns={CLOSING: "setting", "package": "what"}),
        effects.assign(kind="main effect").rename(columns={"lever": "what"})])
    keep = ["kind", "what", "setting", "outcome", "group", "unit", "mean", "diff", "diff_lo90",
            "diff_hi90", "relative", "relative_lo90", "relative_hi90", "relative_step",
            "relative_step_lo90", "relative_step_hi90", "n"]
    answer[keep].to_csv(out / "answer.csv", index=False, float_format="%.6g")
    _tell(options)
    save(_figure(options), out / "closing_time.png", False, study.manifest)


def _package(options: pd.DataFrame) -> pd.Series:
    """Name of the package that an option is, apart from the closing hour."""
    of_most = (options[[MIX, BUSES, HOSTS]] / options[[MIX, BUSES, HOSTS]].max()).apply(
        tuple, axis=1)
    return of_most.map({shares: name for name, shares in PACKAGES.items()})


def _tell(options: pd.DataFrame) -> None:
    for outcome, group, label in (*ROWS, *((o, g, o) for o, g in ALSO)):
        rows = options[(options["outcome"] == outcome) & (options["group"] == group)
                       & options["package"].notna()].sort_values(["package", CLOSING])
        print(f"\n{label}, change against today's hours")
        for _, row in rows.iterrows():
            key, factor, unit = "relative", 100, "%"
            if row["unit"] in ("share", "EUR"):
                key = "diff"
                factor, unit = (100, "points") if row["unit"] == "share" else (1, "EUR")
            middle, low, high = (fixed(factor * row[key + end], 2)
                                 for end in ("", "_lo90", "_hi90"))
            print(f"  closing at {row[CLOSING]:.0f} with {row['package']:<13} {middle} "
                  f"({low} to {high}) {unit}")


def _figure(options: pd.DataFrame):
    with look():
        fig = new_figure(9.2, 5.6)
        for ax, (outcome, group, label) in zip(fig.subplots(2, 2).flat, ROWS, strict=True):
            rows = options[(options["outcome"] == outcome) & (options["group"] == group)]
            key = "diff" if rows["unit"].iloc[0] == "share" else "relative"
            for i, name in enumerate(PACKAGES):
                own = rows[rows["package"] == name].sort_values(CLOSING)
                middle, low, high = (100 * own[key + end] for end in ("", "_lo90", "_hi90"))
                ax.errorbar(own[CLOSING] + 0.07 * (i - 2), middle, (middle - low, high - middle),
                            color=SCENARIO_COLOURS[i], marker=MARKERS[i], markersize=4.5,
                            linewidth=1.2, elinewidth=0.9, label=name)
            ax.axhline(0, color=QUIET, linewidth=0.9)
            ax.set_title(label)
            ax.set_ylabel("change, percentage points" if key == "diff" else "change, %")
            hours = sorted(rows[CLOSING].dropna().unique())
            ax.set_xticks(hours, [f"{h % 24:02.0f}:00" for h in hours])
            ax.set_xlabel("all venues close at")
            ax.grid(axis="y")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=5,
                   title="together with")
        fig.supxlabel("Change against today (centre 02:00, elsewhere 00:00); bars: 90 % intervals",
                      fontsize=8, color=QUIET)
    return fig


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)

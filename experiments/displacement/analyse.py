"""If we act in one hot area, does trouble just move? Table, figure and numbers of the answer.

Usage: python analyse.py STUDY [FOLDER FOR THE ANSWER]
"""

import sys
from pathlib import Path

import pandas as pd

import citysim.results
from citysim.analysis.displacement import CITY, OUTCOMES, RING, TREATED, displacement
from citysim.report.figures.style import MARKERS, QUIET, SCENARIO_COLOURS, look, new_figure
from citysim.report.saving import save

COST = ["cost.capital", "cost.running"]
KINDS = {"crime.hazard.all": "all crime", "crime.hazard.property": "property",
         "crime.hazard.violence": "violence"}
ZONES = {TREATED: "In the area", RING: "In the ring of 100 m around it",
         CITY: "In the whole district"}


def main(folder: Path, out: Path) -> None:
    """Print and write the answer."""
    study = citysim.results.open(folder)
    found = displacement(study, OUTCOMES)
    acting = {s["name"]: " and ".join(p.split("_")[-1] for p in s["policies"])
              for s in study.manifest["scenarios"]}
    design = study.design().drop_duplicates("scenario").set_index("scenario")
    cost = study.outcomes(COST).pivot_table(index="scenario", columns="outcome", values="value")
    found = found.join(design[["area", "intensity"]], on="scenario").join(cost, on="scenario")
    found.insert(0, "what", found["scenario"].map(acting))
    found.to_csv(out / "answer.csv", index=False, float_format="%.6g")
    _tell(found)
    save(_figure(found), out / "displacement.png", False, study.manifest)


def _tell(found: pd.DataFrame) -> None:
    for outcome, kind in KINDS.items():
        print(f"\n{kind}: change in %, and offences moved for each prevented in the area")
        for _, row in found[found["outcome"] == outcome].iterrows():
            changes = "; ".join(f"{zone} " + _interval(row, f"{zone}_share", 100, "{:+.1f}")
                                for zone in ZONES)
            moved = "; ".join(f"{name} " + _interval(row, name, 1, "{:+.2f}")
                              for name in ("moved_next_door", "moved", "quotient"))
            print(f"  {row['scenario']} ({row['places_treated']:.0f} and {row['places_ring']:.0f} "
                  f"streets): {changes}; {moved}; EUR {row['cost.capital']:,.0f} and "
                  f"{row['cost.running']:,.0f}")


def _interval(row: pd.Series, name: str, factor: float, form: str) -> str:
    middle, low, high = (form.format(factor * row[name + end]) for end in ("", "_lo90", "_hi90"))
    return f"{middle} ({low} to {high})"


def _figure(found: pd.DataFrame):
    areas, options = list(dict.fromkeys(found["area"])), list(dict.fromkeys(found["what"]))
    rows = found[(found["outcome"] == "crime.hazard.all")
                 & (found["intensity"].astype(str) == "2")]
    with look():
        fig = new_figure(9.4, 3.5)
        axes = fig.subplots(1, len(ZONES))
        for ax, (zone, label) in zip(axes, ZONES.items(), strict=True):
            for i, what in enumerate(options):
                own = rows[rows["what"] == what].set_index("area").reindex(areas)
                middle, low, high = (100 * own[f"{zone}_share{end}"]
                                     for end in ("", "_lo90", "_hi90"))
                ax.errorbar([k + 0.12 * (i - 1) for k in range(len(areas))], middle,
                            (middle - low, high - middle), color=SCENARIO_COLOURS[i],
                            marker=MARKERS[i], markersize=5, linewidth=1.2, label=what)
            ax.axhline(0, color=QUIET, linewidth=0.9)
            ax.set_title(label)
            ax.set_xticks(range(len(areas)), areas)
            ax.set_xlabel("size of the area, share of streets")
            ax.grid(axis="y")
        axes[0].set_ylabel("change in expected crime, %")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        fig.supxlabel("Against doing nothing at the same places; middle intensity (8 visits a day, "
                      "2 cleanings a week); bars: 90 % intervals", fontsize=8, color=QUIET)
    return fig


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)

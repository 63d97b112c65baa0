"""Run a city without policy for a year and hold it against what is known of cities.

Usage: python measure.py [--city turin_dora] [--days 365] [--seeds 1] [--folder DIR] [key=value ...]
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from citysim.cli.evidence import fact_rows
from citysim.evidence.city_year import run_year, year_settings
from citysim.evidence.facts import load_facts
from citysim.evidence.measures import take
from citysim.evidence.verdicts import evaluate
from citysim.results import open

MONTH = 28  # days
# Beside the facts: nothing published to compare with, or the same without vandalism.
BESIDE = (
    *(("segments_holding", {"share": share, "offences": "all_but_vandalism"})
      for share in (0.25, 0.5, 1.0)),
    *(("near_repeats", {"offences": kind, "same_place": same})
      for kind in ("burglary_home", "theft_from_vehicle", "robbery") for same in (True, False)),
    ("near_repeats", {"offences": "burglary_home", "along": "network"}),
    ("repeat_victims", {"offences": "burglary_home", "unit": "household"}),
    ("repeat_victims", {"offences": "assault"}),
    *(("journey_to_crime", {"offences": kind}) for kind in (
        "all", "theft_person", "robbery", "burglary_home", "vandalism", "assault")),
    *(("hours_share", {"offences": kind}) for kind in ("theft_person", "vandalism", "harassment")),
    *(("relative_risk", {"habit": habit, "offences": ["theft_person", "robbery"]})
      for habit in ("evening", "transit")),
    ("busiest_hour", {"offences": "all"}), ("busiest_day", {"offences": "all"}),
)
SELF_EXCITING_NOT = ("assault", "domestic_abuse")  # no memory moves them


def table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """Rows as a table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def beside(runs) -> list[tuple[str, ...]]:
    """Further measures, means over seeds."""
    rows = []
    for name, arguments in BESIDE:
        found = [take(name, run, arguments) for run in runs]
        values = [r.value for r in found if r.measurable]
        said = ", ".join(str(v) for v in arguments.values())
        rows.append((f"{name}: {said}", f"{np.mean(values):.3g}" if values else "",
                     found[0].note))
    return rows


def drift(folder) -> list[tuple[str, ...]]:
    """Last four weeks against the first four, for every daily outcome."""
    daily = open(folder).daily().groupby(["outcome", "day"])["value"].mean()
    rows = []
    for outcome in daily.index.levels[0]:
        series = daily[outcome].to_numpy()
        first, last = series[:MONTH].mean(), series[-MONTH:].mean()
        change = f"{last / first - 1:+.1%}" if first else ""
        rows.append((outcome, f"{first:.4g}", f"{last:.4g}", change))
    return rows


def memory_share(settings, runs) -> float:
    """Offences that one offence sets off: 1 - those expected without memory over those with it."""
    without = settings.replace({"model.near_repeat.enabled": False,
                                "output_dir": f"{settings.output_dir}_without_memory"})

    def expected(of):
        return np.mean([run.outcomes[
            run.outcomes["outcome"].isin([f"crime.hazard.{n}" for n in run.offences
                                          if n not in SELF_EXCITING_NOT])
            & (run.outcomes["group"] == "all")]["value"].sum() for run in of])

    return float(1 - expected(run_year(without)) / expected(runs))


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--city", default="turin_dora")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--folder", help="where the runs are kept")
    parser.add_argument("overrides", nargs="*", help="model.x.y=value")
    a = parser.parse_args()
    folder = [f"output_dir={a.folder}"] if a.folder else []
    # As configured: few seeds would draw few points, and what is shown is the city as it ships.
    settings = year_settings([f"city={a.city}", f"days={a.days}", f"seeds={a.seeds}",
                              "parameters=point", *folder, *a.overrides])
    runs = run_year(settings)
    print(f"{runs[0].name}, {len(runs)} seeds, {a.days} days after {settings.warmup_days} of "
          "run-in\n")
    print(table(fact_rows(evaluate(load_facts(), runs)), (
        "fact", "measured", "90 % interval", "published", "verdict", "off", "note")))
    print("\n" + table(beside(runs), ("beside", "measured", "note")))
    print("\n" + table(drift(settings.output_dir),
                       ("by day", "first weeks", "last weeks", "drift")))
    print(f"\nOffences that one offence sets off: {memory_share(settings, runs):.2f} (below 1: "
          "stable)")


if __name__ == "__main__":
    sys.exit(main())

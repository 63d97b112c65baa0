"""What brings women back to the streets at night, and at what cost? Table, figure and numbers.

Usage: python analyse.py STUDY [FOLDER FOR THE ANSWER]
"""

import sys
from pathlib import Path

import pandas as pd

import citysim.results
from citysim.analysis.costs import fieller
from citysim.analysis.main_effects import main_effects, paired_steps
from citysim.analysis.points import read_points
from citysim.analysis.wording import fixed
from citysim.report.figures.main_effects import main_effects_plot
from citysim.report.saving import save

OUT = ("night.users", "women")
ROWS = [(*OUT, "Women out at night"),
        ("night.women_men_ratio", "all", "Women to men out at night"),
        ("safety.safe_after_dark", "women", "Women who feel safe after dark"),
        ("crime.hazard.harassment", "all", "Expected harassment"),
        ("harassment.prevalence", "all", "Women harassed within 12 months"),
        ("reporting.rate.harassment", "all", "Share of harassment that is reported")]
CAPITAL, RUNNING = ("cost.capital", "all"), ("cost.running", "all")
LASTS = 10  # years over which what is bought once is spread; assumed
DAYS_PER_YEAR = 365


def main(folder: Path, out: Path) -> None:
    """Print and write the answer."""
    study = citysim.results.open(folder)
    wanted = [(outcome, group) for outcome, group, *_ in ROWS] + [CAPITAL, RUNNING]
    values = study.outcomes([outcome for outcome, _ in wanted])
    values = values[[pair in wanted for pair in zip(values["outcome"], values["group"],
                                                    strict=True)]]
    points = read_points(study)
    effects = main_effects(points, values)
    price = _price(paired_steps(points, values), study.manifest["config"])
    effects = effects.merge(price, on=["lever", "setting"], how="left")
    effects.to_csv(out / "answer.csv", index=False, float_format="%.6g")
    _tell(effects)
    save(main_effects_plot(effects, ROWS[:4]), out / "women_at_night.png", False, study.manifest)


def _price(steps: pd.DataFrame, config: dict) -> pd.DataFrame:
    """EUR per additional hour that a woman is out at night, by lever and setting.

    Women out in a mean hour of the night, times its hours, times the women of the city, over a
    year; cost of a year with what is bought once spread over :data:`LASTS` years.
    """
    night = config["model"]["observation"]
    hours = 24 - night["night_from"] + night["day_from"]
    city = config["city"]
    women = city["population"] * city["margins"]["women_share"]
    rows = []
    for (lever, setting), part in steps.groupby(["lever", "setting"], sort=False):
        by = {cell: own.set_index(["future", "seed"])["step"]
              for cell, own in part.groupby(["outcome", "group"])}
        more = by[OUT] / 1000 * women * hours * DAYS_PER_YEAR
        cost = by[CAPITAL] / LASTS + by[RUNNING] * DAYS_PER_YEAR / config["days"]
        ratio, low, high = fieller(cost[more.index], more)
        rows.append({"lever": lever, "setting": setting, "eur_a_year": cost.mean(),
                     "women_hours_a_year": more.mean(), "eur_per_hour": ratio,
                     "eur_per_hour_lo90": low, "eur_per_hour_hi90": high})
    return pd.DataFrame(rows)


def _tell(effects: pd.DataFrame) -> None:
    for outcome, group, label in ROWS:
        print(f"\n{label}: change against the lever's first setting")
        own = effects[(effects["outcome"] == outcome) & (effects["group"] == group)]
        for _, row in own[own["step"] != 0].iterrows():
            key = "step" if row["unit"] == "share" else "relative_step"
            middle, low, high = (fixed(100 * row[key + end], 2) for end in ("", "_lo90", "_hi90"))
            price = "" if (outcome, group) != OUT else (
                f"; EUR {row['eur_a_year']:,.0f} a year, {row['eur_per_hour']:.2f} "
                f"({row['eur_per_hour_lo90']:.2f} to {row['eur_per_hour_hi90']:.2f}) for an hour")
            print(f"  {row['lever']} {row['setting']:g}: {middle} ({low} to {high}) "
                  f"{'points' if key == 'step' else '%'}{price}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)

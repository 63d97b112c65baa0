"""Look into one trial: by which path the measure changed crime in the treated places, and when.

Usage: python measure.py TRIAL ARM [--seed 1] [--days 56] [--skip 28] [key=value ...]
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

from citysim.evidence.trials.arms import handed_out
from citysim.evidence.trials.assignment import assign
from citysim.evidence.trials.entries import load_trial
from citysim.evidence.trials.measures import events_between
from citysim.evidence.trials.run import settings_of
from citysim.evidence.trials.schema import CONTROL
from citysim.evidence.trials.units import find_units
from citysim.kernels import events as ev
from citysim.kernels.people import FRICTION_SCALE, OUT
from citysim.kernels.places import FRICTION
from citysim.model.city_model import CityModel
from citysim.model.world import build_world

DARK = 0.5  # of daylight
STATES = ("lighting", "disorder", "present", "guardianship", "certainty", "deterrence",
          "patrol_minutes", "green", "greenery")


class Path:
    """One run of the treated places, hour by hour: float arrays (hours, places[, offences])."""

    def __init__(self, model: CityModel, rows: np.ndarray):
        self.model, self.rows, self.kept = model, rows, []
        self.assault = int(model.constants.offences.of_form(FRICTION)[0])

    def step(self) -> None:
        """One hour more."""
        m, rows = self.model, self.rows
        if m.calendar.day(m.step_index) == 0:
            m.recorder.drop()
        before = m.recorder.hazard[rows]
        m.step()
        self.kept.append({
            "daylight": m.hour.daylight, "hazard": m.recorder.hazard[rows] - before,
            "company": m.places.company[rows].copy(),
            "friction": m.friction[rows] / FRICTION_SCALE / m.scale,
            "attract": m.attract[rows, self.assault],
            "visitors": m.stock[rows, OUT].copy(), "worth": m.value[rows].copy(),
            **{name: m.places[name][rows].copy() for name in STATES}})

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array([hour[name] for hour in self.kept], "f8")


def branches(name: str, arm: str, seed: int, overrides: list[str]):
    """The trial run and the untreated run at the start of the trial, and the places treated."""
    trial = load_trial(name).quickened()
    settings = settings_of(trial, ["parameters=point", *overrides])
    world = build_world(settings)
    warm = CityModel(settings, seed, (), world)
    warm.collecting = False
    warm.run_days(trial.timing.warmup)
    first = warm.step_index
    warm.run_days(trial.timing.baseline)
    found = events_between(warm, first)
    found = found[(found[:, ev.RECORDED] == 1)
                  & warm.constants.offences.in_total[found[:, ev.OFFENCE]]]
    recorded = np.bincount(found[:, ev.PLACE], minlength=len(warm.places)).astype("f8")
    tables = {"places": warm.places, "people": warm.people}
    units = find_units(trial, tables, recorded, seed, warm.scale)
    lots = assign(trial, units.sums(recorded), seed).arm
    names = list(trial.arms)
    models = []
    for arms in (lots, np.full_like(lots, names.index(CONTROL))):
        policies = handed_out(trial, arms, units, settings.policies, tables)
        model = CityModel(settings.carrying("policies", policies), seed, tuple(policies), world)
        model.collecting = False
        model.take_over(warm.standing())
        models.append(model)
    treated = np.flatnonzero(lots[:, 0] == names.index(arm))
    return models, np.concatenate([units.rows[u] for u in treated])


def percent(treated: np.ndarray, untreated: np.ndarray) -> str:
    """Change of a sum."""
    whole = untreated.sum()
    return f"{100 * (treated.sum() / whole - 1):+8.1f} %" if whole > 0 else f"{'-':>10}"


def show(title: str, a: np.ndarray, b: np.ndarray, parts: dict[str, np.ndarray]) -> None:
    """One line: the untreated mean, then the change in every part of the hours."""
    print(f"{title:<20}{b.mean():10.4f}", *(percent(a[keep], b[keep]) for keep in parts.values()))


def assault(path: Path, heat: Path, company: Path, certainty: Path, sites: Path) -> np.ndarray:
    """Expected assaults but for the level, each part from the run named.

    ``heat`` gives friction in both settings, the crowd of guests and the green that calms,
    ``company`` the crowd outside, ``sites`` what derelict sites do there.
    """
    m, row = path.model, path.assault
    o, k = m.constants.offences, m.constants.target
    n, half = company["company"], k.friction_crowd * m.stretch[path.rows]
    inside, outside, guests = np.moveaxis(heat["friction"], -1, 0)
    known, green = k.friction_known, heat["green"] + heat["greenery"]
    calm = 1 - m.settings.model.opportunity.green_calms * np.minimum(green, 1)
    contact = known + (1 - known) * n / (n + half)
    both = (m.background[path.rows, row] * inside * guests / (guests + half)
            + sites["attract"] * calm * (outside + k.friction_base * n) * contact)
    return both * np.exp(-o.beta[row] * certainty["certainty"])


def main() -> None:
    """Step both runs, then print what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial")
    parser.add_argument("arm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=56)
    parser.add_argument("--skip", type=int, default=28, help="days left out, while it begins")
    args, overrides = parser.parse_known_args()
    warnings.simplefilter("ignore")
    models, rows = branches(args.trial, args.arm, args.seed, overrides)
    with_it, without = (Path(m, rows) for m in models)
    for _ in range(args.days * models[0].calendar.steps_per_day):
        with_it.step()
        without.step()
    for path in (with_it, without):
        path.kept = path.kept[args.skip * models[0].calendar.steps_per_day:]
    light = without["daylight"] >= DARK
    parts = {"all hours": np.ones_like(light), "by day": light, "after dark": ~light}
    show_all(with_it, without, parts)
    show_assault(with_it, without, parts)
    show_planned(with_it, without, parts)


def show_all(with_it: Path, without: Path, parts: dict[str, np.ndarray]) -> None:
    """Every offence and every state of the places."""
    o = without.model.constants.offences
    a, b = with_it["hazard"], without["hazard"]
    print(f"{len(without.rows)} places treated; untreated a place and hour, then change\n"
          f"{'':30} {'   '.join(parts)}")
    for i, name in enumerate(o.names):
        show(name, a[:, :, i], b[:, :, i], parts)
    show("all", a[:, :, o.in_total], b[:, :, o.in_total], parts)
    for name in ("company", "visitors", *STATES):
        show(name, with_it[name], without[name], parts)
    for i, name in enumerate(("friction inside", "friction outside", "guests")):
        show(name, with_it["friction"][..., i], without["friction"][..., i], parts)


def show_assault(with_it: Path, without: Path, parts: dict[str, np.ndarray]) -> None:
    """Assault by what makes it, and where there are venues."""
    a, b, names = with_it["hazard"], without["hazard"], without.model.constants.offences.names
    print("\nassault, when only this is as treated")
    base = assault(without, without, without, without, without)
    for i, name in enumerate(("heat", "company", "certainty", "sites")):
        given = [with_it if j == i else without for j in range(4)]
        show(name, assault(without, *given), base, parts)
    bars = without.model.places.venues[without.rows] > 0
    assaults = b[:, :, names.index("assault")].sum(axis=0)
    print(f"\nviolence; {bars.sum()} places have venues and hold "
          f"{100 * assaults[bars].sum() / assaults.sum():.0f} % of assaults")
    for title, some in (("venues", bars), ("no venues", ~bars)):
        for name in ("assault", "robbery"):
            i = names.index(name)
            show(f"{name}, {title}", a[:, some, i], b[:, some, i], parts)


def show_planned(with_it: Path, without: Path, parts: dict[str, np.ndarray]) -> None:
    """What competition among places leaves of a change in worth; hours with and without a visit."""
    a, b, o = with_it["hazard"], without["hazard"], without.model.constants.offences
    worth = np.divide(with_it["worth"], without["worth"], where=without["worth"] > 0,
                      out=np.ones_like(b))
    chosen = o.in_total & (without["worth"].sum(axis=(0, 1)) > 0)
    print("\nplanned offences, as far as their worth goes, and as it came out among other places")
    show("worth alone", (b * worth)[:, :, chosen], b[:, :, chosen], parts)
    show("came out", a[:, :, chosen], b[:, :, chosen], parts)
    visited = with_it["patrol_minutes"] > 0
    print("\nin hours with a visit", percent(a[visited], b[visited]), "of",
          f"{100 * b[visited].sum() / b.sum():.0f} % of crime; in others",
          percent(a[~visited], b[~visited]))


if __name__ == "__main__":
    main()

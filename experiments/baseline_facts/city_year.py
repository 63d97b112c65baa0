"""One year of a city without policy, with what the measures need along the way."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from citysim.config.compose import compose_study
from citysim.kernels import events as ev
from citysim.kernels.life import EMPLOYED, NEET, STUDENT, UNEMPLOYED
from citysim.kernels.perception import (
    FEAR_DAY,
    FEAR_NIGHT,
    PEOPLE,
    SAFE_NIGHT,
    TRUST_CITY,
    TRUST_POLICE,
)
from citysim.model.city_model import CityModel
from citysim.model.simulate import record_of

WARMUP_DAYS = 28


class Year:
    """A finished run: columns of its offences, its daily series, the work of memory."""

    def __init__(self, model: CityModel, stocks: dict[str, list[float]], from_self: float,
                 from_memory: float):
        self.model, self.stocks = model, stocks
        self.from_self, self.from_memory = from_self, from_memory
        self.record = record_of(model)
        e = self.record.events
        self.offence, self.place = e[:, ev.OFFENCE], e[:, ev.PLACE]
        self.victim, self.culprit = e[:, ev.VICTIM], e[:, ev.CULPRIT]
        self.reported = e[:, ev.REPORTED] == 1
        self.hour = self.record.hour_of_week % 24
        self.day = e[:, ev.STEP] / model.calendar.steps_per_day
        self.branching = float("nan")

    def row(self, name: str) -> int:
        """Row of an offence in the table of offences."""
        return self.record.offences.index(name)

    def of(self, name: str) -> np.ndarray:
        """Mask of one kind of offence."""
        return self.offence == self.row(name)

    @cached_property
    def total(self) -> np.ndarray:
        """Mask of offences that count in totals and happen in the open, households left out."""
        return np.isin(self.offence, self.record.select("all")) & ~self.of("domestic_abuse")

    @cached_property
    def total_less_vandalism(self) -> np.ndarray:
        """The same without vandalism."""
        return self.total & ~self.of("vandalism")

    def on_places(self, chosen: np.ndarray) -> np.ndarray:
        """Chosen offences by place."""
        return np.bincount(self.place[chosen], minlength=len(self.model.places))

    def series(self) -> dict[str, np.ndarray]:
        """Daily means of the city's state over the window."""
        daily = self.record.daily
        sums = np.array([d["sums"].sum(axis=0) for d in daily])
        out = {name: sums[:, column] / sums[:, PEOPLE] for name, column in (
            ("fear by day", FEAR_DAY), ("fear after dark", FEAR_NIGHT),
            ("safe after dark", SAFE_NIGHT), ("trust in police", TRUST_POLICE),
            ("trust in city", TRUST_CITY))}
        out["collective efficacy"] = np.array([d["efficacy"].mean() for d in daily])
        for name in ("upkeep", "disorder"):
            out[name] = np.array([d[name] for d in daily])
        chosen = self.record.select("all_but_vandalism")
        out["expected crime without vandalism"] = np.array(
            [d["hazard"][chosen].sum() for d in daily])
        out["expected vandalism"] = np.array(
            [d["hazard"][self.row("vandalism")] for d in daily])
        out["residents out at night"] = np.array([d["out"].sum() for d in daily], float)
        return {**out, **{k: np.array(v, float) for k, v in self.stocks.items()}}


def new_model(city: str, days: int, seed: int, overrides, world=None) -> CityModel:
    """A city without policy, at its first hour."""
    settings = compose_study(["experiment=single", f"city={city}", f"days={days}",
                              f"warmup_days={WARMUP_DAYS}", *overrides])
    return CityModel(settings, seed=seed, world=world)


def run_year(city: str, days: int, seed: int, overrides=()) -> Year:
    """Run-in, then ``days`` evaluated; stocks noted daily, motivations hourly."""
    m = new_model(city, days, seed, overrides)
    m.run_days(WARMUP_DAYS)
    stocks: dict[str, list[float]] = {}
    own = memory = 0.0
    for _ in range(days):
        for _ in range(m.calendar.steps_per_day):
            a, b = motivations(m)
            own, memory = own + a, memory + b
            m.step()
        note(m, stocks)
    m.finish()
    return Year(m, stocks, own, memory)


def note(m: CityModel, stocks: dict[str, list[float]]) -> None:
    """Put by the day's stocks of people."""
    f, p, n = m.offenders, m.people, m.n_residents
    work = np.bincount(p.employment[:n], minlength=7)
    active = f.active == 1
    values = {
        "active offenders": active.sum(), "detained": (p.status[:n] == 1).sum(),
        "propensity of the active": f.propensity[active].mean(),
        "perceived risk of the active": f.perceived_risk[active].mean(),
        "employed": work[EMPLOYED], "unemployed": work[UNEMPLOYED], "NEET": work[NEET],
        "students": work[STUDENT], "self-control": p.self_control[:n].mean()}
    for name, value in values.items():
        stocks.setdefault(name, []).append(float(value))


def motivations(m: CityModel) -> tuple[float, float]:
    """Motivations expected in the coming step, and those that memory adds."""
    d, f, p = m.constants.drive, m.offenders, m.people
    where = p.at[f.person]
    factor = np.where(where == 0, d.at_home, np.where(where == 1, d.at_day_place, d.out))
    free = (f.active == 1) & (p.status[f.person] == 0)
    weight = (factor * np.exp(-d.arrest_weight * f.perceived_risk) * m.calendar.step_hours
              * free)
    own = d.rate * f.propensity * weight
    return float(own.sum()), float((d.memory_drive * f.memory.max(axis=1) * weight).sum())


def memory_share(y: Year, city: str, overrides=()) -> float:
    """Offences that one offence sets off: 1 - offences without memory over those with it."""
    m = y.model
    other = new_model(city, y.record.days, m.run_seed,
                      [*overrides, "model.near_repeat.enabled=false"], m.world)
    other.run_days(WARMUP_DAYS + y.record.days)
    other.finish()
    chosen = [r for r, name in enumerate(y.record.offences)
              if name not in ("assault", "domestic_abuse")]
    return 1 - other.recorder.hazard[:, chosen].sum() / m.recorder.hazard[:, chosen].sum()

"""Run a city without policy for a year and hold it against what is known of cities.

Usage: python measure.py [--city turin_dora] [--days 364] [--seed 1] [--table FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import yaml
from city_year import WARMUP_DAYS, Year, memory_share, run_year
from regularities import (
    age_peak,
    distance_decay,
    generalised_gini,
    gini,
    knox,
    repeats,
    scattered,
    segments_holding,
    top_share,
)

HERE = Path(__file__).parent
DRAWS = 200          # random placements and permutations
RING, RINGS = 250.0, 12
DARK_HOURS = (22, 23, 0, 1, 2, 3)


class Table:
    """Lines of the answer: measured beside published."""

    def __init__(self, published: dict):
        self.published, self.lines = published, []

    def add(self, name: str, measured: float, fact: str | None = None, note: str = "",
            between: tuple[float, float] | None = None) -> None:
        """Add a line; ``fact`` names an entry of published.yaml, ``between`` gives the range."""
        if fact is not None:
            between = self.between(fact)
        text = "" if between is None else f"{between[0]:.3g} to {between[1]:.3g}"
        self.lines.append((name, f"{measured:.3g}", text, verdict(measured, between), note))

    def between(self, fact: str) -> tuple[float, float]:
        """Lowest and highest published value."""
        entry = self.published[fact]
        if "range" in entry:
            return tuple(entry["range"])
        off = self.published["within"]["value"]
        return entry["value"] * (1 - off), entry["value"] * (1 + off)

    def text(self, columns: int = 5) -> str:
        """The first columns of the table, in Markdown."""
        head = ("regularity", "measured", "published", "verdict", "note")[:columns]
        rows = [head, *(line[:columns] for line in self.lines)]
        width = [max(len(row[c]) for row in rows) for c in range(len(head))]
        out = ["| " + " | ".join(v.ljust(w) for v, w in zip(row, width, strict=True)) + " |"
               for row in rows]
        out.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
        return "\n".join(out)


def verdict(measured: float, between: tuple[float, float] | None) -> str:
    """Inside, or by which factor outside."""
    if between is None or measured != measured:
        return ""
    low, high = between
    if low <= measured <= high:
        return "inside"
    if low <= 0:
        return f"outside by {measured - high if measured > high else low - measured:.2g}"
    return f"{measured / high:.2f} of the top" if measured > high else \
        f"{measured / low:.2f} of the bottom"


def concentration(t: Table, y: Year, rng) -> None:
    """How few segments hold how much crime, beside crimes placed at random."""
    for label, chosen in (("all crime", y.total), ("without vandalism", y.total_less_vandalism)):
        counts = y.on_places(chosen)
        crimes, n = int(counts.sum()), len(counts)
        for share in (0.25, 0.5, 1.0):
            def held(c, share=share):
                return segments_holding(c, share)

            fact = f"concentration_{round(100 * share)}"
            t.add(f"segments with {share:.0%} of {label}", held(counts), fact,
                  f"at random {scattered(crimes, n, held, rng, DRAWS):.3g}")
        t.add(f"Gini over segments, {label}", gini(counts), "gini",
              f"generalised {generalised_gini(counts):.2f}; at random "
              f"{scattered(crimes, n, gini, rng, DRAWS):.2f}; {crimes} crimes, {n} segments")


def near_repeats(t: Table, y: Year, rng) -> None:
    """Knox ratios; burglary against the published one, others beside it."""
    for name in ("burglary_home", "theft_from_vehicle", "robbery"):
        place, day = y.place[y.of(name)], y.day[y.of(name)]
        x, at_y = y.model.places.x[place], y.model.places.y[place]
        for apart, label in ((False, "100 m"), (True, "1-100 m")):
            ratio, p, pairs = knox(x, at_y, day, 100, 7, rng, DRAWS, apart)
            fact = "knox_burglary" if name == "burglary_home" else None
            t.add(f"Knox ratio {name}, {label}, 7 days", ratio, fact,
                  f"{pairs} pairs of {len(place)} offences, p {p:.3f}")


def repeat_victims(t: Table, y: Year) -> None:
    """Victims hit again by the same kind of crime within the window."""
    people = y.model.people
    for label, names in (("vandalism", ["vandalism"]), ("robbery", ["robbery"]),
                         ("vehicle", ["vehicle_theft", "theft_from_vehicle"]),
                         ("theft_person", ["theft_person"]),
                         ("burglary_home", ["burglary_home"]), ("assault", ["assault"])):
        victims = y.victim[np.isin(y.offence, [y.row(n) for n in names])]
        victims = victims[victims >= 0]
        if label in ("vandalism", "vehicle", "burglary_home"):
            victims = people.household[victims]
        fact = f"repeat_{label}"
        t.add(f"victims hit again in the year, {label}", repeats(victims),
              fact if fact in t.published else None, f"{len(np.unique(victims))} victims")


def offenders(t: Table, y: Year, rng) -> None:
    """Who offends: concentration, age, distance from home."""
    people, n = y.model.people, y.model.n_residents
    for label, chosen in (("all crime", y.total), ("without vandalism", y.total_less_vandalism)):
        who = y.culprit[chosen & (y.culprit >= 0)]
        local = who[who < n]
        grown = people.age[:n] >= 12
        each = np.bincount(local, minlength=n)[grown]
        active = each[each > 0]
        t.add(f"crime of the worst 10 % of residents over 12, {label}", top_share(each, 0.1),
              "people_top10", f"offended in the year: {len(active) / grown.sum():.2%}")
        t.add(f"crime of the worst 10 % of active offenders, {label}", top_share(active, 0.1),
              "offenders_top10", f"{len(active)} offenders, {active.mean():.2f} offences each, "
              f"most {active.max()}")
    known = y.total & (y.culprit >= 0) & (y.culprit < n) & ~y.of("domestic_abuse")
    t.add("age with most offences per resident (5-year window)",
          age_peak(people.age[y.culprit[known]], people.age[:n], 5), "age_peak",
          f"median age at offence {np.median(people.age[y.culprit[known]]):.0f}; "
          f"under 18: {(people.age[y.culprit[known]] < 18).mean():.2f}")
    journeys(t, y, known, rng)


def journeys(t: Table, y: Year, known, rng) -> None:
    """Distance between the offender's home and the offence."""
    s = y.model.places
    home = y.model.people.anchors[:, 0].astype(np.int64)

    def away(one, other):
        return np.hypot(s.x[one] - s.x[other], s.y[one] - s.y[other])

    for name in ("all", "theft_person", "robbery", "burglary_home", "theft_from_vehicle",
                 "vandalism", "assault"):
        chosen = known if name == "all" else known & y.of(name)
        d = away(home[y.culprit[chosen]], y.place[chosen])
        t.add(f"journey to crime, median m, {name}", np.median(d) if len(d) else np.nan,
              note=f"mean {d.mean():.0f}; on the home segment {(d == 0).mean():.2f}; "
                   f"beyond 2 km {(d > 2000).mean():.2f}" if len(d) else "")
    d = away(home[y.culprit[known]], y.place[known])
    some = rng.choice(y.culprit[known], 200)
    offered = away(home[some][:, None], np.arange(len(s))[None, :]).ravel()
    scale, exponential, power, edge = distance_decay(d, offered, RING, RINGS)
    t.add("distance decay, m to 1/e", scale, note=(
        f"R2 exponential {exponential:.2f}, power {power:.2f}; sharpest drop from ring to ring "
        f"to {edge:.2f} (no sharp edge)"))


def nights(t: Table, y: Year) -> None:
    """Share of offences between 22:00 and 04:00, counted and expected."""
    dark = np.isin(np.arange(168) % 24, DARK_HOURS)
    for name in ("assault", "robbery", "burglary_home", "theft_person", "theft_from_vehicle",
                 "vandalism", "harassment"):
        hours = y.hour[y.of(name)]
        hazard = y.model.recorder.hourly[:, y.row(name)]
        fact = f"night_{name}"
        if len(hours) == 0:
            continue
        t.add(f"share from 22 to 4, {name}", np.isin(hours, DARK_HOURS).mean(),
              fact if fact in t.published else None,
              f"expected {hazard[dark].sum() / hazard.sum():.3f}; {len(hours)} offences")


def rates(t: Table, y: Year) -> None:
    """Reporting, and rates against recorded ones over the reporting rate."""
    for name in y.record.offences:
        fact, there = f"report_{name}", y.of(name)
        t.add(f"reported, {name}", y.reported[there].mean() if there.any() else np.nan,
              fact if fact in t.published else None, f"{there.sum()} offences")
    low, high = t.published["city_factor"]["range"]
    two = t.published["factor_of_two"]["value"]
    for name in y.record.offences:
        rate = y.of(name).sum() * y.record.per_100k_year
        recorded = t.published["recorded"].get(name)
        if recorded is None:
            t.add(f"true per 100k and year, {name}", rate)
            continue
        fact = f"report_{name}"
        report = (t.published[fact]["value"] if fact in t.published
                  else y.model.settings.offences[name].report)
        aim = recorded / report
        t.add(f"true per 100k and year, {name}", rate, between=(aim / two, aim * two),
              note=f"recorded metropolitan / reporting {aim:.0f}, times {low} to {high} for the "
                   f"city: {aim * low:.0f} to {aim * high:.0f}; ratio to the first of these "
                   f"{rate / (aim * low):.2f}")


def minds(t: Table, y: Year) -> None:
    """Victimisation, safety, staying in, police strength."""
    r, n, people = y.record, y.model.n_residents, y.model.people
    hit = np.unique(y.victim[y.of("theft_person") | y.of("robbery")])
    t.add("residents hit by theft from the person or robbery in a year",
          (hit[hit >= 0] < n).sum() / n * 365 / r.days, "personal_victimisation")
    from citysim.kernels.perception import SAFE_NIGHT

    safe = dict(zip(r.groups.names, r.mean_by_group(SAFE_NIGHT), strict=True))
    t.add("safe after dark", safe["all"], "safe_after_dark",
          f"elderly {safe['elderly']:.3f}, youth {safe['youth']:.3f}")
    for sex, group in ((1, "women"), (0, "men")):
        t.add(f"unsafe after dark, {group}", 1 - safe[group], f"unsafe_{group}")
        mine = (people.sex[:n] == sex) & (people.age[:n] >= 14)
        care = people.caution[:n, 1][mine]
        t.add(f"odds of an evening out lost to own fear, {group}", 1 - care.mean(),
              f"stay_in_{group}", f"odds more than halved for {(care < 0.5).mean():.3f} (last day)")
    police = y.model.city.spec.police
    t.add("national police per 100k", police.national.per_100k, "police_national",
          f"local {police.local.per_100k:.0f}; both are input")


def stability(t: Table, y: Year) -> None:
    """The state without policy: last four weeks against the first four, and the season."""
    for name, series in y.series().items():
        month = np.array([v.mean() for v in np.array_split(series, max(1, len(series) // 28))])
        level = month.mean()
        if level == 0:
            continue
        t.add(f"drift of {name}", month[-1] / month[0] - 1 if month[0] else np.nan, "stationary",
              f"first {month[0]:.4g}, last {month[-1]:.4g}, lowest {month.min():.4g}, "
              f"highest {month.max():.4g}")


def branching(t: Table, y: Year) -> None:
    """How many offences an offence sets off through memory."""
    offences = y.total & (y.culprit >= 0) & ~y.of("assault") & ~y.of("domestic_abuse")
    moved = y.from_memory / max(1, offences.sum())
    acts = offences.sum() / max(1, y.model.recorder.motivated)
    t.add("motivations that one offence sets off", moved, note=
          f"{y.from_memory / max(1e-9, y.from_memory + y.from_self):.2f} of all motivations; "
          f"a motivated offender acts with {acts:.2f}")
    t.add("offences that one offence sets off", y.branching, "branching",
          "from a second run without near repeats")


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--city", default="turin_dora")
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", type=Path, help="also write the table here, without notes")
    parser.add_argument("overrides", nargs="*", help="model.x.y=value")
    a = parser.parse_args()
    published = yaml.safe_load((HERE / "published.yaml").read_text())
    y = run_year(a.city, a.days, a.seed, a.overrides)
    y.branching = memory_share(y, a.city, a.overrides)
    t, rng = Table(published), np.random.default_rng(a.seed)
    concentration(t, y, rng)
    near_repeats(t, y, rng)
    repeat_victims(t, y)
    offenders(t, y, rng)
    nights(t, y)
    rates(t, y)
    minds(t, y)
    branching(t, y)
    stability(t, y)
    print(f"{a.city}, seed {a.seed}, {y.record.days} days after {WARMUP_DAYS} of run-in\n\n"
          f"{t.text()}")
    if a.table:
        a.table.write_text(t.text(columns=4) + "\n")


if __name__ == "__main__":
    sys.exit(main())

"""District margins as whole numbers of persons, and how closely a population meets them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from scipy.special import ndtr

from citysim.city.apportion import largest_remainder
from citysim.city.spec import AGE_BANDS, EDUCATION_LEVELS, HOUSEHOLD_SIZES, District
from citysim.state.columns import EMPLOYED, NEET, STUDENT, UNEMPLOYED

BAND_STARTS = np.array([int(band.rstrip("+").split("-")[0]) for band in AGE_BANDS])
QUINTILES = 5
_CUT_ROUNDS = 60  # bisection steps: enough to halve any bracket down to float precision
_CUT_REACH = 10.0  # spreads beyond the outermost centre: holds every cut


@dataclass(frozen=True)
class MarginFit:
    """One margin of one district: target and achieved share, and achieved minus target."""

    district: str
    margin: str
    category: str
    target: float
    achieved: float
    error: float


@dataclass(frozen=True)
class Targets:
    """What one district's residents must add up to, in whole persons or households.

    ``ages`` counts residents by single year of age; ``sizes[s]`` counts households of ``s``
    members; ``quintiles`` holds five shares of residents.
    """

    district: District
    residents: int
    women: int
    foreign: int
    ages: np.ndarray
    sizes: np.ndarray
    quintiles: np.ndarray


def targets_of(districts, scale: float, parameters: SimpleNamespace) -> list[Targets]:
    """Targets of every district at a scale (simulated residents per resident)."""
    population = np.array([d.population for d in districts], float)
    residents = largest_remainder(population, int(round(population.sum() * scale)))
    quintiles = quintile_shares(np.array([d.income_level for d in districts]), residents,
                                parameters.income.log_sd)
    out = []
    for district, n, shares in zip(districts, residents, quintiles, strict=True):
        n = int(n)
        out.append(Targets(
            district, n, int(round(district.women_share * n)),
            int(round(district.foreign_share * n)),
            ages_by_year(district.age_shares, n, parameters.ages),
            household_sizes(district.household_sizes, district.large_household, n), shares))
    return out


def ages_by_year(shares, residents: int, p) -> np.ndarray:
    """Residents by single year of age from five bands.

    Bands are filled evenly, the last one with an exponential decline of mean ``decline_mean``
    years; so every band is met exactly.
    """
    beyond = int(p.oldest) + 1
    counts = np.zeros(beyond, np.int64)
    ends = np.append(BAND_STARTS[1:], beyond)
    for low, high, n in zip(BAND_STARTS, ends, largest_remainder(shares, residents), strict=True):
        years = np.arange(low, high)
        weight = np.exp(-np.maximum(years - p.decline_from, 0) / p.decline_mean)
        counts[low:high] = largest_remainder(weight, int(n))
    return counts


def household_sizes(shares, large: float, residents: int) -> np.ndarray:
    """Households by number of members, ``counts[size]``, that sum to the residents."""
    largest = int(np.ceil(large))
    weight = np.zeros(max(largest, len(shares)) + 1)
    weight[1:len(shares)] = shares[:-1]
    weight[int(np.floor(large))] += shares[-1] * (1.0 - (large - np.floor(large)))
    weight[largest] += shares[-1] * (large - np.floor(large))
    sizes = np.arange(len(weight))
    mean = float(sizes @ weight / weight.sum())
    counts = largest_remainder(weight, int(residents / mean))
    usual = int(np.ceil(mean))
    gap = residents - int(sizes @ counts)
    while gap > 0:  # a handful of persons left by rounding form usual households
        size = min(gap, usual)
        counts[size] += 1
        gap -= size
    while gap < 0:
        size = int(np.flatnonzero(counts).max())
        counts[size] -= 1
        counts[size - 1] += size > 1
        gap += 1
    return counts


def quintile_shares(level: np.ndarray, residents: np.ndarray, log_sd: float) -> np.ndarray:
    """Share of residents in each of the city's income quintiles, ``(districts, 5)``.

    Log income is normal inside a district about its level, with equal spread; the cuts are
    those that give fifths of the whole city.
    """
    centre = np.log(level) - log_sd ** 2 / 2
    weight = residents / max(residents.sum(), 1)
    below = np.zeros((len(level), QUINTILES + 1))
    below[:, -1] = 1.0
    for q in range(1, QUINTILES):
        low, high = (centre.min() - _CUT_REACH * log_sd,
                     centre.max() + _CUT_REACH * log_sd)
        for _ in range(_CUT_ROUNDS):
            cut = (low + high) / 2
            if weight @ ndtr((cut - centre) / log_sd) < q / QUINTILES:
                low = cut
            else:
                high = cut
        below[:, q] = ndtr((low - centre) / log_sd)
    return np.diff(below, axis=1)


def employment_counts(targets: Targets, age: np.ndarray, p) -> dict[str, int]:
    """Persons to place in each state of work, from the rates and the ages that exist.

    Young people out of work and school are all NEET; those of them who look for work count
    as unemployed too, so they are taken off the unemployed to be placed among adults.
    """
    d = targets.district
    working = np.count_nonzero((age >= p.school_age) & (age <= p.working_age_end))
    young = np.count_nonzero((age >= p.school_age) & (age <= p.youth_end))
    learning_age = np.count_nonzero((age >= p.school_age) & (age <= p.student_end))
    employed = int(round(d.employment_rate * working))
    students = int(round(d.student_share * learning_age))
    older_students = int(round(p.students_25_to_29 * (young - learning_age)))
    neet = min(int(round(d.neet_share * young)), young - students - older_students)
    seeking = d.unemployment_rate / max(1.0 - d.unemployment_rate, 1.0 / max(working, 1))
    at_rate = seeking * employed
    return {"students": students, "older_students": older_students, "neet": max(neet, 0),
            "employed": employed,
            "unemployed": max(int(round(at_rate - p.neet_seeking * max(neet, 0))), 0)}


def measure_fit(targets: list[Targets], people, households, district_of_home: np.ndarray,
                parameters: SimpleNamespace) -> list[MarginFit]:
    """Compare residents' shares with the margins, district by district.

    ``people`` and ``households`` are the finished tables; ``district_of_home`` gives the
    district of each household.
    """
    residents = people.household >= 0
    district = district_of_home[people.household[residents]]
    columns = {c: people[c][residents] for c in
               ("age", "sex", "foreign", "education", "employment", "quintile")}
    fit: list[MarginFit] = []
    for i, target in enumerate(targets):
        rows = {c: v[district == i] for c, v in columns.items()}
        sizes = households["size"][district_of_home == i]
        if len(rows["age"]) == 0:
            continue
        for margin, category, aimed, achieved in _margins(target, rows, sizes, parameters.work):
            fit.append(MarginFit(target.district.name, margin, category, float(aimed),
                                 float(achieved), float(achieved - aimed)))
    return fit


def _margins(target, rows, sizes, p):
    d, age, work = target.district, rows["age"], rows["employment"]
    yield "sex", "women", d.women_share, np.mean(rows["sex"])
    yield "nationality", "foreign", d.foreign_share, np.mean(rows["foreign"])
    band = np.searchsorted(BAND_STARTS, age, side="right") - 1
    for k, label in enumerate(AGE_BANDS):
        yield "age", label, d.age_shares[k], np.mean(band == k)
    for k, label in enumerate(HOUSEHOLD_SIZES):
        same = sizes == k + 1 if k + 1 < len(HOUSEHOLD_SIZES) else sizes > k
        yield "household size", label, d.household_sizes[k], np.mean(same)
    adult = age >= p.attainment_age
    for k, label in enumerate(EDUCATION_LEVELS):
        yield "education", label, d.education_shares[k], _share(rows["education"] == k, adult)
    working = (age >= p.school_age) & (age <= p.working_age_end)
    yield "employment", "employed", d.employment_rate, _share(work == EMPLOYED, working)
    seeking = np.count_nonzero(work == UNEMPLOYED) \
        + p.neet_seeking * np.count_nonzero(work == NEET)
    in_work = np.count_nonzero((work == EMPLOYED) & working)
    yield ("employment", "unemployed", d.unemployment_rate, seeking / max(seeking + in_work, 1))
    young = (age >= p.school_age) & (age <= p.youth_end)
    yield "employment", "neet", d.neet_share, _share(work == NEET, young)
    learning = (age >= p.school_age) & (age <= p.student_end)
    yield "employment", "student", d.student_share, _share(work == STUDENT, learning)
    for k in range(QUINTILES):
        yield ("income", f"quintile_{k + 1}", target.quintiles[k],
               np.mean(rows["quintile"] == k + 1))


def _share(hit, base):
    return np.count_nonzero(hit & base) / max(np.count_nonzero(base), 1)


def fit_report(fit: list[MarginFit], worst: int) -> str:
    """How well the margins are met, in words: the share within a point, then the worst."""
    point = 0.01
    within = sum(abs(f.error) <= point for f in fit)
    lines = [f"{within} of {len(fit)} margins within one percentage point"]
    for f in sorted(fit, key=lambda f: -abs(f.error))[:worst]:
        lines.append(f"  {f.district}: {f.margin} {f.category}: {f.achieved:.1%}, "
                     f"target {f.target:.1%} ({100 * f.error:+.2f} points)")
    return "\n".join(lines)

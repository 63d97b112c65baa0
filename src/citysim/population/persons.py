"""Nationality, education, work and income of the residents of one district.

Each characteristic is given to exactly as many persons as its margin asks for, those with the
highest log-odds plus noise; the log-odds make members of a household alike and tie
characteristics to one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from citysim.population.draws import Draws
from citysim.population.households import Draft, choose_exactly
from citysim.population.margins import Targets, employment_counts
from citysim.state.columns import (
    CHILD,
    EMPLOYED,
    INACTIVE,
    LOWER,
    NEET,
    RETIRED,
    STUDENT,
    TERTIARY,
    UNEMPLOYED,
    UPPER,
)


@dataclass
class Profile:
    """Characteristics of the residents of one district, in the order of their draft.

    ``quintile``, ``income`` (latent, standardised inside the district) and ``strain`` are by
    household.
    """

    foreign: np.ndarray
    education: np.ndarray
    employment: np.ndarray
    quintile: np.ndarray
    income: np.ndarray
    strain: np.ndarray


def describe_persons(targets: Targets, draft: Draft, parameters: SimpleNamespace,
                     draws: Draws) -> Profile:
    """Give the residents of one district their characteristics."""
    foreign = _foreign(targets.foreign, draft, parameters.foreign, draws)
    latent, education = _education(targets, draft, foreign, parameters, draws)
    employment = _employment(targets, draft, education, parameters.work, draws)
    education = _of_the_young(draft, education, latent, employment, targets, parameters)
    quintile, income, strain = _income(targets, draft, foreign, education, employment,
                                       parameters, draws)
    return Profile(foreign.astype(np.uint8), education, employment, quintile, income, strain)


def _foreign(count, draft, p, draws):
    n, home = len(draft.age), draft.household
    score = (p.household_weight
             * draws.logistic("foreign_household", len(draft.size), draft.first_household)[home]
             + draws.logistic("foreign", n, draft.first_person) + p.age_slope * draft.age)
    return choose_exactly(count, score, np.ones(n, bool))


def _education(targets, draft, foreign, parameters, draws):
    p, n = parameters.education, len(draft.age)
    latent = (draws.normal("education", n, draft.first_person)
              + p.household_weight * draws.normal("education_household", len(draft.size),
                                                  draft.first_household)[draft.household]
              + p.age_slope * draft.age + p.foreign * foreign)
    level = np.zeros(n, np.int64)
    adult = draft.age >= parameters.work.attainment_age
    total = np.count_nonzero(adult)
    shares = targets.district.education_shares
    tertiary = choose_exactly(round(shares[TERTIARY] * total), latent, adult)
    upper = choose_exactly(round(shares[UPPER] * total), latent, adult & ~tertiary)
    level[upper], level[tertiary] = UPPER, TERTIARY
    return latent, level


def _employment(targets, draft, education, p, draws):
    n, age = len(draft.age), draft.age
    counts = employment_counts(targets, age, p)

    def score(purpose, odds):
        return odds + draws.logistic(purpose, n, draft.first_person)

    working = (age >= p.school_age) & (age <= p.working_age_end)
    young = working & (age <= p.youth_end)
    older = working & ~young
    student = choose_exactly(counts["students"], score("student", p.student_age_slope * age),
                             young & (age <= p.student_end))
    student |= choose_exactly(counts["older_students"],
                              score("student_25_to_29", p.student_age_slope * age),
                              young & (age > p.student_end))
    woman = draft.sex
    neet = choose_exactly(counts["neet"],
                          score("neet", p.neet_per_education_step * education
                                + p.neet_woman * woman), young & ~student)
    odds = (p.age_curve * (age - p.peak_age) ** 2.0 + p.woman * woman
            + p.per_education_step * education)
    keen = score("employed", odds)
    employed = young & ~student & ~neet
    if employed.sum() > counts["employed"]:
        employed = choose_exactly(counts["employed"], keen, employed)
    employed |= choose_exactly(counts["employed"] - int(employed.sum()), keen, older)
    past = (age > p.working_age_end) & (age <= p.last_age)
    employed |= choose_exactly(round(p.above_working_age * past.sum()), keen, past)
    unemployed = choose_exactly(counts["unemployed"],
                                score("unemployed", odds), older & ~employed)
    early = (age >= p.early_retirement_age) & (
        draws.uniform("retired", n, draft.first_person) < p.early_retired)
    state = np.full(n, INACTIVE)
    state[(age > p.working_age_end) | early] = RETIRED
    state[age < p.school_age] = CHILD
    state[unemployed] = UNEMPLOYED
    state[young & ~student & ~employed] = NEET
    state[student] = STUDENT
    state[employed] = EMPLOYED
    return state


def _of_the_young(draft, education, latent, employment, targets, parameters):
    """Below the age at which attainment is counted: school first, then an upper secondary."""
    young = ((draft.age >= parameters.education.school_end_age)
             & (draft.age < parameters.work.attainment_age))
    passed = round((1.0 - targets.district.education_shares[LOWER]) * np.count_nonzero(young))
    # Students have passed upper secondary; NEET are the last to have done so.
    score = latent + (employment == STUDENT) * np.ptp(latent) - (employment == NEET)
    level = education.copy()
    level[choose_exactly(passed, score, young)] = UPPER
    return level


def _income(targets, draft, foreign, education, employment, parameters, draws):
    p, home, n = parameters.income, draft.household, len(draft.size)
    size = np.maximum(draft.size, 1)

    def mean(value):
        return np.bincount(home, weights=value, minlength=n) / size

    latent = (p.per_worker_share * mean(employment == EMPLOYED)
              + p.per_education_step * mean(education) + p.retired * mean(employment == RETIRED)
              + p.foreign * mean(foreign)
              + p.noise * draws.normal("income", n, draft.first_household))
    order = np.argsort(latent, kind="stable")
    # A household goes to the quintile in which the middle one of its members falls.
    middle = np.cumsum(draft.size[order]) - draft.size[order] / 2.0
    cuts = np.cumsum(targets.quintiles)[:-1] * targets.residents
    quintile = np.empty(n, np.int64)
    quintile[order] = np.searchsorted(cuts, middle, side="right") + 1
    rank = np.empty(n)
    rank[order] = (np.arange(n) + 0.5) / max(n, 1)
    adult = draft.age >= parameters.ages.majority
    earning = np.bincount(home, weights=(employment == EMPLOYED) | (employment == RETIRED),
                          minlength=n)
    without_work = (np.bincount(home, weights=adult, minlength=n) > 0) & (earning == 0)
    strain = (p.strain_low_income * (quintile == 1) + p.strain_no_work * without_work
              + p.strain_crowding * (draft.size >= p.crowded_from))
    return quintile, rank, strain

"""Who lives together: households of one district, their members' roles, ages and sexes.

Household sizes and single years of age are laid down first, so both margins are met by
construction. Members then get a role (head, partner, child of any age) and a wanted age that
suits the household (parents a generation above their children, partners alike, people alone
rather old). Ranking the wanted ages and handing out the real ones in that order keeps the
household consistent and the margin exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from citysim.population.draws import Draws
from citysim.population.margins import Targets

HEAD, PARTNER, CHILD = 0, 1, 2
# A minor's seat, best first: a child's, a partner's, a head's. Gaps exceed the noise below.
_SEAT_RANK = np.array([-4.0, -2.0, 0.0])
_SIBLING_NOISE = 0.25  # below the spread between households, so that siblings stay together
_COUNTED_SIZES = 5  # household sizes with a share of couples of their own
_SLIVER = 1e-9  # keeps a distribution function rising where nobody is left


@dataclass
class Draft:
    """Residents of one district before they have homes; members of a household stand together.

    ``household`` counts from 0 inside the district. ``first_person`` and ``first_household``
    are the addresses of the draws.
    """

    household: np.ndarray
    size: np.ndarray
    role: np.ndarray
    age: np.ndarray
    sex: np.ndarray
    first_person: int
    first_household: int


def choose_exactly(count: int, score: np.ndarray, eligible: np.ndarray) -> np.ndarray:
    """Mark the ``count`` eligible entries of the highest score; all of them if there are fewer.

    With log-odds plus logistic noise as the score, the choice follows the odds while the
    total is met exactly.
    """
    chosen = np.zeros(len(score), bool)
    rows = np.flatnonzero(eligible)
    count = min(max(int(count), 0), len(rows))
    if count:
        best = np.argpartition(-score[rows], count - 1)[:count]
        chosen[rows[best]] = True
    return chosen


def form_households(targets: Targets, parameters: SimpleNamespace, draws: Draws,
                    first_person: int, first_household: int) -> Draft:
    """Build the households of one district.

    Returns
    -------
    Draft
        With every column filled; ages sum to ``targets.ages`` and sizes to ``targets.sizes``
        exactly, women to ``targets.women`` unless couples alone exceed it.
    """
    p, majority = parameters.households, int(parameters.ages.majority)
    n = targets.residents
    size = np.repeat(np.arange(len(targets.sizes)), targets.sizes)
    household = np.repeat(np.arange(len(size)), size)
    first = np.cumsum(size) - size
    role = _roles(size, household, np.arange(n) - first[household], p, draws, first_household)
    minor = _minors(int(targets.ages[:majority].sum()), role, household, draws, first_person,
                    first_household, len(size))
    role[minor & (role == PARTNER)] = CHILD
    age = np.zeros(n, np.int64)
    years = np.repeat(np.arange(len(targets.ages)), targets.ages)
    seat = _minor_ages(minor, household, len(size), p, majority, draws, first_person,
                       first_household)
    age[seat] = years[:len(seat)]
    wanted = _adult_wishes(age, minor, role, household, size, targets, majority, p, draws,
                           first_person, first_household)
    adults = np.flatnonzero(~minor)
    age[adults[np.argsort(wanted[adults], kind="stable")]] = years[len(seat):]
    sex = _sexes(targets.women, age, role, household, size, parameters, draws, first_person,
                 first_household)
    return Draft(household, size, role, age, sex, first_person, first_household)


def _roles(size, household, position, p, draws, first_household):
    share = np.zeros(max(int(size.max(initial=0)), _COUNTED_SIZES) + 1)
    share[2:_COUNTED_SIZES] = p.couple_share_2, p.couple_share_3, p.couple_share_4
    share[_COUNTED_SIZES:] = p.couple_share_5
    couple = draws.uniform("couple", len(size), first_household) < share[size]
    role = np.full(len(household), CHILD)
    role[position == 0] = HEAD
    role[(position == 1) & couple[household]] = PARTNER
    return role


def _minors(count, role, household, draws, first_person, first_household, n_households):
    """Seat the minors: with parents first, then in place of partners, last as heads."""
    by_household = draws.uniform("minor_household", n_households, first_household)
    by_slot = draws.uniform("minor_slot", len(role), first_person)
    score = _SEAT_RANK[role] + by_household[household] + _SIBLING_NOISE * by_slot
    return choose_exactly(count, score, np.ones(len(role), bool))


def _minor_ages(minor, household, n_households, p, majority, draws, first_person,
                first_household):
    """Minors in order of wanted age: siblings stand a few years apart."""
    rows = np.flatnonzero(minor)
    home = household[rows]
    start = np.searchsorted(home, home)
    rank = np.arange(len(rows)) - start
    base = draws.uniform("child_age", n_households, first_household) * majority
    noise = draws.normal("child_noise", len(minor), first_person) * p.age_noise
    siblings = np.bincount(home, minlength=n_households)[home]
    wanted = base[home] + p.sibling_spacing * (rank - (siblings - 1) / 2) + noise[rows]
    return rows[np.argsort(wanted, kind="stable")]


def _adult_wishes(age, minor, role, household, size, targets, majority, p, draws, first_person,
                  first_household):
    """Wanted ages of adults: grown children, their parents, then everyone else."""
    n, n_households = len(age), len(size)
    wanted = np.zeros(n)
    has_minor = np.bincount(household[minor], minlength=n_households) > 0
    grown = (role == CHILD) & ~minor
    mean = np.where(has_minor[household], p.adult_sibling_years, p.adult_child_years)
    extra = -mean * np.log(draws.uniform("adult_child", n, first_person))
    wanted[grown] = majority + extra[grown]
    eldest, youngest = np.full(n_households, -1.0), np.full(n_households, np.inf)
    child = role == CHILD
    present = np.where(minor, age, wanted)
    np.maximum.at(eldest, household[child], present[child])
    np.minimum.at(youngest, household[child], present[child])
    gap = p.parent_gap_mean + p.parent_gap_sd * draws.normal("parent_gap", n_households,
                                                             first_household)
    # Not too young for the eldest nor, where both can be had, too old for the youngest.
    gap = np.clip(gap, p.parent_gap_least, p.parent_gap_most)
    generation = np.maximum(np.minimum(eldest + gap, youngest + p.parent_gap_most),
                            eldest + p.parent_gap_least)
    noise = p.age_noise * draws.normal("parent_noise", n, first_person)
    parent = (role != CHILD) & (eldest[household] >= 0) & ~minor
    wanted[parent] = generation[household[parent]] + np.abs(noise[parent])
    free = ~minor & ~grown & ~parent
    wanted[free] = _free_wishes(free, wanted[grown | parent], household, size, targets.ages,
                                majority, p, draws, first_person, first_household)
    return wanted


def _free_wishes(free, taken, household, size, ages, majority, p, draws, first_person,
                 first_household):
    """People alone and couples without children fill the ages that are left over."""
    left = ages.astype(float).copy()
    left[:majority] = 0
    used = np.bincount(np.clip(taken, majority, len(ages) - 1).astype(int), minlength=len(ages))
    left = np.maximum(left - used, 0.0) + _SLIVER
    rank = draws.uniform("rank_household", len(size), first_household)
    rank = np.where(size == 1, rank ** p.alone_age_power, rank)
    noise = p.partner_rank_noise * draws.normal("rank_slot", len(free), first_person)
    ranks = np.clip(rank[household[free]] + noise[free], 0.0, 1.0)
    return np.interp(ranks, np.cumsum(left) / left.sum(), np.arange(len(ages)) + 1.0)


def _sexes(women, age, role, household, size, parameters, draws, first_person, first_household):
    """Sexes: partners mostly differ, everyone else fills the margin by their odds."""
    p, n, n_households = parameters.sex, len(age), len(size)
    sex = np.zeros(n, np.int64)
    partner = np.flatnonzero(role == PARTNER)
    head = partner - 1  # the partner stands right behind the head
    home = household[head]
    man_first = draws.uniform("head_sex", n_households, first_household)[home] < 0.5
    same = (draws.uniform("same_sex", n_households, first_household)[home]
            < parameters.households.same_sex_share)
    sex[head] = ~man_first
    sex[partner] = np.where(same, ~man_first, man_first)
    older = (draws.uniform("man_older", n_households, first_household)[home]
             < parameters.households.man_older_share)
    swap = ~same & ((age[head] > age[partner]) != (man_first == older))
    age[head[swap]], age[partner[swap]] = age[partner[swap]], age[head[swap]]
    single = np.ones(n, bool)
    single[head] = single[partner] = False
    odds = np.where(role == CHILD, np.where(age >= parameters.ages.majority, p.adult_child, 0.0),
                    np.where(size[household] > 1, p.lone_parent,
                             p.alone_slope * np.maximum(age - p.alone_from_age, 0)))
    score = odds + draws.logistic("sex", n, first_person)
    sex[choose_exactly(women - int(sex.sum()), score, single)] = 1
    return sex

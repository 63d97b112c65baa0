"""Where people spend their days and evenings: day places and leisure anchors by gravity.

The chance of a destination is its attraction times exp(-distance/scale), summed to one over
all destinations (production-constrained gravity, Wilson 1971). Work places are balanced so
that arrivals follow the jobs. Distances are straight lines; routes come later.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from citysim.kernels.synthesis import gravity_choice, group_by
from citysim.population.draws import Draws
from citysim.state.columns import CHILD, COMMUTER, EMPLOYED, RESIDENT, STUDENT, VISITOR
from citysim.state.table import Table

_PARK_UNIT = 100.0  # metres of street beside a park that count as one attraction


def place_anchors(places: Table, people: Table, home: np.ndarray, workers_outside: float,
                  parameters: SimpleNamespace, draws: Draws) -> None:
    """Fill ``people.anchors`` from homes and characteristics.

    Parameters
    ----------
    places, people
        Tables; of people ``kind``, ``age`` and ``employment`` must be filled.
    home
        Home place of every person (a gateway for commuters and visitors).
    workers_outside
        Share of employed residents whose job is outside the city: their day place is a
        gateway, where, as for commuters, being there means being out of town.
    parameters, draws
        Parameters of the population, and its random numbers.
    """
    world = _Gravity(places, home, parameters.gravity, draws)
    people.anchors[:, 0] = home
    people.anchors[:, 1] = home
    _day_places(world, places, people, workers_outside, parameters)
    p, age, kind = parameters.gravity, people.age, people.kind
    young = (age >= p.young_from) & (age <= p.young_to)
    child = age < p.young_from
    elderly = age >= p.elderly_from
    groups = (
        (kind == VISITOR, p.taste_visitor, p.visitor_scale),
        (kind == COMMUTER, p.taste_adult, p.adult_scale),
        ((kind == RESIDENT) & child, p.taste_child, p.day_scale),
        ((kind == RESIDENT) & young, p.taste_young, p.young_scale),
        ((kind == RESIDENT) & elderly, p.taste_elderly, p.elderly_scale),
        ((kind == RESIDENT) & ~child & ~young & ~elderly, p.taste_adult, p.adult_scale),
    )
    for who, taste, scale in groups:
        # Commuters are in town for work: their leisure is near the job, not the gateway.
        near = people.anchors[:, 1] if np.any(kind[who] == COMMUTER) else home
        weight = attraction(places, taste)
        for leg in (1, 2, 3):
            world.choose(who, weight, scale, f"leisure_{leg}", people.anchors[:, leg + 1], near)


def attraction(places: Table, taste: SimpleNamespace) -> np.ndarray:
    """What draws people to each place, float64: venues, shops, parks and services."""
    return (taste.venues * places.venue_space + taste.shops * places.shop_space
            + taste.green * places.green * places.length / _PARK_UNIT
            + taste.services * places.services).astype(float)


def _day_places(world, places, people, workers_outside, parameters):
    p, kind, work = parameters.gravity, people.kind, people.employment
    resident = kind == RESIDENT
    away = world.draws.uniform("work_outside", len(people)) < workers_outside
    away &= bool(places.gateway.any())
    employed = resident & (work == EMPLOYED)
    local = employed & ~away
    commuter = kind == COMMUTER
    jobs = places.jobs.astype(float)
    day = people.anchors[:, 1]
    world.choose(local, world.balanced(jobs, local, p.work_scale), p.work_scale, "job", day)
    world.choose(employed & away, (places.gateway > 0).astype(float), p.commuter_scale, "job",
                 day)
    # Commuters take the jobs that residents leave.
    taken = np.bincount(day[local], minlength=len(places))
    share = (local.sum() + commuter.sum()) / max(jobs.sum(), 1.0)
    left = np.maximum(jobs * share - taken, 0.0)
    world.choose(commuter, left if left.sum() > 0 else jobs, p.commuter_scale, "job", day)
    pupils = places.pupils.astype(float)
    student = resident & (work == STUDENT)
    pupil = (resident & (work == CHILD)) | (student & (people.age < p.university_age))
    for who, scale in ((pupil, p.school_scale), (student & ~pupil, p.student_scale)):
        world.choose(who, world.balanced(pupils, who, scale), scale, "school", day)
    others = resident & ~employed & ~pupil & ~student
    world.choose(others, attraction(places, p.taste_day), p.day_scale, "day_place", day)


class _Gravity:
    """Choices of destination in one city, from homes."""

    def __init__(self, places, home, p, draws):
        self.places, self.home, self.p, self.draws = places, home, p, draws
        self.span = float(np.hypot(np.ptp(places.x), np.ptp(places.y))) + p.bin_width

    def decay(self, scale: float) -> np.ndarray:
        """Table of exp(-distance/scale) by bin."""
        middle = (np.arange(int(self.span / self.p.bin_width) + 1) + 0.5) * self.p.bin_width
        return np.maximum(np.exp(-middle / scale), self.p.floor)

    def choose(self, who, weight, scale, purpose, out, origin=None):
        """Write a destination for everyone in ``who``; without any attraction, any place."""
        if not who.any():
            return
        target = np.flatnonzero(weight > 0).astype(np.int32)
        if len(target) == 0:
            target, weight = np.arange(len(weight), dtype=np.int32), np.ones(len(weight))
        origin = self.home if origin is None else origin
        label = np.where(who, origin.astype(np.int32), np.int32(-1))
        members = np.empty(int(who.sum()), np.int32)
        start = group_by(label, len(self.places), members)
        gravity_choice(self.places.x, self.places.y, start, members, target, weight[target],
                       self.decay(scale), self.p.bin_width,
                       self.draws.uniform(purpose, len(who)), out)

    def balanced(self, capacity, who, scale):
        """Attractions such that arrivals by area follow ``capacity`` (Furness 1965).

        Balanced between cells of ``balance_cell`` metres for everyone in ``who``.
        """
        movers = np.flatnonzero(who)
        if len(movers) == 0 or capacity.sum() <= 0:
            return capacity
        x, y, side = self.places.x, self.places.y, self.p.balance_cell
        column = ((x - x.min()) / side).astype(np.int64)
        row = ((y - y.min()) / side).astype(np.int64)
        _, cell = np.unique(row * (column.max() + 1) + column, return_inverse=True)
        cells = np.bincount(cell)
        cx, cy = np.bincount(cell, x) / cells, np.bincount(cell, y) / cells
        decay = np.exp(-np.hypot(cx[:, None] - cx, cy[:, None] - cy) / scale) + self.p.floor
        leaving = np.bincount(cell[self.home[movers]], minlength=len(cells)).astype(float)
        room = np.bincount(cell, capacity)
        wanted = room * len(movers) / room.sum()
        factor = np.ones(len(cells))
        for _ in range(int(self.p.balance_rounds)):
            flow = decay * (room * factor)
            arriving = leaving @ (flow / flow.sum(axis=1, keepdims=True))
            factor *= np.where(arriving > 0, wanted / np.maximum(arriving, self.p.floor), 1.0)
        return capacity * factor[cell]

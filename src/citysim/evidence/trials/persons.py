"""Expected offences of the people enrolled in a trial: with them a few hundred are enough.

A youth is arrested once in many years, so that counts of a trial of two thousand say next to
nothing. What each is expected to do, given the state of every step, is known without any luck of
the draws; over many runs the sums of both are the same (``kernels/expectations.py``).
"""

from __future__ import annotations

import numpy as np

from citysim.kernels import expectations
from citysim.kernels.aftermath import report_odds
from citysim.kernels.places import FRICTION, HOUSEHOLD
from citysim.model.phases import calm


class Expected:
    """Adds up the offences expected of some people; called right after the phase ``offenders``.

    Parameters
    ----------
    model
        A :class:`citysim.model.city_model.CityModel`; it is looked at, never changed.
    people
        Rows of the table of people, int (n), residents or not.

    Attributes
    ----------
    hazard
        float64 (n, offences): expected true offences so far, in the order of ``people``. Domestic
        abuse is booked at midnight for the day.
    """

    def __init__(self, model, people: np.ndarray):
        self.people = np.asarray(people, np.int64)
        self.hazard = np.zeros((len(self.people), len(model.constants.offences.names)))
        role = model.role[self.people]
        self.line = np.flatnonzero(role >= 0)
        self.rows = role[self.line].astype(np.int64)
        n_places = len(model.places)
        self.mark = np.full(n_places, -1, np.int64)
        self.stamp = 0
        self.heat, self.by_heat = np.zeros((2, 2, n_places))  # inside venues and outside
        self.by_passage = np.zeros(n_places)

    def __call__(self, m) -> None:
        """Take in the step that the model is in, before its offences have consequences."""
        self._own(m)
        self._friction(m)
        if m.step_index % m.calendar.steps_per_day == 0:
            self._at_home(m)

    def _own(self, m) -> None:
        f, p, s, k = m.offenders, m.people, m.places, m.constants
        expectations.own_offences(
            self.rows, self.line, self.stamp, m.calendar.step_hours, k.drive, f.active,
            f.propensity, f.perceived_risk, p.status, p.age, m.young, m.stretch, s.guardianship,
            self.mark, self.hazard, f.person, f.haunts, f.memory_place, f.memory,
            f.memory_offence, p.at, p.anchors, p.hops, p.route, m.population.routes,
            m.neighbours.start, m.neighbours.items, s.x, s.y, m.value, k.offences.memory_own,
            k.offences.memory_near)
        self.stamp += len(self.rows)

    def _friction(self, m) -> None:
        p, s, k, o = m.people, m.places, m.constants, m.constants.offences
        there = (m.guests, p.at, p.status, p.anchors, p.group, p.intoxication, p.aggression)
        rows = o.of_form(FRICTION)
        if len(rows):
            expectations.heat_of_places(k.exposure, m.day_outdoors, *there, self.heat)
        for row in rows:
            expectations.share_out_friction(
                row, o.level[row], o.beta[row], k.target, k.exposure, m.calendar.step_hours,
                1.0 / m.scale, m.stretch, m.friction, s.company, calm(m), s.certainty,
                m.background, m.attract, m.place_rows, m.stock, m.seconds, m.day_outdoors,
                self.heat, self.by_passage, self.by_heat)
            expectations.assaults(self.people, row, k.exposure, m.day_outdoors, self.by_passage,
                                  self.by_heat, *there, m.moved, p.hops, p.route,
                                  m.population.routes, self.hazard)

    def _at_home(self, m) -> None:
        h, p, o = m.households, m.people, m.constants.offences
        for row in o.of_form(HOUSEHOLD):
            expectations.harm_by(self.people, row, o.level[row], m.constants.harm, h.first,
                                 h["size"], h.strain, h.abuse_norms, p.household, p.age, p.sex,
                                 p.status, self.hazard)


def chance_of_arrest(m) -> np.ndarray:
    """Chance that an offence leads to an arrest, float64 (offences), the same in every run.

    The victim's report and the clearance at usual trust, of a national, after a response in time.
    What a treatment changes is the number of offences; a common chance adds no luck of its own
    and weighs offences against each other.
    """
    law, o, trust = m.constants.law, m.constants.offences, m.settings.model.trust.usual_police
    usual, nationals = np.array([trust]), np.zeros(1)
    told = np.array([report_odds(base, 0, False, law, 0.0, nationals, usual) for base in o.report])
    return told * o.clear * (1.0 + law.cooperation * (trust - 0.5))

"""The routine-and-encounter rules as a plain Mesa model: one Python object per resident.

Written as Mesa's tutorials write a model (``CellAgent`` on a ``Network``, ``shuffle_do``), with
what a careful user does for speed: plain Python numbers, tables as lists, counters instead of
searches among a cell's agents. Since these rules do not depend on order, ``do`` would serve as
well; ``shuffled`` chooses, and both are measured.

Two sizes of the same thing. :class:`Sitter` does what the bare kernel does. :class:`Walker` does
the routine and encounters of the whole step: trips walked along their segments, places that see,
offenders who meet opportunities. Neither does what the whole step does beside: drink, patrols,
several offences, reports, memory, trust, upkeep, programmes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mesa
import networkx as nx
from mesa.discrete_space import Cell, CellAgent, Network

from citysim.kernels.people import AT_DAY_PLACE, FREE

WEEK = 168
CROWD, SATURATION, DETERRENCE, MOTIVATION = 5.0, 0.7, 1.0, 1e-3  # theft in a crowd
COLUMNS = ("timetable", "shift", "anchors", "minutes", "modes", "group", "caution", "sensitivity")


class Space(Cell):
    """A place: who is there, what it offers to each group, its cue of insecurity."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.count = self.flow = self.out = 0
        self.pull, self.cue, self.worth = (), 0.0, 0.0

    def watch(self, passing: float) -> None:
        """Presence, guardianship, and what a theft here is worth."""
        present = self.flow * passing + self.out
        guardianship = 1.0 - math.exp(-present / SATURATION)
        self.worth = (present * present / (present + CROWD)
                      * math.exp(-DETERRENCE * guardianship))


class Person(CellAgent):
    """A resident with a timetable, anchors and fear."""

    def __init__(self, model, row, week, shift, anchors, minutes, modes, group, caution,
                 sensitivity, fear):
        super().__init__(model)
        self.row, self.week, self.shift, self.anchors = row, week, shift, anchors
        self.minutes, self.modes, self.group = minutes, modes, group
        self.caution, self.sensitivity, self.fear = caution, sensitivity, fear
        self.at = 0

    def decide(self) -> int:
        """Where to be: the timetable, or in free time a choice."""
        model = self.model
        activity = self.week[(model.hour - self.shift) % WEEK]
        if activity == FREE:
            return self.choose(model, self.caution[model.dark])
        if activity == AT_DAY_PLACE and self.anchors[1] is not self.anchors[0]:
            return 1
        return 0

    def choose(self, model, care: float) -> int:
        """Stay in (weight 1) or go to one of three leisure anchors."""
        weights = []
        for k in (2, 3, 4):
            ease = model.stay if self.at == k else model.decay[self.modes[k - 1]][
                self.minutes[k - 1]]
            weights.append(self.anchors[k].pull[self.group] * care * ease)
        w2, w3, w4 = weights
        u = model.draw(self.row) * (1.0 + w2 + w3 + w4)
        if u < 1.0:
            return 0
        if u < 1.0 + w2:
            return 2
        return 3 if u < 1.0 + w2 + w3 else 4

    def take_in(self, cue: float) -> None:
        """Fear moves towards a cue, fast upwards, slowly downwards."""
        dark = self.model.dark
        gap = min(1.0, self.sensitivity * cue) - self.fear[dark]
        self.fear[dark] += gap * (self.model.rise if gap > 0 else self.model.fall)


class Sitter(Person):
    """The rules of the bare kernel."""

    def step(self) -> None:
        """Decide, be counted, take in the cue of the place."""
        self.at = self.decide()
        place = self.anchors[self.at]
        place.count += 1
        self.take_in(place.cue)


class Walker(Person):
    """The rules of the whole step's routine: trips are walked."""

    def step(self) -> None:
        """Decide, and travel if that is elsewhere."""
        there = self.decide()
        if there != self.at:
            self.travel(there)

    def travel(self, there: int) -> None:
        """Walk by way of home, be counted on every segment, take in the way's mean cue."""
        seen, hops = 0.0, 0
        for k in (self.at, there):
            for space in self.routes[k]:
                space.flow += 1
                seen += space.cue
                hops += 1
        self.anchors[self.at].out -= self.at > 1
        self.anchors[there].out += there > 1
        self.at = there
        self.cell = self.anchors[there]
        if hops:
            self.take_in(seen / hops)


class PlainModel(mesa.Model):
    """The plain model over the first ``n`` residents of a :class:`citysim.CityModel`.

    Parameters
    ----------
    city, routine
        The model, and its :class:`bare.Routine`.
    kind
        :class:`Sitter` or :class:`Walker`.
    shuffled
        Whether agents act in random order, as Mesa's tutorials have it, or in that of the table.
    draw
        Uniform number for a resident's row; the model's own generator when left out.
    """

    def __init__(self, city, routine, n: int, kind: type[Person], shuffled: bool = True,
                 draw: Callable[[int], float] | None = None):
        super().__init__(rng=1)
        self.shuffled = shuffled
        self.draw = draw or (lambda row: self.random.random())
        graph = nx.Graph()
        graph.add_nodes_from(range(len(city.places)))
        graph.add_edges_from((s, int(t)) for s in graph for t in city.neighbours[s])
        network = Network(graph, layout=None, random=self.random, cell_klass=Space)
        self.spaces = [network[s] for s in range(len(city.places))]
        self.passing = (city.seconds / city.calendar.step_hours / 3600.0).tolist()
        self.stay, self.rise, self.fall = (float(routine.stay), float(routine.rise),
                                           float(routine.fall))
        self.crimes = []
        self.people = self.populate(city, routine, n, kind)
        self.offenders = [self.people[r] for r in city.offenders.person.tolist() if r < n]

    def populate(self, city, routine, n: int, kind: type[Person]) -> list[Person]:
        """One object per resident, at home, with routes if the kind walks."""
        weeks = routine.timetables.tolist()
        columns = [city.people[name][:n].tolist() for name in COLUMNS]
        rows = zip(*columns, routine.fear[:n].tolist(), strict=True)
        people = [kind(self, row, weeks[table], shift, [self.spaces[a] for a in anchors], minutes,
                       [(modes >> 2 * k) & 3 for k in range(4)], *rest)
                  for row, (table, shift, anchors, minutes, modes, *rest) in enumerate(rows)]
        if kind is Walker:
            for person in people:
                person.cell = person.anchors[0]
                person.routes = [()] + [[self.spaces[s] for s in
                                         city.population.route(person.row, k).tolist()]
                                        for k in (1, 2, 3, 4)]
        return people

    def set_hour(self, inputs) -> None:
        """What is the same for everybody in the coming step."""
        self.hour, _, self.dark, pull, decay, cue = inputs
        self.decay = decay.tolist()
        for space, offer, unease in zip(self.spaces, pull.tolist(), cue.tolist(), strict=True):
            space.count = space.flow = 0
            space.pull, space.cue = offer, unease

    def step(self) -> None:
        """Everybody's step, then encounters."""
        if self.shuffled:
            self.agents.shuffle_do("step")
        else:
            self.agents.do("step")
        if isinstance(self.people[0], Walker):
            for space, passing in zip(self.spaces, self.passing, strict=True):
                space.watch(passing)
            for offender in self.offenders:
                if self.random.random() < MOTIVATION:
                    self.offend(offender)

    def offend(self, offender: Person) -> None:
        """Weigh here, nearby and today's way; act or give up; somebody there is the victim."""
        here = offender.cell
        known = {here, *here.connections.values(), *offender.routes[offender.at]}
        known = sorted(known, key=lambda space: space.coordinate)
        worth = [space.worth for space in known]
        total = sum(worth)
        if self.random.random() < total / (1.0 + total):
            place = self.random.choices(known, worth)[0]
            others = [a for a in place.agents if a is not offender]
            if others:
                self.crimes.append((place.coordinate, self.random.choice(others).row))

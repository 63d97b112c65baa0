"""The city as a Mesa model: tables of arrays, stepped phase by phase."""

from __future__ import annotations

import copy
import time
from types import MappingProxyType

import mesa
import numpy as np
from mesa.datacollection import DataCollector

from citysim.kernels import parallel, people, streams
from citysim.kernels.events import N_EVENT
from citysim.kernels.offending import MAX_CANDIDATES
from citysim.kernels.patrol import BEAT, HOT_SPOT, RANDOM, REACTIVE
from citysim.kernels.perception import N_SUMS, PEOPLE, SAFE_NIGHT, TRUST_POLICE
from citysim.kernels.random import address, stream_keys, uniform
from citysim.model import facilities, neighbourhood, start
from citysim.model.calendar import Calendar
from citysim.model.constants import age_curve, read_constants
from citysim.model.damage import breakable
from citysim.model.groups import Groups
from citysim.model.phases import PHASES, close_day
from citysim.model.recorder import Recorder
from citysim.model.standing import Standing
from citysim.model.world import World, build_world
from citysim.policies.delivery import Programme
from citysim.population.timetables import STAGES
from citysim.state.levers import Levers

AT_ONCE = 256  # offenders weighed, or victims searched for, before what was found is added up
SUM_CHUNKS = 64  # float sums over people always use these chunks, whatever the threads
HOT_SHARE_LEAST = 1
STOP_LIMIT = 4096
UNIT_LEVERS = {REACTIVE: "patrol.reactive_units", HOT_SPOT: "patrol.hot_spot_units",
               BEAT: "patrol.beat_units", RANDOM: "patrol.random_units"}


class CityModel(mesa.Model):
    """Residents, offenders, guardians and public spaces through day and night.

    Parameters
    ----------
    settings
        Resolved settings (:func:`citysim.config.compose.compose_study`).
    seed
        Seed of this run; the city and its population have their own (``city.seed``).
    policies
        Names of the policies in force, out of ``settings.policies``.
    world
        City and population; built from the settings when left out.
    threads
        Threads of one run; 1 by default. The result does not depend on it.

    Attributes
    ----------
    places, people, households, offenders, guardians, city_row
        The tables (``state/columns.py``) that hold the whole state.
    levers, programme
        The quantities that policies move, and their delivery.
    recorder
        What the run keeps for its measures.
    after
        What looks at the model right after a phase, by the phase's name; it must change nothing.
        Empty in ordinary runs.
    """

    def __init__(self, settings, seed: int = 1, policies=(), world: World | None = None,
                 threads: int | None = None):
        super().__init__(rng=int(seed))
        self.settings, self.run_seed = settings, int(seed)
        self.world = world or build_world(settings)
        self.threads = int(settings.threads if threads is None else threads)
        self.scale = float(settings.scale)
        self.city, self.population = self.world.city, self.world.population
        self.neighbours = self.city.neighbours
        self.calendar = Calendar(settings.start_date, settings.warmup_days, settings.step_hours,
                                 settings.model.clock, self.city.latitude, self.city.longitude)
        self.constants = read_constants(settings, self.scale, settings.step_hours, seed)
        self.step_index, self.keys_are_of = 0, None
        self.phase_seconds = dict.fromkeys((name for name, _ in PHASES), 0.0)
        self.after = {}
        self._start_tables()
        self._start_scratch()
        facilities.start(self)
        tables = {"places": self.places, "people": self.people, "households": self.households,
                  "city": self.city_row}
        self.levers = Levers(tables)
        self.programme = Programme({name: settings.policies[name] for name in policies}, settings,
                                   self.levers, tables, self.scale, settings.budget,
                                   settings.days)
        self._start_guardians()
        self.choose_hot_places()
        self._start_mesa()

    # --- set-up

    def _start_tables(self) -> None:
        population, settings, seed = self.population, self.settings, self.run_seed
        self.places = self.city.places.copy()
        self.people = population.people.copy()
        self.households = population.households.copy()
        self.n_residents = population.n_residents
        start.start_people(self.people, settings, seed)
        start.start_trust(self.people, population.ties, self.constants, settings, seed)
        start.start_places(self.places, settings)
        start.start_fear(self.people, self.places, settings)
        self.offenders, self.role, self.groups = start.start_offenders(
            self.people, self.places, population.ties, settings, self.constants.course, seed)
        self.city_row = start.start_city(self.city.spec, settings, self.n_residents, self.scale)
        self.beats = start.form_beats(self.places, int(settings.model.patrol.beat_places),
                                      settings.model.patrol.beat_cell)
        self.stock = start.start_stocks(self.people, self.households, len(self.places))
        self.home = np.ascontiguousarray(self.people.anchors[:self.n_residents, 0])
        self.groups_of_people = Groups(self.people, self.n_residents,
                                       self.places.district[self.home], self.city.districts,
                                       settings.model.observation)
        self.cell = self.groups_of_people.cell
        tolerance = start.normals(seed, 102, len(self.households))[:, 0]
        d = settings.model.domestic
        self.households.abuse_norms = np.clip(d.tolerance + d.tolerance_sd * tolerance, 0, 1)
        neighbourhood.start(self)
        self.age_factor = age_curve(settings.model)

    def _start_guardians(self) -> None:
        """Rows for every unit that the city and its policies can put on the street."""
        most = {kind: self.programme.most(lever) * max(self.duty[kind == BEAT], default=0)
                if self.duty else 0.0 for kind, lever in UNIT_LEVERS.items()}
        self.guardians, self.guardian_rows = start.start_guardians(
            self.city_row, self.places, {kind: n + 1 for kind, n in most.items()})

    def _start_scratch(self) -> None:
        """Working arrays that hold nothing beyond a step or a day."""
        n_places, n_people = len(self.places), len(self.people)
        n_offences = len(self.constants.offences.names)
        n_cells = self.groups_of_people.n_cells
        m, dt = self.settings.model, self.settings.step_hours
        self.recorder = Recorder(n_places, n_offences, n_cells)
        # People at a gateway are out of town, at work or school elsewhere.
        self.day_outdoors = m.guardianship.day_outdoors * (self.places.gateway == 0)
        self.homes = np.diff(self.world.first_household)
        self.place_rows = np.zeros((n_places, 2), np.uint64)
        self.friction = np.zeros((n_places, people.N_FRICTION), np.int64)
        self.indoors = np.zeros(n_places)
        self.pull = np.zeros((n_places, 6), np.float32)
        self.guests = np.zeros((n_places, 6), np.float32)
        self.drink = np.zeros(n_places, np.float32)
        self.women, self.young = np.zeros(n_places), np.zeros(n_places)
        self.value = np.zeros((n_places, n_offences), np.float32)
        self.place_marks = np.full((self.threads, n_places), -1, np.int64)
        self.candidate = np.zeros((AT_ONCE, MAX_CANDIDATES), np.int32)
        self.expected = np.zeros((AT_ONCE, MAX_CANDIDATES, n_offences))
        self.chosen = np.zeros((AT_ONCE, 3), np.int64)
        self.found = np.zeros(AT_ONCE, bool)
        self.chance = np.zeros((AT_ONCE if self.threads > 1 else 1, n_cells))
        self.cue_day = self.places.unease_day.copy()
        self.cue_night = self.places.unease_night.copy()
        self.felt = np.zeros((self.n_residents, 4), np.float32)  # fear and trust at midnight
        self.placed = np.zeros(self.n_residents, np.uint8)
        self.moved = np.zeros(n_people, np.uint8)
        self.trips = np.zeros((self.threads, 2), np.int64)
        self.stop_list = np.zeros((STOP_LIMIT, 2), np.int64)
        self.stopped = np.zeros(STOP_LIMIT, np.int64)
        self.counts = np.zeros(3, np.int64)
        self.units = 0
        self.home_hazard = np.zeros(n_offences)
        self.home_events = np.zeros((0, N_EVENT), np.int32)
        late, begins = m.domestic.late, m.domestic.late_from
        self.home_weight = np.where(np.arange(24) >= begins, late / (24 - begins),
                                    (1 - late) / begins)
        self.place_bounds = parallel.chunk_bounds(n_places, self.threads)
        self.people_bounds = parallel.people_bounds(n_people, self.n_residents, self.threads,
                                                    self.households.first)
        self.offender_bounds = parallel.chunk_bounds(len(self.offenders), self.threads)
        self.motivated = np.zeros(len(self.offenders) + 1, np.uint64)
        self.chunk_counts = np.zeros(self.threads, np.int64)
        # Who shares a home place is in one chunk, so that sums per street have one writer.
        first = np.flatnonzero(np.diff(self.home, prepend=-1))
        self.sum_bounds = parallel.chunk_bounds(self.n_residents, SUM_CHUNKS,
                                                np.append(first, self.n_residents))
        self.sum_parts = np.zeros((SUM_CHUNKS, n_cells, N_SUMS))
        if self.threads > 1:
            others = self.threads - 1  # the first chunk counts in the totals themselves
            self.chunk_rows = np.zeros((others, n_places, 2), np.uint64)
            self.chunk_stocks = np.zeros((others, n_places, people.N_STOCKS), np.int32)
            self.chunk_friction = np.zeros((others, *self.friction.shape), np.int64)
            self.chunk_out = np.zeros((self.threads, n_cells), np.int64)
        bits = people.FIELD_BITS
        self.marks = np.array([1 | (int(g >= 3) << bits) | (int(g % 3 == 0) << (2 * bits))
                               for g in range(6)], np.uint64)
        self.seconds = (self.places.length / m.guardianship.walking_speed).astype(np.float32)
        # length in usual lengths of street; where that is 0, every place counts as one
        usual = m.guardianship.usual_length
        self.stretch = (self.places.length / usual if usual else np.ones(n_places)).astype(
            np.float32)
        self.breakable, self.household_damage = breakable(self.places, self.stretch, m.opportunity)
        # an act of vandalism stands for 1 / scale acts and spreads over the street
        self.damage = np.array([1.0 - (1.0 - m.upkeep.damage) ** (1.0 / (self.scale * float(k)))
                                for k in self.stretch])
        # who is on duty by hour: the national force, the local one; empty when none patrols
        self.duty = (m.patrol.duty_national, m.patrol.duty_local) if m.patrol.enabled else ()
        self.travel_weight = np.tile(
            np.exp(-m.routine.cost_per_minute * np.arange(256)).astype(np.float32), (4, 1))
        self.stay = np.float32(m.routine.stay / dt ** 2)
        self.drink_rate = float(m.night.enabled) * m.night.drink_rate * dt
        self.other_calls = (m.patrol.other_calls / 1e5 / 24 * self.n_residents / self.scale
                            * dt)
        self.timetable_work = STAGES.index("worker_day")
        self.timetable_free = STAGES.index("no_work")
        o = m.observation
        self.bands = np.array([0 if o.day_from <= h < o.evening_from else
                               1 if o.evening_from <= h < o.night_from else 2 for h in range(24)])

    def _start_mesa(self) -> None:
        from citysim.model.agents import agent_sets

        self._columns = agent_sets(self)
        self.datacollector = DataCollector(model_reporters={
            "crimes": _crimes, "expected_crimes": "step_hazard", "out": _people_out,
            "safe_after_dark": "safe_after_dark", "trust_in_police": "trust_in_police"})
        self.collecting = True  # studies read the recorder instead, and switch this off
        self.first_event, self.step_hazard = 0, 0.0

    # --- stepping

    def step(self) -> None:
        """One step of the city: the phases in order."""
        for name, phase in PHASES:
            begin = time.perf_counter()
            if name == "observe":
                self.step_hazard = float(self.recorder.total.sum())
            phase(self)
            self.phase_seconds[name] += time.perf_counter() - begin
            if name in self.after:
                self.after[name](self)
        if self.collecting:
            self.datacollector.collect(self)
        self.step_index += 1

    def plan(self) -> str:
        """The phases of a step in order, with the time each has taken so far."""
        total = sum(self.phase_seconds.values()) or 1.0
        lines = [f"{'phase':<12}{'ms per step':>12}{'share':>8}"]
        for name, seconds in self.phase_seconds.items():
            per_step = 1e3 * seconds / max(1, self.step_index)
            lines.append(f"{name:<12}{per_step:>12.3f}{seconds / total:>8.0%}")
        return "\n".join(lines)

    def run_days(self, days: int) -> None:
        """Step through whole days."""
        for _ in range(days * self.calendar.steps_per_day):
            self.step()

    def finish(self) -> None:
        """Close the last day, so that the record is complete."""
        close_day(self)

    def state(self) -> dict[str, np.ndarray]:
        """Every array that carries state from one step to the next, by name (no copies)."""
        tables = (self.places, self.people, self.households, self.offenders, self.guardians,
                  self.city_row)
        arrays = {f"{t.name}.{name}": a for t in tables for name, a in t.arrays().items()}
        arrays |= {name: getattr(self, name) for name in (
            "stock", "placed", "place_rows", "cue_day", "cue_night", "home_hazard")}
        return arrays

    def standing(self) -> Standing:
        """Where this model stands, for another one to go on from (no copies)."""
        return Standing(self.state(), self.guardian_rows, self.attract, self.recorder,
                        self.step_index, self.hot_places)

    def take_over(self, other: Standing) -> None:
        """Go on from where another model of the same city, parameters and seed stands."""
        for name, array in self.state().items():
            if name.startswith("guardians."):  # policies may need more units than the other has
                for kind, rows in self.guardian_rows.items():
                    given = other.arrays[name][other.guardian_rows[kind]]
                    array[rows][:len(given)] = given[:rows.stop - rows.start]
            else:
                array[...] = other.arrays[name]
        self.attract = other.attract.copy()
        self.recorder = copy.deepcopy(other.recorder)
        self.step_index = other.step_index
        self.hot_places = other.hot_places.copy()

    # --- what phases ask for

    def key(self, stream: int, step: int | None = None) -> np.uint64:
        """Key of a random stream at this step, or at another one."""
        if step is not None:
            return address(self.run_seed, stream, step)
        if self.keys_are_of != (self.run_seed, self.step_index):
            self.keys_are_of = (self.run_seed, self.step_index)
            self.keys = stream_keys(np.uint64(self.run_seed), np.uint64(self.step_index),
                                    streams.N_STREAMS)
        return self.keys[stream]

    def band(self, hour: int) -> int:
        """Hour band: 0 day, 1 evening, 2 night."""
        return int(self.bands[hour])

    def on_duty(self, kind: int, strength: float) -> int:
        """Whole units of a strategy out in this hour; fractions by an addressed draw."""
        if not self.duty:
            return 0
        mean = strength * self.duty[kind == BEAT][int(self.calendar.hour(self.step_index))]
        rows = self.guardian_rows[kind]
        units = int(mean) + int(uniform(self.key(streams.UNITS), kind) < mean - int(mean))
        if units > rows.stop - rows.start:
            raise RuntimeError(f"{units:,} patrol units on duty, while this run has rows for "
                               f"{rows.stop - rows.start:,}: levers moved by hand went beyond "
                               "what its policies can ask for")
        return units

    def choose_hot_places(self) -> None:
        """The places of the hot-spot round, by recorded crime; none before any is recorded."""
        share = self.settings.model.patrol.hot_places
        count = max(HOT_SHARE_LEAST, round(share * len(self.places)))
        order = np.argsort(-self.places.recorded, kind="stable")[:count]
        self.hot_places = order[self.places.recorded[order] > 0].astype(np.int32)

    def note_day(self) -> None:
        """Put the closed day into the record."""
        s = self.places
        in_day = self.calendar.day(self.step_index - 1)
        self.recorder.close_day(
            day=in_day, steps_per_hour=1.0 / self.settings.step_hours,
            upkeep=float(s.upkeep.mean()), disorder=float(s.disorder.mean()),
            cost=self.programme.ledger.total)
        today = self.calendar.date(self.step_index - 1)
        if in_day >= 0 and today.month != self.calendar.date(self.step_index).month:
            self.close_month()

    def close_month(self) -> None:
        """Put the sums of the month that ends, or has come this far, into the record."""
        today = self.calendar.date(self.step_index - 1)
        self.recorder.close_month(today.replace(day=1), self.places.unease_night,
                                  self.places.upkeep)

    @property
    def safe_after_dark(self) -> float:
        """Share of residents who felt safe after dark at the last midnight."""
        sums = self.recorder.sums.sum(axis=0)
        return float(sums[SAFE_NIGHT] / sums[PEOPLE]) if sums[PEOPLE] else float("nan")

    @property
    def trust_in_police(self) -> float:
        """Mean trust in the police at the last midnight."""
        sums = self.recorder.sums.sum(axis=0)
        return float(sums[TRUST_POLICE] / sums[PEOPLE]) if sums[PEOPLE] else float("nan")

    # --- Mesa's face

    @property
    def agents(self):
        """All agents: residents and the other columnar sets, one behind the other."""
        return self._columns["all"]

    @property
    def agents_by_type(self):
        """Agent sets by their class: Resident, Offender, Guardian, PublicSpace, Institution."""
        return MappingProxyType({k: v for k, v in self._columns.items() if k != "all"})

    @property
    def agent_types(self) -> list[type]:
        """The classes of agents."""
        return list(self.agents_by_type)

    def nbytes(self) -> dict[str, int]:
        """Bytes held per part: tables, routes, ties, scratch."""
        scratch = sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))
        tables = (self.places, self.people, self.households, self.offenders, self.guardians)
        parts = {t.name: t.nbytes for t in tables}
        return {**parts, "routes": self.population.routes.nbytes,
                "ties": self.population.ties.nbytes + self.population.tie_kinds.nbytes,
                "scratch": scratch,
                "indices": self.world.regulars.nbytes + self.world.passers.nbytes
                + self.world.first_household.nbytes}


def _crimes(model: CityModel) -> int:
    """Offences of the last step."""
    return model.recorder.n_events - model.first_event


def _people_out(model: CityModel) -> int:
    """Persons at a leisure place now."""
    return int(model.stock[:, people.OUT].sum())

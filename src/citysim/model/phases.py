"""One hour of city life, phase by phase.

Each function takes the model and does one phase; :data:`PHASES` is the order of the day. The
science of each is with its kernel.
"""

from __future__ import annotations

import math

import numpy as np

from citysim.kernels import (
    aftermath,
    events,
    life,
    offending,
    parallel,
    patrol,
    people,
    perception,
    places,
    streams,
    upkeep,
    victims,
)
from citysim.kernels.patrol import BEAT, HOT_SPOT, RANDOM, REACTIVE
from citysim.model import facilities, neighbourhood
from citysim.model.start import PERSON_TRAITS
from citysim.state.columns import MODES

MODE_TRANSIT = MODES.index("transit")
HOME_LIMIT = 1 << 14  # offences inside households that one day can hold


def clock(m) -> None:
    """Hour, daylight, what is open; at midnight yesterday is closed."""
    t = m.step_index
    if t > 0 and t % m.calendar.steps_per_day == 0:
        close_day(m)
    m.hour = m.calendar.now(t, m.scale, float(m.city_row.services_until[0]))
    m.hour_of_week = m.calendar.hour_of_week(t)
    m.dark = int(m.hour.daylight < m.settings.model.clock.dark_below)
    m.place_rows[:, people.FLOW] = 0
    m.moved[:] = 0
    m.friction[:] = 0


def policies(m) -> None:
    """Once a day, before its first hour: delivery moves levers."""
    if m.step_index % m.calendar.steps_per_day == 0:
        day = m.calendar.day(m.step_index)
        if day == 0:
            m.recorder.drop()
        m.programme.advance(day, m.key(streams.TARGETING, day + m.calendar.warmup_days))


def move(m) -> None:
    """Residents, commuters and visitors choose, travel, and are counted where they pass."""
    p, s, k = m.people, m.places, m.constants
    parallel_run = m.threads > 1
    (parallel.pull_chunks if parallel_run else _serial(places.pulls))(
        m.place_bounds, m.hour, s.closing_hour, s.venue_space, s.alcohol, s.events, s.services,
        s.green + s.greenery, s.leisure, s.shop_space, s.lighting, s.unease, k.tastes,
        k.sensitivity, m.drink_rate, m.settings.model.night.others_drink, m.pull, m.guests,
        m.drink)
    decay = travel_decay(m)
    mover = m.settings.model.fear
    common = (m.hour_of_week, m.key(streams.CHOICE), m.dark, k.thirst, m.population.timetables,
              p.timetable, p["shift"], p.status, p.at, p.anchors, p.minutes, p.modes, p.hops,
              p.route, m.population.routes, p.household, m.households.at_home, p.group, p.age,
              p.caution, p.sensitivity, p.fear, p.intoxication, p.substance, p.aggression, m.pull,
              decay, m.stay, m.guests, m.drink, m.settings.model.guardianship.outdoors,
              m.settings.model.night.sober_friction,
              np.float32(m.settings.model.night.sober),
              np.float32(mover.enabled * mover.rise), np.float32(mover.enabled * mover.fall),
              m.marks, m.seconds, m.calendar.step_hours * 3600.0)
    m.trips[:] = 0
    if parallel_run:
        parallel.move_chunks(m.people_bounds, m.place_rows, m.stock, m.friction, m.chunk_rows,
                             m.chunk_stocks, m.chunk_friction, m.moved, m.trips, *common)
        parallel.merge_chunks(m.place_bounds, m.chunk_rows, m.chunk_stocks, m.chunk_friction,
                              m.place_rows, m.stock, m.friction)
    else:
        people.move_people(0, len(p), *common, m.place_rows, m.stock, m.friction, m.moved,
                           m.trips[0])


def travel_decay(m) -> np.ndarray:
    """Weight of a trip by mode and minutes, float32 (4, 256); at night buses are waited for."""
    r, clock_now = m.settings.model.routine, m.hour.clock
    if clock_now < r.night_transport_from:
        return m.travel_weight
    table = m.travel_weight.copy()
    if clock_now >= float(m.city_row.night_service_end[0]):
        table[MODE_TRANSIT] *= np.float32(r.no_service)
    else:
        table[MODE_TRANSIT] *= np.float32(
            math.exp(-r.wait_per_minute * float(m.city_row.night_headway[0]) / 2))
    return table


def guardians(m) -> None:
    """Patrols visit places; deterrence fades and is rebuilt; calls are worked off."""
    s, c, k = m.places, m.city_row, m.constants
    patrol.fade_deterrence(s.deterrence, s.patrol_minutes, k.keep_deterrence)
    m.counts[:] = 0
    for kind, count in ((HOT_SPOT, c.hot_spot_units), (RANDOM, c.random_units),
                        (BEAT, c.beat_units)):
        rows = m.guardian_rows[kind]
        n = m.on_duty(kind, float(count[0]))
        m.guardians.on_duty[rows] = np.arange(rows.stop - rows.start) < n
        patrol.patrol(
            kind, n, m.calendar.step_hours, m.step_index, m.key(streams.PATROL),
            m.key(streams.STOPS), k.rounds, float(c.stop_minutes[0]),
            float(c.contacts_per_hour[0]) * m.scale if kind == BEAT else 0.0,
            float(c.procedural_quality[0]), s.procedural_quality, float(c.consultation[0]),
            m.hot_places,
            m.beats.start, m.beats.items, s.disorder, s.recorded, s.deterrence, s.patrol_minutes,
            m.neighbours.start, m.neighbours.items, m.place_rows, m.hour.step_seconds,
            m.world.first_household, m.households.first,
            m.households["size"], m.people.age, m.people.trust_police, m.people.trust_city,
            m.guardians.place[rows], m.stop_list, m.counts)
    if m.duty:
        visit_places(m)
    m.units = m.on_duty(REACTIVE, float(c.reactive_units[0]))
    rows = m.guardian_rows[REACTIVE]
    m.guardians.on_duty[rows] = np.arange(rows.stop - rows.start) < m.units
    patrol.work_off(m.calendar.step_hours, m.other_calls, m.settings.model.law.handling,
                    m.guardians.busy_minutes[rows], m.units)


def visit_places(m) -> None:
    """Visits to the places where officers have been told to be."""
    s, h = m.places, m.households
    chosen = np.flatnonzero(s.patrol_visits)
    if not len(chosen):
        return
    clock_now = m.calendar.evening_clock(m.step_index)
    evening = m.step_index // m.calendar.steps_per_day - (clock_now >= 24)
    patrol.directed(
        chosen, s.patrol_visits, s.visit_minutes, s.visit_from, s.visit_to, s.visit_contacts,
        clock_now, m.calendar.step_hours, m.key(streams.VISITS, evening), m.key(streams.STOPS),
        m.constants.rounds, m.scale, float(m.city_row.procedural_quality[0]),
        s.procedural_quality, s.deterrence, s.patrol_minutes, m.neighbours.start,
        m.neighbours.items, m.place_rows, m.hour.step_seconds, m.world.first_household, h.first,
        h["size"], m.people.age, m.people.trust_police, m.people.trust_city, m.stop_list, m.counts)


def observe_places(m) -> None:
    """Presence, light, guardianship, certainty, and the worth of every opportunity."""
    s, k, o = m.places, m.constants, m.constants.offences
    parallel_run = m.threads > 1
    (parallel.watch_chunks if parallel_run else _serial(places.watch_places))(
        m.place_bounds, m.hour, k.watch, m.place_rows, m.stock, m.seconds, m.stretch, s.lighting,
        s.camera, s.disorder, s.deterrence, s.patrol_minutes, m.day_outdoors, s.shops, s.venues,
        s.closing_hour, s.services, s.hosts, s.greenery, s.efficacy, s.light, s.present, s.company,
        m.women, m.young, s.guardianship, s.certainty, s.unease)
    (parallel.opportunity_chunks if parallel_run else _serial(places.opportunities))(
        m.place_bounds, m.hour, k.target, o.form, o.level, o.half, o.beta, o.disorder_cue,
        m.stretch, m.stock, s.present, s.company, m.women, m.young, s.certainty, s.disorder,
        s.light, s.vehicles, s.shop_space, m.homes, s.rear_closed, m.breakable, m.attract, m.value)


def offenders(m) -> None:
    """The motivated weigh what they know and act or give up; friction among crowds."""
    r, f, p, s, k = m.recorder, m.offenders, m.people, m.places, m.constants
    m.first_event = r.n_events
    if m.step_index % m.calendar.steps_per_day == 0:
        harm_at_home(m)
    due = m.home_events[m.home_events[:, events.STEP] == m.step_index]
    r.events[r.n_events:r.n_events + len(due)] = due
    r.n_events += len(due)
    motivated = motivate(m)
    r.motivated += len(motivated)
    r.n_events = (parallel.offend_chunks if m.threads > 1 else offending.offend)(
        motivated, m.step_index, m.key(streams.COMMIT), m.key(streams.TARGET), k.drive,
        m.place_marks, m.candidate, m.expected, m.chosen, r.hazard, r.total, r.events, r.n_events,
        r.LIMIT, f.person, f.haunts, f.memory_place, f.memory, f.memory_offence, p.at, p.anchors,
        p.hops, p.route, m.population.routes, m.neighbours.start, m.neighbours.items, s.x, s.y,
        m.value, k.offences.memory_own, k.offences.memory_near)
    for row in k.offences.of_form(places.FRICTION):
        r.n_events = places.frictions(
            0, len(s), m.key(streams.FRICTION, m.step_index * 64 + row), m.step_index, row,
            k.offences.level[row], k.offences.beta[row], k.target, m.calendar.step_hours,
            1.0 / m.scale, m.stretch, m.friction, s.company, calm(m), s.certainty, m.background,
            m.attract, m.indoors, r.hazard, r.total, r.events, r.n_events, r.LIMIT)


def calm(m) -> np.ndarray:
    """Friction outside that is left on each place beside its green, parks and planted alike."""
    s = m.places
    return 1 - np.float32(m.settings.model.opportunity.green_calms) * np.minimum(
        s.green + s.greenery, np.float32(1))


def motivate(m) -> np.ndarray:
    """Offenders who are motivated in this step, in the order of their rows."""
    f, p, bounds = m.offenders, m.people, m.offender_bounds
    given = (m.key(streams.MOTIVATION), m.calendar.step_hours, m.constants.drive, f.person,
             f.active, f.propensity, f.memory, f.perceived_risk, p.at, p.status, p.anchors, p.age,
             m.young, m.stretch, m.places.guardianship, m.motivated)
    if m.threads == 1:
        return m.motivated[:offending.motivate(0, len(f), *given)]
    parallel.motivate_chunks(bounds, m.chunk_counts, *given)
    return np.concatenate([m.motivated[lo:lo + n] for lo, n in
                           zip(bounds[:-1], m.chunk_counts, strict=True)])


def consequences(m) -> None:
    """Victims, reports, response, arrest, memory, fear; police stops of passers-by."""
    r, p, h, f = m.recorder, m.people, m.households, m.offenders
    begin = m.first_event
    passers = m.world.passers
    if r.n_events > begin:
        exposure = m.constants.exposure
        exposure = exposure._replace(occupied=exposure.occupied * (1.0 - m.hour.awake))
        find_victims(
            m, m.constants.offences.form, m.constants.offences.female, exposure,
            m.day_outdoors, m.household_damage, m.guests, m.indoors, m.key(streams.VICTIM),
            m.key(streams.CULPRIT), m.key(streams.VICTIM, -1), m.place_rows, m.seconds, m.stock,
            passers.start, passers.items, m.moved, m.world.regulars.start, m.world.regulars.items,
            m.world.first_household, h.at_home, h.first, h["size"], p.at, p.status, p.anchors,
            p.group, p.household, p.intoxication, p.aggression, f.person, m.role, m.cell,
            f.memory_place, f.memory, f.memory_offence, f.memory_target,
            m.constants.offences.memory_own)
        follow_up(m, begin, r.n_events)
    n_stops = int(m.counts[2])
    if n_stops:
        n = patrol.stop_people(n_stops, m.stop_list, m.key(streams.STOPS), m.constants.rounds,
                               float(m.city_row.procedural_quality[0]),
                               m.places.procedural_quality, m.place_rows,
                               passers.start, passers.items, m.moved, p.group, p.foreign,
                               p.trust_police, p.stops, m.stopped)
        stopped = m.stopped[:n]
        cells = m.cell[stopped[stopped < m.n_residents]]
        m.recorder.stops += np.bincount(cells, minlength=len(m.recorder.stops))


def find_victims(m, *given) -> None:
    """Victims of the step's events; events without a target are dropped."""
    r = m.recorder
    given = (m.first_event, r.n_events, r.events, m.chance, r.victim_chances, *given)
    r.n_events = victims.find_victims(*given) if m.threads == 1 else \
        parallel.victim_chunks(m.threads, m.found, *given)


def follow_up(m, begin: int, end: int) -> None:
    """What follows events ``begin`` to ``end - 1`` of today."""
    r, p, h, s, f, o = (m.recorder, m.people, m.households, m.places, m.offenders,
                        m.constants.offences)
    units = m.guardian_rows[REACTIVE]
    aftermath.follow_up(
        begin, end, m.calendar.steps_per_day, m.constants.law,
        float(m.city_row.reporting_support[0]), 1.0 / m.scale, m.key(streams.REPORT),
        m.key(streams.CLEAR), r.events, r.chances, o.form, o.report, o.urgent, o.clear,
        o.detain, o.detain_days, o.impact, m.units, m.guardians.place[units],
        m.guardians.busy_minutes[units], s.x, s.y, s.recorded, p.foreign, p.trust_police,
        p.fear, p.victimised, p.household, h.first, h["size"], h.at_home, p.at, p.status,
        p.anchors, p.group, m.stock, f.person, f.perceived_risk, f.group, m.groups.start,
        m.groups.items, f.memory_place, f.memory, f.memory_offence, f.memory_target, o.memory,
        m.neighbours.start, m.neighbours.items, f.released_at, f.crimes, f.arrests, o.street)
    if m.settings.model.upkeep.enabled:
        upkeep.mark_damage(begin, end, r.events, o.form, m.damage, s.disorder)


def observe(m) -> None:
    """Counters of the hour; in the night hours, who is out."""
    r, hour = m.recorder, int(m.calendar.hour(m.step_index))
    if r.n_events >= r.LIMIT:
        raise RuntimeError(f"more than {r.LIMIT:,} offences in a day: more than a run can hold; "
                           "look at the levels of the offences")
    r.total += m.home_hazard * m.home_weight[hour] * m.calendar.step_hours
    r.add_hazard(m.hour_of_week)
    if hour == m.settings.model.fear.day_hour:
        m.cue_day[:] = m.places.unease
    if hour == m.settings.model.fear.night_hour:
        m.cue_night[:] = m.places.unease
    r.presence[:, m.band(m.hour_of_week % 24)] += m.places.present * m.calendar.step_hours
    r.visits += int(m.counts[0])
    r.contacts += int(m.counts[1])
    r.patrol += m.places.patrol_minutes
    if m.band(m.hour_of_week % 24) == 2:
        count_out(m)
        r.night_hours += m.calendar.step_hours


def count_out(m) -> None:
    """Residents out now, by cell."""
    given = (m.people.at, m.people.status, m.cell)
    if m.threads == 1:
        perception.count_out(0, m.n_residents, *given, m.recorder.out)
        return
    m.chunk_out[:] = 0
    parallel.count_out_chunks(m.people_bounds[0], m.chunk_out, *given)
    m.recorder.out += m.chunk_out.sum(axis=0)


PHASES = (("clock", clock), ("policies", policies), ("people", move), ("guardians", guardians),
          ("places", observe_places), ("offenders", offenders), ("aftermath", consequences),
          ("observe", observe))


def close_day(m) -> None:
    """Midnight: minds, places, memories; every thirty days the life course."""
    day = m.step_index // m.calendar.steps_per_day
    minds(m, day)
    if m.settings.model.upkeep.enabled:
        s = m.places
        upkeep.age_places(m.constants.ageing, s.wear, s.grime, s.remediation, m.ownership,
                          s.cleaning, s.works, s.upkeep, s.disorder)
    if m.places.derelict.any():
        facilities.weigh_derelict(m)
    if m.settings.model.domestic.enabled and m.places.norm_campaign.any():
        life.shift_norms(m.constants.harm, m.places.norm_campaign, m.households.home,
                         m.households.abuse_norms)
    m.places.recorded = m.places.recorded * m.constants.keep_recorded
    offending.fade_memories(m.offenders.memory, m.constants.keep_memory)
    aftermath.release(m.step_index, m.offenders.person, m.offenders.released_at, m.people.at,
                      m.people.status, m.people.anchors, m.people.household, m.households.at_home,
                      m.stock)
    m.note_day()
    if m.settings.model.life.enabled and day % round(m.settings.model.life.month_days) == 0:
        life_course(m, day)
    m.choose_hot_places()


def minds(m, day: int) -> None:
    """Fear, trust, caution of residents; what neighbours know; collective efficacy."""
    p, n, r, s = m.people, m.n_residents, m.recorder, m.places
    learn = m.settings.model.fear.learn_place
    s.unease_day = s.unease_day + learn * (m.cue_day - s.unease_day)
    s.unease_night = s.unease_night + learn * (m.cue_night - s.unease_night)
    neighbourhood.notice(m)
    m.sum_parts[:] = 0.0
    m.street[:] = 0.0
    felt = (p.fear, p.trust_police, p.trust_city)
    own = m.key(streams.TRAITS, PERSON_TRAITS)
    arguments = (m.key(streams.TALK), own, m.constants.mind, m.home, p.sensitivity, s.unease_day,
                 s.unease_night, m.noticed, m.population.ties.start, m.population.ties.items,
                 m.felt, *felt, p.caution, m.street, m.cell)
    if m.threads > 1:
        parallel.remember_chunks(m.sum_bounds, *felt, m.felt)
        parallel.days_end_chunks(m.sum_bounds, m.sum_parts, *arguments)
    else:
        perception.remember(0, n, *felt, m.felt)
        for c in range(len(m.sum_bounds) - 1):
            perception.days_end(m.sum_bounds[c], m.sum_bounds[c + 1], *arguments,
                                m.sum_parts[c])
    r.sums[:] = m.sum_parts.sum(axis=0)
    neighbourhood.take_part(m)
    if m.settings.model.efficacy.enabled:
        neighbourhood.build_efficacy(m, m.constants.bond)


def life_course(m, day: int) -> None:
    """A month: work, school, skills, moral rules; propensities; who starts and stops offending."""
    p, f, n, ties = m.people, m.offenders, m.n_residents, m.population.ties
    course = m.constants.course
    life.month(0, n, course, m.key(streams.WORK), m.key(streams.SCHOOL), p.age, p.employment,
               p.programme, m.placed, p.self_control, p.skill, p.aggression, p.timetable,
               m.timetable_work, m.timetable_free)
    if course.norms_talk > 0 or course.norms_return > 0:
        life.spread_norms(0, n, m.key(streams.NORMS), course, ties.start, ties.items,
                          p.lasting_norms, p.norms[:n].copy(), p.norms)
    life.propensities(course, f.person, f.latent, m.age_factor, p.age, p.employment,
                      p.self_control, p.skill, p.substance, p.norms, p.trust_police, ties.start,
                      ties.items, m.role, f.active, f.propensity)
    life.roles(course, m.key(streams.ROLE), f.person, p.age, p.employment, f.active)


def harm_at_home(m) -> None:
    """The day's domestic abuse, with the hours at which it happens."""
    h, p, o, r = m.households, m.people, m.constants.offences, m.recorder
    day = m.step_index // m.calendar.steps_per_day
    drawn = np.zeros((HOME_LIMIT, events.N_EVENT), np.int32)
    n = 0
    for row in o.of_form(places.HOUSEHOLD):
        before = r.total.copy()
        n = life.harm_at_home(
            m.key(streams.DOMESTIC, day * 64 + row), m.key(streams.DOMESTIC, day * 64 + row + 32),
            m.step_index, m.calendar.steps_per_day / 24, row, o.level[row], m.constants.harm,
            h.home, h.first, h["size"], h.strain, h.abuse_norms, p.age, p.sex, p.status, m.cell,
            r.total, r.hazard, r.victim_chances, drawn, n, HOME_LIMIT)
        # A day's expectation is spread over its hours by the same weights as the events.
        m.home_hazard[row] = r.total[row] - before[row]
        r.total[:] = before
    m.home_events = drawn[:n].copy()


def _serial(kernel):
    """The serial kernel over the whole range, called like its chunked form."""
    return lambda bounds, *arguments: kernel(bounds[0], bounds[-1], *arguments)


"""Expected offences of single persons: the same sums as counts and places, with less luck."""

import numpy as np
import pytest

from citysim.evidence.trials.measures import Watch
from citysim.evidence.trials.persons import Expected, chance_of_arrest
from citysim.evidence.trials.schema import Outcome
from citysim.kernels import events as ev
from citysim.kernels.people import FLOW, INSIDE
from citysim.kernels.places import FRICTION, HOUSEHOLD
from citysim.kernels.victims import somebody

FREQUENT = {"offences.assault.level": 0.006, "offences.domestic_abuse.level": 0.03,
            "offences.vandalism.level": 0.2, "model.offending.rate": 0.02}


def watched(model, days, people=None):
    """Everybody's expectations over so many days, and the events of these days."""
    expected = Expected(model, np.arange(len(model.people)) if people is None else people)
    model.after["offenders"] = expected
    model.run_days(days)
    model.finish()
    return expected.hazard, model.recorder.all_events()


def test_shares_of_all_people_add_up_to_what_places_expect(town, town_settings):
    m = town({"offences.assault.level": 1e-6})  # so rare that chance and expectation are one
    hazard, _ = watched(m, 3)
    for form in (FRICTION, HOUSEHOLD):
        row = m.constants.offences.of_form(form)
        there = m.recorder.hazard[:, row].sum()
        # What falls on people who are all alone has nobody to be hit.
        assert 0.97 * there < hazard[:, row].sum() <= there * (1 + 1e-9)
    unplanned = np.isin(m.constants.offences.form, (FRICTION, HOUSEHOLD))
    assert not hazard[m.role < 0][:, ~unplanned].any()


@pytest.fixture(scope="module")
def days(town):
    """Counts and expectations by person of six busy days, summed over seeds."""
    counted = expected = 0.0
    for seed in range(1, 13):
        m = town(FREQUENT, seed=seed)
        hazard, events = watched(m, 6)
        done = np.zeros(hazard.shape)
        culprit = events[:, ev.CULPRIT] >= 0
        np.add.at(done, (events[culprit, ev.CULPRIT], events[culprit, ev.OFFENCE]), 1.0)
        counted, expected = counted + done, expected + hazard
    return m, counted, expected


def test_expectations_by_person_aim_at_the_counts(days):
    """Within four standard errors of a Poisson count, for kinds of people and of offences."""
    m, counted, expected = days
    o, p = m.constants.offences, m.people
    own = np.flatnonzero((o.form != FRICTION) & (o.form != HOUSEHOLD))
    hot = p.aggression > np.median(p.aggression)
    groups = [np.ones(len(p), bool), p.sex == 0, p.sex == 1, p.age < 22, p.age >= 40, hot, ~hot]
    for rows in (own, o.of_form(FRICTION), o.of_form(HOUSEHOLD)):
        for group in groups:
            found = counted[group][:, rows].sum()
            aim = expected[group][:, rows].sum()
            assert abs(found - aim) < 4 * np.sqrt(aim) + 1, (rows, aim, found)
        assert counted[:, rows].sum() > 150  # otherwise little was tested


def test_watching_changes_nothing_and_knows_only_the_watched(town):
    some = np.arange(40, 90)
    plain, seen = town(FREQUENT), town(FREQUENT)
    plain.run_days(2)
    plain.finish()
    few, events = watched(seen, 2, some)
    assert np.array_equal(events, plain.recorder.all_events())
    assert all(np.array_equal(a, plain.state()[n]) for n, a in seen.state().items())
    everybody, _ = watched(town(FREQUENT), 2)
    assert np.allclose(few, everybody[some], rtol=1e-12) and few.any()


@pytest.mark.parametrize("emptied", ["neither", "inside", "outside"])
def test_assailants_on_a_place_are_drawn_as_expected(evening, emptied):
    """A place with much friction in both settings: many draws of ``somebody`` against the shares.

    Where a setting has emptied since the hour began, all falls on those of the other.
    """
    from citysim.model.phases import PHASES

    m = evening
    before = m.recorder.hazard.copy()
    for _, phase in PHASES[:6]:
        phase(m)
    row = int(m.constants.offences.of_form(FRICTION)[0])
    s = int(np.argmax(m.friction[:, INSIDE] * (1 - m.indoors)))
    if emptied != "neither":
        m.guests[s] = float(emptied == "outside")
    if emptied == "outside":
        m.moved[:] = m.place_rows[s, FLOW] = 0
        m.people.at[(m.people.at == 1) & (m.people.anchors[:, 1] == s)] = 0
    expected = Expected(m, np.arange(len(m.people)))
    away = np.arange(len(m.places)) != s
    m.attract[away, row] = m.background[away, row] = 0.0  # assaults can happen here alone
    expected._friction(m)
    whole = expected.hazard[:, row].sum()
    assert whole == pytest.approx(1 - np.exp(-(m.recorder.hazard - before)[s, row]))
    share = expected.hazard[:, row] / whole
    w, p, draws = m.world, m.people, 4000
    nobody, chance = (np.int64(-1), 1.0), np.zeros(m.groups_of_people.n_cells)
    guests = round(draws * m.indoors[s])
    assert 0.05 * draws < guests < 0.95 * draws  # both settings count
    drawn = np.array([somebody(
        s, FRICTION, i < guests, row, m.constants.exposure.female_assailant, -1, nobody,
        np.uint64(i), np.uint64(0), 0.0, m.constants.exposure, m.day_outdoors, m.guests,
        m.place_rows, m.seconds, m.stock, w.passers.start, w.passers.items, m.moved,
        w.regulars.start, w.regulars.items, p.at, p.status, p.anchors, p.group, p.intoxication,
        p.aggression, m.cell, chance) for i in range(draws)])
    count = np.bincount(drawn, minlength=len(p))
    assert not count[share == 0].any() and (share > 0).sum() > 10
    off = (count - draws * share)[share > 0] / np.sqrt(draws * share[share > 0])
    assert np.mean(off ** 2) < 1 + 5 * np.sqrt(2 / len(off))


def test_totals_of_people_are_expected_for_the_watched_alone(town):
    m = town(FREQUENT)
    outcomes = {"arrests": Outcome(measure="arrests"), "acts": Outcome(measure="offending"),
                "evening": Outcome(measure="offending", offences=["assault"], hours=(18, 6)),
                "abuse": Outcome(measure="offending", offences="domestic_abuse", hours=(18, 6)),
                "suffered": Outcome(measure="victimisation")}
    totals = Watch(m, outcomes, np.array([3, 5, 8])).run(2)
    for name in ("arrests", "acts", "evening"):
        known = np.flatnonzero(np.isfinite(totals[name].expected))
        assert known.tolist() == [3, 5, 8]
    assert np.isnan(totals["abuse"].expected).all()  # booked at midnight
    assert totals["suffered"].expected is None and not m.after
    chance = chance_of_arrest(m)
    assert ((chance > 0) & (chance < 1)).all()
    there = totals["arrests"].expected[[3, 5, 8]] <= totals["acts"].expected[[3, 5, 8]]
    assert there.all()

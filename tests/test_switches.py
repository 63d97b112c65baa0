"""Every mechanism of the model can be switched off, and every parameter is read."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml

from citysim import CityModel
from citysim.kernels import events as ev
from citysim.kernels import people
from citysim.model import phases, start
from whole_model import TABLES, all_events

ROOT = Path(__file__).parents[1]


def week(town, busy_changes, name=None, **more):
    """A busy week with one mechanism switched off."""
    changes = {**busy_changes, **({f"model.{name}.enabled": False} if name else {}), **more}
    m = town(changes, policies=("hot_spot_policing", "community_policing"))
    m.run_days(7)
    return m


def switches():
    files = sorted((ROOT / "configs/model").glob("*.yaml"))
    found = {f.stem: yaml.safe_load(f.read_text(encoding="utf-8")) for f in files}
    return [name for name, content in found.items() if "enabled" in content]


def does_nothing_else(m):
    for table in TABLES:
        getattr(m, table).validate()


def check_patrol(m, on):
    assert m.recorder.patrol.sum() == 0 < on.recorder.patrol.sum()
    assert not m.places.deterrence.any() and not m.people.stops.any()
    assert m.recorder.contacts == 0 and not m.guardians.on_duty.any()


def check_law(m, on):
    assert not m.offenders.arrests.any() and not m.people.status.any()
    assert not all_events(m)[:, ev.CLEARED].any() and on.offenders.arrests.any()


def check_fear(m, on):
    before = CityModel(m.settings, 1, (), m.world).people
    np.testing.assert_array_equal(m.people.fear, before.fear)
    assert (m.people.caution == 1).all() and (on.people.caution < 1).any()


def check_trust(m, on):
    before = CityModel(m.settings, 1, (), m.world).people
    for name in ("trust_police", "trust_city"):
        np.testing.assert_array_equal(m.people[name], before[name])
        assert (on.people[name] != before[name]).any()


def check_promises(m, on):
    """Nobody notices a street that has changed, and nobody gets used to it."""
    assert not m.noticed.any() and on.noticed.any()
    start = CityModel(m.settings, 1, (), m.world).places.accustomed
    np.testing.assert_array_equal(m.places.accustomed, start)
    assert (on.places.accustomed != start).any()


def check_near_repeat(m, on):
    k = m.constants
    assert k.drive.memory_drive == 0
    assert not (k.offences.memory_own.any() or k.offences.memory_near.any())
    other = copy.deepcopy(m)
    other.offenders.memory = 1
    other.offenders.memory_place = np.arange(4)
    hazards = []
    for x in (m, other):
        for _, phase in phases.PHASES[:6]:
            phase(x)
        hazards.append(x.recorder.motivated)
    assert hazards[0] == hazards[1]


def check_deterrence(m, on):
    """Patrols still go out, but nobody reckons with them."""
    assert m.recorder.patrol.sum() > 0 and m.constants.watch.certainty_patrol == 0
    phases.observe_places(m)  # after the last step's damage
    before = m.places.certainty.copy()
    m.places.deterrence = 1
    phases.observe_places(m)
    np.testing.assert_array_equal(m.places.certainty, before)
    on.places.deterrence = 0
    phases.observe_places(on)
    before = on.places.certainty.copy()
    on.places.deterrence = 1
    phases.observe_places(on)
    assert (on.places.certainty > before).all()


def check_guardianship(m, on):
    m.places.deterrence = 0
    phases.observe_places(m)
    assert not m.places.certainty.any() and on.places.certainty.any()


def check_offending(m, on):
    assert m.recorder.motivated == 0 < on.recorder.motivated
    forms = set(m.constants.offences.form[all_events(m)[:, ev.OFFENCE]])
    assert forms == {phases.places.FRICTION, phases.places.HOUSEHOLD}


def check_opportunity(m, on):
    t = m.constants.target
    assert t.night_vehicle == t.disorder_feed == t.youth_feed == 0
    assert not m.constants.offences.disorder_cue.any()
    assert on.constants.target.youth_feed > 0 and on.constants.offences.disorder_cue.any()


def check_facilities(m, on):
    """Only the background is left; homes and kerbs know no facilities but derelict ones."""
    background = start.backgrounds(m.places, m.constants.offences, 1)
    np.testing.assert_array_equal(m.attract, background)
    ratio, names = on.attract / background, np.array(m.constants.offences.names)
    assert set(names[(ratio == 1).all(axis=0)]) == {"domestic_abuse"}
    kept = ratio[on.places.derelict == 0]
    alike = np.ptp(kept, axis=0) < 1e-5
    assert set(names[alike]) == {"burglary_home", "vehicle_theft", "theft_from_vehicle",
                                 "domestic_abuse"}


def check_night(m, on):
    assert not m.people.intoxication.any() and not m.drink.any()
    m.step_index += 21
    on.step_index += 21
    for x in (m, on):
        phases.clock(x)
        phases.move(x)
    assert not m.drink.any() and on.drink.any()


def check_routine(m, on):
    assert m.stock[:, people.OUT].sum() == 0
    assert sum(d["out"].sum() for d in m.recorder.daily) == 0
    assert sum(d["out"].sum() for d in on.recorder.daily) > 0


def check_life(m, on):
    m.step_index = on.step_index = 30 * 24
    before = [x.people.employment.copy() for x in (m, on)]
    for x in (m, on):
        phases.clock(x)
    np.testing.assert_array_equal(m.people.employment, before[0])
    assert (on.people.employment != before[1]).any()


def check_domestic(m, on):
    form = [x.constants.offences.form[all_events(x)[:, ev.OFFENCE]] for x in (m, on)]
    home = phases.places.HOUSEHOLD
    assert not (form[0] == home).any() and (form[1] == home).any()
    row = m.constants.offences.of_form(home)
    assert m.recorder.hazard[:, row].sum() == 0 < on.recorder.hazard[:, row].sum()


def check_efficacy(m, on):
    before = CityModel(m.settings, 1, (), m.world).places.efficacy
    np.testing.assert_array_equal(m.places.efficacy, before)
    assert (on.places.efficacy != before).any()


def check_upkeep(m, on):
    start = CityModel(m.settings, 1, (), m.world).places
    for name in ("upkeep", "disorder"):
        np.testing.assert_array_equal(m.places[name], start[name])
    assert (on.places.disorder != start.disorder).any()


@pytest.fixture(scope="module")
def everything_on(town, busy_changes):
    return week(town, busy_changes)


@pytest.mark.parametrize("name", switches())
def test_every_mechanism_can_be_switched_off(town, busy_changes, everything_on, name):
    m = week(town, busy_changes, name)
    does_nothing_else(m)
    check = globals().get(f"check_{name}")
    assert check, f"model.{name}.enabled has no meaning that is tested"
    check(m, copy.deepcopy(everything_on))


def test_every_parameter_of_the_model_is_read():
    """A parameter that nothing reads would be swept in vain."""
    source = "\n".join(p.read_text(encoding="utf-8")
                       for p in (ROOT / "src/citysim").rglob("*.py"))
    missing = []
    for file in sorted((ROOT / "configs/model").glob("*.yaml")):
        for name in yaml.safe_load(file.read_text(encoding="utf-8")):
            if name not in ("defaults", "enabled") and not name.startswith("taste_"):
                used = f".{name}" in source or f'"{name}"' in source
                missing += [] if used else [f"{file.stem}.{name}"]
    assert not missing


def test_no_levels_no_crime(town, town_settings):
    zero = {f"offences.{name}.level": 0.0 for name in town_settings.offences}
    m = town(zero)
    m.run_days(4)
    assert len(all_events(m)) == 0 and m.recorder.hazard.sum() == 0
    assert m.recorder.motivated > 0 and not m.people.victimised.any()

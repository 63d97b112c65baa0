"""What trials have in common: run once, left for the others, the same to the last bit."""

import pytest

from citysim.evidence.trials import common, simulate
from citysim.evidence.trials.common import FOLDER, family, in_common
from citysim.evidence.trials.run import build_world, for_trial
from citysim.model.city_model import CityModel
from made_trials import BUSY, composed, entry, settings_for

LIGHT = {"control": {}, "treated": {"policies": ["closing_hour_later"]}}
NIGHT = {"crime": {}, "nights": {"offences": ["assault", "robbery"], "hours": [22, 4]},
         "fear": {"measure": "fear_after_dark"}}
TIMING = {"warmup": 1, "baseline": 3, "days": 4}
ONE = entry()
OTHER = entry(id="other", arms=LIGHT, outcomes=NIGHT, rings=[100],
              estimator={"kind": "difference_in_differences"})


@pytest.fixture(scope="module")
def world():
    return build_world(settings_for(ONE))


@pytest.fixture
def simulated(world, tmp_path, monkeypatch):
    """Tables of a trial with results below the folder of the test, and days that models stepped."""
    days = []
    stepped = CityModel.step
    monkeypatch.setattr(CityModel, "step", lambda m: (days.append(m.step_index), stepped(m))[1])

    def run(trial, seed=1, **changes):
        days.clear()
        settings = for_trial(composed(), trial, output_dir=str(tmp_path / trial.id))
        tables = simulate.simulate_trial(settings.replace(changes) if changes else settings,
                                         None, seed, world)
        return tables, len(days) / 24

    return run


def same(one, other):
    return all(one[name].to_pandas().equals(other[name].to_pandas())
               for name in ("units", "estimates"))


def test_trials_of_one_family_step_what_they_share_once(simulated, tmp_path):
    alone = {trial.id: simulated(trial)[0] for trial in (ONE, OTHER)}
    with in_common(tmp_path, [ONE, OTHER]):
        first, days = simulated(ONE)
        assert days == 1 + 3 + 2 * 4 and same(first, alone["made_up"])
        second, days = simulated(OTHER)
        assert days == 4 and same(second, alone["other"])
        assert simulated(OTHER, seed=2)[1] == 1 + 3 + 2 * 4  # another seed is another city
    assert not (tmp_path / FOLDER).exists()
    assert simulated(OTHER)[1] == 1 + 3 + 2 * 4


def test_other_parameters_share_nothing_and_other_lengths_the_baseline(simulated, tmp_path):
    longer = entry(id="longer", timing={"warmup": 1, "baseline": 3, "days": 5})
    with in_common(tmp_path, [ONE, longer]):
        simulated(ONE)
        assert simulated(ONE, **{"model.offending.rate": 0.03})[1] == 1 + 3 + 2 * 4
        assert simulated(longer)[1] == 2 * 5


def test_a_control_arm_with_a_policy_shares_the_baseline_only(simulated, tmp_path):
    patrolled = entry(id="patrolled", arms={
        "control": {"policies": ["directed_patrol"]},
        "treated": {"policies": ["directed_patrol"], "dose": 2}})
    alone = simulated(patrolled)[0]
    with in_common(tmp_path, [ONE, patrolled]):
        simulated(ONE)
        found, days = simulated(patrolled)
    assert days == 2 * 4 and same(found, alone)


@pytest.mark.parametrize("trials", [[ONE], [entry(units={"kind": "city", "number": 2})] * 2])
def test_what_no_other_trial_needs_is_not_kept(simulated, tmp_path, trials):
    with in_common(tmp_path, trials):
        assert not (tmp_path / FOLDER).exists()
        simulated(trials[0])
        assert not (tmp_path / FOLDER).exists()


def test_families_differ_by_what_trials_share():
    assert family(ONE) == family(OTHER)
    for changes in ({"set": BUSY | {"model.offending.rate": 0.01}},
                    {"timing": TIMING | {"warmup": 2}},
                    {"timing": TIMING | {"baseline": 2}},
                    {"timing": TIMING | {"start_date": "2024-07-01"}}):
        assert family(entry(**changes)) != family(ONE)
    assert family(entry(timing=TIMING | {"days": 9})) == family(ONE)


def test_a_disk_that_is_full_costs_the_others_time_only(simulated, tmp_path, monkeypatch):
    alone = simulated(OTHER)[0]
    with in_common(tmp_path, [ONE, OTHER]):
        def full(*_):
            raise OSError("no space left")

        monkeypatch.setattr(common.Path, "write_bytes", full)
        simulated(ONE)
        found, days = simulated(OTHER)
    assert days == 1 + 3 + 2 * 4 and same(found, alone)


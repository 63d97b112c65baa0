"""What trials have in common: run once, left for the others, the same to the last bit."""

from pathlib import Path

import pytest

from citysim.evidence.trials import shared_runs, simulate
from citysim.evidence.trials.run import build_world, for_trial
from citysim.evidence.trials.shared_runs import FOLDER, family, in_common
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
        settings = settings.replace(changes) if changes else settings
        tables = simulate.simulate_trial(settings, None, seed, world)
        return tables, len(days) / 24

    return run


def same(one, other):
    return all(one[name].to_pandas().equals(other[name].to_pandas())
               for name in ("units", "estimates"))


def days_after(first, trial, members, simulated, folder):
    """Days stepped for a trial after another of its board; with the results that it has alone."""
    alone = simulated(trial)[0]
    with in_common(folder, members):
        simulated(first)
        found, days = simulated(trial)
    assert same(found, alone)
    return days


ALONE, TREATED_ONLY, AFTER_BASELINE = 1 + 3 + 2 * 4, 4, 2 * 4  # days stepped


def test_trials_of_one_family_step_what_they_share_once(simulated, tmp_path):
    alone = {trial.id: simulated(trial)[0] for trial in (ONE, OTHER)}
    with in_common(tmp_path, [ONE, OTHER]):
        first, days = simulated(ONE)
        assert days == ALONE and same(first, alone["made_up"])
        second, days = simulated(OTHER)
        assert days == TREATED_ONLY and same(second, alone["other"])
        assert simulated(OTHER, seed=2)[1] == ALONE  # another seed is another city
    assert not (tmp_path / FOLDER).exists()
    assert simulated(OTHER)[1] == ALONE


def test_only_seeds_that_two_trials_have_are_left_for_others(simulated, tmp_path):
    with in_common(tmp_path, [ONE, entry(id="small", seeds=1), entry(id="smaller", seeds=1)]):
        for seed, left in ((1, 2), (2, 0)):
            before = len(list((tmp_path / FOLDER).iterdir()))
            simulated(ONE, seed)
            assert len(list((tmp_path / FOLDER).iterdir())) - before == left


def test_other_lengths_share_the_baseline_only(simulated, tmp_path):
    longer = entry(id="longer", timing=TIMING | {"days": 5})
    assert days_after(ONE, longer, [ONE, longer], simulated, tmp_path) == 2 * 5


def test_other_parameters_share_nothing(simulated, tmp_path):
    with in_common(tmp_path, [ONE, OTHER]):
        simulated(ONE)
        assert simulated(ONE, **{"model.offending.rate": 0.03})[1] == ALONE


@pytest.mark.parametrize("changes", [
    {"timing": TIMING | {"warmup": 2, "baseline": 2}},  # as many days before the window
    {"outcomes": {"crime": {"offences": ["robbery"]}}}])  # nobody has counted these
def test_a_trial_of_no_or_another_family_finds_nothing(simulated, tmp_path, changes):
    stranger = entry(id="stranger", **changes)
    assert days_after(ONE, stranger, [ONE, OTHER], simulated, tmp_path) == ALONE


def test_people_are_followed_by_themselves(simulated, tmp_path):
    people = entry(id="people", outcomes={"arrests": {"measure": "arrests"}},
                   arms={"control": {}, "treated": {"policies": ["summer_jobs"]}},
                   units={"kind": "people", "number": 100,
                          "eligible": {"table": "people", "rank_by": "risk", "share": 0.9}},
                   estimator={"kind": "risk_difference"})
    assert days_after(ONE, people, [ONE, OTHER], simulated, tmp_path) == ALONE


def test_places_that_an_outcome_is_about_stay_its_own(simulated, tmp_path):
    shops = entry(id="shops", outcomes={"crime": {
        "where": [{"column": "shops", "above": 0}]}, "elsewhere": {
        "where": [{"column": "shops", "in": [0]}]}})
    assert days_after(ONE, shops, [ONE, shops], simulated, tmp_path) == TREATED_ONLY
    units = simulated(shops)[0]["units"].to_pandas()
    assert (units.query("scope == 'city'").groupby("outcome")["count"].sum() > 0).all()


def test_a_control_arm_with_a_policy_shares_the_baseline_only(simulated, tmp_path):
    patrolled = entry(id="patrolled", arms={
        "control": {"policies": ["directed_patrol"]},
        "treated": {"policies": ["directed_patrol"], "dose": 2}})
    assert days_after(ONE, patrolled, [ONE, patrolled], simulated, tmp_path) == AFTER_BASELINE


@pytest.mark.parametrize("trials", [[ONE], [entry(units={"kind": "city", "number": 2})] * 2])
def test_nothing_is_kept_that_no_other_trial_needs(simulated, tmp_path, trials):
    with in_common(tmp_path, trials):
        assert not (tmp_path / FOLDER).exists()


def test_families_differ_by_what_trials_share():
    assert family(ONE) == family(OTHER) == family(entry(timing=TIMING | {"days": 9}))
    for changes in ({"set": BUSY | {"model.offending.rate": 0.01}},
                    {"timing": TIMING | {"warmup": 2}}, {"timing": TIMING | {"baseline": 2}},
                    {"timing": TIMING | {"start_date": "2024-07-01"}}):
        assert family(entry(**changes)) != family(ONE)


@pytest.mark.parametrize("broken", ["full disk", "cut off", "no folder"])
def test_what_cannot_be_shared_is_run(simulated, tmp_path, monkeypatch, broken):
    def full(*_, **__):
        raise OSError("no space left")

    alone = simulated(OTHER)[0]
    if broken == "no folder":
        monkeypatch.setattr(Path, "mkdir", full)
    with in_common(tmp_path, [ONE, OTHER]):
        if broken == "full disk":
            monkeypatch.setattr(shared_runs, "replacing", full)
        simulated(ONE)
        if broken == "cut off":
            for file in (tmp_path / FOLDER).glob("*-*"):
                file.write_bytes(file.read_bytes()[:-100])
        found, days = simulated(OTHER)
    assert days == ALONE and same(found, alone)

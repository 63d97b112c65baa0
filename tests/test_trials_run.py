"""Virtual trials in the town: both runs of a seed, what is watched, and trials as studies."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import yaml

from citysim.cli.main import main
from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.trials.arms import handed_out
from citysim.evidence.trials.entries import load_trial, parse_trial
from citysim.evidence.trials.measures import Watch
from citysim.evidence.trials.pool import verdicts
from citysim.evidence.trials.run import (
    PROGRAM,
    build_world,
    compose_cities,
    for_trial,
    kept_world,
    run_trial,
    settings_of,
)
from citysim.evidence.trials.schema import Outcome
from citysim.evidence.trials.simulate import _drawn_again, respondents, simulate_trial
from citysim.evidence.trials.units import Units
from citysim.kernels import events as ev
from citysim.model.simulate import record_of
from made_trials import BUSY, ENTRY, entry, settings_for


@pytest.fixture(scope="module")
def world():
    return build_world(settings_for(entry()))


def simulated(world, seed=1, **changes):
    tables = simulate_trial(settings_for(entry(**changes)), None, seed, world)
    return tables["units"].to_pandas(), tables["estimates"].to_pandas()


def test_a_trial_with_a_seed_is_always_the_same(world):
    first, second = (simulated(world, rings=[100])[0] for _ in range(2))
    assert first.equals(second)
    units = first[(first["scope"] == "units") & (first["period"] == "trial_0")]
    assert units.groupby("arm").size().to_dict() == {"control": 30, "treated": 30}
    assert set(first["scope"]) == {"units", "ring_1", "city"}


def test_without_dose_both_runs_are_one(world):
    units, estimates = simulated(world, arms={
        "control": {}, "treated": {"policies": ["directed_patrol"], "dose": 0}})
    assert (units["count"] == units["untreated_count"]).all()
    assert (units["hazard"] == units["untreated_hazard"]).all()
    assert (estimates[estimates["basis"] == "hazards"]["percent"] == 0).all()


def test_lots_drawn_again_on_one_run_are_trials_of_their_own(world):
    nobody = {"control": {}, "treated": {"policies": ["directed_patrol"], "dose": 0}}
    units, found = simulated(world, arms=nobody, assignment={"kind": "simple", "draws": 3})
    own = found[(found["basis"] == "trial") & (found["scope"] == "units")]
    assert own["draw"].tolist() == [0, 1, 2] and own["percent"].nunique() == 3
    _, once = simulated(world, arms=nobody)
    first = once[once["basis"] == "trial"].reset_index(drop=True)
    assert own.reset_index(drop=True).loc[:0].equals(first)  # the first draw is the trial's own
    assert len(found[found["basis"] == "counts"]) == len(once[once["basis"] == "counts"])
    # The estimate of a draw is that of a trial with these lots on these very counts.
    other = _drawn_again(parse_trial({**ENTRY, "arms": nobody}), pa.Table.from_pandas(units), 1, 1)
    arms = other.to_pandas().query("scope == 'units' and period == 'trial_0'")["arm"]
    assert sorted(arms.value_counts()) == [30, 30]
    assert (arms.to_numpy() != units.query("scope == 'units' and period == 'trial_0'")["arm"]).any()


@pytest.mark.parametrize("changes", [
    {"assignment": {"kind": "simple", "draws": 2}},  # somebody is treated
    {"assignment": {"kind": "matched_pairs", "draws": 2}, "arms": {
        "control": {}, "treated": {"policies": ["directed_patrol"], "dose": 0}}}])
def test_lots_are_drawn_again_only_where_nobody_is_treated(changes):
    with pytest.raises(InputError, match="several draws"):
        entry(**changes)


def test_a_survey_asks_some_of_every_unit_anew_each_wave(world):
    units, _ = simulated(world, outcomes={"trust": {"measure": "trust_police", "survey": 120}},
                         estimator={"kind": "difference_in_differences"})
    mine = units[(units["scope"] == "units") & (units["size"] > 2)]
    off = (mine["asked"] - mine["count"]).groupby(mine["period"])
    assert (off.apply(lambda d: (d != 0).mean()) > 0.9).all()  # two of each unit, not everybody
    assert off.mean().abs().max() < 0.05  # nobody is asked for what they think
    waves = mine.pivot(index="unit", columns="period", values="asked")
    moved = mine.pivot(index="unit", columns="period", values="count").diff(axis=1).iloc[:, -1]
    assert (waves.diff(axis=1).iloc[:, -1] - moved).std() > 3 * moved.std()
    everybody, _ = simulated(world, outcomes={"trust": {"measure": "trust_police"}},
                             estimator={"kind": "difference_in_differences"})
    assert everybody["asked"].equals(everybody["count"])
    assert np.allclose(everybody["count"], units["count"], equal_nan=True)


def test_respondents_are_few_and_of_their_unit():
    labels = np.array([0] * 50 + [-1] * 20 + [1] * 3)
    asked = respondents(labels, 5, np.uint64(9))
    assert np.bincount(asked[asked >= 0]).tolist() == [5, 3]
    assert ((asked == -1) | (asked == labels)).all()
    assert not np.array_equal(asked, respondents(labels, 5, np.uint64(10)))
    assert (respondents(labels, 0.2, np.uint64(9)) >= 0).sum() == 2  # at least one of each


def test_units_and_their_surroundings_make_up_the_city(world):
    """Hazards of all places, in units, in rings or in neither, are those of the city."""
    units, _ = simulated(world, units={"kind": "places", "number": 150}, rings=[50])
    after = units[units["period"] == "trial_0"]
    for column in ("count", "hazard", "untreated_hazard"):
        sums = after.groupby("scope")[column].sum()
        assert sums["units"] == pytest.approx(sums["city"]) and sums["city"] > 0


def test_watch_agrees_with_the_record(town, town_settings, town_world):
    outcomes = {"all": Outcome(), "night": Outcome(hours=(22, 6)), "day": Outcome(hours=(6, 22)),
                "weekend": Outcome(hours=(22, 5), weekdays=[4, 5]),
                "suffered": Outcome(measure="victimisation"),
                "recorded": Outcome(counted="recorded"),
                "safe": Outcome(measure="safe_after_dark"), "use": Outcome(measure="use"),
                "shops": Outcome(where=[{"column": "shops", "at_least": 1}])}
    model = town(BUSY)
    totals = Watch(model, outcomes).run(7)
    assert model.step_index == 7 * 24
    model.finish()
    record = record_of(model)
    chosen = np.isin(record.events[:, ev.OFFENCE], record.select("all"))
    assert totals["all"].value.sum() == chosen.sum() > 100
    assert totals["all"].expected == pytest.approx(
        record.hazard[:, record.select("all")].sum(axis=1))
    columns, recorded = record.select("all"), record.told()[:, 1]
    assert totals["recorded"].expected == pytest.approx(
        (record.hazard * recorded)[:, columns].sum(axis=1))  # not the mix of what happened
    assert totals["recorded"].value.sum() == (chosen & (record.events[:, ev.RECORDED] == 1)).sum()
    assert totals["night"].value.sum() + totals["day"].value.sum() == chosen.sum()
    known = chosen & (record.events[:, ev.VICTIM] >= 0)
    assert totals["suffered"].value.sum() == known.sum()
    hour, weekday = record.hour_of_week % 24, record.hour_of_week // 24
    late = ((hour >= 22) & np.isin(weekday, [4, 5])) | ((hour < 5) & np.isin(weekday, [5, 6]))
    assert totals["weekend"].value.sum() == (chosen & late).sum()
    assert totals["use"].value == pytest.approx(record.presence.sum(axis=1))
    assert 0 < totals["safe"].value.mean() < 1 and len(totals["safe"].value) == model.n_residents
    there = model.places.shops[record.events[chosen, ev.PLACE]] >= 1
    assert totals["shops"].value.sum() == there.sum()


def test_hazards_by_hour_add_up(town):
    outcomes = {"all": Outcome(offences="vandalism"),
                "night": Outcome(offences="vandalism", hours=(22, 6)),
                "day": Outcome(offences="vandalism", hours=(6, 22)),
                "home": Outcome(offences="domestic_abuse", hours=(6, 22))}
    totals = Watch(town(BUSY), outcomes).run(3)
    both = totals["night"].expected + totals["day"].expected
    assert both == pytest.approx(totals["all"].expected) and both.sum() > 10
    assert np.isnan(totals["home"].expected).all()  # booked at midnight for the whole day


def test_policies_act_on_the_units_of_their_arm_alone(world):
    trial = entry(timing={"warmup": 1, "baseline": 3, "days": 3, "follow_up": 2},
                  outcomes={"patrols": {"measure": "patrol_minutes"}},
                  estimator={"kind": "difference_in_differences"},
                  arms={"control": {}, "treated": {
                      "policies": ["directed_patrol"],
                      "set": {"directed_patrol.measures.0.change.add": 24}}})
    units = simulate_trial(settings_for(trial), None, 1, world)["units"].to_pandas()
    units["more"] = units["count"] - units["untreated_count"]
    inside = units[units["scope"] == "units"]
    more = inside.groupby(["arm", "period"])["more"].mean()
    assert more["treated", "trial_0"] > 100  # minutes of 3 days
    assert abs(more["control", "trial_0"]) < 1
    assert abs(more["treated", "follow_up"]) < 1


def test_control_arms_with_a_policy_are_what_others_are_held_against(world):
    both = {"policies": ["directed_patrol"]}
    units, _ = simulated(world, arms={"control": both, "treated": both})
    assert (units["hazard"] == units["untreated_hazard"]).all()
    nobody, _ = simulated(world, arms={"control": {}, "treated": both})
    assert not np.allclose(units["untreated_hazard"], nobody["untreated_hazard"])


def test_windows_and_doses_are_handed_out():
    trial = entry(assignment={"kind": "switch_back", "windows": 2},
                  arms={"control": {}, "treated": {"policies": ["directed_patrol"], "dose": 2,
                                                   "x": 1}}, estimator={"kind": "slope"},
                  timing={"warmup": 1, "days": 6, "follow_up": 1})
    settings = settings_for(trial)
    rows = [np.array([i]) for i in range(60)]
    arms = np.zeros((60, 2), int)
    arms[:5, 0], arms[3:9, 1] = 1, 1
    found = handed_out(trial, arms, Units("places", rows), settings.policies, {})
    assert list(found) == ["directed_patrol__treated_0", "directed_patrol__treated_1"]
    first, second = found.values()
    assert first["dose"] == 2.0
    assert [m["target"]["rows"] for m in first["measures"]] == [[0, 1, 2, 3, 4]] * 2
    assert second["measures"][0]["target"]["rows"] == list(range(3, 9))
    assert (first["when"]["start_day"], first["when"]["end_day"]) == (0, 3)
    assert (second["when"]["start_day"], second["when"]["end_day"]) == (3, 6)


def test_young_people_are_units(world):
    units, estimates = simulated(
        world, units={"kind": "people", "number": 80, "eligible": {
            "table": "people", "filter": [{"column": "age", "at_least": 14, "at_most": 21}]}},
        arms={"control": {}, "treated": {"policies": ["summer_jobs"]}},
        outcomes={"offending": {"measure": "offending"}, "arrests": {"measure": "arrests"}},
        estimator={"kind": "risk_difference"})
    after = units[(units["period"] == "trial_0") & (units["scope"] == "units")]
    assert len(after) == 160 and (after["size"] == 1).all()
    assert estimates[estimates["basis"] == "counts"]["treated"].notna().all()


def test_whole_cities_are_replications(world):
    units, estimates = simulated(
        world, units={"kind": "city", "number": 3},
        assignment={"kind": "switch_back", "windows": 4},
        arms={"control": {}, "later": {"policies": ["closing_hour_later"], "x": 1},
              "earlier": {"policies": ["closing_hour_earlier"], "x": -1}},
        timing={"warmup": 1, "days": 8}, estimator={"kind": "slope"})
    inside = units[units["scope"] == "units"]
    assert len(inside) == 12 and inside["count"].nunique() > 3
    assert set(estimates[estimates["arm"] == "per_x"]["basis"]) == {"trial", "counts", "hazards"}
    assert (inside.groupby("window")["arm"].nunique() == 3).all()  # one city for each arm


def test_a_city_without_policy_is_its_own_untreated_self(world):
    """Where neither run has a policy they are one run, not the same model stepped on."""
    units, _ = simulated(world, units={"kind": "city", "number": 2},
                         timing={"warmup": 1, "baseline": 1, "days": 3},
                         estimator={"kind": "difference_in_differences"})
    control = units[(units["arm"] == "control") & (units["period"] == "trial_0")]
    assert len(control) == 1 and control["hazard"].item() > 0
    assert control["hazard"].item() == control["untreated_hazard"].item()
    assert control["count"].item() == control["untreated_count"].item()


def test_large_dose_shows_and_switched_off_does_not(world):
    for name, shows in (("large_dose_miniature", True), ("switched_off_miniature", False)):
        trial = load_trial(name, shipped_config_dir())
        found = simulate_trial(settings_for(trial), None, 1, world)["estimates"].to_pandas()
        precise = found[(found["basis"] == "hazards") & (found["scope"] == "units")]
        assert (precise["percent"].item() < -4) if shows else precise["percent"].item() == 0


def test_as_a_study_it_is_keyed_and_goes_on(tmp_path):
    trial = entry(published=[{"outcome": "crime", "arm": "treated", "value": -10}])
    words = [f"output_dir={tmp_path / 'trial'}", "executor=serial"]
    first = run_trial(settings_of(trial, words))
    assert first.exit_status == 0 and len(first.runs) == 2
    assert {"counts", "hazards", "trial_percent", "saving", "moved"} - set(first.summary) == \
        {"saving"}
    again = run_trial(settings_of(trial, words))
    assert again.kept == 2
    table = verdicts(trial, first.summary)
    assert len(table) == 1 and table["seeds"].item() == 2
    more = run_trial(settings_of(trial, [*words, "seeds=3"]))
    assert more.kept == 2 and len(more.runs) == 3
    key = {r: settings_for(entry(rings=[r])).key() for r in (100, 200)}
    assert len(set(key.values())) == 2


def test_trials_of_one_city_in_a_row_share_its_world_where_that_is_asked_for():
    with kept_world():
        first = build_world(settings_for(entry()))
        assert build_world(settings_for(entry(rings=[100]))) is first
        other = build_world(settings_for(entry()).replace({"scale": 0.5}))
        assert other is not first and len(other.population.people) < len(first.population.people)
        again = build_world(settings_for(entry()))
        assert again is not first  # one world is kept, not all
    assert build_world(settings_for(entry())) is not again
    for name, column in first.population.people.arrays().items():
        assert np.array_equal(column, again.population.people.arrays()[name]), name


@pytest.mark.parametrize("words", [[], ["seeds=5", "budget=1e6", "output_dir=made"]])
def test_a_trial_is_the_same_study_whether_its_city_was_composed_for_it_alone_or_for_many(words):
    trial = entry()
    cities = compose_cities([trial, entry(**armed(policies=["summer_jobs"]))], words)
    assert set(cities) == {"town"} and set(cities["town"].policies) == \
        {"directed_patrol", "summer_jobs"}
    mine, alone = for_trial(cities["town"], trial), settings_of(trial, words)
    assert {key: mine[key] for key in mine} == {key: alone[key] for key in alone}
    assert (mine.rules, mine.provenance) == (alone.rules, alone.provenance)
    assert sorted(mine.overrides) == sorted(alone.overrides)
    assert len(mine.seeds) == (5 if words else trial.seeds)
    assert for_trial(cities["town"], trial, output_dir="other").output_dir == "other"


@pytest.mark.parametrize("changes, word", [
    ({"units": {"kind": "places", "number": 151}}, "needs 151 units, town has 150"),
    ({"arms": {"control": {}, "treated": {"policies": ["directed_patrl"]}}}, "directed_patrol"),
    ({"city": "twon"}, "did you mean 'town'")])
def test_refused_before_anything_is_written(tmp_path, changes, word):
    with pytest.raises(InputError) as caught:
        run_trial(settings_of(entry(**changes), [f"output_dir={tmp_path / 'none'}",
                                                 "executor=serial"]))
    assert word in str(caught.value)
    assert not (tmp_path / "none").exists()


def armed(**arm):
    return {"arms": {"control": {}, "treated": {"policies": ["directed_patrol"], **arm}}}


@pytest.mark.parametrize("changes, key, closest", [
    ({"city": "twon"}, "city", "town"),
    (armed(policies=["directed_patrl"]), "arms.treated.policies", "directed_patrol"),
    (armed(set={"directed_patrl.dose": 1}), "arms.treated.set", "directed_patrol"),
    (armed(set={"directed_patrol.dose": -1}), "arms.treated", None),
    ({"outcomes": {"crime": {"offences": ["assault", "robery"]}}}, "outcomes.crime.offences",
     "robbery"),
    ({"set": {"model.offendng.rate": 1}}, "set", "model.offending"),
    ({"timing": {"baseline": 3, "days": 4, "start_date": "2024-13-01"}}, "timing.start_date",
     None)])
def test_an_entry_that_names_what_is_not_there_is_refused_by_file_and_key(changes, key, closest):
    with pytest.raises(InputError) as caught:
        compose_cities([entry(), entry(**changes)])
    assert f"made_up.yaml, {key}" in caught.value.where
    assert caught.value.closest == closest


def test_the_board_refuses_such_an_entry_before_its_year_runs(tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    file = folder / "evidence" / "trials" / "made_up.yaml"
    file.write_text(yaml.safe_dump(ENTRY | {"outcomes": {"crime": {"offences": "robery"}}}))
    monkeypatch.setattr("citysim.evidence.board.run.run_year", None)
    monkeypatch.chdir(tmp_path)
    assert main(["evidence", "--trial", "made_up", "--config-path", str(folder)]) == 2
    told = capsys.readouterr()
    assert f"{file}, outcomes.crime.offences" in told.err and told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["configs"]


def test_people_cannot_be_given_a_policy_of_places(world):
    with pytest.raises(InputError, match="acts on places, the units are people"):
        simulated(world, units={"kind": "people", "number": 80},
                  outcomes={"arrests": {"measure": "arrests"}},
                  estimator={"kind": "risk_difference"})


def test_hooks_of_the_program_exist():
    from citysim.study.program import resolve

    hooks = [name for name in vars(PROGRAM) if name != "code"]
    assert all(callable(resolve(getattr(PROGRAM, name))) for name in hooks)

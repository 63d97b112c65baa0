"""Entries of published trials: what they may say, and how they are refused."""

import copy

import pytest
import yaml

from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.trials.entries import load_trial, load_trials, parse_trial, trial_files
from citysim.evidence.trials.schema import Published

ENTRY = {
    "id": "made_up", "label": "Made up", "study": "none", "status": "miniature",
    "design": "Streets drawn by lots.", "city": "town",
    "units": {"kind": "places", "number": 40},
    "timing": {"baseline": 7, "days": 14},
    "arms": {"control": {}, "light": {"policies": ["street_lighting"]}},
    "outcomes": {"crime": {"offences": "all"}},
    "estimator": {"kind": "rate_ratio", "adjust": "baseline"},
    "published": [{"outcome": "crime", "arm": "light", "value": -10, "low": -20, "high": -1}],
}


def changed(path, value):
    entry = copy.deepcopy(ENTRY)
    node = entry
    *way, last = path.split(".")
    for key in way:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    node[last] = value
    return entry


@pytest.mark.parametrize("name", trial_files(shipped_config_dir()))
def test_shipped_entries_are_sound(name):
    trial = load_trial(name, shipped_config_dir())
    policies = {p.stem for p in (shipped_config_dir() / "policy").glob("*.yaml")}
    assert set(trial.policies) <= policies
    assert (shipped_config_dir() / "city" / f"{trial.city}.yaml").is_file()
    assert trial.status == "miniature" or trial.published


def test_published_studies_are_all_there():
    wanted = {"hot_spots_review", "bogota_patrol_services", "london_bus_stops",
              "procedural_justice", "community_policing_review", "community_policing_low_trust",
              "street_lighting_review", "street_lighting_estates", "closing_hour", "vacant_lots",
              "vacant_lots_shootings", "abandoned_houses", "alley_gates", "summer_jobs",
              "becoming_a_man", "problem_oriented", "cctv_review", "abuse_norms", "tonite"}
    trials = load_trials(shipped_config_dir())
    assert wanted <= set(trials)
    assert {t for t in wanted if trials[t].status == "memory"} == {"cctv_review"}


def test_no_effect_of_a_study_reaches_the_model():
    """What is published must not be among the numbers that arms or cities are set to."""
    for trial in load_trials(shipped_config_dir()).values():
        handed = {abs(v) for arm in trial.arms.values() for v in arm.set.values()}
        handed |= {abs(v) for v in trial.set.values() if not isinstance(v, bool)}
        told = {abs(p.value) for p in trial.published if p.value}
        assert not handed & (told | {v / 100 for v in told}), trial.id


@pytest.mark.parametrize("path, value, word", [
    ("outcomes.crime.measure", "crim", "did you mean 'crime'"),
    ("outcomes.crime.hour", [1, 2], "did you mean 'hours'"),
    ("outcomes.crime.hours", [22], "hours"),
    ("outcomes.crime.period", "follow_up", "follow-up"),
    ("outcomes.crime.where", [{"column": "venus", "above": 0}], "did you mean 'venues'"),
    ("outcomes.crime.where", [{"column": "venues", "equals": "many"}], "no code 'many'"),
    ("outcomes.trust", {"measure": "trust_police"}, "no count"),
    ("outcomes.trust", {"measure": "trust_police", "hours": [1, 2]}, "not known by hour"),
    ("units.kind", "street", "units.kind"),
    ("units.number", 1, "number"),
    ("units.radius", 50, "radius goes with"),
    ("units.judged", "whole", "judged as a whole"),
    ("units.eligible", {"table": "people"}, "chosen from table places"),
    ("units.eligible", {"table": "places", "rank_by": "recordd"}, "did you mean 'recorded'"),
    ("assignment", {"kind": "blocked"}, "goes with blocks"),
    ("assignment", {"kind": "before_after", "treated": 40}, "no unit is left as control"),
    ("assignment", {"kind": "before_after", "treated": 4}, "difference_in_differences"),
    ("assignment", {"kind": "switch_back", "windows": 2}, "slope"),
    ("assignment", {"kind": "switch_back", "windows": 4}, "equal windows"),
    ("assignment", {"shares": {"lite": 1.0}}, "did you mean 'light'"),
    ("estimator.kind", "slope", "dose x"),
    ("estimator.kind", "rate_rato", "did you mean 'rate_ratio'"),
    ("timing.baseline", 0, "no baseline"),
    ("arms", {"one": {}, "two": {}}, "control"),
    ("published.0.low", 5, "upside down"),
    ("published.0.high", None, "both ends"),
    ("published.0.high", float("inf"), "finite"),
    ("arms.light.dose", -1, "arms.light.dose"),
    ("published.0.value", -30, "outside its interval"),
    ("published.0.outcome", "crimes", "did you mean 'crime'"),
    ("published.0.arm", "lights", "did you mean 'light'"),
    ("published.0.scope", "ring_1", "units, city"),
    ("published.0.agreement", "direction", "goes with a direction"),
    ("rings", [200, 100], "outwards"),
    ("lable", "x", "did you mean 'label'"),
])
def test_refusals_name_file_and_key(path, value, word):
    with pytest.raises(InputError) as caught:
        parse_trial(changed(path, value), "made_up.yaml")
    assert word in str(caught.value)
    assert "made_up.yaml" in caught.value.where


def test_unknown_trial_and_wrong_name(tmp_path):
    with pytest.raises(InputError, match="did you mean 'closing_hour'"):
        load_trial("closing_hours", shipped_config_dir())
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(ENTRY))
    with pytest.raises(InputError, match="is called 'made_up'"):
        load_trial(str(file))


@pytest.mark.parametrize("given, rule", [
    ({"value": -5, "low": -8, "high": -1}, "overlap"), ({"value": -5}, "sign_and_factor"),
    ({}, "null"), ({"value": 0}, "null"), ({"agreement": "none"}, "none")])
def test_rule_of_agreement_follows_from_what_was_published(given, rule):
    assert Published(outcome="o", arm="a", **given).rule == rule


@pytest.mark.parametrize("name", trial_files(shipped_config_dir()))
def test_a_quick_look_is_shorter_and_still_a_trial(name):
    trial = load_trial(name, shipped_config_dir())
    quick = trial.quickened()
    assert quick.evaluated <= trial.evaluated and quick.seeds <= trial.seeds
    assert parse_trial(quick.model_dump(mode="json", by_alias=True)) == quick


def test_yaml_reads_true_as_a_word():
    assert parse_trial(changed("outcomes.crime.counted", True)).outcomes["crime"].counted == "true"


def test_a_quick_trial_of_people_keeps_its_length_in_a_smaller_city():
    trial = load_trial("becoming_a_man")
    quick = trial.quickened()
    assert quick.timing.days == trial.timing.days
    assert quick.units.number == trial.quick.number < trial.units.number
    assert quick.set["scale"] == trial.quick.scale and "scale" not in trial.set

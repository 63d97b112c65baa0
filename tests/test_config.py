"""Composition, validation and variation of a study's settings."""

import pickle

import pytest

from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.config.lookup import find_config_dir, options, read_yaml, shipped_config_dir
from citysim.config.rules import Rule
from study_stub import write_configs


@pytest.fixture(scope="module")
def settings(folder):
    return compose_study([], folder, folder)


def refusal(folder, *words, reference=None):
    with pytest.raises(InputError) as caught:
        compose_study(list(words), folder, reference or folder)
    return caught.value


def test_parameters_arrive_as_plain_numbers_with_provenance(settings):
    assert settings.model.guardianship.saturation == 0.7
    assert settings.city["districts"][0]["homes"] == 40
    assert settings.policies["lamps"]["measures"][0]["amount"] == 0.2
    assert settings.provenance["model.guardianship.saturation"] == \
        (0.7, "persons", "Smith 2001", (0.3, 3))
    assert settings.seeds == [1, 2] and settings.days == 3


def test_an_experiment_sets_parameters_and_says_so(settings):
    assert settings.model.guardianship.light_share == 0.5
    assert "0.75" in settings.provenance["model.guardianship.light_share"].source


@pytest.mark.parametrize("word", ["model.guardianship.saturation=0.9",
                                  "model.guardianship.saturation.value=0.9"])
def test_an_override_names_a_parameter_or_its_value(folder, word):
    found = compose_study([word], folder, folder)
    assert found.model.guardianship.saturation == 0.9
    given = found.provenance["model.guardianship.saturation"]
    assert given.unit == "persons" and "Smith 2001" in given.source and "0.7" in given.source


def test_the_command_line_beats_the_experiment(folder):
    found = compose_study(["days=9", "policy=[benches]", "experiment=main", "city=hamlet",
                           "seeds=[4,7]"], folder, folder)
    assert (found.days, list(found.policies), found.seeds) == (9, ["benches"], [4, 7])
    assert found.city["name"] == "Hamlet"


def test_a_policy_alone_makes_the_single_experiment(folder):
    found = compose_study(["policy=lamps"], folder, folder)
    assert found.days == 5 and found.name == "lamps" and found.output_dir == "outputs/lamps"


def test_keys_that_hold_dots_can_be_reached(folder):
    found = compose_study(["prices.places.lighting.running=25"], folder, folder)
    assert found.prices["places.lighting"].running == 25
    assert found.replace({"prices.places.lighting.running": 3}).prices["places.lighting"] \
        .running == 3


def test_a_factor_is_varied_from_the_command_line_by_the_path_of_its_parameter(folder):
    found = compose_study(["policy=lamps", "levers.policies.lamps.dose=[0.5,1]",
                           "uncertainties.model.guardianship.decay.low=1",
                           "uncertainties.model.guardianship.decay.high=2",
                           "design={kind:one_at_a_time,steps:2}"], folder, folder)
    assert found.levers["policies.lamps.dose"]["values"] == [0.5, 1]
    decay = found.uncertainties["model.guardianship.decay"]
    assert (decay["low"], decay["high"]) == (1, 2)


@pytest.mark.parametrize(("word", "place", "allowed", "closest"), [
    ("policy=[lamps,lamps]", "policy", "each once", None),
    ("levers.policies.lamps.dose=[]", "levers.policies.lamps.dose", "a list of values", None),
    ("city=vilage", "city", "village", "village"),
    ("policy=lamp", "policy", "benches", "lamps"),
    ("policy=[lamps,beat]", "policy", "beats", "beats"),
    ("experiment=mian", "experiment", "main", "main"),
    ("executor=lokal", "executor", "local", "local"),
    ("executor.adress=a:1", "executor.adress", "kind, address", "address"),  # also where none goes
    ("executor.address=a:1", "executor", "with ray an address", None),
    ("~executor.kind", "command line", "~offences.NAME", None),
    ("design.knd=grid", "design.knd", "kind", "kind"),
    ("citty=village", "citty", "city", "city"),
    ("dayz=3", "dayz", "days", "days"),
    ("+dayz=3", "dayz", "days", "days"),
    ("model.guardianship.saturaton=1", "saturaton", "light_share",
     "model.guardianship.saturation"),
    ("model.guardanship.saturation=1", "guardanship", "drift", "model.guardianship"),
    ("policies.lampz.label=x", "policies.lampz", "beats", "policies.lamps"),
    ("model.guardianship.shape=convx", "shape", "linear", "convex"),
    ("model.guardianship.light_share=1.2", "light_share", "from 0 to 1", None),
    ("model.guardianship.saturation=-1", "saturation", "at least 0", None),
    ("model.guardianship.decay=11", "decay", "from 0.5 to 10", None),
    ("model.guardianship.saturation=many", "saturation", "a number", None),
    ("model.guardianship.enabled=3", "enabled", "true or false", None),
    ("model.guardianship=3", "model.guardianship", "saturation", None),
    ("population.ties.degree=7.5", "degree", "whole number", None),
    ("policies.lamps.measures.0.amount=1.5", "measures.0.amount", "from 0 to 1", None),
    ("policies.lamps.measures.4.amount=1", "measures", "0 to 0", None),
    ("city.residents=-4", "city.residents", "at least 0", None),
    ("days=0", "days", "1 to 3660", None),
    ("days=soon", "days", "1 to 3660", None),
    ("seeds=0", "seeds", "1 or more", None),
    ("seeds=[1,1]", "seeds", "different", None),
    ("step_hours=0.3", "step_hours", "0.25, 0.5 or 1", None),
    ("scale=2", "scale", "at most 1", None),
    ("start_date=2024-13-01", "start_date", "2024-03-04", None),
    ("scenarios={a:{policis:[lamps]}}", "policis", "policies", "policies"),
    ("policy=lamps,beats", "policy", "policy=[A,B]", None),
    ("days", "command line", "key=value", "days"),
    ("seeds=[1", "command line", "key=", None),
    ("hydra.run.dir=x", "command line", None, None),
    ("~model.drift", "command line", "~offences.NAME", None),
    ("~model", "command line", "model=NAME", None),
    ("hamlet", "command line", "key=value", "city=hamlet"),
    ("budget=inf", "budget", "0 or more", None),
    ("budget=true", "budget", "0 or more", None),
    ("time_limit_s=inf", "time_limit_s", "above 0", None),
    ("step_hours=true", "step_hours", "0.25, 0.5 or 1", None),
    ("seeds=10000000000", "seeds", "100,000", None),
    ("seeds=99999999999999999999", "seeds", "100,000", None),
    ("name=..", "name", "words without", None),
    ("output_dir=''", "output_dir", "path of a folder", None),
    ("offences={}", "offences", "~offences.NAME", None),
    ("offences.robbery={}", "offences.robbery", "weight", None),
    ("policies={}", "policies", "~policies.NAME", None),
    ("model={guardianship:{}}", "model.guardianship", "saturation", None),
    ("scenarios={a:{set:{days:5}}}", "scenarios", "set:", None),
])
def test_bad_words_are_refused_with_place_range_and_suggestion(folder, word, place, allowed,
                                                               closest):
    error = refusal(folder, word)
    assert place in error.where
    assert error.closest == closest
    assert allowed is None or allowed in error.allowed


def test_a_misspelt_key_in_a_file_names_the_file(folder, tmp_path):
    own = write_configs(tmp_path / "own")
    file = own / "model" / "default.yaml"
    file.write_text(file.read_text().replace("saturation:", "saturaton:"))
    error = refusal(own, reference=folder)
    assert str(file) in error.where and "saturaton" in error.where
    assert error.closest == "model.guardianship.saturation"


@pytest.mark.parametrize(("name", "content", "said"), [
    ("city/village.yaml", b"name: \xff\xe9\n", "not UTF-8"),
    ("city/village.yaml", b"- a\n- b\n", "mapping"),
    ("city/village.yaml", b"name:\tVillage\n\tresidents: 3\n", "not readable as YAML"),
    ("policy/lamps.yaml", b"label: Lamps\n", "where its keys belong"),
    ("policy/lamps.yaml", b"", "holds no keys"),
    ("model/default.yaml", b"# @package model\n---\n{}\n", "holds no keys"),
    ("experiment/main.yaml", b"days: 3\n", "where its keys belong"),
    ("experiment/main.yaml", b"# @package _global_\ndefaults:\n  - override /polcy: [lamps]\n",
     "unknown group 'polcy'"),
])
def test_a_broken_file_is_named(folder, tmp_path, name, content, said):
    own = write_configs(tmp_path / "own")
    (own / name).write_bytes(content)
    error = refusal(own, "policy=lamps", "experiment=main", reference=folder)
    assert said in error.message and name.split("/")[1] in error.where + str(error)


def test_a_folder_that_lacks_a_group_is_told_so(folder, tmp_path):
    (tmp_path / "config.yaml").write_text("days: 3\n")
    error = refusal(tmp_path, reference=folder)
    assert "chooses no 'model'" in error.message and "config.yaml" in error.where


def test_an_experiments_value_out_of_range_names_the_experiment(folder, tmp_path):
    own = write_configs(tmp_path / "own")
    file = own / "experiment" / "main.yaml"
    file.write_text(file.read_text().replace("light_share: 0.5", "light_share: 5"))
    assert str(file) in refusal(own, reference=folder).where


def test_an_experiment_with_an_unknown_policy_is_refused(tmp_path):
    own = write_configs(tmp_path / "own")
    file = own / "experiment" / "main.yaml"
    file.write_text(file.read_text().replace("[lamps, beats]", "[lamps, beets]"))
    assert refusal(own).closest == "beats"


def test_broken_yaml_is_refused_with_its_line(tmp_path):
    own = write_configs(tmp_path / "own")
    (own / "model" / "default.yaml").write_text("drift: 1\nguardianship: {enabled: [\n")
    error = refusal(own)
    assert "YAML" in error.message and "line" in error.where and "default.yaml" in error.where


def test_a_parameter_with_a_misspelt_part_is_refused(tmp_path):
    own = write_configs(tmp_path / "own")
    file = own / "model" / "default.yaml"
    file.write_text(file.read_text().replace("bounds:", "bouns:"))
    assert refusal(own).closest == "bounds"


def test_limits_upside_down_are_refused():
    with pytest.raises(InputError, match="pair of limits"):
        Rule.of({"value": 1, "unit": "m", "source": "x", "range": [3, 1]}, "a")


def test_a_change_of_a_share_may_be_negative(settings):
    assert settings.replace({"city.slope": -0.9}).city["slope"] == -0.9
    with pytest.raises(InputError):
        settings.replace({"city.slope": -1.1})
    assert settings.replace({"model.drift": -5}).model.drift == -5


def test_a_new_offence_needs_the_fields_of_the_others(folder):
    found = compose_study(["+offences.fraud={label:Fraud,weight:0.4}"], folder, folder)
    assert found.offences.fraud.weight == 0.4
    assert "weight" in refusal(folder, "+offences.fraud={label:Fraud}").message
    assert refusal(folder, "+offences.fraud={label:F,weight:1,lss:2}").closest == \
        "offences.fraud.loss"
    assert "robbery" not in compose_study(["~offences.robbery"], folder, folder).offences


def test_an_empty_file_of_an_offence_is_refused_and_not_passed_over(folder, tmp_path):
    own = write_configs(tmp_path / "own")
    table, empty = own / "offences" / "default.yaml", own / "offences" / "fraud.yaml"
    table.write_text("defaults:\n  - fraud\n  - _self_\n" + table.read_text())
    empty.write_text("# @package offences.fraud\n\n")
    error = refusal(own, reference=folder)
    assert "holds no keys" in error.message and error.where == str(empty)
    (own / "city" / "draft.yaml").write_text("")  # not chosen: nobody's concern
    empty.write_text("# @package offences.fraud\nlabel: Fraud\nweight: 0.4\n")
    assert compose_study([], own, folder).offences.fraud.weight == 0.4


def test_a_missing_folder_is_refused_with_a_near_name(folder):
    with pytest.raises(InputError) as caught:
        find_config_dir(folder.parent / (folder.name + "x"))
    assert caught.value.where == "--config-path" and caught.value.closest == folder.name


def test_configs_of_the_working_folder_come_before_the_shipped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config_dir() == shipped_config_dir()
    write_configs(tmp_path / "configs")
    assert find_config_dir() == tmp_path / "configs"


def test_replace_is_validated_and_leaves_the_original(settings):
    changed = settings.replace({"model.guardianship.saturation": 0.3, "days": 11,
                                "policies.lamps.measures.0.amount": 0.4})
    assert changed.model.guardianship.saturation == 0.3 and changed.days == 11
    assert changed.policies["lamps"]["measures"][0]["amount"] == 0.4
    assert settings.model.guardianship.saturation == 0.7 and settings.days == 3
    assert settings.policies["lamps"]["measures"][0]["amount"] == 0.2
    assert changed.offences is settings.offences  # shared, so that a sweep stays small
    for path, value in [("model.guardianship.saturation", -1), ("model.x", 1), ("days", -1),
                        ("model.guardianship", 1), ("policies.lamps.measures.0.amount", 2),
                        ("model.guardianship", {"saturation": -1})]:
        with pytest.raises(InputError):
            settings.replace({path: value})


def test_a_mapping_changes_what_it_names_and_must_name_something(settings):
    changed = settings.replace({"model": {"guardianship": {"saturation": 0.3}}})
    assert changed.model.guardianship.saturation == 0.3
    assert changed.model.drift == settings.model.drift
    with pytest.raises(InputError) as refused:
        settings.replace({"model": {"guardianship": {}}})
    assert refused.value.where == "model.guardianship" and "saturation" in str(refused.value)
    assert settings.replace({"policies": {}}).policies == {}  # a plain part, replaced as a whole


def test_a_parameter_in_the_wrong_place_is_pointed_to(settings):
    with pytest.raises(InputError) as caught:
        settings.replace({"saturation": 1})
    assert caught.value.closest == "model.guardianship.saturation"


def test_the_key_follows_content_and_nothing_else(settings, folder):
    again = compose_study([], folder, folder)
    assert again.key() == settings.key()
    for change in ({"jobs": 2}, {"output_dir": "x"}, {"threads": 2}, {"seeds": 5}):
        assert settings.replace(change).key() == settings.key()
    for change in ({"model.drift": -0.3}, {"days": 4}, {"budget": 2},
                   {"policies.lamps.measures.0.amount": 0.1}):
        assert settings.replace(change).key() != settings.key()
    assert settings.replace({"model.drift": -0.3}).world_key() == settings.world_key()
    assert settings.replace({"city.residents": 3}).world_key() != settings.world_key()


def test_settings_survive_pickling(settings):
    changed = settings.replace({"model.drift": -0.3})
    found = pickle.loads(pickle.dumps(changed))
    assert found.to_dict() == changed.to_dict() and found.key() == changed.key()
    assert found.replace({"days": 6}).days == 6


def test_asking_for_a_parameter_that_is_not_there_says_which(settings):
    with pytest.raises(AttributeError, match="did you mean 'model.guardianship.saturation'"):
        _ = settings.model.guardianship.saturatio
    assert not hasattr(settings, "nothing")


def test_settings_do_not_change(settings):
    with pytest.raises(AttributeError):
        settings.days = 3


@pytest.mark.parametrize("name", options(shipped_config_dir(), "experiment"))
def test_every_shipped_experiment_composes(name):
    words = [f"experiment={name}"] + (["policy=street_lighting"] if name == "single" else [])
    found = compose_study(words, shipped_config_dir())
    assert found.policies and found.seeds and found.question


def test_what_was_read_may_be_changed_without_changing_what_is_read_next(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("points: [[1e3]]")
    read_yaml(file)["points"][0].append(2)
    assert read_yaml(file) == {"points": [[1000.0]]}
    file.write_text("points: [[2e3]]")
    assert read_yaml(file) == {"points": [[2000.0]]}

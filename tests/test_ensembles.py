"""Studies that draw their parameters from an ensemble of calibrated points, and say so."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

import study_stub
from citysim.analysis.intervals import what_intervals_hold
from citysim.analysis.repetitions import over_runs
from citysim.cli.main import main
from citysim.config.compose import compose_study
from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.lookup import groups
from citysim.evidence.calibration.plan import plan_file, read_plan
from citysim.model.simulate import _warmed_up
from citysim.report import page
from citysim.study.design import runs_of
from citysim.study.run import run_study
from citysim.study.store import Store
from made_results import write_study
from study_stub import compose, write_configs

ROOT = Path(__file__).resolve().parents[1]
SATURATION, WEIGHT = "model.guardianship.saturation", "offences.robbery.weight"
POINTS = [[0.5, 1.0], [0.6, 2.0], [0.9, 3.0]]
CONFIGURED = (0.7, 1.6)  # in the stub's files


@pytest.fixture
def folder(tmp_path):
    """The stub's configuration with an ensemble for the village."""
    configs = write_configs(tmp_path / "configs")
    write_ensemble(configs / "parameters/village.yaml")
    return configs


def write_ensemble(file, **changes):
    content = {"city": "village", "paths": [SATURATION, WEIGHT], "points": POINTS} | changes
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def drawn(settings):
    """(saturation, weight) that each seed's runs have, as a set by seed."""
    found = {}
    for run in runs_of(settings):
        found.setdefault(run.seed, set()).add(
            (run.settings.model.guardianship.saturation, run.settings.offences.robbery.weight))
    return found


# --- which ensemble, which point

@pytest.mark.parametrize("words", [[], ["parameters=auto"], ["parameters=village"],
                                   ["city.residents=300", "scale=0.5"]])
def test_each_seed_draws_a_point_of_its_city_and_all_scenarios_share_it(folder, tmp_path, words):
    settings = compose(folder, tmp_path / "out", None, *words, "seeds=[1,2,3,4,11]")
    assert [list(*points) for points in drawn(settings).values()] == \
        [POINTS[0], POINTS[1], POINTS[2], POINTS[0], POINTS[1]]


@pytest.mark.parametrize("words", [["parameters=point"], ["city=hamlet"],
                                   ["city=hamlet", "parameters=point"]])
def test_a_point_or_a_city_without_ensemble_is_as_configured(folder, tmp_path, words):
    settings = compose(folder, tmp_path / "out", None, *words)
    assert ensemble_of(settings) is None
    assert drawn(settings) == {1: {CONFIGURED}, 2: {CONFIGURED}}


def test_a_city_without_ensemble_has_the_same_runs_either_way(folder, tmp_path):
    auto, point = ([r.key for r in runs_of(compose(folder, tmp_path / "out", None, "city=hamlet",
                                                   f"parameters={word}"))]
                   for word in ("auto", "point"))
    assert auto == point


def test_an_ensemble_of_another_folder_is_not_taken_for_a_city_of_the_same_name(tmp_path):
    configs = write_configs(tmp_path / "configs")
    (configs / "city/village.yaml").rename(configs / "city/town.yaml")
    settings = compose(configs, tmp_path / "out", None, "city=town")
    assert (ROOT / "configs/parameters/town.yaml").exists() and ensemble_of(settings) is None


def test_a_seed_whose_point_is_what_is_configured_has_the_same_runs(folder, tmp_path):
    plain = compose(folder, tmp_path / "out", None, "seeds=[1,2]", "parameters=point")
    write_ensemble(folder / "parameters/same.yaml", points=[list(CONFIGURED), [0.6, 1.6]])
    found = runs_of(plain.replace({"parameters": "same"}))
    keys = {(r.scenario.name, r.seed): r.key for r in runs_of(plain)}
    same = {r.seed: r.key == keys[r.scenario.name, r.seed] for r in found}
    assert same == {1: True, 2: False}


def test_what_a_study_sets_itself_is_not_drawn(folder, tmp_path):
    out = tmp_path / "out"
    by_hand = {1: {(0.5, 1.6)}, 2: {(0.6, 1.6)}}
    assert drawn(compose(folder, out, None, f"{WEIGHT}=1.6")) == by_hand
    assert drawn(compose(folder, out, None, "offences={robbery:{weight:1.6}}")) == by_hand
    nested = {"offences": {"robbery": {"weight": 1.6}}}
    assert drawn(compose(folder, out).replace(nested)) == by_hand
    scenarios = compose(folder, out).replace(
        {"scenarios": {"no_action": {}, "other": {"policies": ["lamps"], "set": {WEIGHT: 9.0}}}})
    assert drawn(scenarios) == {1: {(0.5, 1.0), (0.5, 9.0)}, 2: {(0.6, 2.0), (0.6, 9.0)}}
    study = folder / "experiment/main.yaml"
    study.write_text(study.read_text() + "offences:\n  robbery:\n    weight: 1.7\n")
    assert drawn(compose(folder, out)) == {1: {(0.5, 1.7)}, 2: {(0.6, 1.7)}}
    (folder / "experiment/built_on.yaml").write_text(
        "# @package _global_\ndefaults:\n  - main\n  - _self_\nname: built_on\n")
    assert drawn(compose(folder, out, None, "experiment=built_on")) == \
        {1: {(0.5, 1.7)}, 2: {(0.6, 1.7)}}


@pytest.mark.parametrize("role", ["levers", "uncertainties"])
def test_what_a_factor_sets_is_left_to_it_also_as_configured(folder, tmp_path, role):
    settings = compose(folder, tmp_path / "out", None, "seeds=1",
                       f"{role}={{{WEIGHT}:[1.6,1.8]}}", "design={kind:grid}")
    assert drawn(settings) == {1: {(0.5, 1.6), (0.5, 1.8)}}


@pytest.mark.parametrize("changes, message", [
    ({"points": [[0.5]]}, "point 1 does not have 2 values"),
    ({"points": []}, "holds no points"),
    ({"points": [["high", 1.0]]}, "not accepted"),
    ({"paths": [SATURATION, SATURATION]}, "different parameters"),
    ({"paths": [SATURATION, "offences.robbery.wieght"]}, "wieght"),
    ({"pionts": []}, "unknown key 'pionts'"),
])
def test_a_wrong_ensemble_is_refused_with_its_file(folder, tmp_path, changes, message):
    write_ensemble(folder / "parameters/wrong.yaml", **changes)
    with pytest.raises(InputError, match=message) as refused:
        runs_of(compose(folder, tmp_path / "out", None, "parameters=wrong"))
    assert "wrong.yaml" in refused.value.where


@pytest.mark.parametrize("word, closest", [("vilage", "village"), ("autos", "auto"),
                                           ("piont", "point")])
def test_an_unknown_ensemble_is_refused_with_the_nearest_one(folder, tmp_path, word, closest):
    with pytest.raises(InputError) as refused:
        runs_of(compose(folder, tmp_path / "out", None, f"parameters={word}"))
    assert refused.value.closest == closest and "auto, point, village" in refused.value.allowed


@pytest.mark.parametrize("word, message", [("elsewhere/x.yaml", "no file"),
                                           ("null", "None is not accepted")])
def test_no_ensemble_at_all_is_refused(folder, tmp_path, word, message):
    with pytest.raises(InputError, match=message):
        runs_of(compose(folder, tmp_path / "out", None, f"parameters={word}"))


def test_folders_of_data_are_no_groups_of_options():
    assert not {"parameters", "calibration"} & set(groups(ROOT / "configs"))


@pytest.mark.parametrize("file", sorted((ROOT / "configs/parameters").glob("*.yaml")),
                         ids=lambda file: file.stem)
def test_shipped_ensembles_are_drawn_from_and_fit_their_parameters_ranges(file):
    settings = compose_study([f"city={file.stem}"])
    found, plan = ensemble_of(settings), read_plan(plan_file("default"), settings)
    assert Path(found.file) == file and found.city == file.stem
    ranges = {prior.path: (prior.low, prior.high) for prior in plan.priors}
    for row in found.points:
        for path, value in zip(found.paths, row, strict=True):
            low, high = ranges[path]
            assert low * 0.999 <= value <= high * 1.001


def test_scenarios_of_a_seed_go_on_from_one_warm_up(town_world):
    settings = compose_study(["city=town", "policy=[street_lighting,hot_spot_policing]",
                              "seeds=2", "warmup_days=0"])
    warm = {}
    for run in runs_of(settings):
        warm.setdefault(run.seed, []).append(_warmed_up(run.settings, run.seed, town_world))
    assert [len(models) for models in warm.values()] == [4, 4]
    assert all(model is models[0] for models in warm.values() for model in models)
    assert warm[1][0].settings.offences.robbery.level != warm[2][0].settings.offences.robbery.level


# --- what is told of it

def test_a_study_runs_with_what_was_drawn_and_tells_it(folder, tmp_path):
    settings = compose(folder, tmp_path / "out", None, "policy=[]", "seeds=2")
    result = run_study(settings, program=study_stub.PROGRAM)
    assert result.exit_status == 0
    store = Store(result.folder)
    table = store.read("outcomes")
    table = table[table["outcome"] == "saturation"]
    assert dict(zip(table["seed"], table["value"], strict=True)) == {1: 0.5, 2: 0.6}
    told = {r.seed: json.loads(r.parameters)["set"] for r in result.runs.itertuples()}
    assert told == {1: dict(zip([SATURATION, WEIGHT], POINTS[0], strict=True)),
                    2: dict(zip([SATURATION, WEIGHT], POINTS[1], strict=True))}
    entry = store.manifest["ensemble"]
    assert (entry["name"], entry["points"], entry["city"]) == ("village", 3, "village")


LUCK_ONLY = "Intervals hold luck between seeds only"


@pytest.mark.parametrize("words, sentence, planned", [
    ([], "Intervals hold luck between seeds and what is not known of the levels: each seed draws "
     "one of the 3 calibrated points of village.", "one of the 3 calibrated points of village"),
    (["parameters=point"], f"{LUCK_ONLY}: parameters are as configured.",
     "parameters as configured"),
    (["city=hamlet"], f"{LUCK_ONLY}: parameters are as configured, since this city has no "
     "calibrated ensemble to draw from.", "parameters as configured"),
    (["seeds=[2,5]"], f"{LUCK_ONLY}: all seeds drew the same of the 3 calibrated points of "
     "village.", "one of the 3 calibrated points of village"),
    (["seeds=1"], "With one seed there are no intervals; the seed drew one of the 3 calibrated "
     "points of village.", "one of the 3 calibrated points of village"),
])
def test_the_terminal_says_what_intervals_hold(folder, tmp_path, monkeypatch, capsys, words,
                                               sentence, planned):
    monkeypatch.setattr("citysim.config.compose.shipped_config_dir", lambda: folder)
    call = ["--config-path", str(folder), f"output_dir={tmp_path / 'out'}", *words]
    assert main(["plan", *call], study_stub.PROGRAM) == 0
    assert planned in capsys.readouterr().out
    assert main(["run", *call], study_stub.PROGRAM) == 0
    assert sentence in capsys.readouterr().out


OVER_FUTURES = "Intervals hold the spread between the futures that were looked at"


@pytest.mark.parametrize("points, seeds, sentence", [
    (24, [1, 2], f"{OVER_FUTURES}, the luck that they share and what is not known of the levels: "
     "each seed draws one of the 24 calibrated points of town."),
    (24, [1, 25], f"{OVER_FUTURES} and the luck that they share only: all seeds drew the same of "
     "the 24 calibrated points of town."),
    (None, [1, 2], f"{OVER_FUTURES} and the luck that they share only: parameters are as "
     "configured."),
    (24, [2], "With one seed there are no intervals of contrasts: they need at least two seeds; "
     "the seed drew one of the 24 calibrated points of town."),
    (None, [2], "With one seed there are no intervals of contrasts: they need at least two seeds."),
])
def test_intervals_over_futures_hold_the_levels_as_far_as_seeds_differ_in_them(points, seeds,
                                                                               sentence):
    ensemble = points and {"name": "town", "points": points}
    done = pd.DataFrame([(f, s) for f in (0, 1) for s in seeds], columns=["future", "seed"])
    said = what_intervals_hold(SimpleNamespace(manifest={"ensemble": ensemble}, done=done))
    assert said == sentence


def test_differences_in_level_between_seeds_widen_an_interval_over_futures():
    """Ten seeds that change by 2 alike, or each by its own level: the same mean over 3 futures."""
    runs = pd.MultiIndex.from_product([range(3), range(10)], names=["future", "seed"])
    future, seed = (runs.get_level_values(k).to_numpy() for k in (0, 1))
    alike = pd.Series(2.0 + 0.1 * future, runs)
    levels = pd.Series(2.0 + 0.1 * future + 0.2 * (seed - 4.5), runs)
    (one, narrow, *_), (other, wide, *_) = over_runs(alike), over_runs(levels)
    assert one[0] == pytest.approx(other[0]) and wide[0] > narrow[0] + 0.1


def test_the_report_says_what_intervals_hold_and_that_only_levels_are_calibrated(
        tmp_path, monkeypatch):
    monkeypatch.setattr(page, "all_figures", lambda material, folder: [])
    texts = []
    for ensemble in (None, {"name": "town", "points": 24}):
        folder = write_study(tmp_path / str(len(texts)), seeds=range(1, 4), places=20, days=7,
                             manifest={"ensemble": ensemble})
        texts.append(page.write_report(folder).read_text(encoding="utf-8"))
    plain, calibrated = texts
    assert LUCK_ONLY in plain and "Not calibrated" in plain
    assert LUCK_ONLY not in calibrated and "Not calibrated" not in calibrated
    assert calibrated.count("each seed draws one of the 24 calibrated points of town") == 2
    assert "Only levels are calibrated" in calibrated

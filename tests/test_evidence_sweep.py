"""The sweep: constants and their ranges, what hangs on them, and a trial in miniature."""

import math
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from citysim import compose
from citysim.cli.main import main
from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.sweep import page, tables
from citysim.evidence.sweep import run as sweeping
from citysim.evidence.sweep.run import ALL, CONFIGURED, LEAST, MOST, Sweep
from citysim.evidence.sweep.standing import (
    ALWAYS,
    NOWHERE,
    SOMEWHERE,
    UNSAID,
    inside,
    reach,
    standing,
)
from citysim.evidence.trials.constants import HIGH, LOW, constants_of
from citysim.evidence.trials.entries import load_trial, load_trials
from citysim.evidence.trials.run import settings_of

LIGHT, SEEN = "model.guardianship.certainty_light", "model.guardianship.certainty_informal"


@pytest.fixture(scope="module")
def settings():
    return compose(["city=town"])


def naming(*constants, trial="street_lighting_review"):
    return load_trial(trial).model_copy(update={"constants": list(constants)})


# --- constants


def test_constants_have_their_configured_value_and_the_ends_of_their_range(settings):
    (found,) = constants_of(naming(LIGHT), settings)
    rule = settings.rules[LIGHT]
    assert found.now == {LIGHT: settings.get_path(LIGHT)}
    assert (found.low[LIGHT], found.high[LIGHT]) == tuple(map(float, rule.range))
    assert found.at(LOW) == found.low
    assert found.at(HIGH) == found.high
    assert found.at(CONFIGURED) == found.now


def test_a_star_moves_every_offence_that_has_a_range(settings):
    (found,) = constants_of(naming("offences.*.beta"), settings)
    assert "offences.burglary_home.beta" in found.low
    assert "offences.domestic_abuse.beta" not in found.low  # its range is one point
    assert all(found.low[path] < found.now[path] < found.high[path] for path in found.now)


@pytest.mark.parametrize(("name", "words"), [
    ("model.guardianship.certainty_lihgt", "certainty_light"),
    ("model.guardianship.usual_length", "no range"),
    ("offences.*.certainty", "no parameter"),
])
def test_constants_that_cannot_be_swept_are_refused(settings, name, words):
    with pytest.raises(InputError) as caught:
        constants_of(naming(name), settings, "made.yaml")
    assert words in str(caught.value)
    assert caught.value.where == "made.yaml, constants[0]"


def test_an_end_that_the_parameter_does_not_accept_is_refused(settings):
    rules = {**settings.rules, LIGHT: settings.rules[LIGHT].__class__(
        0.3, "share", "", (0.1, 1.4), 0.0, 1.0)}
    made = SimpleNamespace(rules=rules, get_path=settings.get_path, replace=settings.replace)
    with pytest.raises(InputError, match=r"1\.4"):
        constants_of(naming(LIGHT), made)


def test_a_constant_is_named_once():
    content = load_trial("alley_gates").model_dump(by_alias=True)
    with pytest.raises(ValueError, match="twice"):
        load_trial("alley_gates").__class__.model_validate(
            {**content, "constants": [LIGHT, LIGHT]})


def test_every_constant_that_asks_to_be_swept_is_swept(settings):
    """Configuration says of a constant that it nearly is an effect; some trial must sweep it."""
    asked = {path for path, rule in settings.rules.items() if "sweep it" in rule.source}
    assert len(asked) > 8
    swept = {path for trial in load_trials().values() if trial.constants
             for constant in constants_of(trial, settings_of(trial)) for path in constant.now}
    # No trial here has pupils supported at school; the youth programme's own figure shows it.
    assert asked - swept == {"model.life.school_gain"}


def test_every_trial_with_a_verdict_names_constants():
    bare = {name for name, trial in load_trials().items() if not trial.constants}
    judged = {name for name in bare if load_trial(name).status != "miniature"
              and any(p.rule != "none" for p in load_trial(name).published)}
    assert judged == set()


# --- standing


def rows(values, rule="sign_and_factor", published=-20.0, low=None, high=None, agrees=None,
         direction=""):
    """A figure in several settings; agreement of a null, which is read off, is given."""
    table = pd.DataFrame({"simulated": values, "rule": rule, "published": published,
                          "published_low": low, "published_high": high, "direction": direction,
                          "agrees": agrees})
    table["inside"] = [inside(row) for row in table.to_dict("records")]
    return table


@pytest.mark.parametrize(("table", "word"), [
    (rows([-12, -11, -30]), ALWAYS),
    (rows([-8, -4, -12]), SOMEWHERE),
    (rows([-60, -4, -70]), SOMEWHERE),  # the span holds -20
    (rows([-8, -4, -9]), NOWHERE),
    (rows([8, 40, 20]), NOWHERE),  # the wrong sign
    (rows([1.0, -1.0, 3.0], "overlap", -9, -12, -5), NOWHERE),
    (rows([1.0, -15.0, 2.0], "overlap", -9, -12, -5), SOMEWHERE),
    (rows([-6.0, -5.5, -11.0], "overlap", -9, -12, -5), ALWAYS),
    (rows([3.0, -5.0, 8.0], "null", math.nan, agrees=[False] * 3), SOMEWHERE),
    (rows([3.0, 5.0, 8.0], "null", math.nan, agrees=[False] * 3), NOWHERE),
    (rows([-1.0, 5.0, 8.0], "at_least", -3.0), ALWAYS),
    (rows([-4.0, -5.0, -8.0], "at_least", -3.0), NOWHERE),
    (rows([-4.0, -5.0, 0.0], "direction", math.nan, direction="down"), SOMEWHERE),
    (rows([4.0, 5.0, 1.0], "direction", math.nan, direction="up"), ALWAYS),
    (rows([math.nan] * 3), UNSAID),
    (rows([-12.0, math.nan, -30.0]), UNSAID),  # what is missing might disagree
    (rows([-2.0, math.nan, -3.0]), UNSAID),  # and might agree
    (rows([-2.0, math.nan, -12.0]), SOMEWHERE),
])
def test_the_verdict_hangs_on_the_constants_or_not(table, word):
    assert standing(table, len(table)) == word


def test_settings_that_did_not_run_leave_the_verdict_open():
    assert standing(rows([-12, -11]), 3) == UNSAID
    assert standing(rows([-2, -3]), 3) == UNSAID


def test_the_reach_is_from_the_lowest_to_the_highest():
    assert reach(rows([-8, -30, 2])) == (-30, 2)


# --- settings of a trial


def simulated(given):
    """A made-up effect: more light lowers crime, and so does being seen, less."""
    return -100 * (given.get(LIGHT, 0.3) - 0.3) - 50 * (given.get(SEEN, 0.6) - 0.6)


def summary_of(name, value):
    return {"outcome": "crime", "arm": "light", "scope": "units", "seeds": 2, "hazards": value,
            "hazards_low": value - 1, "hazards_high": value + 1, "trial_low": -50.0,
            "trial_high": 50.0, "scenario": name}


@pytest.fixture
def stubbed(monkeypatch, tmp_path):
    made = SimpleNamespace(ran=[], folder=tmp_path, effect=simulated, failing=())

    def fake(settings, told, program):
        found = []
        for name, keys in settings.scenarios.items():
            given = dict(keys["set"])
            made.ran.append(given)
            if name not in made.failing:
                found.append(summary_of(name, made.effect(given)))
        return SimpleNamespace(summary=pd.DataFrame(found), failed=list(made.failing),
                               total=2 * len(settings.scenarios))

    monkeypatch.setattr(sweeping, "run_study", fake)
    monkeypatch.setattr(sweeping, "load_trials", lambda path: {
        "street_lighting_review": naming(LIGHT, SEEN), "aa_miniature": naming()})
    return made


def test_every_end_is_run_and_then_all_at_once(stubbed):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    assert set(found.trials) == {"street_lighting_review"}
    (light, seen) = found.constants["street_lighting_review"]
    assert stubbed.ran == [{}, light.low, light.high, seen.low, seen.high,
                           light.high | seen.high, light.low | seen.low]
    main_rows = found.figures[found.figures["main"]]
    assert len(main_rows) == found.planned("street_lighting_review") == 7
    by_end = {(r.constant, r.end): r.simulated for r in main_rows.itertuples()}
    assert by_end[ALL, LEAST] == min(by_end.values())
    assert by_end[ALL, MOST] == max(by_end.values())
    assert by_end[ALL, CONFIGURED] == simulated({})


def test_the_configured_value_stays_where_neither_end_is_better(stubbed):
    stubbed.effect = lambda given: abs(given.get(LIGHT, 0.3) - 0.3)  # and being seen is nothing
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    (light, seen) = found.constants["street_lighting_review"]
    least, most = stubbed.ran[-2:]
    assert least == light.now | seen.now
    assert most[LIGHT] in (light.low[LIGHT], light.high[LIGHT])
    assert most[SEEN] == seen.now[SEEN]


def test_a_setting_that_failed_is_told_and_leaves_the_verdict_open(stubbed):
    stubbed.failing = (f"{LIGHT} low",)
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    assert any("runs failed" in problem for problem in found.problems)
    assert (LIGHT, HIGH) in set(zip(found.figures["constant"], found.figures["end"], strict=True))
    stubbed.effect, stubbed.failing = (lambda given: -20.0), (f"{ALL} {CONFIGURED}",)
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    (row, *_) = tables.across(found).rows
    assert row[2] == "\u2013"  # no other setting stands in for the configured one
    assert row[-1] == "no verdict"
    assert "1 say nothing" in tables.headline(found)


def test_a_trial_that_cannot_run_is_a_problem(stubbed, monkeypatch):
    def refusing(settings, told, program):
        raise InputError("too few streets", where="units.number")

    monkeypatch.setattr(sweeping, "run_study", refusing)
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    assert found.problems == ["street_lighting_review: too few streets (in units.number)"]
    assert not tables.figures(found)


# --- what is shown


def test_page_document_and_picture_say_the_same(stubbed):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    found.problems = ["made: up"]
    written = page.write_page(found, stubbed.folder).read_text(encoding="utf-8")
    document = page.markdown(found)
    sentence = tables.headline(found)
    # As configured nothing happens; from -30 to +35 there is room for the published -21.
    assert "0 of 1 confirmed trials" in sentence
    assert "1 for some values, 0 for none." in sentence
    for text in (written, document):
        assert sentence in text
        assert SEEN in text
        assert "Brighter street lighting: crime, light" in text
        assert "made: up" in text
    assert (stubbed.folder / "figures" / "ranges.png").stat().st_size > 10_000
    kept = pd.read_csv(stubbed.folder / "figures.csv")
    assert len(kept) == len(found.figures)


def test_trials_from_memory_are_shown_and_not_counted(stubbed):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    found.figures["status"] = "memory"
    assert "0 of 0 confirmed trials" in tables.headline(found)
    shown = tables.across(found).rows
    assert len(shown) == 1
    assert "not counted" in shown[0][-1]


def test_constants_do_not_enter_the_keys_of_runs():
    """Naming one more constant must not make a trial run anew."""
    keys = {settings_of(naming(*names)).key() for names in ((), (LIGHT,), (LIGHT, SEEN))}
    assert len(keys) == 1


# --- the command


@pytest.mark.parametrize(("words", "said"), [
    (["depth=full"], "no depth"), (["quick"], "no depth"), (["--log"], "no log"),
    (["--trial", "aley_gates"], "alley_gates"), (["--trial", "aa_miniature"], "names no constants"),
    (["--trial", "alley_gates", "--write-docs"], "not kept"), (["seeds=3"], "sets 'seeds' itself"),
])
def test_bad_words_are_refused_before_anything_runs(words, said, tmp_path, capsys):
    folder = tmp_path / "out"
    assert main(["evidence", "sweep", *words, f"output_dir={folder}"]) == 2
    assert said in capsys.readouterr().err
    assert not folder.exists()


def test_a_configuration_without_constants_is_refused(tmp_path, capsys):
    configs = shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    for entry in (configs / "evidence" / "trials").glob("*.yaml"):
        content = yaml.safe_load(entry.read_text(encoding="utf-8"))
        content.pop("constants", None)
        entry.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert main(["evidence", "sweep", "--config-path", str(configs)]) == 2
    assert "no trial names constants" in capsys.readouterr().err


@pytest.mark.parametrize(("trial", "changes", "said"), [
    ("aa_miniature", {"constants": [LIGHT], "published": []}, "aa_miniature.yaml, constants"),
    ("alley_gates", {"constants": ["model.opportunity.rear_entri"]},
     "alley_gates.yaml, constants[0]"),
    ("alley_gates", {"constants": ["model.opportunity.rear_entri"]},
     "model.opportunity.rear_entry"),
])
def test_constants_that_make_no_sweep_are_refused_with_file_and_key(trial, changes, said, tmp_path,
                                                                    capsys):
    configs = shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    entry = configs / "evidence" / "trials" / f"{trial}.yaml"
    content = yaml.safe_load(entry.read_text(encoding="utf-8"))
    entry.write_text(yaml.safe_dump({**content, **changes}), encoding="utf-8")
    assert main(["evidence", "sweep", "--config-path", str(configs),
                 f"output_dir={tmp_path / 'out'}"]) == 2
    assert said in capsys.readouterr().err


def test_a_sweep_in_miniature(tmp_path):
    """Patrols that make offenders more certain prevent more, in the town, run for real."""
    configs = shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    entry = configs / "evidence" / "trials" / "large_dose_miniature.yaml"
    constant = "model.deterrence.certainty_patrol"
    entry.write_text(entry.read_text(encoding="utf-8") + f"constants: [{constant}]\n",
                     encoding="utf-8")
    found = sweeping.run_sweep(["executor=serial"], tmp_path / "out", configs,
                               only=["large_dose_miniature"])
    assert isinstance(found, Sweep)
    assert not found.problems
    effect = {r.end: r.simulated for r in found.figures[found.figures["main"]].itertuples()}
    assert effect[HIGH] < effect[CONFIGURED] < effect[LOW] < 0
    again = sweeping.run_sweep(["executor=serial"], tmp_path / "out", configs,
                               only=["large_dose_miniature"])
    pd.testing.assert_frame_equal(again.figures, found.figures)

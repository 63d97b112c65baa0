"""The sweep: constants and their ranges, what hangs on them, and a trial in miniature."""

import re
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
from citysim.evidence.sweep.run import ALL, CONFIGURED, LEAST, MOST, Sweep, reach, standing
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
             for constant in constants_of(trial, settings) for path in constant.now}
    # No trial here has pupils supported at school; the youth programme's own figure shows it.
    assert asked - swept == {"model.life.school_gain"}


def test_every_trial_with_a_verdict_names_constants():
    bare = {name for name, trial in load_trials().items() if not trial.constants}
    judged = {name for name in bare if load_trial(name).status != "miniature"
              and any(p.rule != "none" for p in load_trial(name).published)}
    assert judged == set()


# --- standing


def rows(values, agrees, rule="sign_and_factor", published=-20.0, low=None, high=None):
    return pd.DataFrame({"simulated": values, "agrees": agrees, "rule": rule,
                         "published": published, "published_low": low, "published_high": high})


@pytest.mark.parametrize(("table", "word"), [
    (rows([-12, -11, -30], [True, True, True]), sweeping.ALWAYS),
    (rows([-8, -4, -12], [False, False, True]), sweeping.SOMEWHERE),
    (rows([-60, -4, -70], [False, False, False]), sweeping.SOMEWHERE),  # the span holds -20
    (rows([-8, -4, -9], [False, False, False]), sweeping.NOWHERE),
    (rows([1.0, -1.0, 3.0], [False] * 3, "overlap", -9, -12, -5), sweeping.NOWHERE),
    (rows([1.0, -15.0], [False] * 2, "overlap", -9, -12, -5), sweeping.SOMEWHERE),
    (rows([1.0, -15.0], [False] * 2, "null", None), sweeping.NOWHERE),
    (rows([1.0, -15.0], [None] * 2, "none", None), sweeping.UNSAID),
])
def test_the_verdict_hangs_on_the_constants_or_not(table, word):
    assert standing(table) == word


def test_the_reach_is_from_the_lowest_to_the_highest():
    assert reach(rows([-8, -30, 2], [False] * 3)) == (-30, 2)


# --- settings of a trial


def simulated(given):
    """A made-up effect: more light lowers crime, being seen does not matter, the two add up."""
    return -100 * given.get(LIGHT, 0.3) + 50 * given.get(SEEN, 0.6)


@pytest.fixture
def stubbed(monkeypatch, tmp_path):
    ran = []

    def fake(trial, words, config_path, told):
        ran.append({path: value for path, value in trial.set.items() if path in (LIGHT, SEEN)})
        value = simulated(trial.set)
        summary = pd.DataFrame([{"outcome": "crime", "arm": "light", "scope": "units",
                                 "seeds": 2, "hazards": value, "hazards_low": value - 1,
                                 "hazards_high": value + 1, "trial_low": -50.0,
                                 "trial_high": 50.0}])
        return SimpleNamespace(summary=summary, failed=[], total=2)

    monkeypatch.setattr(sweeping, "run_trial", fake)
    monkeypatch.setattr(sweeping, "load_trials", lambda path: {
        "street_lighting_review": naming(LIGHT, SEEN), "aa_miniature": naming()})
    return SimpleNamespace(ran=ran, folder=tmp_path)


def test_every_end_is_run_and_then_all_at_once(stubbed):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    assert set(found.trials) == {"street_lighting_review"}
    (light, seen) = found.constants["street_lighting_review"]
    assert stubbed.ran == [
        {}, light.low, light.high, seen.low, seen.high,
        light.high | seen.low,   # both where crime is lowest
        light.low | seen.high]
    main_rows = found.figures[found.figures["main"]]
    by_end = {(r.constant, r.end): r.simulated for r in main_rows.itertuples()}
    assert by_end[ALL, LEAST] == min(by_end.values())
    assert by_end[ALL, MOST] == max(by_end.values())
    assert by_end[ALL, CONFIGURED] == simulated({})


def test_the_configured_value_stays_where_both_ends_are_worse(stubbed, monkeypatch):
    monkeypatch.setitem(globals(), "simulated", lambda given: abs(given.get(LIGHT, 0.3) - 0.3))
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    (light, seen) = found.constants["street_lighting_review"]
    assert {path: stubbed.ran[5][path] for path in light.now} == light.now


def test_a_setting_that_cannot_run_is_a_problem_and_hides_nothing(stubbed, monkeypatch):
    good = sweeping.run_trial

    def refusing(trial, words, config_path, told):
        if trial.set.get(LIGHT) == 0.1:
            raise InputError("too few streets", where="units.number")
        return good(trial, words, config_path, told)

    monkeypatch.setattr(sweeping, "run_trial", refusing)
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    assert any("too few streets" in problem for problem in found.problems)
    assert (LIGHT, HIGH) in set(zip(found.figures["constant"], found.figures["end"], strict=True))


# --- what is shown


def test_page_document_and_picture_say_the_same(stubbed, monkeypatch):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    written = page.write_page(found, stubbed.folder).read_text(encoding="utf-8")
    document = page.markdown(found)
    sentence = tables.headline(found)
    # As configured nothing happens; from -35 to +30 there is room for the published -21.
    assert "0 of 1 confirmed trials" in sentence
    assert "1 for some values, 0 for none" in sentence
    for text in (written, document):
        assert sentence in text
        assert SEEN in text
        assert re.search(r"Brighter street lighting: crime, light", text)
    assert (stubbed.folder / "figures" / "ranges.png").stat().st_size > 10_000
    kept = pd.read_csv(stubbed.folder / "figures.csv")
    assert len(kept) == len(found.figures)


def test_trials_from_memory_are_shown_and_not_counted(stubbed):
    found = sweeping.run_sweep(output_dir=stubbed.folder)
    found.figures["status"] = "memory"
    assert "0 of 0 confirmed trials" in tables.headline(found)
    assert all("not counted" in row[-1] for row in tables.across(found).rows)


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


def test_a_constant_that_is_not_there_is_refused_with_file_and_key(tmp_path, capsys):
    configs = shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    entry = configs / "evidence" / "trials" / "alley_gates.yaml"
    content = yaml.safe_load(entry.read_text(encoding="utf-8"))
    entry.write_text(yaml.safe_dump({**content, "constants": ["model.opportunity.rear_entri"]}),
                     encoding="utf-8")
    assert main(["evidence", "sweep", "--config-path", str(configs),
                 f"output_dir={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert "alley_gates.yaml, constants[0]" in said
    assert "model.opportunity.rear_entry" in said


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
    carried = settings_of(load_trial("large_dose_miniature", configs), config_path=configs)
    assert carried.get_path(constant) == found.constants["large_dose_miniature"][0].now[constant]

"""The evidence board: what it runs, what counts, what stands first, its page, log and gate."""

import csv
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from citysim.cli.main import main
from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.board import findings, gate, log, page, run, tables, texts
from citysim.evidence.board.plan import (
    Depth,
    Reasons,
    Year,
    load_aims,
    load_depth,
    load_gate,
    load_reasons,
)
from citysim.evidence.board.run import Board, run_board
from citysim.evidence.city_year import year_settings
from citysim.evidence.facts import Part, Tolerance, load_facts
from citysim.evidence.trials.entries import load_trial, load_trials
from citysim.evidence.trials.run import settings_of
from citysim.evidence.trials.shared_runs import FOLDER
from citysim.evidence.verdicts import COLUMNS, judge
from citysim.study.design import runs_of

PLAN = Depth(year=Year(city="town", seeds=2), quickened=True, minutes=10)


def fact(name, verdict, **changes):
    row = dict.fromkeys(COLUMNS, float("nan")) | {
        "fact": name, "part": "", "name": name, "measure": "gini", "unit": "1", "use": "check",
        "status": "confirmed", "counted": verdict != "not measurable", "mean": 2.0, "low": 1.5,
        "high": 2.5, "word": "", "seeds": 2, "cases": 10, "target": "1", "target_value": 1.0,
        "verdict": verdict, "off": 1.0, "note": "", "fact_note": "", "source": "a book",
        "reason": ""}
    return row | changes


def figure(trial, agrees, **changes):
    entry = load_trial(trial)
    row = {"trial": trial, "label": entry.label, "status": entry.status, "outcome": "crime",
           "arm": "patrol", "scope": "units", "unit": "percent", "published": -16.0,
           "published_low": None, "published_high": None, "simulated": -12.0,
           "simulated_low": -14.0, "simulated_high": -10.0, "trial_low": -40.0,
           "trial_high": 20.0, "significant": 0.0, "rule": "sign_and_factor", "agrees": agrees,
           "seeds": 2, "main": True, "note": "", "direction": "", "reason": ""}
    return row | changes


def effect(trial, scope="units", **changes):
    row = {"trial": trial, "outcome": "crime", "arm": "patrol", "scope": scope, "seeds": 2,
           "trial_n": 2, "significant": 0.0, "significant_se": 0.02, "counts": -12.0,
           "counts_low": -20.0, "counts_high": -4.0, "hazards": -12.0,
           "hazards_low": -14.0, "hazards_high": -10.0, "counts_saving": 20.0,
           "hazards_saving": 200.0, "quotient": math.nan, "moved": math.nan}
    return row | changes


def made(facts=(), figures=(), effects=(), **changes):
    trials = {name: load_trial(name) for name in
              dict.fromkeys([r["trial"] for r in (*figures, *effects)])}
    empty_figures, empty_effects = run._no_trials()
    frames = (pd.DataFrame(list(facts), columns=[*COLUMNS, "reason"]),
              pd.DataFrame(list(figures)) if figures else empty_figures.assign(rule=""),
              pd.DataFrame(list(effects)) if effects else empty_effects)
    return Board("quick", PLAN, *frames, trials, load_aims(), Reasons(), code="c0de",
                 parameters="pa4a", date="2024-05-06 07:08", seconds=60.0, **changes)


def aim(board, start):
    (found,) = [a for a in findings.tally(board) if a.name.startswith(start)]
    return found


# --- what is run

def test_shipped_boards_read_and_name_what_exists():
    assert load_depth("quick").quickened and not load_depth("full").quickened
    assert load_gate().coverage.least <= 0.9
    facts = load_facts()
    known = {f.id for f in facts} | {f"{f.id}: {p.label}" for f in facts for p in f.parts}
    reasons = load_reasons()
    assert set(reasons.facts) <= known
    assert set(reasons.trials) <= set(load_trials())


def test_a_part_of_a_fact_may_have_a_reason_of_its_own():
    reasons = Reasons(facts={"a": "of all", "a: b": "of b"})
    assert [reasons.of_fact("a", p) for p in ("b", "c")] == ["of b", "of all"]
    assert reasons.of_fact("z", "") == ""


def test_seeds_are_a_share_of_the_entrys_but_those_named():
    depth = Depth(year=Year(city="town", seeds=1), quickened=True, seeds_share=0.25,
                  least_seeds=2, seeds={"hot_spots_review": 7})
    trial = load_trial("summer_jobs").model_copy(update={"seeds": 40})
    assert depth.cut(trial).seeds == 10
    assert depth.cut(trial.model_copy(update={"seeds": 4})).seeds == 2
    assert depth.cut(load_trial("hot_spots_review")).seeds == 7
    assert depth.cut(trial).timing.days <= trial.quick.days


@pytest.mark.parametrize("content, words", [
    ({"year": {"city": "town", "seeds": 0}, "quickened": True}, "seeds"),
    ({"year": {"city": "town", "seeds": 1}, "quickend": True}, "quickend"),
    ({"year": {"city": "town", "seeds": 1}, "quickened": True, "seeds": {"hot_spot": 1}},
     "hot_spot"),
])
def test_a_board_that_is_not_right_is_refused(tmp_path, content, words):
    folder = copied(tmp_path)
    (folder / "evidence" / "board" / "quick.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as refusal:
        load_depth("quick", folder)
    assert words in f"{refusal.value.message} {refusal.value.where}"


def copied(tmp_path):
    import shutil

    return shutil.copytree(shipped_config_dir(), tmp_path / "configs")


def test_one_trial_that_cannot_run_hides_no_other(monkeypatch, tmp_path):
    asked, shared = [], tmp_path / "quick/trials" / FOLDER

    def fake(study, told):
        asked.append(study.name)
        assert Path(study.output_dir).parent == shared.parent  # where runs look for it
        assert len(json.loads((shared / "wanted.json").read_text())["outcomes"]) == 3
        if study.name == "alley_gates":
            raise InputError("no alleys here")
        summary = pd.DataFrame([effect(study.name)]).drop(columns="trial")
        return SimpleNamespace(summary=summary, failed=[], total=len(study.seeds), kept=0)

    monkeypatch.setattr(run, "run_trial", fake)
    monkeypatch.setattr(run, "run_year", lambda settings, told: [None] * len(settings.seeds))
    monkeypatch.setattr(run, "evaluate", lambda facts, data: pd.DataFrame([fact("a", "inside")]))
    board = run_board("quick", output_dir=tmp_path, only=["alley_gates", "hot_spots_review"])
    assert asked == ["alley_gates", "hot_spots_review"] and not shared.exists()
    assert board.problems == ["alley_gates: no alleys here"]
    assert set(board.figures["trial"]) == {"hot_spots_review"}
    assert board.figures["main"].tolist() == [True, False, False]
    assert not page.passed(board)
    assert tables.misses(board).rows[0][0] == "Did not run: alley_gates"


def test_the_hash_of_parameters_follows_parameters_only():
    base, days, *others = (run.parameter_hash(year_settings(["city=town", *words])) for words in
                           ([], ["days=9", "seeds=4"], ["model.near_repeat.drive=2"],
                            ["parameters=point"]))
    assert base == days and len({base, *others}) == 3


def test_the_hash_of_parameters_knows_the_points_of_all_cities_of_the_board(tmp_path):
    folder = copied(tmp_path)
    plan = load_depth("quick", folder)
    assert run._other_cities(plan, load_trials()) == ["town"]
    cities = [year_settings([f"city={city}"], folder) for city in (plan.year.city, "town")]
    first, both = run.parameter_hash(cities[0]), run.parameter_hash(*cities)
    file = folder / "parameters/town.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(content | {"points": content["points"][1:]}))
    assert run.parameter_hash(cities[0]) == first and run.parameter_hash(*cities) != both


def test_the_board_draws_and_the_gate_does_not(monkeypatch, tmp_path):
    asked = {}

    def stop(settings, told):
        asked["year"] = settings
        raise KeyboardInterrupt

    for module, start in ((run, lambda: run_board("quick", output_dir=tmp_path)),
                          (gate, lambda: gate.run_gate((), tmp_path))):
        monkeypatch.setattr(module, "run_year", stop)
        with pytest.raises(KeyboardInterrupt):
            start()
        asked[module] = ensemble_of(asked["year"])
    assert asked[run].name == "turin_dora" and asked[gate] is None
    trial = load_trials()["hot_spots_review"]
    levels = {r.seed: r.settings.offences.robbery.level
              for r in runs_of(settings_of(trial, ["seeds=3"]))}
    assert len(set(levels.values())) == 3


# --- what counts

def test_facts_are_tallied_by_use_and_memory_never_counts():
    board = made([fact("a", "inside"), fact("b", "near"), fact("c", "outside"),
                  fact("d", "outside", status="memory", counted=False),
                  fact("e", "not measurable"), fact("f", "near", use="calibrate", off=0.2),
                  fact("g", "inside", use="calibrate", off=0.0)])
    check, level = aim(board, "Facts"), aim(board, "Levels")
    assert check.came == "2 of 3 (67 %); 1 more cannot be measured" and check.met is False
    assert level.came.startswith("1 of 2 (50 %)") and level.met is False
    assert [row[0] for row in tables.misses(board).rows] == ["Fact: c"]


def test_a_reason_that_figures_share_is_given_once():
    board = made([fact("a", "outside", reason="soup"), fact("b", "outside")],
                 [figure("hot_spots_review", False, reason="wind"),
                  figure("hot_spots_review", False, main=False, reason="wind"),
                  figure("hot_spots_review", False, main=False, reason="wind"),
                  figure("alley_gates", False, reason="rain"),
                  figure("alley_gates", False, main=False)])
    assert [row[-1] for row in tables.misses(board).rows] == [
        "soup", tables.NO_REASON, "wind", tables.AS_ABOVE, tables.AS_ABOVE, "rain",
        tables.NO_REASON]


@pytest.mark.parametrize("off, met", [(0.15, True), (-0.15, True), (0.151, False), (-0.2, False)])
def test_a_level_is_as_near_as_asked_within_15_percent_whatever_its_verdict(off, met):
    board = made([fact("a", "outside", use="calibrate", off=off),
                  fact("b", "inside", use="calibrate", off=0.0),
                  fact("c", "not measurable", use="calibrate", off=math.nan)])
    level = aim(board, "Levels")
    assert level.met is met and level.came.startswith("2 of 2" if met else "1 of 2")
    assert "; 1 with ranges met inside only; 1 more cannot be measured" in level.came


def test_a_level_above_its_range_is_close_by_its_distance_to_the_range():
    published = Part("", {}, low=15.0, high=19.0, use="calibrate")
    for mean, close in ((21.8, True), (21.9, False)):
        verdict, off = judge(mean, published, Tolerance(0.15, 0.25, 0.25))
        assert verdict == "outside"
        assert findings.levels_close(made([fact("a", verdict, use="calibrate", off=off)])) == close


def test_a_level_in_words_is_close_where_it_is_met():
    board = made([fact("a", "inside", use="calibrate", off=math.nan)])
    assert findings.levels_close(board) == 1


def test_trials_count_when_confirmed_and_judged():
    board = made(figures=[figure("hot_spots_review", True),
                          figure("hot_spots_review", np.bool_(False), main=False),
                          figure("summer_jobs", None, simulated=math.nan),
                          figure("alley_gates", np.True_), figure("tonite", None, rule="none"),
                          figure("cctv_review", False, status="memory")])
    main_figures, all_figures = aim(board, "Confirmed"), aim(board, "All figures")
    assert main_figures.came == "2 of 2 (100 %); 1 more give no verdict" and main_figures.met
    assert all_figures.came == "2 of 3 (67 %); 1 more give no verdict" and not all_figures.met
    shown = [row[0] for row in tables.misses(board).rows]
    assert [s.split(":")[0] for s in shown] == ["Trial", "No verdict"]
    assert tables.trials(board).rows[0][5] == "no", "disagreements come first"


def test_trials_entered_later_are_told_beside_the_aim():
    board = made([fact("a", "inside")], [
        figure("hot_spots_review", True), figure("alley_gates", False),
        figure("foot_patrol", False), figure("problem_oriented", True)])
    main = aim(board, "Confirmed")
    assert main.came == "1 of 2 (50 %); of those entered later 1 of 2" and not main.met
    assert "1 of 2 published field" in (said := " ".join(tables.headline(board)))
    assert "of 2 entered later 1 do" in said
    assert [row[5] for row in tables.trials(board).rows] == \
        ["no", "no (entered later)", "yes", "yes (entered later)"]
    line = log.line(board)
    assert (line["trials_in"], line["trials_out"]) == ("1", "1")
    assert line["trials_not_in"] == "alley_gates later:foot_patrol"


@pytest.mark.parametrize("significant, n, holds", [(0.10, 200, True), (0.16, 200, False),
                                                   (0.05, 200, False), (0.10, 60, None)])
def test_coverage_holds_within_its_bounds_over_enough_trials(significant, n, holds):
    board = made(effects=[effect("aa_miniature", significant=significant, trial_n=n)])
    (check,) = findings.honesty(board)
    assert check.holds is holds
    assert aim(board, "A/A").met is holds


@pytest.mark.parametrize("trial, hazards, high, holds", [
    ("switched_off_miniature", 0.0, 0.0, True), ("switched_off_miniature", 0.001, 0.1, False),
    ("large_dose_miniature", -12.0, -3.0, True), ("large_dose_miniature", -12.0, 1.0, False)])
def test_what_is_off_shows_nothing_and_far_too_much_shows(trial, hazards, high, holds):
    board = made(effects=[effect(trial, hazards=hazards, hazards_high=high, counts=0.0)])
    (check,) = findings.honesty(board)
    assert check.holds is holds
    assert page.passed(board) is holds


@pytest.mark.parametrize("change, low, high, moved, kind", [
    (2.0, 1.0, 3.0, -0.2, "displacement"), (-2.0, -3.0, -1.0, 0.2, "diffusion"),
    (-2.0, -3.0, 1.0, 0.2, "not to be told"),
    (-2.0, -3.0, -1.0, math.nan, "not to be told")])
def test_the_ring_is_read_where_it_is_clear_and_the_treated_gained(change, low, high, moved,
                                                                   kind):
    board = made(figures=[figure("hot_spots_review", True)],
                 effects=[effect("hot_spots_review"),
                          effect("hot_spots_review", "ring_1", hazards=change, hazards_low=low,
                                 hazards_high=high, moved=moved)])
    found = findings.spillover(board)
    assert found["kind"].tolist() == [kind]
    assert found["metres"].tolist() == ["0\u2013100 m"]


def test_runs_saved_are_the_middle_over_trials():
    board = made(figures=[figure(n, True) for n in ("hot_spots_review", "alley_gates")],
                 effects=[effect("hot_spots_review"),
                          effect("alley_gates", counts_saving=2.0, hazards_saving=100.0)])
    found = aim(board, "Runs saved")
    assert found.came == "middle over trials: 11 times on counts, 150 times on hazards"
    assert found.met


def test_time_is_judged_only_when_everything_was_run_now():
    assert aim(made(), "Time").met is True
    kept = made()
    kept.fresh = False
    assert aim(kept, "Time").met is None


@pytest.mark.parametrize("value, low, high, answer", [(-5, -6, -2, True), (-7, -6, -2, False),
                                                      (-5, None, None, None)])
def test_the_middle_inside_the_published_interval_is_the_harder_test(value, low, high, answer):
    row = SimpleNamespace(simulated=float(value), published_low=low, published_high=high)
    assert findings.pointed(row) is answer


# --- page, document, log

def whole():
    return made([fact("a <b> | c", "outside"), fact("d", "inside"),
                 fact("e", "not measurable", note="no shootings")],
                [figure("hot_spots_review", True), figure("cctv_review", False, status="memory"),
                 figure("summer_jobs", None, simulated=math.nan)],
                [effect("hot_spots_review"), effect("aa_miniature", trial_n=200,
                                                    significant=0.1)])


@pytest.mark.parametrize("high, said", [
    (1000.0, "-90 to +1000 %"), (1000.1, "no estimate: too few"), (math.inf, "no estimate")])
def test_a_trial_whose_interval_says_nothing_reports_nothing(high, said):
    row = figure("hot_spots_review", True, trial_low=-90.0, trial_high=high)
    assert said in tables.trials(made(figures=[row])).rows[0][3]


def test_the_page_holds_everything_and_misses_come_first(tmp_path):
    text = page.write_page(whole(), tmp_path).read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', text), "it needs nothing beside it"
    assert text.count("data:image/png;base64") == 2
    assert "a &lt;b&gt; | c" in text and "a <b>" not in text
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[0] == "What is out"
    assert headings[:-1] == [t.name for t in tables.all_tables(whole())]
    assert "no shootings" in text


def test_every_table_has_words_and_whole_rows():
    for table in tables.all_tables(whole()):
        assert texts.LEADS[table.name]
        assert len(table.rows) == len(table.tones)
        for row in table.rows:
            assert len(row) == len(table.columns)
            assert all(isinstance(cell, str) for cell in row)


def test_the_document_says_the_same_as_the_page():
    text = page.markdown(whole())
    for table in tables.all_tables(whole()):
        part = text.split(f"## {table.name}\n")[1].split("\n## ")[0]
        lines = [line for line in part.splitlines() if line.startswith("|")]
        assert len(lines) == (len(table.rows) + 2 if table.rows else 0)
        for line in lines:
            assert len(re.findall(r"(?<!\\)\|", line)) == len(table.columns) + 1


def test_each_depth_has_a_document_of_its_own(tmp_path):
    for depth, name in (("quick", "evidence.md"), ("full", "evidence_full.md")):
        board = whole()
        board.depth = depth
        assert page.write_document(board, tmp_path).name == name
    assert "depth=full" in (tmp_path / "evidence_full.md").read_text(encoding="utf-8")


def test_the_log_gets_a_line_a_board_and_keeps_what_was_written_by_hand(tmp_path):
    path = log.append(whole(), tmp_path)
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    rows[0]["changed_after_a_trial"] = "patrol memory, after hot_spots_review"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, log.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    log.append(whole(), tmp_path)
    first, second = csv.DictReader(path.open(encoding="utf-8"))
    assert first["changed_after_a_trial"].startswith("patrol memory")
    assert second["changed_after_a_trial"] == ""
    assert (second["facts_inside"], second["facts_outside"]) == ("1", "1")
    assert (second["trials_in"], second["trials_out"]) == ("1", "0")
    assert second["facts_out"] == "a <b> | c" and second["checks"] == "aa_miniature=yes"
    assert (second["date"], second["code"], second["parameters"]) == (
        "2024-05-06 07:08", "c0de", "pa4a")


def test_documents_are_written_in_a_checkout_only(monkeypatch, tmp_path):
    assert log.docs_dir().name == "docs"
    monkeypatch.setattr(log, "shipped_config_dir", lambda: tmp_path / "configs")
    with pytest.raises(InputError, match="checkout"):
        log.docs_dir()


# --- the gate and the command

def gated(row):
    rule = load_gate()
    return gate._fact(SimpleNamespace(**row), rule)


@pytest.mark.parametrize("changes, passes", [
    ({"mean": 1.9}, True), ({"mean": 2.1}, False), ({"mean": 0.4}, False),
    ({"word": "edge", "verdict": "outside"}, False), ({"word": "power", "verdict": "inside"}, True),
    ({"verdict": "not measurable"}, False)])
def test_the_gate_lets_facts_pass_within_its_factor(changes, passes):
    assert load_gate().factor.value == 2
    assert gated(fact("a", "inside") | changes).passed is passes


def test_the_gate_checks_honesty_to_the_last_digit():
    rule = load_gate()
    for hazards, significant, missing, passes in ((0.0, 0.1, 0, True), (0.0, 0.4, 0, False),
                                                  (0.1, 0.1, 0, False), (0.0, 0.1, 1, False)):
        row = effect("aa_miniature", hazards=hazards, significant=significant, asked=60,
                     trial_n=60 - missing)
        assert gate._coverage(rule.coverage, row).passed is passes
    assert gate._nothing(rule.nothing, effect("x", hazards=0.0, counts=0.0)).passed
    assert not gate._nothing(rule.nothing, effect("x", hazards=0.0, counts=0.1)).passed
    assert gate._something(rule.something, effect("x")).passed
    assert not gate._something(rule.something, effect("x", hazards_high=0.1)).passed
    for kind in (gate._coverage, gate._nothing, gate._something):
        assert not kind(rule.coverage, None).passed, "a run that failed is no pass"


def test_the_gates_status_tells(monkeypatch, capsys):
    for passed, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(gate, "run_gate", lambda *_, p=passed: [
            gate.Outcome("a", "zero", "zero", True), gate.Outcome("b", "zero", "one", p)])
        assert main(["evidence", "gate"]) == status
        assert main(["evidence", "depth=gate"]) == status
    assert "NO" in capsys.readouterr().out


@pytest.mark.parametrize("words, said", [
    (["ful"], "did you mean 'full'"), (["depth=ful"], "did you mean 'full'"),
    (["city=town"], "sets 'city' itself"), (["gate", "--log"], "only checks"),
    (["--write-docs", "--trial", "tonite"], "not kept"),
    (["--trial", "tonight"], "did you mean 'tonite'"), (["--write-doc"], "unknown option")])
def test_bad_words_are_refused_before_anything_runs(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evidence", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

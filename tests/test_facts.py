"""Facts: what their files must hold, verdicts by hand, and a baseline year that is measured."""

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import yaml

from citysim.config.compose import compose_study
from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.city_year import PROGRAM, open_year, run_year, year_settings
from citysim.evidence.crimes import Reading
from citysim.evidence.facts import Part, Tolerance, load_facts, read_fact
from citysim.evidence.measures import all_measures, take
from citysim.evidence.verdicts import evaluate, interval, judge, out_of_reach, tally
from citysim.study.design import runs_of
from citysim.study.store import Store
from made_crimes import city, counted, people

RULE = Tolerance(inside=0.15, near=0.25, width=0.25)
ENTRY = {"id": "made", "name": "Made", "measure": "segments_holding", "arguments": {"share": 0.5},
         "range": [0.1, 0.3], "unit": "share", "source": "a book", "status": "confirmed",
         "use": "check"}


def fact(**changes):
    entry = {**ENTRY, **changes}
    return read_fact({k: v for k, v in entry.items() if v is not None}, "somewhere/made.yaml", RULE)


# --- the files

def test_every_shipped_fact_reads():
    facts = load_facts()
    assert len(facts) >= 21
    assert {f.use for f in facts} == {"calibrate", "check", "method"}
    assert {f.measure for f in facts} <= set(all_measures())
    for f in facts:
        targets = [p for p in f.parts if p.target]
        assert targets or f.use == "method", f.id


def test_a_new_fact_is_one_file_and_no_code(tmp_path):
    shutil.copytree(shipped_config_dir(), tmp_path / "configs")
    folder = tmp_path / "configs" / "evidence" / "facts"
    (folder / "made.yaml").write_text(yaml.safe_dump(ENTRY))
    (made,) = load_facts(tmp_path / "configs", ["made"])
    table = evaluate([made], counted((5, 3, 1, 1)))
    assert table.loc[0, "mean"] == pytest.approx(0.25)
    assert table.loc[0, "verdict"] == "inside"
    with pytest.raises(InputError) as refusal:
        load_facts(tmp_path / "configs", ["maid"])
    assert refusal.value.closest == "made"


def test_a_fact_sees_the_crimes_that_its_source_knows():
    data = counted((6, 2, 1, 1))
    books = replace(data.crimes, recorded=data.crimes.place != 0)
    data = replace(data, crimes=books)
    assert fact(arguments={"share": 1.0}).read(fact(arguments={"share": 1.0}).parts[0],
                                               data).value == pytest.approx(1.0)
    police = fact(arguments={"share": 1.0}, counted="recorded")
    assert police.read(police.parts[0], data).value == pytest.approx(0.75)
    points = replace(data, crimes=replace(books, recorded=None))  # a file of police records
    assert police.read(police.parts[0], points).value == pytest.approx(1.0)
    with pytest.raises(InputError) as refusal:
        fact(counted="recordet")
    assert refusal.value.closest == "recorded"


@pytest.mark.parametrize(("changes", "word", "closest"), [
    ({"measure": "segment_holding"}, "unknown measure", "segments_holding"),
    ({"arguments": {"shares": 0.5}}, "takes no argument 'shares'", "share"),
    ({"range": [0.3, 0.1]}, "upside down", None),
    ({"range": [0.3, 0.3]}, "upside down", None),
    ({"range": [0.3]}, "no range", None),
    ({"range": [0.1, "wide"]}, "no range", None),
    ({"source": None}, "'source' is missing", None),
    ({"source": " "}, "'source' is missing", None),
    ({"status": "confirm"}, "not allowed", "confirmed"),
    ({"use": "calibration"}, "not allowed", "calibrate"),
    ({"range": None}, "published is missing", None),
    ({"value": 0.2}, "exclude each other", None),
    ({"range": None, "value": True}, "no number", None),
    ({"tolerence": {}}, "unknown key", "tolerance"),
    ({"tolerance": {"near": 0.1}}, "narrower", None),
    ({"tolerance": {"insid": 0.1}}, "unknown key", "inside"),
    ({"range": None, "values": {"a": 1, "b": 2}, "parts": {"a": {}, "c": {}}}, "differ", None),
    ({"range": None, "values": {"a": 1}, "parts": {"a": {"used": "check"}}}, "unknown key", "use"),
    ({"factor": {"low": 2, "high": 1, "source": "x"}}, "factor needs", None),
    ({"id": "other"}, "not the file's name", None),
    ({"range": [0.1, float("inf")]}, "no range", None),
    ({"range": None, "values": {}}, "published is missing", None),
    ({"note": 5}, "no text", None),
    ({"arguments": {"share": "half"}}, "'share' cannot be 'half'", None),
    ({"arguments": {"share": -0.5}}, "'share' cannot be -0.5", None),
])
def test_bad_entries_are_refused(changes, word, closest):
    with pytest.raises(InputError) as refusal:
        fact(**changes)
    assert word in refusal.value.message
    assert "made.yaml" in refusal.value.where
    if closest:
        assert refusal.value.closest == closest


def test_bands_are_lists_of_numbers():
    bands = {"metres": [100, 200], "days": 7}
    assert fact(measure="near_repeats", arguments=bands).parts[0].arguments == bands
    with pytest.raises(InputError, match="'metres' cannot be"):
        fact(measure="near_repeats", arguments={"metres": [100, "far"]})


def test_what_is_true_or_false_is_no_word():
    with pytest.raises(InputError, match="'outdoors' cannot be 'no'"):
        fact(measure="hours_share", arguments={"outdoors": "no"})


def test_parts_have_arguments_and_uses_of_their_own():
    found = fact(range=None, values={"a": 0.2, "b": [0.4, 0.6]}, parts={
        "a": {"arguments": {"share": 0.25}, "use": "context"}, "b": {"note": "wide"}})
    a, b = found.parts
    assert (a.arguments["share"], a.use, a.value) == (0.25, "context", 0.2)
    assert (b.arguments["share"], b.use, b.low, b.high) == (0.5, "check", 0.4, 0.6)


def test_a_factor_makes_a_range_of_a_value():
    found = fact(range=None, value=100, factor={"low": 1.3, "high": 1.8, "source": "assumed"})
    assert (found.parts[0].low, found.parts[0].high) == pytest.approx((130, 180))


# --- verdicts

@pytest.mark.parametrize(("value", "verdict", "off"), [
    (0.1, "inside", 0), (0.3, "inside", 0), (0.05, "near", -0.5), (0.35, "near", 0.05 / 0.3),
    (0.36, "outside", 0.2), (0.04, "outside", -0.6)])
def test_verdict_on_a_range(value, verdict, off):
    found = judge(value, Part("", {}, low=0.1, high=0.3), RULE)
    assert found[0] == verdict
    assert found[1] == pytest.approx(off)


@pytest.mark.parametrize(("value", "verdict"), [
    (2.0, "inside"), (2.29, "inside"), (1.71, "inside"), (2.31, "near"), (1.51, "near"),
    (2.51, "outside"), (1.49, "outside")])
def test_verdict_on_a_single_value(value, verdict):
    found = judge(value, Part("", {}, value=2.0), RULE)
    assert found == (verdict, pytest.approx(value / 2 - 1))


def test_interval_over_seeds():
    # Student's t at 95 % with one degree of freedom is tan(0.45 pi).
    half = np.tan(0.45 * np.pi) * np.std([1, 2], ddof=1) / np.sqrt(2)
    assert interval([1.0, 2.0]) == pytest.approx((1.5 - half, 1.5 + half))
    assert np.isnan(interval([1.0])).all()


def test_the_table_over_seeds_and_what_counts():
    runs = [counted((6, 2, 1, 1, 0, 0, 0, 0, 0, 0), seed=1),
            counted((4, 3, 2, 1, 0, 0, 0, 0, 0, 0), seed=2)]
    facts = [fact(), fact(status="memory"), fact(use="method", range=None),
             fact(measure="decay_form", arguments=None, range=None, one_of=["power"]),
             fact(range=None, values={"a": 0.15, "b": 9.0},
                  parts={"a": {}, "b": {"use": "context"}})]
    table = evaluate(facts, runs)
    first = table.iloc[0]
    assert first["mean"] == pytest.approx(0.15)  # 1 and 2 of 10 segments
    assert first["low"] < 0.15 < first["high"]
    assert (first["seeds"], first["seeds_inside"], first["cases"]) == (2, 1.0, 10)
    assert table["verdict"].tolist() == ["inside", "inside", "shown", "not measurable", "inside",
                                         "outside"]
    assert table["counted"].tolist() == [True, False, False, False, True, False]
    counts = tally(table)
    assert counts.loc["check"].tolist() == [2, 0, 0, 1]


def test_a_kind_that_is_not_there_is_not_measurable():
    table = evaluate([fact(arguments={"offences": "dragons"})], counted((1, 2)))
    assert table.loc[0, "verdict"] == "not measurable"
    assert "dragons" in table.loc[0, "note"]


def test_what_no_city_of_this_size_could_show_is_not_measurable():
    """Four crimes by three of forty people: all on the worst tenth, whoever they are."""
    folk = people(np.full(40, 30))
    data = [city([0] * 4, offender=[0, 0, 1, k], people=folk, seed=k) for k in (2, 3)]
    told = {"measure": "worst_offenders", "range": None}
    table = evaluate([fact(value=0.66, arguments={"share": 0.1}, **told),
                      fact(value=1.0, arguments={"share": 0.1}, **told),
                      fact(value=0.66, arguments={"share": 0.05}, **told),
                      fact(value=0.5, arguments={"share": 0.3, "among": "offenders"}, **told)],
                     data)
    assert table["verdict"].tolist() == ["not measurable", "inside", "inside", "inside"]
    assert table["counted"].tolist() == [False, True, True, True]
    assert "between 1 and 1 whatever they do (1 here)" in table.loc[0, "note"]
    assert table.loc[0, "mean"] == 1.0 and np.isnan(table.loc[0, "off"])
    assert tally(table).loc["check"].tolist() == [3, 0, 0, 1]


def test_a_figure_is_out_of_reach_when_no_reading_could_be_near_it():
    readings = [Reading(0.5, possible=(0.4, 0.8)), Reading(0.6, possible=(0.5, 0.9))]
    tell = partial(out_of_reach, readings, tolerance=RULE)  # the mean: .45 to .85
    assert not tell(Part("", {}, low=0.1, high=0.4))     # near until .475
    assert not tell(Part("", {}, low=0.3, high=0.5))
    assert "between 0.45 and 0.85" in tell(Part("", {}, low=0.1, high=0.37))  # near until .4375
    assert not tell(Part("", {}, value=0.37))            # near until .4625
    assert tell(Part("", {}, value=0.35))                # near until .4375
    assert tell(Part("", {}, low=0.97, high=0.99)) and tell(Part("", {}, value=1.2))
    assert not out_of_reach([*readings, Reading(0.5)], Part("", {}, value=0.1), RULE)
    assert not tell(Part("", {}, one_of=("word",)))


def test_the_worst_tenth_of_people_is_shown_and_that_of_offenders_counts():
    """Of forty people ten offend, the worst four of them 16 of 22 times: 73 %, near 66 %."""
    who = np.repeat(np.arange(10), [4] * 4 + [1] * 6)
    data = city([0] * len(who), offender=who, people=people(np.full(40, 30)))
    table = evaluate(load_facts(ids=["offender_concentration"]), data).set_index("part")
    assert table.loc["people_top10", "mean"] == pytest.approx(16 / 22)
    assert table.loc["people_top10", "target_value"] == 0.66
    assert table["counted"].to_dict() == {"people_top10": False, "offenders_top10": True,
                                          "people_top2_year": False}
    assert tally(table).to_numpy().sum() == 1


def test_robbery_is_judged_at_the_rate_that_the_surveys_shares_give():
    """What is no property crime is violence without robbery; robbery is 11 % of all violence."""
    (found,) = load_facts(ids=["repeat_share_12m"])
    (robbery,) = [p for p in found.parts if p.label == "robbery"]
    violence = 8.6e6 * (1 - 0.80)
    assert robbery.arguments["rate"] == round(violence * 0.11 / (1 - 0.11) / 45.5e6, 4)
    assert {p.use for p in found.parts} == {"check"}
    assert all("rate" in p.arguments for p in found.parts)


# --- the baseline year

@pytest.fixture(scope="module")
def year(tmp_path_factory):
    folder = tmp_path_factory.mktemp("year")
    settings = year_settings(["city=town", "days=4", "warmup_days=1", "seeds=2", "executor=serial",
                              f"output_dir={folder}"])
    return folder, run_year(settings)


def test_a_year_becomes_data(year):
    folder, runs = year
    from citysim.results import open

    events = open(folder).events()
    assert [run.seed for run in runs] == [1, 2]
    for run in runs:
        mine = events[events["seed"] == run.seed]
        assert len(run.crimes) == len(mine) > 0
        assert run.days == 4
        assert run.residents == run.people.residents == 4000
        assert len(run.people.odds_kept) == 4000
        assert 0 < run.people.odds_kept.mean() <= 1
        known = run.crimes.victim >= 0
        assert ((run.crimes.household[known] >= 0)
                == (run.crimes.victim[known] < run.residents)).all()
        assert 0 <= (run.crimes.time - run.crimes.time.min()).max() < 4 * 24
        assert (run.crimes.hour == run.crimes.time % 24).all()
        rate = take("true_rate", run, {"offences": "vandalism"}).value
        assert rate == pytest.approx((mine["offence"] == "vandalism").sum() / 4000 * 1e5 * 365 / 4)


def test_each_run_is_read_with_what_it_drew(year):
    folder, runs = year
    points = ensemble_of(compose_study(["city=town"]))
    drawn = [points.drawn(seed)["model.fear.afraid"] for seed in (1, 2)]
    assert drawn[0] != drawn[1] and [run.people.afraid for run in runs] == drawn
    minds = Store(folder).read("minds")
    for run, afraid in zip(runs, drawn, strict=True):
        mine = minds[minds["seed"] == run.seed].sort_values("person")["fear_after_dark"].to_numpy()
        age = run.people.age[:run.residents]
        adult = (age >= 14) & (age <= 110)
        assert take("feel_unsafe_at_end", run).value == (mine[adult] >= afraid).mean()


def test_each_future_is_read_with_the_city_that_it_had(tmp_path):
    settings = year_settings(["city=town", "days=1", "warmup_days=0", "executor=serial",
                              "uncertainties={scale:[0.05,0.1]}", "design={kind:grid}",
                              f"output_dir={tmp_path}"])
    assert sorted(run.residents for run in run_year(settings)) == [200, 400]


def test_runs_of_a_plain_study_are_not_taken_for_those_of_a_year(year):
    folder, _ = year
    settings = year_settings(["city=town", "days=4", "warmup_days=1", "seeds=2", "executor=serial",
                              f"output_dir={folder}"])
    own, plain = ({run.key for run in runs_of(settings, program=program)}
                  for program in (PROGRAM, None))
    store = Store(folder)
    assert store.done(own) == own and not store.done(plain)


def test_a_study_is_opened_again_without_its_settings(year):
    folder, runs = year
    again = open_year(folder)
    for one, other in zip(runs, again, strict=True):
        assert np.array_equal(one.crimes.place, other.crimes.place)
        assert np.array_equal(one.people.home, other.people.home)
        assert np.array_equal(one.people.odds_kept, other.people.odds_kept)
    with pytest.raises(InputError):
        open_year(folder, scenario="lights")


def test_facts_of_a_year(year):
    _, runs = year
    table = evaluate(load_facts(), runs).set_index(["fact", "part"])
    assert table.loc[("police_per_100k", "italy_2020"), "verdict"] == "inside"
    assert table.loc[("near_repeat_shooting", ""), "verdict"] == "not measurable"
    assert table.loc[("repeat_share_12m", "robbery"), "verdict"] == "not measurable"  # four days
    women, men = (table.loc[("unsafe_by_sex", sex), "mean"] for sex in ("women", "men"))
    assert 0 < men < women < 1


def test_studies_without_minds_say_so(year):
    folder, (run, _) = year
    plain = replace(run, people=replace(run.people, odds_kept=None, fear_after_dark=None))
    found = take("stay_in_from_fear", plain)
    assert not found.measurable
    assert "what people fear" in found.note


def test_a_baseline_year_has_no_policy():
    with pytest.raises(InputError, match="no policies"):
        year_settings(["city=town", "policy=street_lighting"])




def test_the_command_reads_a_study(year, capsys):
    from citysim.cli.main import main

    folder, _ = year
    assert main(["evidence", "facts", "--study", str(folder), "--fact", "police_per_100k",
                 "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("police_per_100k: italy_2020,398,398 to 398,398,inside,")
    assert main(["evidence", "facts", "city=town", "--study", str(folder)]) == 2
    assert "no settings" in capsys.readouterr().err

"""Results as tables: what is read, in which form, and what the documentation says of it."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import citysim
from citysim import results
from citysim.cli.main import main
from citysim.config.errors import InputError
from citysim.model.simulate import simulate
from citysim.results.months import days_of, over_window
from citysim.study.design import Scenario
from citysim.study.run import run_study
from citysim.study.store import Store
from made_results import write_study
from study_stub import PROGRAM, compose, write_configs

DOC = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
SCENARIOS = (Scenario("no_action"), Scenario("night_activation", ("night_activation",)))
DAYS = 6
START = "2024-03-28"  # four days of March, two of April


@pytest.fixture(scope="module")
def settings(town_settings, busy_changes):
    return town_settings.replace({**busy_changes, "days": DAYS, "start_date": START})


@pytest.fixture(scope="module")
def run(settings, town_world):
    """The tables of one run: ``run(days, scenario, seed)``."""
    def make(days=DAYS, scenario=SCENARIOS[0], seed=1):
        return simulate(settings.replace({"days": days}), scenario, seed, town_world)

    return make


@pytest.fixture(scope="module")
def folder(tmp_path_factory, settings, run):
    """A study of two scenarios and two seeds, really run."""
    store, keys = Store(tmp_path_factory.mktemp("study")), []
    for scenario in SCENARIOS:
        for seed in (1, 2):
            keys.append(f"{scenario.name}.{seed}")
            store.write_run({"key": keys[-1], "scenario": scenario.name, "future": 0, "seed": seed,
                             "status": "done", "seconds": 1.5, "attempts": 1, "error": "",
                             "parameters": f'{{"policies": {list(scenario.policies)}}}'.replace(
                                 "'", '"')}, run(DAYS, scenario, seed))
    store.write_manifest({"name": "made", "keys": keys, "config": settings.to_dict(),
                          "scenarios": [{"name": s.name} for s in SCENARIOS]})
    return store.folder


@pytest.fixture(scope="module")
def study(folder):
    return results.open(folder)


# --- months of places


def test_months_add_up_to_the_window(study):
    rows = study.table("places")
    assert set(rows["month"]) == {date(2024, 3, 1), date(2024, 4, 1)}
    figures = study.outcomes(["crime.count.hazard", "crime.count.true"]).query("group == 'all'")
    scale = study.manifest["config"]["scale"]
    for name in ("hazard", "true"):
        by_run = rows[rows["outcome"] == f"crime.{name}.all"].groupby("key")["value"].sum()
        whole = figures[figures["outcome"] == f"crime.count.{name}"].set_index("key")["value"]
        pd.testing.assert_series_equal(by_run, whole.loc[by_run.index] * scale, check_names=False)
        assert (by_run > 0).all()
    window = study.places()
    assert "month" not in window and len(window) == len(rows) / 2
    assert set(window["outcome"]) == set(rows["outcome"])


def test_a_month_is_what_a_window_that_ends_with_it_holds(run, study):
    """Four days from the same start, run by themselves, are the first month's rows."""
    alone = run(days=4)["places"].to_pandas()
    assert set(alone["month"]) == {date(2024, 3, 1)}
    march = study.places(month="2024-03")
    march = march[march["key"] == "no_action.1"]
    joined = alone.merge(march, on=["place", "outcome"], validate="one_to_one")
    assert len(joined) == len(alone) == len(march)
    np.testing.assert_allclose(joined["value_x"], joined["value_y"], rtol=1e-12)
    hazard = joined[joined["outcome"] == "crime.hazard.all"]["value_x"]
    assert (hazard > 0).any()


def test_states_are_those_of_the_last_month(study):
    window = study.places(["safety.unease", "place.upkeep"])
    april = study.places(["safety.unease", "place.upkeep"], month="2024-04-30")
    by = ["key", "place", "outcome"]
    pd.testing.assert_series_equal(window.set_index(by)["value"].sort_index(),
                                   april.set_index(by)["value"].sort_index())


def test_window_of_made_up_months():
    rows = pd.DataFrame({
        "key": "a", "month": [date(2024, 1, 1), date(2024, 2, 1)] * 2, "place": 0,
        "outcome": ["crime.true.all"] * 2 + ["safety.unease"] * 2, "value": [2.0, 3.0, 0.4, 0.1]})
    found = over_window(rows).set_index("outcome")["value"]
    assert found.to_dict() == {"crime.true.all": 5.0, "safety.unease": 0.1}
    assert len(over_window(rows.drop(columns="month"))) == 4  # of a version without months


def test_days_of_each_month():
    config = {"config": {"start_date": "2024-02-20", "days": 45}}
    assert days_of(config) == {date(2024, 2, 1): 10, date(2024, 3, 1): 31, date(2024, 4, 1): 4}
    assert days_of({}) == {}


def test_a_month_outside_the_window_is_refused(study, tmp_path):
    with pytest.raises(InputError, match="2024-07") as caught:
        study.places(month="2024-07")
    assert "2024-03" in str(caught.value.allowed)
    old = results.open(write_study(tmp_path, ("no_action",), range(1), places=4, days=7))
    assert len(old.places("crime.hazard.all")) == 4
    with pytest.raises(InputError):
        old.places(month="2024-03")


# --- forms


def test_pandas_polars_and_duckdb_agree(study):
    pandas = study.daily("trust.police").groupby("scenario")["value"].mean()
    frame = study.polars("daily", "trust.police")
    polars = {s: frame.filter(frame["scenario"] == s)["value"].mean() for s in study.scenarios}
    duck = dict(study.duckdb().execute("select scenario, avg(value) from daily where outcome = "
                                       "'trust.police' group by 1").fetchall())
    assert set(duck) == set(study.scenarios) == {"no_action", "night_activation"}
    for name, value in pandas.items():
        assert polars[name] == pytest.approx(value) and duck[name] == pytest.approx(value)


@pytest.mark.parametrize("name", results.TABLES)
def test_every_table_is_the_same_everywhere(study, name):
    rows = study.table(name)
    connection = study.duckdb()
    assert connection.execute(f"select count(*) from {name}").fetchall() == [(len(rows),)]
    names = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
    assert sorted(names) == sorted(rows.columns) == sorted(study.polars(name).columns)
    method = getattr(study, name)()
    assert len(method) == len(rows) / (2 if name == "places" else 1)


def test_filters_leave_out_the_rest(study):
    rows = study.table("outcomes", ["trust.police", "night.users"], scenarios=["no_action"],
                       columns=["seed", "outcome", "group"])
    assert list(rows.columns) == ["seed", "outcome", "group"]
    assert set(rows["outcome"]) == {"trust.police", "night.users"}
    whole = study.outcomes()
    expected = whole[whole["outcome"].isin(["trust.police", "night.users"])
                     & (whole["scenario"] == "no_action")]
    assert len(rows) == len(expected) > 0
    assert len(study.groups("trust.police")) + 4 == len(study.outcomes("trust.police"))
    assert "all" not in set(study.groups("trust.police")["group"])
    assert set(study.table("runs", scenarios="no_action")["scenario"]) == {"no_action"}
    assert len(study.outcomes("no.such.outcome")) == 0


def test_an_array_of_run_month_place(study, town_world):
    cube = study.xarray("crime.hazard.all", world=town_world)
    assert cube.dims == ("run", "month", "place") and cube.attrs["unit"] == "offences"
    assert cube.shape == (4, 2, len(town_world.city.places))
    assert cube["days"].values.tolist() == [4, 2]
    assert set(zip(cube["scenario"].values.tolist(), cube["seed"].values.tolist(), strict=True)) \
        == {(s.name, seed) for s in SCENARIOS for seed in (1, 2)}
    np.testing.assert_allclose(cube["x"], town_world.city.places.x)
    assert set(cube["district"].values) <= set(town_world.city.districts)
    rows = study.table("places", "crime.hazard.all")
    row = rows.iloc[len(rows) // 3]
    where = (cube["key"] == row["key"]).values.argmax()
    found = cube.isel(run=where).sel(month=np.datetime64(row["month"]), place=row["place"])
    assert float(found) == row["value"]
    assert float(cube.sum()) == pytest.approx(rows["value"].sum()) and not cube.isnull().any()


def test_an_array_of_a_study_without_months(tmp_path):
    old = results.open(write_study(tmp_path, ("no_action",), range(2), places=4, days=7))
    cube = old.xarray("safety.unease")
    assert cube.shape == (2, 1, 4) and np.isnan(cube["days"].values).all()


def test_measures_explain_every_outcome(study, folder):
    measures = study.measures().set_index("outcome")
    outcomes = study.outcomes()
    assert set(outcomes["outcome"]) <= set(measures.index)
    for name in ("daily", "places", "profile"):
        held = set(study.table(name)["outcome"])
        assert held == set(measures.index[measures["tables"].str.split(", ").map(
            lambda tables, name=name: name in tables)])
    units = outcomes.drop_duplicates("outcome").set_index("outcome")["unit"]
    assert (measures.loc[units.index, "unit"] == units).all()
    assert (measures["meaning"] != "").all() and (measures["label"] != "").all()
    assert set(measures["better"]) == {"lower", "higher", ""}
    assert "district" in measures.loc["safety.safe_after_dark", "groups"]
    assert measures.loc["safety.unease", "over_months"] == "end"
    assert any(o.startswith("policy.") for o in measures.index), "of scenarios with a policy too"
    store = Store(folder)
    store.write_measures(pa.Table.from_pandas(study.measures(), preserve_index=False))
    try:
        pd.testing.assert_frame_equal(results.open(folder).measures(), study.measures())
    finally:
        (folder / "measures.csv").unlink()


def test_a_study_says_what_its_measures_are_and_signs_its_files(tmp_path):
    configs = write_configs(tmp_path / "configs")
    out = run_study(compose(configs, tmp_path / "out"), program=PROGRAM).folder
    told = pd.read_csv(out / "measures.csv").set_index("outcome")
    assert told.loc["crime.true.all", "unit"] == "per 100,000 residents and year"
    assert "saturation" in told.index  # the stand-in's own, which nothing declares
    files = Store(out).manifest["files"]
    assert files == Store(out).fingerprint() and {"measures.csv", "summary.csv"} <= set(files)


def test_an_open_study_outlives_compaction(tmp_path):
    folder = write_study(tmp_path, ("no_action", "together"), range(2), places=4, days=7)
    before = results.open(folder)
    expected = before.daily()
    before.store.compact()
    after = before.daily()
    by = ["key", "outcome", "day"]
    pd.testing.assert_frame_equal(after.sort_values(by, ignore_index=True),
                                  expected.sort_values(by, ignore_index=True))


def test_what_cannot_be_opened_is_refused(study, tmp_path):
    with pytest.raises(InputError, match="no results"):
        results.open(tmp_path)
    for call in (lambda: study.table("dayly"), lambda: study.table("daily", as_="numpy"),
                 lambda: study.table("daily", columns=["valeu"]),
                 lambda: study.table("runs", columns=["second"]),
                 lambda: study.xarray("crime.hazrd.all")):
        with pytest.raises(InputError):
            call()
    assert citysim.results is results


# --- command line


def test_the_command_lists_asks_and_compacts(tmp_path, capsys):
    folder = str(write_study(tmp_path, ("no_action", "together"), range(2), places=4, days=7,
                             fail={("together", 1)}))
    query = "select scenario, count(*) as n from daily group by 1 order by 1"
    for _ in range(2):
        assert main(["results", folder]) == 0
        listed = capsys.readouterr().out.splitlines()
        assert listed[0] == "table,rows,columns" and "runs,4," in listed[1]
        assert main(["results", folder, "--sql", query]) == 0
        assert capsys.readouterr().out == "scenario,n\nno_action,42\ntogether,21\n"
        assert main(["results", folder, "--compact"]) == 0
        assert "3 finished runs" in capsys.readouterr().out
    assert len(list(Path(folder).glob("results/daily/*"))) == 1


@pytest.mark.parametrize("words", [["--sql", "selec 1"], ["--sql", "select nothing from daily"],
                                   ["--sqll", "x"], ["more"]])
def test_a_question_that_fails_says_so_once(folder, capsys, words):
    assert main(["results", str(folder), *words]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("citysim: ") and "Traceback" not in told.err and told.out == ""


def test_a_folder_without_results_is_bad_input(tmp_path, capsys):
    assert main(["results", str(tmp_path / "nowhere")]) == 2
    assert "results/runs" in capsys.readouterr().err
    assert main(["results", str(tmp_path), "--compact"]) == 2 and not list(tmp_path.iterdir())


# --- documentation


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.S)


def test_the_examples_of_the_documentation_run(folder, monkeypatch, tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/flagship").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    assert len(blocks("python")) >= len(results.TABLES)
    for block in blocks("python"):
        lines = block.strip().rsplit("\n", 1)
        exec(block, names)
        if re.match(r"r\.\w+\(", lines[-1]) or lines[-1].startswith("per_day."):
            value = eval(lines[-1], names)
            empty = ("design", "notes", "events")  # this small study has none of them
            assert len(value) or any(name in block for name in empty)


def test_the_commands_of_the_documentation_run(folder, monkeypatch, tmp_path, capsys):
    import shlex

    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/flagship").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) >= 4 and all(line.startswith("citysim results") for line in lines)
    for line in lines:
        if "--compact" not in line:  # the other tests read the same folder
            assert main(shlex.split(line)[1:]) == 0
            assert capsys.readouterr().out.count("\n") > 1


@pytest.mark.parametrize("name", results.TABLES)
def test_the_documentation_names_every_column(study, name):
    section = DOC.split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    index = {"key", "scenario", "future", "seed"} if name not in ("design", "measures") else set()
    other = set(re.findall(r"`(\w+)`", DOC.split("\n### outcomes\n")[1].split("\n### ")[0])) \
        if name == "groups" else set()
    assert set(study.table(name).columns) <= named | index | other


def test_remarks_do_not_name_a_policy_twice(tmp_path):
    note = "lamps: EUR 9 buys 20 times the plan as written"
    write_study(tmp_path, seeds=(1,), places=3, days=2, more=lambda scenario, seed: {
        "notes": pd.DataFrame({"note": [f"{scenario}: too much", note]})})
    told = results.open(tmp_path).remarks()
    assert ("no_action", "too much") in told and ("no_action", note) in told

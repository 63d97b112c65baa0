"""What a study varies: designs, the options and futures that follow, and what is refused."""

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.config.factors import FactorKeys
from citysim.study.design import (
    design_table,
    runs_of,
    samples_to_check,
    scenarios_of,
    study_key,
)
from citysim.study.factors import Factor, factors_of
from citysim.study.manifest import manifest_of

ROOT = Path(__file__).parents[1]
AMOUNT, SATURATION = "policies.lamps.measures.0.amount", "model.guardianship.saturation"
SHAPE, DECAY = "model.guardianship.shape", "model.guardianship.decay"
DOSES = f"levers={{{AMOUNT}:[0.1,0.2,0.5]}}"
DOSE_RANGE = f"levers={{{AMOUNT}:{{low:0.1,high:0.5}}}}"
WATCHED = f"uncertainties={{{SATURATION}:{{low:0.3,high:3}}}}"
ALONE = "scenarios={no_action:{},a:{policies:[lamps]},b:{policies:[beats]}}"


@pytest.fixture
def study(folder):
    return lambda *words: compose_study(list(words), folder, folder)


def rows_of(settings, sampled=True):
    """The design's rows in the order of the sampling matrix."""
    rows = design_table(settings).to_pylist()
    return sorted((r for r in rows if (r["sample"] >= 0) == sampled), key=lambda r: r["sample"])


# --- distributions ---------------------------------------------------------------------------

def factor(**keys):
    shape = FactorKeys(**keys)
    low, high = shape.ends if shape.values is None else (None, None)
    return Factor("x", "uncertainty", ("x",), None, tuple(shape.values or ()), None, low, high,
                  shape)


SHAPES = [{"low": -2, "high": 3}, {"low": 0.1, "high": 40, "distribution": "log_uniform"},
          {"low": 1, "mode": 1, "high": 5, "distribution": "triangular"},
          {"mean": 4, "sd": 2, "distribution": "normal"},
          {"mean": 4, "sd": 2, "low": 3.5, "high": 20, "distribution": "normal"}]


@pytest.mark.parametrize("keys", SHAPES)
def test_a_distribution_goes_from_end_to_end_and_never_down(keys):
    f = factor(**keys)
    values = [f.at(share) for share in np.linspace(0, 1, 101)]
    assert values == sorted(values) and len(set(values)) == 101
    assert (values[0], values[-1]) == pytest.approx(f.shape.ends)


def test_known_points_of_the_distributions():
    assert factor(**SHAPES[0]).at(0.5) == pytest.approx(0.5)
    assert factor(**SHAPES[1]).at(0.5) == pytest.approx(2)  # the geometric mean
    # P(X > x) = (5 - x)^2 / 16 for a triangle that falls from 1 to 5
    assert factor(**SHAPES[2]).at(0.75) == pytest.approx(3)
    assert factor(**SHAPES[3]).at(0.5) == pytest.approx(4)
    ends = factor(**SHAPES[3])
    assert (ends.low, ends.high) == (-2, 10)  # three standard deviations


def test_a_normal_distribution_keeps_its_shape_between_its_ends():
    from scipy.stats import truncnorm

    for mean, sd, low, high in ((4, 2, 3.5, 20), (0, 1, -1, 0.5)):
        f = factor(mean=mean, sd=sd, low=low, high=high, distribution="normal")
        known = truncnorm((low - mean) / sd, (high - mean) / sd, mean, sd)
        for share in (0.01, 0.3, 0.5, 0.9):
            assert f.at(share) == pytest.approx(known.ppf(share), rel=1e-6)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9, unique=True))
def test_listed_values_get_equal_shares(values):
    shares = (np.arange(len(values) * 20) + 0.5) / (len(values) * 20)
    drawn = [factor(values=values).at(share) for share in shares]
    assert [drawn.count(v) for v in values] == [20] * len(values)
    assert factor(values=values).at(1.0) == values[-1]


def test_counts_are_whole_and_each_gets_an_equal_share(study):
    settings = study("uncertainties={population.ties.degree:{low:4,high:7}}",
                     "design={kind:latin_hypercube,points:40}")
    values = [r["population.ties.degree"] for r in rows_of(settings) if r["scenario"] == "lamps"]
    assert sorted(values) == [4] * 10 + [5] * 10 + [6] * 10 + [7] * 10
    assert all(type(s.set["population.ties.degree"]) is int
               for s in scenarios_of(settings) if s.future)


# --- designs ---------------------------------------------------------------------------------

def test_a_grid_is_every_combination(study):
    settings = study(f"levers={{{AMOUNT}:[0.1,0.2,0.5],{SHAPE}:[convex,linear]}}")
    assert [(s.name, s.set) for s in scenarios_of(settings)] == [("no_action", {})] + [
        (f"amount={a}, shape={b}", {AMOUNT: a, SHAPE: b})
        for a in (0.1, 0.2, 0.5) for b in ("convex", "linear")]
    assert all(s.policies == ("lamps", "beats") for s in scenarios_of(settings)[1:])


def test_steps_of_a_grid_include_both_ends(study):
    settings = study(DOSE_RANGE, "design={kind:grid,steps:3}")
    assert [r[AMOUNT] for r in rows_of(settings)] == pytest.approx([0.1, 0.3, 0.5])


def test_one_at_a_time_moves_one_factor_from_what_is_configured(study):
    settings = study(DOSES, f"uncertainties={{{SATURATION}:{{low:0.3,high:3}},"
                     f"{SHAPE}:[convex,linear]}}", "design={kind:one_at_a_time}")
    rows = rows_of(settings)
    centre = {AMOUNT: 0.2, SATURATION: 0.7, SHAPE: "convex"}  # as the stub's files have it
    moved = [{k: r[k] for k in centre if r[k] != centre[k]} for r in rows]
    assert moved == [{}, {AMOUNT: 0.1}, {AMOUNT: 0.5}, {SATURATION: 0.3}, {SATURATION: 3.0},
                     {SHAPE: "linear"}]
    assert [r["scenario"] for r in rows] == ["together", "amount=0.1", "amount=0.5",
                                             "together", "together", "together"]
    assert [r["future"] for r in rows] == [0, 0, 0, 1, 2, 3]


def test_a_latin_hypercube_visits_every_slice_of_every_factor_once(study):
    settings = study(DOSE_RANGE, WATCHED, "design={kind:latin_hypercube,points:16}")
    rows = rows_of(settings)
    for name, low, high in ((AMOUNT, 0.1, 0.5), (SATURATION, 0.3, 3)):
        slices = [int((r[name] - low) / (high - low) * 16) for r in rows]
        assert sorted(slices) == list(range(16))
    other = study(DOSE_RANGE, WATCHED, "design={kind:latin_hypercube,points:16,seed:2}")
    again = study(DOSE_RANGE, WATCHED, "design={kind:latin_hypercube,points:16,seed:1}")
    assert rows_of(again) == rows and rows_of(other) != rows


def test_sobol_rows_give_the_known_indices_of_a_linear_function(study):
    from SALib.analyze import sobol

    settings = study(DOSE_RANGE, f"uncertainties={{{DECAY}:{{low:1,high:9}},"
                     f"{SHAPE}:[convex,linear]}}", "design={kind:sobol,points:512}")
    rows = rows_of(settings)
    assert len(rows) == 512 * (3 + 2)
    # Variances: (30 x 0.4)^2 / 12 = 12; 8^2 / 12 = 16/3; 2^2 / 4 = 1.
    values = np.array([30 * r[AMOUNT] + r[DECAY] + 2 * (r[SHAPE] == "linear") for r in rows])
    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3}
    found = sobol.analyze(problem, values, calc_second_order=False, seed=1)
    parts = np.array([12, 16 / 3, 1])
    assert found["S1"] == pytest.approx(parts / parts.sum(), abs=0.05)
    assert found["ST"] == pytest.approx(parts / parts.sum(), abs=0.05)


def test_sobol_rows_exchange_one_factor_and_share_futures(study):
    rows = rows_of(study(DOSE_RANGE, WATCHED, "design={kind:sobol,points:8}"))
    for a, lever, uncertainty, b in zip(*[iter(rows)] * 4, strict=True):
        assert (lever[AMOUNT], lever["future"]) == (b[AMOUNT], a["future"])
        assert (uncertainty[SATURATION], uncertainty["scenario"]) == (b[SATURATION], a["scenario"])
    settings = study(DOSE_RANGE, WATCHED, "design={kind:sobol,points:8}")
    assert len(rows_of(settings, sampled=False)) == 16  # baselines: once per future, not per row
    longer = study(DOSE_RANGE, WATCHED, "design={kind:sobol,points:16}")
    assert {r.key for r in runs_of(settings)} < {r.key for r in runs_of(longer)}


def test_second_order_takes_twice_the_rows(study):
    rows = rows_of(study(DOSE_RANGE, WATCHED, "design={kind:sobol,points:4,second_order:true}"))
    assert len(rows) == 4 * (2 * 2 + 2)


def test_morris_trajectories_give_the_slopes_of_a_linear_function(study):
    settings = study(DOSE_RANGE, WATCHED, "design={kind:morris,points:5}")
    rows = rows_of(settings)
    assert len(rows) == 5 * 3
    for i in range(0, 15, 3):
        for one, two in zip(rows[i:i + 2], rows[i + 1:i + 3], strict=True):
            moved = [k for k in (AMOUNT, SATURATION) if one[k] != two[k]]
            assert len(moved) == 1
            change = 7 * (two[AMOUNT] - one[AMOUNT]) + 2 * (two[SATURATION] - one[SATURATION])
            slope = {AMOUNT: 7, SATURATION: 2}[moved[0]]
            assert change / (two[moved[0]] - one[moved[0]]) == pytest.approx(slope)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_points_come_from_a_file(study, folder, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    if kind == "csv":
        Path("p.csv").write_text(f"{SHAPE},{AMOUNT}\nlinear,0.4\nconvex,0.2\nlinear,0.4\n")
    else:
        pq.write_table(pa.table({AMOUNT: [0.4, 0.2, 0.4], SHAPE: ["linear", "convex", "linear"]}),
                       "p.parquet")
    settings = study(f"levers={{{AMOUNT}:{{low:0,high:1}},{SHAPE}:[convex,linear]}}",
                     f"design={{kind:table,file:p.{kind}}}")
    assert [(r["scenario"], r[AMOUNT], r[SHAPE]) for r in rows_of(settings)] == [
        ("p0001", 0.4, "linear"), ("p0002", 0.2, "convex"), ("p0001", 0.4, "linear")]
    assert len(scenarios_of(settings)) == 3  # a point that stands there twice runs once
    assert any("p." + kind in f for f in manifest_of(settings, runs_of(settings))["data_files"])


# --- options and futures ---------------------------------------------------------------------

def test_every_option_meets_every_future(study):
    settings = study(DOSES, WATCHED, "futures={kind:latin_hypercube,points:4}")
    found = scenarios_of(settings)
    names = ["no_action", "amount=0.1", "amount=0.2", "amount=0.5"]
    assert [(s.name, s.future) for s in found] == [(n, f) for f in range(1, 5) for n in names]
    for future in range(1, 5):
        states = {s.set[SATURATION] for s in found if s.future == future}
        assert len(states) == 1
    assert not any(AMOUNT in s.set for s in found if s.name == "no_action")


def test_a_lever_acts_where_its_policy_is_in_force(study):
    settings = study(DOSES, ALONE)
    assert [(s.name, s.set) for s in scenarios_of(settings)] == [
        ("no_action", {}), ("a, amount=0.1", {AMOUNT: 0.1}), ("a, amount=0.2", {AMOUNT: 0.2}),
        ("a, amount=0.5", {AMOUNT: 0.5}), ("b", {})]
    column = {r["scenario"]: r[AMOUNT] for r in design_table(settings).to_pylist()}
    assert column["b"] is None and column["no_action"] is None and column["a, amount=0.5"] == 0.5
    with pytest.raises(InputError, match="acts in no scenario"):
        scenarios_of(study(DOSES, "scenarios={no_action:{},b:{policies:[beats]}}"))


def test_uncertainties_alone_spread_the_scenarios_of_the_study(study):
    settings = study(WATCHED, "design={kind:latin_hypercube,points:3}")
    assert {s.name for s in scenarios_of(settings)} == {"no_action", "lamps", "beats", "together"}
    assert len(scenarios_of(settings)) == 12
    alone = study("policy=[]", WATCHED, "design={kind:sobol,points:4}")
    assert [r["scenario"] for r in rows_of(alone)] == ["no_action"] * 12  # sensitivity of nothing


def test_levels_set_several_parameters(study):
    split = (f"levers={{split:{{levels:{{light:{{{AMOUNT}:0.2,{DECAY}:2}},"
             f"half:{{{AMOUNT}:0.1,{DECAY}:5}}}}}}}}")
    found = scenarios_of(study(split))
    assert [(s.name, s.set) for s in found[1:]] == [
        ("split=light", {AMOUNT: 0.2, DECAY: 2}), ("split=half", {AMOUNT: 0.1, DECAY: 5})]
    centre = factors_of(study(split))[0].configured
    assert centre == "light"  # which is what the files say
    table = design_table(study(split))
    assert table.column("split").to_pylist() == [None, "light", "half"]


def test_the_design_table_has_the_columns_of_the_contract(study):
    settings = study(DOSES, f"uncertainties={{{SHAPE}:[convex,linear],"
                     f"model.guardianship.enabled:[true,false]}}")
    table = design_table(settings)
    assert table.schema == pa.schema([
        ("scenario", pa.string()), ("future", pa.int32()), ("sample", pa.int32()),
        (AMOUNT, pa.float64()), (SHAPE, pa.string()),
        ("model.guardianship.enabled", pa.string())])
    assert set(table["model.guardianship.enabled"].to_pylist()) == {"true", "false"}
    plain = design_table(study())
    assert plain.column_names == ["scenario", "future", "sample"] and len(plain) == 4


def test_short_names_are_unlike_each_other(study):
    settings = study("levers={offences.robbery.weight:[1,2],offences.burglary.weight:[1,2]}")
    assert scenarios_of(settings)[1].name == "robbery.weight=1, burglary.weight=1"


def test_runs_of_a_sweep_have_keys_of_their_own_and_the_settings_of_their_scenario(study):
    settings = study(DOSES, WATCHED, "futures={kind:latin_hypercube,points:3}")
    runs = runs_of(settings)
    assert len({r.key for r in runs}) == len(runs) == 4 * 3 * 2
    assert len({(r.scenario.name, r.scenario.future, r.seed) for r in runs}) == len(runs)
    for run in runs:
        assert all(run.settings.get_path(p) == v for p, v in run.scenario.set.items())
    # What is uncertain about a policy cannot change its absence, and yet these are runs apart.
    about_policy = runs_of(study("policy=lamps", "seeds=2", "design={kind:grid}",
                                 f"uncertainties={{{AMOUNT}:[0.1,0.2,0.5]}}"))
    assert len({r.key for r in about_policy}) == len(about_policy) == 2 * 3 * 2
    labelled = study(DOSES, WATCHED.replace("high:3", "high:3,label:eyes"),
                     "futures={kind:latin_hypercube,points:3}")
    assert {r.key for r in runs_of(labelled)} == {r.key for r in runs}


def test_added_seeds_leave_keys_and_study_as_they_were(study):
    settings = study("replicates={until_half_width:5,of:crime.true.all,max:9}")
    runs, more = runs_of(settings), runs_of(settings, seeds=[1, 2, 3, 4])
    assert [r.key for r in more][:len(runs)] == [r.key for r in runs]
    assert study_key(more) == study_key(runs) and len(more) == 2 * len(runs)
    other = study("replicates={until_half_width:4,of:crime.true.all,max:9}")
    assert study_key(runs_of(other)) != study_key(runs) != study_key(runs_of(study()))


def test_what_is_checked_holds_every_end_word_and_policy(study):
    settings = study(DOSE_RANGE, f"uncertainties={{{SATURATION}:{{low:0.3,high:3}},"
                     f"{SHAPE}:[convex,linear]}}", "design={kind:latin_hypercube,points:60}")
    runs = runs_of(settings)
    checked = samples_to_check(runs)
    assert len(checked) < 20
    for path in (SATURATION, SHAPE):
        every = {r.settings.get_path(path) for r in runs}
        some = {s.get_path(path) for s in checked}
        assert {min(every), max(every)} <= some


def test_two_thousand_scenarios_are_laid_out_at_once(study):
    settings = study(DOSE_RANGE, WATCHED, "design={kind:latin_hypercube,points:1000}", "seeds=8")
    runs_of(settings)  # imports
    begin = time.process_time()
    assert len(runs_of(settings)) == 16_000
    assert time.process_time() - begin < 2


def test_the_manifest_tells_factors_and_designs(study):
    settings = study(DOSE_RANGE, f"uncertainties={{{SATURATION}:{{low:0.3,high:3,"
                     "distribution:log_uniform,unit:eyes}}", "design={kind:morris,points:2}")
    manifest = manifest_of(settings, runs_of(settings))
    lever, uncertainty = manifest["factors"]
    assert (lever["name"], lever["role"], lever["unit"], lever["label"]) == (
        AMOUNT, "lever", "share", "amount")
    assert (uncertainty["role"], uncertainty["low"], uncertainty["high"],
            uncertainty["distribution"], uncertainty["unit"], uncertainty["values"]) == (
        "uncertainty", 0.3, 3, "log_uniform", "eyes", None)
    assert manifest["design"] == {"kind": "morris", "points": 2, "seed": 1, "levels": 4}
    assert manifest["futures"] is None and manifest["replicates"] is None
    names = [s["name"] for s in manifest["scenarios"]]
    assert names[0] == "no_action" and len(set(names)) == len(names)


# --- the page on designs ---------------------------------------------------------------------

PAGE = (ROOT / "docs" / "designs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    place = tmp_path_factory.mktemp("shipped") / "configs"
    shutil.copytree(ROOT / "configs", place)
    (place / "experiment" / "points.csv").write_text(
        re.findall(r"```csv\n(.*?)```", PAGE, re.S)[0])
    return place


def test_the_page_shows_every_kind():
    kinds = {re.search(r"kind: (\w+)", text)[1] for text in EXAMPLES if "kind:" in text}
    assert kinds >= {"grid", "one_at_a_time", "latin_hypercube", "sobol", "table"}


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: re.search(r"name: (\w+)", text)[1])
def test_examples_of_the_page_make_the_scenarios_they_say(shipped, text):
    (shipped / "experiment" / "mine.yaml").write_text(text, encoding="utf-8")
    settings = compose_study(["experiment=mine"], shipped, shipped)
    assert len(scenarios_of(settings)) == int(re.search(r"# scenarios: (\d+)", text)[1])

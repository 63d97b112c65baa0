"""The report of a sweep, the command that makes it again, and how figures look."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.testing.compare import compare_images
from PIL import Image

from citysim.analysis.contrasts import contrast
from citysim.analysis.discovery import no_gain
from citysim.analysis.sweep import analyse
from citysim.cli.main import main
from citysim.config.compose import compose_study
from citysim.report.figures.boxes import boxes_plot
from citysim.report.figures.forest import forest_plot
from citysim.report.figures.maps import change_maps
from citysim.report.page import write_report
from citysim.report.saving import made_for, save
from citysim.results import open as open_study
from citysim.study.store import Store
from made_contrasts import by_seed
from made_results import made_world, write_study, write_sweep
from study_stub import PROGRAM, World, write_configs
from test_report import Page

BASELINES = Path(__file__).parent / "baselines"
ALIKE = 6.0  # root mean square of 0 to 255 by which a figure may differ: fonts, not content
CRIME, SAFE, COST = "crime.hazard.all", "safety.safe_after_dark", "cost.total"
FACTORS = {"policies.lamps.dose": "lever",
           "model.fear.decay": {"role": "uncertainty", "unit": "days"},
           "mood": {"role": "uncertainty", "values": ["calm", "tense"]}}


def design(doses, futures=24):
    """Doses in futures, crossed."""
    rng = np.random.default_rng(0)
    rows = []
    for future in range(1, futures + 1):
        state = (rng.uniform(10, 60), rng.choice(["calm", "tense"]))
        rows.append(("no_action", future, -1, np.nan, *state))
        rows += [(f"dose={d}", future, future - 1, float(d), *state) for d in doses]
    return pd.DataFrame(rows, columns=["scenario", "future", "sample", *FACTORS])


def model(row, seed):
    """More light helps, but not where fear lasts."""
    dose = 0.0 if row["scenario"] == "no_action" else row["policies.lamps.dose"]
    own = np.random.default_rng([int(row["future"]), seed, int(10 * dose)])
    effect = dose * (30 if row["model.fear.decay"] > 40 else -40)
    return {CRIME: 3000 + 200 * (row["mood"] == "tense") + own.normal(0, 4) + effect,
            SAFE: 0.5 + 0.02 * dose + own.normal(0, 0.002), COST: 1e5 * dose}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_sweep(tmp_path_factory.mktemp("sweep"), design([1, 2]), FACTORS, model,
                         seeds=(1, 2), manifest={"design": {"kind": "grid"},
                                               "futures": {"kind": "latin_hypercube"}})
    write_report(folder)
    return folder


def test_report_of_a_sweep_has_its_parts_without_being_asked(folder):
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    for part in ("Does it hold in other futures", "What drives the results", "24 futures",
                 "Student\u2019s t over seeds and futures", "Options that no other beats",
                 "What stands when the number of comparisons", "the spread between the futures"):
        assert part in page.words, part
    assert "When it fails" not in page.words  # the slow part is left to citysim analyse
    names = {p.stem for p in (folder / "analysis").glob("*.csv")}
    assert names == {"contrasts", "sensitivity", "robustness", "pareto"}
    figures = {p.stem for p in (folder / "figures").glob("*.png")}
    assert {"influence_level", "influence_effect", "futures", "frontier"} <= figures


def test_analyse_searches_for_failures_and_forgets_them_when_asked_less(folder, tmp_path, capsys):
    copy = shutil.copytree(folder, tmp_path / "study")
    assert main(["analyse", str(copy), "--fails", f"{CRIME}>=0"]) == 0
    out = capsys.readouterr().out
    assert "fear decay is above" in out and str(copy / "report.html") in out
    page = Page((copy / "report.html").read_text(encoding="utf-8"))
    assert "When it fails" in page.words and "fear decay is above" in page.words
    table = pd.read_csv(copy / "analysis" / "discovery.csv")
    assert table.loc[table["factor"] == "model.fear.decay", "low"].to_numpy() == \
        pytest.approx(40, abs=5)
    assert (copy / "figures" / "fails_1.png").exists()
    robust = pd.read_csv(copy / "analysis" / "robustness.csv")
    assert robust["good"].str.contains("not \\(change of").any()
    write_report(copy)
    assert not (copy / "analysis" / "discovery.csv").exists()


@pytest.mark.parametrize("told", [True, False])
def test_analyse_builds_the_city_of_the_folder_that_the_study_was_run_with(
        folder, tmp_path, monkeypatch, capsys, told):
    copy = shutil.copytree(folder, tmp_path / "study")
    shipped, own = write_configs(tmp_path / "shipped"), write_configs(tmp_path / "own")
    (own / "city" / "village.yaml").rename(own / "city" / "port.yaml")
    for place in ("compose", "lookup"):
        monkeypatch.setattr(f"citysim.config.{place}.shipped_config_dir", lambda: shipped)
    settings = compose_study(["city=port"], own, own)
    store = Store(copy)
    store.write_manifest({**store.manifest, "overrides": ["city=port"],
                          "config": settings.to_dict(), "config_dir": str(own) if told else None})
    worlds = []
    monkeypatch.setattr("citysim.report.page.write_report",
                        lambda study, world, *_: worlds.append(world) or copy / "report.html")
    monkeypatch.chdir(tmp_path)
    assert main(["analyse", str(copy)], PROGRAM) == 0
    assert isinstance(worlds[0], World) == told
    assert ("no maps" in capsys.readouterr().err) != told
    if not told:  # as of studies from before it was written down: then it must be said
        assert main(["analyse", str(copy), "--config-path", str(own)], PROGRAM) == 0
        assert isinstance(worlds[1], World)


@pytest.mark.parametrize(("words", "said"), [
    ([], "which study?"), (["{}", "crime.hazrd.all"], "did you mean 'crime.hazard.all'"),
    (["{}", "--fails", "crime?"], "cannot read 'crime?'"),
    (["{}", "--fails", "crime.hazrd.all>0"], "did you mean 'crime.hazard.all'"),
    (["{}", "--fail", "a>0"], "unknown option"), (["{}/nowhere"], "no results of a study"),
])
def test_bad_words_to_analyse_write_nothing(folder, capsys, words, said):
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert main(["analyse", *(w.format(folder) for w in words)]) == 2
    assert said in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_hundreds_of_options_stay_readable(tmp_path):
    many = [round(i / 100, 2) for i in range(1, 121)]
    write_sweep(tmp_path, design(many, futures=2), FACTORS, model, seeds=(1,),
                manifest={"design": {"kind": "grid"}, "futures": {"kind": "table"}})
    path = write_report(tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert "Of 120 options, the 7 with" in page.words and "121: no_action" in page.words
    assert len(pd.read_csv(tmp_path / "analysis" / "pareto.csv")) == 121
    assert len(pd.read_csv(tmp_path / "costs.csv")["scenario"].unique()) == 120
    assert path.stat().st_size < 3e6
    for png in (tmp_path / "figures").glob("*.png"):
        with Image.open(png) as image:
            assert max(image.size) < 2600, png


def test_boxes_are_drawn_where_an_option_fails(folder):
    found = analyse(open_study(folder), rules=[no_gain(CRIME)])
    rows = found.discovery[found.discovery["factor"].notna()]
    figure = boxes_plot(rows, {"model.fear.decay": "Fear decay [days]"})
    axis = figure.axes[0]
    orange = axis.patches[1]
    row = rows[rows["option"] == "dose=2"].iloc[0]
    assert orange.get_x() == pytest.approx(
        (row["low"] - row["full_low"]) / (row["full_high"] - row["full_low"]))
    assert "Fear decay" in axis.get_yticklabels()[0].get_text()


# --- figures and where they come from ------------------------------------------------------

def test_figures_tell_their_study(folder):
    manifest = open_study(folder).manifest
    png = folder / "figures" / "futures.png"
    with Image.open(png) as image:
        assert image.info["Study"] == "5eed" and image.info["Command"] == "citysim run"
    assert "5eed" in png.with_suffix(".svg").read_text(encoding="utf-8")
    assert made_for(png, manifest) and not made_for(png, {**manifest, "study_key": "other"})


def test_maps_stay_when_the_report_is_made_again_without_the_city(tmp_path):
    world = made_world(60)
    write_study(tmp_path, ("no_action", "together"), range(2), places=60, days=7,
                manifest={"study_key": "one"})
    write_report(tmp_path, world)
    before = (tmp_path / "figures" / "map_levels.png").read_bytes()
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "Where is it now?" in page.words
    assert (tmp_path / "figures" / "map_levels.png").read_bytes() == before


def looks_like(figure, name, tmp_path):
    """Compare with the picture in baselines/; to renew one, delete it and run the test twice."""
    path, baseline = tmp_path / f"{name}.png", BASELINES / f"{name}.png"
    save(figure, path, False, {})
    if not baseline.exists():
        BASELINES.mkdir(exist_ok=True)
        shutil.copy(path, baseline)
        pytest.fail(f"{baseline} was missing and is written: look at it, then run again")
    assert baseline.stat().st_size < 60_000
    assert compare_images(str(baseline), str(path), ALIKE) is None


def forest():
    """A forest plot of three options, one of each kind."""
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 1, 8)
    rows = [(s, seed, o, "all", unit, level * (1 + effect) + size * (luck[seed] + noise))
            for o, unit, level, size in ((CRIME, "crimes", 3000, 60), (SAFE, "share", 0.5, 0.01))
            for s, effect in (("no_action", 0), ("patrol", -0.04), ("lamps", 0.03), ("talk", 0))
            for seed, noise in enumerate(rng.normal(0, 0.4, 8))]
    summary = contrast(pd.DataFrame(rows, columns=["scenario", "seed", "outcome", "group", "unit",
                                                   "value"]),
                       ["no_action", "patrol", "lamps", "talk"])
    return forest_plot(summary, [CRIME, SAFE], ["patrol", "lamps", "talk"])


def change_map():
    """A map on which one corner gets better and one worse."""
    world = made_world(160)
    rng = np.random.default_rng(2)
    samples = rng.normal(0, 0.5, (160, 6)) + rng.normal(0, 0.1, (160, 1))
    district = np.asarray(world.city.places.district)
    samples[district == 0] -= 3
    samples[district == 3] += 2
    return change_maps({"patrol": by_seed(samples)}, "change in crimes", world.city, "lower")


@pytest.mark.parametrize("make", [forest, change_map])
def test_key_figures_look_as_they_did(tmp_path, make):
    looks_like(make(), make.__name__, tmp_path)


def test_a_changed_figure_is_noticed(tmp_path):
    """The tolerance is not so wide that another figure would pass."""
    path = tmp_path / "other.png"
    figure = forest()
    for line in figure.axes[0].lines:
        line.set_color("#D55E00")
    save(figure, path, False, {})
    assert compare_images(str(BASELINES / "forest.png"), str(path), ALIKE) is not None

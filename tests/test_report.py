"""The report: self-contained, honest when nothing can be shown, and whole in odd cases."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from citysim.analysis.contrasts import summarise, who_gains
from citysim.analysis.costs import cost_per_unit
from citysim.report.answer import answer
from citysim.report.figures.forest import forest_plot
from citysim.report.figures.maps import change_maps, level_maps, place_values
from citysim.report.figures.style import GOOD, SCENARIO_COLOURS, UNSURE, colours
from citysim.report.gallery import Material, _daily_units
from citysim.report.page import write_report
from citysim.results import open as open_study
from made_contrasts import by_seed, compare
from made_results import SCENARIOS, made_world, write_study

PLACES, DAYS = 300, 21
_VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a test asks about a page, and checks that its tags close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags, self.text = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("src", "href", "srcset", "action")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        """Visible text with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture(scope="module")
def world():
    return made_world(PLACES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, world):
    folder = write_study(tmp_path_factory.mktemp("study"), seeds=range(5), places=PLACES,
                         days=DAYS, fail={("youth_programme", 3)})
    write_report(folder, world)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def only_noise(frame, scenario, seed):
    """Outcomes that differ between scenarios by luck alone, evenly to both sides."""
    sign = (-1) ** (seed + SCENARIOS.index(scenario))
    level = frame.groupby(["outcome", "group"])["value"].transform("size") * 50.0
    return frame.assign(value=level + sign * 2 * (scenario != "no_action")
                        * (frame["outcome"] != "cost.total"))


# --- the page ------------------------------------------------------------------------------

def test_page_needs_nothing_from_outside(folder, page):
    assert page.links and all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", text)
    assert len(text) < 6e6


def test_page_has_every_part_for_its_reader(page):
    for part in ("compared with no action?", "Crime that happens", "Who gains, who loses",
                 "What it costs", "What this cannot tell", "Not calibrated",
                 "Where these numbers come from", "citysim run seeds=8", "abc123",
                 "1 of the 2 numbers", "model.guardianship.saturation", "Fieller"):
        assert part in page.words


def test_failed_run_is_named_before_the_answer_and_escaped(page):
    words = page.words
    assert "1 of 25 runs have no result" in words
    assert words.index("Youth programme, seed 3") < words.index("Community policing lowers it")
    assert "ValueError: <b>no homes</b>" in words and "b" not in page.tags


def test_main_table_says_more_than_its_colours(folder, page):
    summary = summarise(folder)
    row = summary.query("scenario == 'community_policing' and outcome == 'crime.hazard.all'")
    shown = f"\u2212{abs(row['relative'].iloc[0]) * 100:.1f} %"
    assert f"\u25bc {shown} better" in page.words
    assert "no difference shown" in page.words


def test_true_reported_and_recorded_stand_side_by_side_with_what_was_expected(folder, page):
    summary = summarise(folder).query("scenario == 'no_action' and group == 'all'")
    means = summary.set_index("outcome")["mean"]
    for total in ("all", "all_but_vandalism"):
        true, reported, recorded, told, known = (
            f"{means[f'crime.{kind}.{total}']:,.0f}" for kind in
            ("true", "reported", "recorded", "expected_reported", "expected_recorded"))
        # The made study has expected crime for the total only; what is missing is left out.
        hazard = f" expected {means['crime.hazard.all']:,.0f}" if total == "all" else ""
        assert (f"{true}{hazard} {reported} expected {told} {recorded} expected {known}"
                in page.words)


def test_figures_are_written_and_readable(folder):
    names = {p.stem for p in (folder / "figures").glob("*.png")}
    assert names == {"effects", "gains", "gains_districts", "cost_effect", "time_series",
                     "map_levels", "map_change_crime", "map_change_safety", "profile"}
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert 140 < image.info["dpi"][0] < 210 and min(image.size) > 300
            assert len(image.convert("L").getcolors()) > 20  # something is drawn
    assert (folder / "figures" / "effects.svg").exists()
    assert not list(folder.glob("*.part"))


# --- the answer ----------------------------------------------------------------------------

def said(folder):
    summary = summarise(folder)
    return answer(summary, who_gains(summary), cost_per_unit(open_study(folder), 1000))


def test_answer_ranks_what_the_numbers_show(folder):
    found = {topic: text for topic, _, text in (s.partition(": ") for s in said(folder))}
    assert found["Crime"].startswith("Community policing lowers it most")
    assert "Night activation raises it" in found["Crime"]
    assert found["Feeling safe after dark"].startswith("Night activation raises it most")
    assert "For youth programme no difference can be shown" in found["Feeling safe after dark"]
    assert "older people feel safe" in found["Drawbacks"]
    assert "community policing avoids a crime" in found["Money"]
    assert "community policing the police record more crime" in found["Beware of the statistics"]


def test_answer_claims_nothing_from_noise(tmp_path):
    write_study(tmp_path, seeds=range(6), places=3, days=7, change=only_noise)
    text = " ".join(said(tmp_path))
    assert text.count("for none of the measures can a difference be shown") == 2
    assert not re.search(r"raises|lowers|avoids a crime|gets worse|fewer", text)


# --- odd studies ---------------------------------------------------------------------------

@pytest.mark.parametrize(("study", "expected"), [
    ({"scenarios": ("no_action", "together"), "seeds": range(1)}, "Nothing can be said"),
    ({"scenarios": ("no_action",), "seeds": range(2)}, "has only one scenario"),
    ({"scenarios": ("no_action", "together"), "seeds": range(1),
      "fail": {("no_action", 0), ("together", 0)}}, "No run ended well"),
    ({"scenarios": ("no_action", "together"), "seeds": range(2),
      "fail": {("no_action", 0), ("no_action", 1)}}, "Too few runs"),
    ({"scenarios": ("no_action", "youth_programme", "together"), "seeds": range(2),
      "skip": {("together", 0), ("together", 1)}}, "2 more were planned"),
])
def test_page_of_an_odd_study_is_whole(tmp_path, world, study, expected):
    write_study(tmp_path, places=PLACES, days=5, **study,
                change=lambda frame, *_: frame[frame["group"] == "all"])
    page = Page(write_report(tmp_path, world).read_text(encoding="utf-8"))
    assert expected in page.words


def test_page_without_a_world_has_no_maps_and_can_be_made_again(tmp_path):
    write_study(tmp_path, ("no_action", "together"), range(2), places=3, days=7)
    first = write_report(tmp_path).read_bytes()
    page = Page(first.decode())
    assert not list((tmp_path / "figures").glob("map_*"))
    assert "percentage points of residents who feel safe" in page.words
    assert write_report(tmp_path).read_bytes() == first  # made again, it is the same


# --- figures -------------------------------------------------------------------------------

def test_change_map_colours_only_what_luck_does_not_explain(world):
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1, (PLACES, 8))
    samples[:40] -= 50  # surely fewer
    samples[40:] -= samples[40:].mean(axis=1, keepdims=True)  # surely nothing
    figure = change_maps({"together": by_seed(samples)}, "crime", world.city, "lower")
    lines = [c for c in figure.axes[0].collections if c.get_array() is not None]
    assert [len(c.get_segments()) for c in lines] == [40]
    colour = lines[0].cmap(lines[0].norm(lines[0].get_array()))
    assert (colour[:, 2] > colour[:, 0]).all()  # fewer crimes are better: blue


def test_level_map_gives_the_place_with_most_the_widest_line(world):
    values = np.zeros(PLACES)
    values[17] = 9.0
    values[:10] = 1.0
    figure = level_maps([{"title": "t", "label": "crimes", "values": values, "amounts": True}],
                        world.city)
    lines = next(c for c in figure.axes[0].collections if c.get_array() is not None)
    widest = int(np.argmax(np.asarray(lines.get_linewidths()) + 1e-3 * lines.get_array()))
    np.testing.assert_allclose(lines.get_segments()[widest], world.city.lines[17])
    names = {t.get_text() for t in figure.axes[0].texts}
    assert set(world.city.districts) <= names and any(" m" in n for n in names)


def test_places_without_rows_count_as_zero(folder):
    places = open_study(folder).places()
    short = places[places["place"] != 5]
    values = place_values(short, "crime.hazard.all", "no_action", PLACES)
    assert values.shape == (PLACES, 5) and (values.loc[5] == 0).all()
    kept = short.query("outcome == 'crime.hazard.all' and scenario == 'no_action'")["value"].sum()
    assert values.to_numpy().sum() == pytest.approx(kept)


def test_forest_plot_reads_from_top_to_bottom(folder):
    summary = summarise(folder)
    figure = forest_plot(summary, ["crime.hazard.all", "trust.police"], list(SCENARIOS[1:]))
    axis = figure.axes[0]
    labels = [t.get_text() for t in axis.get_yticklabels()]
    assert labels[0] == "Night activation" and axis.get_ylim()[0] > axis.get_ylim()[1]
    assert "\u2190 better" in axis.get_xlabel()
    assert "better \u2192" in figure.axes[1].get_xlabel()


@pytest.mark.parametrize(("other", "colour"), [([45, 144.9], GOOD), ([9, 30], UNSURE)])
def test_forest_plot_is_coloured_by_the_verdict(other, colour):
    """The share of the first holds zero, its difference does not; of the second neither is sure."""
    summary = compare([50, 150], other, outcome="crime.hazard.all")
    axis = forest_plot(summary, ["crime.hazard.all"], ["b"]).axes[0]
    dot = next(line for line in axis.lines if line.get_marker() == "o")
    assert dot.get_color() == colour
    assert (dot.get_markerfacecolor() == "white") == (colour == UNSURE)


def test_map_of_one_district_and_no_river(world):
    city = SimpleNamespace(**{**vars(world.city), "districts": ("town",), "water": ()})
    figure = level_maps([{"title": "t", "label": "l", "values": np.ones(PLACES),
                          "amounts": False}], city)
    assert "town" not in {t.get_text() for t in figure.axes[0].texts}


@pytest.mark.parametrize(("factor", "unit"), [(1, "persons"), (1 / 365, "value per day")])
def test_daily_axis_claims_a_unit_only_where_sizes_agree(folder, factor, unit):
    study = open_study(folder)
    summary = summarise(study)
    daily = study.table("daily")
    material = Material(study, summary, who_gains(summary), cost_per_unit(study))
    assert _daily_units(material, daily.assign(value=daily["value"] * factor))["night.users"] \
        == unit


def test_scenarios_keep_distinct_colours():
    names = [f"s{i}" for i in range(len(SCENARIO_COLOURS) + 1)]
    assert len(set(colours(names).values())) == len(names)


def test_a_change_that_rounds_to_nothing_is_called_so():
    row = {"scenario": "lamps", "baseline": "no_action", "group": "all", "better": "higher",
           "outcome": "safety.safe_after_dark", "unit": "share", "mean": 0.5, "diff": 2e-4,
           "diff_lo90": 1e-4, "diff_hi90": 3e-4, "relative": 4e-4, "relative_lo90": 2e-4,
           "relative_hi90": 6e-4}
    cost = {**row, "outcome": "cost.total", "unit": "EUR", "better": "lower", "diff": 9.0,
            "diff_lo90": 8.0, "diff_hi90": 10.0, "relative": float("nan")}
    gains = pd.DataFrame(columns=["verdict", "outcome", "kind", "scenario", "group"])
    costs = pd.DataFrame(columns=["unit", "status"])
    text = " ".join(answer(pd.DataFrame([row, cost]), gains, costs))
    assert "hardly any change" in text
    assert "raises" not in text and "Drawbacks" not in text

"""The summary of a whole study, the terminal's table and the words for numbers."""

import io
import math

import pytest
from rich.console import Console
from scipy import stats

from citysim.analysis.contrasts import summarise, verdict
from citysim.analysis.measures import HEADLINE
from citysim.analysis.multiplicity import holm
from citysim.analysis.terminal import main_table
from citysim.analysis.wording import (
    MINUS,
    amount,
    arrow,
    change,
    euro,
    hardly,
    level,
    number,
    plain_verdict,
)
from citysim.config.errors import InputError
from citysim.results import open as open_study
from citysim.results import order_scenarios
from citysim.study.store import Store
from made_contrasts import compare, one
from made_results import SCENARIOS, write_run, write_study

# --- the whole study -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), places=3, days=14,
                       fail={("youth_programme", 3)}, skip={("together", 5)})


def test_summary_of_a_study(folder):
    summary = summarise(folder)
    assert list(dict.fromkeys(summary["scenario"])) == list(SCENARIOS)
    assert not summary.duplicated(["scenario", "outcome", "group"]).any()
    rows = summary[(summary["outcome"] == "crime.hazard.all")].set_index("scenario")
    assert rows["n"].to_dict() == {**dict.fromkeys(SCENARIOS, 8), "youth_programme": 7,
                                   "together": 7}
    # The effects that the maker put in lie within four standard errors of what is found.
    for name, effect in (("community_policing", -0.055), ("night_activation", 0.012)):
        row = rows.loc[name]
        error = (row["relative_hi90"] - row["relative_lo90"]) / 2 / stats.t.ppf(0.95, 7)
        assert abs(row["relative"] - effect) < 4 * error
        assert verdict(row) == ("better" if effect < 0 else "worse")


def test_family_is_the_headline_for_everyone(folder):
    summary = summarise(folder)
    family = summary[summary["p_holm"].notna()]
    assert set(family["group"]) == {"all"} and set(family["outcome"]) <= set(HEADLINE)
    assert "no_action" not in set(family["scenario"])
    assert len(family) == 4 * 5
    assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p_value"].to_numpy()))
    tested = summary[summary["p_value"].notna()]
    assert (tested["q_value"] >= tested["p_value"]).all() and len(tested) > len(family)


def test_what_is_spent_by_plan_is_not_tested(folder):
    cost = summarise(folder).query("outcome == 'cost.total' and scenario != 'no_action'")
    assert len(cost) and cost[["p_value", "p_holm", "q_value"]].isna().all(axis=None)


def test_failed_and_missing_runs_are_told(folder):
    study = open_study(folder)
    assert study.failed[["scenario", "seed"]].values.tolist() == [["youth_programme", 3]]
    assert study.missing == 1
    assert len(study.table("outcomes", ["cost.total"])) == len(study.done) == 38


def test_runs_of_another_design_stay_out(tmp_path):
    write_study(tmp_path, ("no_action", "together"), range(2), places=3, days=7)
    write_study(tmp_path, ("no_action", "youth_programme"), range(2), places=3, days=7)
    assert open_study(tmp_path).scenarios == ["no_action", "youth_programme"]
    assert set(open_study(tmp_path).table("daily")["scenario"]) == {"no_action",
                                                                    "youth_programme"}


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="no results"):
        summarise(tmp_path)


def test_two_runs_of_one_seed_are_refused(tmp_path):
    write_study(tmp_path, ("no_action",), range(2), places=3, days=7)
    write_run(Store(tmp_path), "other", "no_action", 0, 1, {})
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(InputError, match="two finished runs"):
        open_study(tmp_path)


def test_baseline_leads():
    assert order_scenarios(["b", "no_action", "a"]) == ["no_action", "a", "b"]
    assert order_scenarios(["b", "a"], {"scenarios": ["b", "a", "gone"]}) == ["b", "a"]
    assert order_scenarios(["x", "a"], {"scenarios": [{"name": "x"}]}) == ["x", "a"]


def test_terminal_table_says_it_without_colour(folder):
    console = Console(width=150, color_system=None, record=True, file=io.StringIO())
    console.print(main_table(summarise(folder)))
    text = console.export_text()
    for part in ("Community policing", "Feel safe after dark", "pts", "\u25bc", "\u25b2",
                 "no difference"):
        assert part in text


# --- words ---------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (1234.5, "1,234"), (-0.01234, "\u22120.0123"), (12.34, "12.3"),
    (math.nan, "\u2013"), (math.inf, "\u2013"), (1e6, "1,000,000")])
def test_numbers_are_readable(value, text):
    assert number(value) == text


def test_money_and_shares():
    assert euro(395_432) == "\u20ac 395,000" and euro(-3.456) == "\u2212\u20ac 3.46"
    assert level(0.5432, "share") == "54.3 %" and level(1200, "EUR") == "\u20ac 1,200"


def test_change_is_told_in_the_unit_that_reads_best():
    share = one(compare([.50, .52, .54], [.53, .54, .57], outcome="safety.safe_after_dark",
                        unit="share"))
    assert change(share)[0] == "+2.7 pts"
    rate = one(compare([100, 110, 120], [90, 101, 109]))
    assert change(rate)[0] == "\u22129.1 %"
    assert amount(rate).startswith("9.1 % less (") and amount(share).startswith("2.7 points more")
    nothing = one(compare([0, 0, 0], [4, 5, 6]))
    assert change(nothing)[0] == "+5.00 crimes"
    assert amount(nothing).startswith("5.00 crimes more (3.31")
    assert change(one(compare([0, 0, 0], [5, 5, 5], unit="EUR"))) == ("+\u20ac 5.00", "")


@pytest.mark.parametrize(("base", "other", "word", "sign", "told", "in_words"), [
    # The difference is sure and the share is not: five or so, of levels that are far apart.
    ([50, 150], [45, 144.9], "better", "\u25bc", ("-5.05 crimes", "-5.37 to -4.73"),
     "5.05 crimes less (4.73 to 5.37)"),
    # The share is sure and the difference is not: a tenth or so, little here and much there.
    ([10, 190], [9, 170.4], "no difference shown", "=",
     ("-10.3 crimes", "-69.0 to +48.4"), None),
    ([100, 110], [90, 99.1], "better", "\u25bc", ("-10.0 %", "-10.2 to -9.7 %"),
     "10.0 % less (9.7 to 10.2 %)"),
])
def test_figures_do_not_contradict_the_verdict(base, other, word, sign, told, in_words):
    row = one(compare(base, other))
    assert (plain_verdict(row), arrow(row)) == (word, sign)
    assert change(row) == tuple(part.replace("-", MINUS) for part in told)
    if in_words:  # only what is shown is told in words
        assert amount(row) == in_words and not hardly(row)

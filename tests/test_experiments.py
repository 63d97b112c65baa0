"""The questions of experiments/: every design runs in miniature, every script finds the answer."""

import importlib.util
import re
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from citysim.analysis.displacement import (
    at_treated,
    displacement,
    displacement_quotient,
    zones,
)
from citysim.analysis.main_effects import main_effects
from citysim.analysis.measures import HEADLINE
from citysim.analysis.points import read_points
from citysim.city.city import build_city
from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.model.simulate import simulate as run_one
from citysim.model.world import build_world
from citysim.results import open as open_study
from citysim.study.program import Program
from citysim.study.run import check_study, run_study
from made_results import made_sweep

ROOT = Path(__file__).parents[1]
DESIGNS = sorted(path.stem for path in (ROOT / "configs/experiment").glob("*.yaml"))
QUESTIONS = ("patrols_or_prevention", "displacement", "women_at_night", "closing_time",
             "after_the_money")
MEASURED = {*HEADLINE, "cost.total"} - {"victimisation.poorest_richest"}  # too few victims in a day
MADE = Program(build_world="test_experiments:World", load_world="test_experiments:World.load",
               simulate="test_experiments:simulate", summarise="study_stub:summarise",
               write_report="study_stub:write_report")
FEWER = {  # levers that keep their ends only, so that the made-up studies stay small
    "women_at_night": ("policies.street_lighting.dose",
                       "policies.night_transport.measures.0.change.at_most",
                       "policies.staffed_services.measures.0.target.count"),
    "closing_time": ("policies.cultural_mix.dose",
                     "policies.street_hosts.measures.0.target.count")}


# --- the designs ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def town():
    return build_world(compose_study(["city=town"]))


@pytest.mark.parametrize("name", DESIGNS)
def test_each_design_is_accepted_and_runs_in_miniature(name, town):
    words = [f"experiment={name}"] + ["policy=[street_lighting]"] * (name == "single")
    runs = check_study(compose_study(words))
    assert len({run.key for run in runs}) == len(runs) > 1
    of_seed = [run for run in runs if run.seed == runs[0].seed]
    tables = []
    for run in (of_seed[0], of_seed[len(of_seed) // 2], of_seed[-1]):
        settings = run.settings.replace({"days": 1, "warmup_days": 0, "scale": 1.0})
        tables.append(run_one(settings, run.scenario, run.seed, town))
        outcomes = tables[-1]["outcomes"].to_pandas().set_index(["outcome", "group"])["value"]
        assert set(outcomes.index.get_level_values(0)) >= MEASURED
        assert np.isfinite(outcomes["crime.hazard.all", "all"])
        doses = {name for name, _ in outcomes.index if name.startswith("policy.dose.")}
        assert doses == {f"policy.dose.{policy}" for policy in run.scenario.policies}
    assert of_seed[0].scenario.name == "no_action"
    assert not tables[0]["outcomes"].equals(tables[-1]["outcomes"])


def test_questions_are_folders_with_all_they_need():
    table = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    for name in QUESTIONS:
        folder = ROOT / "experiments" / name
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert f"({name}/README.md)" in table
        assert f"citysim run experiment={name}" in text
        assert f"{name}.png" in text and (folder / f"{name}.png").stat().st_size < 150_000
        answer = pd.read_csv(folder / "answer.csv")
        assert len(answer) and answer.notna().any().all()
        assert re.search(r"90 % interval", text)
    assert all(re.search(rf"^\| {number} \|", table, re.M) for number in range(1, 11))


# --- the scripts, on studies whose answer is known -----------------------------------------

class World:
    """The made-up model needs none."""

    def __init__(self, settings=None):
        pass

    def save(self, path):
        Path(path).touch()

    @classmethod
    def load(cls, path):
        return cls()


PLACES = 20  # of a made-up run, where displacement does not need the town's
TREATED = np.array([3, 4])


def simulate(settings, scenario, seed, world):
    """Tables of a run in which each lever moves everything by a known share; luck is the seed's."""
    rise = sum(share_of(path, value) for path, value in scenario.set.items()
               if path.startswith("policies."))  # the rest is what the seed drew
    luck = 1 + 0.1 * np.sin(seed)
    names = [("crime.hazard.all", "all"), ("crime.hazard.assault", "hours:night"),
             ("crime.hazard.theft_person", "hours:night"), ("crime.hazard.harassment", "all"),
             ("crime.hazard.harassment", "hours:night"), ("night.users", "all"),
             ("night.users", "women"), ("night.women_men_ratio", "all"),
             ("harassment.prevalence", "all"), ("reporting.rate.harassment", "all")]
    rows = [(o, g, "1", 100 * luck * (1 + rise)) for o, g in names]
    rows += [("safety.safe_after_dark", g, "share", 0.5 * luck + rise) for g in ("all", "women")]
    rows += [("cost.capital", "all", "EUR", 0.0), ("cost.running", "all", "EUR", 1000 * rise)]
    outcomes = pd.DataFrame(rows, columns=["outcome", "group", "unit", "value"])
    tables = {"outcomes": pa.Table.from_pandas(outcomes, preserve_index=False)}
    if settings.days > 7:
        days = np.arange(settings.days, dtype=np.int32)
        names = ("crime.hazard.all", "safety.safe_after_dark", "trust.police")
        tables["daily"] = pa.table({
            "day": np.tile(days, len(names)), "outcome": np.repeat(names, len(days)).tolist(),
            "group": ["all"] * len(names) * len(days),
            "value": np.tile(luck * (1 + rise * (days >= 365)), len(names))})
    if settings.name in ("displacement", "after_the_money_small"):
        tables["places"] = by_place(settings, scenario, luck, rise)
    return tables


def share_of(path, value):
    """What a lever adds: a tenth for each unit of it, by a rule that no script knows."""
    value = value if "closing" not in path else value - 24
    return 0.1 * float(value) if not path.endswith("within") else 0.0


def by_place(settings, scenario, luck, rise):
    """Treated places lose half, the rest stays; where areas are treated, a ring gains a tenth."""
    treated, ring = TREATED, np.zeros(0, int)
    base, n = np.full(PLACES, 2.0), PLACES
    if settings.name == "displacement":
        n, treated, ring = around_the_first()
        base = np.full(n, 2.0)
    acts = bool(scenario.policies)
    hazard = base * luck
    hazard[treated] *= 1 - 0.5 * acts
    hazard[ring] *= 1 + 0.1 * acts
    columns = {"policy.treated": np.isin(np.arange(n), treated) * float(acts)}
    columns |= {o: hazard for o in ("crime.hazard.all", "crime.hazard.property",
                                    "crime.hazard.violence", "night.presence")}
    columns |= {o: np.full(n, 0.3 * luck + rise) for o in ("place.upkeep", "safety.unease")}
    months = [date(2024 + m // 12, 1 + m % 12, 1) for m in range(12 * max(1, settings.days // 365))]
    each = len(columns) * n
    return pa.table({
        "month": pa.array(np.repeat(np.array(months, "datetime64[D]"), each), pa.date32()),
        "place": pa.array(np.tile(np.arange(n, dtype=np.int32), len(months) * len(columns))),
        "outcome": pa.array(np.tile(np.repeat(list(columns), n), len(months)), pa.string()),
        "value": np.tile(np.concatenate(list(columns.values())), len(months))})


@cache
def around_the_first():
    """Places of the town, those within 150 m of the first, and those within 100 m of these."""
    places = build_city(compose_study(["city=town"]).city).places
    x, y = places.x.astype(float), places.y.astype(float)
    inside = np.hypot(x - x[0], y - y[0]) <= 150
    near = [not inside[i] and (np.hypot(x - x[i], y - y[i])[inside] <= 100).any()
            for i in range(len(x))]
    return len(x), np.flatnonzero(inside), np.flatnonzero(near)


@pytest.fixture(scope="module", params=QUESTIONS)
def answered(request, tmp_path_factory):
    """Name, study and output folder of a question whose script has run."""
    name, days = request.param, {"patrols_or_prevention": 730, "after_the_money": 730}
    folder = tmp_path_factory.mktemp(name)
    design = "after_the_money_small" if name == "after_the_money" else name
    settings = compose_study([f"experiment={design}", "city=town", "warmup_days=0", "seeds=2",
                              f"days={days.get(name, 7)}", "executor=serial",
                              f"output_dir={folder / 'study'}"])
    if name in FEWER:
        settings = settings.replace({"levers": {
            path: {**keys, "values": [keys["values"][k] for k in (0, -1)]} if path in FEWER[name]
            else keys for path, keys in settings.levers.items()}})
    result = run_study(settings, program=MADE)
    assert result.exit_status == 0, (result.problems, list(result.failed["error"])[:1])
    (folder / "answer").mkdir()
    script(name).main(folder / "study", folder / "answer")
    return name, folder / "study", folder / "answer"


def script(name):
    """The module of an experiment's script."""
    path = ROOT / "experiments" / name / "analyse.py"
    spec = importlib.util.spec_from_file_location(f"analyse_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_script_finds_the_known_answer(answered, capsys):
    name, _, out = answered
    answer = pd.read_csv(out / "answer.csv")
    CHECKS[name](answer)
    assert 5_000 < (out / f"{name}.png").stat().st_size < 150_000


def closing_time(answer):
    """An hour later raises all by a tenth; the options' effects add up."""
    rows = answer[(answer["outcome"] == "night.users") & (answer["group"] == "all")]
    alone = rows[rows["what"] == "nothing else"].set_index("setting")["relative"]
    assert alone.to_dict() == pytest.approx({24: 0, 25: 0.1, 26: 0.2, 27: 0.3, 28: 0.4})
    everything = rows[rows["what"] == "all three"].set_index("setting")["relative"]
    assert everything[28] == pytest.approx(0.4 + 0.1 + 0.1 + 4.0)
    hour = rows[(rows["kind"] == "main effect") & (rows["what"] == "closing hour")]
    of_others = 0.05 + 0.05 + 2.0  # means of the other levers' effects
    assert hour.set_index("setting")["relative"][28] == pytest.approx(0.4 + of_others)


def women_at_night(answer):
    """Steps against the first setting, and the price of an hour out of doors."""
    rows = answer[(answer["outcome"] == "night.users") & (answer["group"] == "women")]
    rows = rows.set_index(["lever", "setting"])
    means = rows["mean"]
    assert means["staffed services", 15] - means["staffed services", 0] == pytest.approx(
        100 * 1.5 * np.mean([1 + 0.1 * np.sin(s) for s in (1, 2)]), rel=1e-4)
    row = rows.loc[("reporting support", 1.0)]
    # 0.1 of a hundred, of a thousand, for 8 hours of 365 nights; EUR 100 in 7 days
    settings = compose_study(["city=town"])
    women = settings.city["population"] * settings.city["margins"]["women_share"]
    more = 10 / 1000 * np.mean([1 + 0.1 * np.sin(s) for s in (1, 2)]) * women * 8 * 365
    assert row["eur_per_hour"] == pytest.approx(100 * 365 / 7 / more, rel=1e-4)


def patrols_or_prevention(answer):
    """Nothing in the first year; in the second what the weights of the split add."""
    rows = answer[(answer["outcome"] == "crime.hazard.all") & (answer["period_days"] == 365)
                  & (answer["baseline"] == "no_action")].set_index(["split", "period"])
    assert rows.loc[("patrols only", 1), "relative"] == pytest.approx(0)
    assert rows.loc[("patrols only", 2), "relative"] == pytest.approx(0.1)
    assert set(rows.index.get_level_values(1)) == {1, 2}
    assert len(rows) == 2 * 13


def after_the_money(answer):
    """Works, ownership and cleaning move the state by a tenth of their amount."""
    rows = answer[(answer["outcome"] == "place.upkeep") & answer["year"].notna()]
    rows = rows.set_index(["option", "year"])
    fixed = 0.1 * (365 + 0.9)
    assert rows.loc[("nothing", 2), "change"] == pytest.approx(fixed)
    assert rows.loc[("works + cleaning", 2), "change"] == pytest.approx(
        fixed + 0.1 * (0.0065 + 3.3), rel=1e-4)
    crime = answer[answer["outcome"] == "crime.hazard.all"]
    for end in ("", "_lo90", "_hi90"):  # half, whatever a seed's level
        assert crime["change" + end].to_numpy() == pytest.approx(-0.5)


def moved(answer):
    """Half of the treated places' crime goes; a tenth comes next door."""
    rows = answer[answer["outcome"] == "crime.hazard.property"]
    assert len(rows) == 36
    for end in ("", "_lo90", "_hi90"):  # half, whatever a seed's level
        assert rows["treated_share" + end].to_numpy() == pytest.approx(-0.5)
    assert (rows["treated_hi90"] - rows["treated_lo90"] > 0.01).all()
    assert rows["ring_share"].to_numpy() == pytest.approx(0.1)
    assert rows["rest_share"].to_numpy() == pytest.approx(0)
    ratio = 0.1 * rows["places_ring"] / (0.5 * rows["places_treated"])
    assert rows["moved_next_door"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-4)
    assert rows["quotient"].to_numpy() == pytest.approx(-ratio.to_numpy(), rel=1e-4)


CHECKS = {"closing_time": closing_time, "women_at_night": women_at_night, "displacement": moved,
          "patrols_or_prevention": patrols_or_prevention, "after_the_money": after_the_money}


def test_a_script_without_a_study_says_so(tmp_path):
    with pytest.raises(InputError, match="no results of a study here"):
        script("closing_time").main(tmp_path / "none", tmp_path)
    assert not list(tmp_path.iterdir())


# --- the package's part --------------------------------------------------------------------

def test_quotient_by_hand():
    # Treated 100 -> 60, buffer 50 -> 55, control 200 -> 180.
    gain, near = 60 / 180 - 100 / 200, 55 / 180 - 50 / 200
    assert displacement_quotient((100, 60), (50, 55), (200, 180)) == pytest.approx(near / gain)
    assert displacement_quotient((100, 60), (50, 55), (200, 200)) == pytest.approx(-5 / 40)
    assert displacement_quotient((100, 60), (50, 40), (200, 200)) == pytest.approx(10 / 40)
    assert np.isnan(displacement_quotient((100, 100), (50, 40), (200, 200)))
    assert np.isnan(displacement_quotient((100, 60), (50, 40), (0, 10)))
    many = displacement_quotient((np.array([100, 100]), np.array([60, 110])),
                                 (np.array([50, 50]), np.array([55, 55])), (200, 200))
    assert many[0] == pytest.approx(-5 / 40) and np.isnan(many[1])


def test_zones_are_rings_around_treated_places():
    x = np.array([0, 50, 100, 150, 200.0])
    assert zones(x == 0, x, np.zeros(5), 100.0).tolist() == [0, 1, 1, 2, 2]
    assert zones(x < 0, x, np.zeros(5), 100.0).tolist() == [2] * 5


def grid(levers):
    """A design of every combination and the baseline, as the study keeps it."""
    table = pd.MultiIndex.from_product(levers.values(), names=levers).to_frame(index=False)
    table.insert(0, "scenario", [f"o{i}" for i in range(len(table))])
    table = pd.concat([pd.DataFrame({"scenario": ["no_action"]}), table], ignore_index=True)
    return table.assign(future=0, sample=np.arange(-1, len(table) - 1))


def test_main_effects_average_pairs_over_the_other_levers():
    levers = {"a": [0.0, 1.0, 2.0], "b": [0.0, 1.0]}
    noise = {1: 0.2, 2: -0.1, 3: 0.5}

    def model(row, seed):
        a, b = (0.0 if np.isnan(row[k]) else row[k] for k in levers)
        there = not np.isnan(row["a"])
        # Luck of the seed cancels; of the lever's effect, a part differs by seed.
        return {"crime.hazard.all": 10 * seed + there * (1 + (3 + noise[seed]) * a + 2 * a * b)}

    study = made_sweep(grid(levers), dict.fromkeys(levers, "lever"), model, seeds=(1, 2, 3))
    found = main_effects(read_points(study), study.table("outcomes")).set_index(
        ["lever", "setting"])
    own = np.array([(3 + v) * 2 + 2 * 2 * 0.5 for v in noise.values()])
    row = found.loc[("A", 2.0)]
    assert row["step"] == pytest.approx(own.mean())
    half = 2.919986 * own.std(ddof=1) / np.sqrt(3)  # Student's t, 95 %, 2 degrees of freedom
    assert row["step_hi90"] - row["step"] == pytest.approx(half, rel=1e-5)
    assert row["diff"] == pytest.approx(1 + own.mean())
    share = (1 + own.mean()) / 20
    assert row["relative"] == pytest.approx(share)
    off = (1 + own) - share * np.array([10, 20, 30])  # a ratio of means, linearised
    half = 2.919986 * off.std(ddof=1) / np.sqrt(3) / 20
    assert row["relative_hi90"] - row["relative"] == pytest.approx(half, rel=1e-5)
    assert found.loc[("A", 0.0), "step"] == 0 and found.loc[("B", 1.0), "step"] == pytest.approx(2)
    assert (found["n"] == 3).all()
    part = made_sweep(grid(levers), dict.fromkeys(levers, "lever"), model, seeds=(1, 2, 3),
                      skip={("o3", 0, 2)})
    left = main_effects(read_points(part), part.table("outcomes"))
    assert (left["n"] == 2).all()  # a seed that lacks an option is left out


def test_main_effects_need_the_whole_grid():
    levers = {"a": [0.0, 1.0], "b": [0.0, 1.0]}
    study = made_sweep(grid(levers).drop(index=2), dict.fromkeys(levers, "lever"),
                       lambda row, seed: {"crime.hazard.all": 1.0})
    with pytest.raises(InputError, match="every combination"):
        main_effects(read_points(study), study.table("outcomes"))


def test_displacement_refuses_what_it_cannot_tell(answered):
    name, folder, _ = answered
    study = open_study(folder)
    if name == "after_the_money":  # the made-up runs know another number of places than the town
        with pytest.raises(InputError, match="another number of places"):
            displacement(study)
        with pytest.raises(InputError, match="no places with the outcome"):
            at_treated(study, ["crime.hazard.nothing"])
    elif name == "closing_time":
        with pytest.raises(InputError, match="no places with the outcome 'policy.treated'"):
            displacement(study)

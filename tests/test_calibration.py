"""Calibration: the emulator, waves that close in on targets, the ensemble that comes out."""


import numpy as np
import pytest
import yaml
from scipy.optimize import brentq
from scipy.stats import qmc

from citysim import compose as compose_shipped
from citysim.cli.main import main
from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.evidence.calibration import emulator as em
from citysim.evidence.calibration import fit as fitting
from citysim.evidence.calibration.plan import plan_file, read_plan
from citysim.evidence.calibration.waves import Wave, values_of
from citysim.study.design import runs_of

# --- the emulator

LOW, HIGH = np.log([0.2, 0.2, 0.25, 0.4]), np.log([5, 5, 0.5, 0.6])


def logs(shares):
    return LOW + (HIGH - LOW) * np.atleast_2d(shares)


def stand_in(shares):
    """Two crimes that compete a little, the second seen in part; a share that falls with both."""
    x = logs(shares)
    crowding = np.log1p(0.1 * (np.exp(x[:, 0]) + np.exp(x[:, 1])))
    return np.column_stack([x[:, 0] - crowding, x[:, 1] + x[:, 2] - crowding,
                            6 * (x[:, 3] - np.log(0.5)) - 0.2 * x[:, 0]])


@pytest.fixture(scope="module")
def emulated():
    rng = np.random.default_rng(3)
    shares = qmc.LatinHypercube(d=4, rng=2).random(24)
    return em.fit(shares, stand_in(shares) + 0.02 * rng.standard_normal((24, 3)), logs)


def test_the_emulator_foretells_points_it_has_not_seen_as_well_as_it_says(emulated):
    fresh = np.random.default_rng(9).random((500, 4))
    wrong = np.sqrt(np.mean((emulated(fresh) - stand_in(fresh))**2, axis=0))
    assert (wrong < 0.15).all() and (wrong < 1.5 * emulated.error).all()


def test_with_no_more_runs_than_terms_each_crime_still_starts_from_its_own_level():
    def many(shares):  # nine levels from a fifth to five times, and a share reported
        return np.column_stack([np.log(5) * (2 * shares[:, :9] - 1),
                                np.log(0.2 + 0.2 * shares[:, 9])])

    shares, fresh = qmc.LatinHypercube(d=10, rng=5).random(21), qmc.LatinHypercube(
        d=10, rng=6).random(200)

    def crimes(at):
        x = many(at)
        own = x[:, :9] - np.log1p(0.04 * np.exp(x[:, :9]).sum(axis=1, keepdims=True))
        return own + np.column_stack([x[:, 9], np.zeros((len(at), 8))])

    found = em.fit(shares, crimes(shares), many)
    assert np.diag(found.factors[:9]).tolist() == [1] * 9 and found.factors[9, 0] == 1
    assert np.abs(found(fresh) - crimes(fresh)).mean() < 0.1


def test_the_walk_finds_where_targets_are_met_and_what_they_leave_open(emulated):
    aim = stand_in(np.full((1, 4), 0.6))[0]
    low, high = aim - 0.15, aim + 0.15
    cloud = em.walk(emulated, low, high, 4, 3000, seed=1)
    assert ((cloud >= 0) & (cloud <= 1)).all()
    met = (em.excess(stand_in(cloud), low, high) == 0).mean()
    by_chance = (em.excess(stand_in(np.random.default_rng(1).random((20_000, 4))), low, high)
                 == 0).mean()
    assert by_chance < 0.005 and met > 0.4
    names = ["a", "b", "seen", "bound"]
    assert [set(pair["pair"]) for pair in em.correlations(cloud, names)][0] == {"b", "seen"}
    assert em.correlations(cloud, names)[0]["correlation"] < 0
    openest = em.undetermined(cloud, names)[0]
    assert "seen" in openest["parameters"] and openest["spread"] > 0.7


def test_the_walk_draws_evenly_where_targets_say_nothing(emulated):
    wide = np.full(3, 50.0)
    cloud = em.walk(emulated, -wide, wide, 4, 4000, seed=2)
    assert np.allclose(cloud.mean(axis=0), 0.5, atol=0.05)
    assert np.allclose(cloud.std(axis=0), 1 / np.sqrt(12), atol=0.03)


def test_chances_far_in_the_tails_still_tell_better_from_worse(emulated):
    low, high = np.array([-1.0]), np.array([1.0])
    mean, error = np.array([[0.0], [5.0], [40.0], [-40.0], [-90.0]]), np.array([0.5])
    found = em._log_chance(mean, error, low, high)
    assert np.isfinite(found).all()
    assert found[0] > found[1] > found[2] > found[4] and found[2] == pytest.approx(found[3])
    assert np.exp(found[0]) == pytest.approx(0.9545, abs=1e-4)  # two standard deviations


def test_zeros_are_half_of_the_smallest_and_shares_become_log_odds():
    assert np.exp(em.straightened([0, 2, 8], share=False)).tolist() == pytest.approx([1, 2, 8])
    assert em.straightened([0.5, 0.75], share=True).tolist() == pytest.approx([0, np.log(3)])


def test_excess_is_of_the_worst_target_in_halves_of_its_width():
    values = np.array([[0.0, 0.0], [1.5, 0.0], [0.5, -0.9], [-3.0, 0.2], [0.0, 1.2]])
    worst = em.excess(values, np.array([-1.0, -1.0]), np.array([1.0, 1.1]))
    assert worst.tolist() == pytest.approx([0, 0.5, 0, 2, 0.1 / 1.05])


def test_a_point_is_rejected_only_for_what_luck_does_not_explain():
    values = np.array([[0.0, 0.0], [1.29, 0.0], [1.31, 0.0], [0.0, -2.4], [0.0, -2.6]])
    found = fitting.stands(values, np.array([-1.0, -1.0]), np.array([1.0, 1.0]),
                           np.array([0.1, 0.5]))
    assert found.tolist() == [True, True, False, True, False]


def test_doubt_is_of_the_mean_and_falls_with_runs():
    rng = np.random.default_rng(4)
    doubts = {}
    for n in (40, 360):
        shares = qmc.LatinHypercube(d=2, rng=1).random(n)
        luck = 0.5 * rng.standard_normal((n, 1))
        found = em.fit(shares, np.log(1 + shares[:, :1]) + luck, lambda at: np.zeros_like(at))
        assert found.error[0] == pytest.approx(0.5, rel=0.3)
        doubts[n] = found.doubt(np.full((1, 2), 0.5))[0, 0]
    assert doubts[360] < 0.1 and doubts[40] / doubts[360] == pytest.approx(3, rel=0.5)


def test_an_expectation_is_scaled_to_what_all_runs_measured_together():
    wave = Wave(np.arange(3), np.zeros((3, 1)),
                np.array([[10.0, np.nan], [20.0, np.nan], [30.0, np.nan]]),
                np.array([[4.0, 0.1], [13.0, 0.2], [13.0, 0.3]]), ())
    assert values_of(wave).tolist() == [[5.0, 0.1], [10.0, 0.2], [15.0, 0.3]]


# --- plans

@pytest.fixture(scope="module")
def town():
    return compose_shipped(["city=town", "experiment=single", "policy=[]", "scale=0.5"])


def changed(tmp_path, **changes):
    content = yaml.safe_load(plan_file("default").read_text()) | changes
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_shipped_plan_moves_levels_only_and_aims_at_facts_to_calibrate_on(town):
    plan = read_plan(plan_file("default"), town)
    assert {p.path.split(".")[-1] for p in plan.priors} == {"level", "report", "afraid"}
    assert all(t.fact.use == "calibrate" and t.fact.status != "memory" for t in plan.targets)
    assert {f.id for f in plan.others} == {t.fact.id for t in plan.targets} | set(plan.left_out)
    robbery = next(p for p in plan.priors if p.path == "offences.robbery.level")
    assert robbery.at(np.array([0, 0.5, 1])).tolist() == pytest.approx(
        [0.2 * town.offences.robbery.level, town.offences.robbery.level,
         5 * town.offences.robbery.level])
    safe = next(t for t in plan.targets if t.fact.id == "feel_safe_after_dark")
    assert (safe.low, safe.high) == pytest.approx((0.864 * 0.85, 0.864 * 1.15))


def test_a_parameter_set_by_hand_is_left_as_it_is(town):
    plan = read_plan(plan_file("default"), town.replace({"offences.robbery.level": 0.001}))
    assert "offences.robbery.level" not in {p.path for p in plan.priors}


@pytest.mark.parametrize("changes, message, closest", [
    ({"runz": 3}, "unknown key 'runz'", "runs"),
    ({"runs": 0}, "0 is not accepted", None),
    ({"parameters": {"offences.robery.level": {}}}, "no parameter", "offences.robbery.level"),
    ({"parameters": {"offences.robbery.level": {}}}, "no range to search", None),
    ({"parameters": {"offences.robbery.level": {"factor": [2, 1]}}}, "no range to search", None),
    ({"parameters": {"offences.robbery.report": {"range": [0.5, 7]}}}, "out of range", None),
    ({"parameters": {}}, "nothing to fit", None),
    ({"targets": [{"fact": "unsafe_by_sexx"}]}, "no fact", "unsafe_by_sex"),
    ({"targets": [{"fact": "concentration_50"}]}, "no fact 'concentration_50' to cal", None),
    ({"targets": [{"fact": "unsafe_by_sex", "part": "woman"}]}, "no part", "women"),
    ({"targets": [{"fact": "feel_safe_after_dark", "expected": ["crime.hazrd.all"]}]},
     "unknown outcome", None),
    ({"left_out": {"age_peek": "why"}}, "no fact", "age_peak"),
])
def test_a_wrong_plan_is_refused(town, tmp_path, changes, message, closest):
    with pytest.raises(InputError, match=message) as refused:
        read_plan(changed(tmp_path, **changes), town)
    assert "mine.yaml" in refused.value.where
    if closest:
        assert refused.value.closest == closest


# --- all of it

def test_waves_close_in_on_targets_that_the_first_one_misses(town, monkeypatch, tmp_path):
    plan = read_plan(plan_file("default"), town, runs=24, waves=3)
    truth = {p.path: np.log(p.configured) for p in plan.priors}
    aims = np.array([np.mean(fitting._ends(plan, np.array([t]))) for t in
                     range(len(plan.targets))])
    own = [next((f"{n.replace('crime.hazard', 'offences')}.level" for n in t.expected
                 if n.startswith("crime.hazard")), "model.fear.afraid") for t in plan.targets]

    def fake(settings, plan, shares, folder, first_seed, progress=None):
        """A city whose levels are all two times too high, with other offences in the way."""
        seeds = first_seed + np.arange(len(shares))
        moved = {p.path: column - truth[p.path]
                 for p, column in zip(plan.priors, plan.logs(shares).T, strict=True)}
        luck = np.random.default_rng(first_seed).normal(0, 0.03, (len(seeds), len(aims)))
        crowd = 0.1 * sum(np.tanh(moved[path]) for path in set(own))
        rows = []
        for t, (target, path) in enumerate(zip(plan.targets, own, strict=True)):
            if target.share:
                sign = 1 if target.fact.id == "feel_safe_after_dark" else -1
                y = aims[t] + sign * (0.2 + 4 * moved[path]) + luck[:, t]
                rows.append(1 / (1 + np.exp(-y)))
            else:
                report = sum(moved[n] for n in target.expected if n in moved)
                rows.append(np.exp(aims[t] + np.log(2) + moved[path] + report - crowd
                                   + luck[:, t]))
        values = np.column_stack(rows)
        return Wave(seeds, shares, np.full_like(values, np.nan), values, ())

    monkeypatch.setattr(fitting, "run_wave", fake)
    monkeypatch.setattr(fitting, "targets_table", lambda plan, wave: values_of(wave))
    said = []
    found = fitting.calibrate(town, plan, tmp_path, tell=said.append)
    assert said[0].startswith("wave 1: the means of") and "of 11" in said[0]
    met = found.table
    low, high = (np.array([getattr(t, end) for t in plan.targets]) for end in ("low", "high"))
    assert ((met.mean(axis=0) > low) & (met.mean(axis=0) < high)).all()
    assert found.met_alone > 0.3 and len(found.points) + found.rejected == plan.points
    robbery = [p.path for p in plan.priors].index("offences.robbery.level")
    by_hand = brentq(lambda m: m + np.log(2) - 0.1 * (8 * np.tanh(m) + np.tanh(-0.05)), -3, 0)
    assert np.median(found.points[:, robbery]) == pytest.approx(
        np.exp(by_hand) * town.offences.robbery.level, rel=0.15)
    tied = [set(entry["pair"]) for entry in found.pairs]
    assert {"offences.vandalism.level", "offences.vandalism.report"} in tied
    named = {name for entry in found.directions for name in entry["parameters"]}
    assert "offences.vandalism.report" in named and "offences.robbery.level" not in named


def test_the_command_writes_an_ensemble_goes_on_where_it_stopped_and_studies_draw_from_it(
        tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "LUCK", 1e9)  # so few runs foretell nothing
    folder = tmp_path / "made"
    words = ["calibrate", "city=town", "executor=serial", "scale=0.25", "--runs", "4",
             "--waves", "2", "--days", "3", "--warmup-days", "0", "--points", "2",
             "--folder", str(folder)]
    assert main(words) in (0, 1)  # so few days meet targets by luck only
    first = (folder / "ensemble.yaml").read_text()
    assert "recorded_rates_turin: vandalism" in capsys.readouterr().out
    runs = {p: p.stat().st_mtime_ns for p in folder.rglob("results/runs/*.parquet")}
    assert len(runs) == 4 + 4 + 2
    assert main(words) in (0, 1)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("results/runs/*.parquet")} == runs
    assert (folder / "ensemble.yaml").read_text() == first
    content = yaml.safe_load(first)
    assert content["city"] == "town" and len(content["points"]) == 2
    assert content["made"]["runs"] == 10 and \
        content["made"]["command"].endswith(
            "city=town scale=0.25 --runs 4 --waves 2 --days 3 --warmup-days 0 --points 2")
    assert {t["target"] for t in content["targets"] if not t["fitted"]} >= {
        "age_peak", "recorded_rates_turin: homicide"}
    settings = compose_study(["city=town", "experiment=single", "policy=[]", "seeds=2",
                              f"parameters={folder / 'ensemble.yaml'}"])
    assert [list(run.scenario.set.values()) for run in runs_of(settings)] == content["points"]


@pytest.mark.parametrize("words, message", [
    (["city=town", "--calibration", "defualt"], "unknown calibration"),
    (["city=town", "seeds=3"], "'seeds' has no meaning here"),
    (["city=town", "--waves", "1"], "1 is not accepted"),
    (["city=town", "policy=[street_lighting]"], "'policy' has no meaning here"),
    (["city=twon"], "unknown city"),
])
def test_bad_words_are_refused_and_nothing_is_written(words, message, capsys, tmp_path):
    folder = tmp_path / "made"
    assert main(["calibrate", *words, "--folder", str(folder)]) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists()

"""Designs that are refused: what is wrong, where, what is allowed, what was probably meant."""

import shutil
from pathlib import Path

import pytest

from citysim.config.compose import compose_study
from citysim.config.errors import InputError
from citysim.study.design import runs_of, scenarios_of

AMOUNT, SATURATION = "policies.lamps.measures.0.amount", "model.guardianship.saturation"
SHAPE, DECAY = "model.guardianship.shape", "model.guardianship.decay"
DOSES = f"levers={{{AMOUNT}:[0.1,0.2,0.5]}}"
DOSE_RANGE = f"levers={{{AMOUNT}:{{low:0.1,high:0.5}}}}"
WATCHED = f"uncertainties={{{SATURATION}:{{low:0.3,high:3}}}}"


@pytest.fixture
def study(folder):
    return lambda *words: compose_study(list(words), folder, folder)


def refusal(study, *words):
    with pytest.raises(InputError) as caught:
        scenarios_of(study(*words))
    error = caught.value
    assert error.message and error.where and error.allowed
    return error


LHS = "design={kind:latin_hypercube,points:4}"


@pytest.mark.parametrize(("words", "said", "where", "closest"), [
    (["levers={policies.lamps.measures.0.amont:[1]}"], "no parameter", "levers", AMOUNT),
    (["uncertainties={model.guardianship.satration:{low:1,high:2}}", LHS], "no parameter",
     "uncertainties", SATURATION),
    ([f"levers={{{AMOUNT}:[0.1,1.5]}}"], "out of range", AMOUNT, None),
    ([f"uncertainties={{{DECAY}:{{low:1,high:11}}}}", LHS], "out of range", DECAY, None),
    ([f"uncertainties={{{DECAY}:{{mean:5,sd:3,distribution:normal}}}}", LHS], "out of range",
     DECAY, None),
    ([f"levers={{{SHAPE}:[convex,liner]}}"], "unknown value", SHAPE, "linear"),
    (["levers={model.guardianship:[1,2]}"], "several values", "model.guardianship", None),
    ([f"uncertainties={{{SATURATION}:{{low:3,high:1}}}}", LHS], "low 3 is not below high 1",
     SATURATION, None),
    ([f"uncertainties={{{SATURATION}:{{low:0,high:1,distribution:log_uniform}}}}", LHS],
     "above 0", SATURATION, None),
    ([f"uncertainties={{{SATURATION}:{{low:1}}}}", LHS], "needs high", SATURATION, None),
    ([f"uncertainties={{{SATURATION}:{{low:1,hgh:2}}}}", LHS], "unknown key 'hgh'", "hgh", "high"),
    ([f"uncertainties={{{SATURATION}:{{low:1,high:2,distribution:unifrom}}}}", LHS],
     "not accepted", "distribution", "uniform"),
    (["levers={policies.lamps.label:[1,2]}"], "1 is not accepted", "lamps.label", None),
    ([f"levers={{{AMOUNT}:[]}}"], "empty list", AMOUNT, None),
    ([f"levers={{{AMOUNT}:[0.1,dark]}}"], "mixed", AMOUNT, None),
    ([f"levers={{{AMOUNT}:[0.1,null]}}"], "None", AMOUNT, None),
    ([f"levers={{{AMOUNT}:[0.1,0.1]}}"], "twice", AMOUNT, None),
    (["levers={}"], "nothing varies", "levers", None),
    ([f"levers={{split:{{levels:{{a:{{{AMOUNT}:1}},b:{{{DECAY}:1}}}}}}}}"], "does not set",
     "split", None),
    ([f"levers={{split:{{levels:{{a:{{{AMOUNT}:0.1}},b:{{{AMOUNT}:7}}}}}}}}"], "out of range",
     "split", None),
    (["levers={seeds:[1,2]}"], "the same for all", "seeds", None),
    ([DOSES, "uncertainties={x:{levels:{a:{policies.lamps.measures.0.amount:0.1}}}}"],
     "already set by levers", "uncertainties.x", None),
    ([DOSES, f"scenarios={{a:{{policies:[lamps],set:{{{AMOUNT}:0.3}}}}}}"], "already set",
     "scenarios.a", None),
    ([f"levers={{{SHAPE}:[convex]}}", "scenarios={no_action:{}}"], "no scenario", "scenarios",
     None),
    ([LHS], "nothing that varies", "design", None),
    (["futures={kind:latin_hypercube,points:4}", DOSES], "no uncertainties", "futures", None),
    ([WATCHED], "nothing says how", "uncertainties", None),
    ([WATCHED, LHS, "futures={kind:latin_hypercube,points:4}"], "there are none", "design", None),
    ([DOSE_RANGE], "needs steps", "design", None),
    ([DOSE_RANGE, "design={kind:grid,steps:100001}"], "not accepted", "steps", None),
    ([DOSE_RANGE, WATCHED, "design={kind:grid,steps:1000}"], "1,000,000 points", "design", None),
    ([DOSE_RANGE, WATCHED, "design={kind:sobol,points:65536}"], "262,144 points", "design", None),
    ([DOSE_RANGE, "design={kind:morris,points:90000}"], "180,000 points", "design", None),
    ([DOSE_RANGE, WATCHED, "design={kind:grid,steps:1000}",
      "futures={kind:latin_hypercube,points:1000}"], "1,000,000 points", "futures", None),
    ([DOSE_RANGE, "design={kind:latin_hypercube,points:0}"], "greater than or equal to 1",
     "points", None),
    ([DOSE_RANGE, "design={kind:latin_hypercube}"], "needs points", "design", None),
    ([DOSE_RANGE, "design={kind:sobl,points:4}"], "not accepted", "kind", "sobol"),
    ([DOSE_RANGE, "design={kind:sobol,points:12}"], "power of 2", "design", None),
    ([DOSE_RANGE, "design={kind:morris,points:4,levels:5}"], "even number", "design", None),
    ([DOSES, "design={kind:grid,points:4}"], "grid has no points", "design", None),
    (["replicates={until_half_width:0,of:crime.true.all,max:9}"], "not accepted",
     "until_half_width", None),
    (["replicates={until_half_width:1,of:crime.true.all,max:1}"], "below the study's 2 seeds",
     "replicates.max", None),
])
def test_bad_designs_are_refused(study, words, said, where, closest):
    error = refusal(study, *words)
    assert said in error.message and where in error.where and error.closest == closest


@pytest.mark.parametrize(("text", "said", "where"), [
    (None, "no file", "file"),
    (f"{AMOUNT}\n0.2\n", "lacks the column", "p.csv"),
    (f"{AMOUNT},{SATURATION},satration\n0.2,1,1\n", "unknown column", "p.csv"),
    (f"{AMOUNT},{SATURATION}\n", "no rows", "p.csv"),
    ("", "cannot be read", "p.csv"),
    (f"{AMOUNT},{SATURATION}\n0.2,1\n0.3,nan\n", "nothing is not accepted", "row 2"),
    (f"{AMOUNT},{SATURATION}\n0.2,1\n0.3,\n", "nothing is not accepted", "row 2"),
    (f"{AMOUNT},{SATURATION}\n0.2,many\n", "'many' is not accepted", "row 1"),
    (f"{AMOUNT},{SATURATION}\n0.2,1\n0.2,many\n", "'many' is not accepted", "row 2"),
    (f"{AMOUNT},{SATURATION}\n0.2,1\n0.2,4\n", "4 is not accepted", "row 2"),
])
def test_bad_files_of_points_are_refused(study, tmp_path, monkeypatch, text, said, where):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("p.csv").write_text(text)
    error = refusal(study, DOSE_RANGE, WATCHED, "design={kind:table,file:p.csv}")
    assert said in error.message and where in error.where


def test_a_folder_is_no_file_of_points(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("p.csv").mkdir()
    error = refusal(study, DOSE_RANGE, "design={kind:table,file:p.csv}")
    assert "no file" in error.message and error.closest is None


def test_more_runs_than_anyone_means_are_refused(study):
    with pytest.raises(InputError, match="2,400,000 runs") as caught:
        runs_of(study("seeds=100000", DOSE_RANGE, "design={kind:latin_hypercube,points:23}"))
    assert caught.value.where == "command line, seeds"


def test_the_file_of_a_refused_key_is_named(folder, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    path = own / "experiment" / "bad.yaml"
    path.write_text(f"# @package _global_\nlevers:\n  {SATURATION}x: [1, 2]\n")
    with pytest.raises(InputError) as caught:
        scenarios_of(compose_study(["experiment=bad"], own, folder))
    assert str(path) in caught.value.where and caught.value.closest == SATURATION

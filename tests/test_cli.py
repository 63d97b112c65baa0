"""The command line: exit statuses, messages, nothing written on bad input."""

import subprocess
import sys

import pytest

import citysim
from citysim.cli.main import main
from study_stub import PROGRAM


def test_run_is_the_default_and_ends_with_where_things_are(here, capsys):
    assert main(["seeds=1"], PROGRAM) == 0
    printed = capsys.readouterr().out
    assert "lamps: 1.00 crimes" in printed
    assert "4 of 4 runs done" in printed and "outputs/main/report.html" in printed
    assert (here / "outputs/main/summary.csv").exists()
    assert main(["run", "seeds=1"], PROGRAM) == 0
    assert "4 kept from an earlier start" in capsys.readouterr().out


def test_failed_runs_are_named_and_set_the_exit_status(here, capsys):
    assert main(["seeds=2", "city.orders={lamps:raise}"], PROGRAM) == 1
    printed = capsys.readouterr().out
    assert "failed: lamps, seed 2: ValueError: no luck with seed 2" in printed
    assert "6 of 8 runs done" in printed


def test_an_interrupt_is_told_and_gives_130(here, capsys):
    assert main(["seeds=1", "city.orders={lamps:interrupt}"], PROGRAM) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "closest"), [
    (["dayz=3"], "days"),
    (["policy=lamp"], "lamps"),
    (["city=vilage"], "village"),
    (["model.guardianship.saturaton=1"], "model.guardianship.saturation"),
    (["--confg-path", "x"], "--config-path"),
    (["rnu"], "run"),
    (["list", "policie"], "policies"),
    (["city", "draw"], "describe"),
    (["plan", "experiment=mian"], "main"),
    (["-m", "city=village,hamlett"], "hamlet"),
    (["-m", "dayz=1,2"], "days"),
])
def test_misspelt_words_get_the_nearest_and_status_2(here, capsys, words, closest):
    assert main(words, PROGRAM) == 2
    assert f"did you mean '{closest}'?" in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("words", [
    ["days=0"], ["city.residents=0"], ["city.orders={broken_streets:true}"],
    ["--config-path", "nowhere"], ["--config-path"], ["-m", "days=0,1"], ["list", "-m"],
    ["seeds=[1"], ["scenarios={a:{policies:[benches]}}"],
])
def test_other_bad_input_gives_status_2_and_writes_nothing(here, capsys, words):
    assert main(words, PROGRAM) == 2
    assert capsys.readouterr().err.startswith("citysim: ")
    assert list(here.iterdir()) == []


def test_a_folder_that_cannot_be_is_refused(here, capsys):
    (here / "file").write_text("mine")
    for words in (["output_dir=" + "a" * 300], ["output_dir=file"], ["output_dir=file/below"],
                  ["-m", "seeds=1,2", "output_dir=file"]):
        assert main(words, PROGRAM) == 2
        assert "output_dir" in capsys.readouterr().err
    assert [p.name for p in here.iterdir()] == ["file"] and (here / "file").read_text() == "mine"


def test_an_unknown_option_is_named_alone(here, capsys):
    assert main(["--days=3", "city=village"], PROGRAM) == 2
    told = capsys.readouterr().err
    assert "'--days=3'" in told and "did you mean 'days=3'?" in told and "village" not in told


def test_a_failed_run_is_named_once_at_the_end(here, capsys):
    main(["seeds=2", "city.orders={lamps:raise}"], PROGRAM)
    printed = capsys.readouterr().out
    assert printed[printed.index("crimes"):].count("failed: lamps, seed 2") == 1


def test_plan_counts_runs_and_runs_nothing(here, capsys):
    assert main(["plan", "seeds=5"], PROGRAM) == 0
    assert "4 scenarios x 5 seeds = 20 runs" in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_list_shows_every_option(here, capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for name in ("main", "village", "hamlet", "benches", "robbery", "places.lighting"):
        assert f"  {name}" in printed
    assert main(["list", "cities"]) == 0
    assert "benches" not in capsys.readouterr().out


def test_multirun_makes_one_study_per_combination(here, capsys):
    before = list(sys.argv)
    assert main(["-m", "city=village,hamlet", "seeds=1,2", "policy=lamps"], PROGRAM) == 0
    jobs = sorted(p.parent for p in here.glob("multirun/*/*/*/manifest.json"))
    assert [j.name for j in jobs] == ["0", "1", "2", "3"]
    parts = [len(list(j.glob("results/runs/*.parquet"))) for j in jobs]
    assert parts == [2, 4, 2, 4]  # no action and one policy, by one and two seeds
    assert sys.argv == before and not (here / "outputs").exists()


def test_multirun_puts_a_sweep_where_it_is_told(here):
    assert main(["-m", "seeds=1,2", "policy=lamps", "output_dir=sweep",
                 "city.orders={lamps:raise}"], PROGRAM) == 1
    assert sorted(p.parent.name for p in here.glob("sweep/*/manifest.json")) == ["0", "1"]


def test_help_and_version(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for word in ("run", "plan", "list", "city describe", "--config-path", "experiment=NAME"):
        assert word in printed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"citysim {citysim.__version__}\n"


def test_help_loads_nothing_heavy():
    code = ("import sys; from citysim.cli.main import main; main(['--help']); "
            "heavy = {'numpy', 'numba', 'pandas', 'mesa', 'hydra', 'pyarrow', 'matplotlib'}; "
            "sys.exit(', '.join(heavy & set(sys.modules)) or 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_no_failure():
    done = subprocess.run(f"{sys.executable} -m citysim --help | true",
                          shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr

"""What a study writes down of itself: its command, its machine."""

import platform
import shlex
from pathlib import Path

import pytest

from citysim.config.compose import compose_study
from citysim.study.design import runs_of
from citysim.study.manifest import manifest_of, processor_model
from citysim.study.run import run_study
from citysim.study.store import Store
from study_stub import PROGRAM, compose


def test_the_command_in_the_manifest_makes_the_same_study(folder, tmp_path):
    settings = compose(folder, tmp_path / "out", None, "question='What is it, then?'") \
        .replace({"model.drift": -0.4, "model.guardianship.shape": "linear"})
    run_study(settings, program=PROGRAM)
    words = shlex.split(Store(tmp_path / "out").manifest["command"])
    assert words[:3] == ["citysim", "run", "--config-path"]
    again = compose_study(words[4:], words[3], folder)
    assert again.to_dict() == settings.to_dict()


def words_of(settings):
    return shlex.split(manifest_of(settings, runs_of(settings))["command"])


@pytest.mark.parametrize(("words", "orders"), [
    ([], {"map": "my streets.csv"}), (["parameters=./own.yaml"], {})])
def test_a_command_that_names_files_from_here_goes_here_first(folder, tmp_path, monkeypatch,
                                                              words, orders):
    here = tmp_path / "two words"
    here.mkdir()
    monkeypatch.chdir(here)
    Path("my streets.csv").write_text("x,y\n")
    Path("own.yaml").write_text("paths: [model.drift]\npoints: [[-0.1]]\n")
    found = words_of(compose(folder, here / "out", None, *words, **orders))
    assert found[:5] == ["cd", str(here), "&&", "citysim", "run"]
    whole = {name: str(here / path) for name, path in orders.items()}
    found = words_of(compose(folder, here / "out", None, **whole))
    assert found[:2] == ["citysim", "run"]


def test_the_manifest_tells_the_processor(folder, tmp_path):
    settings = compose(folder, tmp_path / "out")
    told = manifest_of(settings, runs_of(settings))["machine"]
    assert told["cores"] >= 1 and told["model"] == processor_model()
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 17\nmodel name\t: Quick Chip 9 \n\n"
                       "processor\t: 1\nmodel name\t: Slow Chip 1\n")
    assert processor_model(cpuinfo) == "Quick Chip 9"
    cpuinfo.write_text("processor : 0\n")  # as on ARM
    assert processor_model(cpuinfo) == processor_model(tmp_path / "none") == platform.processor()

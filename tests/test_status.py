"""``citysim status``: what it says of studies that run, broke or are finished."""


import pytest

from citysim.cli.main import main
from citysim.study.run import run_study
from citysim.study.status import read_status
from citysim.study.store import Store
from study_stub import PROGRAM, compose


def stamps(out):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in out.rglob("*")}


def test_a_finished_study(folder, tmp_path, capsys):
    out = tmp_path / "out"
    run_study(compose(folder, out, None, "seeds=3"), program=PROGRAM)
    before = stamps(out)
    assert main(["status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "study main: done" in printed and "12 runs: 12 done, 0 failed, 0 left" in printed
    assert "s a run" in printed and "left\n" not in printed.split("s a run")[1].split("\n")[0]
    lines = [line.split() for line in printed.splitlines()]
    assert all([name, "3", "0", "0"] in lines for name in ("no_action", "lamps", "together"))
    assert stamps(out) == before


def test_a_failed_study_names_its_failures_and_ends_with_1(folder, tmp_path, capsys):
    out = tmp_path / "out"
    run_study(compose(folder, out, None, lamps="raise"), program=PROGRAM)
    assert main(["status", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "main: failed" in printed and "8 runs: 6 done, 2 failed, 0 left" in printed
    assert "failed: lamps, seed 2: ValueError: no luck with seed 2" in printed
    assert ["lamps", "0", "2", "0"] in [line.split() for line in printed.splitlines()]


def test_a_running_study_is_told_by_its_lock(folder, tmp_path, capsys):
    out = tmp_path / "out"
    seen = {}

    def look(news):
        if news.phase == "runs" and news.done == 4:
            before = stamps(out)
            seen["status"], seen["exit"] = read_status(out), main(["status", str(out)])
            seen["printed"] = capsys.readouterr().out
            assert stamps(out) == before

    run_study(compose(folder, out, seconds=0.05), look, PROGRAM)
    status = seen["status"]
    assert (status.status, status.done, status.left, seen["exit"]) == ("running", 4, 4, 0)
    assert status.seconds_left > 0 and "about" in seen["printed"]
    assert read_status(out).status == "done" and read_status(out).seconds_left is None


def test_an_interrupted_study(folder, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_study(compose(folder, out, None, beats="interrupt"), program=PROGRAM)
    assert main(["status", str(out)]) == 1
    assert "main: interrupted" in capsys.readouterr().out
    # A driver that was killed had no time to write that down.
    store = Store(out)
    store.write_manifest({**store.manifest, "status": "running"})
    assert read_status(out).status == "interrupted"


def test_earlier_designs_are_listed(folder, tmp_path, capsys):
    out = tmp_path / "out"
    settings = compose(folder, out)
    for drift in (-0.1, -0.2, -0.3):
        run_study(settings.replace({"model.drift": drift}), program=PROGRAM)
    assert main(["status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("another design kept in earlier/") == 2
    assert printed.count("main, done, 8 runs") == 2


def test_futures_count_together(folder, tmp_path):
    out = tmp_path / "out"
    settings = compose(folder, out, None, "policy=lamps", "seeds=2",
                       "uncertainties={model.drift:[-0.1,-0.2,-0.3]}", "design={kind:grid}")
    run_study(settings, program=PROGRAM)
    status = read_status(out)
    assert status.total == status.done == sum(count.total for count in status.scenarios)
    assert {c.scenario: (c.total, c.done) for c in status.scenarios} == {
        "no_action": (6, 6), "lamps": (6, 6)}


@pytest.mark.parametrize("words", [["status"], ["status", "a", "b"], ["status", "nowhere"],
                                   ["status", "."], ["staus", "x"]])
def test_no_study_is_one_message_and_status_2(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("citysim: ")
    assert list(tmp_path.iterdir()) == []

"""Studies on Ray: one cluster of this machine's own, two nodes of which one dies, none at all."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from citysim.config.errors import InputError
from citysim.study import ray_executor
from citysim.study.run import run_study
from citysim.study.store import Store
from study_stub import (
    PROGRAM,
    calls,
    compose,
    nothing_lost,
    processes,
    start_driver,
    wait_for,
)

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None,
                               reason="the extra 'ray' is not installed")
TESTS = str(Path(__file__).parent)


@pytest.fixture
def marked(tmp_path, monkeypatch):
    """A trace folder, and an environment that every process of the study inherits."""
    monkeypatch.setenv("CITYSIM_TEST", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("0123456789abcdef" * 4)
    (tmp_path / "trace").mkdir()
    return tmp_path / "trace"


def others(mark):
    """Marked processes beside this one."""
    return [p for p in processes(mark) if p != os.getpid()]


def command(process):
    """Command line of a process, that of an agent once it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b"Agent"


@needs_ray
@pytest.mark.timeout(290)
def test_runs_that_fail_on_ray_leave_the_others_intact(folder, tmp_path, marked, monkeypatch):
    program = type(PROGRAM)(**{**PROGRAM.__dict__, "load_world": "study_stub:impatient"})
    settings = compose(folder, tmp_path / "out", marked, "executor=ray", "jobs=2", "seeds=1",
                       "time_limit_s=3", "policy=[lamps,beats,benches]", lamps="raise",
                       beats="kill", together="deaf", benches="kill_once")
    result = run_study(settings, program=program)
    by_name = result.runs.set_index("scenario")
    assert by_name["status"].to_dict() == {"no_action": "done", "benches": "done",
                                           "lamps": "failed", "beats": "failed",
                                           "together": "failed"}
    assert "no luck with seed 1" in by_name.loc["lamps", "error"]
    assert "Traceback" in by_name.loc["lamps", "error"]
    assert "died" in by_name.loc["beats", "error"]
    assert "time limit of 3 s" in by_name.loc["together", "error"]
    assert by_name["attempts"].to_dict() == {"no_action": 1, "benches": 2, "lamps": 1,
                                             "beats": 3, "together": 1}
    assert len(calls(marked, "together")) == 1 and result.exit_status == 1
    nothing_lost(tmp_path / "out", [("no_action", 1), ("benches", 1)],
                 [("lamps", 1), ("beats", 1), ("together", 1)])
    wait_for(lambda: not others(tmp_path), 20)


@needs_ray
@pytest.mark.timeout(290)
def test_a_killed_driver_takes_its_ray_with_it(folder, tmp_path, marked):
    out = tmp_path / "out"
    driver = start_driver(folder, out, marked, "executor=ray", "jobs=2", together="hang")
    try:
        wait_for(lambda: len(calls(marked, "together")) == 2)
        assert len(processes(out)) > 3
    finally:
        driver.kill()
        driver.communicate()
    # Ray's two agents, which hold nothing, try to tell its head for a minute and then end.
    wait_for(lambda: all(b"Agent" in command(p) for p in processes(out)), 30)
    assert len(Store(out).runs()) == 6


@needs_ray
@pytest.mark.timeout(290)
def test_every_run_completes_though_one_of_two_nodes_is_killed(folder, tmp_path, marked):
    from ray.cluster_utils import Cluster

    settings = compose(folder, tmp_path / "out", marked, "executor=ray", "seeds=6", seconds=0.5)
    cluster = Cluster(initialize_head=True,
                      head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        lost = cluster.add_node(num_cpus=1)
        settings = settings.replace({"executor": {"kind": "ray", "address": cluster.address}})
        killed = []

        def kill_one(news):
            if news.phase == "runs" and news.done == 6 and not killed:
                killed.append(lost.all_processes["raylet"][0].process.pid)
                os.kill(killed[0], signal.SIGKILL)

        result = run_study(settings, kill_one, PROGRAM)
    finally:
        cluster.shutdown()
    assert killed and result.exit_status == 0
    nothing_lost(tmp_path / "out", {(name, seed) for seed in range(1, 7)
                                    for name in ("no_action", "lamps", "beats", "together")})
    assert len({process for _, _, process in calls(marked)}) >= 2
    wait_for(lambda: not others(tmp_path), 20)


def test_ray_that_is_not_installed_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed"):
        run_study(compose(folder, tmp_path / "out", None, "executor=ray"), program=PROGRAM)
    assert list(tmp_path.iterdir()) == []


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:{closed}", "nowhere", "auto", "127.0.0.1:99999"])
def test_an_address_where_no_cluster_answers_is_refused(folder, tmp_path, monkeypatch, address):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.socket() as taken:  # a port that nothing listens at
        taken.bind(("127.0.0.1", 0))
        address = address.format(closed=taken.getsockname()[1])
        settings = compose(folder, tmp_path / "out", None, "executor=ray",
                           f"executor.address='{address}'")
        with pytest.raises(InputError) as caught:
            run_study(settings, program=PROGRAM)
    assert caught.value.where == "executor.address" and "auto" in caught.value.allowed
    assert list(tmp_path.iterdir()) == []


@needs_ray
def test_a_listener_that_is_no_cluster_is_given_up(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_executor, "_PATIENCE", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings = compose(folder, tmp_path / "out", None, "executor=ray",
                           f"executor.address='127.0.0.1:{deaf.getsockname()[1]}'")
        with pytest.raises(InputError, match="no answer in 3 s"):
            run_study(settings, program=PROGRAM)
    assert list(tmp_path.iterdir()) == []


@needs_ray
def test_a_worker_with_other_code_or_without_the_folder_says_so(folder, tmp_path, monkeypatch):
    from citysim.study.design import code_hash, runs_of
    from citysim.study.worker import Setup, Task

    settings = compose(folder, tmp_path / "out")
    task = Task.of(runs_of(settings)[0])
    setup = Setup(PROGRAM, settings, str(tmp_path / "out"), str(tmp_path / "out/.scratch"), "s",
                  code_hash())
    # In a worker this sets the environment for good; here it would outlive the test.
    monkeypatch.setattr(ray_executor, "limit_threads", lambda threads: None)
    record = ray_executor._carry_out(task, setup)
    assert record["status"] == "failed" and "does not see" in record["error"]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(ray_executor, "code_hash", lambda: "other")
    assert "another version" in ray_executor._carry_out(task, setup)["error"]


def test_importing_the_executor_does_not_import_ray():
    done = subprocess.run([sys.executable, "-c", "import sys, citysim.study.ray_executor, "
                           "citysim.cli.main; sys.exit('ray' in sys.modules)"])
    assert done.returncode == 0

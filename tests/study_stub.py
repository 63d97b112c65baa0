"""A small configuration folder and a stand-in for the model, for tests of config, study, cli.

The stand-in takes its orders from ``city.orders``, a mapping that the stub city holds.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from citysim.config.errors import InputError
from citysim.study.program import Program

PROGRAM = Program(check="study_stub:check", build_world="study_stub:build_world",
                  load_world="study_stub:World.load", simulate="study_stub:simulate",
                  summarise="study_stub:summarise", write_report="study_stub:write_report",
                  main_table="study_stub:main_table")

FILES = {
    "config.yaml": """
defaults:
  - city: village
  - population: default
  - model: default
  - offences: default
  - prices: default
  - policy: []
  - executor: serial
  - _self_
  - experiment: main
  - override hydra/job_logging: disabled
  - override hydra/hydra_logging: disabled
name: null
days: 84
seeds: 8
""",
    "experiment/main.yaml": """# @package _global_
defaults:
  - override /policy: [lamps, beats]
name: main
question: What helps?
days: 3
seeds: 2
budget: 1000
model:
  guardianship:
    light_share: 0.5
""",
    "experiment/single.yaml": "# @package _global_\nquestion: Does it help?\ndays: 5\n",
    "executor/local.yaml": "kind: local\n",
    "executor/serial.yaml": "kind: serial\n",
    "executor/ray.yaml": "kind: ray\naddress: null\n",
    "city/village.yaml": """
name: Village
residents: {value: 200, unit: persons, source: census}
slope: {value: -0.3, unit: share, source: assumed}
districts:
  - {name: North, homes: {value: 40, unit: count, source: census}}
orders: {}
""",
    "city/hamlet.yaml": """
name: Hamlet
residents: {value: 20, unit: persons, source: census}
orders: {}
""",
    "population/default.yaml": "ties: {degree: {value: 8, unit: count, source: assumed}}\n",
    "model/default.yaml": """
guardianship:
  enabled: true
  saturation: {value: 0.7, unit: persons, source: Smith 2001, range: [0.3, 3]}
  light_share: {value: 0.75, unit: share, source: assumed}
  shape: {value: convex, unit: word, source: assumed, options: [convex, linear]}
  decay: {value: 2.0, unit: h, source: assumed, bounds: [0.5, 10]}
drift: {value: -0.2, unit: 1/day, source: assumed}
""",
    "offences/default.yaml": """
robbery:
  label: Robbery
  weight: {value: 1.6, unit: "1", source: assumed}
burglary:
  label: Burglary
  weight: {value: 1.6, unit: "1", source: assumed}
  loss: {value: 100, unit: EUR, source: assumed}
""",
    "prices/default.yaml": """
places.lighting:
  control: city
  per: lamp
  running: {value: 10, unit: EUR, source: assumed}
""",
    "policy/lamps.yaml": """# @package policies.lamps
label: Lamps
measures:
  - lever: places.lighting
    amount: {value: 0.2, unit: share, source: assumed}
""",
    "policy/beats.yaml": "# @package policies.beats\nlabel: Beats\nmeasures: []\n",
    "policy/benches.yaml": "# @package policies.benches\nlabel: Benches\nmeasures: []\n",
}


def write_configs(folder: Path) -> Path:
    """Write the stub's configuration files; returns the folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class World:
    """A world that is a file; its streets can be read from another (order ``streets``)."""

    def __init__(self, streets=""):
        self.streets = streets

    def save(self, path):
        Path(path).write_text(f"world{self.streets}", encoding="utf-8")

    @classmethod
    def load(cls, path):
        text = Path(path).read_text(encoding="utf-8")
        assert text.startswith("world")
        return cls(text.removeprefix("world"))


def check(settings):
    """Refuse a city without residents."""
    if settings.city["residents"] == 0:
        raise InputError("a city without residents", where="city.residents", allowed="1 or more")


def build_world(settings):
    """Build, or fail as a broken street file does."""
    if settings.city["orders"].get("broken_streets"):
        raise InputError("not a street file", where="city.streets")
    if "worlds" in settings.city["orders"]:
        name = f"{settings.city['residents']}.{os.getpid()}.{time.monotonic_ns()}"
        (Path(settings.city["orders"]["worlds"]) / name).touch()
    streets = settings.city["orders"].get("streets")
    return World(Path(streets).read_text(encoding="utf-8") if streets else "")


def simulate(settings, scenario, seed, world):
    """Leave a trace of the call, obey the orders, return a small table."""
    assert isinstance(world, World)
    orders = settings.city["orders"]
    if "trace" in orders:
        name = f"{scenario.name}.{seed}.{os.getpid()}.{time.monotonic_ns()}"
        (Path(orders["trace"]) / name).touch()
    order = orders.get(scenario.name)
    if order == "raise":
        raise ValueError(f"no luck with seed {seed}")
    if order == "interrupt":
        raise KeyboardInterrupt
    if order == "kill" or (order == "kill_once" and len(calls(orders["trace"], scenario.name,
                                                              seed)) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "hang":
        time.sleep(600)
    if order == "deaf":
        deaf(settings, scenario, seed, world)
    time.sleep(orders.get("seconds", 0))
    import pyarrow as pa  # here, so that workers of other tests start quickly

    crimes = float(world.streets or seed)
    if "noise" in orders and scenario.policies:  # the luck that seeds differ by
        crimes += orders["noise"] * (-1) ** seed
        crimes += settings.model.drift if "drift" in orders else 0  # what futures differ by
    values = [crimes, settings.model.guardianship.saturation]
    return {"outcomes": pa.table({"outcome": ["crime.true.all", "saturation"],
                                  "group": ["all", "all"], "unit": ["crimes", "persons"],
                                  "value": values})}


def deaf(settings, scenario, seed, world):
    """A run that takes no notice of its time limit."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(600)


def stillborn(pipe, setup):
    """A worker that ends before it begins."""
    os._exit(3)


def compose(folder, out, trace=None, *words, **orders):
    """Settings of the stub study with orders for the stand-in model."""
    from citysim.config.compose import compose_study

    if trace is not None:
        orders["trace"] = str(trace)
    settings = compose_study([f"output_dir={out}", *words], folder, folder)
    return settings.replace({"city.orders": orders})


def calls(trace, scenario="*", seed="*"):
    """Traces left by :func:`simulate`, as (scenario, seed, process)."""
    found = sorted(Path(trace).glob(f"{scenario}.{seed}.*"))
    return [(p.name.split(".")[0], int(p.name.split(".")[1]), int(p.name.split(".")[2]))
            for p in found]


def nothing_lost(out, done, failed=()):
    """DuckDB reads the finished runs, (scenario, seed) each, and no others; failures are told."""
    import duckdb

    from citysim.study.store import Store

    runs = duckdb.sql("select scenario, seed, status, error from read_parquet("
                      f"'{out}/results/runs/*.parquet', union_by_name=true)").fetchall()
    assert {(r[0], r[1]) for r in runs if r[2] == "done"} == set(done)
    told = {(r[0], r[1]): r[3] for r in runs if r[2] == "failed"}
    assert set(told) == set(failed) and all(told.values())
    rows = duckdb.sql("select distinct scenario, seed from read_parquet("
                      f"'{out}/results/outcomes/*.parquet', union_by_name=true)").fetchall()
    assert set(rows) == set(done)
    assert len(Store(out).read("outcomes")) == 2 * len(done)
    assert not (out / ".scratch").exists() and not list(out.rglob("*.part"))


def processes(mark):
    """Living processes whose environment holds ``CITYSIM_TEST=mark``; they inherit it.

    Python's own tracker of shared memory is none of them: it stays while the test's process does.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "environ").read_bytes().split(b"\0")
            tracker = b"resource_tracker" in (place / "cmdline").read_bytes()
            if f"CITYSIM_TEST={mark}".encode() in words and alive(int(place.name)) and not tracker:
                found.append(int(place.name))
        except OSError:  # it has just ended, or is another user's
            continue
    return found


def alive(process):
    """Whether a process runs (one that ended but was not collected does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds=200):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
if __name__ == "__main__":
    from study_stub import PROGRAM
    from citysim.cli.main import main
    from citysim.config import compose, lookup
    from citysim.study import design, manifest, ray_executor
    compose.shipped_config_dir = lookup.shipped_config_dir = lambda: Path({configs!r})
    # The same code as the test's, even if a file is edited while the tests run.
    for module in (design, manifest, ray_executor):
        module.code_hash = lambda: {code!r}
    sys.exit(main({words!r}, PROGRAM))
"""


def start_driver(configs, out, trace, *words, **orders):
    """``citysim run`` of the stub in a process of its own, marked with its output folder."""
    from citysim.study.design import code_hash

    tests = str(Path(__file__).parent)
    orders = ",".join(f"{k}:{v!r}" for k, v in {"trace": str(trace), **orders}.items())
    words = ["run", "--config-path", str(configs), f"output_dir={out}",
             f"city.orders={{{orders}}}", *words]
    script = Path(out).with_name(f"{Path(out).name}_drive.py")
    script.write_text(DRIVER.format(tests=tests, code=code_hash(), configs=str(configs),
                                    words=words), encoding="utf-8")
    environment = {**os.environ, "CITYSIM_TEST": str(out), "PYTHONPATH": tests}
    return subprocess.Popen([sys.executable, str(script)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def summarise(folder):
    """Mean of every outcome by scenario."""
    from citysim.study.store import Store

    data = Store(folder).read("outcomes")
    return data.groupby(["scenario", "outcome"], as_index=False)["value"].mean()


def write_report(folder, world):
    """A page of one word."""
    path = Path(folder) / "report.html"
    path.write_text("report", encoding="utf-8")
    return path


def main_table(summary):
    """One line per scenario."""
    crime = summary[summary["outcome"] == "crime.true.all"]
    return "\n".join(f"{r.scenario}: {r.value:.2f} crimes" for r in crime.itertuples())


def impatient(path):
    """Load the world in a worker whose grace is short; Ray's workers take no monkeypatch."""
    from citysim.study import ray_executor, worker

    ray_executor.GRACE = worker.GRACE = 0.5
    return World.load(path)

"""Every command of the README runs, in small, from an empty folder; every shipped choice too."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = ["city=town", "days=2", "warmup_days=1", "seeds=2", "jobs=1"]
LIGHT = "policies.street_lighting.dose=0.5"


READS = ("status", "results", "analyse")  # commands about a study that is there


def commands():
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", README, re.S | re.M)
    blocks = [text for language, text in fenced if not language]
    joined = [re.sub(r"\n {4,}", " ", block) for block in blocks]
    lines = [line.split("#")[0].strip() for block in joined for line in block.splitlines()]
    return [line for line in lines if line.startswith("citysim")]


def reads(line):
    """Whether a command is about a study that is there already."""
    return line.split()[1:2] in [[name] for name in READS]


@pytest.fixture(scope="module")
def flagship(tmp_path_factory):
    """The main study in small, in the folder that the README speaks of."""
    folder = tmp_path_factory.mktemp("flagship")
    done = run(["experiment=flagship", *SMALL], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run(words, folder, options=("--config-path", str(ROOT / "configs"))):
    call = "import sys; from citysim.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", call, *options, *words], cwd=folder,
                          capture_output=True, text=True, timeout=280)


def in_small(words):
    """The same command on the town for two days; what it says itself stays."""
    if words[0] == "evidence":
        return [*words, "scale=0.1", "executor=serial",
                "--trial", "switched_off_miniature"]
    if words[0] in ("list", "plan") or words[:2] == ["city", "describe"]:
        return words
    kept = [w for w in words if not w.startswith(("seeds=", "days=", "city=town"))]
    kept = [LIGHT if w.startswith("policies.street_lighting.dose=") else w for w in kept]
    has_city = any(k.startswith("city=") for k in kept)
    return kept + [w for w in SMALL if not (w == "city=town" and has_city)]


def test_the_readme_has_its_commands():
    assert len(commands()) >= 8


@pytest.mark.parametrize("line", [c for c in commands() if reads(c)])
def test_every_command_about_a_study_runs(line, flagship):
    done = run(shlex.split(line)[1:], flagship, options=())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no_action" in done.stdout or "analysis" in done.stdout


@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("citysim evidence")])
def test_every_command_about_the_evidence_runs(line, tmp_path):
    configs = shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for depth in ("quick", "full"):
        (configs / f"evidence/board/{depth}.yaml").write_text(
            "year: {city: town, seeds: 1}\nquickened: true\nseeds: {switched_off_miniature: 1}\n")
    (configs / "evidence/board/sweep.yaml").write_text("quickened: true\nseeds: 1\n")
    with (configs / "evidence/trials/switched_off_miniature.yaml").open("a") as entry:
        entry.write("constants: [model.deterrence.tau_decay]\n")
    words = [*in_small(shlex.split(line)[1:]), "--config-path", str(configs)]
    done = run(words, tmp_path, options=())
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: aims that are missed
    shown, page = ("Main figures", "sweep/report.html") if "sweep" in words else \
        ("Trials", "report.html")
    assert shown in done.stdout and (tmp_path / "outputs/evidence" / page).exists()


@pytest.mark.parametrize("line", [c for c in commands()
                                  if not reads(c) and not c.startswith("citysim evidence")])
def test_every_command_of_the_readme_runs(line, tmp_path):
    words = in_small(shlex.split(line)[1:])
    if any("my_streets" in w for w in words):
        words = [w.replace("my_streets.gpkg", str(street_file(tmp_path))) for w in words]
    done = run(words, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def street_file(folder):
    """A street file such as a reader may have: a grid of lines in metres."""
    import geopandas
    from shapely.geometry import LineString

    lines = [LineString([(i * 90, 0), (i * 90, 720)]) for i in range(9)]
    lines += [LineString([(0, i * 90), (720, i * 90)]) for i in range(9)]
    path = folder / "my_streets.gpkg"
    geopandas.GeoDataFrame(geometry=lines, crs="EPSG:32632").to_file(path)
    return path


def test_the_mesa_script_of_the_readme_runs(tmp_path):
    script = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    assert "CityModel" in script
    done = subprocess.run([sys.executable, "-c",
                          "import matplotlib; matplotlib.use('Agg')\n" + script],
                          cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "week.png").stat().st_size > 10_000


def test_the_analysts_script_of_the_readme_runs(flagship):
    script = re.findall(r"```python\n(.*?)```", README, re.S)[1]
    done = subprocess.run([sys.executable, "-c",
                          "import matplotlib; matplotlib.use('Agg')\n" + script],
                          cwd=flagship, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "night_activation" in done.stdout


def test_every_policy_runs_together_and_alone(tmp_path):
    names = sorted(p.stem for p in (ROOT / "configs" / "policy").glob("*.yaml"))
    assert len(names) >= 6
    done = run([f"policy=[{','.join(names)}]", *SMALL, f"output_dir={tmp_path / 'all'}"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("city", ["geodanet", "turin_dora"])
def test_every_city_that_needs_no_file_runs(city, tmp_path):
    done = run([f"city={city}", "policy=street_lighting", "days=1", "warmup_days=1", "seeds=2",
                "jobs=1", f"output_dir={tmp_path / city}"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_describing_a_city_says_how_well_the_margins_are_met(tmp_path):
    done = run(["city", "describe", "city=town"], tmp_path)
    assert done.returncode == 0, done.stderr
    fit = re.search(r"People: (\d+) of (\d+) margins within one percentage point", done.stdout)
    assert fit and int(fit[2]) > 20 and int(fit[1]) >= 0.95 * int(fit[2])
    assert list((tmp_path / "outputs" / "city").glob("*.png"))

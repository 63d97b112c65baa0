"""What tests share: a small town, built once, and models of it; the stub's configuration."""

from __future__ import annotations

import copy
import os

# Said once and for all: numba asks again whenever it compiles, and refuses another answer.
os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import numba
import pytest

from citysim import CityModel, compose
from citysim.model import phases
from citysim.model.world import build_world
from study_stub import write_configs

numba.get_num_threads()  # starts the threads now, before a test can change what is asked for

POLICIES = ("night_activation", "community_policing", "youth_programme", "hot_spot_policing",
            "street_lighting", "place_regeneration")

LONGEST = ("test_readme", "test_ray")  # files; begun last, they would keep one worker busy alone


def pytest_collection_modifyitems(items):
    """The longest files first, so that both workers end at about the same time."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session")
def town_settings():
    """Settings of ``city=town`` without warm-up; every shipped policy can be chosen."""
    return compose(["city=town", f"policy=[{','.join(POLICIES)}]", "warmup_days=0", "days=7"])


@pytest.fixture(scope="session")
def town_world(town_settings):
    """City and population of the town; models copy what they change."""
    return build_world(town_settings)


@pytest.fixture(scope="session")
def town(town_settings, town_world):
    """Make a model: ``town({path: value}, seed=1, policies=(), threads=1)``."""
    def make(changes=None, *, seed=1, policies=(), threads=1):
        settings = town_settings.replace(changes) if changes else town_settings
        return CityModel(settings, seed, policies, town_world, threads=threads)

    return make


# In a town of this size most offences are rare; these factors make all of them frequent.
MORE = {"theft_person": 150, "robbery": 500, "burglary_home": 600, "vehicle_theft": 600,
        "theft_from_vehicle": 250, "shop_theft": 200, "assault": 300, "harassment": 15,
        "vandalism": 30, "domestic_abuse": 20}


@pytest.fixture(scope="session")
def busy_changes(town_settings):
    """Settings under which every offence is frequent enough to count."""
    levels = {f"offences.{name}.level": factor * town_settings.offences[name].level
              for name, factor in MORE.items()}
    return {**levels, "model.offending.rate": 0.15}


@pytest.fixture(scope="session")
def _busy_week(town, busy_changes):
    model = town(busy_changes, policies=("night_activation", "hot_spot_policing"))
    model.run_days(7)
    return model


@pytest.fixture
def busy_week(_busy_week):
    """A copy of a model that has seen a week of very much crime, before midnight closes it."""
    return copy.deepcopy(_busy_week)


@pytest.fixture(scope="session")
def _evening(town, busy_changes):
    """Saturday 22:00 of the first week, before the hour begins; visitors and drinkers are out."""
    model = town(busy_changes)
    for _ in range(5 * 24 + 22):
        model.step()
    return model


@pytest.fixture
def evening(_evening):
    """A copy of a model before Saturday 22:00."""
    return copy.deepcopy(_evening)


@pytest.fixture(scope="session")
def _morning(town, busy_changes):
    model = town(busy_changes)
    for _ in range(24 + 8):
        model.step()
    return model


@pytest.fixture
def morning(_morning):
    """A copy of a model before Tuesday 08:00."""
    return copy.deepcopy(_morning)


@pytest.fixture
def hour(evening):
    """Saturday 22:00 when offenders have acted and nothing has followed yet."""
    for _, phase in phases.PHASES[:5]:
        phase(evening)
    evening.recorder.n_events = evening.first_event = 0
    evening.recorder.events[:] = 0
    return evening


# --- the stand-in for the model

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The stub's configuration files."""
    return write_configs(tmp_path_factory.mktemp("configs"))


@pytest.fixture
def trace(tmp_path):
    """Where the stand-in leaves a trace of every call."""
    path = tmp_path / "trace"
    path.mkdir()
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder beside a stub configuration that counts as the shipped one."""
    configs = write_configs(tmp_path / "stub")
    monkeypatch.setattr("citysim.config.compose.shipped_config_dir", lambda: configs)
    monkeypatch.setattr("citysim.config.lookup.shipped_config_dir", lambda: configs)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"

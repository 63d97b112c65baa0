"""Descriptions of cities and built ones, for the tests of cities."""

import copy
import functools
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from citysim.city.city import build_city
from citysim.city.spec import plain

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
METRIC = "EPSG:32632"
CORNER = np.array([500_000.0, 5_000_000.0])


@functools.cache
def _composed(name):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return plain(OmegaConf.to_container(compose(overrides=[f"+city={name}"]).city))


def mapping(name="town", **changes):
    """The shipped city as a plain mapping, with dotted keys (``__`` for a dot) replaced."""
    result = copy.deepcopy(_composed(name))
    for key, value in changes.items():
        *path, last = key.split("__")
        node = functools.reduce(lambda n, k: n[k], path, result)
        node[last] = value
    return result


@functools.cache
def city(name="town"):
    return build_city(_composed(name))

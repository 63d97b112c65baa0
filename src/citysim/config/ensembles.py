"""Ensembles of calibrated parameters: which file a study draws from, and which point a seed gets.

The key ``parameters`` of a study chooses: ``auto`` (the ensemble that lies beside the study's city
under its name; everything as configured where there is none), ``point`` (everything as configured),
the name of a file in ``configs/parameters``, or the path of a file. All scenarios of a seed share
its point, so that contrasts stay paired.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.factors import paths_of
from citysim.config.lookup import (
    ROOT,
    find_config_dir,
    option_files,
    options,
    read_yaml,
    shipped_config_dir,
)
from citysim.config.paths import keys_of
from citysim.config.settings import Settings
from citysim.config.study_keys import AUTO, POINT

FOLDER = "parameters"
KEYS = ("city", "made", "paths", "points", "targets", "left_out", "undetermined")
"""Keys of a file; all but ``city``, ``paths`` and ``points`` are there to be read by people."""


@dataclass(frozen=True)
class Ensemble:
    """Points of parameters that a study draws from.

    Attributes
    ----------
    name, file
        As chosen; where it lies.
    city
        Option of the city that it was made for.
    paths
        Parameters that it sets, by dotted path.
    points
        One row per point, values in the order of ``paths``.
    """

    name: str
    file: str
    city: str
    paths: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]

    def drawn(self, seed: int) -> dict[str, float]:
        """The point of a seed: seed 1 gets the first, the next seed the next, round and round."""
        row = self.points[(seed - 1) % len(self.points)]
        return dict(zip(self.paths, row, strict=True))

    def without(self, paths: set[str]) -> Ensemble:
        """The same ensemble with some parameters left as they are."""
        keep = [i for i, path in enumerate(self.paths) if path not in paths]
        return Ensemble(self.name, self.file, self.city, tuple(self.paths[i] for i in keep),
                        tuple(tuple(row[i] for i in keep) for row in self.points))

    def entry(self) -> dict[str, Any]:
        """What a manifest tells of it."""
        return {"name": self.name, "file": self.file, "city": self.city,
                "points": len(self.points), "paths": list(self.paths)}


def ensemble_of(settings: Settings) -> Ensemble | None:
    """The ensemble that a study draws its parameters from; ``None`` for parameters as configured.

    Parameters that were set by hand, on the command line or in the study's file, stay as set, and
    those that a lever or an uncertainty sets are left to it.

    Raises
    ------
    InputError
        If there is no such ensemble, or its file is not right.
    """
    name = settings.parameters
    if name == POINT:
        return None
    file = _own(settings) if name == AUTO else _named(settings, name)
    if file is None:
        return None
    found = read_ensemble(file, file.stem if name == AUTO else name, settings)
    spread = {path for role in ("levers", "uncertainties")
              for factor, keys in (settings[role] or {}).items() for path in paths_of(factor, keys)}
    found = found.without(spread | given_by_hand(settings, found.paths))
    return found if found.paths else None


def read_ensemble(file: Path, name: str, settings: Settings) -> Ensemble:
    """One checked ensemble.

    Parameters
    ----------
    file, name
        Where it lies and what it is called.
    settings
        Say which parameters exist and what each accepts.

    Raises
    ------
    InputError
        With file and key.
    """
    content, where = read_yaml(file, KEYS), str(file)
    paths, points = content.get("paths"), content.get("points")
    if not isinstance(paths, list) or not paths or len(set(map(str, paths))) < len(paths):
        raise InputError("no list of different parameters", where=f"{where}, key paths",
                         allowed="dotted paths such as offences.robbery.level")
    if not isinstance(points, list) or not points:
        raise InputError("holds no points", where=f"{where}, key points",
                         allowed="one list of values per point")
    for number, row in enumerate(points):
        if not isinstance(row, list) or len(row) != len(paths):
            raise InputError(f"point {number + 1} does not have {len(paths)} values",
                             where=f"{where}, key points", allowed=", ".join(map(str, paths)))
        _accepted(settings, dict(zip(paths, row, strict=True)), f"{where}, point {number + 1}")
    return Ensemble(name, where, str(content.get("city", "")), tuple(paths),
                    tuple(tuple(row) for row in points))


def _accepted(settings: Settings, values: dict[str, Any], where: str) -> None:
    try:
        settings.replace(values)
    except InputError as error:
        raise InputError(error.message, where=f"{where}, {error.where}", allowed=error.allowed,
                         closest=error.closest) from None


def _own(settings: Settings) -> Path | None:
    """The ensemble of the study's city, or ``None``.

    It has to lie in the folder that the city comes from: levels fitted to the shipped city say
    nothing of another one of that name.
    """
    city = settings.files.get("city")
    if city is None:
        return None
    file = Path(city).parents[1] / FOLDER / Path(city).name
    return file if file.is_file() else None


def _named(settings: Settings, name: str) -> Path:
    if name.endswith(".yaml") or "/" in name:
        file = Path(name).expanduser()
        if not file.is_file():
            raise InputError(f"there is no file '{name}'", where="parameters",
                             allowed="a file made by citysim calibrate")
        return file
    folder = _folder(settings)
    known = options(folder.parent, FOLDER)
    if name not in known:
        raise InputError(f"unknown parameters '{name}'", where=f"parameters (files in {folder})",
                         allowed=[AUTO, POINT, *known],
                         closest=closest_match(name, [AUTO, POINT, *known]))
    return folder / f"{name}.yaml"


def _folder(settings: Settings) -> Path:
    """``parameters`` of the study's configuration, or the shipped one."""
    own = Path(settings.config_dir or find_config_dir()) / FOLDER
    return own if own.is_dir() else shipped_config_dir() / FOLDER


def given_by_hand(settings: Settings, paths: Iterable[str]) -> set[str]:
    """Those of the parameters that the command line, code, or the study's files set.

    A mapping given for a branch sets the whole branch by hand.
    """
    given = [text.lstrip("+~").partition("=") for text in settings.overrides]
    words = {word.removesuffix(".value") for word, _, _ in given}
    branches = tuple(f"{word}." for word, _, value in given if "." in word or value[:1] == "{")
    files = [read_yaml(file) for file in _study_files(settings)]
    return {path for path in paths if path in words or path.startswith(branches)
            or any(_holds(content, path) for content in files)}


def _study_files(settings: Settings) -> list[Path]:
    """The file at the root of the configuration, that of the study, and those it builds on."""
    study = settings.files.get("experiment")
    if study is None:
        return []
    folder = Path(study).parents[1]
    files = [folder / f"{ROOT}.yaml", *option_files(folder, "experiment", Path(study).stem)]
    return [file for file in files if file.is_file()]


def _holds(content: Any, path: str) -> bool:
    for key in keys_of(content, path):
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True

"""Where the configuration files lie and which options each group offers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from citysim.config.errors import InputError, closest_match

ROOT = "config"
_PACKAGED = "_configs"
_DATA = ("calibration", "parameters")  # read as they are, not merged by Hydra


def shipped_config_dir() -> Path:
    """Folder of the configs that belong to this code: beside the source, or packaged.

    Raises
    ------
    InputError
        If neither is there (a broken installation).
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package.parents[1] / "configs", package / _PACKAGED)
    for folder in candidates:
        if _holds_configs(folder):
            return folder
    raise InputError("the shipped configuration is missing; install citysim again",
                     where=str(candidates[1]))


def find_config_dir(config_path: str | Path | None = None) -> Path:
    """Folder that a study is composed from.

    Looked up in this order: ``config_path``, ``./configs``, the checkout that the source
    lies in, the packaged copy.

    Raises
    ------
    InputError
        If ``config_path`` is given and holds no ``config.yaml``.
    """
    if config_path is not None:
        folder = Path(config_path).expanduser().resolve()
        if not _holds_configs(folder):
            problem = "has no config.yaml" if folder.is_dir() else "does not exist"
            near = [p.name for p in folder.parent.glob("*/") if p != folder] \
                if folder.parent.is_dir() else []
            raise InputError(f"the configuration folder '{config_path}' {problem}",
                             where="--config-path", allowed="a folder that holds config.yaml",
                             closest=closest_match(folder.name, near))
        return folder
    here = Path.cwd() / "configs"
    return here if _holds_configs(here) else shipped_config_dir()


def groups(folder: Path) -> list[str]:
    """Names of the config groups in ``folder``."""
    return sorted(p.name for p in folder.iterdir()
                  if p.is_dir() and p.name not in _DATA and any(p.glob("*.yaml")))


def options(folder: Path, group: str) -> list[str]:
    """Names of the options of one group; files in sub-folders are building blocks of others."""
    return sorted(p.stem for p in (folder / group).glob("*.yaml"))


def option_files(folder: Path, group: str, option: str | None) -> Iterator[Path]:
    """The file of an option, then those that its defaults list names."""
    file = folder / group / f"{option}.yaml"
    if file.is_file():
        yield file
        for entry in read_yaml(file).get("defaults", ()):
            if isinstance(entry, str) and entry != "_self_":
                yield from option_files(folder, group, entry.split("@")[0])


def read_yaml(path: Path, keys: Sequence[str] | None = None) -> dict:
    """Plain content of one YAML file (numbers such as ``1e3`` as numbers).

    Parameters
    ----------
    path
        The file.
    keys
        Those it may have at its top; any by default.

    Raises
    ------
    InputError
        If the file is not readable YAML, not a mapping, or has another key.
    """
    try:
        content = copy.deepcopy(_parsed(Path(path).read_text(encoding="utf-8")))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise yaml_refusal(error, str(path)) from error
    if not isinstance(content, dict):
        raise InputError("a configuration file must hold a mapping of keys", where=str(path))
    for key in content:
        if keys is not None and key not in keys:
            raise InputError(f"unknown key '{key}'", where=str(path), allowed=keys,
                             closest=closest_match(key, keys))
    return content


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """Content of a YAML text; a board asks for the same ensemble a hundred times over."""
    from omegaconf import OmegaConf  # kept out of the fast start

    return OmegaConf.to_container(OmegaConf.load(StringIO(text)), resolve=False)


def yaml_refusal(error: Exception, where: str | None = None) -> InputError:
    """A YAML parser's error with file and line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        name = where or mark.name
        where = f"{name}, line {mark.line + 1}"
    problem = getattr(error, "problem", None) or str(error)
    if isinstance(error, UnicodeDecodeError):
        problem = f"byte {error.start} is not UTF-8"
    return InputError(f"not readable as YAML: {problem}", where=where)


def _holds_configs(folder: Path) -> bool:
    return (folder / f"{ROOT}.yaml").is_file()

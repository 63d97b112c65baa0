"""The record of a study: what was asked, with what, by which code, on which machine."""

from __future__ import annotations

import contextlib
import platform
import re
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from citysim.config.ensembles import ensemble_of
from citysim.config.settings import Settings
from citysim.study.design import Run, code_hash, data_files, study_key
from citysim.study.executor import cores
from citysim.study.sampling import design_file, entry_of
from citysim.study.sweep import sweep_of
from citysim.study.worker import versions

_PLAIN_WORD = re.compile(r"[^\s'\"\\]+$")


def manifest_of(settings: Settings, runs: list[Run]) -> dict[str, Any]:
    """The manifest of a study as it starts.

    Parameters
    ----------
    settings
        Resolved settings.
    runs
        The study's design.

    Returns
    -------
    dict
        Ready for JSON. ``keys`` lists the runs that belong to the study, ``parameters`` the
        value, unit, source and prior range of every number by path, ``scenarios`` every option
        once (what its futures set stands in ``design.parquet``), ``factors`` the levers and
        uncertainties, ``ensemble`` where seeds draw their parameters from (what each drew stands
        in the table ``runs``).
    """
    sweep, ensemble = sweep_of(settings), ensemble_of(settings)
    files = _files(settings)
    return {
        "name": settings.name, "question": settings.question, "study_key": study_key(runs),
        "config_key": settings.key(), "status": "running", "started": now(), "finished": None,
        "command": command_of(settings, files), "config_dir": _own_config_dir(settings),
        "overrides": list(settings.overrides),
        "seeds": list(settings.seeds), "keys": [run.key for run in runs],
        "scenarios": [{"name": s.name, "policies": list(s.policies), "set": s.set}
                      for s in sweep.options.values()],
        "factors": [factor.entry() for factor in sweep.factors],
        "design": entry_of(settings, "design"), "futures": entry_of(settings, "futures"),
        "replicates": settings.replicates,
        "ensemble": ensemble.entry() if ensemble else None,
        "versions": versions(), "code": code_hash(), "data_files": files,
        "machine": {"cores": cores(), "system": platform.system(),
                    "processor": platform.machine(), "model": processor_model()},
        "config": settings.to_dict(),
        "parameters": {path: p._asdict() for path, p in settings.provenance.items()},
    }


def _files(settings: Settings) -> dict[str, str]:
    """Hash of every file of data: the city's, and tables of points."""
    tables = {str(path): str(path) for key in ("design", "futures")
              if settings[key] and settings[key]["file"]
              for path in [design_file(settings, key)]}
    return {**data_files(settings.city), **data_files(tables)}


def now() -> str:
    """This moment, UTC, ISO."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def processor_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What the processor is called, as the system tells it; empty where it does not."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+?)\s*$", cpuinfo.read_text(errors="replace"), re.M)
        if found:
            return found[1]
    return platform.processor()


def command_of(settings: Settings, files: Iterable[str] = ()) -> str:
    """The one command that makes these results again, baseline included.

    Parameters
    ----------
    settings
        Resolved settings, made in the folder that the command was given in.
    files
        Paths of data files, as written; where one of them, or the ensemble's, starts from that
        folder, the command goes there first.
    """
    words, own = ["citysim", "run"], _own_config_dir(settings)
    if own:
        words += ["--config-path", own]
    command = shlex.join(words + [_quoted(text) for text in settings.overrides])
    ensemble = settings.parameters
    paths = [*files, *([ensemble] if "/" in ensemble or ensemble.endswith(".yaml") else [])]
    if all(Path(path).expanduser().is_absolute() for path in paths):
        return command
    return f"cd {shlex.quote(str(Path.cwd()))} && {command}"


def _own_config_dir(settings: Settings) -> str | None:
    """The folder of configuration files, where it is not the shipped one."""
    from citysim.config.lookup import shipped_config_dir

    own = settings.config_dir
    return own if own and own != str(shipped_config_dir()) else None


def _quoted(text: str) -> str:
    """An override whose value reads back in Hydra's grammar."""
    key, equals, value = text.partition("=")
    if not equals or _PLAIN_WORD.match(value) or value[:1] in "[{'\"":
        return text
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"

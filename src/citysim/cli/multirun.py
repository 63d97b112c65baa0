"""Plain Hydra multirun: one study per combination of swept values (``citysim -m``)."""

from __future__ import annotations

import sys
from pathlib import Path

from citysim.cli.main import BAD_INPUT
from citysim.config.compose import VERSION_BASE, complete_overrides, compose_study
from citysim.config.errors import InputError
from citysim.config.lookup import ROOT, find_config_dir, groups
from citysim.study.program import Program
from citysim.study.run import check_study
from citysim.study.store import Store

_FORCE = "++"


def multirun(words: list[str], config_path: str | None, program: Program | None = None) -> int:
    """Let Hydra sweep over studies; each job's results go into Hydra's job folder.

    All combinations are composed and checked first, so that bad input stops the sweep before
    it begins. ``output_dir=DIR`` names the folder of the whole sweep.

    Returns
    -------
    int
        The worst exit status of the jobs.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig

    folder = find_config_dir(config_path)
    words = [f"hydra.sweep.dir={w.split('=', 1)[1]}" if w.startswith("output_dir=") else w
             for w in complete_overrides(words, folder)]
    Store(_sweep_folder(words)).refuse_if_unusable()
    for job in _combinations([w for w in words if not w.startswith("hydra")]):
        check_study(compose_study(job, folder), program)
    statuses: list[int] = []

    def study(_composed) -> None:
        from citysim.cli.study import run_settings

        job = HydraConfig.get()
        task = [w.removeprefix(_FORCE) if w not in words else w for w in job.overrides.task]
        settings = compose_study([*task, f"output_dir={job.runtime.output_dir}"], folder)
        try:
            statuses.append(run_settings(settings, program))
        except InputError as error:  # a street file, say: the other studies go on
            print(f"citysim: {error}", file=sys.stderr)
            statuses.append(BAD_INPUT)

    before = sys.argv
    sys.argv = [before[0], "--multirun", *_for_hydra(words, folder)]
    try:
        hydra.main(version_base=VERSION_BASE, config_path=str(folder), config_name=ROOT)(study)()
    finally:
        sys.argv = before
    return max(statuses, default=0)


def _sweep_folder(words: list[str]) -> str:
    """The folder that the sweep is told to go into, the present one by default."""
    given = [w.split("=", 1)[1] for w in words if w.startswith("hydra.sweep.dir=")]
    return given[-1] if given else "."


def _for_hydra(words: list[str], folder: Path) -> list[str]:
    """Values may name a parameter or an optional key, which Hydra alone would refuse."""
    chosen = ("hydra", "+", "~", *(f"{g}=" for g in groups(folder)))
    return [w if w.startswith(chosen) else _FORCE + w for w in words]


def _combinations(words: list[str]) -> list[list[str]]:
    """Every job's overrides, as Hydra's own sweeper splits them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(words)
        return [job for batch in BasicSweeper.split_arguments(parsed, max_batch_size=None)
                for job in batch]
    except HydraException as error:
        raise InputError(f"not understood: {str(error).splitlines()[0]}", where="command line",
                         allowed="key=A,B") from None

"""The command ``analyse``: what a study's design tells, into its folder and its report."""

from __future__ import annotations

import json
import sys

from citysim.cli.arguments import Parser
from citysim.config.errors import InputError

_MOST_SENTENCES = 12


def analyse(words: list[str], config_path: str | None = None, program=None) -> int:
    """Analyse a study's results again, write ``analysis/``, ``figures/`` and the report.

    Parameters
    ----------
    words
        ``DIR [OUTCOME ...] [--fails RULE ...]``.
    config_path
        Folder of configuration files that the study was composed from.
    program
        The functions that a study drives; the model's own by default.

    Raises
    ------
    InputError
        If there is no study, no such outcome, or a rule cannot be read.
    """
    parser = Parser(prog="citysim analyse", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--fails", action="append", default=[])
    parser.add_argument("--config-path", default=config_path)
    wanted = parser.parse_intermixed_args(words)
    if not wanted.words:
        raise InputError("which study?", where="citysim analyse",
                         allowed="DIR [OUTCOME ...] [--fails RULE], DIR a study's output folder")
    folder, *outcomes = wanted.words
    from citysim.analysis.contrasts import summarise
    from citysim.analysis.discovery import failing
    from citysim.analysis.sweep import analyse as analyse_study
    from citysim.report.page import write_report
    from citysim.results import open

    rules = [failing(text) for text in wanted.fails]
    study = open(folder)
    if not len(study.done):
        raise InputError("no run of this study ended well", where=folder,
                         allowed="a study with results; citysim status tells what failed")
    found = analyse_study(study, outcomes, rules, deep=True)
    world, why = _world(study.manifest, wanted.config_path, program)
    if why:
        print(f"citysim: {why}", file=sys.stderr)
    with study.store.locked():  # a study that is still running writes its own report
        report = write_report(study, world, summarise(study), found)
        study.store.write_manifest({**study.store.manifest, "files": study.store.fingerprint()})
    _tell(found)
    print(f"tables: {study.folder / 'analysis'}\nreport: {report}")
    return 0


def _world(manifest: dict, config_path: str | None, program):
    """The study's city and people, built again for maps and prices, or None and why not."""
    from citysim.config.compose import compose_study
    from citysim.config.settings import WORLD_PARTS
    from citysim.study.program import Program, resolve

    try:
        settings = compose_study(manifest.get("overrides") or [],
                                 config_path or manifest.get("config_dir"))
        now, then = json.loads(json.dumps(settings.to_dict())), manifest.get("config") or {}
        if any(now.get(part) != then.get(part) for part in WORLD_PARTS):
            return None, ("the city or its people are described differently since this study; "
                          "maps stay as they are, safety is priced by percentage point")
        return resolve((program or Program()).build_world)(settings), ""
    except InputError as error:
        return None, f"no maps: the study's city cannot be built again ({error.message})"


def _tell(found) -> None:
    """What was found, in sentences."""
    said = []
    if found.discovery is not None:
        rows = found.discovery.drop_duplicates(["fails_when", "option"])
        said += [f"{r.option} ({r.fails_when}): {r.said}" for r in rows.itertuples()]
    said += found.notes
    for text in said[:_MOST_SENTENCES]:
        print(text)
    if len(said) > _MOST_SENTENCES:
        print(f"and {len(said) - _MOST_SENTENCES} more like these, in the report")

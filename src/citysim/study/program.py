"""Which functions a study drives, by name, so that workers import them only when needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """Names (``module:function``) of what a study calls on other floors.

    Attributes
    ----------
    check
        ``(settings)``: refuses settings that no city or policy can be made from.
    build_world
        ``(settings) -> world`` with ``save(path)``.
    load_world
        ``(path) -> world``.
    simulate
        ``(settings=, scenario=, seed=, world=) -> dict of pyarrow tables``.
    summarise
        ``(folder) -> pandas.DataFrame`` of contrasts.
    write_report
        ``(folder, world) -> path``.
    half_width
        ``(folder, outcome) -> (half, floor)``: of the least certain contrast so far, and what more
        seeds would leave of it.
    main_table
        ``(summary, runs)`` -> what the terminal shows at the end.
    code
        Modules beyond the model's packages whose source can change what ``simulate`` gives; the
        keys of runs depend on them, so that no other program's runs are taken for this one's.
    """

    check: str = "citysim.study.check:check_inputs"
    build_world: str = "citysim.model.world:build_world"
    load_world: str = "citysim.model.world:World.load"
    simulate: str = "citysim.model.simulate:simulate"
    summarise: str = "citysim.analysis.contrasts:summarise"
    write_report: str = "citysim.report.page:write_report"
    half_width: str = "citysim.analysis.replicates:half_width"
    main_table: str = "citysim.analysis.terminal:main_table"
    code: tuple[str, ...] = ()


def resolve(name: str) -> Callable:
    """The function that ``module:qualified.name`` stands for."""
    module, _, qualified = name.partition(":")
    found = importlib.import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part)
    return found

"""Designs: the points at which the factors of a study are set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from citysim.config.errors import InputError, closest_match
from citysim.config.factors import MOST_POINTS
from citysim.config.settings import Settings
from citysim.study.factors import Factor, place_of

Point = tuple[Any, ...]
_SEED = 1
_MORRIS_LEVELS = 4
_ENDS = 2  # steps of a range, one at a time, when none are given


def points_of(settings: Settings, key: str, factors: Sequence[Factor]) -> list[Point]:
    """The points of a design, one row of the sampling matrix each.

    Parameters
    ----------
    settings
        The study's.
    key
        ``design`` or ``futures``.
    factors
        What it spreads.

    Returns
    -------
    list of tuple
        One value per factor, in their order and types. Rows of Sobol and Morris designs stand
        in the order that SALib's analyses expect, and may repeat a point.

    Raises
    ------
    InputError
        If the design's file cannot be read or does not fit the factors.
    """
    design = settings[key] or {"kind": "grid", "steps": None}
    kind = design["kind"]
    if kind == "grid":
        return list(product(*(f.steps(design["steps"] or _ENDS) for f in factors)))
    if kind == "one_at_a_time":
        return _one_at_a_time(factors, design["steps"] or _ENDS)
    if kind == "table":
        return _table(settings, key, factors)
    refuse_too_many(settings, key, design["points"] * _rows_of(kind, len(factors), design))
    shares = _SHARES[kind](len(factors), design)
    return [tuple(f.at(share) for f, share in zip(factors, row, strict=True))
            for row in shares.tolist()]


def refuse_too_many(settings: Settings, key: str, points: int) -> None:
    """Refuse more points than anyone means, before they fill the memory.

    Raises
    ------
    InputError
        Naming the key, and how many there may be.
    """
    if points > MOST_POINTS:
        raise InputError(f"a design of {points:,} points", where=place_of(settings, key),
                         allowed=f"at most {MOST_POINTS:,}: fewer points, factors or values")


def _rows_of(kind: str, n: int, design) -> int:
    """Rows of the sampling matrix for each point that is asked for."""
    sobol = 2 * n + 2 if design.get("second_order") else n + 2
    return {"sobol": sobol, "morris": n + 1}.get(kind, 1)


def entry_of(settings: Settings, key: str) -> dict[str, Any] | None:
    """A design as the manifest tells it: with what was left to default, ``None`` for none."""
    design = settings[key]
    if design is None and (key == "futures" or not settings.levers):
        return None
    design = dict(design or {"kind": "grid"})
    if design["kind"] in _SHARES:
        design["seed"] = _seed(design)
    if design["kind"] == "morris":
        design["levels"] = design["levels"] or _MORRIS_LEVELS
    return {name: value for name, value in design.items() if value is not None}


def _seed(design) -> int:
    return _SEED if design.get("seed") is None else design["seed"]


def _one_at_a_time(factors, steps) -> list[Point]:
    """As configured, then each factor at each of its values with the others as configured."""
    centre = tuple(f.configured for f in factors)
    points = [centre]
    for i, factor in enumerate(factors):
        points += [(*centre[:i], value, *centre[i + 1:]) for value in factor.steps(steps)
                   if value != centre[i]]
    return points


def _latin_hypercube(n, design) -> np.ndarray:
    from scipy.stats import qmc

    return qmc.LatinHypercube(d=n, rng=_seed(design)).random(design["points"])


def _sobol(n, design) -> np.ndarray:
    from SALib.sample import sobol

    return sobol.sample(_unit_problem(n), design["points"], seed=_seed(design),
                        calc_second_order=bool(design["second_order"]))


def _morris(n, design) -> np.ndarray:
    from SALib.sample import morris

    return morris.sample(_unit_problem(n), design["points"], seed=_seed(design),
                         num_levels=design["levels"] or _MORRIS_LEVELS)


def _unit_problem(n: int) -> dict[str, Any]:
    """SALib samples shares; the factors turn them into values, words and whole numbers too."""
    return {"num_vars": n, "names": [f"x{i}" for i in range(n)], "bounds": [[0, 1]] * n}


_SHARES = {"latin_hypercube": _latin_hypercube, "sobol": _sobol, "morris": _morris}


# --- points from a file ---------------------------------------------------------------------

def design_file(settings: Settings, key: str) -> Path:
    """The file of points: as named from here, or beside the study file.

    Raises
    ------
    InputError
        If there is no such file.
    """
    name = Path(settings[key]["file"]).expanduser()
    folders = [Path(), *([Path(settings.config_dir) / "experiment"] if settings.config_dir else [])]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    beside = [p.name for folder in folders for p in (folder / name).parent.glob("*")
              if p.suffix.lower() in (".csv", ".parquet") and p.is_file()]
    raise InputError(f"there is no file '{name}'", where=place_of(settings, f"{key}.file"),
                     allowed="a CSV or Parquet file with a column for each factor",
                     closest=closest_match(name.name, beside))


def _table(settings, key, factors) -> list[Point]:
    path = design_file(settings, key)
    columns = _columns(path)
    names = [f.name for f in factors]
    for name in columns:
        if name not in names:
            raise InputError(f"unknown column '{name}'", where=str(path), allowed=names,
                             closest=closest_match(name, set(names) - set(columns)))
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(f"lacks the column {', '.join(missing)}", where=str(path),
                         allowed=f"the columns {', '.join(names)}")
    if not columns[names[0]]:
        raise InputError("holds no rows", where=str(path), allowed="one row per point")
    values = [_accepted(factor, _numbers(factor, columns[factor.name]), path)
              for factor in factors]
    return list(zip(*values, strict=True))


def _columns(path: Path) -> dict[str, list[Any]]:
    """Columns of a CSV or Parquet file as plain values."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        table = parquet.ParquetFile(path).read() if path.suffix.lower() == ".parquet" \
            else csv.read_csv(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path),
                         allowed="a CSV or Parquet file with a column for each factor") from None
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise InputError(f"two columns '{twice[0]}'", where=str(path), allowed="one per factor")
    return table.to_pydict()


def _numbers(factor: Factor, values: list[Any]) -> list[Any]:
    """One word makes a whole column text; its numbers are numbers all the same."""
    if factor.is_text or not any(isinstance(value, str) for value in values):
        return values
    found = []
    for value in values:
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            found.append(value)
    return found


def _accepted(factor: Factor, values: list[Any], path: Path) -> list[Any]:
    found = []
    for row, value in enumerate(values, start=1):
        try:
            if value is None or value != value:
                raise ValueError("a value in every row")
            found.append(factor.accept(value))
        except ValueError as error:
            shown = "nothing" if value is None or value != value else repr(value)
            raise InputError(f"{shown} is not accepted",
                             where=f"{path}, column {factor.name}, row {row}",
                             allowed=str(error)) from None
    return found

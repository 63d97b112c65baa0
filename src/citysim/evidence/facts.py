"""Published regularities as data: one YAML file a fact, checked when it is read.

The keys are described in docs/evidence_measures.md. A fact names a measure, its arguments, and
what was published: one ``value``, ``values`` by part, a ``range``, or the words of ``one_of``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, read_yaml
from citysim.evidence.crimes import COUNTED, TRUE, CityData, Reading
from citysim.evidence.measures import check_arguments, describe, take

FOLDER = ("evidence", "facts")
TOLERANCE = ("evidence", "board", "tolerance.yaml")
USES = ("calibrate", "check", "method")
CONTEXT = "context"  # a part that is shown beside the others and not counted
STATUSES = ("confirmed", "secondary", "computed", "memory")
TARGETS = ("value", "values", "range", "one_of")
KEYS = ("id", "name", "measure", "counted", "arguments", *TARGETS, "parts", "factor", "unit",
        "tolerance", "source", "status", "use", "note")
PART_KEYS = ("arguments", "use", "note")


@dataclass(frozen=True)
class Tolerance:
    """When a simulated mean counts as inside or near.

    Attributes
    ----------
    inside, near
        Greatest deviation from a single value, as a share of it.
    width
        How far from a range still counts as near, as a share of its width.
    """

    inside: float
    near: float
    width: float


@dataclass(frozen=True)
class Part:
    """One published figure of a fact.

    Attributes
    ----------
    label
        Name within the fact; empty when it is the only one.
    arguments
        Of the measure.
    value
        Single published value, or ``None``.
    low, high
        Published range, or ``None``.
    one_of
        Words that the measure may give, or ``()``.
    use
        Use of the fact, or ``context``.
    note
        What to know of this part.
    """

    label: str
    arguments: dict[str, Any]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    one_of: tuple[str, ...] = ()
    use: str = "check"
    note: str = ""

    @property
    def target(self) -> str:
        """What was published, in words."""
        if self.one_of:
            return " or ".join(self.one_of)
        if self.value is not None:
            return f"{self.value:.4g}"
        return "" if self.low is None else f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class Fact:
    """One published regularity.

    ``counted`` says which crimes the source knows: all that happen (``true``, as surveys of
    victims aim at), those ``reported`` to the police, or those in their books (``recorded``).
    """

    id: str
    name: str
    measure: str
    parts: tuple[Part, ...]
    unit: str
    source: str
    status: str
    use: str
    tolerance: Tolerance
    note: str = ""
    factor: dict[str, Any] = field(default_factory=dict)
    counted: str = TRUE

    def read(self, part: Part, data: CityData | list[CityData]) -> Reading:
        """Take the measure of one part, on crimes counted as those of the source were."""
        if isinstance(data, list):
            return take(self.measure, [run.as_counted(self.counted) for run in data],
                        part.arguments)
        return take(self.measure, data.as_counted(self.counted), part.arguments)


def load_facts(config_path: str | Path | None = None, ids: Iterable[str] | None = None
               ) -> list[Fact]:
    """Read all facts, or those named.

    Parameters
    ----------
    config_path
        Folder of configuration files; found as for studies. One without facts uses the shipped.
    ids
        Names of files in ``evidence/facts``.

    Raises
    ------
    InputError
        On an unknown id, or a file that is not right: with file, key and closest match.
    """
    from citysim.config.lookup import shipped_config_dir

    folder = find_config_dir(config_path)
    if not folder.joinpath(*FOLDER).is_dir():
        folder = shipped_config_dir()
    files = {path.stem: path for path in sorted(folder.joinpath(*FOLDER).glob("*.yaml"))}
    wanted = list(files) if ids is None else list(ids)
    for name in wanted:
        if name not in files:
            raise InputError(f"no fact '{name}'", where=str(folder.joinpath(*FOLDER)),
                             allowed=list(files), closest=closest_match(name, files))
    default = _default_tolerance(folder)
    return [read_fact(read_yaml(files[name]), str(files[name]), default) for name in wanted]


def read_fact(entry: Mapping[str, Any], where: str, default: Tolerance) -> Fact:
    """One checked fact from the content of its file.

    Raises
    ------
    InputError
        With ``where`` and the key that is wrong.
    """
    _known(entry, KEYS, where)
    for key in ("id", "name", "measure", "unit", "source", "status", "use"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise InputError(f"the key '{key}' is missing or empty", where=where, allowed="text")
    if entry["id"] != Path(where).stem:
        raise InputError(f"the id '{entry['id']}' is not the file's name", where=f"{where}: id",
                         allowed=Path(where).stem)
    _one_of(entry["status"], STATUSES, f"{where}: status")
    _one_of(entry["use"], USES, f"{where}: use")
    found = describe(entry["measure"], f"{where}: measure")
    factor = _factor(entry, where)
    parts = tuple(_parts(entry, factor, where))
    for part in parts:
        check_arguments(found, part.arguments, f"{where}: arguments")
    counted = str(entry.get("counted", TRUE)).lower()  # YAML reads true as its own word
    _one_of(counted, COUNTED, f"{where}: counted")
    return Fact(entry["id"], entry["name"], entry["measure"], parts, entry["unit"],
                entry["source"], entry["status"], entry["use"],
                _tolerance(entry.get("tolerance"), default, where), _note(entry, f"{where}: note"),
                factor,
                counted)


def _parts(entry, factor, where):
    own = _mapping(entry, "arguments", where)
    told = _mapping(entry, "parts", where)
    given = [key for key in TARGETS if entry.get(key) not in (None, {})]
    if len(given) > 1 or (not given and entry["use"] != "method"):
        raise InputError("what was published is missing" if not given else
                         f"the keys {' and '.join(given)} exclude each other", where=where,
                         allowed="one of " + ", ".join(TARGETS))
    values = _mapping(entry, "values", where) if "values" in given else {"": _published(entry)}
    if told and set(told) != set(values):
        wrong = next(iter(set(told) ^ set(values)))
        raise InputError(f"parts and values differ in '{wrong}'", where=f"{where}: parts",
                         allowed=list(values), closest=closest_match(wrong, values))
    for label, published in values.items():
        mine = told.get(label) or {}
        _known(mine, PART_KEYS, f"{where}: parts.{label}")
        use = mine.get("use", entry["use"])
        _one_of(use, (*USES, CONTEXT), f"{where}: parts.{label}.use")
        yield Part(str(label), {**own, **_mapping(mine, "arguments", where)}, use=use,
                   note=_note(mine, f"{where}: parts.{label}.note"),
                   **_target(published, factor, f"{where}: {label or (given or ['use'])[0]}"))


def _published(entry):
    if entry.get("one_of") is not None:
        return {"one_of": entry["one_of"]}
    return entry.get("value") if entry.get("range") is None else entry["range"]


def _target(published, factor, where) -> dict[str, Any]:
    """Target fields of a part from what was published."""
    if published is None:
        return {}
    if isinstance(published, dict):
        words = published["one_of"]
        if not isinstance(words, list) or not words:
            raise InputError("one_of must list words", where=where)
        return {"one_of": tuple(str(word) for word in words)}
    if isinstance(published, list):
        if len(published) != 2 or not all(_is_number(v) for v in published):
            raise InputError(f"{published!r} is no range", where=where, allowed="[low, high]")
        low, high = published
        if low >= high:
            raise InputError(f"the range {published} is upside down", where=where,
                             allowed="low below high")
        return {"low": float(low), "high": float(high)}
    if not _is_number(published):
        raise InputError(f"{published!r} is no number", where=where, allowed="a number")
    if factor:
        return {"low": published * factor["low"], "high": published * factor["high"]}
    return {"value": float(published)}


def _factor(entry, where) -> dict[str, Any]:
    factor = _mapping(entry, "factor", where)
    if factor:
        _known(factor, ("low", "high", "source"), f"{where}: factor")
        if not (_is_number(factor.get("low")) and _is_number(factor.get("high"))
                and 0 < factor["low"] < factor["high"] and factor.get("source")):
            raise InputError("a factor needs low, high above it, and a source",
                             where=f"{where}: factor")
    return factor


def _tolerance(given, default: Tolerance, where: str) -> Tolerance:
    given = {} if given is None else given
    _known(given, tuple(vars(default)), f"{where}: tolerance")
    for key, value in given.items():
        if not _is_number(value) or value < 0:
            raise InputError(f"{value!r} is no share", where=f"{where}: tolerance.{key}",
                             allowed="a number from 0 on")
    found = Tolerance(**{**vars(default), **given})
    if found.near < found.inside:
        raise InputError("near is narrower than inside", where=f"{where}: tolerance",
                         allowed="inside <= near")
    return found


def _default_tolerance(folder: Path) -> Tolerance:
    path = folder.joinpath(*TOLERANCE)
    content = read_yaml(path)
    try:
        return Tolerance(**{key: float(leaf["value"]) for key, leaf in content.items()})
    except (TypeError, KeyError):
        raise InputError("tolerances are inside, near and width, each with value, unit and source",
                         where=str(path)) from None


def _mapping(entry, key, where) -> dict[str, Any]:
    found = entry.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"'{key}' must be a mapping", where=f"{where}: {key}")
    return dict(found)


def _note(entry, where) -> str:
    note = entry.get("note") or ""
    if not isinstance(note, str):
        raise InputError(f"{note!r} is no text", where=where, allowed="text")
    return note


def _known(entry, keys, where) -> None:
    if not isinstance(entry, Mapping):
        raise InputError("must be a mapping of keys", where=where, allowed=keys)
    for key in entry:
        if key not in keys:
            raise InputError(f"unknown key '{key}'", where=where, allowed=keys,
                             closest=closest_match(key, keys))


def _one_of(word, allowed, where) -> None:
    if word not in allowed:
        raise InputError(f"'{word}' is not allowed", where=where, allowed=allowed,
                         closest=closest_match(str(word), allowed))


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""Reading ``key=value`` words of the command line and putting values in their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.factors import FactorKeys
from citysim.config.lookup import groups, options
from citysim.config.paths import keys_of
from citysim.config.rules import LEAF_KEYS, is_leaf
from citysim.config.settings import PLAIN_GROUPS
from citysim.config.study_keys import STUDY_KEYS

COMMAND_LINE = "command line"
# Rows or optional keys may be added here; the study's own keys are checked afterwards.
_SWEEP = ("levers", "uncertainties", "design", "futures", "replicates")
_OPEN_GROUPS = (*PLAIN_GROUPS, "offences", *_SWEEP)
_GROWING = (*_OPEN_GROUPS, "executor")  # an executor's keys are not for taking away


@dataclass(frozen=True)
class Change:
    """One value set by hand: dotted path, value, whether it may be new, whether it removes."""

    path: str
    value: Any
    text: str
    new: bool = False
    remove: bool = False


def split_overrides(words: list[str], folder: Path) -> tuple[list[str], list[Change]]:
    """Sort overrides into choices of group options (for Hydra) and values.

    Parameters
    ----------
    words
        Overrides in Hydra's grammar.
    folder
        Configuration folder, for its groups and options.

    Raises
    ------
    InputError
        On bad grammar, an unknown group or option, or several values without a multirun.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    known_groups = groups(folder)
    choices, changes = [], []
    for word in words:
        try:
            parsed = parser.parse_override(word)
        except HydraException as error:
            raise _grammar(word, error, folder) from None
        key = parsed.key_or_group
        if parsed.is_sweep_override():
            raise InputError(f"several values in '{word}'", where=f"{COMMAND_LINE}, {key}",
                             allowed=f"one value, a list '{key}=[A,B]', or a multirun with -m")
        if key.startswith("hydra.") or key == "hydra":
            raise InputError(f"'{word}' only has a meaning with -m", where=COMMAND_LINE)
        if key in known_groups and parsed.is_delete():
            raise InputError(f"'{word}' cannot be removed", where=COMMAND_LINE,
                             allowed=f"{key}=NAME, one of: {', '.join(options(folder, key))}")
        # Executors are both a group of options and a key of the study.
        if key in known_groups and not isinstance(parsed.value(), dict):
            _check_option(folder, key, parsed.value())
            choices.append(word)
            continue
        name = key.split("@")[0]
        changes.append(Change(name, parsed.value(), word, parsed.is_add() or parsed.is_force_add(),
                              parsed.is_delete()))
    return choices, changes


def _grammar(word, error, folder):
    if "=" not in word and not word.startswith("~"):
        return InputError(f"'{word}' is not understood", where=COMMAND_LINE,
                          allowed="key=value, such as days=28 or city=town",
                          closest=_as_option(word, folder)
                          or closest_match(word, [*groups(folder), *STUDY_KEYS]))
    reason = str(error).splitlines()[0]
    return InputError(f"'{word}' does not read as key=value: {reason}", where=COMMAND_LINE,
                      allowed="key=number, key=word, key='some text' or key=[A,B]")


def _as_option(word, folder):
    """``city=town`` for ``town``: what was meant when only an option's name is given."""
    found = [g for g in ("city", "policy", "experiment") if word in options(folder, g)]
    return f"{found[0]}={word}" if found else None


def _check_option(folder, group, value):
    known = options(folder, group)
    names = value if isinstance(value, list) else [value]
    if isinstance(value, list) and group != "policy":
        raise InputError(f"'{group}' takes one option, not a list",
                         where=f"{COMMAND_LINE}, {group}", allowed=known)
    for name in names:
        if str(name) not in known:
            raise InputError(f"unknown {group} '{name}'",
                             where=f"{COMMAND_LINE}, {group} (files in {folder / group})",
                             allowed=known, closest=closest_match(str(name), known))
        if names.count(name) > 1:
            raise InputError(f"{group} '{name}' is named twice", where=f"{COMMAND_LINE}, {group}",
                             allowed="each once; policies.NAME.dose says how much of it")


def apply_changes(tree: dict, changes: list[Change]) -> dict:
    """Put values into an unresolved configuration tree, in place; returns it.

    A path may name a parameter (``{value, unit, source}``) or its ``value``.

    Raises
    ------
    InputError
        If a path does not exist, with the closest one that does.
    """
    for change in changes:
        parts = _whole_factor(keys_of(tree, change.path))
        # Keys that may be left out.
        may_add = change.new or parts[0] in ("city", "executor", *_SWEEP)
        node: Any = tree
        for i, part in enumerate(parts[:-1]):
            node = _step(node, part, parts[:i], change, may_add)
        _set(node, parts, change, may_add)
    return tree


def _whole_factor(parts):
    """``levers.a.b.low`` as three keys: a factor is named by the whole path of its parameter."""
    if parts[0] not in ("levers", "uncertainties") or len(parts) < 3:
        return parts
    rest = parts[1:]
    ends = next((i for i, part in enumerate(rest) if i and part in FactorKeys.model_fields),
                len(rest))
    return [parts[0], ".".join(rest[:ends]), *rest[ends:]]


def _set(node, parts, change, may_add):
    last, path = parts[-1], parts[:-1]
    if isinstance(node, list):
        _step(node, last, path, change, False)
        last = int(last)
    elif not isinstance(node, dict):
        raise _unknown(last, {}, path)
    if change.remove:
        if parts[0] not in _OPEN_GROUPS or len(parts) != 2 or last not in node:
            raise InputError(f"'{change.text}' cannot be removed", where=COMMAND_LINE,
                             allowed="an offence or a policy, such as ~offences.NAME")
        del node[last]
        return
    present = isinstance(node, list) or last in node
    if not present and path and not (may_add and parts[0] in _GROWING):
        raise _unknown(last, node, path)
    if not present and not path and last not in STUDY_KEYS:
        raise _unknown(last, {**node, **dict.fromkeys(STUDY_KEYS)}, path)
    old = node[last] if present else None
    value = change.value
    if is_leaf(old) and not (isinstance(value, dict) and set(value) <= set(LEAF_KEYS)):
        node[last] = {**old, "value": value}
    elif isinstance(old, dict) and old and value == {} and not change.new:
        raise _merges_nothing(".".join([*path, last]), old)
    elif isinstance(old, dict) and isinstance(value, dict) and not change.new:
        for key, inner in value.items():
            item = Change(f"{change.path}.{key}", inner, change.text)
            _set(old, [*parts, key], item, may_add)
    else:
        node[last] = value


def _merges_nothing(path, old):
    """Keys that are given join those that stand; an empty mapping would be passed over."""
    way = f"keys of {path} with new values: {', '.join(old)}"
    if path in _OPEN_GROUPS and path != "city":
        way += f"; ~{path}.NAME takes one away"
    return InputError("an empty mapping changes nothing", where=f"{COMMAND_LINE}, {path}",
                      allowed=way)


def _step(node, part, path, change, may_add):
    if isinstance(node, list):
        if part.isdigit() and int(part) < len(node):
            return node[int(part)]
        raise InputError(f"no element '{part}' in the list '{'.'.join(path)}'",
                         where=f"{COMMAND_LINE}, {change.path}", allowed=f"0 to {len(node) - 1}")
    if isinstance(node, dict):
        if node.get(part) is None and not path and part in _SWEEP:
            node[part] = {}  # null: nothing varied so far
        if part in node:
            return node[part]
        if may_add and path and path[0] in _GROWING:
            return node.setdefault(part, {})
    raise _unknown(part, node if isinstance(node, dict) else {}, path)


def _unknown(key, known, path):
    near = closest_match(key, known)
    allowed = list(known) or [f"{'.'.join(path)} itself, which is a single value"]
    return InputError(f"unknown key '{key}'", where=f"{COMMAND_LINE}, {'.'.join([*path, key])}",
                      allowed=allowed, closest=".".join([*path, near]) if near else None)

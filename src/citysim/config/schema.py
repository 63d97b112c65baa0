"""Reading parameter groups against the shipped ones: known keys, kinds, ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.rules import Provenance, Rule, is_leaf
from citysim.config.settings import by_hand

GROUPS_WITH_SCHEMA = ("model", "offences", "prices", "population")

Where = Callable[[str], str]


def read_strict(node: Any, reference: Any, path: str, blame: Where,
                rules: dict[str, Rule], provenance: dict[str, Provenance]) -> Any:
    """Plain values of a group that must have exactly the keys of its shipped file.

    Parameters
    ----------
    node, reference
        The group as composed and as shipped; without a reference the node is its own.
    path
        Dotted path of the node.
    blame
        Gives the file and key of a path for messages.
    rules, provenance
        Filled by path.

    Raises
    ------
    InputError
        On an unknown or missing key, a wrong kind, a value out of bounds.
    """
    reference = node if reference is None else reference
    if is_leaf(reference):
        return _read_leaf(node, reference, path, blame, rules, provenance)
    if isinstance(reference, dict):
        if not isinstance(node, dict):
            raise InputError(f"{node!r} is not accepted", where=blame(path),
                             allowed="a mapping of keys: " + ", ".join(reference))
        _same_keys(node, reference, path, blame)
        return {k: read_strict(v, reference[k], f"{path}.{k}", blame, rules, provenance)
                for k, v in node.items()}
    rule = rules[path] = _rule(reference, path, blame)
    return _checked(rule, node, path, blame)


def read_offences(node: dict, reference: dict | None, path: str, blame: Where,
                  rules: dict[str, Rule], provenance: dict[str, Provenance]) -> dict:
    """Plain rows of the table of offences.

    A row that is not shipped is a new offence: it needs the fields that all shipped rows have
    and may have those that any of them has.
    """
    shipped = reference or node
    rows = [row for row in shipped.values() if isinstance(row, dict)]
    known = {field: row[field] for row in reversed(rows) for field in row}
    needed = set(known).intersection(*rows) if rows else set()
    plain = {}
    for name, row in node.items():
        place = f"{path}.{name}"
        if name in shipped:
            plain[name] = read_strict(row, shipped[name], place, blame, rules, provenance)
            continue
        if not isinstance(row, dict):
            raise InputError(f"{row!r} is not a row of offences", where=blame(place),
                             allowed=sorted(known))
        for field in row:
            if field not in known:
                raise _unknown_key(field, known, place, blame)
        missing = sorted(needed - set(row))
        if missing:
            near = closest_match(name, shipped)
            raise InputError(f"the new offence '{name}' lacks {', '.join(missing)}",
                             where=blame(place), allowed=sorted(known), closest=near)
        plain[name] = {f: read_strict(v, _own_leaf(v, known[f]), f"{place}.{f}", blame, rules,
                                      provenance) for f, v in row.items()}
    return plain


def read_free(node: Any, shipped: Any, path: str, blame: Where,
              rules: dict[str, Rule], provenance: dict[str, Provenance]) -> Any:
    """Plain values of a group whose keys a model of its own checks (city, policies).

    Parameters with a unit still obey their own bounds.
    """
    if is_leaf(shipped):
        return _read_leaf(node, shipped, path, blame, rules, provenance)
    if is_leaf(node):
        return _read_leaf(node, node, path, blame, rules, provenance)
    if isinstance(node, dict):
        below = shipped if isinstance(shipped, dict) else {}
        return {k: read_free(v, below.get(k), f"{path}.{k}", blame, rules, provenance)
                for k, v in node.items()}
    if isinstance(node, list):
        below = shipped if isinstance(shipped, list) and len(shipped) == len(node) \
            else [None] * len(node)
        return [read_free(v, s, f"{path}.{i}", blame, rules, provenance)
                for i, (v, s) in enumerate(zip(node, below, strict=True))]
    return node


def _read_leaf(node, reference, path, blame, rules, provenance):
    rule = rules[path] = _rule(reference, path, blame)
    given = node
    if isinstance(node, dict) and "value" in node:
        _rule(node, path, blame)  # refuses misspelt keys and limits of the leaf itself
        given = node["value"]
    value = _checked(rule, given, path, blame)
    if is_leaf(node) and node.get("source") != reference.get("source"):
        provenance[path] = Provenance(value, rule.unit, str(node.get("source", "")), rule.range)
    else:
        provenance[path] = by_hand(rule, value)
    return value


def _rule(node, path, blame):
    try:
        return Rule.of(node, path)
    except InputError as error:
        raise _placed(error, blame) from None


def _checked(rule, value, path, blame):
    try:
        return rule.check(value, path)
    except InputError as error:
        raise _placed(error, blame) from None


def _placed(error, blame):
    return InputError(error.message, where=blame(error.where), allowed=error.allowed,
                      closest=error.closest)


def _own_leaf(value, template):
    """A new row's own leaf rules where it is complete; else the other rows' do."""
    return value if is_leaf(value) and is_leaf(template) and "unit" in value else template


def _same_keys(node, reference, path, blame):
    for key in node:
        if key not in reference:
            raise _unknown_key(key, reference, path, blame)
    for key in reference:
        if key not in node:
            raise InputError(f"'{key}' is missing", where=blame(path),
                             allowed="the keys " + ", ".join(reference))


def _unknown_key(key, known, path, blame):
    near = closest_match(key, known)
    return InputError(f"unknown key '{key}'", where=blame(f"{path}.{key}"), allowed=list(known),
                      closest=f"{path}.{near}" if near else None)

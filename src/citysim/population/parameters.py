"""The population's parameters as plain numbers with attribute access."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from citysim.city.spec import plain
from citysim.config.errors import InputError

GROUPS = ("ages", "households", "sex", "foreign", "education", "work", "income", "homes",
          "gravity", "travel", "outsiders", "ties", "traits", "shifts", "timetables")


def read_parameters(source: Any) -> SimpleNamespace:
    """Turn the ``population`` group into nested namespaces (``p.travel.walk_limit``).

    Parameters
    ----------
    source
        A mapping with plain leaves or ``{value, unit, source}`` leaves, an object with
        ``to_dict()``, or nested namespaces. ``timetables`` stays a mapping, as its keys are
        the names of the timetables.

    Raises
    ------
    InputError
        When a group is missing or the source is none of these.
    """
    if hasattr(source, "to_dict"):
        source = source.to_dict()
    elif not isinstance(source, Mapping) and hasattr(source, "__dict__"):
        source = _mapping(source)
    if not isinstance(source, Mapping):
        raise InputError("the population's parameters are not a mapping",
                         where="configs/population", allowed=GROUPS)
    values = plain(source)
    missing = [group for group in GROUPS if group not in values]
    if missing:
        raise InputError(f"the population's parameters lack '{missing[0]}'",
                         where="configs/population", allowed=GROUPS)
    timetables = values["timetables"]
    tree = _namespace({k: v for k, v in values.items() if k != "timetables"})
    tree.timetables = timetables
    return tree


def _namespace(node):
    if isinstance(node, Mapping):
        return SimpleNamespace(**{k: _namespace(v) for k, v in node.items()})
    return node


def _mapping(node):
    if isinstance(node, Mapping):
        return {k: _mapping(v) for k, v in node.items()}
    if hasattr(node, "__dict__"):
        return {k: _mapping(v) for k, v in vars(node).items() if not k.startswith("_")}
    return node

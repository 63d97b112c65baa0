"""What pydantic complains of in an entry of a file, as the one way of refusing input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from citysim.config.errors import InputError, closest_match

if TYPE_CHECKING:
    from pydantic import ValidationError

_ARMS = ("function-", "dict[", "list[")  # pydantic's names for the arms of a union
_PLAIN_ARMS = ("str", "float")


def explain(error: ValidationError, where: str,
            keys_at: Callable[[list[str]], Iterable[str]]) -> InputError:
    """One complaint, a misspelt key before all others, as one message.

    Parameters
    ----------
    error
        What pydantic found.
    where
        The file or entry that was read.
    keys_at
        Keys that are allowed at a place in it, given as the keys that lead there.
    """
    found = error.errors()
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    path = [str(p) for p in first["loc"]
            if p not in _PLAIN_ARMS and not str(p).startswith(_ARMS)]
    place = f"{where}, {'.'.join(path)}" if path else where
    if first["type"] == "extra_forbidden":
        known = list(keys_at(path[:-1]))
        return InputError(f"there is no key '{path[-1]}'", where=place, allowed=known,
                          closest=closest_match(path[-1], known))
    if first["type"] == "missing":
        return InputError(f"'{path[-1]}' is missing", where=place)
    if first["type"] == "literal_error":
        allowed = first["ctx"]["expected"]
        known = [w.strip(" '") for w in allowed.replace(" or ", ",").split(",")]
        return InputError(f"unknown value {first['input']!r}", where=place, allowed=allowed,
                          closest=closest_match(str(first["input"]), known))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] != "value_error":
        message = f"{message[:1].lower()}{message[1:]} (given: {first['input']!r})"
    return InputError(message, where=place)

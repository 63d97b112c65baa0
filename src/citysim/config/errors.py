"""One way to refuse bad input: what is wrong, where, what is allowed, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Input that the user can mend; the command line prints it and exits with status 2.

    Parameters
    ----------
    message
        What is wrong, in one sentence without a final full stop.
    where
        File and key, as the user would look for them.
    allowed
        Allowed values or range, as text or as an iterable of names.
    closest
        The nearest allowed value to what was given.
    """

    def __init__(self, message: str, *, where: str | None = None,
                 allowed: str | Iterable[str] | None = None, closest: str | None = None):
        self.message = message
        self.where = where
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else \
            ", ".join(str(a) for a in allowed)
        self.closest = closest
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"in {self.where}")
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.closest:
            parts.append(f"did you mean '{self.closest}'?")
        return "; ".join(parts)

    def __reduce__(self):
        return (_rebuild, (self.message, self.where, self.allowed, self.closest))


def _rebuild(message, where, allowed, closest):
    return InputError(message, where=where, allowed=allowed, closest=closest)


def closest_match(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``word``, or ``None`` when none is near."""
    names = [str(c) for c in candidates]
    found = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    return found[0] if found else None

"""How long what is left of a study will take, at the pace of the runs that have ended."""

from __future__ import annotations

# News of an end take a moment, in which the next run may have begun: a run belongs to the
# second round if it began after this share of the first one's time.
_NEARLY = 0.9


class Pace:
    """Time left, from when runs began and ended.

    The first run of every worker compiles or loads the kernels and reads the city, which no later
    one does. So these say only how many runs go on at a time; what a run takes is the mean of
    those that began after the first had ended, and there is no estimate before one of them ended.
    """

    def __init__(self):
        self._first: tuple[float, float] | None = None
        self._at_a_time = self._later = 0
        self._seconds = 0.0

    def add(self, began: float, ended: float) -> None:
        """Take notice of a run; the one that ended first comes first [s, of any one clock]."""
        if ended <= began:  # its worker died, and nobody knows when
            return
        if self._first is None:
            self._first = began, ended
        if began < self._first[0] + _NEARLY * (self._first[1] - self._first[0]):
            self._at_a_time += 1
        else:
            self._later += 1
            self._seconds += ended - began

    def seconds_left(self, runs: int) -> float | None:
        """Estimate for so many runs that have not ended [s], or ``None`` where it is too early."""
        if not self._later:
            return None
        return self._seconds / self._later * runs / self._at_a_time

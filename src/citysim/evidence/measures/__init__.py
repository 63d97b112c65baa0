"""One named function per measure; a new file with a registered function is all a new one takes."""

from citysim.evidence.measures.registry import (
    Measure,
    all_measures,
    check_arguments,
    describe,
    measure,
    take,
)

__all__ = ["Measure", "all_measures", "check_arguments", "describe", "measure", "take"]

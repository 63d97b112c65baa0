"""What happened next door, by common random numbers."""

from __future__ import annotations

import math


def moved(treated: float, buffer: float) -> float:
    """Change of the buffer per offence prevented among the treated, both by common random numbers.

    The same sign as the quotient: positive is diffusion, negative displacement. NaN where nothing
    was prevented.
    """
    return buffer / treated if treated < 0 else math.nan

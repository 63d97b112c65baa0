"""What happened next door: the weighted displacement quotient."""

from __future__ import annotations

import math


def displacement_quotient(treated: tuple[float, float], buffer: tuple[float, float],
                          control: tuple[float, float]) -> float:
    """Weighted displacement quotient (Bowers and Johnson 2003).

    The change of the buffer's crime over that of the treated area, both taken relative to the
    control area: (B1/C1 - B0/C0) / (A1/C1 - A0/C0). Where crime in the treated area fell against
    the control's, above 0 is diffusion of benefits, below 0 displacement, and below -1 more was
    displaced than gained. It says nothing where crime in the treated area did not fall: NaN then.

    Parameters
    ----------
    treated, buffer, control
        Crime before and after.
    """
    if min(*control) <= 0:
        return math.nan
    gain = treated[1] / control[1] - treated[0] / control[0]
    if gain >= 0:
        return math.nan
    return (buffer[1] / control[1] - buffer[0] / control[0]) / gain


def moved(treated: float, buffer: float) -> float:
    """Change of the buffer per offence prevented among the treated, both by common random numbers.

    The same sign as the quotient: positive is diffusion, negative displacement. NaN where nothing
    was prevented.
    """
    return buffer / treated if treated < 0 else math.nan

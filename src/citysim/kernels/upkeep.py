"""Places age, are cleaned, cared for and restored: one day of every place."""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import OFFENCE, PLACE
from citysim.kernels.jit import kernel
from citysim.kernels.places import NEGLECT


class Ageing(NamedTuple):
    """Constants of decay and care, per day."""

    cue_of_neglect: float  # disorder that goes with upkeep at zero
    drift: float          # share by which disorder moves to what upkeep implies
    damage: float         # disorder that one act of vandalism leaves on a usual length of street
    clean: float          # share of disorder that one cleaning visit removes
    mend: float           # share of lost upkeep that one cleaning visit puts back


@kernel
def age_places(ageing, wear, grime, remediation, ownership, cleaning, works, upkeep, disorder):
    """One day: upkeep decays by wear x (1 - ownership), works and cleaning put it back.

    Disorder follows lost upkeep and what the surroundings bring (``grime``), of which
    ``remediation`` is the share put right.
    """
    for s in range(upkeep.size):
        visits = cleaning[s] / 7.0
        u = upkeep[s]
        u += (works[s] + ageing.mend * visits * (1.0 - u)
              - wear[s] * (1.0 - ownership[s]))
        upkeep[s] = min(1.0, max(0.0, u))
        d = disorder[s]
        left = grime[s] - remediation[s] * max(0.0, grime[s])
        d += ageing.drift * (ageing.cue_of_neglect * (1.0 - upkeep[s]) + left - d)
        d *= max(0.0, 1.0 - ageing.clean * visits * (1.0 + ownership[s]))
        disorder[s] = min(1.0, max(0.0, d))


@kernel
def mark_damage(begin, end, events, form, damage, disorder):
    """Vandalism leaves its mark on the place: ``damage`` (n,) of the disorder still missing."""
    for e in range(begin, end):
        if form[events[e, OFFENCE]] == NEGLECT:
            s = events[e, PLACE]
            disorder[s] += np.float32((1.0 - disorder[s]) * damage[s])

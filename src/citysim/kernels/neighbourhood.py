"""Streets and those around them: what is seen of the city there, and what holds people together.

Places are few beside people, so that these passes, once a day, cost nothing that counts.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.perception import STREET_FEAR, STREET_TRUST


class Look(NamedTuple):
    """What residents see of what the city does in their street, and how it tells."""

    light: float    # weight of street lamps
    upkeep: float   # of physical condition
    order: float    # of the absence of disorder
    green: float    # of green planted for residents
    staff: float    # of staffed services and hosts
    around: float   # share of the adjacent streets in what one sees
    habit: float    # share by which one gets used to it, per day
    notice: float   # trust in the city per unit of condition above what one is used to


class Bond(NamedTuple):
    """Constants of collective efficacy."""

    trust: float        # per unit of trust in the city above the usual
    usual_trust: float
    fear: float         # per unit of fear by day above the usual
    usual_fear: float
    stewardship: float  # per unit of residents' ownership
    participation: float  # ownership per unit of efficacy above where it began
    pace: float         # share by which efficacy moves to its aim, per day


@kernel
def see_streets(look, lighting, upkeep, disorder, greenery, services, hosts, start, neighbours,
                own, seen):
    """What residents see of every street and of those around it, into ``seen``.

    Lamps, condition, order, green and staff of a street count by their weights. What works,
    cleaning and remediation do is seen in condition and order, not beside them. ``own`` is
    scratch; both float64 (places).
    """
    for s in range(own.size):
        staff = 1.0 - np.exp(-(services[s] + hosts[s]))
        own[s] = (look.light * lighting[s] + look.upkeep * upkeep[s]
                  + look.order * (1.0 - disorder[s]) + look.green * greenery[s]
                  + look.staff * staff)
    for s in range(own.size):
        lo, hi = start[s], start[s + 1]
        seen[s] = own[s]
        if hi > lo:
            others = 0.0
            for k in range(lo, hi):
                others += own[neighbours[k]]
            seen[s] += look.around * (others / (hi - lo) - own[s])


@kernel
def get_used(look, seen, accustomed, noticed):
    """What is better or worse than one is used to moves trust, and one gets used to it.

    ``noticed`` (float64 (places)) is by how much the level of trust in the city differs from the
    usual one for those who live there (expectancy and disconfirmation: Van Ryzin 2004).
    """
    for s in range(seen.size):
        gap = seen[s] - accustomed[s]
        noticed[s] = look.notice * gap
        accustomed[s] += look.habit * gap


@kernel
def take_part(bond, stewardship, efficacy, began, ownership):
    """Residents' ownership: the stewards there are, more or fewer as neighbours act together.

    Sense of community and control bring participation in the upkeep of the block (Chavis and
    Wandersman 1990). All by place; ``ownership`` (float64) is written, [0, 1].
    """
    for s in range(ownership.size):
        more = bond.participation * (efficacy[s] - began[s])
        ownership[s] = min(1.0, max(0.0, stewardship[s] + more))


@kernel
def build_efficacy(bond, start, neighbours, residents, street, instead, base, ownership,
                   efficacy):
    """Collective efficacy of every place moves towards what those around it feel.

    Residents of the place and of adjacent ones count alike (Sampson, Raudenbush and Earls 1997;
    by street: Weisburd, White and Wooditch 2020).

    Parameters
    ----------
    residents, street
        int64 (places) and float64 (places, 2): those who live there, and the sums of their trust
        in the city and fear by day.
    instead
        float64 (places, 2): means to take where nobody lives on the place or next to it.
    base
        float64 (places): efficacy with usual trust and fear and without stewards.
    """
    for s in range(efficacy.size):
        n = residents[s]
        trust, fear = street[s, STREET_TRUST], street[s, STREET_FEAR]
        for k in range(start[s], start[s + 1]):
            other = neighbours[k]
            n += residents[other]
            trust += street[other, STREET_TRUST]
            fear += street[other, STREET_FEAR]
        if n > 0:
            trust, fear = trust / n, fear / n
        else:
            trust, fear = instead[s, STREET_TRUST], instead[s, STREET_FEAR]
        aim = (base[s] + bond.trust * (trust - bond.usual_trust)
               - bond.fear * (fear - bond.usual_fear) + bond.stewardship * ownership[s])
        efficacy[s] += bond.pace * (min(1.0, max(0.0, aim)) - efficacy[s])

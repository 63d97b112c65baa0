"""The bare routine kernel: the ceiling that the whole step is measured against.

Every resident looks the timetable up, decides between staying in and three leisure anchors
with one addressed draw (the same expressions as :func:`citysim.kernels.people.decide`), is
counted at the place of the decision, and moves fear towards that place's cue of insecurity.
Nothing else happens: no trips are walked, no offenders, no night.
"""

import numpy as np

from citysim.kernels.jit import kernel
from citysim.kernels.people import AT_DAY_PLACE, FREE, pick
from citysim.kernels.random import draw, to_unit


@kernel
def routine_step(n, hour, key, dark, timetables, timetable, shift, status, at, anchors, minutes,
                 modes, group, caution, sensitivity, pull, decay, stay, cue, rise, fall, count,
                 fear):
    """One step of residents 0 to ``n - 1``; writes ``at``, ``count`` (int32 by place), ``fear``.

    Arguments are those of :func:`citysim.kernels.people.move_people`; ``cue`` is float32 by
    place, in [0, 1].
    """
    for r in range(n):
        if status[r] != 0:
            continue
        t = hour - shift[r]
        if t < 0:
            t += 168
        elif t >= 168:
            t -= 168
        activity = timetables[timetable[r], t]
        here = at[r]
        there = 0
        if activity == FREE:
            g = group[r]
            care = caution[r, dark]
            mode = modes[r]
            w2 = pull[anchors[r, 2], g] * care
            w3 = pull[anchors[r, 3], g] * care
            w4 = pull[anchors[r, 4], g] * care
            w2 *= stay if here == 2 else decay[(mode >> 2) & 3, minutes[r, 1]]
            w3 *= stay if here == 3 else decay[(mode >> 4) & 3, minutes[r, 2]]
            w4 *= stay if here == 4 else decay[(mode >> 6) & 3, minutes[r, 3]]
            there = pick(np.float32(to_unit(draw(key, r))), w2, w3, w4)
        elif activity == AT_DAY_PLACE and anchors[r, 1] != anchors[r, 0]:
            there = 1
        at[r] = there
        place = anchors[r, there]
        count[place] += 1
        gap = min(np.float32(1.0), sensitivity[r] * cue[place]) - fear[r, dark]
        fear[r, dark] += gap * (rise if gap > 0 else fall)


class Routine:
    """The bare kernel over a model's residents, on copies of what it writes.

    The columns read are the model's own, so both run on the same bytes in the same layout.
    """

    def __init__(self, model):
        self.people, self.n = model.people, model.n_residents
        self.timetables, self.stay = model.population.timetables, model.stay
        fear = model.settings.model.fear
        self.rise = np.float32(fear.enabled * fear.rise)
        self.fall = np.float32(fear.enabled * fear.fall)
        self.at = model.people.at[:self.n].copy()
        self.fear = model.people.fear[:self.n].copy()
        self.count = np.zeros(len(model.places), np.int32)

    def step(self, inputs) -> None:
        """One step; ``inputs`` as :func:`inputs_of` recorded them."""
        p = self.people
        self.count[:] = 0
        hour, key, dark, pull, decay, cue = inputs
        routine_step(self.n, hour, key, dark, self.timetables, p.timetable, p["shift"], p.status,
                     self.at, p.anchors, p.minutes, p.modes, p.group, p.caution, p.sensitivity,
                     pull, decay, self.stay, cue, self.rise, self.fall, self.count, self.fear)


def inputs_of(model) -> tuple:
    """What the routine of the model's last step depended on, copied where it changes."""
    from citysim.kernels import streams
    from citysim.model.phases import travel_decay

    return (model.hour_of_week, model.key(streams.CHOICE, model.step_index - 1), model.dark,
            model.pull.copy(), travel_decay(model), model.places.unease.copy())

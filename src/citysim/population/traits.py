"""Initial traits of persons: self-control, substance use, sensitivity to insecurity."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from citysim.population.draws import Draws
from citysim.state.table import Table


def draw_traits(people: Table, parameters: SimpleNamespace, draws: Draws) -> None:
    """Fill ``self_control``, ``substance`` and ``sensitivity`` from draws by person.

    Self-control is normal about a mean by sex and age (lower in men and youth, as the
    age-crime curve has it), use of substances an exponential strength among users, likelier
    at low self-control, sensitivity lognormal with a mean that is higher for women and the
    elderly.
    """
    p, n, age = parameters.traits, len(people), people.age
    young, elderly = age <= p.youth_end, age >= p.elderly_from
    mean = (p.self_control_mean + p.self_control_man * (people.sex == 0)
            + p.self_control_youth * young + p.self_control_elderly * elderly)
    control = np.clip(mean + p.self_control_sd * draws.normal("self_control", n), 0.0, 1.0)
    people.self_control[:] = control
    users = np.where(elderly, p.substance_users_elderly,
                     np.where(young, p.substance_users_young, p.substance_users_adult))
    users = users + p.substance_self_control * (control - mean)
    uses = (draws.uniform("substance_user", n) < users) & (age >= p.substance_from)
    strength = -p.substance_mean * np.log(draws.uniform("substance", n))
    people.substance[:] = np.where(uses, np.minimum(strength, 1.0), 0.0)
    centre = (p.sensitivity_mean * np.where(people.sex == 1, p.sensitivity_woman, 1.0)
              * np.where(elderly, p.sensitivity_elderly, 1.0))
    spread = p.sensitivity_log_sd * draws.normal("sensitivity", n) - p.sensitivity_log_sd ** 2 / 2
    people.sensitivity[:] = np.minimum(centre * np.exp(spread), p.sensitivity_most)

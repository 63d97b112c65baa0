"""Sentences about plans that run, but do less or far more than their file suggests.

None of them stops a run: what a target matches and what a budget buys is known only on the
day that the policy begins.
"""

from __future__ import annotations

from citysim.policies.budget import Dose
from citysim.policies.plan import Deployment, Part
from citysim.state.levers import LEVERS

_NONE = {"people": "no one", "places": "no place"}
_MANY = {"people": "persons who fit", "places": "places that fit"}


def on_dose(name: str, given: float, dose: Dose, warning: float) -> list[str]:
    """A note where a budget buys more than ``warning`` times the plan as written."""
    if dose.budget is None or dose.dose <= warning * given:
        return []
    times = dose.dose / given
    shown = f"{times:,.0f}" if times >= 100 else f"{times:.3g}"
    return [f"{name}: EUR {dose.budget:,.0f} buys {shown} times the plan as written; "
            f"the budget looks out of proportion to the city"]


def on_clock(part: Part, days: int) -> list[str]:
    """A note where a measure begins only after the last day of the window."""
    if part.clock.start < days:
        return []
    return [f"{part.policy.name}: {part.measure.lever} does nothing, since it starts on day "
            f"{part.clock.start} and the window ends after {days} days"]


def on_reach(part: Part, fitting: int, delivered: Deployment) -> list[str]:
    """A note where a measure with a target reaches no row.

    Parameters
    ----------
    part
        The measure.
    fitting
        Rows that pass the filter of its target.
    delivered
        What the measure puts in place at its dose.
    """
    if len(delivered.modifier.rows):
        return []
    table = LEVERS[part.measure.lever].table
    why = f"its plan takes less than one of the {fitting:,} {_MANY[table]}" if fitting \
        else f"{_NONE[table]} fits"
    return [f"{part.policy.name}: {part.measure.lever} reaches {_NONE[table]}, since {why} its "
            f"target"]

"""How far from home people offend, and how crimes thin out with distance."""

from __future__ import annotations

import numpy as np

from citysim.evidence.crimes import CityData, Crimes, Reading
from citysim.evidence.measures.offenders import known_offenders
from citysim.evidence.measures.registry import measure

SEED = 1
_HOMES = 300  # offenders' homes that stand for all when places on offer are counted
_TINY = 1e-300


def journey_lengths(data: CityData, crimes: Crimes) -> np.ndarray:
    """Straight metres from the middle of the offender's home segment to each crime."""
    home = data.people.home[crimes.offender]
    return np.hypot(crimes.x - data.places.x[home], crimes.y - data.places.y[home])


@measure("m", needs=("offender", "people"))
def journey_to_crime(data, offences="all") -> Reading:
    """Median distance from the offender's home to the crime."""
    away = journey_lengths(data, known_offenders(data, offences))
    low, high = np.percentile(away, [25, 75])
    return Reading(float(np.median(away)), len(away),
                   f"quartiles {low:.0f} and {high:.0f}, mean {away.mean():.0f}")


@measure("form", needs=("offender", "people"))
def decay_form(data, ring=100.0, offences="all") -> Reading:
    """Which form of distance decay fits best: ``exponential``, ``power`` or ``edge``.

    Crimes in rings around home are taken as drawn from the segments on offer there, weighed by
    exp(-d / scale), by (d)^-slope, or equally up to an edge and not at all beyond it; the form
    with the least AIC (multinomial likelihood, one parameter each) wins.

    Parameters
    ----------
    ring
        Width of a ring, m.
    offences
        Kinds of crime.
    """
    crimes = known_offenders(data, offences)
    away = journey_lengths(data, crimes)
    seen, offered = _rings(data, crimes, away, ring)
    fits = fit_decay(seen, offered, ring)
    best = min(fits, key=lambda name: fits[name]["aic"])
    text = ", ".join(f"{name} {fit['aic'] - fits[best]['aic']:.0f}" for name, fit in fits.items())
    return Reading(best, len(away), f"AIC above the least: {text}; exponential scale "
                   f"{fits['exponential']['parameter']:.0f} m, power slope "
                   f"{fits['power']['parameter']:.2f}", fits)


def _rings(data: CityData, crimes: Crimes, away: np.ndarray, ring: float):
    """Crimes, and segments on offer per home, by ring of distance from home."""
    homes = data.people.home[crimes.offender]
    some = np.random.default_rng(SEED).choice(homes, min(_HOMES, len(homes)), replace=False)
    x, y = data.places.x, data.places.y
    reach = np.hypot(x[some][:, None] - x, y[some][:, None] - y).ravel()
    edges = np.arange(0.0, max(away.max(), reach.max()) + ring, ring)
    edges[-1] = np.inf
    return np.histogram(away, edges)[0], np.histogram(reach, edges)[0] / len(some)


def fit_decay(seen: np.ndarray, offered: np.ndarray, ring: float) -> dict[str, dict[str, float]]:
    """Fit the three forms by maximum likelihood.

    Parameters
    ----------
    seen, offered
        Crimes and segments on offer by ring.
    ring
        Width, m.

    Returns
    -------
    dict
        Per form its ``parameter`` (scale in m, slope, edge in m), ``log_likelihood`` and ``aic``.
    """
    from scipy.optimize import minimize_scalar

    # Crimes where no sampled home had a segment on offer cannot be drawn by any form.
    keep = offered > 0
    seen, offered = seen[keep], offered[keep]
    middle = (np.flatnonzero(keep) + 0.5) * ring

    def likelihood(log_weight):
        share = offered * np.exp(log_weight - log_weight.max())
        return float((seen * np.log(np.maximum(share / share.sum(), _TINY))).sum())

    forms = {"exponential": lambda b: -b * middle / ring, "power": lambda b: -b * np.log(middle)}
    fits = {}
    for name, form in forms.items():
        found = minimize_scalar(lambda b, form=form: -likelihood(form(b)), bounds=(-1, 10),
                                method="bounded", options={"xatol": 1e-6})
        fits[name] = {"parameter": ring / found.x if name == "exponential" else found.x,
                      "log_likelihood": -found.fun}
    last = np.flatnonzero(seen)[-1]  # the nearest edge that leaves no crime outside
    fits["edge"] = {"parameter": middle[last] + ring / 2,
                    "log_likelihood": likelihood(np.where(np.arange(len(seen)) <= last, 0, -1e4))}
    for fit in fits.values():
        fit["aic"] = 2 - 2 * fit["log_likelihood"]
    return {name: {k: float(v) for k, v in fit.items()} for name, fit in fits.items()}

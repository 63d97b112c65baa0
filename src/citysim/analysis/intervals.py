"""What the intervals of a study hold, in one plain sentence for the terminal and the report."""

from __future__ import annotations

from citysim.analysis.contrasts import futures_of
from citysim.analysis.wording import listing
from citysim.config.study_keys import AUTO
from citysim.results import Results

_OVER_SEEDS = ["luck between seeds"]
_OVER_FUTURES = ["the spread between the futures that were looked at", "the luck that they share"]
_LEVELS = "what is not known of the levels"


def what_intervals_hold(study: Results) -> str:
    """Whether intervals hold luck alone, or also what is not known of the levels.

    Parameters
    ----------
    study
        With its manifest, whose entry ``ensemble`` says what seeds drew their parameters from.

    Returns
    -------
    str
        A sentence. What is counted are the points that the finished runs drew: a single one for
        all seeds is no uncertainty. Points belong to seeds, so with several futures too it is
        the part of the seeds in an interval that holds them.
    """
    done, ensemble = study.done, study.manifest.get("ensemble")
    seeds = {int(seed) for seed in done["seed"]}
    if not seeds:
        return "There are no intervals: no run ended well."
    drawn = len({(seed - 1) % ensemble["points"] for seed in seeds}) if ensemble else 0
    points = f"{ensemble['points']} calibrated points of {ensemble['name']}" if ensemble else ""
    several = futures_of(done).nunique() > 1
    if len(seeds) < 2:
        what = "no intervals of contrasts: they need at least two seeds" if several \
            else "no intervals"
        return f"With one seed there are {what}" + \
            (f"; the seed drew one of the {points}." if drawn else ".")
    held = _OVER_FUTURES if several else _OVER_SEEDS
    if drawn > 1:
        return (f"Intervals hold {listing([*held, _LEVELS])}: each seed draws one of the "
                f"{points}.")
    if drawn:
        return f"Intervals hold {listing(held)} only: all seeds drew the same of the {points}."
    asked = (study.manifest.get("config") or {}).get("parameters")
    why = ", since this city has no calibrated ensemble to draw from" if asked == AUTO else ""
    return f"Intervals hold {listing(held)} only: parameters are as configured{why}."

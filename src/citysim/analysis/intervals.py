"""What the intervals of a study hold, in one plain sentence for the terminal and the report."""

from __future__ import annotations

from citysim.analysis.contrasts import futures_of
from citysim.config.study_keys import AUTO
from citysim.results import Results

_LUCK = "luck between seeds"


def what_intervals_hold(study: Results) -> str:
    """Whether intervals hold luck alone, or also what is not known of the levels.

    Parameters
    ----------
    study
        With its manifest, whose entry ``ensemble`` says what seeds drew their parameters from.

    Returns
    -------
    str
        A sentence or two. What is counted are the points that the finished runs drew: a single
        one for all seeds is no uncertainty.
    """
    done, ensemble = study.done, study.manifest.get("ensemble")
    seeds = {int(seed) for seed in done["seed"]}
    if not seeds:
        return "There are no intervals: no run ended well."
    drawn = len({(seed - 1) % ensemble["points"] for seed in seeds}) if ensemble else 0
    points = f"{ensemble['points']} calibrated points of {ensemble['name']}" if ensemble else ""
    if futures_of(done).nunique() > 1:
        shared = f"; its seeds draw from the {points}, the same in every future" if drawn else ""
        return ("Intervals hold the spread between the futures that were looked at and the luck of "
                f"single runs{shared}.")
    if len(seeds) < 2:
        return "With one seed there are no intervals" + \
            (f"; it drew one of the {points}." if drawn else ".")
    if drawn > 1:
        return (f"Intervals hold {_LUCK} and what is not known of the levels: each seed draws one "
                f"of the {points}.")
    if drawn:
        return f"Intervals hold {_LUCK} only: all seeds drew the same of the {points}."
    asked = (study.manifest.get("config") or {}).get("parameters")
    why = ", since this city has no calibrated ensemble to draw from" if asked == AUTO else ""
    return f"Intervals hold {_LUCK} only: parameters are as configured{why}."

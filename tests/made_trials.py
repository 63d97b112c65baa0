"""A small trial in the town, to be changed as a test needs it."""

from functools import cache

from citysim import compose
from citysim.evidence.trials.entries import parse_trial
from citysim.evidence.trials.run import for_trial

BUSY = {"offences.vandalism.level": 0.2, "model.offending.rate": 0.02}
ENTRY = {
    "id": "made_up", "label": "Made up", "study": "none", "status": "miniature",
    "design": "Streets drawn by lots.", "city": "town", "set": BUSY,
    "units": {"kind": "places", "number": 60,
              "eligible": {"table": "places", "rank_by": "recorded", "share": 0.5}},
    "timing": {"warmup": 1, "baseline": 3, "days": 4},
    "arms": {"control": {}, "treated": {"policies": ["directed_patrol"]}},
    "outcomes": {"crime": {}}, "estimator": {"kind": "rate_ratio", "adjust": "baseline"},
    "seeds": 2,
}


def entry(**changes):
    return parse_trial({**ENTRY, **changes})


@cache
def composed():
    """Settings of the town with every policy that the tests name; composing takes seconds."""
    return compose(["city=town", "policy=[directed_patrol,summer_jobs,closing_hour_later,"
                    "closing_hour_earlier]", "seeds=2"])


def settings_for(trial):
    return for_trial(composed(), trial)

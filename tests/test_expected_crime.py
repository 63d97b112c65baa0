"""Expected reported and recorded crime: unbiased for the counts, with less luck."""

import numpy as np
import pytest

from citysim.kernels import events as ev
from citysim.model.simulate import record_of


def finished(model, days):
    """A model after so many days, closed."""
    model.run_days(days)
    model.finish()
    return model


def test_what_never_happened_is_reported_at_the_configured_share(town, town_settings):
    quiet = record_of(finished(town(), 0))
    assert not len(quiet.events)
    shares = dict(zip(quiet.offences, quiet.told(), strict=True))
    for name in ("robbery", "vandalism"):
        share = town_settings.offences[name].report
        assert shares[name] == pytest.approx([share, share * town_settings.model.law.recording])


@pytest.fixture(scope="module")
def days(town, busy_changes):
    """Counts and expectations of one busy day under many seeds: kind -> (seeds, offences)."""
    found = {"counted": [], "expected": []}
    for seed in range(1, 41):
        r = record_of(finished(town(busy_changes, seed=seed), 1))
        offence = r.events[:, ev.OFFENCE]
        found["counted"].append([np.bincount(offence[r.events[:, column] == 1], minlength=10)
                                 for column in (ev.REPORTED, ev.RECORDED)])
        found["expected"].append((r.hazard.sum(axis=0)[:, None] * r.told()).T)
    return {kind: np.array(rows, float) for kind, rows in found.items()}


@pytest.mark.parametrize("kind", [0, 1], ids=["reported", "recorded"])
def test_expected_reports_aim_at_the_count_with_less_luck(days, kind):
    """Over seeds the mean is that of the count, the spread smaller."""
    counted, expected = days["counted"][:, kind], days["expected"][:, kind]
    gap = expected - counted
    error = gap.std(axis=0, ddof=1) / np.sqrt(len(gap))
    assert (abs(gap.mean(axis=0)) < 4 * error).all()
    total = gap.sum(axis=1)
    error = total.std(ddof=1) / np.sqrt(len(gap))
    assert error < 0.01 * counted.sum(axis=1).mean()  # otherwise the next line says little
    assert abs(total.mean()) < 3 * error
    spread = expected.std(axis=0, ddof=1) / counted.std(axis=0, ddof=1)
    assert np.median(spread) < 0.75 and (spread < 1).all()

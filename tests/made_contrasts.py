"""Small frames of outcomes by scenario, future and seed, and their contrasts."""

import pandas as pd

from citysim.analysis.contrasts import contrast

CRIME = "crime.true.all"


def long(values, outcome=CRIME, group="all", unit="crimes"):
    """{scenario: {seed: value}} as rows of an outcomes table."""
    return pd.DataFrame([(s, seed, outcome, group, unit, v) for s, seeds in values.items()
                         for seed, v in seeds.items()],
                        columns=["scenario", "seed", "outcome", "group", "unit", "value"])


def one(frame, scenario="b"):
    """The single row of a scenario."""
    rows = frame[frame["scenario"] == scenario]
    assert len(rows) == 1
    return rows.iloc[0]


def compare(base, other, **kind):
    """Contrast of two scenarios given as lists by seed 0, 1, ... (None: run missing)."""
    values = {s: {i: v for i, v in enumerate(x) if v is not None}
              for s, x in (("a", base), ("b", other))}
    return contrast(long(values, **kind), ["a", "b"])


def in_futures(values, **kind):
    """{scenario: {(future, seed): value}} as rows of an outcomes table."""
    frame = long({s: dict(enumerate(v.values())) for s, v in values.items()}, **kind)
    keys = [k for v in values.values() for k in v]
    return frame.assign(future=[f for f, _ in keys], seed=[s for _, s in keys])


def by_seed(samples):
    """An array (rows, seeds) as a frame of the runs of one future."""
    runs = pd.MultiIndex.from_product([[0], range(samples.shape[1])], names=["future", "seed"])
    return pd.DataFrame(samples, columns=runs)

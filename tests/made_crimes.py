"""Made-up crimes, places and people for tests of measures, small enough to work out by hand."""

import numpy as np

from citysim.city.network import neighbours
from citysim.evidence.crimes import CityData, Crimes, People, Places
from citysim.evidence.measures import take


def places(n=10, gap=100.0):
    """A street of ``n`` segments in a row, each ``gap`` m long, meeting end to end."""
    ends = np.column_stack([np.arange(n), np.arange(1, n + 1)])
    middle = gap * (np.arange(n) + 0.5)
    return Places(middle, np.zeros(n), np.full(n, gap), neighbours(ends),
                  np.arange(n) // max(1, n // 2))


def city(place, n=10, offence="theft", people=None, outcomes=None, days=365.0, residents=None,
         gap=100.0, name="made", seed=None, **columns):
    """Data with crimes on these places; other columns of crimes by name."""
    place = np.asarray(place, np.int64)
    there = places(n, gap)
    kind = np.array([offence] * len(place) if isinstance(offence, str) else offence, dtype=str)
    columns = {name: np.asarray(values) for name, values in columns.items()}
    kinds = tuple(np.unique(kind).tolist())
    return CityData(name, Crimes(place, there.x[place], there.y[place], kind, **columns), there,
                    people, outcomes, days, residents, kinds, kinds, seed=seed)


def counted(counts, **rest):
    """Data with so many crimes on each place."""
    return city(np.repeat(np.arange(len(counts)), counts), len(counts), **rest)


def people(ages, sexes=None, homes=None, others=0, **rest):
    """Residents of these ages, then ``others`` who are none."""
    n = len(ages) + others
    age = np.concatenate([ages, np.full(others, 40)]).astype(np.int64)
    sex = np.zeros(n, np.int64) if sexes is None else np.asarray(sexes, np.int64)
    home = np.zeros(n, np.int64) if homes is None else np.asarray(homes, np.int64)
    return People(len(ages), age, sex, home, **rest)


def value(name, data, **arguments):
    """What a measure comes to, which must be measurable."""
    found = take(name, data, arguments)
    assert found.measurable, found.note
    return found.value

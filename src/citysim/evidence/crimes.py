"""Crimes of a city in one form, simulated or real, so that the same measures take both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from citysim.state.csr import Ragged

TRUE, REPORTED, RECORDED = COUNTED = "true", "reported", "recorded"
ALL, ALL_BUT_VANDALISM, ANY = "all", "all_but_vandalism", "any"
HOUSEHOLDS_OWN = "domestic_abuse"  # hidden at home: no matter of streets


class NotMeasurable(Exception):
    """The data lack what a measure needs; the text says what."""


@dataclass(frozen=True)
class Crimes:
    """Offences, one per row; what is not known of them is ``None``.

    Attributes
    ----------
    place
        Row of the place, int64 (n).
    x, y
        Position, m, float64 (n); a simulated offence lies in the middle of its place.
    offence
        Kind, text (n).
    time
        Hours since some moment, float64 (n).
    hour, weekday
        Hour of the day (0-23); day of the week (0 Monday).
    offender, victim
        Rows of people, -1 where nobody is known.
    household
        Household of the victim, -1 where nobody is known.
    reported, recorded
        Whether the police were told; whether it is in their books.
    together
        Whether the offender acted with others.
    cleared
        Whether the police found who did it.
    in_venue
        Whether it happened among the guests of a venue, indoors.
    """

    place: np.ndarray
    x: np.ndarray
    y: np.ndarray
    offence: np.ndarray
    time: np.ndarray | None = None
    hour: np.ndarray | None = None
    weekday: np.ndarray | None = None
    offender: np.ndarray | None = None
    victim: np.ndarray | None = None
    household: np.ndarray | None = None
    reported: np.ndarray | None = None
    recorded: np.ndarray | None = None
    together: np.ndarray | None = None
    cleared: np.ndarray | None = None
    in_venue: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.place)

    def where(self, chosen: np.ndarray) -> Crimes:
        """Only the chosen ones (mask or indices)."""
        return replace(self, **{name: column[chosen] for name, column in vars(self).items()
                                if column is not None})


@dataclass(frozen=True)
class Places:
    """Street segments.

    Attributes
    ----------
    x, y, length
        Middle and length, m.
    neighbours
        Segments that meet, or ``None`` where the network is not known.
    area
        Area of each segment, or ``None``.
    """

    x: np.ndarray
    y: np.ndarray
    length: np.ndarray
    neighbours: Ragged | None = None
    area: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class People:
    """Residents, then others who are about; columns are aligned.

    Attributes
    ----------
    residents
        How many of the first rows are residents.
    age, sex, home
        Years; 0 man, 1 woman; row of the home place (of residents).
    household
        Row of the household, -1 for who has none here; ``None`` where it is not known.
    habits
        By name, whether a person has it.
    fear_after_dark, odds_kept
        State of residents at the end: fear, and the share of the odds of an evening out that
        fear leaves; ``None`` where the run did not tell.
    afraid
        Fear from which a person feels unsafe.
    """

    residents: int
    age: np.ndarray
    sex: np.ndarray
    home: np.ndarray
    household: np.ndarray | None = None
    habits: dict[str, np.ndarray] = field(default_factory=dict)
    fear_after_dark: np.ndarray | None = None
    odds_kept: np.ndarray | None = None
    afraid: float | None = None


@dataclass(frozen=True)
class CityData:
    """All that is known of one city over one window of time.

    Attributes
    ----------
    name
        Of the city or file.
    crimes, places
        As above.
    people
        ``None`` where nobody is known by person.
    outcomes
        Table with ``outcome, group, value`` of a run, or ``None``.
    days
        Length of the window, or ``None``.
    residents
        Residents that rates refer to (of a sample: those simulated), or ``None``.
    offences
        Kinds that this city could have shown; of real points those that occur.
    totals
        Those of them that count in totals.
    police_per_100k
        Officers by force.
    seed, future
        Of a run.
    """

    name: str
    crimes: Crimes
    places: Places
    people: People | None = None
    outcomes: pd.DataFrame | None = None
    days: float | None = None
    residents: int | None = None
    offences: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    police_per_100k: dict[str, float] = field(default_factory=dict)
    seed: int | None = None
    future: int = 0

    def kinds(self, offences: str | Iterable[str]) -> list[str]:
        """Names of offences meant by a name, several, ``all``, ``all_but_vandalism`` or ``any``.

        ``all`` leaves out what does not count in totals and what happens within households.

        Raises
        ------
        NotMeasurable
            If the data know no such offence.
        """
        if offences == ANY:
            return list(self.offences)
        if offences in (ALL, ALL_BUT_VANDALISM):
            away = {HOUSEHOLDS_OWN} | ({"vandalism"} if offences == ALL_BUT_VANDALISM else set())
            return [name for name in self.totals if name not in away]
        names = [offences] if isinstance(offences, str) else list(offences)
        missing = [name for name in names if name not in self.offences]
        if missing:
            raise NotMeasurable(f"no offence '{missing[0]}' here")
        return names

    def select(self, offences: str | Iterable[str]) -> Crimes:
        """Crimes of these kinds (see :meth:`kinds`)."""
        return self.crimes.where(np.isin(self.crimes.offence, self.kinds(offences)))

    def as_counted(self, counted: str) -> CityData:
        """The same city with only its ``reported`` or ``recorded`` crimes; all for ``true``.

        Where it is not known who told the police, the crimes stay as they are: points from a
        file are somebody's books already.
        """
        kept = None if counted == TRUE else getattr(self.crimes, counted)
        return self if kept is None else replace(self, crimes=self.crimes.where(kept))

    def on_places(self, crimes: Crimes) -> np.ndarray:
        """Number of crimes on every place, int64."""
        return np.bincount(crimes.place, minlength=len(self.places))


@dataclass(frozen=True)
class Reading:
    """What a measure says of a city.

    Attributes
    ----------
    value
        A number, a word, or ``None`` where it is not measurable.
    cases
        Crimes (or persons) it rests on.
    note
        What a reader should know, or why it is not measurable.
    more
        What else came out: curves, tables, the same for crimes placed at random.
    possible
        Least and greatest value that the measure can take with as many crimes and people as there
        are, whatever they do; ``None`` where numbers alone set no narrower bounds.
    """

    value: float | str | None
    cases: int = 0
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    possible: tuple[float, float] | None = None

    @property
    def measurable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

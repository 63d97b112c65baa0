"""Levers: the named quantities that somebody controls and that policies may move.

A lever is one column of a table (or one bit of ``people.programme``). Its value is a base,
copied when the policies begin, plus the modifiers of the active policies. A column is worked
out again only when one of its modifiers changed, and is written into the array that the
kernels already hold. Columns that the model itself moves (upkeep, disorder, fear, ...) are
not levers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from citysim.config.errors import InputError, closest_match
from citysim.state import columns
from citysim.state.table import Column, Table

OPS = ("set", "multiply", "add", "at_least", "at_most")  # also the order of combination
TABLES = {"places": columns.PLACES, "people": columns.PEOPLE, "city": columns.CITY}


@dataclass(frozen=True)
class Lever:
    """One lever.

    Parameters
    ----------
    name
        Dotted name that policies and sweeps use.
    table, column
        Where the quantity lives; unit and range come from the column.
    control
        Who decides by default: ``city`` or ``national``.
    doc
        What moving it means.
    bit
        For programmes: the bit of ``people.programme``; 0 for plain columns.
    """

    name: str
    table: str
    column: str
    control: str
    doc: str
    bit: int = 0

    @property
    def declaration(self) -> Column:
        """The declaration of the lever's column."""
        return next(c for c in TABLES[self.table] if c.name == self.column)

    @property
    def unit(self) -> str:
        """Unit of the amounts; a programme is counted in persons."""
        return "enrolled" if self.bit else self.declaration.unit

    @property
    def range(self) -> tuple[float | None, float | None]:
        """Inclusive range of the value; ``None`` leaves a side open."""
        return (0, 1) if self.bit else (self.declaration.low, self.declaration.high)


_L = Lever
LEVERS: dict[str, Lever] = {lever.name: lever for lever in (
    _L("places.lighting", "places", "lighting", "city", "street lamps added or renewed"),
    _L("places.camera", "places", "camera", "city", "cameras over public space"),
    _L("places.cleaning", "places", "cleaning", "city", "cleaning and small repairs"),
    _L("places.stewardship", "places", "stewardship", "city",
       "residents who adopt a place and look after it"),
    _L("places.works", "places", "works", "city", "building works that restore a place"),
    _L("places.remediation", "places", "remediation", "city",
       "derelict lots cleared, abandoned houses repaired"),
    _L("places.greenery", "places", "greenery", "city", "lots planted for residents to use"),
    _L("places.alley_gates", "places", "rear_closed", "city",
       "dwellings whose rear access is closed by gates"),
    _L("places.patrol_visits", "places", "patrol_visits", "national",
       "visits that officers are told to pay to a place"),
    _L("places.visit_minutes", "places", "visit_minutes", "national",
       "how long officers stay on such a visit"),
    _L("places.visit_from", "places", "visit_from", "national", "hour from which visits are paid"),
    _L("places.visit_to", "places", "visit_to", "national", "hour until which visits are paid"),
    _L("places.visit_contacts", "places", "visit_contacts", "national",
       "residents that officers talk to on such visits"),
    _L("places.procedural_quality", "places", "procedural_quality", "national",
       "how fairly officers deal with people at a place, beside the city's level"),
    _L("community.norm_campaign", "places", "norm_campaign", "city",
       "neighbours mobilised against violence to women"),
    _L("venues.closing_hour", "places", "closing_hour", "city", "hour at which venues close"),
    _L("venues.alcohol", "places", "alcohol", "city",
       "cultural mix: share of evening venues that live on drink"),
    _L("night.events", "places", "events", "city", "evening events not led by alcohol"),
    _L("night.services", "places", "services", "city",
       "public services that stay open in the evening and at night"),
    _L("night.services_until", "city", "services_until", "city",
       "hour until which staffed evening services stay open"),
    _L("night.hosts", "places", "hosts", "city", "street hosts out in the evening and at night"),
    _L("transport.night_headway", "city", "night_headway", "city", "time between night buses"),
    _L("transport.night_service_end", "city", "night_service_end", "city",
       "end of the night bus service"),
    _L("patrol.reactive_units", "city", "reactive_units", "national", "patrols that answer calls"),
    _L("patrol.random_units", "city", "random_units", "national", "patrols without a fixed aim"),
    _L("patrol.hot_spot_units", "city", "hot_spot_units", "national",
       "patrols sent where recorded crime is densest"),
    _L("patrol.beat_units", "city", "beat_units", "city", "community officers on foot beats"),
    _L("patrol.stop_minutes", "city", "stop_minutes", "national",
       "how long a patrol stays at one place"),
    _L("police.procedural_quality", "city", "procedural_quality", "city",
       "how fairly and respectfully officers deal with people"),
    _L("police.contacts_per_hour", "city", "contacts_per_hour", "city",
       "residents a beat officer talks to"),
    _L("police.consultation", "city", "consultation", "city",
       "households asked what should come first"),
    _L("police.reporting_support", "city", "reporting_support", "city",
       "help for people who want to report harassment or abuse"),
    _L("youth.school_support", "people", "programme", "city", "tutoring and support at school", 1),
    _L("youth.training", "people", "programme", "city", "vocational training", 2),
    _L("youth.placement", "people", "programme", "city", "a paid work placement", 4),
    _L("youth.mentor", "people", "programme", "city", "a mentor", 8),
    _L("youth.sessions", "people", "programme", "city", "weekly cognitive behavioural sessions",
       16),
)}


def find_lever(name: str, where: str | None = None) -> Lever:
    """The lever called ``name``; raises :class:`InputError` with the closest name."""
    if name not in LEVERS:
        raise InputError(f"there is no lever '{name}'", where=where, allowed=LEVERS,
                         closest=closest_match(name, LEVERS))
    return LEVERS[name]


@dataclass(frozen=True, eq=False)
class Modifier:
    """What one measure does to one lever.

    Parameters
    ----------
    lever, op
        Name of the lever; one of :data:`OPS` (programmes know ``set`` only).
    amount
        In the unit of the lever; a factor for ``multiply``.
    rows
        Distinct row indices of the table, or ``None`` for all rows.
    weight
        How much of the change is in place: one number or one per row. 0 changes nothing,
        1 the whole change; between them the change is blended in (ramps, part of a site).
    label
        Who asks; only used to put modifiers into a fixed order.
    """

    lever: str
    op: str
    amount: float
    rows: np.ndarray | None = None
    weight: float | np.ndarray = 1.0
    label: str = ""

    @property
    def neutral(self) -> bool:
        """Whether the modifier cannot change any value."""
        return ((self.op == "add" and self.amount == 0)
                or (self.op == "multiply" and self.amount == 1)
                or (self.rows is not None and len(self.rows) == 0)
                or not np.any(self.weight))

    def order(self) -> tuple:
        """A sort key that does not depend on when the modifier was added."""
        rows = b"" if self.rows is None else self.rows.tobytes()
        return (OPS.index(self.op), self.label, self.amount,
                np.asarray(self.weight, dtype="f8").tobytes(), rows)


@dataclass
class _Held:
    """A column under control: the array kernels read, its base and its modifiers."""

    array: np.ndarray
    base: np.ndarray
    declaration: Column
    modifiers: dict[int, Modifier] = field(default_factory=dict)


class Levers:
    """The base values and active modifiers of every lever whose table is given.

    Values combine as *set, then multiply, then add, then at_least, then at_most*, clipped to
    the column's range at the rows touched. Several ``set`` on one row give the mean of what
    they ask, weighed by their weights; a ceiling outranks a floor. The result does not
    depend on the order in which modifiers were added. Rows that no modifier touches keep
    their base bit for bit.

    Parameters
    ----------
    tables
        ``places``, ``people`` and ``city`` (one row of ``columns.CITY``), as far as they exist.
    """

    def __init__(self, tables: dict[str, Table]):
        self._held: dict[tuple[str, str], _Held] = {}
        for lever in LEVERS.values():
            where = (lever.table, lever.column)
            if lever.table in tables and where not in self._held:
                array = tables[lever.table][lever.column]
                self._held[where] = _Held(array, array.copy(), lever.declaration)
        self._owner: dict[int, tuple[str, str]] = {}
        self._next = 0
        self._dirty: set[str] = set()

    @property
    def dirty(self) -> frozenset[str]:
        """Names of levers whose modifiers changed since the last :meth:`apply`."""
        return frozenset(self._dirty)

    def add(self, modifier: Modifier) -> int:
        """Add a modifier and return its handle; raises :class:`InputError` if it makes no sense."""
        held = self._find(modifier.lever)
        self._check(modifier, held)
        handle = self._next
        self._next += 1
        held.modifiers[handle] = modifier
        self._owner[handle] = self._key(modifier.lever)
        self._dirty.add(modifier.lever)
        return handle

    def change(self, handle: int, **fields) -> None:
        """Replace fields (``amount``, ``rows``, ``weight``) of the modifier behind ``handle``."""
        held = self._held[self._owner[handle]]
        modifier = replace(held.modifiers[handle], **fields)
        self._check(modifier, held)
        held.modifiers[handle] = modifier
        self._dirty.add(modifier.lever)

    def remove(self, handle: int) -> None:
        """Take the modifier behind ``handle`` away; with the last one the base is back."""
        held = self._held[self._owner.pop(handle)]
        self._dirty.add(held.modifiers.pop(handle).lever)

    def apply(self) -> frozenset[str]:
        """Write every column whose modifiers changed; return the names of those levers."""
        changed = frozenset(self._dirty)
        for key in {self._key(name) for name in changed}:
            _write(self._held[key])
        self._dirty.clear()
        return changed

    def value(self, name: str) -> np.ndarray:
        """The lever's value now, pending changes included.

        A read-only view of the column (flat, one entry per row of its table); for a
        programme a boolean copy, true where a person is enrolled.
        """
        held = self._find(name)
        if self._key(name) in {self._key(n) for n in self._dirty}:
            self.apply()
        if LEVERS[name].bit:
            return (held.array & LEVERS[name].bit) != 0
        view = held.array.view()
        view.flags.writeable = False
        return view

    def base(self, name: str) -> np.ndarray:
        """A copy of the lever's column as it was before any policy."""
        return self._find(name).base.copy()

    def reach(self, modifier: Modifier, weight=None) -> np.ndarray:
        """Value that the modifier alone would give on its rows (float64, clipped to the range)."""
        held = self._find(modifier.lever)
        rows = slice(None) if modifier.rows is None else modifier.rows
        base = held.base[rows].astype("f8")
        weight = modifier.weight if weight is None else weight
        return _clip(_blend(modifier.op, base, modifier.amount, weight), held.declaration)

    def most(self, name: str, modifiers: list[Modifier]) -> float:
        """Upper bound of a lever of the city under any part of some modifiers, capped by none."""
        start = top = float(self._find(name).base.max())
        for m in sorted(modifiers, key=Modifier.order):
            weight = float(np.max(m.weight))
            if m.op in ("set", "at_least"):
                top = max(top, start + weight * (m.amount - start))
            elif m.op == "multiply":
                top *= max(1.0, 1 + weight * (m.amount - 1))
            elif m.op == "add":
                top += max(0.0, weight * m.amount)
        return top

    def _key(self, name: str) -> tuple[str, str]:
        lever = find_lever(name)
        return lever.table, lever.column

    def _find(self, name: str) -> _Held:
        key = self._key(name)
        if key not in self._held:
            raise InputError(f"lever '{name}' needs the table '{key[0]}', which this city lacks",
                             allowed=sorted({table for table, _ in self._held}))
        return self._held[key]

    @staticmethod
    def _check(modifier: Modifier, held: _Held) -> None:
        lever = LEVERS[modifier.lever]
        allowed = ("set",) if lever.bit else OPS
        if modifier.op not in allowed:
            raise InputError(f"lever '{lever.name}' cannot be moved by '{modifier.op}'",
                             allowed=allowed, closest=closest_match(modifier.op, allowed))
        if not np.isfinite(modifier.amount) or not np.all(np.isfinite(modifier.weight)):
            raise InputError(f"the change of lever '{lever.name}' is not a finite number")
        if np.min(modifier.weight, initial=0) < 0:
            raise InputError(f"the change of lever '{lever.name}' has a negative weight")
        if modifier.rows is None:
            size = len(held.base)
        else:
            rows, size = np.asarray(modifier.rows), len(modifier.rows)
            if size and (rows.min() < 0 or rows.max() >= len(held.base)):
                raise InputError(f"lever '{lever.name}' is moved on rows that do not exist",
                                 allowed=f"0 to {len(held.base) - 1}")
            if len(np.unique(rows)) != size:
                raise InputError(f"lever '{lever.name}' is moved twice on one row by one measure")
        if np.ndim(modifier.weight) and len(modifier.weight) != size:
            raise InputError(f"lever '{lever.name}' needs one weight per row", allowed=str(size))


def _blend(op: str, values: np.ndarray, amount: float, weight) -> np.ndarray:
    """Move ``values`` by one operation, blended in by ``weight``."""
    if op == "set":
        return values + weight * (amount - values)
    if op == "multiply":
        return values * (1 + weight * (amount - 1))
    if op == "add":
        return values + weight * amount
    if op == "at_least":
        return values + weight * np.maximum(amount - values, 0)
    return values + weight * np.minimum(amount - values, 0)


def _clip(values: np.ndarray, declaration: Column) -> np.ndarray:
    """Keep values within the column's range."""
    return np.clip(values, declaration.low, declaration.high) \
        if (declaration.low, declaration.high) != (None, None) else values


def _write(held: _Held) -> None:
    """Work a column out from its base and modifiers, into the same array."""
    active = sorted((m for m in held.modifiers.values() if not m.neutral), key=Modifier.order)
    result = held.base.copy()
    bits = [m for m in active if LEVERS[m.lever].bit]
    for m in bits:
        rows = np.arange(len(result)) if m.rows is None else m.rows
        placed = rows[np.broadcast_to(np.asarray(m.weight) > 0, rows.shape)]
        if m.amount:
            result[placed] |= np.uint8(LEVERS[m.lever].bit)
    plain = [m for m in active if not LEVERS[m.lever].bit]
    if plain:
        touched = np.zeros(len(result), dtype=bool)
        values = _settle(held.base.astype("f8"), plain)
        for m in plain:
            rows = slice(None) if m.rows is None else m.rows
            touched[rows] |= np.asarray(m.weight) != 0
            if m.op != "set":
                values[rows] = _blend(m.op, values[rows], m.amount, m.weight)
        result[touched] = _clip(values, held.declaration)[touched]
    held.array[...] = result


def _settle(values: np.ndarray, modifiers: list[Modifier]) -> np.ndarray:
    """Apply all ``set`` modifiers at once: their weighed mean, as strong as the strongest."""
    setters = [m for m in modifiers if m.op == "set"]
    if not setters:
        return values
    pull, total, strongest = (np.zeros(len(values)) for _ in range(3))
    for m in setters:
        rows = slice(None) if m.rows is None else m.rows
        pull[rows] += m.weight * (m.amount - values[rows])
        total[rows] += m.weight
        strongest[rows] = np.maximum(strongest[rows], m.weight)
    return values + strongest * pull / np.where(total > 0, total, 1)

"""An opened study: its finished runs, their tables, the order of its scenarios."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from citysim.config.errors import InputError, closest_match
from citysim.config.study_keys import BASELINE
from citysim.results import arrays, months, sql
from citysim.study.measures import COLUMNS, measures_of
from citysim.study.parts import DONE, INDEX, RESULTS, RUNS
from citysim.study.store import DESIGN, MEASURES, Store

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import xarray as xr

STORED = ("outcomes", "daily", "places", "profile", "events", "notes")
TABLES = ("runs", "outcomes", "groups", *STORED[1:], "design", "measures")
"""Every table of a study; ``groups`` is the part of ``outcomes`` that is not about all."""

KINDS = ("pandas", "polars", "arrow")
_EMPTY = ("outcome", "group", "unit", "value")


class Results:
    """Results of one study, read when they are asked for.

    Only rows of finished runs of the present design are seen; a run whose files are cut off
    counts as missing.

    Parameters
    ----------
    store
        The study's folder.

    Attributes
    ----------
    manifest
        Content of its manifest; empty when there is none.
    """

    def __init__(self, store: Store):
        self.store = store
        self.manifest: dict[str, Any] = store.manifest
        self._held = store.finished()
        self._runs = self._held.rows.to_pandas().sort_values(
            list(INDEX[1:]), ignore_index=True)

    # --- the study as a whole

    @property
    def folder(self) -> Path:
        """Folder of the study."""
        return self.store.folder

    @property
    def done(self) -> pd.DataFrame:
        """Runs that ended well, as in :meth:`runs`."""
        return self._runs[self._runs["status"] == DONE]

    @property
    def failed(self) -> pd.DataFrame:
        """Runs that did not."""
        return self._runs[self._runs["status"] != DONE]

    @property
    def missing(self) -> int:
        """Planned runs that left no trace: the study was cut short."""
        return max(0, len(self.manifest.get("keys") or []) - len(self._runs))

    @cached_property
    def scenarios(self) -> list[str]:
        """Scenarios in the study's order, the baseline first."""
        return order_scenarios(self._runs["scenario"], self.manifest)

    @property
    def baseline(self) -> str:
        """Scenario that all others are held against."""
        return self.scenarios[0]

    # --- tables

    def runs(self) -> pd.DataFrame:
        """One row per run: key, scenario, future, seed, status, seconds, error and versions."""
        return self._runs.copy()

    def outcomes(self, outcomes: Iterable[str] | None = None, **choice) -> pd.DataFrame:
        """One row per run, outcome and group: the figure over the evaluation window."""
        return self.table("outcomes", outcomes, **choice)

    def groups(self, outcomes: Iterable[str] | None = None, **choice) -> pd.DataFrame:
        """The rows of :meth:`outcomes` that are about a group, district or part of the day."""
        return self.table("groups", outcomes, **choice)

    def daily(self, outcomes: Iterable[str] | None = None, **choice) -> pd.DataFrame:
        """One row per run, day of the window and outcome."""
        return self.table("daily", outcomes, **choice)

    def places(self, outcomes: Iterable[str] | None = None, month: str | None = None,
               **choice) -> pd.DataFrame:
        """One row per run, place and outcome, over the window or in one month.

        Parameters
        ----------
        outcomes
            Keep only these outcome ids.
        month
            ``None`` for the whole window (sums add up, states are those of its end), ``"2024-03"``
            for one calendar month. All months by row: ``table("places")``.
        choice
            As for :meth:`table`.

        Raises
        ------
        InputError
            If the window has no such month.
        """
        rows = self.table("places", outcomes, **choice)
        return months.over_window(rows) if month is None else months.pick(rows, month)

    def profile(self, outcomes: Iterable[str] | None = None, **choice) -> pd.DataFrame:
        """One row per run, weekday, hour and outcome."""
        return self.table("profile", outcomes, **choice)

    def events(self, **choice) -> pd.DataFrame:
        """One row per offence."""
        return self.table("events", **choice)

    def notes(self, **choice) -> pd.DataFrame:
        """One row per run and sentence on what a reader should know about it."""
        return self.table("notes", **choice)

    def remarks(self) -> list[tuple[str, str]]:
        """Different notes with the scenario that each is about, in the study's order.

        Where scenario and policy have one name, the note does not repeat it.
        """
        rows = self.notes()
        if not len(rows):
            return []
        pairs = rows[["scenario", "note"]].drop_duplicates().itertuples(index=False)
        order = {name: i for i, name in enumerate(self.scenarios)}
        told = [(scenario, note.removeprefix(f"{scenario}: ")) for scenario, note in pairs]
        return sorted(told, key=lambda pair: order.get(pair[0], len(order)))

    def design(self) -> pd.DataFrame:
        """One row per scenario and future: the value of every lever and uncertainty."""
        return self.table("design")

    def measures(self) -> pd.DataFrame:
        """One row per outcome: what it is, its unit, its better direction, where it is held."""
        return self.table("measures")

    def table(self, name: str, outcomes: Iterable[str] | None = None, *,
              scenarios: Iterable[str] | None = None, columns: list[str] | None = None,
              as_: str = "pandas"):
        """A table by name; only what is asked for is read.

        Parameters
        ----------
        name
            One of :data:`TABLES`.
        outcomes, scenarios
            Keep only these; all when left out.
        columns
            Columns to read; all when left out.
        as_
            ``pandas``, ``polars`` or ``arrow``.

        Raises
        ------
        InputError
            If there is no table, column or kind of that name.
        """
        _one_of("table", name, TABLES)
        _one_of("as_", as_, KINDS)
        rows = self._arrow(name, _listed(outcomes), _listed(scenarios), columns)
        if as_ == "pandas":
            return rows.to_pandas()
        if as_ == "polars":
            import polars

            return polars.from_arrow(rows)
        return rows

    def polars(self, name: str, outcomes: Iterable[str] | None = None, **choice) -> pl.DataFrame:
        """:meth:`table` as polars."""
        return self.table(name, outcomes, **choice, as_="polars")

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection in memory with every table as a view of its name."""
        stored = {name: self._held.pieces(name) for name in STORED if name in self._held.tables}
        whole = {name: self.table(name, as_="arrow") for name in ("runs", "design", "measures")}
        return sql.connection(stored, whole)

    def xarray(self, outcome: str, world=None, scenarios: Iterable[str] | None = None
               ) -> xr.DataArray:
        """One outcome of the table ``places`` as an array of run x month x place.

        Parameters
        ----------
        outcome
            Its id, such as ``crime.hazard.all``.
        world
            A world or city that knows the places; adds their x and y (m) and district.
        scenarios
            Keep only these.

        Returns
        -------
        xarray.DataArray
            Coordinates: ``key, scenario, future, seed`` of each run, ``month`` and the ``days`` of
            it that lie in the window, ``place``. NaN where a run has no row.

        Raises
        ------
        InputError
            If no place has this outcome.
        """
        rows = self._arrow("places", [outcome], _listed(scenarios), None)
        if not rows.num_rows:
            there = [m["outcome"] for m in self._arrow("measures", None, None, None).to_pylist()
                     if "places" in m["tables"]]
            raise InputError(f"no places with the outcome '{outcome}'", where=str(self.folder),
                             allowed=there or "a study that wrote places",
                             closest=closest_match(outcome, there) if there else None)
        return arrays.by_place(rows, outcome, months.days_of(self.manifest), world)

    # --- inner

    def _arrow(self, name, outcomes, scenarios, columns) -> pa.Table:
        import pyarrow.dataset as ds

        wanted = None
        for field, values in (("outcome", outcomes), ("scenario", scenarios)):
            if values is not None:
                own = ds.field(field).isin(values)
                wanted = own if wanted is None else wanted & own
        if name == "groups":
            own = ds.field("group") != "all"
            wanted = own if wanted is None else wanted & own
        if name == "groups" or name in STORED:
            return self._stored("outcomes" if name == "groups" else name, columns, wanted)
        rows = self._small(name)
        if scenarios is not None and "scenario" in rows.column_names:
            rows = rows.filter(ds.field("scenario").isin(scenarios))
        if outcomes is not None and "outcome" in rows.column_names:
            rows = rows.filter(ds.field("outcome").isin(outcomes))
        for column in columns or ():
            _one_of("column", column, tuple(rows.column_names))
        return rows if columns is None else rows.select(columns)

    def _stored(self, table: str, columns, wanted) -> pa.Table:
        if table not in self._held.tables:
            names = list(columns or (*INDEX, *_EMPTY))
            return pa.table({n: pa.array([], pa.float64() if n == "value" else pa.string())
                             for n in names})
        try:
            return self._held.read(table, columns, wanted)
        except FileNotFoundError:  # compacted, or set aside, since the study was opened
            self._held = self.store.finished()
            return self._held.read(table, columns, wanted)
        except pa.ArrowInvalid as error:
            raise InputError(str(error).splitlines()[0], where=f"table {table}") from None

    def _small(self, name: str) -> pa.Table:
        import pyarrow.csv as csv
        import pyarrow.parquet as pq

        if name == "runs":
            return pa.Table.from_pandas(self._runs, preserve_index=False)
        path = self.folder / (DESIGN if name == "design" else MEASURES)
        if name == "design":
            return pq.read_table(path) if path.exists() else pa.table(
                {"scenario": pa.array([], pa.string()), "future": pa.array([], pa.int32()),
                 "sample": pa.array([], pa.int32())})
        words = csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
        return csv.read_csv(path, convert_options=words) if path.exists() \
            else measures_of(self._held)


def open_study(folder: str | Path | Results) -> Results:
    """Open the study in a folder.

    Raises
    ------
    InputError
        If the folder holds no run, or two finished runs share scenario, future and seed.
    """
    if isinstance(folder, Results):
        return folder
    found = Results(Store(folder))
    if not len(found.runs()):
        raise InputError("no results of a study here", where=str(folder),
                         allowed=f"a folder with {RESULTS}/{RUNS}/*.parquet, as a study writes it")
    done = found.done
    twice = done[done.duplicated(list(INDEX[1:]), keep=False)]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(f"two finished runs of scenario '{first.scenario}', future "
                         f"{first.future}, seed {first.seed}",
                         where=str(found.folder / RESULTS / RUNS),
                         allowed="one run per scenario, future and seed")
    return found


def order_scenarios(found: Iterable[str], manifest: dict | None = None) -> list[str]:
    """Scenarios in the manifest's order; ``no_action``, or else the first, leads."""
    found = dict.fromkeys(found)
    listed = (manifest or {}).get("scenarios") or []
    names = dict.fromkeys(s.get("name") if isinstance(s, dict) else str(s) for s in listed)
    ordered = [n for n in names if n in found]
    ordered += sorted(s for s in found if s not in names)
    if BASELINE in found:
        ordered.remove(BASELINE)
        ordered.insert(0, BASELINE)
    return ordered


def _listed(names: Iterable[str] | str | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _one_of(what: str, name: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        raise InputError(f"there is no {what} '{name}'", where="citysim.results",
                         allowed=list(allowed), closest=closest_match(name, allowed))

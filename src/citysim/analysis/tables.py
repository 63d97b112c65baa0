"""A study as analysis sees it: its finished runs, their tables, the order of scenarios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from citysim.config.errors import InputError
from citysim.config.study_keys import BASELINE
from citysim.study.store import DONE, RESULTS, RUNS, Store

_COLUMNS = ("key", "scenario", "seed", "outcome", "group", "unit", "value")


@dataclass(frozen=True)
class Study:
    """Results of one study.

    Parameters
    ----------
    store
        The study's folder.
    manifest
        Content of its manifest; empty when there is none.
    runs
        One row per run: key, scenario, seed, status (``done`` or ``failed``), seconds, error.
    """

    store: Store
    manifest: dict
    runs: pd.DataFrame

    @property
    def folder(self) -> Path:
        """Folder of the study."""
        return self.store.folder

    @property
    def done(self) -> pd.DataFrame:
        """Runs that ended well."""
        return self.runs[self.runs["status"] == DONE]

    @property
    def failed(self) -> pd.DataFrame:
        """Runs that did not."""
        return self.runs[self.runs["status"] != DONE]

    @property
    def missing(self) -> int:
        """Planned runs that left no trace: the study was cut short."""
        return max(0, len(self.manifest.get("keys") or []) - len(self.runs))

    @property
    def scenarios(self) -> list[str]:
        """Scenarios in the study's order, the baseline first."""
        return order_scenarios(self.runs["scenario"], self.manifest)

    @property
    def baseline(self) -> str:
        """Scenario that all others are held against."""
        return self.scenarios[0]

    def table(self, name: str, outcomes: Iterable[str] | None = None) -> pd.DataFrame:
        """Rows of one result table of all finished runs, with key, scenario and seed.

        Parameters
        ----------
        name
            ``outcomes``, ``daily``, ``places``, ``profile`` or ``events``.
        outcomes
            Keep only these outcome ids; all when left out.
        """
        wanted = None
        if outcomes is not None:
            wanted = ds.field("outcome").cast(pa.string()).isin(list(outcomes))
        found = self.store.read(name, filter=wanted)
        if not len(found):
            return pd.DataFrame(columns=list(dict.fromkeys([*_COLUMNS, *found.columns])))
        for column in ("scenario", "outcome", "group", "unit"):
            if column in found:  # dictionary-encoded columns would bring empty categories along
                found[column] = found[column].astype(object)
        return found


def open_study(store_dir: str | Path) -> Study:
    """Open the study in a folder.

    Raises
    ------
    InputError
        If the folder holds no run, or two finished runs share scenario and seed.
    """
    store = Store(store_dir)
    runs = store.runs()
    if not len(runs):
        raise InputError("no results of a study here", where=str(store_dir),
                         allowed=f"a folder with {RESULTS}/{RUNS}/*.parquet, as a study writes it")
    runs = runs.sort_values(["scenario", "seed"], ignore_index=True)
    done = runs[runs["status"] == DONE]
    twice = done[done.duplicated(["scenario", "seed"], keep=False)]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(f"two finished runs of scenario '{first.scenario}', seed {first.seed}",
                         where=str(store.folder / RESULTS / RUNS),
                         allowed="one run per scenario and seed")
    return Study(store, store.manifest, runs)


def order_scenarios(found: Iterable[str], manifest: dict | None = None) -> list[str]:
    """Scenarios in the manifest's order; ``no_action``, or else the first, leads."""
    found = list(dict.fromkeys(found))
    listed = (manifest or {}).get("scenarios") or []
    names = [s.get("name") if isinstance(s, dict) else str(s) for s in listed]
    ordered = [n for n in names if n in found]
    ordered += sorted(s for s in found if s not in ordered)
    if BASELINE in ordered:
        ordered.remove(BASELINE)
        ordered.insert(0, BASELINE)
    return ordered

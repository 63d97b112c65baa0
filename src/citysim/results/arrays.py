"""The table ``places`` as an array of run x month x place."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from citysim.outcomes.registry import describe
from citysim.outcomes.tables import BY_PLACE, over_months, places_unit
from citysim.results.months import MONTH

if TYPE_CHECKING:
    import xarray as xr


def by_place(rows: pa.Table, outcome: str, days: dict[date, int], world=None) -> xr.DataArray:
    """Arrange the rows of one outcome.

    Parameters
    ----------
    rows
        Rows of ``places``; without the column ``month`` there is one month, not a date.
    outcome
        Its id.
    days
        Days of the window in each month.
    world
        World or city whose places these are, or ``None``.
    """
    import xarray as xr

    if MONTH not in rows.column_names:
        rows = rows.append_column(MONTH, pa.nulls(rows.num_rows, pa.date32()))
    keys = rows["key"].combine_chunks().dictionary_encode()
    run = np.asarray(keys.indices)
    month, when = np.unique(np.asarray(rows[MONTH].cast(pa.date32())).astype("datetime64[D]"),
                            return_inverse=True)
    place = np.asarray(rows["place"])
    cube = np.full((len(keys.dictionary), len(month), int(place.max()) + 1), np.nan)
    cube[run, when, place] = np.asarray(rows["value"])
    first = np.zeros(len(keys.dictionary), np.int64)
    first[run[::-1]] = np.arange(len(run))[::-1]
    own = rows.select(["key", "scenario", "future", "seed"]).take(pa.array(first))
    coordinates = {name: ("run", np.asarray(own[name].to_pylist())) for name in own.column_names}
    coordinates |= {
        "month": month.astype("datetime64[ns]"), "place": np.arange(cube.shape[2]),
        "days": ("month", [float(days.get(m, np.nan)) for m in month.tolist()])}
    coordinates |= _where(getattr(world, "city", world), cube.shape[2])
    unit = places_unit(outcome) or (BY_PLACE.get(outcome) or describe(outcome)).unit
    return xr.DataArray(cube, dims=("run", "month", "place"), coords=coordinates, name=outcome,
                        attrs={"unit": unit, "over_months": over_months(outcome)})


def _where(city, n: int) -> dict:
    """Coordinates of the places, when the city is known."""
    if city is None:
        return {}
    table, names = city.places, np.array(city.districts)
    found = {"x": table.x, "y": table.y, "district": names[np.asarray(table.district)]}
    return {name: ("place", np.asarray(values)[:n]) for name, values in found.items()}

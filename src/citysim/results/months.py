"""Calendar months of the table ``places``: over the window, one of them, days of each."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from citysim.config.errors import InputError
from citysim.outcomes.tables import END, over_months

if TYPE_CHECKING:
    import pandas as pd

MONTH = "month"


def over_window(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``places`` over the whole window: months add up, states are those of the last.

    Rows without a month (of a version that had none) are the window already.
    """
    if MONTH not in rows or not len(rows):
        return rows
    import pandas as pd

    ends = [o for o in rows["outcome"].unique() if over_months(o) == END]
    is_end = rows["outcome"].isin(ends)
    last = rows.groupby("key")[MONTH].transform("max")
    states = rows[is_end & ((rows[MONTH] == last) | rows[MONTH].isna())].drop(columns=MONTH)
    by = [c for c in rows.columns if c not in (MONTH, "value")]
    sums = rows[~is_end].groupby(by, as_index=False, sort=False, observed=True)["value"].sum()
    return pd.concat([sums, states], ignore_index=True)[[*by, "value"]]


def pick(rows: pd.DataFrame, month: str) -> pd.DataFrame:
    """Rows of one calendar month, named by ``2024-03`` or any day in it.

    Raises
    ------
    InputError
        If there is no such month.
    """
    there = sorted({str(m)[:7] for m in rows[MONTH].dropna().unique()}) if MONTH in rows else []
    wanted = str(month)[:7]
    if wanted not in there:
        raise InputError(f"no month '{month}' in this study", where="places",
                         allowed=there or "None: the study was written without months")
    return rows[rows[MONTH].astype(str).str[:7] == wanted].reset_index(drop=True)


def days_of(manifest: dict) -> dict[date, int]:
    """Days of the evaluation window in each calendar month, by its first day.

    Empty when the manifest does not tell the window.
    """
    config = manifest.get("config") or {}
    try:
        first, days = date.fromisoformat(str(config["start_date"])), int(config["days"])
    except (KeyError, ValueError, TypeError):
        return {}
    firsts = [(first + timedelta(days=d)).replace(day=1) for d in range(days)]
    found, counts = np.unique(np.array(firsts, "datetime64[D]"), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))

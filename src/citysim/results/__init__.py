"""Results of a study as tidy tables: the one way to open what a study left behind.

``open(folder)`` gives a :class:`Results`: ``outcomes()``, ``daily()`` and the other tables as
pandas, ``polars(...)``, ``duckdb()`` and ``xarray(...)`` beside it. Units: docs/results.md.
"""

from citysim.results.opened import TABLES, Results, order_scenarios
from citysim.results.opened import open_study as open

__all__ = ["TABLES", "Results", "open", "order_scenarios"]

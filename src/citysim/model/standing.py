"""Where a model stands: what another one needs to go on from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from citysim.model.recorder import Recorder


@dataclass(frozen=True)
class Standing:
    """The state of a model between two days; its own arrays, good until it steps on.

    Attributes
    ----------
    arrays
        Every array that carries state from one step to the next, by name
        (:meth:`citysim.model.city_model.CityModel.state`).
    guardian_rows
        Rows of the guardians by kind.
    attract
        float32 (places, offences): background of the places, by derelict sites as they stand.
    recorder
        What the run has kept for its measures.
    step_index
        Steps done.
    hot_places
        Places that hot-spot patrols go to.
    """

    arrays: dict[str, np.ndarray]
    guardian_rows: dict[int, slice]
    attract: np.ndarray
    recorder: Recorder
    step_index: int
    hot_places: np.ndarray

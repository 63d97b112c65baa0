"""What tests of the whole model look at."""

import numpy as np

TABLES = ("places", "people", "households", "offenders", "guardians", "city_row")


def all_events(model):
    """Events of closed days and of the current one."""
    r = model.recorder
    return np.concatenate([r.all_events(), r.events[:r.n_events]])


def row_of(model, name):
    """Row of an offence."""
    return model.constants.offences.names.index(name)

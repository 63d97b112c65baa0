"""Refusing, before anything is written, what no city or policy can be made from."""

from __future__ import annotations

from citysim.config.errors import InputError
from citysim.config.settings import Settings


def check_inputs(settings: Settings) -> None:
    """Read the city's, the policies' and the model's parameters once.

    Raises
    ------
    InputError
        For whatever they refuse, and for a parameter that the model asks for and the
        configuration does not have.
    """
    from citysim.city.spec import CitySpec
    from citysim.model.constants import read_constants
    from citysim.policies.policy import parse_policies

    try:
        CitySpec.read(settings.city)
        parse_policies(settings.policies)
        read_constants(settings, settings.scale, settings.step_hours)
    except InputError as error:
        raise InputError(error.message, where=_place(settings, error.where or ""),
                         allowed=error.allowed, closest=error.closest) from None


def _place(settings: Settings, where: str) -> str:
    """Where the user set a key: by hand, or in the file of its group."""
    file = settings.files.get(where.split(".")[0])
    if file is None or any(t.lstrip("+").startswith(where) for t in settings.overrides):
        return where
    return f"{file}, key {where}"

"""citysim: an agent-based model of urban crime and prevention policy.

``CityModel``, ``compose``, ``results`` and the agent classes are loaded when first asked for, so
that importing the package costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "CityModel": ("citysim.model.city_model", "CityModel"),
    "compose": ("citysim.config.compose", "compose_study"),
    "results": ("citysim.results", None),
    **{name: ("citysim.model.agents", name) for name in
       ("Guardian", "Institution", "Offender", "Outsider", "PublicSpace", "Resident")},
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'citysim' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    found = import_module(module)
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    return sorted(__all__)

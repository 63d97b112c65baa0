"""Refusing, before anything is written, what no city or policy can be made from."""

from __future__ import annotations

from citysim.config.errors import InputError, closest_match
from citysim.config.factors import paths_of
from citysim.config.settings import Settings
from citysim.study.factors import place_of

_POLICY_FILES = "configs/policy/"


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
        CitySpec.read(settings.city).check_files()
        parse_policies(settings.policies)
        read_constants(settings, settings.scale, settings.step_hours, 0)
    except InputError as error:
        raise InputError(error.message, where=_place(settings, error.where or ""),
                         allowed=error.allowed, closest=error.closest) from None
    _check_outcome(settings)


def _check_outcome(settings: Settings) -> None:
    """Refuse a rule for more seeds that looks at an outcome which not every scenario has."""
    from citysim.outcomes.record import TOTALS
    from citysim.outcomes.registry import all_measures

    if not settings.replicates:
        return
    wanted, members = settings.replicates["of"], (*settings.offences, *TOTALS)
    # Dose and reach are of policies; doing nothing has none to compare with.
    families = {key: [key + m for m in members] if key.endswith(".") else [key]
                for key in all_measures() if not key.startswith("policy.")}
    known = [outcome for ids in families.values() for outcome in ids]
    if wanted not in known:
        own = next((ids for key, ids in families.items()
                    if key.endswith(".") and wanted.startswith(key)), sorted(families))
        raise InputError(f"no outcome '{wanted}' that every scenario has",
                         where=place_of(settings, "replicates.of"), allowed=own,
                         closest=closest_match(wanted, known))


def _place(settings: Settings, where: str) -> str:
    """Where the user set a key: by hand, or in the file of its group.

    Policies speak of ``configs/policy/NAME.yaml, KEY``; the folder may be another one.
    """
    file, _, key = where.partition(", ")
    if file.startswith(_POLICY_FILES):
        name = file.removeprefix(_POLICY_FILES).removesuffix(".yaml")
        file = f"{settings.config_dir}/policy/{name}.yaml" if settings.config_dir else file
        where = f"policies.{name}." + key.replace("[", ".").replace("]", "")
        where = where.rstrip(".")
    else:
        file = settings.files.get(where.split(".")[0])
    for role in ("levers", "uncertainties"):
        for name, keys in (settings[role] or {}).items():
            if any(_about(path, where) for path in paths_of(name, keys)):
                return place_of(settings, f"{role}.{name}")
    if any(_about(text, where) for text in settings.overrides):
        return f"command line, {where}"
    return where if file is None else f"{file}, key {where}"


def _about(override: str, where: str) -> bool:
    """Whether an override sets the key, something below it or something that holds it."""
    path = override.lstrip("+~").partition("=")[0].removesuffix(".value")
    if "." not in path or "." not in where:  # a whole group is chosen by its file
        return False
    return f"{where}.".startswith(f"{path}.") or f"{path}.".startswith(f"{where}.")

"""The constants that nearly are a trial's effect, and the ranges they may have from outside."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from citysim.config.errors import InputError, closest_match
from citysim.config.settings import Settings
from citysim.evidence.trials.schema import Trial

LOW, HIGH = "low", "high"


@dataclass(frozen=True)
class Constant:
    """One constant of an entry; with ``*`` in its name several, which move together.

    Attributes
    ----------
    name
        As the entry has it.
    unit
        Of all its parameters.
    now, low, high
        Configured values and ends of the configured ranges, by path of the parameter.
    """

    name: str
    unit: str
    now: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]

    def at(self, end: str) -> dict[str, float]:
        """Values by path at an end of the range, ``low`` or ``high``; else as configured."""
        return {LOW: self.low, HIGH: self.high}.get(end, self.now)


def constants_of(trial: Trial, settings: Settings, where: str = "trial") -> list[Constant]:
    """The constants that an entry names, as configured.

    Raises
    ------
    InputError
        For a parameter that does not exist or has no range, or for a range with an end that
        the parameter itself does not accept.
    """
    return [_constant(name, settings, f"{where}, constants[{i}]")
            for i, name in enumerate(trial.constants)]


def _constant(name: str, settings: Settings, where: str) -> Constant:
    rules = {path: settings.rules[path] for path in settings.rules if fnmatchcase(path, name)}
    if not rules:
        raise InputError(f"there is no parameter '{name}'", where=where,
                         allowed="a path, with * for every offence",
                         closest=closest_match(name, list(settings.rules)))
    # A range of one point, as of an offence that nothing deters, leaves nothing to sweep.
    spans = {path: rule.range for path, rule in rules.items()
             if rule.range is not None and rule.range[0] < rule.range[1]}
    if not spans:
        raise InputError(f"'{name}' has no range to go through", where=where,
                         allowed="a parameter with a range in its file")
    low, high = ({path: float(span[end]) for path, span in spans.items()} for end in (0, 1))
    for ends in (low, high):
        try:
            settings.replace(ends)
        except InputError as error:
            raise InputError(error.message, where=f"{where} ({error.where})",
                             allowed=error.allowed, closest=error.closest) from None
    return Constant(name, ", ".join(dict.fromkeys(rules[path].unit for path in spans)),
                    {path: float(settings.get_path(path)) for path in spans}, low, high)

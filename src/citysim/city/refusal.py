"""Turn a failed pydantic check into the one way of refusing input."""

from __future__ import annotations

import typing

from pydantic import BaseModel, ValidationError

from citysim.config.errors import InputError, closest_match

_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))


def as_input_error(error: ValidationError, model: type[BaseModel], root: str,
                   keys: dict[str, list[str]] | None = None) -> InputError:
    """The first finding of ``error`` as an :class:`InputError`.

    Parameters
    ----------
    error
        What pydantic found.
    model
        The model that was validated.
    root
        Dotted name under which the model stands in the configuration.
    keys
        For collections that the configuration writes as mappings: the keys in order.
    """
    found = error.errors()[0]
    loc = [part for part in found["loc"] if not str(part).startswith("function-")]
    where = ".".join([root, *_as_written(loc, keys or {})])
    owner = _model_at(model, loc[:-1])
    key = str(loc[-1]) if loc else ""
    if found["type"] == "extra_forbidden" and owner is not None:
        names = list(owner.model_fields)
        return InputError(f"unknown key '{key}'", where=where, allowed=names,
                          closest=closest_match(key, names))
    if found["type"] == "missing":
        return InputError(f"'{key}' is missing", where=where)
    allowed = _range(owner, key) if owner is not None else None
    given = found.get("input")
    if found["type"] == "literal_error":
        allowed = found["ctx"]["expected"]
        choices = [c.strip(" '") for c in allowed.replace(" or ", ",").split(",")]
        return InputError(f"unknown value '{given}'", where=where, allowed=allowed,
                          closest=closest_match(str(given), choices))
    wanted = _model_at(model, loc)
    if found["type"].startswith(("model_", "dataclass_")) and wanted is not None:
        return InputError(f"{given!r} is not accepted: a group of keys stands here", where=where,
                          allowed=list(wanted.model_fields))
    message = found["msg"].removeprefix("Value error, ")
    if isinstance(given, int | float | str):
        message = f"{given!r} is not accepted: {message[:1].lower()}{message[1:]}"
    return InputError(message, where=where, allowed=allowed)


def _as_written(loc, keys) -> list[str]:
    """Parts of a location with indices put back into the keys they came from."""
    return [keys[str(loc[i - 1])][part] if i and isinstance(part, int)
            and part < len(keys.get(str(loc[i - 1]), [])) else str(part)
            for i, part in enumerate(loc)]


def _model_at(model, loc):
    """The model that a location of an error lies in, or ``None``."""
    for part in loc:
        model = _required(model)
        if _is_model(model):
            field = model.model_fields.get(str(part))
            if field is None:
                return None
            model = field.annotation
        else:  # a tuple or mapping: this part is an index or key into it
            arguments = [a for a in typing.get_args(model) if a is not Ellipsis]
            if not arguments:
                return None
            model = arguments[-1]
    model = _required(model)
    return model if _is_model(model) else None


def _is_model(annotation) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _required(annotation):
    """``X`` for ``X | None``, other annotations as they are."""
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    optional = len(arguments) < len(typing.get_args(annotation))
    return arguments[0] if optional and len(arguments) == 1 else annotation


def _range(owner, key) -> str | None:
    """Bounds of a field as text, or ``None`` where it has none."""
    field = owner.model_fields.get(key)
    if field is None:
        return None
    parts = list(field.metadata)
    for argument in typing.get_args(field.annotation):
        parts += [m for m in getattr(argument, "__metadata__", ())]
    flat = [m for p in parts for m in (getattr(p, "metadata", None) or [p])]
    text = [f"{word} {getattr(m, name):,}" for name, word in _BOUNDS for m in flat
            if getattr(m, name, None) is not None]
    return " and ".join(dict.fromkeys(text)) or None

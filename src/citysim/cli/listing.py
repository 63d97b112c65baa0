"""The command ``list``: what there is to choose from."""

from __future__ import annotations

import textwrap
from pathlib import Path

from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, options, read_yaml
from citysim.config.rules import is_leaf

_KINDS = {"experiments": "experiment", "cities": "city", "policies": "policy",
          "offences": "offences", "levers": "prices", "outcomes": "outcomes"}
_TABLES = ("offences", "levers")  # one file holds many
_WIDTH = 100


def list_options(words: list[str], config_path: str | None) -> int:
    """Print the options of one kind, or of all kinds."""
    folder = find_config_dir(config_path)
    for word in words:
        if word not in _KINDS:
            raise InputError(f"there is no list of '{word}'", where="citysim list",
                             allowed=list(_KINDS), closest=closest_match(word, _KINDS))
    for kind in words or _KINDS:
        print(f"{kind}")
        rows = _rows_of(kind, folder)
        width = max((len(name) for name, _ in rows), default=0)
        for name, text in rows:
            text = textwrap.shorten(text, max(_WIDTH - width, 20), placeholder=" ...")
            print(f"  {name:<{width}}  {text}".rstrip())
        print()
    return 0


def _rows_of(kind: str, folder: Path) -> list[tuple[str, str]]:
    if kind == "outcomes":
        from citysim.outcomes.registry import all_measures

        return [(f"{name}*" if name.endswith(".") else name, f"[{m.unit}] {m.doc}")
                for name, m in all_measures().items()]
    if kind in _TABLES:
        return _rows_of_table(folder, _KINDS[kind])
    return _rows_of_group(folder, _KINDS[kind])


def _rows_of_group(folder: Path, group: str) -> list[tuple[str, str]]:
    return [(name, _summary(folder / group / f"{name}.yaml")) for name in options(folder, group)]


def _summary(path: Path) -> str:
    """What a file says of itself: its doc, its name, or its first comment."""
    content = read_yaml(path)
    for key in ("question", "doc", "label"):
        if isinstance(content.get(key), str):
            return " ".join(content[key].split())
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text and not text.startswith("@package"):
            return text
    return ""


def _rows_of_table(folder: Path, group: str) -> list[tuple[str, str]]:
    path = folder / group / "default.yaml"
    if not path.is_file():
        return []
    if group == "prices":
        return list(_levers(read_yaml(path), ""))
    from citysim.config.compose import hydra_compose  # rows may stand in files of their own

    return list(_offences(hydra_compose(folder, [], f"{group}/default")[0].get(group, {})))


def _offences(rows: dict):
    for name, row in rows.items():
        if isinstance(row, dict):
            yield name, str(row.get("label") or row.get("doc") or "")


def _levers(node: dict, path: str):
    """Levers are the mappings that say who controls them, at any depth."""
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict) and "control" in value:
            yield name, f"{value.get('per', '')} ({value['control']})"
        elif isinstance(value, dict) and not is_leaf(value):
            yield from _levers(value, name)

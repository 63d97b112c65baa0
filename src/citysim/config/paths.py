"""Dotted paths into nested parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keys_of(node: Any, path: str) -> list[str]:
    """The keys that a dotted path goes through, where keys may hold dots themselves.

    Levers, for instance, are named ``places.lighting``: the path
    ``prices.places.lighting.running`` has three keys. Where the path leaves what exists, the
    rest is split at every dot.
    """
    parts, keys = path.split("."), []
    while parts:
        taken = 1
        if isinstance(node, Mapping) and parts[0] not in node:
            taken = next((n for n in range(2, len(parts) + 1)
                          if ".".join(parts[:n]) in node), 1)
        key = ".".join(parts[:taken])
        keys.append(key)
        parts = parts[taken:]
        if isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            node = None
    return keys

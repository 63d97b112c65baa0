"""The resolved parameters of a study: plain values, validated, cheap to vary."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from citysim.config.errors import InputError, closest_match
from citysim.config.paths import keys_of
from citysim.config.rules import Provenance, Rule
from citysim.config.study_keys import STUDY_KEYS, check_study_keys

PLAIN_GROUPS = ("city", "policies")  # handed on as plain dicts to models of their own
WORLD_PARTS = ("city", "population", "scale")
_DESIGN = ("seeds", "scenarios", "levers", "uncertainties", "design", "futures", "replicates",
           "parameters")
_BOOKKEEPING = ("name", "question", "output_dir", "jobs", "time_limit_s", "executor", "threads")
NOT_CONTENT = (*_BOOKKEEPING, *_DESIGN)  # these keys cannot change the result of a run


class UnknownParameter(InputError, AttributeError):
    """Code or a user asked for a parameter that the configuration does not have."""


class Branch(Mapping):
    """An immutable mapping of parameters, reached as attributes or by key."""

    __slots__ = ("_items", "_path")

    def __init__(self, items: dict[str, Any], path: str = ""):
        object.__setattr__(self, "_items", items)
        object.__setattr__(self, "_path", path)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getattr__(self, key: str) -> Any:
        try:
            return self._items[key]
        except KeyError:
            if key.startswith("__"):
                raise AttributeError(key) from None
            raise _unknown(key, self._items, self._path, problem="there is no") from None

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError("settings do not change; use Settings.replace")

    def __reduce__(self):
        return (Branch, (self._items, self._path))

    def __repr__(self) -> str:
        return f"Branch({self._path or 'root'}: {', '.join(self._items)})"

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dicts."""
        return {k: v.to_dict() if isinstance(v, Branch) else copy.deepcopy(v)
                for k, v in self._items.items()}


class Settings(Branch):
    """Everything that determines a study, as plain numbers.

    Groups (``settings.model.guardianship.saturation``) and study keys (``settings.days``)
    are attributes. ``settings.city`` and ``settings.policies`` are plain dicts, checked by the
    city and policy models. Instances do not change: :meth:`replace` gives a new one that shares
    everything else, so that a sweep of thousands of points costs little.

    Parameters
    ----------
    tree
        Nested plain values: groups and study keys.
    rules
        :class:`Rule` of every parameter by dotted path.
    provenance
        ``(value, unit, source, range)`` of every number with a unit, by dotted path.
    overrides
        What was set by hand, as text that reproduces it on the command line.
    config_dir
        Folder the settings were composed from; empty for settings made by hand.
    files
        The file that each group was read from.
    """

    __slots__ = ("provenance", "rules", "overrides", "config_dir", "files")

    def __init__(self, tree: dict[str, Any], rules: dict[str, Rule],
                 provenance: dict[str, Provenance], overrides: tuple[str, ...] = (),
                 config_dir: str = "", files: dict[str, str] | None = None):
        super().__init__({k: v if k in PLAIN_GROUPS or k in STUDY_KEYS else _branch(v, k)
                          for k, v in tree.items()})
        self._bind(rules, provenance, tuple(overrides), config_dir, files or {})

    def _bind(self, *values):
        names = ("rules", "provenance", "overrides", "config_dir", "files")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def _shared(cls, items, *values) -> Settings:
        new = cls.__new__(cls)
        Branch.__init__(new, items)
        new._bind(*values)
        return new

    def __reduce__(self):
        return (Settings._shared, (self._items, self.rules, self.provenance, self.overrides,
                                   self.config_dir, self.files))

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some parameters changed.

        Parameters
        ----------
        changes
            New values by dotted path (``model.guardianship.saturation``, ``days``,
            ``policies.street_lighting.measures.0.dose``); ``.value`` at the end is accepted. A
            mapping for a branch (``{"offences": {"robbery": {"level": 0}}}``) changes what it
            names and leaves the rest.

        Raises
        ------
        InputError
            If a path does not exist, a value is not allowed there, or a mapping for a branch
            is empty.
        """
        items, provenance = self._items, None
        study: dict[str, Any] = {}
        changes = dict(self._flat(changes))
        for path, value in changes.items():
            if path in STUDY_KEYS:
                study[path] = value
                continue
            value = self._check(path, value)
            items = _with(items, keys_of(items, path), value)
            if path in self.provenance:
                provenance = provenance or dict(self.provenance)
                provenance[path] = by_hand(self.rules[path], value)
        if study:
            current = {k: items[k] for k in STUDY_KEYS}
            items = {**items, **check_study_keys({**current, **study})}
        texts = tuple(f"{p}={_text(v)}" for p, v in changes.items())
        return Settings._shared(items, self.rules, provenance or self.provenance,
                                self.overrides + texts, self.config_dir, self.files)

    def carrying(self, part: str, content: dict[str, Any]) -> Settings:
        """These settings with a part of plain values beside the others, or in place of one.

        What it holds counts as content: the keys of runs depend on it. Programs that drive the
        study with functions of their own hand them what they need in this way.
        """
        return Settings._shared({**self._items, part: content}, self.rules, self.provenance,
                                self.overrides, self.config_dir, self.files)

    def with_policies(self, names: Sequence[str]) -> Settings:
        """These settings as if of all their policies only ``names`` had been chosen.

        Raises
        ------
        InputError
            For a policy that was not.
        """
        for name in names:
            if name not in self.policies:
                raise _unknown(name, self.policies, "policies")
        dropped = tuple(f"policies.{n}." for n in self.policies if n not in names)
        if not dropped:
            return self
        rules, provenance = ({path: v for path, v in table.items()
                              if not path.startswith(dropped)}
                             for table in (self.rules, self.provenance))
        texts = tuple(f"policy=[{','.join(names)}]" if text.startswith("policy=") else text
                      for text in self.overrides if not text.lstrip("+~").startswith(dropped))
        items = {**self._items, "policies": {n: self.policies[n] for n in names}}
        return Settings._shared(items, rules, provenance, texts, self.config_dir, self.files)

    def _flat(self, changes):
        """Changes down to single parameters: a mapping given for a branch sets its keys."""
        for path, value in changes.items():
            path = path if path in self.rules else path.removesuffix(".value")
            if isinstance(value, Mapping) and path not in self.rules and \
                    isinstance(branch := self.get_path(path), Branch):
                if not value and branch:  # neither a change nor a way to take rows away
                    raise InputError("an empty mapping changes nothing", where=path,
                                     allowed=f"some of its keys ({', '.join(branch)}), each with "
                                             "what is to change; the others stay as they are")
                yield from self._flat({f"{path}.{k}": v for k, v in value.items()})
            else:
                yield path, value

    def _check(self, path: str, value: Any) -> Any:
        node: Any = self._items
        parts = keys_of(self._items, path)
        rule = None
        for i, part in enumerate(parts):
            node = _child(node, part, ".".join(parts[:i]), self.rules)
            rule = self.rules.get(".".join(parts[:i + 1]), rule)
        if isinstance(node, Branch | dict) and not isinstance(value, dict):
            raise InputError(f"{value!r} is not accepted", where=path,
                             allowed="one of its keys: " + ", ".join(node))
        if rule is None:
            return value
        whole = self.rules.get(path)
        # Below a parameter that is a list or mapping, its rule holds for each number.
        return whole.check(value, path) if whole else rule._check(value, node, path)

    def get_path(self, path: str) -> Any:
        """The value at a dotted path; raises ``InputError`` if there is none."""
        node: Any = self._items
        parts = keys_of(self._items, path)
        for i, part in enumerate(parts):
            node = _child(node, part, ".".join(parts[:i]), self.rules)
        return node

    def content(self) -> dict[str, Any]:
        """Everything that can change a result: no names, folders or numbers of workers."""
        return {k: v for k, v in self.to_dict().items() if k not in NOT_CONTENT}

    def key(self) -> str:
        """Stable hash of :meth:`content` (16 hexadecimal digits)."""
        return stable_hash(self.content())

    def world_key(self) -> str:
        """Stable hash of the parts that city and population are built from."""
        return stable_hash({part: _plain(self._items.get(part)) for part in WORLD_PARTS})


def stable_hash(content: Any) -> str:
    """Sixteen hexadecimal digits that depend on the content alone."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def by_hand(rule: Rule, value: Any) -> Provenance:
    """Provenance of a value that replaces the shipped one."""
    if value == rule.shipped:
        return Provenance(value, rule.unit, rule.source, rule.range)
    source = f"set by hand; shipped {rule.shipped!r} ({rule.source})"
    return Provenance(value, rule.unit, source, rule.range)


def _branch(node: Any, path: str) -> Any:
    if isinstance(node, dict):
        return Branch({k: _branch(v, f"{path}.{k}") for k, v in node.items()}, path)
    return node


def _plain(node: Any) -> Any:
    return node.to_dict() if isinstance(node, Branch) else node


def _with(node: Any, parts: list[str], value: Any) -> Any:
    """A copy of ``node`` along one path only."""
    if not parts:
        return _branch(value, node._path) if isinstance(node, Branch) else value
    head, rest = parts[0], parts[1:]
    if isinstance(node, list):
        index = int(head)
        return [_with(v, rest, value) if i == index else v for i, v in enumerate(node)]
    items = node._items if isinstance(node, Branch) else node
    new = {**items, head: _with(items[head], rest, value)}
    return Branch(new, node._path) if isinstance(node, Branch) else new


def _child(node: Any, part: str, path: str, rules: Mapping[str, Rule]) -> Any:
    if isinstance(node, Mapping):
        if part in node:
            return node[part]
        raise _unknown(part, node, path, rules)
    if isinstance(node, list):
        if part.isdigit() and int(part) < len(node):
            return node[int(part)]
        raise UnknownParameter(f"no element '{part}' in this list", where=path,
                               allowed=f"0 to {len(node) - 1}")
    raise UnknownParameter(f"unknown key '{part}'", where=f"{path}.{part}",
                           allowed=f"{path} itself, which is a single value", closest=path)


def _unknown(key: str, known: Mapping, path: str,
             rules: Mapping[str, Rule] = (), problem: str = "unknown key") -> UnknownParameter:
    same = [r for r in rules if r.rsplit(".", 1)[-1] == key]  # right name, wrong place
    near = closest_match(key, known)
    full = same[0] if same else f"{path}.{near}" if path and near else near
    return UnknownParameter(f"{problem} '{key}'", where=f"{path}.{key}" if path else key,
                            allowed=list(known), closest=full)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""Composing one study: Hydra merges the files, the shipped files say what is allowed."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import (
    ROOT,
    find_config_dir,
    groups,
    option_files,
    options,
    read_yaml,
    shipped_config_dir,
    yaml_refusal,
)
from citysim.config.overrides import apply_changes, split_overrides
from citysim.config.paths import keys_of
from citysim.config.schema import GROUPS_WITH_SCHEMA, read_free, read_offences, read_strict
from citysim.config.settings import PLAIN_GROUPS, Settings
from citysim.config.study_keys import STUDY_KEYS, check_study_keys

VERSION_BASE = "1.3"
_FOLDERS = {"policies": "policy"}  # where their files lie, if not so named


def compose_study(overrides: Sequence[str] = (), config_path: str | Path | None = None,
                  reference: str | Path | None = None) -> Settings:
    """Compose and validate the settings of one study.

    Parameters
    ----------
    overrides
        Words in Hydra's grammar: ``experiment=NAME``, ``city=NAME``, ``policy=[A,B]``,
        ``seeds=4``, ``model.guardianship.saturation=0.9``. When policies are chosen and no
        experiment is, the experiment is ``single``.
    config_path
        Folder to compose from; see :func:`citysim.config.lookup.find_config_dir`.
    reference
        Folder whose files say which parameters exist, by default the shipped one.

    Raises
    ------
    InputError
        On anything that the user can mend.
    """
    folder = find_config_dir(config_path)
    reference = Path(reference) if reference is not None else shipped_config_dir()
    words = complete_overrides(overrides, folder)
    chosen, changes = split_overrides(words, folder)
    raw, choices = hydra_compose(folder, chosen)
    _refuse_empty_files(folder, choices)
    before = _resolve(copy.deepcopy(raw), folder)
    tree = _resolve(apply_changes(raw, changes), folder)
    blame = _Blame(folder, choices, {c.path for c in changes})
    files = {g: str(folder / g / f"{o}.yaml") for g, o in choices.items()}
    references = _references(reference, folder, choices, before)
    return _settings(tree, references, blame, words, folder, files)


def complete_overrides(overrides: Sequence[str], folder: Path) -> list[str]:
    """The overrides, with the experiment ``single`` when only policies are named."""
    words = [str(w) for w in overrides]
    keys = [w.split("=", 1)[0] for w in words]
    if "policy" in keys and "experiment" not in keys and "single" in options(folder, "experiment"):
        words.insert(0, "experiment=single")
    return words


def hydra_compose(folder: Path, chosen: Sequence[str], name: str = ROOT) -> tuple[dict, dict]:
    """Hydra's merge of one configuration, unresolved, and the options it chose.

    Raises
    ------
    InputError
        For whatever Hydra, OmegaConf or the YAML parser refuses.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with _fresh_hydra(), initialize_config_dir(version_base=VERSION_BASE,
                                                   config_dir=str(folder)):
            merged = compose(name, overrides=list(chosen), return_hydra_config=True)
        choices = OmegaConf.to_container(merged.hydra.runtime.choices)
        raw = {k: OmegaConf.to_container(merged._get_node(k), resolve=False)
               if OmegaConf.is_config(merged._get_node(k)) else merged._get_node(k)._value()
               for k in merged if k != "hydra"}
    except yaml.YAMLError as error:
        raise yaml_refusal(error) from None
    except UnicodeDecodeError as error:
        raise yaml_refusal(error, _not_utf8(folder)) from None
    except (HydraException, OmegaConfBaseException) as error:
        raise _translate(error, folder) from None
    return raw, {k: v for k, v in choices.items() if not k.startswith("hydra")}


def _not_utf8(folder: Path) -> str:
    """The first file of the folder that is not UTF-8; Hydra does not say which one it read."""
    for path in sorted(folder.rglob("*.yaml")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return str(path)
    return str(folder)


@contextlib.contextmanager
def _fresh_hydra():
    """Set aside a running Hydra application (multirun), which allows no second one."""
    from hydra.core.global_hydra import GlobalHydra

    instance = GlobalHydra.instance()
    running, instance.hydra = instance.hydra, None
    try:
        yield
    finally:
        instance.hydra = running


def _translate(error: Exception, folder: Path) -> InputError:
    """Hydra's complaint in terms of files, options and the closest match."""
    missing = getattr(error, "missing_cfg_file", None)
    if missing:
        group, _, name = str(missing).rpartition("/")
        if not group:
            return InputError(f"no file '{name}.yaml'", where=str(folder))
        if (folder / group).is_dir():
            known = options(folder, group)
            return InputError(f"unknown {group} '{name}'", where=f"{folder / group}",
                              allowed=known, closest=closest_match(name, known))
        known = groups(folder)
        return InputError(f"unknown group '{group}'", where=str(folder), allowed=known,
                          closest=closest_match(group, known))
    cause = error.__cause__ or error
    text = " ".join(str(cause).split())
    absent = re.search(r"(?:In '([^']+)': )?Could not override '([^']+)'", text)
    if absent:
        file, group = folder / f"{absent[1] or ROOT}.yaml", absent[2]
        known = groups(folder)
        if group in known:  # the overriding file is right: the list that it overrides is not
            return InputError(f"the defaults list has no '{group}'",
                              where=str(folder / "config.yaml"),
                              allowed=f"an entry '{group}: NAME'")
        return InputError(f"unknown group '{group}' in the defaults list", where=str(file),
                          allowed=known, closest=closest_match(group, known))
    return InputError(f"the configuration does not compose: {text}", where=str(folder))


def _resolve(raw: dict, folder: Path) -> dict:
    """Interpolations replaced by what they refer to."""
    if not _refers(raw):  # most configurations: OmegaConf would take half a second to say so
        return raw
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    try:
        return OmegaConf.to_container(OmegaConf.create(raw), resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = str(getattr(error, "full_key", "") or error)
        raise InputError(f"'{key}' must be given", where=f"{folder}, key {key}",
                         allowed=f"{key}=VALUE on the command line") from None
    except OmegaConfBaseException as error:
        raise InputError(str(error).splitlines()[0], where=str(folder)) from None


def _refers(node: Any) -> bool:
    if isinstance(node, dict):
        return any(_refers(v) for v in node.values())
    if isinstance(node, list):
        return any(_refers(v) for v in node)
    return isinstance(node, str) and ("${" in node or node == "???")


def _builds_on(entry: Any) -> bool:
    if isinstance(entry, dict):
        return not all(str(key).startswith("override ") for key in entry)
    return entry != "_self_"


def _refuse_empty_files(folder: Path, choices: dict) -> None:
    """Refuse a chosen file without any key, which Hydra would pass over in silence."""
    empty = {p for p in folder.rglob("*.yaml") if not _holds_keys(p)}
    if not empty:  # the usual case: no need to find out which files were chosen
        return
    # Of policies, chosen in lists, Hydra keeps no record.
    used = [*(folder / "policy").glob("*.yaml"),
            *(p for group, name in choices.items() for p in option_files(folder, group, name))]
    for file in used:
        if file in empty:
            raise InputError("the file holds no keys", where=str(file),
                             allowed=f"keys as in the other files of {file.parent}")


def _holds_keys(file: Path) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")  # Hydra's to refuse, if chosen
    lines = (line.strip() for line in text.splitlines())
    return any(line not in ("", "---", "{}", "null") and line[0] != "#" for line in lines)


def _references(reference: Path, folder: Path, choices: dict, before: dict) -> dict[str, Any]:
    """What each group is held against: strict groups as shipped, others as composed.

    Parameters
    ----------
    before
        The composed tree without what was set by hand. It is the reference for groups with
        models of their own, and for those that no experiment touches.
    """
    found = {g: before.get(g) or {} for g in PLAIN_GROUPS}
    own = reference.resolve() == folder.resolve()
    experiment = folder / "experiment" / f"{choices.get('experiment')}.yaml"
    touched = [read_yaml(p) for p in (folder / f"{ROOT}.yaml", experiment) if p.is_file()]
    # An experiment that builds on another file may touch anything.
    own = own and not any(_builds_on(entry) for entry in touched[-1].get("defaults", ()))
    for group in GROUPS_WITH_SCHEMA:
        if own and group in before and not any(group in content for content in touched):
            found[group] = before[group]
            continue
        home = _FOLDERS.get(group, group)
        name = choices.get(home)
        for place, option in ((reference, name), (reference, "default"), (folder, name)):
            file = place / home / f"{option}.yaml"
            if option is not None and file.is_file():
                content = read_yaml(file)
                found[group] = content if "defaults" not in content else \
                    hydra_compose(place, [], f"{home}/{option}")[0].get(group, {})
                break
    return found


class _Blame:
    """Finds the file that a value came from, for messages."""

    def __init__(self, folder: Path, choices: dict, by_hand: set[str]):
        self.folder, self.choices, self.by_hand = folder, choices, by_hand

    def __call__(self, path: str) -> str:
        """``file, key path`` of the file that sets the path."""
        if any(path == p or path.startswith(p + ".") or p.startswith(path + ".")
               for p in self.by_hand):
            return f"command line, {path}"
        head, *rest = path.split(".")
        group = _FOLDERS.get(head, head)
        option = rest[0] if group == "policy" and rest else self.choices.get(group)
        files = [self.folder / "experiment" / f"{self.choices.get('experiment')}.yaml",
                 *option_files(self.folder, group, option), self.folder / f"{ROOT}.yaml"]
        for file in files:
            package = _package(file) if file.is_file() else None
            if package is None or not f"{path}.".startswith(package):
                continue
            inside = path[len(package):]
            if not inside or _has(read_yaml(file), inside):
                return f"{file}, key {path}"
        return f"{self.folder}, key {path}"


def _package(file: Path) -> str:
    """Dotted prefix that a file's keys get, with a full stop, by its header or its folder."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("# @package"):
                name = line.split()[2]
                return "" if name == "_global_" else f"{name}."
            if not line.startswith("#") and line.strip():
                break
    if file.stem == ROOT:
        return ""
    parent = file.parent.name
    # Building blocks in a sub-folder (city/base) are placed in the group itself.
    return f"{file.parent.parent.name if parent == 'base' else parent}."


def _has(content, path) -> bool:
    for key in keys_of(content, path):
        if isinstance(content, list) and key.isdigit() and int(key) < len(content):
            content = content[int(key)]
        elif isinstance(content, dict) and key in content:
            content = content[key]
        else:
            return False
    return True


def _settings(tree, references, blame, words, folder, files) -> Settings:
    """Flatten parameters to plain numbers, check everything, keep rules and provenance."""
    plain: dict[str, Any] = {}
    rules, provenance = {}, {}
    for group in GROUPS_WITH_SCHEMA:
        if group in references and group not in tree:
            home = _FOLDERS.get(group, group)
            raise InputError(f"the configuration chooses no '{home}'",
                             where=str(folder / f"{ROOT}.yaml"),
                             allowed=f"an entry '{home}: NAME' in its defaults list")
        if group in tree:
            read = read_offences if group == "offences" else read_strict
            plain[group] = read(tree.get(group) or {}, references.get(group), group, blame,
                                rules, provenance)
    for group in PLAIN_GROUPS:
        if not isinstance(tree.get(group) or {}, dict):
            raise InputError(f"'{group}' must be a mapping of keys", where=blame(group))
        plain[group] = read_free(tree.get(group) or {}, references[group], group, blame,
                                 rules, provenance)
    known = {*plain, *STUDY_KEYS}
    for group in {"policy", "experiment"} & set(tree):  # where a file without header ends up
        _refuse_headless(group, folder)
    for key in tree:
        if key not in known:
            raise InputError(f"unknown key '{key}'", where=blame(key), allowed=sorted(known),
                             closest=closest_match(key, known))
    study = {k: v for k, v in tree.items() if k in STUDY_KEYS}
    try:
        plain.update(check_study_keys(study))
    except InputError as error:
        raise InputError(error.message, where=blame(error.where), allowed=error.allowed,
                         closest=error.closest) from None
    _name_study(plain)
    return Settings(plain, rules, provenance, tuple(words), str(folder), files)


def _refuse_headless(group: str, folder: Path) -> None:
    """Refuse a policy's or experiment's file that does not say where its keys belong."""
    package = "_global_" if group == "experiment" else "policies.NAME"
    paths = [folder / group / f"{name}.yaml" for name in options(folder, group)]
    bare = [str(p) for p in paths if _package(p) == f"{group}."]
    if bare:
        raise InputError(f"the {group} file does not say where its keys belong",
                         where=", ".join(bare), allowed=f"the first line '# @package {package}'")


def _name_study(plain: dict) -> None:
    if plain["name"] is None:
        plain["name"] = "_".join(plain["policies"]) or "baseline"
    if plain["output_dir"] is None:
        plain["output_dir"] = f"outputs/{plain['name']}"

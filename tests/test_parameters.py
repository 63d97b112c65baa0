"""The numbers in ``configs/``: unit, source and prior range beside every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from citysim import compose
from citysim.city.spec import CitySpec
from citysim.config.lookup import options
from citysim.config.rules import Rule
from citysim.policies.costs import read_prices
from citysim.policies.policy import parse_policy

CONFIGS = Path(__file__).parents[1] / "configs"
GROUPS = ("model", "offences", "population", "levers", "policy", "city")
FILES = sorted(f for g in GROUPS for f in (CONFIGS / g).rglob("*.yaml"))
# Numbers that are what they are: where a city lies, its census, and seeds.
NO_RANGE = ("seed", "latitude", "longitude", "population", "foreign_residents")
FITTED = ("offences", "level")  # set by calibration, which has no prior but the facts it meets


def leaves(node, path=()):
    """Every ``{value, unit, source}`` of a file with the keys that lead to it."""
    if isinstance(node, dict) and "value" in node:
        yield path, node
    elif isinstance(node, dict | list):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, inner in pairs:
            yield from leaves(inner, (*path, str(key)))
    else:
        yield path, node


def numbers(file):
    """The numeric leaves of a file."""
    for path, leaf in leaves(yaml.safe_load(file.read_text(encoding="utf-8"))):
        value = leaf["value"] if isinstance(leaf, dict) else leaf
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield path, leaf


def names(file):
    return str(file.relative_to(CONFIGS))


def test_there_are_numbers_to_check():
    assert len(FILES) > 40 and sum(1 for f in FILES for _ in numbers(f)) > 600


@pytest.mark.parametrize("file", FILES, ids=names)
def test_every_number_has_unit_source_and_a_range_that_holds_it(file):
    for path, leaf in numbers(file):
        place = f"{names(file)}, {'.'.join(path)}"
        # A programme is switched on by 1: that is no quantity.
        if path[-2:] == ("change", "set") and leaf == 1:
            continue
        assert isinstance(leaf, dict) and leaf.get("unit") and leaf.get("source"), place
        exempt = path[-1] in NO_RANGE or leaf["source"].startswith("definition") \
            or (file.parent.name, path[-1]) == FITTED
        assert exempt or "range" in leaf, f"{place} has no prior range"
        if "range" in leaf:
            low, high = leaf["range"]
            assert low <= leaf["value"] <= high, place
            # Rows of offences are complete: what an offence does not have stays neutral.
            assert low < high or file.parent.name in ("model", "offences"), place
            rule = Rule.of(leaf, place)
            rule.check(low, place)
            rule.check(high, place)


@pytest.mark.parametrize("city", ["town", "turin", "turin_dora"])
def test_a_city_can_be_read_at_both_ends_of_every_range(city):
    settings = compose([f"city={city}"])
    own = {".".join(("city", *path)) for path, _ in numbers(CONFIGS / "city" / f"{city}.yaml")}
    ranged = {p: r.range for p, r in settings.rules.items()
              if r.range and p.startswith("city.") and (city == "town" or p in own)}
    assert len(ranged) > (100 if city == "town" else 20)
    for path, ends in ranged.items():
        for end in ends:
            CitySpec.read(settings.replace({path: end}).city)


def test_policies_and_prices_can_be_read_at_both_ends_of_every_range():
    settings = compose([f"policy=[{','.join(options(CONFIGS, 'policy'))}]", "city=town"])
    read = {"policies": lambda s, name: parse_policy(name, s.policies[name]),
            "prices": lambda s, name: read_prices(s.prices)}
    ranged = {p: r.range for p, r in settings.rules.items() if r.range and p.split(".")[0] in read}
    assert len(ranged) > 140
    for path, ends in ranged.items():
        group, name = path.split(".")[:2]
        for end in ends:
            read[group](settings.replace({path: end}), name)

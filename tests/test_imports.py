"""Imports run downwards only, and modules stay small and named after what they hold."""

import ast
from pathlib import Path

import networkx as nx
import pytest

import citysim

ROOT = Path(citysim.__file__).parent
FLOORS = {"state": 0, "kernels": 0, "city": 1, "config": 1, "population": 2, "policies": 2,
          "outcomes": 2, "model": 3, "study": 4, "results": 5, "analysis": 6, "report": 7,
          "evidence": 8, "cli": 9}
# The refusal that everything may raise; it knows nothing itself.
GROUND = "citysim.config.errors"
MOST_LINES = 400
MODULES = {".".join(("citysim", *p.relative_to(ROOT).with_suffix("").parts)): p
           for p in sorted(ROOT.rglob("*.py"))}


def imports(name, top_only=False):
    """Modules of citysim that a module imports, anywhere or only while it is loaded."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    nodes = _loaded(tree) if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "citysim")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports hide the floor"
            if node.module and node.module.split(".")[0] == "citysim":
                for a in node.names:
                    full = f"{node.module}.{a.name}"
                    yield full if full in MODULES else node.module


def _loaded(tree):
    """Nodes that run on import: not the bodies of functions, not what only type checkers see."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def package(name):
    return name.split(".")[1] if name.count(".") else ""


def test_every_package_has_a_floor():
    assert {package(n) for n in MODULES} - {"__init__", "__main__"} == set(FLOORS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_downwards(name):
    here = package(name)
    if here not in FLOORS:
        return
    for other in imports(name):
        there = package(other)
        if there == here or other == GROUND or there == "":
            continue
        assert FLOORS[there] < FLOORS[here], f"{name} (floor {FLOORS[here]}) imports {other}"


def test_kernels_know_only_kernels():
    for name in MODULES:
        if package(name) == "kernels":
            assert {package(o) for o in imports(name)} <= {"kernels"}, name


def test_the_ground_knows_nothing():
    assert list(imports(GROUND)) == []


def test_no_circles():
    graph = nx.DiGraph((name, other) for name in MODULES for other in imports(name, top_only=True))
    assert graph.number_of_edges() > 50
    assert list(nx.simple_cycles(graph)) == []


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_small_and_well_named(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert not {"utils", "util", "helpers", "common", "misc"} & set(name.split("."))


def test_only_one_module_sets_compile_options():
    users = [name for name, path in MODULES.items()
             if package(name) != "" and "numba.njit" in path.read_text(encoding="utf-8")]
    assert users == ["citysim.kernels.jit"]


def test_functions_that_are_compiled_live_in_kernels():
    for name, path in MODULES.items():
        if package(name) != "kernels":
            assert "kernels.jit" not in path.read_text(encoding="utf-8"), name

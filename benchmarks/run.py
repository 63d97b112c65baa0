"""What a step costs: ``python benchmarks/run.py [--small] [--write-docs] [--year]``.

Prints one table with the targets beside the figures, and writes
``outputs/benchmark/benchmark.json``. Every ratio is taken within this one process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

import measure
from plain_mesa import Sitter, Walker

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "performance.md"
MARKS = ("<!-- figures: begin -->", "<!-- figures: end -->")
SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000
WEEKS = {SMALL: 40, MIDDLE: 8, LARGE: 3}  # repeats: short weeks are soon disturbed by others
PLAIN_REPEATS = 2
PLAIN = (("plain Mesa", Walker, True), ("plain Mesa, do", Walker, False),
         ("plain routine, do", Sitter, False))
LABELS = {SMALL: "10k", MIDDLE: "100k", LARGE: "1M"}

# Figure, its limit, and whether the limit is the most or the least.
TARGETS = {
    "whole step / bare kernel, 100k": (2.5, "<="), "whole step / bare kernel, 1M": (2.5, "<="),
    "plain Mesa / whole step, 100k": (100, ">="), "plain Mesa / whole step, 1M": (100, ">="),
    "one thread / two threads, 1M": (1.7, ">="), "cost at 1M / cost at 10k": (1.3, "<="),
    "state with routes and ties, 1M": (400, "<="), "peak memory, 1M": (1.5, "<="),
    "set-up of the city, 1M": (30, "<="), "import citysim": (2, "<="),
    "Turin for a year, two threads": (120, "<="),
}


class Figures:
    """Rows of the table: figure, value, unit, target, met or missed."""

    def __init__(self):
        self.rows: list[dict] = []

    def add(self, name: str, value: float, unit: str) -> None:
        """Add a figure and judge it where there is a target."""
        limit, side = TARGETS.get(name, (None, None))
        met = None if limit is None else value <= limit if side == "<=" else value >= limit
        self.rows.append({"figure": name, "value": value, "unit": unit,
                          "target": None if limit is None else f"{side} {limit:g}", "met": met})

    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [[r["figure"], f"{r['value']:,.3g}" if r["value"] < 1000 else f"{r['value']:,.0f}",
                 r["unit"], r["target"] or "",
                 {True: "met", False: "missed", None: ""}[r["met"]]] for r in self.rows]


def run_all(small: bool, say) -> tuple[Figures, dict]:
    """All measurements that the size allows, smallest first so that the cache is warm."""
    figures, details, samples, plain = Figures(), {}, {}, {}
    sizes = [SMALL] if small else [SMALL, MIDDLE, LARGE]
    for size in sizes:
        label = LABELS[size]
        if size == LARGE:
            say("1M residents in a fresh process: set-up, memory")
            fresh = measure.in_fresh_process(size)
            details["fresh_1M"] = fresh
        say(f"{label} residents: whole step and bare kernel")
        settings = measure.settings_for(size)
        model = measure.make_model(settings)
        sample = samples[size] = measure.whole_step(model, WEEKS[size])
        if size != LARGE:
            say(f"{label} residents: plain Mesa")
            plain = details[f"plain_mesa_{label}"] = {
                name: measure.plain_step(model, sample, kind, shuffled, PLAIN_REPEATS)
                for name, kind, shuffled in PLAIN}
        sample["memory"] = measure.memory(model)
        details[label] = {k: v for k, v in sample.items() if k not in ("inputs", "routine")}
        add_step(figures, label, sample, plain)
    if not small:
        figures.add("cost at 1M / cost at 10k", samples[LARGE]["ns"] / samples[SMALL]["ns"], "")
        for sample in samples.values():
            sample.clear()
        say("1M residents: one and two threads")
        world = model.world
        del model
        gain = details["threads"] = measure.threads_gain(settings, world, repeats=2)
        for name in ("one", "two"):
            figures.add(f"whole step, turn about, {name} thread(s), 1M", gain[f"{name}_ns"],
                        "ns per resident-step")
        figures.add("one thread / two threads, 1M", gain["gain"], "")
        add_memory(figures, fresh)
    say("import time")
    for name, statement in (("import citysim", "import citysim"),
                            ("from citysim import CityModel", "from citysim import CityModel")):
        figures.add(name, measure.import_seconds(statement), "s")
    return figures, details


def add_step(figures: Figures, label: str, sample: dict, plain: dict) -> None:
    """Figures of one size."""
    figures.add(f"whole step, {label}", sample["ns"], "ns per resident-step")
    for phase, ns in sample["phases"].items():
        figures.add(f"  {phase}, {label}", ns, "ns per resident-step")
    figures.add(f"bare routine kernel, {label}", sample["bare_ns"], "ns per resident-step")
    figures.add(f"whole step / bare kernel, {label}", sample["ns"] / sample["bare_ns"], "")
    figures.add(f"  the same per person handled, {label}",
                sample["ns"] / sample["bare_ns"] * sample["residents"] / sample["people"], "")
    for name, timed in plain.items():
        if timed["residents"] == sample["residents"]:
            figures.add(f"{name}, {label}", timed["ns"], "ns per resident-step")
        figures.add(f"{name} / whole step, {label}", timed["ns"] / sample["ns"], "")
    routine = plain["plain routine, do"]["ns"]
    figures.add(f"plain routine, do / bare kernel, {label}",
                routine / sample["bare_ns"], "")


def add_memory(figures: Figures, fresh: dict) -> None:
    """Figures of the fresh process with the large city."""
    held = fresh["memory"]
    for part, amount in held["parts"].items():
        figures.add(f"  {part}, 1M", amount, "bytes per resident")
    figures.add("state with routes and ties, 1M", held["total"], "bytes per resident")
    figures.add("  shared world: untouched people, 1M", held["pristine"],
                "bytes per resident")
    figures.add("peak memory, 1M", fresh["peak_gb"], "GB")
    figures.add("set-up of the city, 1M", fresh["setup_s"], "s")


def machine() -> dict:
    """What the figures were taken on."""
    return {"processors": os.cpu_count(), "machine": platform.machine(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "mesa", "citysim")}}


def show(figures: Figures) -> None:
    """The table in the terminal."""
    table = Table("figure", "value", "unit", "target", "")
    table.columns[1].justify = "right"
    for cells in figures.cells():
        table.add_row(*cells, style="bold" if cells[3] else None)
    Console(width=110).print(table)


def write_docs(figures: Figures) -> None:
    """Put the table between the marks of docs/performance.md."""
    about = machine()
    lines = ["", f"Taken on {about['processors']} processors ({about['machine']}), Python "
             f"{about['python']}, numpy {about['numpy']}, numba {about['numba']}, "
             f"mesa {about['mesa']}.", "", "| figure | value | unit | target | |",
             "|---|---:|---|---|---|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in figures.cells()]
    text = DOCS.read_text(encoding="utf-8")
    head, rest = text.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    DOCS.write_text(head + MARKS[0] + "\n" + "\n".join(lines) + "\n\n" + MARKS[1] + tail,
                    encoding="utf-8")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="10k residents only, under a minute")
    parser.add_argument("--write-docs", action="store_true",
                        help="put the table into docs/performance.md")
    parser.add_argument("--year", action="store_true",
                        help="also run the whole of Turin for a year on two threads")
    parser.add_argument("--study", action="store_true",
                        help="only what a study's machinery costs; see study_overhead.py")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "benchmark")
    parser.add_argument("--probe", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.study:
        from study_overhead import main as overhead_of_studies

        return overhead_of_studies([])
    if options.probe:
        print(json.dumps(measure.probe(options.probe)))
        return 0
    figures, details = run_all(options.small, lambda text: print(f"... {text}", file=sys.stderr))
    if options.year:
        details["year"] = measure.year()
        figures.add("Turin for a year, two threads", details["year"]["run_s"], "s")
    show(figures)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "benchmark.json"
    path.write_text(json.dumps({"machine": machine(), "figures": figures.rows,
                                "details": details}, indent=1), encoding="utf-8")
    print(f"written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    if options.write_docs:
        write_docs(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

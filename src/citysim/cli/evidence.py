"""The command ``evidence``: measures of real crimes, facts of a baseline year, the board."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager

from citysim.cli.arguments import Parser
from citysim.config.errors import InputError, closest_match

_USAGE = {
    "quick": "citysim evidence [depth=full] [--write-docs]: the board of facts and trials",
    "sweep": "citysim evidence sweep [--write-docs]: trials over the ranges of their constants",
    "gate": "citysim evidence gate: a quick check for continuous integration",
    "measure": "citysim evidence measure FILE --streets FILE: crimes of a file of points",
    "facts": "citysim evidence facts [key=value ...], or --study DIR: a year without policy",
}


def evidence(words: list[str], config_path: str | None = None) -> int:
    """Dispatch to an action of the evidence; returns the exit status.

    Parameters
    ----------
    words
        ``measure ...``, ``facts ...``, ``sweep ...``, or what :func:`board` takes.
    config_path
        Folder of configuration files.

    Raises
    ------
    InputError
        On an unknown action, or input that an action refuses.
    """
    actions = {"measure": measure, "facts": facts, "sweep": sweep}
    if words and words[0] in actions:
        return actions[words[0]](words[1:], config_path)
    return board(words, config_path)


def board(words: list[str], config_path: str | None = None) -> int:
    """Run the board (``quick``, ``full`` or ``gate``), print it and write its report."""
    wanted = _board_parser(config_path).parse_intermixed_args(words)
    rest, depth, output_dir = _taken(wanted.words)
    documents = None
    if wanted.write_docs or wanted.log:
        from citysim.evidence.board.log import docs_dir

        documents = docs_dir()  # refuses before anything runs
    if depth == "gate":
        if documents is not None or wanted.trial:
            raise InputError("the gate only checks", where="--write-docs, --log, --trial",
                             allowed="leave the option out")
        return _gate(rest, output_dir, wanted.config_path)
    if wanted.trial and documents is not None:
        raise InputError("a part of the board is not kept", where="--trial",
                         allowed="a whole board, or without --write-docs and --log")
    from citysim.cli.study import end_tidily_when_terminated
    from citysim.evidence.board.log import append
    from citysim.evidence.board.page import passed, write_document, write_page
    from citysim.evidence.board.run import run_board

    end_tidily_when_terminated()
    found = run_board(depth, rest, output_dir, wanted.config_path, _watching, wanted.trial)
    page = write_page(found, output_dir)
    _show_board(found)
    print(f"report: {page}")
    if wanted.write_docs:
        print(f"document: {write_document(found, documents)}")
    if documents is not None:
        print(f"log: {append(found, documents)}")
    return int(not passed(found))


def sweep(words: list[str], config_path: str | None = None) -> int:
    """Run trials over the ranges of their constants, print and write what came out."""
    wanted = _board_parser(config_path).parse_intermixed_args(words)
    if wanted.log or any(w.startswith("depth=") or "=" not in w for w in wanted.words):
        raise InputError("a sweep has no depth and no log", where="citysim evidence sweep",
                         allowed="--write-docs, --trial, output_dir, jobs, executor, parameters")
    rest, _, output_dir = _taken(wanted.words)
    if wanted.trial and wanted.write_docs:
        raise InputError("a part of the sweep is not kept", where="--trial",
                         allowed="a whole sweep, or without --write-docs")
    documents = None
    if wanted.write_docs:
        from citysim.evidence.board.log import docs_dir

        documents = docs_dir()  # refuses before anything runs
    from citysim.cli.study import end_tidily_when_terminated
    from citysim.evidence.sweep.page import write_document, write_page
    from citysim.evidence.sweep.run import run_sweep
    from citysim.evidence.sweep.tables import across, apart, headline

    end_tidily_when_terminated()
    found = run_sweep(rest, output_dir, wanted.config_path, _watching, wanted.trial)
    for problem in found.problems:
        print(f"citysim: {problem}", file=sys.stderr)
    if not len(found.figures):
        return 1
    page = write_page(found, f"{output_dir}/sweep")
    for table in (apart(found), across(found)):
        print(f"\n{table.name}")
        _show(table.columns, table.rows, False)
    print(f"\n{headline(found)}\nreport: {page}")
    if documents is not None:
        print(f"document: {write_document(found, documents)}")
    return int(bool(found.problems))


def _board_parser(config_path: str | None) -> Parser:
    parser = Parser(prog="citysim evidence", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--trial", action="append", default=[])
    parser.add_argument("--config-path", default=config_path)
    return parser


def _taken(words: list[str]) -> tuple[list[str], str, str]:
    """Words for the studies, depth and folder."""
    from citysim.evidence.board.plan import DEPTHS, GATE
    from citysim.evidence.board.run import OUTPUTS

    depths, given, rest = (*DEPTHS, GATE), {"depth": "quick", "output_dir": str(OUTPUTS)}, []
    for word in words:
        key, sign, value = word.partition("=")
        if not sign and word in depths:
            given["depth"] = word
        elif not sign:
            raise InputError(f"unknown action '{word}'", where="citysim evidence",
                             allowed="; ".join(_USAGE.values()),
                             closest=closest_match(word, (*depths, *_USAGE)))
        elif key in ("city", "seeds", "days", "name", "policy"):
            raise InputError(f"the evidence sets '{key}' itself", where="citysim evidence",
                             allowed="output_dir, jobs, executor, parameters")
        elif key in given:
            given[key] = value
        else:
            rest.append(word)
    if given["depth"] not in depths:
        raise InputError(f"unknown depth '{given['depth']}'", where="depth", allowed=depths,
                         closest=closest_match(given["depth"], depths))
    return rest, given["depth"], given["output_dir"]


def _gate(words: list[str], output_dir: str, config_path: str | None) -> int:
    from citysim.evidence.board.gate import run_gate

    found = run_gate(words, output_dir, config_path, _watching)
    _show(("check", "asked", "came out", "passed"),
          [(c.name, c.asked, c.came, "yes" if c.passed else "NO") for c in found], False)
    return int(not all(c.passed for c in found))


@contextmanager
def _watching(name: str):
    """Progress of one study of a board, on the error stream."""
    from citysim.cli.progress import ProgressView
    from citysim.cli.study import console_for

    console = console_for(sys.stderr)
    console.print(f"{name}:", highlight=False, markup=False)
    with ProgressView(console) as progress:
        yield progress


def _show_board(found) -> None:
    """Tables of a board that fit a terminal: misses, aims, facts, trials, next door."""
    from citysim.evidence.board import tables

    for problem in found.problems:
        print(f"citysim: {problem}", file=sys.stderr)
    for table, columns in ((tables.facts(found), 5), (tables.trials(found), 6),
                           (tables.spillover(found), 6), (tables.honesty(found), 4),
                           (tables.aims(found), 4), (tables.misses(found), 5)):
        print(f"\n{table.name}")
        _show(table.columns[:columns], [row[:columns] for row in table.rows], False)


def measure(words: list[str], config_path: str | None = None) -> int:
    """Measure crimes of a file of points, and hold facts against them."""
    wanted = _measure_parser(config_path).parse_args(words)
    if wanted.streets is None:
        raise InputError("which streets?", where="citysim evidence measure",
                         allowed="--streets FILE, a file of street lines")
    from citysim.evidence.facts import load_facts
    from citysim.evidence.measures import all_measures, describe
    from citysim.evidence.points import Columns, read_points
    from citysim.evidence.verdicts import evaluate

    for name in wanted.measure:
        describe(name, "--measure")
    # Also refuses facts that are not there before a large file is read.
    held = load_facts(wanted.config_path, wanted.fact or None)
    columns = Columns(wanted.x, wanted.y, wanted.time, wanted.offence)
    data, notes = read_points(wanted.file, wanted.streets, columns, wanted.crs, wanted.layer,
                              wanted.segments, wanted.within, wanted.only)
    rows = [_measured(name, data, name in wanted.measure, wanted.file)
            for name in wanted.measure or all_measures()]
    table = evaluate(held, data)
    for text in notes:
        print(f"citysim: {text}", file=sys.stderr)
    if not (wanted.csv and wanted.fact):
        _show(_MEASURE_COLUMNS, [r for r in rows if r[1]], wanted.csv)
    if wanted.fact or not (wanted.csv or wanted.measure):
        _show(_FACT_COLUMNS, fact_rows(table[table["verdict"] != "not measurable"]), wanted.csv)
    missing = [r[0] for r in rows if not r[1]] + _unmeasured(table, wanted.fact)
    if missing and not wanted.csv:
        print("\nnot measurable here: " + ", ".join(missing))
    return 0


def facts(words: list[str], config_path: str | None = None) -> int:
    """Run a year of a city without policy, or read a study, and hold the facts against it."""
    parser = Parser(prog="citysim evidence facts", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--study")
    parser.add_argument("--fact", action="append", default=[])
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--config-path", default=config_path)
    wanted = parser.parse_intermixed_args(words)
    if wanted.study is not None and wanted.words:
        raise InputError("a study that is there takes no settings", where="--study",
                         allowed="either --study DIR or key=value")
    from citysim.evidence.city_year import open_year, run_year, year_settings
    from citysim.evidence.facts import load_facts
    from citysim.evidence.verdicts import evaluate, tally

    held, failed = load_facts(wanted.config_path, wanted.fact or None), 0
    if wanted.study is not None:
        data = open_year(wanted.study, config_path=wanted.config_path)
    else:
        from citysim.cli.progress import ProgressView
        from citysim.cli.study import console_for

        settings = year_settings(wanted.words, wanted.config_path)
        with ProgressView(console_for(sys.stderr)) as progress:
            data = run_year(settings, progress)
        failed = len(settings.seeds) - len(data)
    table = evaluate(held, data)
    if not wanted.csv:
        print(f"{data[0].name}, {data[0].days:.0f} days, {len(data)} seed"
              f"{'s' if len(data) > 1 else ''}\n")
    _show(_FACT_COLUMNS, fact_rows(table), wanted.csv)
    if not wanted.csv:
        print("\n" + tally(table).to_string())
    if failed:
        print(f"citysim: {failed} runs failed; citysim status tells why", file=sys.stderr)
    return int(failed > 0)


_MEASURE_COLUMNS = ("measure", "value", "unit", "note")
_FACT_COLUMNS = ("fact", "measured", "90 % interval", "published", "verdict", "off", "note")


def fact_rows(table) -> list[tuple[str, ...]]:
    """Rows of a table of facts as text."""
    rows = []
    for r in table.itertuples():
        name = f"{r.fact}: {r.part}" if r.part else r.fact
        known = r.verdict != "not measurable"
        rows.append((name, r.word or ("" if r.mean != r.mean else f"{r.mean:.3g}"),
                     "" if r.low != r.low else f"{r.low:.3g} to {r.high:.3g}", r.target,
                     r.verdict + ("" if r.counted or not known else " (not counted)"),
                     "" if r.off != r.off else f"{r.off:+.0%}", r.note))
    return rows


def _measured(name: str, data, asked: bool, path: str) -> tuple[str, str, str, str]:
    """One line of the table of measures; one that was asked for must be measurable."""
    from citysim.evidence.measures import describe, take

    found = describe(name)
    reading = take(name, [data] if found.of_many else data)
    if asked and not reading.measurable:
        raise InputError(f"'{name}' cannot be measured: {reading.note}", where=path,
                         allowed="a file that tells it (--time, --offence name columns)")
    value = reading.value
    text = "" if value is None else value if isinstance(value, str) else f"{value:.4g}"
    return name, text, found.unit, reading.note


def _unmeasured(table, asked: Iterable[str]) -> list[str]:
    """Facts that were asked for by name and cannot be measured."""
    asked = set(asked)
    return sorted({r.fact for r in table.itertuples()
                   if r.fact in asked and r.verdict == "not measurable"})


def _measure_parser(config_path: str | None) -> Parser:
    from citysim.evidence.points import WITHIN

    parser = Parser(prog="citysim evidence measure", add_help=False, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE")
    for option in ("--streets", "--x", "--y", "--time", "--offence", "--crs", "--layer"):
        parser.add_argument(option)
    parser.add_argument("--segments", default="file")
    parser.add_argument("--within", type=float, default=WITHIN)
    for option in ("--only", "--measure", "--fact"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--config-path", default=config_path)
    return parser


def _show(names, rows, as_csv: bool) -> None:
    """A plain table, or CSV."""
    if as_csv:
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        return
    from rich.table import Table
    from rich.text import Text

    from citysim.cli.study import console_for

    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console_for(sys.stdout).print(table)

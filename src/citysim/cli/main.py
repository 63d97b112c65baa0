"""Entry point of the command line; everything heavy is imported when it is needed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from citysim.cli.arguments import USAGE, parse
from citysim.config.errors import InputError

if TYPE_CHECKING:
    from citysim.study.program import Program

BAD_INPUT, INTERRUPTED = 2, 130


def main(argv: list[str] | None = None, program: Program | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Words after the program's name; those of the process by default.
    program
        The functions that a study drives; the model's own by default.

    Returns
    -------
    int
        Exit status: 0 well, 1 something failed, 2 bad input, 130 interrupted.
    """
    try:
        status = _dispatch(sys.argv[1:] if argv is None else list(argv), program)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InputError as error:
        print(f"citysim: {_lines(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\ncitysim: interrupted; finished runs are kept, the same command goes on from there",
              file=sys.stderr)
        return INTERRUPTED


def _dispatch(argv: list[str], program: Program | None) -> int:
    arguments = parse(argv)
    if arguments.command == "help":
        print(USAGE)
        return 0
    if arguments.command == "version":
        from citysim import __version__

        print(f"citysim {__version__}")
        return 0
    if arguments.command == "list":
        from citysim.cli.listing import list_options

        return list_options(arguments.words, arguments.config_path)
    if arguments.command == "city":
        from citysim.cli.city import describe_city

        return describe_city(arguments.words, arguments.config_path)
    if arguments.command == "status":
        from citysim.cli.status import status

        return status(arguments.words)
    if arguments.command == "results":
        from citysim.cli.results import results

        return results(arguments.words)
    if arguments.command == "analyse":
        from citysim.cli.analyse import analyse

        return analyse(arguments.words, arguments.config_path, program)
    if arguments.command == "evidence":
        from citysim.cli.evidence import evidence

        return evidence(arguments.words, arguments.config_path)
    if arguments.command == "calibrate":
        from citysim.cli.calibrate import calibrate

        return calibrate(arguments.words, arguments.config_path)
    if arguments.multirun:
        from citysim.cli.multirun import multirun

        return multirun(arguments.words, arguments.config_path, program)
    if arguments.command == "plan":
        from citysim.cli.plan import plan

        return plan(arguments.words, arguments.config_path, program)
    from citysim.cli.study import run

    return run(arguments.words, arguments.config_path, program)


def _lines(error: InputError) -> str:
    """The message with one fact a line."""
    parts = [error.message]
    if error.where:
        parts.append(f"  where:   {error.where}")
    if error.allowed:
        parts.append(f"  allowed: {error.allowed}")
    if error.closest:
        parts.append(f"  did you mean '{error.closest}'?")
    return "\n".join(parts)

"""Reading the command line's words."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from citysim.config.errors import InputError, closest_match

COMMANDS = ("run", "plan", "status", "results", "analyse", "evidence", "calibrate",
            "list", "city", "help")
OWN_OPTIONS = ("results", "analyse", "evidence", "calibrate")  # read their own options

USAGE = """\
citysim: an agent-based model of urban crime and prevention policy

usage
  citysim [run] [key=value ...]      run a study (without words: the study flagship)
  citysim plan [key=value ...]       say what would run, and run nothing
  citysim status DIR                 how a study in a folder stands, running or not
  citysim results DIR                tables of a study; --sql "select ..." asks them, --csv for
                                     machines; --compact packs many files into few
  citysim analyse DIR [OUTCOME ...]  what drives a study's results, how robust they are, and
                                     where options fail (--fails "OUTCOME>=0"), into its report
  citysim evidence [depth=full]      the board: published facts and field trials against the
                                     model; --write-docs, --log; citysim evidence gate for CI
  citysim evidence sweep             the same trials over the ranges of the constants that
                                     nearly are their effect
  citysim evidence facts [key=value] a year of a city without policy against published facts
  citysim evidence measure FILE      the same measures of real crimes; --streets FILE, and
                                     --time, --offence, --x, --y name columns
  citysim calibrate city=NAME        levels of a city fitted to published facts; --keep writes the
                                     ensemble where the studies of this city draw from it
  citysim city describe [key=value]  print and draw what a city contains
  citysim list [KIND]                experiments, cities, policies, offences or levers
  citysim -m [key=A,B ...]           one study per combination (plain Hydra multirun)

words used everywhere
  experiment=NAME   the study: what is compared, how long, how often
  city=NAME         the city; city=file city.streets=PATH for streets of your own
  policy=NAME       one policy, or several: policy=[A,B]
  seeds=N           how many paired repetitions, or a list: seeds=[1,2,3]
  days=N            days that are evaluated
  parameters=point  as configured, where seeds would draw from the city's calibrated ensemble
  executor=ray      on a cluster, with executor.address=HOST:PORT, or on this machine
  output_dir=DIR    where results go (default outputs/<study>)
  model.x.y=VALUE   any parameter of the files in configs/

options
  --config-path DIR  folder of configuration files (default ./configs, then the shipped one)
  -m, --multirun     see above
  --version          print the version
  -h, --help         print this

exit status: 0 all well, 1 a run or the report failed, 2 bad input, 130 interrupted;
of status: 0 done or running, 1 failed or interrupted, 2 no study there.
Starting the same study again goes on where it stopped."""


@dataclass(frozen=True)
class Arguments:
    """The command line, taken apart.

    Attributes
    ----------
    command
        One of :data:`COMMANDS`, ``city describe`` as ``city``; ``version`` for ``--version``.
    words
        Overrides, or what is to be listed.
    config_path
        ``--config-path``, or ``None``.
    multirun
        Whether ``-m`` was given.
    """

    command: str
    words: list[str]
    config_path: str | None = None
    multirun: bool = False


class Parser(argparse.ArgumentParser):
    """Refuses what it cannot read with one :class:`InputError`."""

    def error(self, message):
        options = [text for action in self._actions for text in action.option_strings]
        wrong = next((w for w in message.split() if w.startswith("-")), "")
        word = wrong.split("=")[0].rstrip(":")
        near = closest_match(word, options) if wrong and word not in options else None
        if wrong and message.startswith("unrecognized"):
            message = f"unknown option '{wrong}'"  # argparse lists every word after it too
            near = near or (wrong.lstrip("-") if "=" in wrong else None)
        raise InputError(message, where="command line", allowed=options, closest=near)


def parse(argv: list[str]) -> Arguments:
    """Take the command line apart.

    Raises
    ------
    InputError
        On an unknown option or command.
    """
    if argv and argv[0] in OWN_OPTIONS and not {"-h", "--help"} & set(argv):
        return Arguments(argv[0], argv[1:])
    parser = Parser(prog="citysim", add_help=False, allow_abbrev=False)
    parser.add_argument("--config-path")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("words", nargs="*")
    found = parser.parse_intermixed_args(argv)
    words = list(found.words)
    if found.help:
        return Arguments("help", [])
    if found.version:
        return Arguments("version", [])
    command = words.pop(0) if words and _is_command(words[0]) else "run"
    if command == "city":
        action = words.pop(0) if words and "=" not in words[0] else "describe"
        if action != "describe":
            raise InputError(f"unknown action '{action}'", where="citysim city",
                             allowed="describe", closest="describe")
    if found.multirun and command != "run":
        raise InputError(f"-m does not go with '{command}'", where="command line", allowed="run")
    return Arguments(command, words, found.config_path, found.multirun)


def _is_command(word: str) -> bool:
    if word in COMMANDS:
        return True
    if "=" in word or word.startswith(("+", "~")):
        return False
    raise InputError(f"unknown command '{word}'", where="command line", allowed=COMMANDS,
                     closest=closest_match(word, COMMANDS))

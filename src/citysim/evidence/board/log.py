"""The log of boards: one line a run, kept in the repository."""

from __future__ import annotations

import csv
from pathlib import Path

from citysim.config.errors import InputError
from citysim.config.lookup import shipped_config_dir
from citysim.evidence.board.findings import apart, hits, honesty, published, said
from citysim.evidence.board.run import Board
from citysim.evidence.verdicts import INSIDE, NEAR, OUTSIDE

LOG = "evidence_log.csv"
COLUMNS = ("date", "depth", "code", "parameters", "calibrated", "facts_inside", "facts_near",
           "facts_outside", "trials_in", "trials_out", "facts_out", "trials_not_in", "checks",
           "not_run", "seconds", "changed_after_a_trial")
"""``facts_*``, ``trials_in`` and ``trials_out`` count (figures of facts that count; confirmed
trials by main figure, but for those entered later), ``facts_out`` and ``trials_not_in`` name.
``changed_after_a_trial`` is written by hand: which mechanism was changed after which trial had
been seen, before this run."""


def docs_dir() -> Path:
    """``docs`` of the checkout that this code lies in.

    Raises
    ------
    InputError
        If the code is an installed package, which has none.
    """
    root = shipped_config_dir().parent
    if not (root / "pyproject.toml").is_file() or not (root / "docs").is_dir():
        raise InputError("the board's documents and log are kept in a checkout of the project",
                         where="--write-docs, --log", allowed="leave the option out")
    return root / "docs"


def line(board: Board) -> dict[str, str]:
    """What the log tells of a board."""
    facts = board.facts[board.facts["counted"]]
    counts = facts["verdict"].value_counts()
    out = [f"{r.fact}:{r.part}" if r.part else r.fact
           for r in facts[facts["verdict"] == OUTSIDE].itertuples()]
    main = said(published(board))
    main = main[main["main"].astype(bool)]
    first, later = apart(board, main)
    missed = [*first.loc[~first["agrees"].map(bool), "trial"],
              *(f"later:{name}" for name in later.loc[~later["agrees"].map(bool), "trial"])]
    checks = [f"{c.trial}={_word(c.holds)}" for c in honesty(board)]
    values = (board.date, board.depth, board.code, board.parameters,
              _word(board.calibrated), counts.get(INSIDE, 0), counts.get(NEAR, 0), len(out),
              hits(first), len(first) - hits(first), " ".join(out), " ".join(missed),
              " ".join(checks),
              " ".join(p.split(":")[0] for p in board.problems), f"{board.seconds:.0f}", "")
    return {name: str(value) for name, value in zip(COLUMNS, values, strict=True)}


def append(board: Board, folder: Path) -> Path:
    """Add a board to the log in ``folder``, which is begun where there is none."""
    path = Path(folder) / LOG
    new = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(line(board))
    return path


def _word(holds: bool | None) -> str:
    return "unsure" if holds is None else "yes" if holds else "no"

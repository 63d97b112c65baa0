"""What a board shows: misses, honesty checks, what moved next door, runs saved, the tally."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from citysim.evidence.board.run import Board
from citysim.evidence.verdicts import INSIDE, NEAR, NOT_MEASURABLE, OUTSIDE, ROUNDING

if TYPE_CHECKING:
    import pandas as pd

MINIATURE, MEMORY, CONFIRMED = "miniature", "memory", "confirmed"
COVERAGE, NOTHING, SOMETHING = "coverage", "nothing", "something"
DISPLACEMENT, DIFFUSION = "displacement", "diffusion"
UNCLEAR = "not to be told"
_EXACT = 1e-9  # per cent: what floating point leaves of an effect that is exactly nil


@dataclass(frozen=True)
class Check:
    """An honesty check: what was asked, what came, and whether it holds."""

    trial: str
    label: str
    kind: str
    asked: str
    came: str
    holds: bool | None
    share: float = math.nan
    trials: int = 0


@dataclass(frozen=True)
class Aim:
    """An aim of the board; ``met`` is None where nothing can be said."""

    name: str
    asked: str
    came: str
    met: bool | None


def honesty(board: Board) -> list[Check]:
    """Checks by the miniature entries: their arms say which kind each is."""
    found = []
    for name, trial in board.trials.items():
        rows = board.effects[board.effects["trial"] == name]
        if trial.status != MINIATURE or not len(rows):
            continue
        main = rows[rows["scope"] == "units"].iloc[0]
        dosed = any(arm.policies and arm.dose > 0 for arm in trial.arms.values())
        nulls = all(figure.rule == "null" for figure in trial.published)
        make = _something if not nulls else _nothing if dosed else _coverage
        found.append(make(name, trial.label, main, board.aims))
    return found


def _coverage(name: str, label: str, row: pd.Series, aims: dict[str, float]) -> Check:
    n, share = int(row["trial_n"]), 1 - float(row["significant"])
    low, high = aims["coverage_low"], aims["coverage_high"]
    half = 1.645 * float(row["significant_se"])
    enough = n >= aims["coverage_trials"]
    return Check(name, label, COVERAGE,
                 f"{100 * low:.0f} to {100 * high:.0f} % of the 90 % intervals hold zero, over at "
                 f"least {aims['coverage_trials']:.0f} trials",
                 f"{100 * share:.1f} % of {n} trials (luck of as many trials: "
                 f"\u00b1{100 * half:.1f} points)",
                 bool(low <= share <= high) if enough else None, share, n)


def _nothing(name: str, label: str, row: pd.Series, aims: dict[str, float]) -> Check:
    largest = max(abs(row[c]) for c in ("counts", "hazards") if math.isfinite(row[c]))
    return Check(name, label, NOTHING, "no effect at all",
                 f"{row['hazards']:+.2g} % on the hazard, {row['counts']:+.2g} % on counts, "
                 f"{int(row['seeds'])} trials", bool(largest < _EXACT),
                 trials=int(row["seeds"]))


def _something(name: str, label: str, row: pd.Series, aims: dict[str, float]) -> Check:
    return Check(name, label, SOMETHING, "crime falls, and the interval leaves zero out",
                 f"{row['hazards']:+.1f} % ({row['hazards_low']:+.1f} to "
                 f"{row['hazards_high']:+.1f}), {int(row['seeds'])} trials",
                 bool(row["hazards_high"] < 0), trials=int(row["seeds"]))


def published(board: Board) -> pd.DataFrame:
    """Figures of published trials, without the honesty checks."""
    return board.figures[board.figures["status"] != MINIATURE]


def said(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures that have a verdict and count: of confirmed trials, with a rule to agree by."""
    return figures[(figures["status"] == CONFIRMED) & (figures["rule"] != "none")
                   & figures["agrees"].map(lambda v: v is not None and v == v)]


def apart(board: Board, figures: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Figures of the trials that the aims were set for, and of those entered later."""
    later = figures["trial"].map(lambda name: bool(board.trials[name].added)).astype(bool)
    return figures[~later], figures[later]


def hits(figures: pd.DataFrame) -> int:
    """How many of the figures agree."""
    return int(figures["agrees"].map(bool).sum())


def silent(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures of confirmed trials that ought to have a verdict and have none."""
    ruled = figures[(figures["status"] == CONFIRMED) & (figures["rule"] != "none")]
    return ruled[~ruled.index.isin(said(figures).index)]


def pointed(figure) -> bool | None:
    """Whether the middle of the simulated effect itself lies inside the published interval."""
    if not (math.isfinite(_or_nan(figure.published_low)) and math.isfinite(figure.simulated)):
        return None
    return bool(figure.published_low <= figure.simulated <= figure.published_high)


def spillover(board: Board) -> pd.DataFrame:
    """Rings of every trial's main outcome.

    Columns ``trial, label, status, ring, metres, arm, change, low, high`` (per cent in the
    ring, on hazards where there are any), ``quotient`` and ``moved`` (positive: diffusion), and
    ``kind``: displacement or diffusion where the treated gained and the ring's interval leaves
    zero out.
    """
    import pandas as pd

    rows = []
    for name, trial in board.trials.items():
        if not trial.rings or not trial.published:
            continue
        main = board.figures[(board.figures["trial"] == name) & board.figures["main"].astype(bool)]
        for figure in main.itertuples():
            mine = board.effects[(board.effects["trial"] == name)
                                 & (board.effects["outcome"] == figure.outcome)
                                 & (board.effects["arm"] == figure.arm)]
            rows += [_ring(trial, figure, i, mine) for i in range(len(trial.rings))
                     if (mine["scope"] == f"ring_{i + 1}").any()]
    columns = ("trial", "label", "status", "ring", "metres", "arm", "outcome", "change", "low",
               "high", "quotient", "moved", "kind")
    return pd.DataFrame(rows, columns=list(columns))


def _ring(trial, figure, i: int, effects: pd.DataFrame) -> dict:
    row = effects[effects["scope"] == f"ring_{i + 1}"].iloc[0]
    inner = 0 if i == 0 else trial.rings[i - 1]
    basis = "hazards" if math.isfinite(_or_nan(row.get("hazards"))) else "counts"
    change, low, high = (_or_nan(row.get(c)) for c in (basis, f"{basis}_low", f"{basis}_high"))
    moved = _or_nan(row.get("moved"))
    clear = math.isfinite(moved) and math.isfinite(low) and (low > 0 or high < 0)
    kind = UNCLEAR if not clear else DISPLACEMENT if change > 0 else DIFFUSION
    return {"trial": trial.id, "label": trial.label, "status": trial.status, "ring": i + 1,
            "metres": f"{inner:.0f}\u2013{trial.rings[i]:.0f} m", "arm": figure.arm,
            "outcome": figure.outcome, "change": change, "low": low, "high": high,
            "quotient": _or_nan(row.get("quotient")), "moved": moved, "kind": kind}


def savings(board: Board) -> pd.DataFrame:
    """How many times fewer runs common random numbers need, for each trial's main outcome.

    Against independent seeds and for the same interval, on ``counts`` and ``hazards``; NaN
    where both runs are one.
    """
    import pandas as pd

    rows = []
    for figure in board.figures.itertuples():
        if not figure.main:
            continue
        found = board.effects[(board.effects["trial"] == figure.trial)
                              & (board.effects["outcome"] == figure.outcome)
                              & (board.effects["scope"] == "units")]
        if len(found):
            row = found.iloc[0]
            rows.append({"trial": figure.trial, "label": figure.label, "seeds": int(row["seeds"]),
                         **{b: _or_nan(row.get(f"{b}_saving")) for b in ("counts", "hazards")}})
    return pd.DataFrame(rows, columns=["trial", "label", "seeds", "counts", "hazards"])


def fact_counts(board: Board, use: str) -> dict[str, int]:
    """How many counted figures of facts came out how, for one use."""
    rows = counted_facts(board, use)
    return {v: int((rows["verdict"] == v).sum()) for v in (INSIDE, NEAR, OUTSIDE, NOT_MEASURABLE)}


def counted_facts(board: Board, use: str) -> pd.DataFrame:
    """Rows of the facts of one use that count or would if they could be measured."""
    table = board.facts
    return table[(table["use"] == use) & (table["status"] != MEMORY)
                 & (table["counted"] | (table["verdict"] == NOT_MEASURABLE))]


def levels_close(board: Board) -> int:
    """Levels that lie as near as asked to what was published, a value or an end of a range."""
    levels = counted_facts(board, "calibrate")
    near = levels["off"].astype(float).abs() <= board.aims["levels_within"] + ROUNDING
    return int((near | (levels["verdict"] == INSIDE)).sum())  # words have no distance


def tally(board: Board) -> list[Aim]:
    """Every aim of the board beside what came out."""
    check, everything = fact_counts(board, "check"), published(board)
    main = everything[everything["main"].astype(bool)]
    return [_facts_aim("Facts to check, inside or near", check, (INSIDE, NEAR),
                       board.aims["facts_close"]),
            _levels_aim(board),
            _agreement("Confirmed trials that agree, by main figure", board, main),
            _agreement("All figures of confirmed trials that agree", board, everything),
            _both_ways(board), *_coverage_aim(board), _saving_aim(board), *_time_aim(board)]


def _facts_aim(name: str, counts: dict[str, int], good: tuple[str, ...], least: float) -> Aim:
    return _share_aim(name, sum(counts[v] for v in good), counts, least)


def _levels_aim(board: Board) -> Aim:
    counts, aims = fact_counts(board, "calibrate"), board.aims
    return _share_aim(f"Levels, within {100 * aims['levels_within']:.0f} % of a figure or the "
                      "nearer end of a range", levels_close(board), counts, aims["levels_close"],
                      f"; {counts[INSIDE]} with ranges met inside only")


def _share_aim(name: str, hits: int, counts: dict[str, int], least: float, also: str = "") -> Aim:
    measured = sum(counts[v] for v in (INSIDE, NEAR, OUTSIDE))
    missing = counts[NOT_MEASURABLE]
    share = hits / measured if measured else math.nan
    also += f"; {missing} more cannot be measured" if missing else ""
    return Aim(name, f"at least {100 * least:.0f} %",
               f"{hits} of {measured} ({100 * share:.0f} %){also}" if measured else "none",
               bool(share >= least) if measured else None)


def _agreement(name: str, board: Board, figures: pd.DataFrame) -> Aim:
    least, (told, later) = board.aims["trials_agree"], apart(board, said(figures))
    without = len(apart(board, silent(figures))[0])
    n, good, also = len(told), hits(told), f"; {without} more give no verdict" if without else ""
    also += f"; of those entered later {hits(later)} of {len(later)}" if len(later) else ""
    return Aim(name, f"at least {100 * least:.0f} %",
               (f"{good} of {n} ({100 * good / n:.0f} %)" if n else "none") + also,
               bool(good / n >= least) if n else None)


def _both_ways(board: Board) -> Aim:
    found = spillover(board)
    n = {kind: int((found["kind"] == kind).sum()) for kind in (DISPLACEMENT, DIFFUSION)}
    return Aim("Displacement and diffusion both appear", "at least one clear ring each",
               f"{n[DISPLACEMENT]} rings with clear displacement, {n[DIFFUSION]} with clear "
               f"diffusion, of {len(found)}",
               bool(min(n.values()) > 0) if len(found) else None)


def _coverage_aim(board: Board) -> list[Aim]:
    return [Aim("A/A trials: intervals that hold zero", c.asked, c.came, c.holds)
            for c in honesty(board) if c.kind == COVERAGE]


def _saving_aim(board: Board) -> Aim:
    table = savings(board)
    middle = {b: _median(table[b]) for b in ("counts", "hazards")}
    good = [m for m in middle.values() if math.isfinite(m)]
    return Aim("Runs saved by common random numbers", f"at least {board.aims['saving']:g} times",
               f"middle over trials: {middle['counts']:.0f} times on counts, "
               f"{middle['hazards']:.0f} times on hazards" if good else "not known",
               bool(min(good) >= board.aims["saving"]) if good else None)


def _time_aim(board: Board) -> list[Aim]:
    if board.plan.minutes is None:
        return []
    whole = board.fresh and not board.problems
    return [Aim("Time on two idle cores", f"under {board.plan.minutes:g} minutes",
                f"{board.seconds / 60:.1f} minutes"
                + ("" if board.fresh else ", part of it kept from an earlier start"),
                bool(board.seconds < 60 * board.plan.minutes) if whole else None)]


def _median(values: pd.Series) -> float:
    values = values[np.isfinite(values.astype(float))]
    return float(values.median()) if len(values) else math.nan


def _or_nan(value) -> float:
    return math.nan if value is None else float(value)

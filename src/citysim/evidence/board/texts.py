"""Sentences of the board, the same on the page and in docs/evidence.md."""

from __future__ import annotations

from citysim.evidence.board.run import Board

LEADS = {
    "What is out": "Misses first. A reason is given where one is known.",
    "Held against the aims": "What the board was asked to reach, set before anything had run. A "
                             "level above its range counts as close by its distance to the range; "
                             "that was settled later. Trials entered after the aims had been set "
                             "are told beside and do not count there.",
    "Facts": "What is known of crime in cities. The model is not told any of these; those marked "
             "calibrate set levels and may be fitted. A range is met inside it, a single figure "
             "within 15 %; near is a quarter of the range\u2019s width beyond it, or within 25 %. "
             "Intervals are 90 %, over seeds.",
    "Not measurable": "What this city or model cannot show, and why.",
    "Trials": "Published field experiments, run again with their units, lots, dose, length, "
              "outcome and estimator. The precise effect compares each trial with the same city "
              "with nobody treated, sharing all luck. Intervals are 90 %; published ones 95 %, "
              "and only where they were published. With few seeds intervals are wide, and wide "
              "ones overlap easily: the column \u201cmiddle inside too\u201d is the harder test. "
              "A single trial whose interval would reach beyond +1000 % has no estimate: too "
              "little happened among those compared. "
              "The first figure of an entry that can be judged is its main figure.",
    "Next door": "What became of crime in the rings around treated units. Positive: the "
                 "neighbourhood gained too (diffusion of benefits). Negative: crime moved there. "
                 "A dash: the treated units did not gain, so nothing can have moved.",
    "Honesty checks": "Trials of the board itself, in miniature.",
    "Runs saved": "How many times more runs independent seeds would take for the same interval.",
    "What was run": "Days, seeds and size of each trial on this board.",
}


def basis(board: Board) -> str:
    """What the board rests on, in one paragraph."""
    plan = board.plan
    cut = ("This is the quick board: trials are cut short (56 days by default) and have few "
           "seeds, so that slow measures show less than they would and intervals are wide; "
           "depth=full runs them as published. ") if plan.quickened else ""
    levels = ("Levels are calibrated on facts: each seed, of the year and of every trial, draws "
              "one of the points that fit its city, so intervals hold luck and what is not known "
              "of the levels. " if board.calibrated else
              "Parameters are as configured; intervals hold luck between seeds only. ")
    return (f"{cut}Facts: {plan.year.seeds} years of {plan.year.city} without policy. {levels}"
            "No constant was fitted to a trial; but many were taken over from an earlier version "
            "that had been changed after effects of its policies were seen, so agreement alone "
            "proves little (docs/odd.md, 8).")


def origin(board: Board) -> list[tuple[str, str]]:
    """Where the board comes from."""
    return [("run on", f"{board.date} UTC"), ("command", f"citysim evidence depth={board.depth}"),
            ("code", board.code), ("parameters", board.parameters),
            ("took", f"{board.seconds / 60:.1f} minutes"
             + ("" if board.fresh else " (part kept from an earlier start)"))]

"""The board's tables as plain rows, for the terminal, the page and Markdown alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from citysim.analysis.wording import capital, number
from citysim.evidence.board import findings
from citysim.evidence.board.findings import CONFIRMED, MEMORY
from citysim.evidence.board.run import Board
from citysim.evidence.verdicts import INSIDE, NEAR, NOT_MEASURABLE, OUTSIDE, SHOWN

GOOD, BAD, MIDDLE, GREY, PLAIN = "good", "bad", "middle", "grey", ""
NO_REASON = "no reason known"
AS_ABOVE = "as above"
_ORDER = (OUTSIDE, NEAR, INSIDE, SHOWN, NOT_MEASURABLE)
_TONE = {INSIDE: GOOD, NEAR: MIDDLE, OUTSIDE: BAD}
_RULES = {"overlap": "intervals overlap", "sign_and_factor": "same sign, within a factor of two",
          "null": "a trial of this size finds nothing", "at_least": "not below the bound",
          "direction": "same direction", "none": "none"}
_MOST_PERCENT = 1000.0
"""An interval whose upper end lies beyond it says nothing: an arm had next to no events."""
UNITS = {"percent": "%", "per_100": "per 100", "points": "points", "percent_per_x": "% an hour"}


@dataclass
class Table:
    """A table of words: ``tones`` has one word a row (good, bad, middle, grey)."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    tones: list[str] = field(default_factory=list)
    numbers: tuple[int, ...] = ()

    def add(self, tone: str, *cells: str) -> None:
        """Add a row."""
        self.rows.append(tuple(cells))
        self.tones.append(tone)


def misses(board: Board) -> Table:
    """Everything that is out: honesty checks, facts, trials, what did not run.

    A reason that several figures one behind the other share is given with the first.
    """
    table = Table("What is out", ("What", "Simulated", "Published or asked", "Off by",
                                  "Known reason"))
    for problem in board.problems:
        name, _, text = problem.partition(": ")
        table.add(BAD, f"Did not run: {name}", "\u2013", "\u2013", "\u2013", text)
    for check in findings.honesty(board):
        if check.holds is False:
            table.add(BAD, f"Honesty check: {check.label}", check.came, check.asked, "\u2013",
                      NO_REASON)
    rows = board.facts[board.facts["counted"] & (board.facts["verdict"] == OUTSIDE)]
    for r in rows.itertuples():
        table.add(BAD, f"Fact: {_fact_name(r)}", _measured(r), _target(r), _off(r),
                  _reason(table, r.reason))
    figures = findings.said(findings.published(board))
    for r in figures[~figures["agrees"].map(bool)].itertuples():
        came = _single(r) if r.rule == "null" else _simulated(r)
        table.add(BAD, f"Trial: {figure_name(r)}", came, published_words(r), _away(r),
                  _reason(table, r.reason))
    for r in findings.silent(findings.published(board)).itertuples():
        table.add(MIDDLE, f"No verdict: {figure_name(r)}", _simulated(r), published_words(r),
                  "\u2013", r.reason or "too little happened among those compared")
    return table


def _reason(table: Table, reason: str) -> str:
    if not reason:
        return NO_REASON
    before = next((row[-1] for row in reversed(table.rows) if row[-1] != AS_ABOVE), "")
    return AS_ABOVE if reason == before else reason


def aims(board: Board) -> Table:
    """The tally against what the board is asked to reach."""
    table = Table("Held against the aims", ("Aim", "Asked", "Came out", "Met"))
    for aim in findings.tally(board):
        table.add(PLAIN if aim.met is None else GOOD if aim.met else BAD, aim.name, aim.asked,
                  aim.came, "cannot be said" if aim.met is None else "yes" if aim.met else "no")
    return table


def facts(board: Board, measurable: bool = True) -> Table:
    """Facts that could be measured, worst first; or those that could not."""
    if not measurable:
        table = Table("Not measurable", ("Fact", "Published", "Why"))
        for r in board.facts[board.facts["verdict"] == NOT_MEASURABLE].itertuples():
            table.add(GREY if r.status == MEMORY else PLAIN, _fact_name(r), _target(r),
                      r.note or r.reason)
        return table
    table = Table("Facts", ("Fact", "Simulated", "Published", "Verdict", "Off by", "Use",
                            "To know"))
    rows = board.facts[board.facts["verdict"] != NOT_MEASURABLE]
    order = {v: i for i, v in enumerate(_ORDER)}
    for r in sorted(rows.itertuples(), key=lambda r: (not r.counted, order[r.verdict])):
        tone = _TONE.get(r.verdict, PLAIN) if r.counted else GREY
        table.add(tone, _fact_name(r), _measured(r), _target(r) or "\u2013",
                  r.verdict + ("" if r.counted else ", not counted"), _off(r), r.use,
                  "; ".join(t for t in (r.note, r.fact_note) if t))
    return table


def trials(board: Board) -> Table:
    """Every published figure of every trial, disagreements first, greyed ones last."""
    table = Table("Trials", ("Trial and outcome", "Published", "Simulated, precise",
                             "A single trial reports", "Agreement by", "Agrees",
                             "Middle inside too", "Seeds", "To know"))
    for r in sorted(findings.published(board).itertuples(), key=_rank):
        verdict = _agrees(r)
        tone = GREY if r.status != CONFIRMED or verdict == "no verdict" else \
            GOOD if verdict == "yes" else BAD
        inside = findings.pointed(r)
        if r.status != CONFIRMED:
            verdict += f" (from {r.status}, not counted)"
        elif board.trials[r.trial].added:
            verdict += " (entered later)"
        table.add(tone, figure_name(r), published_words(r), _simulated(r), _single(r),
                  _RULES[r.rule], verdict,
                  "\u2013" if inside is None else "yes" if inside else "no", str(int(r.seeds)),
                  r.note)
    return table


def spillover(board: Board) -> Table:
    """What happened next door."""
    table = Table("Next door", ("Trial", "Ring", "Change there",
                                "Quotient of a single trial (WDQ)",
                                "Moved per offence prevented", "Reading"))
    for r in findings.spillover(board).itertuples():
        table.add(GREY if r.status != CONFIRMED else PLAIN,
                  f"{r.label}: {words(r.outcome)}, {words(r.arm)}", r.metres,
                  effect_words(r.change, r.low, r.high, "%"), _signed(r.quotient), _signed(r.moved),
                  r.kind)
    return table


def honesty(board: Board) -> Table:
    """Checks of the board itself."""
    table = Table("Honesty checks", ("Check", "Asked", "Came out", "Holds"))
    for c in findings.honesty(board):
        table.add(PLAIN if c.holds is None else GOOD if c.holds else BAD, c.label, c.asked,
                  c.came, "too few trials to say" if c.holds is None else
                  "yes" if c.holds else "no")
    return table


def savings(board: Board) -> Table:
    """How many times fewer runs each trial needs with common random numbers."""
    table = Table("Runs saved", ("Trial", "Seeds", "On counts", "On hazards"), numbers=(1, 2, 3))
    for r in findings.savings(board).itertuples():
        table.add(PLAIN, r.label, str(r.seeds), _times(r.counts), _times(r.hazards))
    return table


def cuts(board: Board) -> Table:
    """What this board ran, and where that is smaller than what was published."""
    table = Table("What was run", ("Trial", "Study", "Days before, during, after", "Seeds",
                                   "Smaller than published", "To know"))
    for trial in board.trials.values():
        t = trial.timing
        table.add(GREY if trial.status == MEMORY else PLAIN, trial.label, trial.study,
                  f"{t.baseline}, {t.days}, {t.follow_up}", str(trial.seeds), trial.scaled,
                  trial.note)
    return table


def all_tables(board: Board) -> list[Table]:
    """Tables in the order of the board: misses first."""
    return [misses(board), aims(board), facts(board), facts(board, measurable=False),
            trials(board), spillover(board), honesty(board), savings(board), cuts(board)]


# --- words


def _fact_name(r) -> str:
    return f"{r.name}: {words(r.part)}" if r.part else r.name


def figure_name(r) -> str:
    """Trial, outcome, arm and scope of a published figure."""
    where = {"units": "", "city": ", whole city"}.get(r.scope)
    where = f", {words(r.scope)}" if where is None else where
    return f"{r.label}: {words(r.outcome)}, {words(r.arm)}{where}"


def words(name: str) -> str:
    """A name of the configuration as words."""
    return str(name).replace("_", " ")


def _quantity(value: float, unit: str) -> str:
    """A value in the unit of its fact: shares as per cent."""
    if not math.isfinite(value):
        return "\u2013"
    return f"{number(100 * value)} %" if unit.startswith("share") else number(value)


def _measured(r) -> str:
    if r.word:
        return r.word
    text = _quantity(r.mean, r.unit)
    return text if r.low != r.low else \
        f"{text} ({_quantity(r.low, r.unit)} to {_quantity(r.high, r.unit)})"


def _target(r) -> str:
    if r.target_value == r.target_value:
        return _quantity(r.target_value, r.unit)
    if r.target_low == r.target_low:
        return f"{_quantity(r.target_low, r.unit)} to {_quantity(r.target_high, r.unit)}"
    return r.target


def _off(r) -> str:
    return "\u2013" if r.off != r.off else "0 %" if r.off == 0 else f"{100 * r.off:+.0f} %"


def effect_words(value: float, low: float, high: float, unit: str) -> str:
    """An effect with its interval."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    text = f"{value:+.1f} {unit}"
    return text if low is None or not math.isfinite(low) else f"{text} ({low:+.1f} to {high:+.1f})"


def _simulated(r) -> str:
    return effect_words(r.simulated, r.simulated_low, r.simulated_high, UNITS[r.unit])


def _single(r) -> str:
    if not math.isfinite(r.trial_low):
        return "\u2013"
    if not r.trial_high <= _MOST_PERCENT:
        return "no estimate: too few events"
    return f"{r.trial_low:+.0f} to {r.trial_high:+.0f} %"


def published_words(r) -> str:
    """What was published, with its interval where there is one."""
    if r.rule == "direction":
        return {"up": "rises", "down": "falls"}[r.direction]
    if r.published is None or r.published != r.published:
        return "no effect" if r.rule == "null" else "none published"
    if r.rule == "null" and r.published == 0:
        return "no effect"
    text = effect_words(r.published, r.published_low, r.published_high, UNITS[r.unit])
    return f"at least {text}" if r.rule == "at_least" else text


def _away(r) -> str:
    """How far the simulated effect is from the published one."""
    unit = "points"
    if not math.isfinite(r.simulated) or r.rule in ("direction", "null"):
        return "wrong direction" if r.rule == "direction" else \
            "an effect shows" if r.rule == "null" else "\u2013"
    return f"{r.simulated - r.published:+.1f} {unit}"


def _agrees(r) -> str:
    if r.rule == "none" or r.agrees is None or r.agrees != r.agrees:
        return "no verdict"
    return "yes" if r.agrees else "no"


def _rank(r) -> tuple:
    return (r.status != CONFIRMED, {"no": 0, "yes": 1}.get(_agrees(r), 2))


def _signed(value: float) -> str:
    return "\u2013" if not math.isfinite(value) else f"{value:+.2f}"


def _times(value: float) -> str:
    return "\u2013" if not math.isfinite(value) else f"{number(value, 2)} times"


def headline(board: Board) -> list[str]:
    """The board in a few sentences."""
    check, level = (findings.fact_counts(board, use) for use in ("check", "calibrate"))
    figures = findings.said(findings.published(board))
    main, later = findings.apart(board, figures[figures["main"].astype(bool)])
    beside = f"; of {len(later)} entered later {findings.hits(later)} do" if len(later) else ""
    n = sum(check[v] for v in (INSIDE, NEAR, OUTSIDE))
    m = sum(level[v] for v in (INSIDE, NEAR, OUTSIDE))
    checks = findings.honesty(board)
    broken = [f"{c.label} ({c.came})" for c in checks if c.holds is False]
    shaky = [f"{c.label} ({c.came})" for c in checks if c.holds is None]
    return [
        f"What cities look like: {check[INSIDE]} of {n} published figures are met and "
        f"{check[NEAR]} nearly met; {check[OUTSIDE]} are missed. Of {m} levels (crime rates, "
        f"reporting, fear) {level[INSIDE]} are met, {findings.levels_close(board)} lie within "
        f"{100 * board.aims['levels_within']:.0f} %.",
        f"What measures do: re-run inside the model, {findings.hits(main)} of {len(main)} "
        "published field experiments come out as they did in the street, by their main figure"
        f"{beside}.",
        "Honesty: " + (capital(", ".join(broken)) + " failed." if broken else
                       capital(", ".join(shaky)) + " has too few trials to say." if shaky else
                       "where nothing is done nothing shows, and where far too much is done it "
                       "shows." if checks else "no check was run.")]

"""The gate: a quick subset of the board that a change of the code must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from citysim.config.errors import InputError, closest_match
from citysim.evidence.board.plan import Gate, Honesty, load_gate
from citysim.evidence.board.run import OUTPUTS, Watch, silent
from citysim.evidence.city_year import run_year, year_settings
from citysim.evidence.facts import load_facts
from citysim.evidence.trials.entries import load_trial
from citysim.evidence.trials.run import run_trial, settings_of
from citysim.evidence.verdicts import NOT_MEASURABLE, evaluate
from citysim.study.local import kept_workers

_EXACT = 1e-9  # per cent


@dataclass(frozen=True)
class Outcome:
    """One check of the gate."""

    name: str
    asked: str
    came: str
    passed: bool


@kept_workers()
def run_gate(overrides: Sequence[str] = (), output_dir: str | Path = OUTPUTS,
             config_path: str | Path | None = None, watch: Watch | None = None) -> list[Outcome]:
    """Run the gate's year and miniature trials and check them.

    Parameters
    ----------
    overrides
        Further words for every study.
    output_dir
        Folder of boards; the gate's studies go below ``<output_dir>/gate``.
    config_path
        Folder of configuration files; ``evidence/board/gate.yaml`` holds the bounds.
    watch
        Shows progress.

    Raises
    ------
    InputError
        On bad input, and for facts and trials that do not exist.
    """
    gate, folder, watch = load_gate(config_path), Path(output_dir) / "gate", watch or silent
    wanted = [name.split(": ") for name in gate.facts]
    facts = load_facts(config_path, list(dict.fromkeys(w[0] for w in wanted)))
    parts = {f"{f.id}: {p.label}" if p.label else f.id for f in facts for p in f.parts}
    for name in gate.facts:
        if name not in parts:
            raise InputError(f"there is no part '{name}' of a fact",
                             where="evidence/board/gate.yaml: facts", allowed=sorted(parts),
                             closest=closest_match(name, parts))
    # As configured: what the gate measures changes with the code, not with a new calibration.
    overrides = ["parameters=point", *overrides]
    words = [f"city={gate.year.city}", f"seeds={gate.year.seeds}", *overrides]
    settings = year_settings([*words, f"output_dir={folder / 'year'}"], config_path)
    with watch(f"a year of {gate.year.city}") as told:
        table = evaluate(facts, run_year(settings, told))
    found = [_fact(r, gate) for r in table.itertuples()
             if (f"{r.fact}: {r.part}" if r.part else r.fact) in gate.facts]
    for check, judge in ((gate.coverage, _coverage), (gate.nothing, _nothing),
                         (gate.something, _something)):
        with watch(check.trial) as told:
            found.append(judge(check, _effect(check, overrides, folder, config_path, told)))
    return found


def _effect(check: Honesty, overrides, folder: Path, config_path, told):
    trial = load_trial(check.trial, config_path)
    words = [f"seeds={check.seeds}", *overrides, f"output_dir={folder / check.trial}"]
    result = run_trial(settings_of(trial, words, config_path), told)
    if len(result.failed) or result.summary is None:
        return None
    table = result.summary.assign(asked=check.seeds * trial.assignment.draws)
    return table[table["scope"] == "units"].iloc[0]


def _fact(r, gate: Gate) -> Outcome:
    """Within the gate's factor of what was published; words must be among those published."""
    name = f"{r.fact}: {r.part}" if r.part else r.fact
    if r.verdict == NOT_MEASURABLE:
        return Outcome(name, r.target, r.note, False)
    if r.word:
        return Outcome(name, r.target, r.word, r.verdict == "inside")
    low, high = (r.target_value, r.target_value) if r.target_value == r.target_value else \
        (r.target_low, r.target_high)
    low, high = low / gate.factor.value, high * gate.factor.value
    return Outcome(name, f"{low:.3g} to {high:.3g}", f"{r.mean:.3g}", bool(low <= r.mean <= high))


def _coverage(check: Honesty, row) -> Outcome:
    asked = f"at least {100 * check.least:.0f} % of intervals hold zero, precise effect zero"
    if row is None:
        return _failed(check, asked)
    share = 1 - float(row["significant"])
    nil = abs(float(row["hazards"])) < _EXACT and int(row["trial_n"]) == row["asked"]
    return Outcome(check.trial, asked, f"{100 * share:.1f} % of {int(row['trial_n'])}, "
                   f"{row['hazards']:+.2g} %", bool(share >= check.least and nil))


def _nothing(check: Honesty, row) -> Outcome:
    if row is None:
        return _failed(check, "precise effect zero")
    largest = max(abs(float(row["hazards"])), abs(float(row["counts"])))
    return Outcome(check.trial, "precise effect zero", f"{largest:.2g} %", largest < _EXACT)


def _something(check: Honesty, row) -> Outcome:
    asked = "interval of the precise effect below zero"
    if row is None:
        return _failed(check, asked)
    return Outcome(check.trial, asked, f"{row['hazards']:+.1f} % ({row['hazards_low']:+.1f} to "
                   f"{row['hazards_high']:+.1f})", bool(row["hazards_high"] < 0))


def _failed(check: Honesty, asked: str) -> Outcome:
    return Outcome(check.trial, asked, "a run failed", False)

"""The command ``plan``: what a study would run, how long, how much, and its first points."""

from __future__ import annotations

import sys
from collections import Counter

from rich.console import Console
from rich.table import Table

from citysim.cli.study import console_for
from citysim.config.compose import compose_study
from citysim.config.ensembles import ensemble_of
from citysim.config.errors import InputError
from citysim.config.settings import Settings
from citysim.study.design import Run
from citysim.study.estimate import estimate, jobs_of
from citysim.study.factors import LEVER, UNCERTAINTY, short_names
from citysim.study.program import Program
from citysim.study.run import check_study
from citysim.study.store import Store
from citysim.study.sweep import NO_SAMPLE, Sweep, sweep_of

_POINTS_SHOWN = 10
_FACTORS_SHOWN = 6  # more columns would not fit a line


def plan(words: list[str], config_path: str | None, program: Program | None = None) -> int:
    """Print what a study would run, without running it or writing to its folder."""
    settings = compose_study(words, config_path)
    runs = check_study(settings, program)
    store = Store(settings.output_dir)
    store.refuse_if_unusable()
    done = store.done(run.key for run in runs)
    sweep = sweep_of(settings)
    console = console_for(sys.stdout)
    for line in [*_size(settings, runs, done, sweep), *_cost(settings, runs, done, program)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _print_points(console, settings, runs, done, sweep)
    return 0


def _size(settings: Settings, runs: list[Run], done: set[str], sweep: Sweep) -> list[str]:
    scenarios = len(runs) // len(settings.seeds)
    text = (f"study {settings.name}: {scenarios:,} scenarios x {len(settings.seeds)} seeds "
            f"= {len(runs):,} runs of {settings.warmup_days} + {settings.days} days, "
            f"{jobs_of(settings)} at a time")
    lines = [text]
    futures = len({run.scenario.future for run in runs})
    if sweep.factors:
        lines.append(f"  {len(sweep.options):,} options in {futures:,} futures; "
                     + _designs(settings, sweep))
    lines.append("  " + _drawn(settings))
    if settings.replicates:
        rule = settings.replicates
        lines.append(f"  more seeds until the interval of {rule['of']} is no wider than "
                     f"+-{rule['until_half_width']:g}: {rule['max']} seeds, "
                     f"{scenarios * rule['max']:,} runs at most")
    if done:
        lines.append(f"{len(done):,} of them are done already in {settings.output_dir}")
    return lines


def _drawn(settings: Settings) -> str:
    """Where each seed's parameters come from."""
    ensemble = ensemble_of(settings)
    if ensemble is None:
        return "parameters as configured"
    return f"each seed draws one of the {len(ensemble.points)} calibrated points of {ensemble.name}"


def _designs(settings: Settings, sweep: Sweep) -> str:
    """What is spread by which design, and over how many points."""
    rows = f"{len({row.sample for row in sweep.rows} - {NO_SAMPLE}):,} points"
    count = Counter(factor.role for factor in sweep.factors)
    levers = f"{count[LEVER]} lever{'' if count[LEVER] == 1 else 's'}"
    uncertain = f"{count[UNCERTAINTY]} uncertaint{'y' if count[UNCERTAINTY] == 1 else 'ies'}"
    kinds = [(settings[key] or {"kind": "grid"})["kind"].replace("_", " ")
             for key in ("design", "futures")]
    if settings.futures and settings.levers:
        return f"{kinds[0]} of {levers}, {kinds[1]} of {uncertain} ({rows})"
    both = [text for text in (levers, uncertain) if not text.startswith("0 ")]
    return f"{kinds[bool(settings.futures)]} of {' and '.join(both)} ({rows})"


def _cost(settings, runs, done, program) -> list[str]:
    """Time and disk of what is left, and what that was measured on."""
    left = len(runs) - len(done)
    if not left:
        return ["nothing is left to run"]
    try:
        found = estimate(settings, runs, done, program)
    except InputError:
        raise
    except Exception as error:  # the plan stands without it
        return [f"no estimate of time and disk: the timed run failed: {error!r}"]
    return [f"about {_duration(found.seconds)} and {_bytes(found.size)} for the {left:,} runs "
            f"to do ({_duration(found.run_seconds)} and {_bytes(found.run_size)} a run)",
            f"  measured on {found.basis}"]


def _print_points(console: Console, settings, runs, done, sweep) -> None:
    """The first scenarios: option, future, value of each factor, runs done."""
    ended = Counter((r.scenario.name, r.scenario.future) for r in runs if r.key in done)
    rows = list({(row["scenario"], row["future"]): row for row in
                 sweep.table().slice(0, 50 * _POINTS_SHOWN).to_pylist()}.values())
    names = [f.name for f in sweep.factors][:_FACTORS_SHOWN]
    shown = rows[:_POINTS_SHOWN]
    total = len(runs) // len(settings.seeds)
    console.print(f"first points ({len(shown)} of {total:,})", highlight=False)
    table = Table(box=None, pad_edge=False)
    futures = len(sweep.futures) > 1
    heads = ["scenario", *(["future"] if futures else []),
             *short_names(sweep.factors)[:_FACTORS_SHOWN], "done"]
    for head in heads:
        table.add_column(head, justify="left" if head == "scenario" else "right")
    for row in shown:
        count = ended[row["scenario"], row["future"]]
        table.add_row(row["scenario"], *([str(row["future"])] if futures else []),
                      *(_cell(row[name]) for name in names), f"{count} of {len(settings.seeds)}")
    console.print(table)
    hidden = len(sweep.factors) - len(names)
    if hidden:
        console.print(f"and {hidden} more factors", highlight=False)


def _cell(value) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

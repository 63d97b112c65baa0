"""A calibration as a file that studies draw from, and that says how it was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import yaml

from citysim.config.settings import Settings
from citysim.evidence.calibration.fit import Fit, rounded
from citysim.study.whole import write_text

_HEAD = """\
# Levels of {city}, calibrated on published facts by the command below. Studies of this city draw
# from it, others with parameters=NAME; seed 1 takes the first point, and so on.
# Made by citysim calibrate; not edited by hand. Read docs/calibration.md.
"""
_WHERE = ("--folder", "--config-path", "--keep")


def write_ensemble(file: Path, fit: Fit, settings: Settings, words: list[str]) -> None:
    """Write an ensemble with its making, how well it meets each target, and what stays open.

    Parameters
    ----------
    file
        Where to; its folder is made.
    fit
        What came out.
    settings
        That the runs were made with.
    words
        Of the command line, after ``citysim calibrate``.
    """
    city = Path(settings.files["city"]).stem
    text = _HEAD.format(city=city) + yaml.safe_dump(
        content_of(fit, settings, city, words), sort_keys=False, default_flow_style=None,
        width=100, allow_unicode=True)
    write_text(file, text)


def content_of(fit: Fit, settings: Settings, city: str, words: list[str]) -> dict[str, Any]:
    """Content of an ensemble's file."""
    from citysim.study.design import code_hash
    from citysim.study.manifest import now
    from citysim.study.worker import versions

    plan, table = fit.plan, fit.table
    counted = table[table["verdict"] != "not measurable"]
    return {
        "city": city,
        "made": {
            "command": shlex.join(["citysim", "calibrate", *_what(words)]),
            "calibration": plan.name,
            "date": now()[:10], "code": code_hash(),
            "version": versions().get("citysim", ""),
            "scale": settings.scale, "days": plan.days, "warmup_days": plan.warmup_days,
            "runs": fit.runs, "points": len(fit.points),
            "rejected": fit.rejected,
            "met_all_alone": rounded(fit.met_alone),
            "levels_met": f"{int(table['met'].sum())} of {len(counted)} measurable, of those "
                          f"fitted {int((table['met'] & table['fitted']).sum())} of "
                          f"{int(table['fitted'].sum())}"},
        "targets": [_entry(row) for row in table.itertuples()],
        "undetermined": {"directions": fit.directions, "tied": fit.pairs},
        "paths": [prior.path for prior in plan.priors],
        "points": [[rounded(v) for v in row] for row in fit.points.tolist()],
    }


def _what(words: list[str]) -> list[str]:
    """The words without those that only say where things lie and how many run at a time."""
    found, skip = [], False
    for word in words:
        if not skip and not word.startswith((*_WHERE, "jobs=", "executor")):
            found.append(word)
        skip = word in _WHERE[:2]
    return found


def _entry(row) -> dict[str, Any]:
    found = {"target": row.target, "published": row.published, "fitted": bool(row.fitted)}
    if row.verdict != "not measurable":
        found |= {"simulated": rounded(row.mean), "verdict": row.verdict}
        if row.off == row.off:
            found["deviation"] = rounded(row.off)
    if row.low == row.low:
        found["interval"] = [rounded(row.low), rounded(row.high)]
    if row.note:
        found["note"] = row.note
    return found

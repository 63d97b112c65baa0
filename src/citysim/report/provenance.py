"""Where the numbers of a report come from: seeds, versions, command, assumed parameters."""

from __future__ import annotations

import json
from html import escape

from citysim import __version__
from citysim.analysis.wording import number
from citysim.results import Results

ASSUMED = "assumed"
_MOST_NAMES = 12
_FACTS = ("config_key", "study_key", "code", "started")  # of the manifest, shown as they are
_TOLD_APART = {"parameters", "keys", "question", "command", "status", "finished", "seeds",
               "versions", "name", *_FACTS}


def provenance(study: Results) -> str:
    """The section that lets someone else get the same numbers, as HTML."""
    manifest = study.manifest
    seeds = sorted(int(s) for s in study.runs()["seed"].unique())
    facts = {"study": manifest.get("name") or study.folder.name,
             "scenarios": _names(study.scenarios), "seeds": ", ".join(map(str, seeds)),
             "runs": f"{len(study.done)} done, {len(study.failed)} failed, "
                     f"{study.missing} missing",
             "computing time": f"{study.runs()['seconds'].fillna(0).sum():,.0f} s in all runs"}
    facts |= {key.replace("_", " "): manifest[key] for key in _FACTS if manifest.get(key)}
    versions = manifest.get("versions") or {"citysim": __version__}
    facts["versions"] = ", ".join(f"{k} {v}" for k, v in versions.items())
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items())
    rest = {k: v for k, v in manifest.items() if k not in _TOLD_APART}
    whole = escape(json.dumps(rest, indent=1, ensure_ascii=False, default=str))
    folded = f"<details><summary>Full configuration</summary><pre>{whole}</pre></details>"
    return (f"<h2>Where these numbers come from</h2><dl>{rows}</dl>{_command(study)}"
            + (folded if rest else ""))


def assumptions(study: Results) -> str:
    """How many numbers were assumed, and which, as HTML; empty when the study does not tell."""
    parameters = study.manifest.get("parameters") or {}
    sourced = {path: p for path, p in parameters.items()
               if isinstance(p, dict) and p.get("source")}
    assumed = {path: p for path, p in sourced.items() if str(p["source"]).startswith(ASSUMED)}
    if not assumed:
        return ""
    body = "".join(
        f"<tr><td><code>{escape(path)}</code></td><td class=\"number\">{_value(p.get('value'))}"
        f"</td><td>{escape(str(p.get('unit') or ''))}</td><td>{_range(p.get('range'))}</td></tr>"
        for path, p in sorted(assumed.items()))
    return (f"<details><summary>The {len(assumed)} of {len(sourced)} numbers that are assumed"
            '</summary><div class="wide"><table><thead><tr><th>Parameter</th>'
            '<th class="number">Value</th><th>Unit</th><th>Plausible range</th></tr></thead>'
            f"<tbody>{body}</tbody></table></div></details>")


def assumed_share(study: Results) -> str:
    """One sentence on assumed numbers, as text."""
    parameters = [p for p in (study.manifest.get("parameters") or {}).values()
                  if isinstance(p, dict) and p.get("source")]
    assumed = sum(str(p["source"]).startswith(ASSUMED) for p in parameters)
    if not assumed:
        return ("Numbers without a published source are marked \u201cassumed\u201d in the "
                "configuration files. Vary them before you rely on a result.")
    return (f"{assumed} of the {len(parameters)} numbers behind these results have no published "
            "source and are assumed. Vary them before you rely on a result.")


def _command(study: Results) -> str:
    command = study.manifest.get("command")
    if not command:
        return ""
    return f"<p>To get the same numbers again:</p><pre>{escape(str(command))}</pre>"


def _names(scenarios: list[str]) -> str:
    """All names, or of many the first and their number."""
    if len(scenarios) <= _MOST_NAMES:
        return ", ".join(scenarios)
    return f"{len(scenarios)}: {', '.join(scenarios[:_MOST_NAMES])}, \u2026"


def _value(value) -> str:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number(float(value), digits=4) if plain else escape(str(value))


def _range(ends) -> str:
    return f"{number(float(ends[0]))} to {number(float(ends[1]))}" if ends else ""

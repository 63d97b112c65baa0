"""The command ``calibrate``: levels of a city fitted to published facts."""

from __future__ import annotations

import sys
from pathlib import Path

from citysim.cli.arguments import Parser
from citysim.config.errors import InputError

_NUMBERS = ("runs", "waves", "days", "warmup_days", "first_seed", "points")


def calibrate(words: list[str], config_path: str | None = None) -> int:
    """Calibrate a city, print how each level is met, write the ensemble; the exit status is 0
    when every fitted level is met, else 1.

    Parameters
    ----------
    words
        ``key=value`` as for studies (``city=``, ``scale=``, ``jobs=``, ``executor=``, ...) and own
        options.
    config_path
        Folder of configuration files.

    Raises
    ------
    InputError
        On anything that the user can mend; nothing is written then.
    """
    wanted = _parser(config_path).parse_intermixed_args(words)
    from citysim.cli.progress import ProgressView
    from citysim.cli.study import console_for
    from citysim.config.compose import compose_study
    from citysim.evidence.calibration import fit as fitting
    from citysim.evidence.calibration.plan import plan_file, read_plan
    from citysim.evidence.calibration.write import write_ensemble
    from citysim.study.run import check_study

    settings = compose_study(_complete(wanted.words), wanted.config_path)
    plan = read_plan(plan_file(wanted.calibration, wanted.config_path), settings,
                     **{name: getattr(wanted, name) for name in _NUMBERS})
    check_study(settings)
    city = Path(settings.files["city"]).stem
    folder = Path(wanted.folder or f"outputs/calibration/{city}")
    console = console_for(sys.stdout)

    def tell(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    with ProgressView(console_for(sys.stderr)) as progress:
        found = fitting.calibrate(settings, plan, folder, progress, tell)
    files = [folder / "ensemble.yaml"]
    if wanted.keep:
        files.append(Path(settings.config_dir) / "parameters" / f"{city}.yaml")
    for file in files:
        write_ensemble(file, found, settings, words)
    _show(found, console)
    tell(f"\nensemble of {len(found.points)} points ({found.rejected} rejected): {files[-1]}; "
         + (f"studies of {city} draw from it" if wanted.keep
            else f"draw from it with parameters={files[-1]}"))
    missed = fitting.unmet(found)
    if missed:
        tell("not met: " + ", ".join(missed))
    return int(bool(missed))


def _parser(config_path: str | None) -> Parser:
    parser = Parser(prog="citysim calibrate", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--calibration", default="default")
    parser.add_argument("--folder")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--config-path", default=config_path)
    for name in _NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    return parser


def _complete(words: list[str]) -> list[str]:
    """The words with what every calibration has: no policy, no ensemble, keys of its own."""
    given = {word.split("=")[0].lstrip("+~") for word in words}
    for key, instead in (("seeds", "--runs"), ("days", "--days"), ("warmup_days", "--warmup-days"),
                         ("output_dir", "--folder"), ("parameters", "--calibration"),
                         ("policy", ""), ("experiment", "")):
        if key in given:
            raise InputError(f"'{key}' has no meaning here", where="citysim calibrate",
                             allowed=instead or "city, scale, executor, jobs and parameters")
    return ["experiment=single", "policy=[]", "seeds=1", "parameters=point", *words]


def _show(found, console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("level", "published", "simulated", "90 % interval", "off", "verdict", "note"):
        table.add_column(name, overflow="fold")
    for r in found.table.itertuples():
        known = r.verdict != "not measurable"
        table.add_row(*(Text(cell) for cell in (
            r.target, r.published, f"{r.mean:.4g}" if known else "",
            f"{r.low:.3g} to {r.high:.3g}" if r.low == r.low else "",
            f"{r.off:+.0%}" if known and r.off == r.off else "",
            r.verdict if r.fitted or not known else f"{r.verdict} (not fitted)", r.note)))
    console.print(table)
    for name in found.dropped:
        console.print(f"not fitted, since not every run tells it: {name}", markup=False)
    for entry in found.directions:
        parts = ", ".join(f"{part:+.2f} {name}" for name, part in entry["parameters"].items())
        console.print(f"left open ({entry['spread']:.0%} of the prior's spread): {parts}",
                      highlight=False, markup=False, soft_wrap=True)
    for entry in found.pairs:
        console.print(f"tied together ({entry['correlation']:+.2f}): {' and '.join(entry['pair'])}",
                      highlight=False, markup=False, soft_wrap=True)

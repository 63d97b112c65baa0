"""Running a trial over many seeds as a study: keyed, resumable, on the study's executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citysim.config.compose import compose_study
from citysim.config.errors import InputError, closest_match
from citysim.config.lookup import find_config_dir, options
from citysim.config.settings import Settings, stable_hash
from citysim.evidence.trials.constants import constants_of
from citysim.evidence.trials.entries import FOLDER, PART, parse_trial
from citysim.evidence.trials.schema import Trial
from citysim.study.check import check_inputs
from citysim.study.design import data_files
from citysim.study.program import Program
from citysim.study.run import StudyResult, run_study

if TYPE_CHECKING:
    import pandas as pd

_HERE = "citysim.evidence.trials"
_AFTER = ("constants", "pool", "run")  # all else turns an entry into results
PROGRAM = Program(check=f"{_HERE}.run:check", build_world=f"{_HERE}.run:build_world",
                  simulate=f"{_HERE}.simulate:simulate_trial",
                  summarise=f"{_HERE}.run:summarise", write_report=f"{_HERE}.run:write_table",
                  code=("citysim.analysis.displacement", *(
                      f"{_HERE}.{file.stem}" for file in sorted(Path(__file__).parent.glob("*.py"))
                      if file.stem not in _AFTER)))
OUTPUTS = Path("outputs") / "evidence" / "trials"


def settings_of(trial: Trial, overrides: Sequence[str] = (),
                config_path: str | Path | None = None,
                variants: Mapping[str, dict[str, Any]] | None = None) -> Settings:
    """The study that runs a trial.

    Parameters
    ----------
    trial
        The entry.
    overrides
        Further words in Hydra's grammar (``seeds=4``, ``executor=serial``, ``output_dir=...``).
    config_path
        Folder to compose from.
    variants
        Parameters by path of each way to run the trial, by name; by default as the entry has it.

    Raises
    ------
    InputError
        For policies, cities or parameters that do not exist.
    """
    return for_trial(_compose([trial], overrides, config_path), trial, variants)


def for_trial(settings: Settings, trial: Trial,
              variants: Mapping[str, dict[str, Any]] | None = None, **keys: Any) -> Settings:
    """Composed settings of the trial's city, made into the study of the trial.

    Parameters
    ----------
    settings
        Of the city, with the policies of the trial and perhaps of others, and with what was set
        by hand.
    trial
        The entry. Its number of seeds holds where nobody has set another.
    variants
        As for :func:`settings_of`.
    keys
        Keys of the study (``output_dir``), whatever was set by hand.
    """
    timing = trial.timing
    by_hand = {text.partition("=")[0].lstrip("+") for text in settings.overrides}
    own = {"name": trial.id, "seeds": trial.seeds, "budget": None,
           "output_dir": str(OUTPUTS / trial.id)}
    return settings.with_policies(trial.policies).replace({
        **{key: value for key, value in own.items() if key not in by_hand}, **keys,
        "days": trial.evaluated, "warmup_days": timing.warmup + timing.baseline,
        "start_date": timing.start_date, **trial.set,
        "scenarios": {name: {"policies": trial.policies, "set": dict(changed)}
                      for name, changed in (variants or {trial.id: {}}).items()},
    }).carrying(PART, {"entry": trial.model_dump(mode="json", by_alias=True,
                                                 exclude={"constants"})})


def run_trial(settings: Settings, progress: Callable | None = None) -> StudyResult:
    """Run every seed of a trial that is not there yet; ``summary`` holds the pooled effects.

    ``settings`` are those of :func:`settings_of` or :func:`for_trial`.
    """
    return run_study(settings, progress, PROGRAM)


# --- what entries name of the configuration


def compose_cities(trials: Iterable[Trial], overrides: Sequence[str] = (),
                   config_path: str | Path | None = None) -> dict[str, Settings]:
    """Settings of the cities of trials, each with the policies of all of its trials.

    Composing takes seconds, so that many trials of one city should not each do it. Refuses what
    entries name and the configuration does not have, before anything runs. How many units a
    city has is known only when it is built.

    Raises
    ------
    InputError
        For cities, policies, offences and parameters, with the entry's file and key.
    """
    folder, trials = find_config_dir(config_path), list(trials)
    cities, policies = options(folder, "city"), options(folder, "policy")
    for trial in trials:
        where = folder / FOLDER / f"{trial.id}.yaml"
        _refuse_unknown("city", trial.city, cities, f"{where}, city")
        for name, arm in trial.arms.items():
            for policy in arm.policies:
                _refuse_unknown("policy", policy, policies, f"{where}, arms.{name}.policies")
    found = {}
    for city in dict.fromkeys(trial.city for trial in trials):
        mine = [trial for trial in trials if trial.city == city]
        found[city] = _compose(mine, overrides, config_path)
        for trial in mine:
            _check_entry(trial, found[city], f"{folder / FOLDER / trial.id}.yaml")
    return found


def _compose(trials: Sequence[Trial], overrides: Sequence[str],
             config_path: str | Path | None) -> Settings:
    """The city of some trials with all of their policies."""
    names = ",".join(dict.fromkeys(name for trial in trials for name in trial.policies))
    return compose_study([f"city={trials[0].city}", f"policy=[{names}]", *overrides], config_path)


def _check_entry(trial: Trial, settings: Settings, where: str) -> None:
    from citysim.evidence.trials.arms import content_of
    from citysim.policies.policy import parse_policy

    settings = settings.with_policies(trial.policies)
    with _blaming(f"{where}, timing.start_date"):
        settings.replace({"start_date": trial.timing.start_date})
    with _blaming(f"{where}, set"):
        for_trial(settings, trial)
    constants_of(trial, settings, where)
    known = ("all", "all_but_vandalism", *settings.offences)
    for name, outcome in trial.outcomes.items():
        for word in [outcome.offences] if isinstance(outcome.offences, str) else outcome.offences:
            _refuse_unknown("offence", word, known, f"{where}, outcomes.{name}.offences")
    for name, arm in trial.arms.items():
        for path in arm.set:
            _refuse_unknown("policy of the arm", path.partition(".")[0], arm.policies,
                            f"{where}, arms.{name}.set.{path}")
        for policy in arm.policies:
            with _blaming(f"{where}, arms.{name}"):
                parse_policy(policy, content_of(policy, arm, settings.policies, trial))


def _refuse_unknown(kind: str, word: str, known: Sequence[str], where: str) -> None:
    if word not in known:
        raise InputError(f"unknown {kind} '{word}'", where=where, allowed=known,
                         closest=closest_match(word, known))


@contextmanager
def _blaming(where: str) -> Iterator[None]:
    """Complaints about settings as complaints about the entry that gave them."""
    try:
        yield
    except InputError as error:
        raise InputError(error.message, where=f"{where} ({error.where})", allowed=error.allowed,
                         closest=error.closest) from None


# --- what the study machinery calls


def check(settings: Settings) -> None:
    """Refuse settings and entries that no trial can be run from."""
    if find_spec("statsmodels") is None:
        raise InputError("virtual trials need the extra 'evidence'",
                         allowed="pip install 'citysim[evidence]'")
    check_inputs(settings)
    parse_trial(settings[PART]["entry"])


def build_world(settings: Settings) -> Any:
    """City and population, after making sure that the city has as many units as are needed.

    The choice is made on the state before the warm-up; what depends on recorded crime is then
    empty, and is looked at again in the run.
    """
    from citysim.evidence.trials.units import find_units
    from citysim.model.city_model import CityModel

    trial, world = parse_trial(settings[PART]["entry"]), _world(settings)
    model = CityModel(settings, settings.seeds[0], (), world)
    tables = {"places": model.places, "people": model.people}
    try:
        find_units(trial, tables, model.places.recorded, settings.seeds[0], model.scale)
    except InputError:
        if not _depends_on_crime(trial):
            raise
    return world


_kept: dict[str, Any] | None = None  # the last world by what it was built from, in `kept_world`


@contextmanager
def kept_world() -> Iterator[None]:
    """Within it, a trial of the same city and scale as the one before uses its world."""
    global _kept
    before, _kept = _kept, {}
    try:
        yield
    finally:
        _kept = before


def _world(settings: Settings) -> Any:
    from citysim.model.world import build_world as build

    if _kept is None:
        return build(settings)
    made_of = stable_hash([settings.world_key(), data_files(settings.city)])
    if made_of not in _kept:
        _kept.clear()  # two cities at once may not fit
        _kept[made_of] = build(settings)
    return _kept[made_of]


def _depends_on_crime(trial: Trial) -> bool:
    eligible = trial.units.eligible
    return eligible is not None and any(c.column == "recorded" for c in eligible.filter)


def summarise(folder: Path) -> pd.DataFrame:
    """Effects pooled over the seeds that have run (``pool.py``)."""
    from citysim.evidence.trials.pool import pooled
    from citysim.study.store import Store

    store = Store(folder)
    trial = parse_trial(store.manifest["config"][PART]["entry"])
    return pooled(trial, store.read("estimates"))


def write_table(folder: Path, world: Any) -> Path:
    """The pooled effects as a plain page; the board shows all trials on one."""
    import pandas as pd

    path = Path(folder) / "report.html"
    path.write_text(pd.read_csv(Path(folder) / "summary.csv").to_html(index=False),
                    encoding="utf-8")
    return path

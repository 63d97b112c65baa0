"""The command ``city describe``."""

from __future__ import annotations

from pathlib import Path

from citysim.config.compose import compose_study

_WORST_MARGINS = 3  # named one by one below the summary of the fit


def describe_city(words: list[str], config_path: str | None) -> int:
    """Build a city and its people, print what it contains and how well the margins are met.

    The map goes to ``<output_dir>/<name of the city>.png``.
    """
    given = any(word.split("=")[0] == "output_dir" for word in words)
    settings = compose_study(words, config_path)
    from citysim.city.city import build_city
    from citysim.city.describe import describe, draw
    from citysim.population.margins import fit_report
    from citysim.population.population import build_population

    city = build_city(settings.city)
    print(describe(city))
    population = build_population(city, city.spec, settings.population, city.spec.seed,
                                  settings.scale)
    print(f"\nPeople: {fit_report(population.fit, _WORST_MARGINS)}\n")
    folder = Path(settings.output_dir) if given else Path("outputs") / "city"
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "_" for c in city.name.lower()).strip("_")
    path = folder / f"{name or 'city'}.png"
    draw(city, path)
    print(f"map: {path}")
    return 0

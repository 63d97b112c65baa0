"""The command ``city describe``."""

from __future__ import annotations

from pathlib import Path

from citysim.config.compose import compose_study


def describe_city(words: list[str], config_path: str | None) -> int:
    """Build a city, print what it contains, draw it as ``<output_dir>/city.png``."""
    given = any(word.split("=")[0] == "output_dir" for word in words)
    settings = compose_study(words, config_path)
    from citysim.city.city import build_city
    from citysim.city.describe import describe, draw

    city = build_city(settings.city)
    print(describe(city))
    folder = Path(settings.output_dir) if given else Path("outputs") / "city"
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "_" for c in city.name.lower()).strip("_")
    path = folder / f"{name or 'city'}.png"
    draw(city, path)
    print(f"map: {path}")
    return 0

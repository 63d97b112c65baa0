"""Writing figures so that each can be traced to the study it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from citysim.report.figures.style import DPI, look

STUDY, COMMAND = "Study", "Command"
"""Names of a PNG's text entries: the manifest's study key, and the command that made the runs."""


def save(figure: Figure, path: Path, vector: bool, manifest: dict) -> None:
    """Write a figure as PNG and, where asked, as SVG beside it.

    Parameters
    ----------
    figure
        The figure.
    path
        The PNG's path.
    vector
        Whether to write an SVG too.
    manifest
        The study's manifest; its study key and command go into the files' metadata.
    """
    key, command = _origin(manifest)
    notes = PngImagePlugin.PngInfo()
    notes.add_text(STUDY, key)
    notes.add_text(COMMAND, command)
    with look():
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        # A palette of 256 colours is a third of the size with no visible loss; maximum
        # coverage keeps the rare ones, hence smooth colour bars.
        Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(
            method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, dpi=(DPI, DPI), pnginfo=notes)
        if vector:
            figure.set_layout_engine("none")  # laid out above, and once is enough
            figure.savefig(path.with_suffix(".svg"), metadata={
                "Date": None, "Creator": None, "Identifier": key, "Description": command})


def made_for(path: Path, manifest: dict) -> bool:
    """Whether a PNG is there that was made from this study's results."""
    if not path.is_file():
        return False
    with Image.open(path) as image:
        return (image.info.get(STUDY), image.info.get(COMMAND)) == _origin(manifest)


def _origin(manifest: dict) -> tuple[str, str]:
    return str(manifest.get("study_key") or ""), str(manifest.get("command") or "")

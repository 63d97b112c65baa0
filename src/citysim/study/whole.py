"""Files that are there whole or not at all, whoever reads them meanwhile and wherever it stops."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path):
    """A file opened for writing bytes that takes the place of ``path`` when it is whole.

    The folder is made when it is missing. What an error interrupts leaves ``path`` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> Path:
    """Write a file of text in the same way; returns its path."""
    with replacing(path) as file:
        file.write(text.encode())
    return path

"""The one home of numba compile options.

Every kernel in :mod:`citysim.kernels` is decorated here and nowhere else, so that
floating point stays strict (one and many threads give bit-identical results) and
compiled code is cached between processes.

numba looks only at a kernel's own file to tell whether its cached code is still good, not at the
kernels that it calls. The cache therefore lies in a folder named after a hash of all kernels:
any change compiles everything anew, and two versions never mix.
"""

import os
from hashlib import sha256
from pathlib import Path

import numba
from numba import config

_OPTIONS = {"cache": True, "nogil": True, "fastmath": False, "error_model": "numpy"}


def _cache_folder() -> str:
    here = Path(__file__).resolve().parent
    total = sha256()
    for path in sorted(here.glob("*.py")):
        total.update(path.name.encode() + path.read_bytes())
    if config.CACHE_DIR:
        base = Path(config.CACHE_DIR)
    elif os.access(here, os.W_OK):
        base = here / "__pycache__"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "citysim"
    return str(base / f"kernels-{total.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def _compile(function, **options):
    before, config.CACHE_DIR = config.CACHE_DIR, _FOLDER
    try:
        return numba.njit(**_OPTIONS, **options)(function)
    finally:
        config.CACHE_DIR = before


def kernel(function):
    """Compile a serial kernel (nopython, cached, strict floating point)."""
    return _compile(function)


def parallel_kernel(function):
    """Compile a kernel whose ``prange`` loop hands chunks to serial kernels."""
    return _compile(function, parallel=True)

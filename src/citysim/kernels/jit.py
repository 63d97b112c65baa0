"""The one home of numba compile options.

Every kernel in :mod:`citysim.kernels` is decorated here and nowhere else, so that
floating point stays strict (one and many threads give bit-identical results) and
compiled code is cached between processes.
"""

import numba

_OPTIONS = {"cache": True, "nogil": True, "fastmath": False, "error_model": "numpy"}


def kernel(function):
    """Compile a serial kernel (nopython, cached, strict floating point)."""
    return numba.njit(**_OPTIONS)(function)


def parallel_kernel(function):
    """Compile a kernel whose ``prange`` loop hands chunks to serial kernels."""
    return numba.njit(parallel=True, **_OPTIONS)(function)

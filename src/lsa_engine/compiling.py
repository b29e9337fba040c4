"""Compiled loops: numba's compiler with a cache on disk where there is a place for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays on its first call, keep the result on disk, and run it without Python's lock.

    The cache lies beside the module, or in the user's cache folder where that cannot be written (NUMBA_CACHE_DIR names
    another); with no such place the function is compiled anew in each process.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(loop)
    except RuntimeError:  # numba found nowhere to keep it
        return njit(nogil=True, error_model="numpy")(loop)


def is_ready(*loops: Any) -> bool:
    """Whether loops have run in this process, so that their next call neither compiles nor loads anything."""
    return all(getattr(loop, "signatures", True) for loop in loops)

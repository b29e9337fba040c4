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
    return _compiled(loop, frozenset())


def compiled_sums(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile as :func:`compiled`, and let sums be taken in another order: the processor adds several terms at once."""
    return _compiled(loop, frozenset({"reassoc", "contract", "nsz"}))


def _compiled(loop: Callable[..., Any], liberties: frozenset[str]) -> Callable[..., Any]:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(liberties)}
    try:
        return njit(cache=True, **options)(loop)
    except RuntimeError:  # numba found nowhere to keep it
        return njit(**options)(loop)


def is_ready(*loops: Any) -> bool:
    """Whether loops have run in this process, so that their next call neither compiles nor loads anything."""
    return all(getattr(loop, "signatures", True) for loop in loops)

"""Load large libraries beside a window: without Python's collector, which would hold the window up meanwhile.

A library as large as torch leaves some hundred thousand objects. As they pile up, Python's cyclic collector looks
through all objects there are, napari's too, several times over, and lets no other thread run for 0.2 s and more.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

NETWORK = ("torch", "numba", "scipy.spatial", "safetensors.torch", "lsa_engine.inference.matter")
"""What a matte needs."""
COLOURS = ("numba", "matplotlib.figure", "matplotlib.backends.backend_agg")
"""What refining and estimating colours needs, and drawing their profile."""


def load(modules: tuple[str, ...]) -> None:
    """Import modules that are not there yet; work for a job. Whoever uses one that is missing will say so."""
    wanted = [name for name in modules if name not in sys.modules]
    if wanted:
        with collector_at_rest():
            for name in wanted:
                with suppress(ImportError):
                    import_module(name)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep the collector from running, and count what was made meanwhile among what has long been there.

    For what makes many objects in short time: garbage waits as long. Nothing stays in the permanent generation:
    napari's layers are held in circles, and one that was open then would keep its pixels for good once it is removed.
    """
    if not gc.isenabled() or gc.get_freeze_count() > 0:
        # Another hand is on the collector.
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Into the permanent generation and back into the oldest: at no cost, and nothing is withheld from collection.
        gc.freeze()
        gc.unfreeze()
        gc.enable()

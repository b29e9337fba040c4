"""What a process holds: memory, threads, and Python's objects by their type."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass

import psutil
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication

_ROUNDS = 3


@dataclass(frozen=True)
class Census:
    """A count.

    Attributes
    ----------
    objects : Counter of str
        By the names of their types, as far as Python's garbage collector knows them.
    threads : int
        Of the operating system.
    megabytes : float
        Resident memory.
    """

    objects: Counter[str]
    threads: int
    megabytes: float

    @classmethod
    def take(cls) -> Census:
        """Count, after all that has no owner is gone."""
        for _ in range(_ROUNDS):
            QApplication.processEvents()
            # processEvents leaves what waits to be deleted to an event loop, and there may be none.
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            gc.collect()
        process = psutil.Process()
        objects = Counter(_name(type(thing)) for thing in gc.get_objects())
        return cls(objects, process.num_threads(), process.memory_info().rss / 2**20)

    def grown(self, since: Census, at_least: int = 1) -> dict[str, int]:
        """Return the types of which there are so many more than before, and how many more."""
        more = {name: count - since.objects[name] for name, count in self.objects.items()}
        return {name: count for name, count in sorted(more.items(), key=lambda item: -item[1]) if count >= at_least}


def _name(kind: type) -> str:
    # Some types of extension modules have a property as module.
    return f"{getattr(kind, '__module__', '')}.{kind.__name__}"

"""Work that is held up until a test lets it go on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Brake:
    """Holds work up until it is cancelled or may go on.

    Attributes
    ----------
    begun, go_on, ended : threading.Event
        That it has begun, may go on, and has ended.
    """

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, cancel: Any) -> None:
        """Hold up whoever calls this."""
        self.begun.set()
        while not self.go_on.wait(0.01) and not cancel.cancelled:
            pass

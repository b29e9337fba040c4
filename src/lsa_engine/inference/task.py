"""What is to be computed: a pair, where its matte goes, and who is told."""

from __future__ import annotations

from dataclasses import dataclass

from lsa_engine.guidance import is_compiled
from lsa_engine.inference.sinks import Sink
from lsa_engine.inference.sources import ImageSource
from lsa_engine.network import LSANet
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap


@dataclass(frozen=True)
class Task:
    """An image and its trimap on their way to a matte.

    Attributes
    ----------
    image : ImageSource
        What is matted.
    trimap : Trimap
        Of the same size, with known foreground and background.
    sink : Sink
        Takes the matte.
    message : str
        What is being done, to begin with.
    progress : callable or None
        Told how far the work has come.
    cancel : CancelToken or None
        Stops the work.
    """

    image: ImageSource
    trimap: Trimap
    sink: Sink
    message: str
    progress: ProgressCallback | None = None
    cancel: CancelToken | None = None

    def steps(self, total: int, also: str = "") -> Steps:
        """Count the steps of this work; `also` is said behind what is being done.

        Raises
        ------
        Cancelled
            If the work was stopped already.
        """
        return Steps(self.message + also, total, self.progress, self.cancel)


def begun(message: str, network: LSANet) -> str:
    """Return what is being done, and that its input's loops are compiled before, where they are."""
    if network.size.guidance == "none" or is_compiled():
        return message
    return f"{message} (compiling on first use)"

"""Published checkpoints become weights of the user's own, in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.loading import NETWORK, load

if TYPE_CHECKING:
    from lsa_engine.weights.registry import WeightsInfo

CHECKPOINTS = (".pth", ".pt")


@dataclass(frozen=True)
class ImportRequest:
    """Import a published checkpoint.

    Attributes
    ----------
    path : Path
        The checkpoint; nothing that it holds is executed.
    """

    path: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> WeightsInfo:
        """Return the weights made.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.import_checkpoint`.
        """
        steps = Steps(f"importing {self.path.name}", 1, progress, cancel)
        load(NETWORK)
        from lsa_engine.weights import import_checkpoint

        made = import_checkpoint(self.path)
        steps.finish()
        return made


def describe_import(made: WeightsInfo) -> str:
    """Return what was imported and under which licence, for a person."""
    use = "" if made.kind == "matting" else " They find no mattes: a training can start from them."
    return f"Imported the weights {made.name}.{use} Licence: {made.licence}"

"""Refine the foregrounds in a folder in a worker thread, and what came of it in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsa_engine.progress import CancelToken, ProgressCallback
from napari_lsa_matting.loading import load

if TYPE_CHECKING:
    from lsa_engine.foreground.folders import FolderReport

_MOST_FAILURES = 5


@dataclass(frozen=True)
class RefineFolderRequest:
    """Refine a folder of training foregrounds (§4.1).

    Attributes
    ----------
    foregrounds : Path
        Folder of straight colours.
    alphas : Path or None
        Folder of their alphas, matched by name; None takes the foregrounds' own fourth channel.
    output : Path
        Folder for the refined files; what an earlier run has made there of the same is kept.
    method : {"multigrid", "paper"}
        As in :func:`lsa_engine.refine_foreground`.
    kappa : float
        Weight of the smoothness term.
    """

    foregrounds: Path
    alphas: Path | None
    output: Path
    method: str
    kappa: float

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> FolderReport:
        """Write the refined files, and return what became of each.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.foreground.folders.find_pairs` and
            :func:`lsa_engine.foreground.folders.refine_files`.
        """
        load(("numba",))
        from lsa_engine.foreground.folders import find_pairs, refine_files

        return refine_files(
            find_pairs(self.foregrounds, self.alphas),
            self.output,
            kappa=self.kappa,
            method=self.method,  # type: ignore[arg-type]
            progress=progress,
            cancel=cancel,
        )


def describe_report(report: FolderReport) -> list[str]:
    """Return what became of the files, in words: their numbers, then the first that failed, each with the reason."""
    from lsa_engine.foreground.folders import RECORD

    numbers = f"{len(report.refined)} refined, {len(report.kept)} kept from before, {len(report.failed)} failed"
    failures = [f"{name}: {reason}" for name, reason in report.failed[:_MOST_FAILURES]]
    if len(report.failed) > _MOST_FAILURES:
        failures.append(f"… and {len(report.failed) - _MOST_FAILURES} more.")
    return [f"{numbers}; costs in {RECORD}.", *failures]

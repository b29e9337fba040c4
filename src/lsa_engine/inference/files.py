"""A matte with its cut-out and its report, as they go into files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.compositing import cutout
from lsa_engine.foreground import estimate_foreground
from lsa_engine.image_io import atomic_path, write_alpha, write_rgba
from lsa_engine.image_io.writing import Bits
from lsa_engine.inference.results import MatteResult, Report
from lsa_engine.progress import CancelToken, ProgressCallback


@dataclass(frozen=True)
class ResultFiles:
    """Where a result goes.

    Attributes
    ----------
    alpha : Path
        The matte: .png, or .tif for float32 without rounding; what was done stands in the file, too.
    cutout : Path or None
        RGBA with straight colours, .png or .tif.
    report : Path or None
        What was done, .json.
    """

    alpha: Path
    cutout: Path | None = None
    report: Path | None = None

    def paths(self) -> list[Path]:
        """Return those that are to be written."""
        return [path for path in (self.alpha, self.cutout, self.report) if path is not None]


def cut_out(
    image: NDArray[np.float32],
    alpha: NDArray[np.float32],
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> NDArray[Any]:
    """Return an image's foreground, without the background that shines through it, as straight RGBA (H, W, 4)."""
    foreground, _ = estimate_foreground(image, alpha, progress=progress, cancel=cancel)
    return cutout(foreground, alpha)


def write_result(files: ResultFiles, result: MatteResult, rgba: NDArray[Any] | None = None, *, bits: Bits = 16) -> None:
    """Write a result, each file whole or not at all, the matte last.

    Parameters
    ----------
    files : ResultFiles
        Where to.
    result : MatteResult
        The matte and its report.
    rgba : (H, W, 4) array, optional
        As from :func:`cut_out`; needed for `files.cutout`.
    bits : {8, 16}
        Depth of a channel in PNG files, and of cut-outs.

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    report = result.report.to_dict()
    if files.report is not None:
        write_report(files.report, result.report)
    if files.cutout is not None:
        write_rgba(files.cutout, rgba, bits=bits)
    write_alpha(files.alpha, result.alpha, bits=bits, metadata=report)


def write_report(path: Path, report: Report) -> None:
    """Write what was done as .json.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

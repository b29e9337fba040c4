"""What checking a trimap needs, collected on the main thread, and done in a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.trimap_layer import Finding, examine, find_islands


@dataclass(frozen=True)
class Examination:
    """What a trimap is like.

    Attributes
    ----------
    findings : tuple of Finding
        What is wrong, or odd.
    unknown : float
        Part of the pixels that is unknown.
    """

    findings: tuple[Finding, ...]
    unknown: float


@dataclass(frozen=True, eq=False)
class ExamineRequest:
    """Check a trimap.

    Attributes
    ----------
    labels : array_like (H, W)
        The layer's own plane, not a copy: after an edit it is checked again anyway.
    """

    labels: Any

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Examination:
        """Return what is to be said of the trimap."""
        steps = Steps("checking", 2, progress, cancel)
        labels = np.asarray(self.labels)
        findings = examine(labels)
        steps.advance()
        if not any(finding.blocks for finding in findings):
            findings += find_islands(labels)
        steps.advance()
        return Examination(tuple(findings), 1 - float(np.count_nonzero(labels)) / labels.size)

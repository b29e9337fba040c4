"""What planes of Labels layers hold, read in a worker where they are lazy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.jobs import Work
from napari_lsa_matting.latest_job import LatestJob
from napari_lsa_matting.layers import Index, full_data, plane_at
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.trimap_layer import Finding, examine, plane_of

if TYPE_CHECKING:
    from napari.layers import Labels


@dataclass(frozen=True)
class LabelsSeen:
    """What a plane of labels holds.

    Attributes
    ----------
    highest : int
        Its highest label.
    findings : tuple of Finding
        What is wrong with it as a trimap.
    """

    highest: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class LookRequest:
    """Read a plane of labels: work for a worker.

    Attributes
    ----------
    data : array_like
        The labels of the layer.
    index : tuple of int
        The plane.
    """

    data: Any
    index: Index

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> LabelsSeen:
        """Return what it holds."""
        steps = Steps("looking at the labels", 1, progress, cancel)
        labels = np.asarray(plane_at(self.data, self.index))
        seen = LabelsSeen(_highest(labels), tuple(examine(labels)))
        steps.advance()
        return seen

    def same_as(self, other: LookRequest | None) -> bool:
        """Return whether another request is about the same plane."""
        return other is not None and other.data is self.data and other.index == self.index


class LabelsLook(QObject):
    """Tells at once what a plane in memory holds, and of a lazy one what the last look has shown.

    Parameters
    ----------
    parent : QObject
        Owner.
    """

    seen = Signal()
    """A look at a lazy plane has ended: ask again."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._asked: LookRequest | None = None
        self._known: tuple[LookRequest, LabelsSeen] | None = None
        self._stale = False
        self._looking = LatestJob("Looking at the labels", self)
        self._looking.answered.connect(self._note)
        self._looking.failed.connect(self._note_failure)

    @property
    def busy(self) -> bool:
        """Whether a plane is being read."""
        return self._looking.busy

    def highest(self, layer: Labels, index: Index) -> int | None:
        """Return the highest label of a plane; None until it is known."""
        plane = plane_of(layer, index)
        if isinstance(plane, np.ndarray):
            return _highest(plane)
        seen = self._look(layer, index)
        return None if seen is None else seen.highest

    def findings(self, layer: Labels, index: Index) -> tuple[Finding, ...] | None:
        """Return what is wrong with a plane as a trimap; None until it is known."""
        plane = plane_of(layer, index)
        if isinstance(plane, np.ndarray):
            return tuple(examine(plane))
        seen = self._look(layer, index)
        return None if seen is None else seen.findings

    def note_edit(self) -> None:
        """Look again when asked next: labels may have changed. Until then what is known goes on to be told."""
        self._stale = True

    def drop(self) -> None:
        """Tell of nothing more."""
        self._looking.drop()

    def _look(self, layer: Labels, index: Index) -> LabelsSeen | None:
        request = LookRequest(full_data(layer), index)
        known = self._known[1] if self._known is not None and request.same_as(self._known[0]) else None
        if self._stale or (known is None and not request.same_as(self._asked)):
            self._stale = False
            self._asked = request
            self._looking.ask(request)
        return known

    def _note(self, request: LookRequest, seen: LabelsSeen) -> None:
        self._known, self._asked = (request, seen), None
        self.seen.emit()

    def _note_failure(self, error: Exception) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            self._known = (asked, LabelsSeen(0, (Finding(f"The labels cannot be read: {error}"),)))
        notify_error(error)
        self.seen.emit()


def frozen_plane(layer: Labels, index: Index) -> Any:
    """Return a plane (H, W) that further painting does not change: a copy, or a lazy one as it is."""
    plane = plane_of(layer, index)
    return plane.copy() if isinstance(plane, np.ndarray) else plane


def reading_labels(request: Any) -> Work:
    """Return the work of a request, a data class with `labels` that may be lazy: they are read by the worker."""

    def work(progress: ProgressCallback, cancel: CancelToken) -> Any:
        return replace(request, labels=np.asarray(request.labels)).run(progress, cancel)

    return work


def _highest(labels: Any) -> int:
    return int(labels.max()) if labels.size else 0

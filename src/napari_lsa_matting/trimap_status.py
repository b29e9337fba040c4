"""What is said of a trimap below its tools, found by a worker that checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal

from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.latest_job import LatestJob
from napari_lsa_matting.layers import plane_index
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message
from napari_lsa_matting.trimap_examination import Examination, ExamineRequest
from napari_lsa_matting.trimap_layer import plane_of, problem_of_writing

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_lsa_matting.layer_choice import LayerChoice

_NO_TRIMAP = "There is no trimap yet: paint a new one, open a file, or make one."
_CHECKING = "Checking the trimap …"


class TrimapStatus(Message):
    """Says whether the trimap that is chosen can be matted, and what it lacks.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    image, trimap : LayerChoice
        What is chosen.
    """

    checked = Signal()
    """A check has ended, and what it found is said."""

    def __init__(self, viewer: ViewerModel, image: LayerChoice, trimap: LayerChoice) -> None:
        super().__init__()
        self._viewer, self._image, self._trimap = viewer, image, trimap
        self._found: Examination | None = None
        self._examiner = LatestJob("Checking the trimap", self)
        self._examiner.answered.connect(self._show)
        self._examiner.failed.connect(self._fail)
        trimap.changed.connect(self.drop)

    @property
    def busy(self) -> bool:
        """Whether a trimap is being checked."""
        return self._examiner.busy

    @property
    def blocks(self) -> str | None:
        """What stands against matting, by the last check of the trimap that is chosen; None without one."""
        findings = () if self._found is None else self._found.findings
        return next((finding.text for finding in findings if finding.blocks), None)

    def check(self, problem: str | None) -> None:
        """Check the trimap in the background, unless there is none or a problem with its place."""
        trimap = self._trimap.layer
        if trimap is None or problem is not None:
            self.drop()
            self.say(problem or _NO_TRIMAP)
            return
        if self._found is None:  # else what is known of it stays: strokes are checked all the time
            self.say(_CHECKING)
        self._examiner.ask(ExamineRequest(plane_of(trimap, plane_index(trimap, self._viewer))))

    def drop(self, _: object = None) -> None:
        """Forget what was found, and say nothing of what is being checked."""
        self._found = None
        self._examiner.drop()

    def _show(self, _: ExamineRequest, found: Examination) -> None:
        image, trimap = self._image.layer, self._trimap.layer
        if trimap is None:
            return
        self._found = found
        texts = [finding.text for finding in found.findings]
        apart = None if image is None else match_planes(self._viewer, image, trimap).problem
        if apart is not None:
            texts.append(apart)
        elif self.blocks is None:
            texts.insert(0, f"Ready to matte: {100 * found.unknown:.0f} % of the pixels are unknown.")
        self.say(*texts, problem_of_writing(trimap))
        self.checked.emit()

    def _fail(self, error: Exception) -> None:
        self._found = None
        self.say(f"The trimap cannot be read: {error}")
        notify_error(error)

"""Live correction in a worker thread: the first answer is a whole run, every later one goes on from the one before."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import fingerprint
from napari_lsa_matting.live_state import LiveState, PackedLabels, Stroke, begun, replayable
from napari_lsa_matting.matte_request import ImageChangedError, MatteOutcome, MatteSettings, as_refinement

if TYPE_CHECKING:
    from lsa_engine.inference.results import MatteResult
    from napari_lsa_matting.layers import ImagePlane
    from napari_lsa_matting.session import Session

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LiveRequest:
    """Answer the trimap as it is painted now.

    Attributes
    ----------
    session : Session
        Lends the network, and remembers what it has in hand.
    image : ImagePlane
        The picture.
    labels : array (H, W)
        The trimap as painted.
    settings : MatteSettings
        With a fast refinement and without test-time augmentation.
    look_at_image : bool
        Whether somebody may have drawn on the picture since the last answer.
    drawn : object or None
        What stands for the stroke, one step of the layer's history, that the user draws or has drawn last.
    unfinished : bool
        Whether it is being drawn.
    again : bool
        Whether live mode has just begun: the last answer is wanted, too, if picture and trimap are still those of it,
        since it may not have been shown.
    """

    session: Session
    image: ImagePlane
    labels: NDArray[Any]
    settings: MatteSettings
    look_at_image: bool = False
    drawn: object | None = None
    unfinished: bool = False
    again: bool = False

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MatteOutcome | None:
        """Return the matte, or None if the trimap is the one that was answered last and it is not wanted again.

        Raises
        ------
        ImageChangedError
            If somebody has drawn on the picture.
        LsaError
            As :meth:`lsa_engine.Matter.refine` and :meth:`~lsa_engine.Matter.correct`.
        """
        settings = self.settings
        steps = Steps(f"loading {settings.weights}", 1, progress, cancel)
        from lsa_engine.trimap import Trimap

        trimap = Trimap.from_labels(self.labels)
        trimap.require_known()
        packed = PackedLabels.of(self.labels)
        with self.session.matter(settings.weights, settings.device, settings.dtype, steps.check) as matter:
            state = self.session.live
            if state is not None and state.fits(self.image, settings, look=self.again):
                if self.look_at_image and fingerprint(self.image.colours()) != state.image_sha256:
                    raise ImageChangedError(f"The pixels of {self.image.name!r} were changed.")
                if state.answered == packed:
                    if not self.unfinished:
                        state.unfinished = None
                    return state.outcome if self.again else None
                result = self._correct(matter, state, trimap, packed, progress, cancel)
            else:
                self.session.live = None
                image = self.image.colours()
                seen = fingerprint(image)
                matter.set_image(image, data_range=self.image.data_range)
                matter.set_trimap(trimap)
                result = matter.refine(as_refinement(settings), progress=progress, cancel=cancel)
                state = begun(self.image, seen, settings, packed, result)
                self.session.live = state
            inputs = {"trimap_sha256": fingerprint(trimap.values)}
            strokes: tuple[Stroke, ...] = ()
            if state is not None and trimap.unknown.any():
                inputs["image_sha256"], strokes = state.image_sha256, tuple(state.strokes)
            outcome = MatteOutcome(result, self.image, self.labels, settings, inputs, strokes)
            if state is not None:
                state.outcome = outcome
        return outcome

    def _correct(
        self,
        matter: Any,
        state: LiveState,
        trimap: Any,
        packed: PackedLabels,
        progress: ProgressCallback,
        cancel: CancelToken,
    ) -> MatteResult:
        found = state.find(packed)
        if found is not None:
            place, steps = found
            try:
                result = matter.undo(steps)
            except InputError:
                _LOG.debug("The engine does not remember as far back; it corrects instead.")
            else:
                del state.strokes[place + 1 :]
                state.answered, state.unfinished = packed, None
                return result
        same_edit = state.unfinished is not None and state.unfinished is self.drawn
        result = matter.correct(
            trimap, as_refinement(self.settings), same_edit=same_edit, progress=progress, cancel=cancel
        )
        state.add(Stroke(packed, replayable(self.settings, result)), same_edit)
        state.unfinished = self.drawn if self.unfinished else None
        return result

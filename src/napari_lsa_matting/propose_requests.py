"""What proposing trimaps for the frames of a stack needs, collected on the main thread, and done in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import fingerprint
from napari_lsa_matting.live_state import PackedLabels
from napari_lsa_matting.plane_writer import PlaneEdit, find_changes
from napari_lsa_matting.stack_frames import KindsRequest, digest_of, some_frames
from napari_lsa_matting.stack_requests import StackImage

if TYPE_CHECKING:
    from lsa_engine.trimap import Trimap

DISTANCE, FLOW = "distance", "flow"


class _SeenImage:
    """The frames of a stack (H, W, 3) in [0, 1], of which it is noted what was looked at."""

    def __init__(self, image: StackImage) -> None:
        self._image = image
        self.seen: dict[int, str] = {}

    def __len__(self) -> int:
        return int(self._image.data.shape[self._image.frames.axis])

    def __getitem__(self, frame: int) -> NDArray[np.float32]:
        from lsa_engine.arrays import as_float_image

        colours = self._image.colours(frame)
        self.seen[frame] = fingerprint(colours)
        return as_float_image(colours, data_range=self._image.data_range)


@dataclass(frozen=True, eq=False)
class Proposal:
    """A proposed trimap for a frame.

    Attributes
    ----------
    frame : int
        The frame.
    edit : PlaneEdit
        What is to be written to its plane of the trimap layer, if that is still as it was.
    digest : str
        What the plane is known by once it is written.
    """

    frame: int
    edit: PlaneEdit
    digest: str


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a run proposes.

    Attributes
    ----------
    made : tuple of Proposal
        One for each frame that gets one; those that are to stay as they are have no changes.
    keys : tuple of int
        The key frames that they come from.
    begun : tuple of int
        Frames in the range that were left alone, because something was painted on them that is no trimap yet.
    request : ProposeRequest
        How they were made.
    painted : dict of int to PackedLabels
        The trimaps of the key frames.
    seen : dict of int to str
        The :func:`~napari_lsa_matting.layers.fingerprint` of every frame of the picture that was looked at.
    """

    made: tuple[Proposal, ...]
    keys: tuple[int, ...]
    begun: tuple[int, ...]
    request: ProposeRequest
    painted: dict[int, PackedLabels]
    seen: dict[int, str]

    def without_copies(self) -> Proposals:
        """Return the same without copies of the planes: what the code needs, which is kept until the next run."""
        made = tuple(replace(each, edit=replace(each.edit, before=None)) for each in self.made)
        return replace(self, made=made)


@dataclass(frozen=True, eq=False)
class ProposeRequest:
    """Propose trimaps for frames that have none.

    Attributes
    ----------
    image : StackImage
        The stack; looked at by "flow" only.
    trimaps : KindsRequest
        Its trimaps.
    wanted : range
        The frames that may get proposals.
    method : {"distance", "flow"}
        As in :func:`lsa_engine.propagation.propose_trimaps`; "distance" proposes only between key frames.
    spacing : (float, float)
        Height and width of a pixel.
    margin : float
        Pixels of known region given up with every frame that the flow crosses.
    """

    image: StackImage
    trimaps: KindsRequest
    wanted: range
    method: str
    spacing: tuple[float, float]
    margin: float

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Proposals:
        """Return the proposals.

        Raises
        ------
        LsaError
            If there is no frame to propose for, and as :func:`lsa_engine.propagation.propose_trimaps`.
        """
        kinds = self.trimaps.run(progress, cancel)
        keys = kinds.of("key")
        free = [frame for frame in self.wanted if kinds.kinds[frame] in ("empty", "proposal")]
        reached = [frame for frame in free if self.method == FLOW or (keys and keys[0] < frame < keys[-1])]
        if not reached:
            raise InputError(_nothing_to_propose(self.wanted, self.method, keys))
        from lsa_engine.propagation import propose_trimaps
        from lsa_engine.trimap import Trimap

        # Taken now, so that what is painted from here on is seen when the proposals are written.
        before = {frame: self.trimaps.plane(frame) for frame in reached}
        painted = {frame: PackedLabels.of(self.trimaps.plane(frame)) for frame in keys}
        image = _SeenImage(self.image)
        found = propose_trimaps(
            image,  # type: ignore[arg-type]  # has what is used of a sequence
            {frame: Trimap.from_labels(labels.unpack()) for frame, labels in painted.items()},
            reached,
            method=self.method,  # type: ignore[arg-type]
            spacing=self.spacing,
            margin=self.margin,
            progress=progress,
            cancel=cancel,
        )
        steps = Steps("comparing", len(found), progress, cancel)
        made = []
        for frame, trimap in found.items():
            made.append(self._proposal(frame, before[frame], trimap))
            steps.advance()
        begun = [frame for frame in self.wanted if kinds.kinds[frame] in ("begun", "odd")]
        return Proposals(tuple(made), tuple(keys), tuple(begun), self, painted, image.seen)

    def _proposal(self, frame: int, before: NDArray[Any], trimap: Trimap) -> Proposal:
        labels, index = trimap.to_labels(), self.trimaps.frames.at(frame)
        return Proposal(frame, PlaneEdit(index, find_changes(before, labels), before), digest_of(labels))


def _nothing_to_propose(wanted: range, method: str, keys: Sequence[int]) -> str:
    where = some_frames(wanted)
    if method == DISTANCE and len(keys) < 2:
        return "Outlines are interpolated between two key frames: paint a second one, or propose by motion."
    if method == DISTANCE:
        return f"No frame without a painted trimap lies between two key frames in {where}: there is nothing to propose."
    return f"Something is painted on every frame of {where}: there is nothing to propose."

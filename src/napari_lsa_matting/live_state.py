"""What a session's network has in hand, and the trimaps that led there: what a live correction goes on from."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_lsa_matting.layers import fingerprint

if TYPE_CHECKING:
    from lsa_engine.inference.results import MatteResult
    from napari_lsa_matting.layers import ImagePlane
    from napari_lsa_matting.matte_request import MatteOutcome, MatteSettings


class PackedLabels(NamedTuple):
    """Labels of a trimap, small enough to keep hundreds."""

    shape: tuple[int, int]
    content: bytes

    @classmethod
    def of(cls, labels: NDArray[Any]) -> PackedLabels:
        """Pack labels (H, W) that fit into bytes."""
        return cls(labels.shape, zlib.compress(np.ascontiguousarray(labels, np.uint8).data, 1))

    def unpack(self) -> NDArray[np.uint8]:
        """Return the labels (H, W)."""
        return np.frombuffer(zlib.decompress(self.content), np.uint8).reshape(self.shape)


class Stroke(NamedTuple):
    """A trimap that was answered, and a refinement that gives the answer again whatever the time it takes.

    Attributes
    ----------
    labels : PackedLabels
        The trimap.
    refinement : mapping
        Arguments of the refinement.
    passed : bool
        Whether undoing does not come back here: it was the midst of what the user drew in one go.
    """

    labels: PackedLabels
    refinement: Mapping[str, Any]
    passed: bool = False


@dataclass
class LiveState:
    """What a session's network has in hand, and the trimaps that led there; the first one was encoded.

    Attributes
    ----------
    image : ImagePlane
        The picture.
    image_sha256 : str
        Its values.
    settings : MatteSettings
        How it was encoded.
    strokes : list of Stroke
        One for the encoded trimap and one for every correction that was not undone.
    answered : PackedLabels
        The trimap of the last answer.
    unfinished : object or None
        The stroke in whose midst the last correction was made; None if it was not.
    outcome : MatteOutcome or None
        The last answer, which may not have been shown: its run was stopped when it was done.
    """

    image: ImagePlane
    image_sha256: str
    settings: MatteSettings
    strokes: list[Stroke]
    answered: PackedLabels
    unfinished: object | None = None
    outcome: MatteOutcome | None = None

    def fits(self, image: ImagePlane, settings: MatteSettings, look: bool = False) -> bool:
        """Return whether a correction of this picture, by a network set up like this, can go on from here.

        With `look`, it is looked whether the same array still holds the same colours.
        """
        if _encoding(self.settings) != _encoding(settings) or self.image.data_range != image.data_range:
            return False
        if self.image.pixels is image.pixels and not look:
            return True
        if fingerprint(image.colours()) != self.image_sha256:
            return False
        self.image = image
        return True

    def find(self, labels: PackedLabels) -> tuple[int, int] | None:
        """Return where a trimap was answered last, and how many steps undoing takes to come there, or None."""
        last = len(self.strokes) - 1
        for place in range(last, -1, -1):
            stroke = self.strokes[place]
            if stroke.labels == labels and not stroke.passed:
                return place, sum(not between.passed for between in self.strokes[place:last])
        return None

    def add(self, stroke: Stroke, same_edit: bool) -> None:
        """Note a correction; with `same_edit`, undoing passes over the one before it."""
        if same_edit:
            self.strokes[-1] = self.strokes[-1]._replace(passed=True)
        self.strokes.append(stroke)
        self.answered = stroke.labels


def begun(
    image: ImagePlane, image_sha256: str, settings: MatteSettings, labels: PackedLabels, result: MatteResult
) -> LiveState | None:
    """Return what corrections can go on from after a run, or None if they cannot."""
    fast = settings.refinement is not None and settings.refinement["method"] == "fast"
    if not fast or settings.tta or result.report.method == "known":
        return None
    return LiveState(image, image_sha256, settings, [Stroke(labels, replayable(settings, result))], labels)


def replayable(settings: MatteSettings, result: MatteResult) -> dict[str, Any]:
    """Return a refinement that takes as many passes as a run has taken, where time has limited them."""
    refinement = dict(settings.refinement or {})
    if refinement.pop("time_budget", None) is not None:
        refinement |= {"iterations": result.report.iterations} if result.report.iterations else {"time_budget": 0.0}
    return refinement


def repeatable(settings: MatteSettings, result: MatteResult) -> Mapping[str, Any] | None:
    """Return the refinement that gives a result again: with as many passes as time allowed.

    Where copies were averaged it is the one that was asked for, since each copy had passes of its own.
    """
    if settings.refinement is None or settings.tta:
        return settings.refinement
    return replayable(settings, result)


def _encoding(settings: MatteSettings) -> tuple[Any, ...]:
    gates = (settings.refinement or {}).get("gates", "live")
    return settings.method, settings.weights, settings.device, settings.dtype, gates

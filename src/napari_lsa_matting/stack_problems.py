"""What the Stack widget says of a stack: what its frames are, and what stands against a run."""

from __future__ import annotations

from napari.layers import Labels

from napari_lsa_matting.stack_frames import FrameKinds, some_frames
from napari_lsa_matting.trimap_layer import problem_of_writing

LOOKING = "Looking at the trimaps …"
_NO_KEY = "There is no key frame yet: paint foreground (1) and background (2) on at least one frame."
_SEEN = {
    "key": "Frame {} is a key frame.",
    "proposal": "Frame {} is a proposal: correct it where it is wrong.",
    "begun": "Frame {} is begun: paint foreground (1) and background (2), and it is a key frame.",
    "odd": "Frame {} holds other labels than 0, 1 and 2: it is no trimap.",
    "empty": "Frame {} has no trimap: paint one, or propose trimaps.",
}


def describe_frames(kinds: FrameKinds | None, seen: int | None) -> tuple[str | None, ...]:
    """Return what the frames are, and what the one is that is seen; `kinds` is None before that is known."""
    if kinds is None:
        return (LOOKING,)
    return f"{kinds.describe()}.", None if seen is None else _SEEN[kinds.kinds[seen]].format(seen)


def problem_of_range(wanted: range, noun: str = "frame") -> str | None:
    """Return what is wrong with a range of frames, or None."""
    if len(wanted):
        return None
    return (
        f"The range ends at {noun} {wanted.stop - 1}, before it begins at {wanted.start}: set it right, or press All."
    )


def problem_of_proposing(kinds: FrameKinds, trimap: Labels) -> str | None:
    """Return what stands against proposals, or None."""
    return problem_of_writing(trimap) or (None if kinds.of("key") else _NO_KEY)


def problem_of_matting(kinds: FrameKinds, wanted: range) -> str | None:
    """Return what stands against mattes of a range of frames, or None."""
    if not kinds.usable:
        return _NO_KEY
    return no_trimap_in(wanted) if kinds.usable.isdisjoint(wanted) else None


def no_trimap_in(wanted: range) -> str:
    """Return what to say where no frame of a range can be matted."""
    return f"No trimap with foreground and background on {some_frames(wanted)}: paint one, or propose trimaps."

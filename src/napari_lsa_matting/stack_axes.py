"""Which axes of a layer a file has names for: time, depth, and channels, which may be objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lsa_engine.errors import InputError
from lsa_engine.image_io.stack_writing import StackAxis, time_unit
from napari_lsa_matting.layers import METADATA_KEY, Index

_LETTERS = {
    **dict.fromkeys(("t", "time", "frame", "frames"), "T"),
    **dict.fromkeys(("z", "depth", "slice", "slices", "plane", "planes"), "Z"),
    **dict.fromkeys(("c", "ch", "channel", "channels", "object", "objects"), "C"),
}


def stack_axes(shape: Sequence[int], settings: Mapping[str, Any]) -> tuple[list[StackAxis], Callable[[Index], Index]]:
    """Return the axes of a stack that are longer than 1, and what turns an index along them into one of the layer.

    Labels say what an axis is, or else a unit of time; of the others, the first is depth.

    Parameters
    ----------
    shape : sequence of int
        Of the layer's data, without colours.
    settings : mapping
        The layer's settings: scale, units, axis_labels, metadata.

    Raises
    ------
    InputError
        If there are more axes than a file has names for.
    """
    count = len(shape)
    labels = [str(label).lower() for label in settings.get("axis_labels") or [""] * count]
    units = [str(unit) for unit in settings.get("units") or ["pixel"] * count]
    scale = [abs(float(step)) for step in settings.get("scale", [1.0] * count)]
    long = [axis for axis in range(count - 2) if shape[axis] > 1]
    letters: dict[int, str] = {}
    for axis in long:
        letter = _LETTERS.get(labels[axis]) or ("T" if time_unit(units[axis]) else None)
        if letter is not None and letter not in letters.values():
            letters[axis] = letter
    for axis in long:
        left = [letter for letter in "ZTC" if letter not in letters.values()]
        if axis not in letters:
            if not left:
                raise InputError(
                    f"The layer is a stack of shape {tuple(shape)}, but a file holds three axes of planes at most: "
                    "slice it along one of them."
                )
            letters[axis] = left[0]
    record = settings.get("metadata", {}).get(METADATA_KEY)
    names = tuple(record.get("names", ())) if isinstance(record, Mapping) else ()
    axes = []
    for axis in long:
        # Steps of whole pixels say nothing.
        known = units[axis] != "pixel"
        called = names if letters[axis] == "C" and len(names) == shape[axis] else ()
        step = scale[axis] if known else None
        axes.append(StackAxis(letters[axis], int(shape[axis]), step, units[axis] if known else None, called))

    def place(index: Index) -> Index:
        whole = [0] * (count - 2)
        for axis, step in zip(long, index, strict=True):
            whole[axis] = step
        return tuple(whole)

    return axes, place

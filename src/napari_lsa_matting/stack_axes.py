"""Which axes of a layer a file has names for: time, depth, and channels, which may be objects; there and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pint

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


def recorded_place(axes: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that put what a file holds where the layer was that was written into it.

    Parameters
    ----------
    axes : str
        The leading axes in the file, a letter each.
    record : mapping
        As from :func:`lsa_engine.image_io.provenance.read_record`.

    Returns
    -------
    dict
        scale, units and axis_labels, as far as they were recorded; empty for files of other programs.
    """
    letters = f"{axes}YX"
    steps = dict.fromkeys(letters, (1.0, "pixel"))
    if not record or len(steps) < len(letters):
        return {}
    sizes, written = record.get("pixel_size"), record.get("axes")
    if isinstance(sizes, list) and len(sizes) == 2:
        steps |= {axis: _step(size, record.get("unit")) for axis, size in zip("YX", sizes, strict=True)}
    for entry in written if isinstance(written, list) else ():
        if isinstance(entry, Mapping) and entry.get("axis") in steps:
            steps[str(entry["axis"])] = _step(entry.get("step"), entry.get("unit"))
    scale, units = zip(*steps.values(), strict=True)
    return {"scale": scale, "units": units, "axis_labels": tuple(axis.lower() for axis in steps)}


def _step(size: Any, unit: Any) -> tuple[float, str]:
    """Return a step and its unit, whole pixels where a file tells none that napari can show."""
    known = isinstance(size, (int, float)) and math.isfinite(size) and size > 0
    named = known and isinstance(unit, str) and unit.isidentifier() and unit in pint.get_application_registry()
    return float(size) if known else 1.0, unit if named else "pixel"

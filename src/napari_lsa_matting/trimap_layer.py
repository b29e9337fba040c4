"""The Labels layer that holds a trimap: three labels with fixed names and colours, and checks in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lsa_matting.channels import channels_of, last_axes
from napari_lsa_matting.layers import (
    Index,
    as_layer_data,
    calibration,
    full_data,
    plane_at,
    plane_grid,
    with_provenance,
)
from napari_lsa_matting.loading import collector_at_rest

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

UNKNOWN, FOREGROUND, BACKGROUND = 0, 1, 2
LABEL_NAMES = {UNKNOWN: "unknown", FOREGROUND: "foreground", BACKGROUND: "background"}
# Green and magenta can be told apart by almost everybody, on photographs too.
LABEL_COLOURS: dict[int | None, str] = {FOREGROUND: "#1ec872", BACKGROUND: "#d63ad6"}

_MOST_LISTED = 8
_PART = 1 << 18
# Islands of so many pixels, or such a part of the plane, are tiny.
_TINY, _TINY_PART = 9, 2e-6


@dataclass(frozen=True)
class Finding:
    """What a check says of a trimap.

    Attributes
    ----------
    text : str
        One sentence: what there is, and what to do.
    blocks : bool
        Whether nothing can be matted before it is put right.
    """

    text: str
    blocks: bool = True


def trimap_settings() -> dict[str, Any]:
    """Return the settings of a trimap layer: names, colours, opacity, provenance."""
    from napari.utils.colormaps import DirectLabelColormap

    colours = {None: "black", UNKNOWN: "transparent"} | LABEL_COLOURS
    return {
        "name": "trimap",
        # napari shows the name of the label under the cursor in the status bar.
        "features": {"index": list(LABEL_NAMES), "name": list(LABEL_NAMES.values())},
        "colormap": DirectLabelColormap(color_dict=colours),
        "opacity": 0.5,
        "metadata": with_provenance({}, kind="trimap"),
    }


def compile_colours() -> None:
    """Let napari compile what gives a trimap's labels their colours: work for a worker.

    It would do so when it adds the first trimap, and hold the window up for most of a second.
    """
    with collector_at_rest():
        trimap_settings()["colormap"].map(np.zeros((1, 1), np.uint8))


def add_trimap_layer(viewer: ViewerModel, like: Layer, planes: dict[Index, NDArray[np.uint8]]) -> Labels:
    """Add a trimap layer on the pixels of another layer, unknown but for the planes given, and select it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where to add it.
    like : napari.layers.Layer
        Image or Labels layer whose pixels it covers.
    planes : dict of index to array (H, W)
        Labels 0, 1, 2 of some planes, or all of them at index (); empty for a trimap to be painted. Those at index ()
        may be of the last axes only: such a trimap lies over all that comes before them.
    """
    leading, plane = plane_grid(like)
    labels = planes.get(())
    whole = labels is not None and labels.shape == (*leading, *plane)
    channels = None if whole else channels_of(viewer, like)
    if channels is not None:  # one trimap lies on them all
        if labels is not None and labels.ndim == len(leading) + 2:  # from a layer that has kept their axis
            planes = {(): labels.squeeze(channels.axis)}
        leading, planes = channels.without(leading), {channels.without(key): made for key, made in planes.items()}
        labels = planes.get(())
    shape = (*leading, *plane)
    settings = calibration(like, (), channels)
    if labels is not None and labels.ndim < len(shape) and labels.shape == shape[-labels.ndim :]:
        channels, settings = None, last_axes(calibration(like), labels.ndim)
    elif labels is None or labels.shape != shape:  # of a whole stack there is no second copy
        labels = np.zeros(shape, np.uint8)
        for index, values in planes.items():
            labels[index] = values
    layer: Labels = unwrap(viewer.add_labels(as_layer_data(labels, (), channels), **trimap_settings(), **settings))
    layer.brush_size = max(5, round(max(plane) / 40))
    layer.selected_label = FOREGROUND
    return layer


def plane_of(layer: Labels, index: Index) -> Any:
    """Return one plane (H, W) of a Labels layer as it is, not a copy of it; it may be lazy."""
    return plane_at(full_data(layer), index)


def problem_of_writing(layer: Labels) -> str | None:
    """Return why a trimap layer cannot be changed, or None."""
    data = full_data(layer)
    if hasattr(data, "dask"):
        return (
            f"The trimap {layer.name!r} is a lazy array, which cannot be painted on: make one with the Trimap widget."
        )
    if getattr(data, "read_only", False) or (isinstance(data, np.ndarray) and not data.flags.writeable):
        return (
            f"The labels of {layer.name!r} may only be read, so they cannot be painted on: open them for writing, or "
            "make a trimap with the Trimap widget."
        )
    return None


def examine(labels: NDArray[Any]) -> list[Finding]:
    """Say what is wrong with the labels (H, W) of a trimap; an empty list if nothing is."""
    if _has_others(labels):
        return [Finding(_odd_labels(labels))]
    findings = []
    if not _holds(labels, FOREGROUND):
        findings.append(Finding("No foreground yet: paint label 1 where the object surely is."))
    if not _holds(labels, BACKGROUND):
        findings.append(Finding("No background yet: paint label 2 where the object surely is not."))
    if not _holds(labels, UNKNOWN):
        findings.append(
            Finding(
                "Nothing is unknown: erase (label 0) the border of the object, or it is cut out hard.", blocks=False
            )
        )
    return findings


def find_islands(labels: NDArray[Any]) -> list[Finding]:
    """Say where known parts are so small that they may be slips of the brush; an empty list if none are."""
    from lsa_engine.trimap_editing import count_islands

    most = max(_TINY, round(_TINY_PART * labels.size))
    findings = []
    for kind in (FOREGROUND, BACKGROUND):
        count, (row, column) = count_islands(labels == kind, most)
        if count:
            what = f"{LABEL_NAMES[kind]} ({most} pixels or fewer)"
            where = f"at row {row}, column {column}"
            if count == 1:
                there = f"There is a tiny island of {what} {where}: remove it if it is a slip of the brush."
            else:
                there = f"There are {count} tiny islands of {what}, the first {where}: remove them if they are slips."
            findings.append(Finding(there, blocks=False))
    return findings


def _has_others(labels: NDArray[Any]) -> bool:
    """Return whether there are labels that a trimap does not have."""
    if labels.dtype.kind != "u" and any(rows.min() < UNKNOWN for rows in _parts(labels)):
        return True
    return any(rows.max() > BACKGROUND for rows in _parts(labels))


def _holds(labels: NDArray[Any], label: int) -> bool:
    """Return whether a label is among labels (H, W); looks no further than the first."""
    return any((rows == label).any() for rows in _parts(labels))


def _parts(labels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the rows of labels, some at a time, which stay in the processor's cache."""
    if labels.size:
        step = max(1, _PART // labels.shape[1])
        yield from (labels[first : first + step] for first in range(0, len(labels), step))


def _odd_labels(labels: NDArray[Any]) -> str:
    odd = np.unique(labels[(labels < UNKNOWN) | (labels > BACKGROUND)])
    listed = ", ".join(str(label) for label in odd[:_MOST_LISTED])
    more = f" and {odd.size - _MOST_LISTED} more" if odd.size > _MOST_LISTED else ""
    return (
        f"This layer holds the labels {listed}{more}, but a trimap has only 0, 1 and 2: "
        "if it is a segmentation, make a trimap from it with the Trimap widget."
    )

"""How a trimap was made: scripts of its makers and tools, and the record of them in the layer's metadata."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial, singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from lsa_engine.versions import versions
from napari_lsa_matting.code_inputs import Recorded, array_input, image_input, trimap_input, trimaps_input
from napari_lsa_matting.code_snippet import Input, Script, named
from napari_lsa_matting.layers import METADATA_KEY, Index
from napari_lsa_matting.stack_code import frames_input, painted_input
from napari_lsa_matting.stack_frames import place_name
from napari_lsa_matting.trimap_planes import LayerPlanes, MadePlane, MadePlanes, StrokesPlanes
from napari_lsa_matting.trimap_requests import (
    AlphaRequest,
    FileRequest,
    MadeTrimap,
    SegmentationRequest,
    StrokesRequest,
    ToolRequest,
)

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

_MADE = "made"
_SCRIBBLES = "lsa_engine.scribbles.trimap_from_scribbles"
_NOTHING = np.empty((0, 0), np.uint8)  # for a request of which the settings alone are written
_WALKING = ("scikit-image", "scipy")


def record_making(trimap: Labels, index: Index, record: Mapping[str, Any]) -> None:
    """Note in a trimap layer's metadata how a plane was made or changed, after what was noted of it before.

    Each entry has the SHA-256 of the labels that came of it, so that it can be told whether they were painted on.
    """
    record_planes(trimap, {index: record})


def record_planes(trimap: Labels, records: Mapping[Index, Mapping[str, Any]]) -> None:
    """Note in a trimap layer's metadata how several planes were made, as :func:`record_making` does of one."""
    there = trimap.metadata.get(METADATA_KEY)
    there = dict(there) if isinstance(there, Mapping) else {}
    made = dict(there.get(_MADE, {}))
    for index, record in records.items():
        made[place_name(index)] = [*made.get(place_name(index), []), dict(record)]
    trimap.metadata = {**trimap.metadata, METADATA_KEY: {**there, _MADE: made}}


def trimap_path(trimap: Layer, index: Index) -> str | None:
    """Return the file that a plane of a trimap layer was read from, by napari or by the Trimap widget, or None."""
    if trimap.source.path is not None:
        return str(trimap.source.path)
    there = trimap.metadata.get(METADATA_KEY)
    steps = there.get(_MADE, {}).get(place_name(index), []) if isinstance(there, Mapping) else []
    return next((step["path"] for step in reversed(steps) if step.get("from") == "file"), None)


def file_script(request: FileRequest, made: MadeTrimap) -> Script:
    """Return the script of a trimap read from a file, which names the file's SHA-256."""
    path = request.path.absolute()
    read_from = (f"# It was read from {str(path)!r},", f"# whose SHA-256 was {made.inputs['file']}.")
    height, width = made.labels.shape[-2:]
    if made.labels.ndim > 2:
        planes = f"labels.reshape(-1, {height}, {width})"
        return Script(
            title=f"The trimaps in {path.name!r}",
            versions=versions(),
            inputs=(trimaps_input(made.labels.reshape(-1, height, width), str(path)),),
            body=(*read_from, f"trimaps = [lsa.Trimap.from_labels(plane) for plane in {planes}]"),
        )
    return Script(
        title=f"The trimap in {path.name!r}",
        versions=versions(),
        inputs=(trimap_input(made.labels, str(path)),),
        body=read_from,
    )


@singledispatch
def trimap_script(request: Any, inputs: Mapping[str, str]) -> Script:
    """Return the script of what makes or changes a trimap.

    Parameters
    ----------
    request : LabelsRequest
        What makes it.
    inputs : mapping of str to str
        SHA-256 of what it was made from, by name.

    Raises
    ------
    TypeError
        If there is no script for this kind of request.
    """
    raise TypeError(f"Got a {type(request).__name__}, for which there is no script.")


@trimap_script.register
def _(request: SegmentationRequest, inputs: Mapping[str, str]) -> Script:
    given = Recorded(lambda: np.asarray(request.labels), inputs["labels"], "The labels of the segmentation")
    return _script("A trimap from a segmentation", array_input("labels", given), _making(request))


@trimap_script.register
def _(request: AlphaRequest, inputs: Mapping[str, str]) -> Script:
    given = Recorded(lambda: np.asarray(request.alpha), inputs["alpha"], "The pixels of the alpha")
    return _script("A trimap from an alpha", array_input("alpha", given), _making(request))


@trimap_script.register
def _(request: StrokesRequest, inputs: Mapping[str, str]) -> Script:
    strokes = Input({"labels": lambda: request.labels}, ('strokes = lsa.Trimap.from_labels(arrays["labels"])',))
    return Script(
        title=f"A trimap from strokes on {request.image.name!r}",
        versions=versions(*_WALKING),
        inputs=(image_input(request.image, inputs["image"], None), strokes),
        body=("", *_making(request)),
        imports=(_SCRIBBLES,),
    )


@trimap_script.register
def _(request: ToolRequest, inputs: Mapping[str, str]) -> Script:
    tool = request.tool.__name__
    before = Input({"labels": lambda: request.labels}, ('before = lsa.Trimap.from_labels(arrays["labels"])',))
    line = f"trimap = {tool}(before, {request.size!r}, {request.spacing!r})"
    return _script("A trimap changed", before, (line,), f"{request.tool.__module__}.{tool}")


def planes_script(made: MadePlanes, planes: Collection[int], path: str | None) -> Script:
    """Return the script of the trimaps of planes.

    Parameters
    ----------
    made : MadePlanes
        The trimaps.
    planes : collection of int
        Which of them.
    path : str or None
        The file that the pictures under strokes came from.
    """
    source, chosen = made.source, {plane: made.planes[plane] for plane in sorted(planes)}
    if isinstance(source, StrokesPlanes):
        return _strokes_script(source, chosen, path)
    request = source.make(_NOTHING)
    name = "alpha" if isinstance(request, AlphaRequest) else "labels"
    given = {f"{name}_{plane}": _recorded(source, plane, each.inputs[name]) for plane, each in chosen.items()}
    return Script(
        title=f"Trimaps from {source.name!r}",
        versions=versions("scipy"),
        inputs=(Input(given),),
        body=_loop(chosen, f'{name} = arrays[f"{name}_{{plane}}"]', *_making(request)),
    )


def _strokes_script(source: StrokesPlanes, chosen: Mapping[int, MadePlane], path: str | None) -> Script:
    seen = {plane: each.inputs["image"] for plane, each in chosen.items()}
    strokes = {plane: each.strokes for plane, each in chosen.items() if each.strokes is not None}
    request = source.make(source.image.frame(next(iter(chosen))), _NOTHING)
    taking = "image = image_of(plane)", 'strokes = lsa.Trimap.from_labels(arrays[f"labels_{plane}"])'
    return Script(
        title=f"Trimaps from strokes on {source.image.name!r}",
        versions=versions(*_WALKING),
        inputs=(painted_input(strokes), frames_input(source.image, seen, path)),
        body=_loop(chosen, *taking, *_making(request)),
        imports=(_SCRIBBLES,),
    )


def _loop(planes: Collection[int], *lines: str) -> tuple[str, ...]:
    """Return lines that make the `trimaps` of planes, with those that make the `trimap` of a `plane`."""
    inside = (f"    {line}" for line in (*lines, "trimaps[plane] = trimap"))
    return ("", "trimaps = {}", f"for plane in {list(planes)!r}:", *inside)


def _recorded(source: LayerPlanes, plane: int, sha256: str) -> Recorded:
    return Recorded(partial(source.pixels, plane), sha256, f"The pixels of plane {plane} of {source.name!r}")


@singledispatch
def _making(request: Any) -> tuple[str, ...]:
    """Return the lines that make a `trimap`, once there is what it is made from."""
    raise TypeError(f"Got a {type(request).__name__}, for which there is no script.")


@_making.register
def _(request: SegmentationRequest) -> tuple[str, ...]:
    distances = {"inner": request.inner, "outer": request.outer, "spacing": request.spacing}
    return (f"trimap = lsa.Trimap.from_mask(labels > 0, {named(distances)})",)


@_making.register
def _(request: AlphaRequest) -> tuple[str, ...]:
    return (
        f"trimap = lsa.Trimap.from_alpha(alpha, {request.inner!r}, {request.outer!r}, spacing={request.spacing!r})",
    )


@_making.register
def _(request: StrokesRequest) -> tuple[str, ...]:
    settings: dict[str, Any] = {"certainty": request.certainty, "width": request.width, "spacing": request.spacing}
    settings["data_range"] = request.image.data_range
    return (
        "trimap = trimap_from_scribbles(",
        "    image,",
        "    strokes,",
        *(f"    {name}={value!r}," for name, value in settings.items()),
        ")",
    )


def _script(title: str, given: Input, lines: tuple[str, ...], *imports: str) -> Script:
    return Script(title, versions("scipy"), (given,), ("", *lines), imports)

"""Scripts of the Stack widget's runs: the mattes of frames, and trimaps proposed for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.versions import versions
from napari_lsa_matting.code_inputs import Recorded
from napari_lsa_matting.code_snippet import NUMPY, Input, Script, Source, call, named
from napari_lsa_matting.layers import Index
from napari_lsa_matting.live_state import PackedLabels
from napari_lsa_matting.matte_code import matte_arguments, matter_line
from napari_lsa_matting.matte_request import NETWORK
from napari_lsa_matting.propose_requests import FLOW, Proposals
from napari_lsa_matting.stack_requests import FrameMatte, StackImage, StackOutcome


def stack_script(outcome: StackOutcome, path: str | None) -> Script:
    """Return the script of the mattes of frames; `path` is where their image came from."""
    mattes, settings = outcome.mattes, outcome.settings
    report = next(iter(mattes.values())).report
    lines = ["", f"frames = {list(mattes)!r}"]
    arguments = {}
    if settings.method == NETWORK:
        lines.append(matter_line(settings, report))
        arguments["weights"] = "matter"
    refining, given = _refinements(mattes)
    arguments |= matte_arguments(settings, outcome.image.data_range, refining)
    height, width = outcome.alpha.shape[-2:]
    lines += [
        *given,
        f"alphas = np.empty((len(frames), {height}, {width}), np.float32)  # in [0, 1], in the order of the frames",
        "for number, frame in enumerate(frames):",
        "    result = lsa.matte(",
        "        image_of(frame),",
        '        lsa.Trimap.from_labels(arrays[f"labels_{frame}"]),',
        *(f"        {name}={code}," for name, code in arguments.items()),
        "    )",
        "    alphas[number] = result.alpha",
    ]
    labels = {frame: matte.labels for frame, matte in mattes.items()}
    seen = {frame: matte.image_sha256 for frame, matte in mattes.items()}
    return Script(
        title=f"The mattes of frames of {outcome.image.name!r}",
        versions=report.versions,
        inputs=(painted_input(labels), frames_input(outcome.image, seen, path)),
        body=tuple(lines),
        imports=(NUMPY,),
    )


def proposals_script(proposals: Proposals, path: str | None) -> Script:
    """Return the script of trimaps that were proposed; `path` is where their image came from."""
    request = proposals.request
    image, frames = request.image, [proposal.frame for proposal in proposals.made]
    arguments: dict[str, object] = {"method": request.method, "spacing": request.spacing}
    inputs, imports = [painted_input(proposals.painted)], []
    count = request.trimaps.count
    if request.method == FLOW:
        arguments["margin"] = request.margin
        inputs.append(frames_input(image, proposals.seen, path))
        imports.append("lsa_engine.arrays.as_float_image")
        lines = [
            *("", "class Frames:", "    def __len__(self):", f"        return {count}", ""),
            "    def __getitem__(self, frame):",
            f"        return as_float_image(image_of(frame), data_range={image.data_range!r})",
            *("", "", "images = Frames()  # one at a time"),
        ]
    else:
        lines = ["", f"images = [None] * {count}  # outlines alone are interpolated"]
    lines += [
        f"frames = {frames!r}",
        f'painted = {{key: lsa.Trimap.from_labels(arrays[f"labels_{{key}}"]) for key in {list(proposals.keys)!r}}}',
        f"trimaps = lsa.propose_trimaps(images, painted, frames, {named(arguments)})",
    ]
    packages = ("scikit-image", "scipy") if request.method == FLOW else ("scipy",)
    return Script(
        title=f"Trimaps proposed for frames of {image.name!r}",
        versions=versions(*packages),
        inputs=tuple(inputs),
        body=tuple(lines),
        imports=tuple(imports),
    )


def _refinements(mattes: Mapping[int, FrameMatte]) -> tuple[str | None, list[str]]:
    """Return code of a frame's refinement, and the lines that it needs: frames may have had different passes."""
    refinements = [matte.refinement for matte in mattes.values()]
    first = refinements[0]
    if first is None:
        return None, []
    if all(refinement == first for refinement in refinements):
        return call("lsa.Refinement", first), []
    each = [f"    {frame}: {call('lsa.Refinement', matte.refinement or {})}," for frame, matte in mattes.items()]
    return "refinements[frame]", ["refinements = {  # as many passes as there was time for", *each, "}"]


def painted_input(labels: Mapping[int, PackedLabels]) -> Input:
    """Return the labels of frames, as ``arrays["labels_3"]``."""
    return Input({f"labels_{frame}": packed.unpack for frame, packed in labels.items()})


def frames_input(image: StackImage, seen: Mapping[int, str], path: str | None) -> Input:
    """Return the function ``image_of(frame)``: pages of the file at `path` if they are the frames that were seen."""
    recorded = {
        frame: Recorded(partial(image.colours, frame), sha256, f"The pixels of frame {frame} of {image.name!r}")
        for frame, sha256 in sorted(seen.items())
    }
    arrays = {f"image_{frame}": read for frame, read in recorded.items()}
    reading = 'arrays[f"image_{frame}"]'
    merging = image.frame(next(iter(recorded))).merging
    if merging is not None:  # a file of channels is none of the stacks that the engine reads
        unmerged = {f"image_{frame}": partial(_unmerged, image, frame, each) for frame, each in recorded.items()}
        return Input(unmerged, _image_of(f"lsa.merge_channels({reading}, {merging!r})"))
    return Input(arrays, _image_of(reading), None if path is None else _pages(image, recorded, path))


def _unmerged(image: StackImage, frame: int, merged: Recorded) -> NDArray[Any]:
    merged()  # refuses what was changed since
    return np.asarray(image.frame(frame).pixels)


def _pages(image: StackImage, recorded: Mapping[int, Recorded], path: str) -> Source:
    places = {frame: _single(image, frame) for frame in recorded}
    leading = tuple(int(length) for length in image.data.shape[: len(image.frames.index)])
    pages = {frame: int(np.ravel_multi_index(place, leading)) for frame, place in places.items()}
    part = "[..., :3]" if image.data.shape[len(leading) + 2 :] == (4,) else ""

    def holds() -> bool:
        from lsa_engine.image_io.stacks import read_stack

        stack = read_stack(path)
        if stack is None or len(stack) != math.prod(leading):
            return False
        return all(each.equals(_colours(stack.page(pages[frame]), part)) for frame, each in recorded.items())

    same = all(frame == page for frame, page in pages.items())
    lines = (f"stack = read_stack({path!r})", *(() if same else (f"pages = {pages!r}",)))
    reading = f"stack.page({'frame' if same else 'pages[frame]'}){part}"
    return Source((*lines, *_image_of(reading)), ("lsa_engine.image_io.stacks.read_stack",), holds)


def _single(image: StackImage, frame: int) -> Index:
    """Return where the one picture of a frame lies on all axes before the last two."""
    place, channels = image.place(frame), image.channels
    if channels is None or not isinstance(channels.use, int):
        return place
    return (*place[: channels.axis], channels.use, *place[channels.axis :])


def _colours(page: NDArray[Any], part: str) -> NDArray[Any]:
    return page[..., :3] if part else page


def _image_of(code: str) -> tuple[str, ...]:
    return "", "", "def image_of(frame):", f"    return {code}", ""

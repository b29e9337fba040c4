"""What is saved where the head runs only on what is seen, and what a crop to the unknown region would lose.

Takes the sample photographs, and the images of a data set's first trimap if it is given one (`lsa evaluate` says how it
is laid out). For the crop, their unknown region is restricted to one part: outside of it, the truth says what is known
(of a sample, the matte of the whole).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pictures import Picture, pictures
from torch import Tensor

import lsa_engine as lsa
from lsa_engine.arrays import as_float_image
from lsa_engine.boxes import Box
from lsa_engine.inference.planes import seen_boxes
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import LSANet
from lsa_engine.network.context import ALIGNMENT
from lsa_engine.network.decoder import Gates

ResultT = TypeVar("ResultT")

MARGINS = (32, 64, 96, 128, 192)
ROWS = 1000
PART = 0.35
"""Height and width of the part that stays unknown, of the image's."""
WAYS = {
    "own": "all from the box",
    "priors": "priors of the whole",
    "gates": "priors and gates of the whole",
    "half": "priors of the whole, gates of a pass at half size",
}


class Whole(NamedTuple):
    """What is computed of all of an image: matte, input, gates, gates at half size; and the seconds for each."""

    alpha: NDArray[np.float32]
    inputs: Tensor
    gates: dict[str, Gates]
    seconds: dict[str, float]


class Matted(NamedTuple):
    """A matte (H, W), and the processor's seconds for it."""

    alpha: NDArray[np.float32]
    seconds: float


def in_part(picture: Picture, matter: lsa.Matter) -> Picture:
    """Return a picture that is unknown in one part only."""
    alpha = picture.truth
    if alpha is None:
        matter.set_image(picture.image)
        matter.set_trimap(picture.trimap)
        alpha = matter.predict().alpha
    return picture._replace(image=as_float_image(picture.image), trimap=restricted(picture.trimap, alpha))


def restricted(trimap: lsa.Trimap, alpha: NDArray[np.float32]) -> lsa.Trimap:
    """Return a trimap that is unknown in one part only, the one that holds most unknown pixels."""
    height, width = (round(PART * length) for length in trimap.shape)
    counts = np.zeros((trimap.shape[0] + 1, trimap.shape[1] + 1), np.int64)
    counts[1:, 1:] = trimap.unknown.cumsum(0).cumsum(1)
    held = counts[height:, width:] - counts[:-height, width:] - counts[height:, :-width] + counts[:-height, :-width]
    top, left = np.unravel_index(held.argmax(), held.shape)
    values = np.where(trimap.unknown, np.where(alpha >= 0.5, 255, 0), trimap.values).astype(np.uint8)
    part = (slice(top, top + height), slice(left, left + width))
    values[part] = trimap.values[part]
    return lsa.Trimap(values)


def box_of(trimap: lsa.Trimap, margin: int) -> Box:
    """Return the box of the unknown pixels with so many around it, as far as the image goes, on the stages' grid."""
    rows, columns = (np.flatnonzero(trimap.unknown.any(axis)) for axis in (1, 0))
    box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    return box.grown(margin, trimap.shape).reduced(ALIGNMENT).enlarged(ALIGNMENT, trimap.shape)


def tensors(picture: Picture) -> tuple[Tensor, Tensor]:
    """Return image and trimap as the network's input is made of them."""
    image = torch.from_numpy(np.ascontiguousarray(picture.image.transpose(2, 0, 1)))[None]
    return image, torch.from_numpy(picture.trimap.values.copy())[None, None]


def timed(run: Callable[[], ResultT]) -> tuple[ResultT, float]:
    """Return what a call returns, and the processor's seconds for it: other work beside it does not count."""
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def input_of(network: LSANet, image: Tensor, trimap: Tensor) -> Tensor:
    """Return the network's input."""
    return network_input(image, trimap, network.size.guidance)


def output_of(network: LSANet, inputs: Tensor, gates: Gates | None = None) -> NDArray[np.float32]:
    """Return the network's matte."""
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    output: NDArray[np.float32] = network.decode(inputs, network.encode(inputs), gates=gates)[0, 0].clamp(0, 1).numpy()
    return output


def gates_at_half(network: LSANet, image: Tensor, trimap: Tensor) -> Gates:
    """Return the gates of every second row and column of an image and trimap."""
    inputs = input_of(network, image[..., ::2, ::2].contiguous(), trimap[..., ::2, ::2].contiguous())
    return network.decoder.gates(network.encode(inputs))


def computed(network: LSANet, picture: Picture) -> Whole:
    """Compute all of an image."""
    pair, seconds = tensors(picture), {}
    inputs, seconds["input"] = timed(lambda: input_of(network, *pair))
    alpha, seconds["network"] = timed(lambda: output_of(network, inputs))
    gates: dict[str, Gates] = {}
    gates["gates"], seconds["gates"] = timed(lambda: network.decoder.gates(network.encode(inputs)))
    gates["half"], seconds["half"] = timed(lambda: gates_at_half(network, *pair))
    return Whole(alpha, inputs, gates, seconds)


def matted_in(network: LSANet, picture: Picture, whole: Whole, way: str, box: Box) -> Matted:
    """Return the matte of a picture that is computed in a box alone."""
    seconds = 0.0
    if way == "own":
        inputs, seconds = timed(lambda: input_of(network, *(box.cut(one) for one in tensors(picture))))
    else:
        inputs, seconds = box.cut(whole.inputs), whole.seconds["input"] + whole.seconds.get(way, 0)
    output, more = timed(lambda: output_of(network, inputs, whole.gates.get(way)))
    return Matted(placed(output, picture, box), seconds + more)


def with_head_where_seen(network: LSANet, picture: Picture) -> str:
    """Return a row of a table: what a head that is computed only where something is seen saves, and changes."""
    pair = tensors(picture._replace(image=as_float_image(picture.image)))
    boxes = seen_boxes([picture.trimap])
    inputs, seconds = timed(lambda: input_of(network, *pair))
    features, more = timed(lambda: network.encode(inputs))
    seconds += more
    everywhere, of_all = timed(lambda: network.decode(inputs, features, rows=ROWS))
    in_boxes, of_boxes = timed(lambda: network.decode(inputs, features, rows=ROWS, boxes=boxes))
    unknown = torch.from_numpy(picture.trimap.unknown)
    difference = (in_boxes - everywhere)[..., unknown].abs().max()
    return (
        f"| {picture.name} | {unknown.float().mean():.2f} | {sum(box.area for box in boxes) / unknown.numel():.2f} | "
        f"{(seconds + of_boxes) / (seconds + of_all):.2f} | {difference:.0e} |"
    )


def refined_in(matter: lsa.Matter, picture: Picture, box: Box) -> Matted:
    """Return the matte of a picture that is refined in a box alone."""

    def refine() -> lsa.MatteResult:
        matter.set_image(np.ascontiguousarray(picture.image[box.top : box.bottom, box.left : box.right]))
        matter.set_trimap(lsa.Trimap(box.cut(picture.trimap.values).copy()))
        return matter.refine()

    result, seconds = timed(refine)
    return Matted(placed(result.alpha, picture, box), seconds)


def placed(part: NDArray[np.float32], picture: Picture, box: Box) -> NDArray[np.float32]:
    """Return a matte (H, W) with a part in a box of it, and what is known elsewhere."""
    alpha = picture.trimap.foreground.astype(np.float32)
    box.cut(alpha)[...] = part
    return alpha


def compared(matted: Matted, whole: Matted, picture: Picture, box: Box) -> tuple[float, ...]:
    """Return share of the image, mean and 99th percentile of the difference, time ratio, errors of box and whole."""
    unknown, truth = picture.trimap.unknown, picture.truth
    difference = np.abs(matted.alpha - whole.alpha)[unknown]
    mattes = (matted.alpha, whole.alpha)
    errors = [np.nan if truth is None else float(np.abs(alpha - truth)[unknown].mean()) for alpha in mattes]
    numbers = float(difference.mean()), float(np.quantile(difference, 0.99))
    return box.area / unknown.size, *numbers, matted.seconds / whole.seconds, *errors


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--refine", action="store_true", help="measure the refinement, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    matter = lsa.Matter(options.weights, device="cpu", dtype="float32", tiles="off")
    network = matter._runner().network
    print(f"## The head only where something is seen, {options.weights}\n")
    print("| image | unknown | boxes | time, of the whole's | largest difference |\n|---|---|---|---|---|")
    with torch.inference_mode():
        for picture in pictures(options.folder):
            with_head_where_seen(network, picture)  # the first run does not count
            print(with_head_where_seen(network, picture), flush=True)
    print()
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}

    def note(way: str, margin: int, row: tuple[float, ...]) -> None:
        found.setdefault((way, margin), []).append(row)

    for given in pictures(options.folder):
        picture = in_part(given, matter)
        boxes = {margin: box_of(picture.trimap, margin) for margin in MARGINS}
        with torch.inference_mode():
            whole = computed(network, picture)
            seconds = whole.seconds["input"] + whole.seconds["network"]
            for way, (margin, box) in product(WAYS, boxes.items()):
                matted = matted_in(network, picture, whole, way, box)
                note(WAYS[way], margin, compared(matted, Matted(whole.alpha, seconds), picture, box))
        if options.refine:
            frame = Box(0, picture.trimap.shape[0], 0, picture.trimap.shape[1])
            all_of_it = refined_in(matter, picture, frame)
            for margin, box in boxes.items():
                refined = refined_in(matter, picture, box)
                note("all from the box, refined", margin, compared(refined, all_of_it, picture, box))
        print(f"{picture.name} is done.", file=sys.stderr, flush=True)
    print(f"## Boxes of the unknown region, {options.weights}\n")
    print(
        "| computed | margin | share of the image | mean difference of alpha | the worst image's | 99th percentile | "
        "time, of the whole's | error to the truth | the whole's |\n|---|---|---|---|---|---|---|---|---|"
    )
    for (name, margin), rows in found.items():
        share, mean, high, ratio, error, whole_error = np.nanmean(rows, 0)
        worst = max(row[1] for row in rows)
        print(
            f"| {name} | {margin} | {share:.2f} | {mean:.4f} | {worst:.4f} | {high:.3f} | {ratio:.2f} | {error:.4f} | "
            f"{whole_error:.4f} |"
        )


if __name__ == "__main__":
    main()

"""Which parts of a large image are computed, and how much memory that takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lsa_engine.boxes import Box
from lsa_engine.errors import InputError
from lsa_engine.inference.cost import Boundary, Mask, Strokes, cost_masks
from lsa_engine.network import LSANet
from lsa_engine.network.context import ALIGNMENT, context
from lsa_engine.scalars import is_number
from lsa_engine.trimap import Trimap

SMALLEST_SIDE = 128

# Peak bytes for each pixel of a whole image or of a tile with its surroundings (benchmarks/memory.py): a plain pass,
# and a refinement.
_BYTES = {"lsanet-lite": (280, 900), "lsanet-r50d": (1000, 3000)}
_BYTES_OF_OTHERS = (1000, 3000)

Tiles = Literal["auto", "off"] | int
Masks = Callable[[Box], tuple[Mask, Mask, Mask] | None]


@dataclass(frozen=True)
class Tile:
    """A part of an image.

    Attributes
    ----------
    core : Box
        What it is computed for.
    place : Box
        What it is computed from: the core with all that its matte depends on around it.
    """

    core: Box
    place: Box


def checked_tiles(tiles: Tiles, memory_limit: float) -> None:
    """Refuse settings that make no sense.

    Raises
    ------
    InputError
        If `tiles` is not "auto", "off" or a size of at least 128 pixels, or the limit is not a positive number.
    """
    named = isinstance(tiles, str) and tiles in ("auto", "off")
    if not (named or (is_number(tiles) and SMALLEST_SIDE <= float(tiles) < math.inf)):
        raise InputError(f"Got tiles={tiles!r}, expected 'auto', 'off' or a size in pixels, {SMALLEST_SIDE} or more.")
    if not (is_number(memory_limit) and memory_limit > 0):
        raise InputError(f"Got a memory limit of {memory_limit!r} GB, expected a positive number; the default is 4.")


def expected_bytes(network: LSANet, shape: tuple[int, int], *, refining: bool) -> int:
    """Return about how much memory an image takes that is computed at once, with gradients or without."""
    return shape[0] * shape[1] * _BYTES.get(network.size.name, _BYTES_OF_OTHERS)[int(refining)]


def chosen_side(
    tiles: Tiles, memory_limit: float, network: LSANet, shape: tuple[int, int], *, refining: bool
) -> int | None:
    """Return the side of the tiles that an image is computed in, None for the whole at once.

    Parameters
    ----------
    tiles : {"auto", "off"} or int
        "auto": the whole image where that fits into the limit, tiles that take half of it otherwise.
    memory_limit : float
        Most memory that a computation may take beside its image and its results, in 10⁹ bytes.
    network : LSANet
        What computes.
    shape : (int, int)
        Height and width of the image.
    refining : bool
        Whether gradients are needed.
    """
    if tiles == "off":
        return None
    if tiles != "auto":
        side = -(-int(tiles) // ALIGNMENT) * ALIGNMENT
        return side if max(shape) > side else None
    limit = memory_limit * 1e9
    if expected_bytes(network, shape, refining=refining) <= limit:
        return None
    side = int((limit / 2 / expected_bytes(network, (1, 1), refining=refining)) ** 0.5) - 2 * context(network.size)
    return max(SMALLEST_SIDE, side // ALIGNMENT * ALIGNMENT)


def smaller_side(side: int | None, shape: tuple[int, int]) -> int | None:
    """Return the side to try after one that did not fit (None: the whole image); None if there is nothing smaller."""
    smaller = min(side, max(shape)) // 2 if side is not None else min(1024, max(shape) // 2)
    smaller = smaller // ALIGNMENT * ALIGNMENT
    return smaller if smaller >= SMALLEST_SIDE else None


def masks_within(trimap: Trimap, boundary: Boundary, strokes: Strokes | None = None) -> Masks:
    """Return a function from a part of an image to its masks (:func:`~lsa_engine.inference.cost.cost_masks`).

    It returns None where they are empty.
    """
    values = trimap.values

    def masks(box: Box) -> tuple[Mask, Mask, Mask] | None:
        around = box.grown(1, trimap.shape)
        near = around.cut(values)
        here = None if strokes is None else (box.cut(strokes[0]), box.cut(strokes[1]))
        stroked = here is not None and (here[0].any() or here[1].any())
        if near.min() == near.max() != 128 and not stroked:
            return None
        inside = box.within(around)
        background, foreground, unknown = (inside.cut(mask) for mask in cost_masks(Trimap(near), boundary))
        if here is not None:
            background, foreground = background | here[0], foreground | here[1]
        found = (background, foreground, unknown)
        return found if any(mask.any() for mask in found) else None

    return masks


def plan_tiles(masks: Masks, shape: tuple[int, int], side: int, network: LSANet) -> list[Tile]:
    """Return the tiles that hold every pixel of the masks, none larger than `side`, and none where there is nothing."""
    cores: list[Box] = []
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            cell = Box(top, min(top + side, shape[0]), left, min(left + side, shape[1]))
            found = masks(cell)
            if found is not None:
                cores.append(_bounds(found[0] | found[1] | found[2], cell))
    reach = context(network.size)
    return [Tile(core, core.grown(reach, shape)) for core in _joined(cores, side)]


def _joined(cores: list[Box], side: int) -> list[Box]:
    """Return boxes of which those are one that lie side by side and fit into one tile together."""
    waiting = list(cores)
    done: list[Box] = []
    while waiting:
        core = waiting.pop(0)
        for other in waiting:
            union = core.union(other)
            fits = max(union.bottom - union.top, union.right - union.left) <= side
            if fits and not any(union.meets(third) for third in [*waiting, *done] if third is not other):
                waiting.remove(other)
                waiting, done = [union, *done, *waiting], []
                break
        else:
            done.append(core)
    return done


def _bounds(mask: Mask, cell: Box) -> Box:
    """Return the smallest aligned box that holds a cell's mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))

    def outward(first: int, last: int, start: int, stop: int) -> tuple[int, int]:
        return start + first // ALIGNMENT * ALIGNMENT, min(stop, start + (last // ALIGNMENT + 1) * ALIGNMENT)

    vertical = outward(int(rows[0]), int(rows[-1]), cell.top, cell.bottom)
    horizontal = outward(int(columns[0]), int(columns[-1]), cell.left, cell.right)
    return Box(*vertical, *horizontal)

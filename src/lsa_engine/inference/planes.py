"""From a network's output to what a user gets: the matte, and maps beside it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.boxes import Box, cover
from lsa_engine.inference.cost import cost_masks, wanted_pixels
from lsa_engine.inference.sinks import Sink, new_sink
from lsa_engine.inference.tiling import masks_within
from lsa_engine.trimap import Trimap

_MIXED = 4  # pixels, even; an enlarged copy is reduced again with bilinear weights that reach two of its own

Parts = list[tuple[Box, Tensor]]
"""A matte where it was computed: boxes of the image, and (1, 1, h, w) in each, not clamped."""


def write_matte(output: Tensor | Parts, trimap: Trimap, sink: Sink) -> None:
    """Write an output (1, 1, H, W), or its parts, clamped to [0, 1], with the known pixels as the trimap has them."""
    if not isinstance(output, Tensor):
        sink.write_known(trimap.values)
    for box, part in _parts(output, trimap):
        write_part(box, part, trimap, sink)


def matte_plane(output: Tensor | Parts, trimap: Trimap) -> NDArray[np.float32]:
    """Return what :func:`write_matte` writes as a new array (H, W)."""
    sink = new_sink(trimap.shape)
    write_matte(output, trimap, sink)
    plane: NDArray[np.float32] = sink.array
    return plane


def write_part(box: Box, output: Tensor, trimap: Trimap, sink: Sink) -> None:
    """Write an output (1, 1, h, w) into a box, clamped to [0, 1], with the known pixels as the trimap has them."""
    alpha, values = _clamped(output), box.cut(trimap.values)
    alpha[values == 255] = 1
    alpha[values == 0] = 0
    sink.write(box, alpha)


class Violation:
    """How far a matte is from 0 and 1 on the borders of the known regions (Assumption 2), collected part by part.

    Attributes
    ----------
    map : (H, W) float32
        The distance, 0 elsewhere.
    """

    def __init__(self, trimap: Trimap) -> None:
        self.map = np.zeros(trimap.shape, np.float32)
        self._masks = masks_within(trimap, "paper")
        self._sum, self._count = 0.0, 0

    def take(self, box: Box, output: Tensor) -> None:
        """Take an output (1, 1, h, w) in a box."""
        found = self._masks(box)
        if found is None:
            return
        background, foreground, _ = found
        raw, here = _clamped(output), box.cut(self.map)
        here[background] = raw[background]
        here[foreground] = 1 - raw[foreground]
        borders = here[background | foreground]
        self._sum, self._count = self._sum + float(borders.sum(dtype=np.float64)), self._count + borders.size

    def mean(self) -> float:
        """Return the mean on the borders."""
        return self._sum / max(self._count, 1)


def violation_of(output: Tensor | Parts, trimap: Trimap) -> Violation:
    """Return how far an output (1, 1, H, W), or parts of one that hold the borders, is from Assumption 2."""
    violation = Violation(trimap)
    for box, part in _parts(output, trimap):
        violation.take(box, part)
    return violation


def seen_boxes(trimaps: Iterable[Trimap]) -> list[Box]:
    """Return boxes that hold all that is seen of mattes of these trimaps (H, W).

    These are the unknown pixels and the known ones at borders, on which the violation is told, with a few around them
    that are mixed in where a matte is resized.
    """
    seen = wanted_pixels([mask for trimap in trimaps for mask in cost_masks(trimap, "paper")])
    return [box.grown(_MIXED, seen.shape) for box in cover(seen)]


def spread_of(spread: Tensor | None, trimap: Trimap) -> NDArray[np.float32] | None:
    """Return a spread (1, 1, H, W) as an array, 0 where the trimap is known."""
    if spread is None:
        return None
    return np.where(trimap.unknown, spread[0, 0].float().cpu().numpy(), np.float32(0))


def _parts(output: Tensor | Parts, trimap: Trimap) -> Parts:
    return [(Box(0, trimap.shape[0], 0, trimap.shape[1]), output)] if isinstance(output, Tensor) else output


def _clamped(output: Tensor) -> NDArray[np.float32]:
    clamped: NDArray[np.float32] = output[0, 0].float().clamp(0, 1).cpu().numpy()
    return clamped

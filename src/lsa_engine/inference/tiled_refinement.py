"""Backpropagating refinement (§4.3) over tiles: one A and B for the whole image, gradients added up tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lsa_engine.boxes import Box, cover
from lsa_engine.inference.cost import Cost, CostScale, CostTerms, Mask, Strokes, wanted_pixels
from lsa_engine.inference.descent import Tensors, largest_move
from lsa_engine.inference.planes import Parts
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.tiled import TiledImage
from lsa_engine.inference.tiling import Tile, masks_within, plan_tiles
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap


@dataclass
class _Piece:
    """A tile, what it adds to the cost, and its matte: at first, now, the time before, and the one to keep."""

    tile: Tile
    boxes: list[Box]
    terms: CostTerms
    initial: list[Tensor]
    now: list[Tensor]
    previous: list[Tensor]
    kept: list[Tensor]


class TiledObjective:
    """A matte in tiles, and what it costs (:class:`~lsa_engine.inference.descent.Objective`).

    Parameters
    ----------
    tiled : TiledImage
        The image.
    trimap : Trimap
        What counts, which may have been edited since.
    settings : Refinement
        Boundary rule and weight of C2.
    side : int
        Of the largest tile.
    room : float
        Bytes that prepared decoders may take; those beyond are prepared anew for each pass.
    steps : Steps
        May cancel.
    strokes : (array, array), optional
        (H, W) bool, pixels that count beside the borders.
    """

    def __init__(
        self,
        tiled: TiledImage,
        trimap: Trimap,
        settings: Refinement,
        side: int,
        room: float,
        steps: Steps,
        strokes: Strokes | None = None,
    ) -> None:
        self.device = tiled.runner.device
        self._tiled, self._steps, self._room = tiled, steps, room
        self._ready: dict[int, PreparedDecoder] = {}
        masks = masks_within(trimap, settings.boundary, strokes)
        borders = masks_within(trimap, "paper")

        def wanted(box: Box) -> tuple[Mask, Mask, Mask] | None:
            # The violation of Assumption 2 is told on the paper's borders, whatever the rule of the cost.
            first, second = masks(box), borders(box)
            if first is None or second is None:
                return first or second
            return first[0] | second[0], first[1] | second[1], first[2]

        network = tiled.runner.network
        zeros = {
            stage: (torch.zeros(1, *shape, device=self.device), torch.zeros(1, *shape, device=self.device))
            for stage, shape in network.refinement_shapes().items()
        }
        self._pieces: list[_Piece] = []
        for tile in plan_tiles(wanted, trimap.shape, side, network):
            found = wanted(tile.core)
            counted = masks(tile.core) or tuple(np.zeros_like(mask) for mask in found or ())
            if found is None or len(counted) != 3:
                continue
            inside = tile.core.within(tile.place)
            boxes = [box.shifted(inside.top, inside.left) for box in cover(wanted_pixels(found))]
            prepared = self._prepare(tile, boxes)
            with torch.no_grad(), tiled.runner.precision():
                initial = _held(prepared(zeros))
            background, foreground, unknown = (_placed(mask, tile) for mask in counted)
            terms = CostTerms((background, foreground, unknown), boxes, initial, settings.boundary)
            self._pieces.append(_Piece(tile, boxes, terms, initial, [], [], []))
            self._remember(len(self._pieces) - 1, prepared)
        terms_of_all = [piece.terms for piece in self._pieces]
        self._scale = CostScale.of(terms_of_all, settings.boundary, settings.fidelity_weight)
        self.initial: Parts = self._parts([piece.initial for piece in self._pieces])
        self._sums = torch.zeros(2)
        self._tensors: Tensors = {}

    def evaluate(self, tensors: Tensors, *, gradient: bool) -> Cost:
        """Compute the matte of these tensors, tile by tile."""
        sums, mattes = torch.zeros(2), []
        for number, piece in enumerate(self._pieces):
            with torch.no_grad(), self._tiled.runner.precision():
                mattes.append(_held(self._prepared(number)(tensors)))
            sums += piece.terms.sums(mattes[-1])
        for piece, matte in zip(self._pieces, mattes, strict=True):
            piece.previous, piece.now = piece.now, matte
        self._sums, self._tensors = sums, tensors
        return self._scale.numbers(sums)

    def backward(self) -> None:
        """Add the gradient of the cost evaluated last, which is not linear in the sums, from every tile."""
        sums = self._sums.clone().requires_grad_()
        self._scale.parts(sums)[0].backward()
        weights = torch.zeros(2) if sums.grad is None else sums.grad
        for number, piece in enumerate(self._pieces):
            with torch.enable_grad(), self._tiled.runner.precision():
                outputs = [output.float().cpu() for output in self._prepared(number)(self._tensors)]
                (piece.terms.sums(outputs) * weights).sum().backward()

    def moved(self) -> float:
        """Return how far any pixel moved between the last two evaluations; infinity after the first."""
        if not all(piece.previous for piece in self._pieces):
            return math.inf
        return max(largest_move(piece.now, piece.previous) for piece in self._pieces)

    def keep(self) -> None:
        """Keep the matte evaluated last."""
        for piece in self._pieces:
            piece.kept = piece.now

    def kept(self) -> Parts:
        """Return the matte kept last."""
        return self._parts([piece.kept or piece.initial for piece in self._pieces])

    def initial_cost(self) -> Cost:
        """Return the cost of the initial matte."""
        sums = torch.stack([piece.terms.sums(piece.initial) for piece in self._pieces]).sum(0)
        return self._scale.numbers(sums)

    def _prepare(self, tile: Tile, boxes: list[Box]) -> PreparedDecoder:
        prepared = self._tiled.prepare(tile, self._steps)
        with torch.no_grad(), self._tiled.runner.precision():
            prepared.want_boxes(boxes)
        prepared.settle()
        return prepared

    def _prepared(self, number: int) -> PreparedDecoder:
        self._steps.check()
        if number in self._ready:
            return self._ready[number]
        piece = self._pieces[number]
        return self._prepare(piece.tile, piece.boxes)

    def _remember(self, number: int, prepared: PreparedDecoder) -> None:
        taken = sum(ready.nbytes for ready in self._ready.values())
        if taken + prepared.nbytes <= self._room:
            self._ready[number] = prepared

    def _parts(self, mattes: Sequence[Sequence[Tensor]]) -> Parts:
        return [
            (box.shifted(piece.tile.place.top, piece.tile.place.left), part)
            for piece, matte in zip(self._pieces, mattes, strict=True)
            for box, part in zip(piece.boxes, matte, strict=True)
        ]


def _held(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return parts of a matte as they are kept: on the processor."""
    return [output.detach().float().cpu() for output in outputs]


def _placed(mask: Mask, tile: Tile) -> Mask:
    """Return the mask of a tile's core as one of all that it is computed from."""
    place = tile.place
    placed = np.zeros((place.bottom - place.top, place.right - place.left), bool)
    tile.core.within(place).cut(placed)[...] = mask
    return placed

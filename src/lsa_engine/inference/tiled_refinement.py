"""Backpropagating refinement (§4.3) over tiles: one A and B for the whole image, gradients added up tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lsa_engine.boxes import Box, cover
from lsa_engine.inference.correction import Standing
from lsa_engine.inference.cost import Cost, CostScale, CostTerms, Mask, Strokes, wanted_pixels
from lsa_engine.inference.descent import Tensors, largest_move
from lsa_engine.inference.mosaic import Mosaic, standing_terms
from lsa_engine.inference.nearby import HeldCells, Region
from lsa_engine.inference.planes import Parts
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.tiled import TiledImage
from lsa_engine.inference.tiled_decoders import Decoders, Kept
from lsa_engine.inference.tiling import Masks, Tile, masks_within, plan_tiles
from lsa_engine.network.context import ALIGNMENT, context
from lsa_engine.network.prepared import PreparedDecoder
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap

_MARGIN = 96
"""Pixels around what an edit moves that a decoder is prepared for, too: the next stroke is often beside the last."""


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
    decoders : Decoders
        What is prepared already, and the memory that prepared decoders may take; those beyond are prepared anew for
        each pass.
    steps : Steps
        May cancel.
    strokes : (array, array), optional
        (H, W) bool, pixels that count beside the borders.
    nearby : (Region, Standing), optional
        What an edit moves, and what stands outside of it, which counts in the cost and stays as it is.
    """

    def __init__(
        self,
        tiled: TiledImage,
        trimap: Trimap,
        settings: Refinement,
        side: int,
        decoders: Decoders,
        steps: Steps,
        strokes: Strokes | None = None,
        nearby: tuple[Region, Standing] | None = None,
    ) -> None:
        self.device = tiled.runner.device
        self._tiled, self._steps, self._decoders, self._nearby = tiled, steps, decoders, nearby
        self._ready: dict[int, PreparedDecoder] = {}
        everywhere = masks_within(trimap, settings.boundary, strokes)
        taken: list[Box] = []
        masks, borders = (
            _limited(every, None if nearby is None else nearby[0].mask, taken)
            for every in (everywhere, masks_within(trimap, "paper"))
        )

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
        self._in_use: list[Kept] = []

        def add(tile: Tile, kept: Kept | None, waiting: int) -> bool:
            """Add a tile, if there is something to do in it; `waiting` pixels are still to be prepared with it."""
            found = wanted(tile.core)
            counted = masks(tile.core) or tuple(np.zeros_like(mask) for mask in found or ())
            if found is None or len(counted) != 3:
                return False
            inside = tile.core.within(tile.place)
            boxes = [box.shifted(inside.top, inside.left) for box in cover(wanted_pixels(found))]
            prepared = self._ask(kept.decoder, boxes) if kept else self._prepare(tile, boxes)
            with torch.no_grad(), tiled.runner.precision():
                initial = _held(prepared(zeros))
            background, foreground, unknown = (_placed(mask, tile) for mask in counted)
            terms = CostTerms(
                (background, foreground, unknown),
                boxes,
                initial,
                settings.boundary,
                leads_back=settings.method == "fast",
            )
            self._pieces.append(_Piece(tile, boxes, terms, initial, [], [], []))
            self._remember(len(self._pieces) - 1, kept or Kept(tile, prepared), waiting)
            return True

        for kept in decoders.recent():
            if add(kept.tile, kept, 0):
                decoders.use(kept)
                taken.append(kept.tile.core)
        planned = plan_tiles(wanted, trimap.shape, side, network)
        if nearby is not None:
            planned = [_with_margin(tile, side, trimap.shape, context(network.size)) for tile in planned]
        for number, tile in enumerate(planned):
            if add(tile, None, sum(later.place.area for later in planned[number:])):
                taken.append(tile.core)
        terms_of_all = [piece.terms for piece in self._pieces]
        self._sums_outside = torch.zeros(2)
        self._hold: Callable[[Tensors], Tensors] = dict
        if nearby is not None:
            region, standing = nearby
            self._hold = HeldCells(region, standing.refined.tensors)
            outside, self._sums_outside = standing_terms(
                Mosaic(standing.initial, standing.trimap),
                Mosaic(standing.refined.output, standing.trimap),
                _limited(everywhere, ~region.mask, []),
                settings.boundary,
            )
            terms_of_all += outside
        self._scale = CostScale.of(terms_of_all, settings.boundary, settings.fidelity_weight)
        self.initial: Parts = self._parts(
            [piece.initial for piece in self._pieces], None if nearby is None else nearby[1].initial
        )
        self._sums = torch.zeros(2)
        self._tensors: Tensors = {}

    def evaluate(self, tensors: Tensors, *, gradient: bool) -> Cost:
        """Compute the matte of these tensors, tile by tile."""
        sums, mattes = self._sums_outside.clone(), []
        for number, piece in enumerate(self._pieces):
            with torch.no_grad(), self._tiled.runner.precision():
                mattes.append(_held(self._prepared(number)(self._hold(tensors))))
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
                outputs = [output.float().cpu() for output in self._prepared(number)(self._hold(self._tensors))]
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
        kept = [piece.kept or piece.initial for piece in self._pieces]
        return self._parts(kept, None if self._nearby is None else self._nearby[1].refined.output)

    def initial_cost(self) -> Cost:
        """Return the cost of the initial matte."""
        sums = torch.stack([piece.terms.sums(piece.initial) for piece in self._pieces]).sum(0)
        return self._scale.numbers(sums + self._sums_outside)

    def _prepare(self, tile: Tile, boxes: list[Box]) -> PreparedDecoder:
        return self._ask(self._tiled.prepare(tile, self._steps), boxes)

    def _ask(self, prepared: PreparedDecoder, boxes: list[Box]) -> PreparedDecoder:
        prepared.check = self._steps.check
        with torch.no_grad(), self._tiled.runner.precision():
            prepared.want_boxes(boxes)
        return prepared

    def _prepared(self, number: int) -> PreparedDecoder:
        self._steps.check()
        if number in self._ready:
            return self._ready[number]
        piece = self._pieces[number]
        prepared = self._prepare(piece.tile, piece.boxes)
        prepared.settle()
        return prepared

    def _remember(self, number: int, kept: Kept, waiting: int) -> None:
        """Keep a decoder for edits if all others of this matte will fit, too; else for this matte, settled."""
        decoder = kept.decoder
        if any(kept is known for known in self._decoders.recent()):
            self._ready[number] = decoder
            self._in_use.append(kept)
            return
        expected = decoder.nbytes / kept.tile.place.area * waiting + sum(used.decoder.nbytes for used in self._in_use)
        if expected <= self._decoders.room and self._decoders.keep(kept, self._in_use):
            self._ready[number] = decoder
            self._in_use.append(kept)
            return
        decoder.settle()
        taken = sum(ready.nbytes for ready in self._ready.values())
        if taken + decoder.nbytes <= self._decoders.room:
            self._ready[number] = decoder
            self._decoders.shrink(self._decoders.room - taken - decoder.nbytes, self._in_use)

    def _parts(self, mattes: Sequence[Sequence[Tensor]], standing: Parts | None) -> Parts:
        """Return the parts of a matte; those of the one that stands with these put in, where there is one."""
        parts = [
            (box.shifted(piece.tile.place.top, piece.tile.place.left), part)
            for piece, matte in zip(self._pieces, mattes, strict=True)
            for box, part in zip(piece.boxes, matte, strict=True)
        ]
        if standing is None or self._nearby is None:
            return parts
        mosaic = Mosaic(standing, self._nearby[1].trimap)
        for box, part in parts:
            mosaic.paste(box, part, box.cut(self._nearby[0].mask))
        return mosaic.parts()


def _held(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return parts of a matte as they are kept: on the processor."""
    return [output.detach().float().cpu() for output in outputs]


def _limited(masks: Masks, where: Mask | None, taken: list[Box]) -> Masks:
    """Return masks of the pixels of a mask (H, W) alone, without those in boxes that are taken when it is asked."""

    def limited(box: Box) -> tuple[Mask, Mask, Mask] | None:
        found = masks(box)
        if found is None or (where is None and not taken):
            return found
        free = np.ones(found[0].shape, bool) if where is None else box.cut(where).copy()
        for other in taken:
            if other.meets(box):
                inside = other.within(box)
                free[max(0, inside.top) : inside.bottom, max(0, inside.left) : inside.right] = False
        background, foreground, unknown = (mask & free for mask in found)
        found = (background, foreground, unknown)
        return found if any(mask.any() for mask in found) else None

    return limited


def _with_margin(tile: Tile, side: int, shape: tuple[int, int], reach: int) -> Tile:
    """Return a tile that is larger by a margin, as far as the largest tile goes."""
    core = tile.core
    length = max(core.bottom - core.top, core.right - core.left)
    margin = max(0, min(_MARGIN, (side - length) // 2)) // ALIGNMENT * ALIGNMENT
    grown = core.grown(margin, shape)
    return Tile(grown, grown.grown(reach, shape))


def _placed(mask: Mask, tile: Tile) -> Mask:
    """Return the mask of a tile's core as one of all that it is computed from."""
    place = tile.place
    placed = np.zeros((place.bottom - place.top, place.right - place.left), bool)
    tile.core.within(place).cut(placed)[...] = mask
    return placed

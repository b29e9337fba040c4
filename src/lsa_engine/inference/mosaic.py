"""A matte in blocks, of which those that an edit does not touch are shared with the matte before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.inference.cost import Boundary, Cost, CostScale, CostTerms, Mask, Strokes, cost_masks
from lsa_engine.inference.planes import Parts
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.tiling import Masks, masks_within
from lsa_engine.trimap import Trimap

_BLOCK = 128


class Mosaic:
    """A matte (H, W) in square blocks, as far as it was computed.

    Parameters
    ----------
    parts : list of (Box, Tensor)
        What was computed, on the processor; the tensors are left as they are.
    trimap : Trimap
        Where it is known, and nothing was computed, the matte is what it says.
    """

    def __init__(self, parts: Parts, trimap: Trimap) -> None:
        self._values = trimap.values
        self._blocks: dict[Box, Tensor] = {}
        self._own: set[Box] = set()
        for box, part in parts:
            if self._whole(box):
                self._blocks[box] = part
            else:
                self.paste(box, part)

    def paste(self, box: Box, part: Tensor, where: Mask | None = None) -> None:
        """Put a part (1, 1, h, w) into a box, or only those of its pixels that a mask (h, w) holds."""
        for block in self._meeting(box):
            both = Box(
                max(box.top, block.top),
                min(box.bottom, block.bottom),
                max(box.left, block.left),
                min(box.right, block.right),
            )
            if where is not None and not both.within(box).cut(where).any():
                continue
            mine, theirs = both.within(block).cut(self._written(block)), both.within(box).cut(part)
            if where is not None:
                theirs = torch.where(torch.from_numpy(both.within(box).cut(where)), theirs, mine)
            mine.copy_(theirs)

    def at(self, block: Box) -> Tensor:
        """Return the matte (1, 1, h, w) in a block, as the trimap says where nothing was computed."""
        if block not in self._blocks:
            self._blocks[block] = torch.from_numpy(block.cut(self._values) / 255.0).float()[None, None]
            self._own.add(block)
        return self._blocks[block]

    def need(self, masks: Masks) -> None:
        """Have a block wherever there are pixels of the masks."""
        frame = Box(0, self._values.shape[0], 0, self._values.shape[1])
        for block in self._meeting(frame):
            if block not in self._blocks and masks(block) is not None:
                self.at(block)

    def parts(self) -> Parts:
        """Return the blocks."""
        return list(self._blocks.items())

    def _written(self, block: Box) -> Tensor:
        tensor = self.at(block)
        if block not in self._own:
            tensor = self._blocks[block] = tensor.clone()
            self._own.add(block)
        return tensor

    def _meeting(self, box: Box) -> Iterator[Box]:
        height, width = self._values.shape
        for top in range(box.top // _BLOCK * _BLOCK, box.bottom, _BLOCK):
            for left in range(box.left // _BLOCK * _BLOCK, box.right, _BLOCK):
                yield Box(top, min(top + _BLOCK, height), left, min(left + _BLOCK, width))

    def _whole(self, box: Box) -> bool:
        return next(self._meeting(box), None) == box


def standing_terms(initial: Mosaic, output: Mosaic, masks: Masks, boundary: Boundary) -> tuple[list[CostTerms], Tensor]:
    """Return what the blocks of a matte that stands add to its cost, and their sums (2,)."""
    all_terms, sums = [], torch.zeros(2)
    for block, part in output.parts():
        found = masks(block)
        if found is not None:
            here = Box(0, block.bottom - block.top, 0, block.right - block.left)
            terms = CostTerms(found, [here], [initial.at(block)], boundary)
            all_terms.append(terms)
            sums += terms.sums([part])
    return all_terms, sums


class Stood(NamedTuple):
    """A matte that stands after an edit: the initial one, its output, and what that costs now."""

    initial: Tensor | Parts
    output: Tensor | Parts
    cost: Cost


def stand(
    initial: Tensor | Parts,
    output: Tensor | Parts,
    before: Trimap,
    edited: Trimap,
    strokes: Strokes,
    settings: Refinement,
) -> Stood:
    """Return a matte as it stands after an edit, without a pass; what was known before is as it was."""
    newly = edited.unknown & ~before.unknown
    known = torch.from_numpy(before.foreground).float()[None, None]
    if isinstance(initial, Tensor) and isinstance(output, Tensor):
        frame = Box(0, edited.shape[0], 0, edited.shape[1])
        masks = cost_masks(edited, settings.boundary, strokes)
        terms = [CostTerms(masks, [frame], [initial], settings.boundary)]
        output = torch.where(torch.from_numpy(newly).to(output.device), known.to(output.device), output)
        sums = terms[0].sums([output])
    else:
        assert not isinstance(initial, Tensor) and not isinstance(output, Tensor)
        mattes = Mosaic(initial, before), Mosaic(output, before)
        within = masks_within(edited, settings.boundary, strokes)
        for matte in mattes:
            matte.need(within)
        for block, _ in mattes[1].parts():
            mattes[1].paste(block, block.cut(known), block.cut(newly))
        terms, sums = standing_terms(*mattes, within, settings.boundary)
        initial, output = (matte.parts() for matte in mattes)
    scale = CostScale.of(terms, settings.boundary, settings.fidelity_weight)
    return Stood(initial, output, scale.numbers(sums))

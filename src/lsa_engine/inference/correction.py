"""Live correction (§4.3): strokes on the trimap bend the decoder further, from where it was, without a new encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.errors import InputError
from lsa_engine.inference.refinement import Refined, Refinement, RefinementCost, Tensors, descend
from lsa_engine.network.prepared import Box
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap

_MOST_UNDONE = 50


class LiveCorrection:
    """An image that was encoded once, and the refinement tensors that edits of its trimap have led to.

    Parameters
    ----------
    decode : callable
        From refinement tensors to the output in the boxes that were asked for last.
    aim : callable
        Takes a mask (H, W) of the pixels to be computed from now on and returns their boxes.
    shapes : dict
        Shape of A and B after each refined stage.
    initial : Tensor
        (1, 1, H, W), output of the untouched network.
    trimap : Trimap
        The one that was encoded.
    refined : Refined
        How it was refined.
    """

    def __init__(
        self,
        decode: Callable[[Tensors], Sequence[Tensor]],
        aim: Callable[[NDArray[np.bool_]], Sequence[Box]],
        shapes: dict[int, tuple[int, int, int]],
        initial: Tensor,
        trimap: Trimap,
        refined: Refined,
    ) -> None:
        self._decode, self._aim, self._shapes = decode, aim, shapes
        self.initial = initial
        self.encoded = self.trimap = trimap
        self.refined = refined
        self._past: list[tuple[Trimap, Refined]] = []

    def correct(self, edited: Trimap, settings: Refinement, steps: Steps, began: float) -> Refined:
        """Return the refinement after an edit: every pixel that is known otherwise than when encoded counts in C1.

        Raises
        ------
        InputError
            If the edited trimap has another size.
        """
        if edited.shape != self.encoded.shape:
            sizes = [f"{height} × {width}" for height, width in (edited.shape, self.encoded.shape)]
            raise InputError(
                f"Got an edited trimap of {sizes[0]} pixels for an image of {sizes[1]}, expected the same size; edit "
                "the trimap that was matted, or call set_trimap."
            )
        changed = edited.values != self.encoded.values
        strokes = (changed & edited.background, changed & edited.foreground)
        borders = edited.boundaries(settings.boundary)
        boxes = self._aim(edited.unknown | borders[0] | borders[1] | strokes[0] | strokes[1])
        cost = RefinementCost(
            edited, self.initial, settings.boundary, settings.fidelity_weight, boxes=boxes, strokes=strokes
        )
        start = self.refined.tensors
        refined = descend(self._decode, self._shapes, cost, self.initial, settings, steps, began, start)
        self._past = [*self._past[1 - _MOST_UNDONE :], (self.trimap, self.refined)]
        self.trimap, self.refined = edited, refined
        return refined

    def undo(self) -> Refined:
        """Go back to before the last edit.

        Raises
        ------
        InputError
            If there is none.
        """
        if not self._past:
            raise InputError("Got a request to undo, expected a correction before it; there is none left to undo.")
        self.trimap, self.refined = self._past.pop()
        # No pass was needed to come here.
        return replace(self.refined, before=self.refined.after, evaluations=0)

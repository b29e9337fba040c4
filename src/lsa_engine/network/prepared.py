"""The decoder of one image, with all that no refinement tensor can change computed beforehand (§4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.boxes import Box, cover
from lsa_engine.errors import InputError
from lsa_engine.network.decoder import DecoderStage, Gates, Refinements, opened_gates
from lsa_engine.network.lsanet import LSANet

_HALO = 6  # three convolutions, bilinear doubling, and even
_LEVELS = (4, 3, 2, 1)


class _CutAll(torch.autograd.Function):
    """Cut many boxes out of one plane; their gradients are summed in one tensor, not in one for each."""

    @staticmethod
    def forward(context: Any, plane: Tensor, boxes: Sequence[Box]) -> tuple[Tensor, ...]:
        """Return the boxes' parts of a plane (N, C, H, W)."""
        context.boxes, context.shape = boxes, plane.shape
        return tuple(box.cut(plane).clone() for box in boxes)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the plane's gradient."""
        return _paste(context.shape, context.boxes, gradients), None


class _PasteAll(torch.autograd.Function):
    """Put boxes that do not overlap into a plane of zeros."""

    @staticmethod
    def forward(context: Any, shape: Sequence[int], boxes: Sequence[Box], *parts: Tensor) -> Tensor:
        """Return the plane (N, C, H, W)."""
        context.boxes = boxes
        return _paste(shape, boxes, parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the parts' gradients."""
        return (None, None, *(box.cut(gradient) for box in context.boxes))


def _paste(shape: Sequence[int], boxes: Sequence[Box], parts: Sequence[Tensor]) -> Tensor:
    total = torch.zeros(tuple(shape), dtype=parts[0].dtype, device=parts[0].device).contiguous(
        memory_format=torch.channels_last
    )
    for box, part in zip(boxes, parts, strict=True):
        box.cut(total).add_(part)
    return total


class PreparedDecoder:
    """Decoder and head for one image, as a function of the refinement tensors alone.

    The first stage and, of every later convolution, the part that acts on the skip or on the network's input lie before
    or beside every refinement module: they are computed once. The head is computed only where it is wanted.

    With live gates the numbers are those of :meth:`LSANet.decode` up to rounding. With frozen gates, every stage's gate
    stays as it is without refinement; a pixel then depends on what lies near it alone, and every stage is computed only
    as far as is wanted, with the same numbers there as if it were computed everywhere.

    Nothing is wanted until :meth:`want` was called; call it again when :attr:`gates` were replaced. With frozen gates,
    :meth:`settle` then lets go of everything else.

    Parameters
    ----------
    network : LSANet
        Evaluating, its batch normalisations folded (:func:`fold_batch_norm`).
    inputs : Tensor
        (1, C, H, W), the network's input.
    features : sequence of Tensor
        What :meth:`LSANet.encode` gave for it.
    gates : {"live", "frozen"} or mapping of int to Tensor
        Whether the stages' gates follow the refinement; or the gates of every stage, frozen as they are given.
    place : (Box, (int, int)), optional
        Where `inputs` were cut out of a larger image, and the height and width of that: A and B reach over all of it.
        Beginning at multiples of 32, and ending there or where the image ends.
    check : callable, optional
        Called between parts of the work, forth and back; may raise to stop. Can be replaced as :attr:`check`.
    """

    def __init__(
        self,
        network: LSANet,
        inputs: Tensor,
        features: Sequence[Tensor],
        gates: Literal["live", "frozen"] | Gates = "live",
        place: tuple[Box, tuple[int, int]] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._stages = {int(name): cast(DecoderStage, stage) for name, stage in network.decoder.stages.items()}
        self._head = network.head
        self._inputs = inputs
        height, width = inputs.shape[-2:]
        self._place, self._whole_size = place or (Box(0, height, 0, width), (height, width))
        self.check = check
        self.gates: Gates | None = None if isinstance(gates, str) else gates
        self._deepest = self._stages[5](features[4], None if self.gates is None else self.gates[5])
        self._beside: dict[int, Tensor] = {}
        self._above: dict[int, Tensor] = {}
        for level in _LEVELS:
            check()
            convolution, skip = self._stages[level].conv, features[level - 1]
            of_skip, self._above[level] = _split(convolution.weight, skip.shape[1])
            self._beside[level] = F.conv2d(skip, of_skip, convolution.bias, padding=1)
        self._of_inputs, self._of_stage1 = _split(network.head.conv1.weight, inputs.shape[1])
        self._sizes = {level: (part.shape[-2], part.shape[-1]) for level, part in self._beside.items()}
        self.boxes: list[Box] = []
        self._given: list[Tensor] = []
        if gates == "frozen":
            self.gates = network.decoder.gates(features)

    def gates_at(self, refinements: Refinements) -> dict[int, Tensor]:
        """Return the gates (1, C, 1, 1) of stages 4…1 that refinement tensors open, over the whole image."""

        def activations(level: int, x: Tensor) -> Tensor:
            whole = [self._whole(level)], [self._beside[level]]
            return self._activations(level, *whole, x, *refinements[level + 1])[0]

        return opened_gates(self._stages, _LEVELS, self._deepest, activations)

    def want(self, wanted: NDArray[np.bool_]) -> None:
        """Choose the pixels of a mask (H, W) to be computed from now on: :attr:`boxes` will hold them."""
        self.want_boxes(cover(wanted))

    def want_boxes(self, boxes: list[Box]) -> None:
        """Choose boxes, even but where they end the plane, to be computed from now on."""
        self.boxes = boxes
        size = self._inputs.shape[-2:]
        self._around = [box.grown(_HALO, size) for box in self.boxes]
        first = self._head.conv1
        self._given = [
            F.conv2d(box.cut(self._inputs), self._of_inputs.to(self._inputs.dtype), first.bias, padding=1)
            for box in self._around
        ]
        self._parts: dict[int, list[Box]] = {}
        self._near: dict[int, list[Tensor]] = {}
        needed = [box.halved() for box in self._around]
        for level in reversed(_LEVELS):
            if self.gates is None:
                self._parts[level] = [self._whole(level)]
            else:
                mask = np.zeros(self._sizes[level], bool)
                for box in needed:
                    box.cut(mask)[...] = True
                self._parts[level] = cover(mask)
                needed = [box.grown(1, self._sizes[level]).halved() for box in self._parts[level]]
            self._near[level] = [box.cut(self._beside[level]) for box in self._parts[level]]

    def settle(self) -> None:
        """Let go of all that the boxes chosen last do not need; no others can be chosen afterwards.

        What is held then grows with the boxes, not with the image.

        Raises
        ------
        InputError
            If the gates are live: they need the whole image.
        """
        if self.gates is None:
            raise InputError("Got a decoder with live gates to settle, expected frozen ones; it needs the whole image.")
        for level, parts in self._near.items():
            self._near[level] = [part.clone(memory_format=torch.channels_last) for part in parts]
        self._beside.clear()
        del self._inputs

    @property
    def nbytes(self) -> int:
        """Bytes that it holds beside the network's weights."""
        held = [self._deepest, *self._given]
        if self._beside:
            held += [self._inputs, *self._beside.values()]
        else:
            held += [part for parts in self._near.values() for part in parts]
        return sum(tensor.nbytes for tensor in held)

    def __call__(self, refinements: Refinements) -> list[Tensor]:
        """Return the unclamped matte (1, 1, h, w) in each of :attr:`boxes`."""
        x = self._deepest
        for level in _LEVELS:
            x = self._stage(level, x, *refinements[level + 1])
        x = x.to(self._of_stage1.dtype)
        with torch.autocast(x.device.type, enabled=False):
            parts = _CutAll.apply(x, [around.halved() for around in self._around])
            places = zip(parts, self.boxes, self._around, self._given, strict=True)
            return [self._head_in(below, box, around, given) for below, box, around, given in places]

    def _stage(self, level: int, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return a stage's gated map; with frozen gates, 0 where nobody wants it."""
        parts = self._activations(level, self._parts[level], self._near[level], x, scale, shift)
        if self.gates is None:
            return self._stages[level].gated(parts[0])
        gated = [part * self.gates[level] for part in parts]
        return cast(Tensor, _PasteAll.apply((1, gated[0].shape[1], *self._sizes[level]), self._parts[level], *gated))

    def _whole(self, level: int) -> Box:
        height, width = self._sizes[level]
        return Box(0, height, 0, width)

    def _activations(
        self, level: int, boxes: Sequence[Box], beside: Sequence[Tensor], x: Tensor, scale: Tensor, shift: Tensor
    ) -> list[Tensor]:
        """Return a stage's parts before their gate.

        They come from what the skip gives beside them, the map of the stage before, and its refinement tensors.
        """
        size = self._sizes[level]
        parts = []
        cuts = _CutAll.apply(x, [box.grown(1, size).halved() for box in boxes])
        for box, here, below in zip(boxes, beside, cuts, strict=True):
            self.check()
            around = box.grown(1, size)
            lower = around.halved()
            matrices = self._matrices(level + 1, lower, scale.shape[-1], x.device)
            refined = _spread(scale, *matrices).exp().to(x.dtype) * below + _spread(shift, *matrices).to(x.dtype)
            doubled = F.interpolate(refined, scale_factor=2.0, mode="nearest")
            start = Box(2 * lower.top, 2 * lower.bottom, 2 * lower.left, 2 * lower.right)
            edges = (box.left == 0, box.right == size[1], box.top == 0, box.bottom == size[0])
            padded = F.pad(around.within(start).cut(doubled), [int(edge) for edge in edges])
            parts.append(torch.relu_(here + F.conv2d(padded, self._above[level])))
        return parts

    def _matrices(self, level: int, box: Box, cells: int, device: torch.device) -> list[Tensor]:
        """Return what interpolates a grid over the whole image's map of a stage, for the rows and columns of a box."""
        share = 2**level
        spans = zip(
            self._whole_size,
            (self._place.top, self._place.left),
            ((box.top, box.bottom), (box.left, box.right)),
            strict=True,
        )
        return [
            _bicubic(cells, -(-length // share), device)[first // share + start : first // share + stop]
            for length, first, (start, stop) in spans
        ]

    def _head_in(self, below: Tensor, box: Box, around: Box, given: Tensor) -> Tensor:
        self.check()
        doubled = F.interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=False)
        doubled = doubled[..., : given.shape[-2], : given.shape[-1]]
        x = torch.relu_(given + F.conv2d(doubled, self._of_stage1, padding=1))
        x = self._head.conv3(torch.relu_(self._head.conv2(x)))
        if x.requires_grad:
            x.register_hook(lambda _: self.check())
        return box.within(around).cut(x)


def _split(weight: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return a convolution's weights for its first input channels, and for the others."""
    first, second = weight[:, :channels], weight[:, channels:]
    return first.contiguous(memory_format=torch.channels_last), second.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=64)
def _bicubic(cells: int, length: int, device: torch.device) -> Tensor:
    """Return the matrix (length, cells) of bicubic interpolation along one axis (J of §4.3 is separable)."""
    cell = torch.eye(cells, device=device)[None, None]
    return F.interpolate(cell, (length, cells), mode="bicubic", align_corners=False)[0, 0]


def _spread(grid: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return a grid (1, C, S, S) interpolated by matrices (h, S) and (w, S), channels-last (1, C, h, w)."""
    cells = grid.shape[-1]
    rows, columns = rows.to(grid.dtype), columns.to(grid.dtype)
    along = torch.matmul(rows, grid[0].permute(1, 2, 0).reshape(cells, -1)).view(len(rows), cells, -1)
    return torch.matmul(columns, along).permute(2, 0, 1)[None]

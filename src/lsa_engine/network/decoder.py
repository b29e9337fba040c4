"""The decoder (§3, Fig. 1): five gated stages, refinement modules (§4.3), and the head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsa_engine.boxes import Box

REFINED_STAGES = (5, 4, 3, 2)
Refinements = Mapping[int, tuple[Tensor, Tensor]]
Gates = Mapping[int, Tensor]
"""Of every stage 5…1 the gate (1, C, 1, 1)."""


def _strips(height: int, rows: int, reach: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield strips top:bottom of about `rows` rows, each with the wider start:stop that it is computed from.

    With an even `reach` all but the last row are even, so that a strip of half the size lies exactly under its strip.
    """
    rows += rows % 2
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield top, bottom, max(0, top - reach), min(height, bottom + reach)


class DecoderStage(nn.Module):
    """3×3 convolution, batch normalisation, ReLU, and VoVNet's gate x · hardsigmoid(fc(mean(x))) (Lee et al. 2019)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self.fc = nn.Conv2d(outputs, outputs, 1)

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """Return the gated features of x (N, C, H, W), with a gate of their own or the one that is given."""
        return self.gated(self.activations(x), gate)

    def activations(self, x: Tensor) -> Tensor:
        """Return the features of x (N, C, H, W) before their gate."""
        return torch.relu_(self.norm(self.conv(x)))

    def in_strips(self, skip: Tensor, x: Tensor, rows: int, gate: Tensor | None = None) -> Tensor:
        """Return the same as for a skip (N, C, H, W) with `x`, half its size, behind it, joining few rows at a time."""
        height, width = skip.shape[-2:]
        strips = []
        for top, bottom, start, stop in _strips(height, rows, 2):
            doubled = F.interpolate(x[..., start // 2 : (stop + 1) // 2, :], scale_factor=2.0, mode="nearest")
            joined = torch.cat([skip[..., start:stop, :], doubled[..., : stop - start, :width]], 1)
            strips.append(self.norm(self.conv(joined))[..., top - start : bottom - start, :])
        return self.gated(torch.relu_(torch.cat(strips, -2)), gate)

    def gated(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """Return activations (N, C, H, W) times their gate, or times the one that is given."""
        return x * (self.gate(x) if gate is None else gate.to(x.dtype))

    def gate(self, x: Tensor) -> Tensor:
        """Return the gate (N, C, 1, 1) of activations (N, C, H, W)."""
        return F.hardsigmoid(self.fc(x.mean((2, 3), keepdim=True)))


def refine_features(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Apply one backpropagating-refinement module: exp(J(A))·x + J(B) (§4.3).

    Parameters
    ----------
    x : Tensor
        (N, C, H, W) features.
    scale, shift : Tensor
        A and B, (N or 1, C, S, S); J is bicubic interpolation to (H, W).
    """
    size = x.shape[-2:]
    scale = F.interpolate(scale, size, mode="bicubic", align_corners=False)
    shift = F.interpolate(shift, size, mode="bicubic", align_corners=False)
    return scale.exp().to(x.dtype) * x + shift.to(x.dtype)


def refinement_shape(stage: int, channels: int) -> tuple[int, int, int]:
    """Shape (C, 2^(8−ℓ), 2^(8−ℓ)) of A and B after decoder stage ℓ."""
    return channels, 2 ** (8 - stage), 2 ** (8 - stage)


class Decoder(nn.Module):
    """Stages 5…1: each takes the skip of its scale and, after it, the previous stage doubled in size.

    Parameters
    ----------
    skips : sequence of five int
        Channels of the encoder's stages 1…5.
    widths : sequence of five int
        Output channels of decoder stages 5…1.
    """

    def __init__(self, skips: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.stages = nn.ModuleDict()
        previous = 0
        for stage, width in zip((5, 4, 3, 2, 1), widths, strict=True):
            self.stages[str(stage)] = DecoderStage(skips[stage - 1] + previous, width)
            previous = width

    def forward(
        self,
        features: Sequence[Tensor],
        refinements: Refinements | None = None,
        *,
        rows: int | None = None,
        gates: Gates | None = None,
    ) -> Tensor:
        """Return the features of stage 1, half the input's size; computed `rows` rows at a time if given.

        Every stage's gate is a mean over the whole of its map, or the one in `gates`.
        """
        gates = gates or {}
        x = self.stages["5"](features[4], gates.get(5))
        for stage in (4, 3, 2, 1):
            if refinements is not None:
                x = refine_features(x, *refinements[stage + 1])
            skip = features[stage - 1]
            if rows is not None and stage == 1:
                return cast(DecoderStage, self.stages["1"]).in_strips(skip, x, rows, gates.get(1))
            x = F.interpolate(x, skip.shape[-2:], mode="nearest")
            x = self.stages[str(stage)](torch.cat([skip, x], 1), gates.get(stage))
        return x

    def gates(self, features: Sequence[Tensor]) -> dict[int, Tensor]:
        """Return the gates that an image's features (1, C_ℓ, H_ℓ, W_ℓ) open without refinement."""

        def activations(stage: int, x: Tensor) -> Tensor:
            if stage < 5:
                skip = features[stage - 1]
                x = torch.cat([skip, F.interpolate(x, skip.shape[-2:], mode="nearest")], 1)
            return stages[stage].activations(x)

        stages = {int(name): cast(DecoderStage, stage) for name, stage in self.stages.items()}
        return opened_gates(stages, (5, 4, 3, 2, 1), features[4], activations)


def opened_gates(
    stages: Mapping[int, DecoderStage],
    order: Sequence[int],
    x: Tensor,
    activations: Callable[[int, Tensor], Tensor],
) -> dict[int, Tensor]:
    """Return the gates (N, C, 1, 1) that stages open one after the other.

    Parameters
    ----------
    stages : mapping of int to DecoderStage
        By their numbers.
    order : sequence of int
        The stages to go through.
    x : Tensor
        The map before the first of them.
    activations : callable
        From a stage's number and the map before it to its features (N, C, H, W) before their gate.
    """
    gates: dict[int, Tensor] = {}
    for stage in order:
        features = activations(stage, x)
        gates[stage] = stages[stage].gate(features)
        x = stages[stage].gated(features, gates[stage])
    return gates


class Head(nn.Module):
    """Full size: stage 1 doubled bilinearly, behind the network's input; three 3×3 convolutions; no clamp."""

    halo = 3

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, inputs: Tensor, stage1: Tensor) -> Tensor:
        """Return (N, 1, H, W) from the network's input (N, C, H, W) and decoder stage 1 at ⌈H/2⌉ × ⌈W/2⌉."""
        height, width = inputs.shape[-2:]
        stage1 = stage1.to(inputs.dtype)
        doubled = F.interpolate(stage1, scale_factor=2.0, mode="bilinear", align_corners=False)[..., :height, :width]
        x = torch.relu_(self.conv1(torch.cat([inputs, doubled], 1)))
        return self.conv3(torch.relu_(self.conv2(x)))

    def in_boxes(self, inputs: Tensor, stage1: Tensor, boxes: Sequence[Box]) -> Tensor:
        """Return the same as :meth:`forward` in boxes, 0 elsewhere; in less memory, and less time where they are few.

        The head sees three pixels around each; boxes with that much around them, and `stage1` cut with one more row and
        column for the bilinear doubling, give the same numbers. The boxes are even but where they end the plane.
        """
        size = inputs.shape[-2:]
        plane = inputs.new_zeros(len(inputs), 1, *size)
        for box in boxes:
            around = box.grown(self.halo + 3, size)
            part = self.forward(around.cut(inputs), around.halved().cut(stage1))
            box.cut(plane).copy_(box.within(around).cut(part))
        return plane

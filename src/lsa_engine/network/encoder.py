"""The encoder: a ResNet-D (He et al. 2019, "Bag of Tricks") that hands on the features of five scales (§3, Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """A convolution without bias, batch normalisation, and optionally a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of x (N, C, H, W)."""
        x = self.norm(self.conv(x))
        return torch.relu_(x) if self.relu else x


class Shortcut(nn.Sequential):
    """The "D" shortcut: where the stride is 2, a 2×2 average pool stands before the 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        layers: list[nn.Module] = []
        if stride != 1:
            layers.append(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False))
        layers.append(ConvNorm(inputs, outputs, 1, relu=False))
        super().__init__(*layers)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut (the narrow network's block)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(inputs, width, 3, stride), ConvNorm(width, width, 3, relu=False))
        self.shortcut = Shortcut(inputs, width, stride) if stride != 1 or inputs != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of x (N, C, H, W)."""
        return torch.relu_(self.body(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 (which holds the stride) and 1×1 convolutions around a shortcut (ResNet-50-D's block)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.body = nn.Sequential(
            ConvNorm(inputs, width, 1), ConvNorm(width, width, 3, stride), ConvNorm(width, outputs, 1, relu=False)
        )
        self.shortcut = Shortcut(inputs, outputs, stride) if stride != 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of x (N, C, H, W)."""
        return torch.relu_(self.body(x) + self.shortcut(x))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class Encoder(nn.Module):
    """ResNet-D without its classifier.

    Parameters
    ----------
    inputs : int
        Channels of the input.
    stem : sequence of three int
        Channels of the three 3×3 convolutions of the stem; the first has stride 2.
    widths, depths : sequences of four int
        Inner width and number of blocks of the four residual stages.
    block : {"basic", "bottleneck"}
        Kind of residual block.

    Attributes
    ----------
    channels : tuple of five int
        Channels of the five feature maps that :meth:`forward` returns.
    """

    def __init__(
        self, inputs: int, stem: Sequence[int], widths: Sequence[int], depths: Sequence[int], block: str
    ) -> None:
        super().__init__()
        first, second, third = stem
        self.stem = nn.Sequential(ConvNorm(inputs, first, 3, 2), ConvNorm(first, second, 3), ConvNorm(second, third, 3))
        self.pool = nn.MaxPool2d(3, 2, 1)
        kind = BLOCKS[block]
        stages: list[nn.Sequential] = []
        channels = [third]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks: list[nn.Module] = []
            for position in range(depth):
                previous = channels[-1] if position == 0 else width * kind.expansion
                blocks.append(kind(previous, width, 2 if index > 0 and position == 0 else 1))
            stages.append(nn.Sequential(*blocks))
            channels.append(width * kind.expansion)
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of stages 1…5 for an input (N, C, H, W): (N, C_ℓ, ⌈H/2^ℓ⌉, ⌈W/2^ℓ⌉)."""
        features = [self.stem(x)]
        x = self.pool(features[0])
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

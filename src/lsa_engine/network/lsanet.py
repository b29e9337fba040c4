"""LSANet: encoder, decoder and head, and the table of its named sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lsa_engine.boxes import Box
from lsa_engine.errors import InputError
from lsa_engine.network.decoder import REFINED_STAGES, Decoder, DecoderStage, Gates, Head, Refinements, refinement_shape
from lsa_engine.network.encoder import ConvNorm, Encoder

GUIDANCE_CHANNELS = {"none": 4, "priors": 15}


@dataclass(frozen=True)
class NetworkSize:
    """What makes one named size of :class:`LSANet`.

    Attributes
    ----------
    name : str
        Name in the registry.
    guidance : {"none", "priors"}
        What the network sees: image and trimap (4 channels, the paper's), or also smooth fills of the known colours,
        the projected α, a coarse and a sampled matte (15 channels, see
        :func:`lsa_engine.inference.preparation.network_input`).
    stem, widths, depths, block
        The encoder (:class:`~lsa_engine.network.encoder.Encoder`).
    decoder : tuple of five int
        Channels of decoder stages 5…1.
    head : int
        Channels of the head's two hidden convolutions.
    """

    name: str
    guidance: str
    stem: tuple[int, int, int]
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    block: str
    decoder: tuple[int, int, int, int, int]
    head: int

    @property
    def input_channels(self) -> int:
        """Channels of the network's input."""
        return GUIDANCE_CHANNELS[self.guidance]


SIZES: dict[str, NetworkSize] = {
    size.name: size
    for size in (
        NetworkSize(
            name="lsanet-r50d",
            guidance="none",
            stem=(32, 32, 64),
            widths=(64, 128, 256, 512),
            depths=(3, 4, 6, 3),
            block="bottleneck",
            decoder=(512, 256, 128, 64, 64),
            head=32,
        ),
        NetworkSize(
            name="lsanet-lite",
            guidance="priors",
            stem=(16, 16, 32),
            widths=(48, 96, 160, 256),
            depths=(2, 2, 2, 2),
            block="basic",
            decoder=(160, 112, 64, 32, 24),
            head=16,
        ),
    )
}


class LSANet(nn.Module):
    """The matting network of §3: a ResNet-D encoder, a gated decoder with refinement modules, and a full-size head.

    Any height and width of at least 1 will do: every stage rounds its size up, so nothing has to be padded.

    Parameters
    ----------
    size : NetworkSize
        The widths and depths.
    """

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(size.input_channels, size.stem, size.widths, size.depths, size.block)
        self.decoder = Decoder(self.encoder.channels, size.decoder)
        self.head = Head(size.input_channels + size.decoder[-1], size.head)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def encode(self, inputs: Tensor) -> list[Tensor]:
        """Return the encoder's five feature maps for an input (N, C, H, W)."""
        return self.encoder(inputs)

    def decode(
        self,
        inputs: Tensor,
        features: list[Tensor],
        refinements: Refinements | None = None,
        *,
        rows: int | None = None,
        gates: Gates | None = None,
        boxes: Sequence[Box] | None = None,
    ) -> Tensor:
        """Return the unclamped matte (N, 1, H, W) from the input and the encoder's features.

        Parameters
        ----------
        inputs : Tensor
            (N, C, H, W), the network's input.
        features : list of Tensor
            What :meth:`encode` gave for it.
        refinements : mapping of int to (A, B), optional
            Tensors of the refinement modules after decoder stages 5…2, each (1 or N, C, 2^(8−ℓ), 2^(8−ℓ)); None is
            the identity.
        rows : int, optional
            Compute the last stage and the head this many rows at a time: the same numbers in less memory.
        gates : mapping of int to Tensor, optional
            Gates (1, C, 1, 1) to use in place of the image's own, as from :meth:`Decoder.gates`. The matte then
            depends on what lies nearer than :func:`~lsa_engine.network.context.context` alone.
        boxes : sequence of Box, optional
            Compute the head in these parts only, even but where they end the plane; the matte is 0 elsewhere.

        Notes
        -----
        An evaluating network computes its head in the input's precision even under autocast: it is a small part of
        the work, and a matte in bfloat16 would have steps of 1/256.
        """
        stage1 = self.decoder(features, refinements, rows=rows, gates=gates)
        kind = inputs.device.type
        with torch.autocast(kind, enabled=self.training and torch.is_autocast_enabled(kind)):
            if boxes is None and rows is not None:
                height, width = inputs.shape[-2:]
                boxes = Box(0, height, 0, width).strips(rows)
            return self.head(inputs, stage1) if boxes is None else self.head.in_boxes(inputs, stage1, boxes)

    def forward(self, inputs: Tensor, refinements: Refinements | None = None) -> Tensor:
        """Return the unclamped matte (N, 1, H, W) for an input (N, C, H, W)."""
        return self.decode(inputs, self.encode(inputs), refinements)

    def refinement_shapes(self) -> dict[int, tuple[int, int, int]]:
        """Shape of A and of B after each refined decoder stage ℓ = 5…2."""
        channels = dict(zip((5, 4, 3, 2, 1), self.size.decoder, strict=True))
        return {stage: refinement_shape(stage, channels[stage]) for stage in REFINED_STAGES}


def lay_out(network: LSANet, device: torch.device, memory_format: torch.memory_format) -> LSANet:
    """Move a network to a device and lay its weights out in memory, in place; return it.

    ``torch.channels_last`` makes convolutions several times faster, ``torch.contiguous_format`` is the plain layout.
    """
    network.to(device, memory_format=memory_format)  # type: ignore[call-overload]  # torch's stubs lack the keyword
    return network


def build_network(size: str) -> LSANet:
    """Return a fresh :class:`LSANet` of a named size, with random weights.

    Raises
    ------
    InputError
        If no size has this name.
    """
    if size not in SIZES:
        raise InputError(f"Got network size {size!r}, expected one of {', '.join(SIZES)}; choose one of these.")
    return LSANet(SIZES[size])


def fold_batch_norm(network: LSANet) -> LSANet:
    """Fold an evaluating network's batch normalisations into the convolutions before them, in place; return it.

    The output stays the same up to rounding; a third of the memory traffic goes.
    """
    if network.training:
        raise InputError(
            "Got a network in training mode, expected evaluation mode; call network.eval() before folding."
        )
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, ConvNorm | DecoderStage) and isinstance(module.norm, nn.BatchNorm2d):
                module.conv = fuse_conv_bn_eval(module.conv, module.norm)
                module.norm = nn.Identity()
    return network

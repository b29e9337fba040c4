"""How far the network sees once its gates are fixed: what a part of an image has to be computed from."""

from __future__ import annotations

from lsa_engine.network.lsanet import NetworkSize

ALIGNMENT = 32
"""Stride of the deepest stage: parts begin at multiples of it, so that every stage's grid is the whole image's."""

_HEAD = 6  # three convolutions, bilinear doubling, and even


def context(size: NetworkSize) -> int:
    """Return how many pixels around a part, which begins and ends at multiples of 32, its matte depends on.

    With given gates (:meth:`~lsa_engine.network.lsanet.LSANet.decode`), a part that is computed with so much of its
    surroundings is the same as cut out of the whole image. The number is a multiple of 32 itself.
    """
    return -(-(_decoder_reach() + _encoder_reach(size)) // ALIGNMENT) * ALIGNMENT


def _decoder_reach() -> int:
    """Return how far outside a part the deepest feature that its matte depends on begins."""
    # The head, then in every stage a 3 × 3 convolution behind nearest doubling, from half the size on.
    outside = _HEAD // 2
    for _ in range(4):
        outside = -(-(outside + 1) // 2)
    return (outside + 1) * ALIGNMENT


def _encoder_reach(size: NetworkSize) -> int:
    """Return how far a feature of the deepest stage sees from the pixel at its place."""
    # The stem's three convolutions, the first of stride 2, and the pooling at half the size.
    reach, stride = 1 + 2 + 2 + 2, 4
    # A block has two 3 × 3 convolutions, or one between two of 1 × 1; the first of stages 3 to 5 halves the size.
    convolutions = {"basic": 2, "bottleneck": 1}[size.block]
    for stage, depth in enumerate(size.depths):
        if stage > 0:
            reach, stride = reach + stride, 2 * stride
            reach += (depth * convolutions - 1) * stride
        else:
            reach += depth * convolutions * stride
    return reach

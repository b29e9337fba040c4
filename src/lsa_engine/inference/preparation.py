"""What a network is fed, in one place, so that it sees the same when it learns and when it works."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.errors import InputError
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.fill import project_alpha, smooth_fill
from lsa_engine.guidance.large import LargePriors
from lsa_engine.guidance.light import from_light, to_light
from lsa_engine.guidance.sampled_matte import sampled_matte
from lsa_engine.network.lsanet import GUIDANCE_CHANNELS
from lsa_engine.progress import unchecked

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(image: Tensor) -> Tensor:
    """Return an RGB image (N, 3, H, W) in [0, 1] less ImageNet's mean, over its standard deviation."""
    mean = torch.tensor(IMAGENET_MEAN, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image - mean) / std


def network_input(image: Tensor, trimap: Tensor, guidance: str, check: Callable[[], None] = unchecked) -> Tensor:
    """Return the channels that a network with this guidance takes.

    Parameters
    ----------
    image : Tensor
        (N, 3, H, W), float32 in [0, 1].
    trimap : Tensor
        (N, 1, H, W), uint8 with 0 background, 128 unknown, 255 foreground.
    guidance : {"none", "priors"}
        "none": the normalised image and the trimap divided by 255 (unknown is 128/255, as in the published network),
        the paper's 4 channels. "priors": behind them the known foreground colours filled smoothly into the rest, the
        background colours likewise (both normalised), the α of the pixel's colour between the two, a coarse
        closed-form matte, and a matte by the known colours alone with two measures of trust, 15 channels. All of
        these are computed half-way to light (:mod:`lsa_engine.guidance.light`).
    check : callable, optional
        Called between parts of the work, in several threads; may raise to stop.

    Returns
    -------
    Tensor
        (N, 4 or 15, H, W) float32, channels-last.
    """
    if guidance not in GUIDANCE_CHANNELS:
        raise InputError(
            f"Got guidance {guidance!r}, expected one of {', '.join(GUIDANCE_CHANNELS)}; choose one of these."
        )
    if guidance == "none":
        return _stacked(image, trimap, None, check)
    light = to_light(image)
    check()
    twice = light.expand(2, -1, -1, -1) if len(light) == 1 else torch.cat([light, light])
    foreground, background = smooth_fill(twice, torch.cat([trimap == 255, trimap == 0]), check).chunk(2)
    check()
    projected = project_alpha(light, foreground, background)
    mattes = (projected, coarse_matte(light, trimap, check), sampled_matte(light, trimap, check))
    return _stacked(image, trimap, ((foreground, background), mattes), check)


def window_input(
    image: Tensor, trimap: Tensor, priors: LargePriors | None, box: Box, check: Callable[[], None] = unchecked
) -> Tensor:
    """Return the channels of :func:`network_input` for a part of a large image.

    Parameters
    ----------
    image, trimap : Tensor
        (1, 3, h, w) and (1, 1, h, w): the part that ``priors.surroundings(box)`` names, or the box itself without
        priors.
    priors : LargePriors or None
        Of the whole image, which they have taken as :func:`~lsa_engine.guidance.light.to_light` gives it; None for
        guidance "none".
    box : Box
        The part.
    check : callable, optional
        Called between parts of the work; may raise to stop.

    Returns
    -------
    Tensor
        (1, 4 or 15, h, w) float32, channels-last.
    """
    if priors is None:
        return _stacked(image, trimap, None, check)
    inside = box.within(priors.surroundings(box))
    light = to_light(image)
    foreground, background, coarse, sampled = priors.window(box, light, trimap, check)
    projected = project_alpha(inside.cut(light), foreground, background)
    layers = (foreground, background), (projected, coarse, sampled)
    return _stacked(inside.cut(image), inside.cut(trimap), layers, check)


def _stacked(
    image: Tensor,
    trimap: Tensor,
    priors: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]] | None,
    check: Callable[[], None],
) -> Tensor:
    """Return image, trimap, and, if there are any, both fills of light and the three mattes as one tensor."""
    batch, _, height, width = image.shape
    # Filled part by part: a large image is not held several times over.
    channels = torch.empty(
        (batch, GUIDANCE_CHANNELS["none" if priors is None else "priors"], height, width),
        device=image.device,
        memory_format=torch.channels_last,
    )
    check()
    channels[:, :3] = normalise(image)
    channels[:, 3:4] = trimap.to(torch.float32) / 255
    if priors is not None:
        (foreground, background), (projected, coarse, sampled) = priors
        check()
        channels[:, 4:7] = normalise(from_light(foreground))
        check()
        channels[:, 7:10] = normalise(from_light(background))
        check()
        channels[:, 10:11] = projected
        channels[:, 11:12] = coarse
        channels[:, 12:] = sampled
    return channels

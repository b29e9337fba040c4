"""The way back from a reduced matte to full size, along the image's own edges (He and Sun 2015)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.progress import unchecked

_LINE_VARIANCE = 1e-5


def lines_of(
    colours: NDArray[np.float64], alpha: NDArray[np.float64], unknown: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the lines (4, h, w), slopes and offset, that give a reduced matte (h, w) from its colours (h, w, 3).

    In each small window a matte is nearly a linear function of colour (the assumption of closed-form matting); the
    coefficients vary slowly, so they can be enlarged instead of the matte. They are fitted in and around `unknown`.
    """
    from lsa_engine.guidance.closed_form_kernels import fit_lines

    near = binary_dilation(unknown, np.ones((3, 3), bool), 3)
    return fit_lines(colours, alpha, near, _LINE_VARIANCE)


def enlarge_by_lines(
    image: Tensor,
    trimap: Tensor,
    lines: NDArray[np.float32],
    factor: int,
    box: Box | None = None,
    check: Callable[[], None] = unchecked,
) -> Tensor:
    """Return the matte (N, 1, H, W) in [0, 1] that reduced lines (N, 4, h, w) give on an image's own colours.

    It is 0 and 1 where the trimap says so. With `box`, image and trimap are that part of the reduced image. `check` is
    called between parts of the work, and may raise.
    """
    height, width = image.shape[-2:]
    box = box or Box(0, height, 0, width)
    near = _near(box, factor, lines.shape[-2:])
    given = torch.from_numpy(np.ascontiguousarray(near.cut(lines))).to(image.device)
    smooth = F.avg_pool2d(given, 3, 1, 1, count_include_pad=False)
    matte = torch.zeros_like(image[:, :1])
    for channel in range(4):
        check()
        line = _enlarge(smooth[:, channel : channel + 1], factor, box, near)
        matte += line * image[:, channel : channel + 1] if channel < 3 else line
    matte.clamp_(0, 1)
    matte[trimap == 0] = 0
    matte[trimap == 255] = 1
    return matte


def enlarge_bilinearly(x: NDArray[np.float32], factor: int, box: Box, device: torch.device) -> Tensor:
    """Return the part of x (N, C, h, w), enlarged by a factor, that lies in a box."""
    near = _near(box, factor, x.shape[-2:])
    return _enlarge(torch.from_numpy(np.ascontiguousarray(near.cut(x))).to(device), factor, box, near)


def _near(box: Box, factor: int, size: tuple[int, ...]) -> Box:
    """Return the cells of a reduced map that what lies in a box is made from: one to smooth, one to interpolate."""
    return box.reduced(factor).grown(2, size)


def _enlarge(x: Tensor, factor: int, box: Box, near: Box) -> Tensor:
    """Return what lies in a box of the map whose cells `near` are x (N, C, h, w)."""
    enlarged = F.interpolate(x, scale_factor=float(factor), mode="bilinear")
    return box.shifted(-near.top * factor, -near.left * factor).cut(enlarged)

"""A preview of the cut-out over something else, computed in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsa_engine.progress import CancelToken, ProgressCallback
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.loading import COLOURS, load

_SQUARES = 40


class PreviewOutcome(NamedTuple):
    """The preview, uint8 (H, W, 3), and the foreground's colours that it was made with, float32 (H, W, 3)."""

    pixels: NDArray[np.uint8]
    foreground: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PreviewRequest:
    """Lay the foreground of a picture over something else.

    Attributes
    ----------
    image : ImagePlane
        The picture.
    alpha : array (H, W)
        Its matte.
    behind : ImagePlane, (float, float, float), or None
        What comes behind: a picture of the same size, a colour in [0, 1], or a checkerboard.
    foreground : array (H, W, 3), or None
        The foreground's own colours, where they are known already.
    """

    image: ImagePlane
    alpha: NDArray[np.float32]
    behind: ImagePlane | tuple[float, float, float] | None
    foreground: NDArray[np.float32] | None = None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> PreviewOutcome:
        """Return the preview.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.estimate_foreground` and :func:`lsa_engine.composite`.
        """
        load(COLOURS)
        from lsa_engine.arrays import as_float_image
        from lsa_engine.compositing import checkerboard, composite
        from lsa_engine.foreground import estimate_foreground

        foreground = self.foreground
        if foreground is None:
            picture = as_float_image(self.image.colours(), data_range=self.image.data_range)
            foreground, _ = estimate_foreground(picture, self.alpha, progress=progress, cancel=cancel)
        if self.behind is None:
            shape = self.alpha.shape
            background = checkerboard(shape, max(1, max(shape) // _SQUARES))
        elif isinstance(self.behind, ImagePlane):
            background = as_float_image(self.behind.colours(), data_range=self.behind.data_range)
        else:
            background = np.asarray(self.behind, np.float32)
        pixels = composite(foreground, background, self.alpha)
        return PreviewOutcome(np.round(255 * pixels).astype(np.uint8), foreground)

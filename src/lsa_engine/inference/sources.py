"""Images that are read piece by piece: arrays in memory, memory maps, zarr and dask arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.arrays import as_float_image, require_area, to_numpy, to_unit_range
from lsa_engine.boxes import Box
from lsa_engine.errors import FileError, InputError

_AT_ONCE = 16_000_000
_STRIP_PIXELS = 4_000_000


class ImageSource:
    """An image, of which parts can be had as float32 RGB in [0, 1].

    A small image in memory is converted at once, and refused if it is none; of anything else only what is needed is
    read, each time anew, and its values are checked then.

    Parameters
    ----------
    image : array
        (H, W), (H, W, 1) or (H, W, 3): NumPy, a tensor, or anything with `shape`, `dtype` and slices that NumPy takes,
        such as memory maps, zarr and dask arrays.
    data_range : (float, float), optional
        As in :func:`~lsa_engine.arrays.as_float_image`.

    Raises
    ------
    InputError
        If it is not an image, or holds values out of range.
    """

    def __init__(self, image: Any, data_range: tuple[float, float] | None = None) -> None:
        lazy = all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__")) and not hasattr(image, "detach")
        in_memory = not lazy or (isinstance(image, np.ndarray) and not isinstance(image, np.memmap))
        if in_memory:
            image = to_numpy(image, "image")
        if in_memory and image.size <= 3 * _AT_ONCE:
            image, data_range = as_float_image(image, data_range=data_range), None
        self._pixels, self._data_range = image, data_range
        shape = tuple(image.shape)
        if any(math.isnan(length) for length in shape):
            raise InputError(
                f"The image has shape {shape}, of which not all is known, but (H, W) or (H, W, 3) is expected: have it "
                "counted first, with compute_chunk_sizes() of dask."
            )
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)) or 0 in shape:
            raise InputError(
                f"The image has shape {shape}, but (H, W) or (H, W, 3) is expected: pass one frame of a stack, and one "
                "or three channels."
            )
        self.shape: tuple[int, int] = (int(shape[0]), int(shape[1]))
        require_area(np.broadcast_to(np.uint8(0), self.shape), "image")
        if in_memory and image.dtype.kind == "f":
            for box in self.strips():
                self.read(box)
        else:
            self.read(Box(0, 2, 0, 2))  # a type without a natural range is refused now

    def read(self, box: Box) -> NDArray[np.float32]:
        """Return a part (h, w, 3), float32 in [0, 1].

        Raises
        ------
        InputError
            If its values are out of range.
        FileError
            If it lies in files that cannot be read.
        """
        try:
            part = to_numpy(self._pixels[box.top : box.bottom, box.left : box.right], "image")
        except FileError:
            raise
        except OSError as error:
            raise FileError(
                f"The image cannot be read where it is stored ({error}): check the disk or the network that it lies on."
            ) from error
        unit = to_unit_range(part, self._data_range, "image").reshape(part.shape[0], part.shape[1], -1)
        return unit if unit.shape[2] == 3 else np.repeat(unit, 3, axis=2)

    def tensor(self, box: Box) -> Tensor:
        """Return a part as a tensor (1, 3, h, w)."""
        return torch.from_numpy(np.array(self.read(box).transpose(2, 0, 1), order="C"))[None]

    def refuse_as_output(self, out: Any) -> None:
        """Refuse to write a matte into the image itself, of which parts may still be read.

        Raises
        ------
        InputError
            If `out` is an array that shares memory with it.
        """
        pixels = self._pixels
        if isinstance(pixels, np.ndarray) and isinstance(out, np.ndarray) and np.shares_memory(pixels, out):
            raise InputError(
                "Got an output array that lies in the image's memory, expected one of its own; make one of the image's "
                "height and width."
            )

    def strips(self, multiple: int = 1) -> list[Box]:
        """Return parts of whole rows that can be held at a time, each beginning at a `multiple`."""
        height, width = self.shape
        rows = max(1, _STRIP_PIXELS // (width * multiple)) * multiple
        return [Box(top, min(top + rows, height), 0, width) for top in range(0, height, rows)]

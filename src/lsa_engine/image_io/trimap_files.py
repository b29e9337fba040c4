"""Trimaps in files, one or a stack of them, whose coding is told from all that a file holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError, TrimapError
from lsa_engine.image_io.reading import read_image
from lsa_engine.image_io.stacks import Stack, read_stack
from lsa_engine.image_io.zarr_folders import is_zarr
from lsa_engine.trimap import Trimap
from lsa_engine.trimap_coding import Numbers, find_numbers, single_channel

_COLOURS = (3, 4)


@dataclass(frozen=True)
class TrimapStack:
    """Trimaps of one size in a file.

    Attributes
    ----------
    path : Path
        The file.
    stack : Stack
        Its pictures, as they are stored, and their axes; of one picture there are none.
    numbers : Numbers or None
        What 0, 1 and 2 mean in it; None for another coding.
    """

    path: Path
    stack: Stack
    numbers: Numbers | None

    def __len__(self) -> int:
        """Return the number of trimaps."""
        return len(self.stack)

    def page(self, number: int) -> Trimap:
        """Read one trimap.

        Raises
        ------
        FileError
            If it cannot be read.
        TrimapError
            If there are odd values in it (they are listed), or it is too small.
        """
        try:
            return Trimap.from_array(self.stack.page(number), numbers=self.numbers)
        except InputError as error:
            which = f", page {number + 1} of {len(self)}" if len(self) > 1 else ""
            raise TrimapError(f"In {self.path}{which}: {error}") from error

    def to_labels(self) -> NDArray[np.uint8]:
        """Read all of them as painted labels, uint8 (…, H, W): 0 unknown, 1 foreground, 2 background.

        Raises
        ------
        FileError, TrimapError
            As :meth:`page`.
        """
        first = self.page(0).to_labels()
        labels = np.empty((len(self), *first.shape), np.uint8)
        labels[0] = first
        for number in range(1, len(self)):
            labels[number] = self.page(number).to_labels()
        return labels.reshape(*self.stack.shape, *first.shape)


def read_trimaps(path: str | os.PathLike[str]) -> TrimapStack:
    """Open the trimaps in a file.

    Parameters
    ----------
    path : str or os.PathLike
        A TIFF with a stack, or a file that :func:`~lsa_engine.image_io.read_image` reads. Values are as in
        :func:`~lsa_engine.image_io.read_trimap`, coded alike in all planes. Three or four planes that were saved as
        colours are planes again, unless they make a gray picture.

    Returns
    -------
    TrimapStack

    Raises
    ------
    FileError
        If the file cannot be read.
    TrimapError
        If it holds 0, 1 and 2 alone, and it cannot be told what they mean.
    """
    path = Path(path)
    stack = None if is_zarr(path) else read_stack(path, colours=False)
    if stack is None:
        stack = Stack("", (), [read_image(path)])
    try:
        numbers = find_numbers(_planes(stack))
        if numbers is None and stack.axes[-1:] in ("S", "C") and stack.shape[-1] in _COLOURS:
            stack = _joined(stack)
    except InputError as error:
        raise TrimapError(f"In {path}: {error}") from error
    return TrimapStack(path, stack, numbers)


def _planes(stack: Stack) -> Iterator[NDArray[Any]]:
    for number in range(len(stack)):
        yield single_channel(stack.page(number))


def _joined(stack: Stack) -> Stack:
    """Join planes that are the equal colours of gray pictures; return others as they are."""
    count = stack.shape[-1]
    pages = []
    for first in range(0, len(stack), count):
        try:
            pages.append(single_channel(np.stack([stack.page(first + plane) for plane in range(count)], axis=-1)))
        except TrimapError:  # pictures of their own
            return stack
    return Stack(stack.axes[:-1], stack.shape[:-1], pages)

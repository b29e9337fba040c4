"""What scripts work on: arrays that layers still hold as a run was given them, and the files that hold the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from napari_lsa_matting.code_snippet import Input, Source
from napari_lsa_matting.layers import ImagePlane, fingerprint


@dataclass(frozen=True, eq=False)
class Recorded:
    """An array that is read again where it is needed, and must be what a run was given.

    Attributes
    ----------
    read : callable
        Gives the array.
    sha256 : str
        The :func:`~napari_lsa_matting.layers.fingerprint` of what the run was given; empty if it was not looked at.
    what : str
        What it is, for a person: "The pixels of 'photo'".
    """

    read: Callable[[], NDArray[Any]]
    sha256: str
    what: str

    def __call__(self) -> NDArray[Any]:
        """Return the array.

        Raises
        ------
        InputError
            If it was changed since.
        """
        array = self.read()
        if self.sha256 and fingerprint(array) != self.sha256:
            raise InputError(f"{self.what} were changed since the run, so it cannot be copied as code: run once more.")
        return array

    def equals(self, array: NDArray[Any]) -> bool:
        """Return whether an array is just what the run was given, whatever has become of it since."""
        # Compared with what is there now only in its type and size: those stay when a layer is drawn on.
        now = self.read()
        same_kind = (array.dtype, array.shape) == (now.dtype, now.shape)
        return same_kind and fingerprint(array) == (self.sha256 or fingerprint(now))


def image_input(plane: ImagePlane, sha256: str, path: str | None, name: str = "image") -> Input:
    """Return the colours of an Image layer's plane, from the file at `path` if that holds them."""
    recorded = Recorded(plane.colours, sha256, f"The pixels of {plane.name!r}")
    if plane.merging is not None:
        return _merged_input(name, plane, recorded, path)
    channels = np.shape(plane.pixels)[2:]
    return array_input(name, recorded, path, part="[..., :3]" if channels == (4,) else "")


def _merged_input(name: str, plane: ImagePlane, recorded: Recorded, path: str | None) -> Input:
    """Return the colours of channels: merged by the script, unless a file holds the picture that comes of them."""

    def read() -> NDArray[Any]:
        recorded()  # refuses what was changed since
        return np.asarray(plane.pixels)

    line = f'{name} = lsa.merge_channels(arrays["{name}_channels"], {plane.merging!r})'
    return Input({f"{name}_channels": read}, (line,), array_input(name, recorded, path).source)


def array_input(name: str, recorded: Recorded, path: str | None = None, part: str = "") -> Input:
    """Return an array, from the picture at `path` if that, or the `part` of it, is the array."""

    def holds() -> bool:
        from lsa_engine.image_io import read_image

        pixels = read_image(str(path))
        return recorded.equals(pixels[..., :3] if part else pixels)

    reading = f"{name} = read_image({path!r}){part}"
    source = None if path is None else Source((reading,), ("lsa_engine.image_io.read_image",), holds)
    return Input({name: recorded}, (f'{name} = arrays["{name}"]',), source)


def trimap_input(labels: NDArray[Any], path: str | None = None) -> Input:
    """Return a trimap that was painted, from the file at `path` if that holds the same."""

    def holds() -> bool:
        from lsa_engine.image_io import read_trimap

        return np.array_equal(read_trimap(str(path)).to_labels(), labels)

    reading = f"trimap = read_trimap({path!r})"
    source = None if path is None else Source((reading,), ("lsa_engine.image_io.read_trimap",), holds)
    return Input({"labels": lambda: labels}, ('trimap = lsa.Trimap.from_labels(arrays["labels"])',), source)


def trimaps_input(labels: NDArray[Any], path: str) -> Input:
    """Return the `labels` (N, H, W) of a stack of trimaps, from the file at `path` if that holds the same."""

    def holds() -> bool:
        from lsa_engine.image_io.trimap_files import read_trimaps

        found = read_trimaps(path).to_labels()
        return found.size == labels.size and np.array_equal(found.reshape(labels.shape), labels)

    reading = f"labels = read_trimaps({path!r}).to_labels()"
    source = Source((reading,), ("lsa_engine.image_io.trimap_files.read_trimaps",), holds)
    return Input({"labels": lambda: labels}, ('labels = arrays["labels"]',), source)

"""Trimaps in files: single ones and stacks, in every coding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lsa_engine.errors import FileError, TrimapError
from lsa_engine.image_io import read_trimap
from lsa_engine.image_io.stack_writing import StackAxis, write_stack
from lsa_engine.image_io.stacks import read_stack
from lsa_engine.image_io.trimap_files import read_trimaps
from lsa_engine.trimap import Trimap

PLANE = np.repeat(np.array([[0, 0, 128, 255, 255, 128, 0]], np.uint8), 5, axis=0)


def some(*leading: int) -> np.ndarray:
    """Return trimaps of which those that follow each other differ."""
    planes = [np.roll(PLANE, shift, axis=1) for shift in range(int(np.prod(leading)))]
    return np.reshape(planes, (*leading, 5, 7))


def labels_of(values: np.ndarray) -> np.ndarray:
    return np.array([Trimap(plane).to_labels() for plane in values.reshape(-1, 5, 7)]).reshape(values.shape)


@pytest.mark.parametrize("leading", [(), (2,), (3,), (4,), (5,), (2, 3), (3, 2), (4, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
@pytest.mark.filterwarnings("ignore:.*photometric:DeprecationWarning")
def test_labels_come_back_from_a_tiff_whatever_their_number(
    tmp_path: Path, leading: tuple[int, ...], dtype: type
) -> None:
    labels = labels_of(some(*leading))
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(dtype), compression="zlib")
    trimaps = read_trimaps(tmp_path / "labels.tif")
    assert (len(trimaps), trimaps.stack.shape) == (np.prod(leading, dtype=int), leading)
    np.testing.assert_array_equal(trimaps.to_labels(), labels)


@pytest.mark.parametrize("values", [some(4), some(4).astype(np.uint16) * 257, np.float32(some(4)) / 255])
def test_stacks_of_every_coding_are_read(tmp_path: Path, values: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", values, photometric="minisblack", metadata={"axes": "ZYX"})
    trimaps = read_trimaps(tmp_path / "stack.tif")
    assert trimaps.stack.axes == "Z"
    np.testing.assert_array_equal(trimaps.to_labels(), labels_of(some(4)))
    np.testing.assert_array_equal(trimaps.page(2).values, some(4)[2])


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif"])
def test_trimaps_of_objects_are_pages_though_they_lie_along_channels(tmp_path: Path, suffix: str) -> None:
    values = some(2, 3)
    path = tmp_path / f"objects{suffix}"
    write_stack(path, lambda index: values[index], [StackAxis("Z", 2), StackAxis("C", 3)], gray=True)
    trimaps = read_trimaps(path)
    assert (trimaps.stack.axes, trimaps.stack.shape) == ("ZC", (2, 3))
    np.testing.assert_array_equal(trimaps.to_labels(), labels_of(values))
    with pytest.raises(FileError, match="pictures in gray or RGB are expected"):
        read_stack(path)


def test_a_gray_picture_in_planes_of_colours_is_one_trimap(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "rgb.tif", np.stack([PLANE] * 3), photometric="rgb", planarconfig="separate")
    assert read_trimaps(tmp_path / "rgb.tif").stack.shape == ()
    np.testing.assert_array_equal(read_trimaps(tmp_path / "rgb.tif").page(0).values, PLANE)
    tifffile.imwrite(tmp_path / "three.tif", some(3), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_trimaps(tmp_path / "three.tif").to_labels(), labels_of(some(3)))


def test_coloured_pixels_are_no_frames(tmp_path: Path) -> None:
    Image.fromarray(np.moveaxis(some(3), 0, -1)).save(tmp_path / "colours.png")
    with pytest.raises(TrimapError, match=r"In .*colours\.png: The trimap has \d+ coloured pixels"):
        read_trimaps(tmp_path / "colours.png")


def test_what_is_wrong_in_a_stack_names_file_and_page(tmp_path: Path) -> None:
    values = some(5)
    values[3, 0, 0] = 77
    tifffile.imwrite(tmp_path / "odd.tif", values, photometric="minisblack")
    with pytest.raises(TrimapError, match=r"In .*odd\.tif, page 4 of 5: .*77 \(1 pixel\)"):
        read_trimaps(tmp_path / "odd.tif").to_labels()


def test_a_single_file_of_labels_is_read_as_labels_and_an_unclear_one_is_refused(tmp_path: Path) -> None:
    labels = labels_of(PLANE[None])[0]
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint32))
    np.testing.assert_array_equal(read_trimap(tmp_path / "labels.tif").values, PLANE)
    Image.fromarray(np.uint8(PLANE > 0)).save(tmp_path / "mask.png")
    for read in (read_trimap, read_trimaps):
        with pytest.raises(TrimapError, match=r"In .*mask\.png: The trimap holds only 0 and 1, .* Trimap\.from_mask"):
            read(tmp_path / "mask.png")

"""Large pictures read in parts: what a slice gives is what reading the whole file gives, and no more is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lsa_engine.errors import FileError
from lsa_engine.image_io import parts, read_image, read_trimap
from lsa_engine.image_io.parts import open_in_parts

SIZE = (301, 427)


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE", 1)


def picture(channels: int, dtype: Any) -> np.ndarray:
    values = np.random.default_rng(0).random((*SIZE, channels)[: 3 if channels > 1 else 2])
    return (values if np.dtype(dtype).kind == "f" else values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"byteorder": ">"},
        {"tile": (64, 48)},
        {"tile": (64, 48), "compression": "zlib", "predictor": True, "bigtiff": True},
        {"tile": (32, 32), "byteorder": ">"},
        {"rowsperstrip": 10, "compression": "lzw"},
    ],
    ids=str,
)
def test_any_slice_is_that_of_the_whole_file(tmp_path: Path, channels: int, dtype: Any, layout: dict[str, Any]) -> None:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, picture(channels, dtype), photometric="rgb" if channels == 3 else "minisblack", **layout)
    whole, opened = read_image(path), open_in_parts(path)
    assert opened is not None
    assert (opened.shape, opened.dtype) == (whole.shape, np.dtype(dtype))
    for rows, columns in (
        (slice(0, 301), slice(0, 427)),
        (slice(10, 200), slice(33, 400)),
        (slice(299, 301), slice(5, 6)),
    ):
        np.testing.assert_array_equal(opened[rows, columns], whole[rows, columns])


def test_colours_of_jpeg_tiles_are_those_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path, picture(3, np.uint8), photometric="ycbcr", compression="jpeg", tile=(64, 64), subsampling=(2, 2)
    )
    opened = open_in_parts(path)
    assert opened is not None
    np.testing.assert_array_equal(opened[60:140, 100:300], read_image(path)[60:140, 100:300])


def test_only_the_tiles_of_a_slice_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    image = picture(1, np.uint8)
    tifffile.imwrite(path, image, tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as file:
        damaged = file.pages[0].dataoffsets[-1]  # type: ignore[union-attr]
    content = bytearray(path.read_bytes())
    content[damaged : damaged + 8] = b"\0" * 8
    path.write_bytes(content)
    opened = open_in_parts(path)
    assert opened is not None
    np.testing.assert_array_equal(opened[0:200, 0:300], image[0:200, 0:300])
    with pytest.raises(FileError, match=r"large\.tif is truncated or damaged"):
        opened[200:301, 300:427]


def test_what_cannot_be_taken_as_it_is_stored_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(pixels: np.ndarray, **layout: Any) -> Any:
        tifffile.imwrite(tmp_path / "a.tif", pixels, **layout)
        return open_in_parts(tmp_path / "a.tif")

    rgb = picture(3, np.uint8)
    assert opened(rgb, photometric="rgb") is not None
    assert opened(rgb, photometric="rgb", planarconfig="separate") is None
    assert opened(rgb, photometric="rgb", extratags=[(274, "H", 1, 6, True)]) is None  # turned
    assert opened(np.dstack([rgb, rgb[..., :1]]), photometric="rgb", extrasamples=["unassalpha"]) is None
    assert opened(rgb[..., 0], photometric="miniswhite") is None
    assert opened(np.stack([rgb[..., 0]] * 2), photometric="minisblack") is None
    monkeypatch.setattr(parts, "_LARGEST_SEGMENT", SIZE[0] * SIZE[1] - 1)
    assert opened(rgb, photometric="rgb", compression="zlib", rowsperstrip=SIZE[0]) is None
    monkeypatch.setattr(parts, "LARGE", SIZE[0] * SIZE[1] + 1)
    assert opened(rgb, photometric="rgb") is None


def test_a_file_whose_end_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, picture(3, np.uint8), photometric="rgb", tile=(64, 64))
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(FileError, match="truncated"):
        open_in_parts(path)


def test_a_zarr_folder_is_read_in_parts_and_at_once(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image = picture(3, np.uint16)
    zarr.create_array(tmp_path / "image.zarr", data=image, chunks=(64, 64, 3))
    group = zarr.create_group(tmp_path / "levels.zarr")
    group.create_array("0", data=image, chunks=(64, 64, 3))
    for name in ("image.zarr", "levels.zarr"):
        opened = open_in_parts(tmp_path / name)
        assert opened is not None
        np.testing.assert_array_equal(opened[10:90, 60:70], image[10:90, 60:70])
        np.testing.assert_array_equal(read_image(tmp_path / name), image)
    trimap = np.where(image[..., 0] > 40_000, 255, np.where(image[..., 0] > 20_000, 128, 0)).astype(np.uint8)
    zarr.create_array(tmp_path / "trimap.zarr", data=trimap, chunks=(64, 64))
    np.testing.assert_array_equal(read_trimap(tmp_path / "trimap.zarr").values, trimap)


def test_a_damaged_chunk_of_a_zarr_folder_is_told_when_it_is_read(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "image.zarr"
    zarr.create_array(path, data=picture(1, np.uint8), chunks=(64, 64))
    (path / "c" / "1" / "2").write_bytes(b"damaged")
    opened = open_in_parts(path)
    assert opened is not None
    np.testing.assert_array_equal(opened[:64, :64], picture(1, np.uint8)[:64, :64])
    with pytest.raises(FileError, match=r"image.zarr is truncated or damaged"):
        opened[60:70, 120:140]


def test_a_folder_that_is_no_picture_is_refused_in_a_sentence(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    with pytest.raises(FileError, match="There is no folder"):
        open_in_parts(tmp_path / "missing.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileError, match="holds no zarr array"):
        open_in_parts(tmp_path / "empty.zarr")
    zarr.create_group(tmp_path / "series.zarr").create_group("0").create_array("0", data=np.zeros((2, 3), np.uint8))
    with pytest.raises(FileError, match="none named 0"):
        open_in_parts(tmp_path / "series.zarr")
    zarr.create_array(tmp_path / "volume.zarr", data=np.zeros((2, 3, 4, 5), np.uint8))
    assert open_in_parts(tmp_path / "volume.zarr") is None
    with pytest.raises(FileError, match=r"shape \(2, 3, 4, 5\)"):
        read_image(tmp_path / "volume.zarr")

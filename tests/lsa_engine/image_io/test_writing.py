from __future__ import annotations

import json
import os
from pathlib import Path

import imagecodecs
import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.io
import tifffile
from PIL import Image

from lsa_engine.errors import FileError, InputError
from lsa_engine.image_io import read_alpha, read_image, write_alpha, write_image, write_rgba

RNG = np.random.default_rng(21)
ALPHA = RNG.random((9, 12), dtype=np.float32)
RGBA = RNG.random((9, 12, 4), dtype=np.float32)
RECORD = {"weights": "lsa-lite", "cost_after": 0.25, "note": "größer"}


def test_a_sixteen_bit_png_is_read_alike_by_independent_readers(tmp_path: Path) -> None:
    path = tmp_path / "alpha.png"
    write_alpha(path, ALPHA, metadata=RECORD, pixel_size=0.5, unit="um")
    expected = np.rint(ALPHA.astype(np.float64) * 65535)
    for reader in (Image.open, imageio.imread, skimage.io.imread, imagecodecs.imread):
        pixels = np.asarray(reader(path))
        assert pixels.dtype == np.uint16
        np.testing.assert_allclose(pixels, expected, atol=1)
    assert np.abs(read_alpha(path) - ALPHA).max() <= 0.5 / 65535 + 1e-7


def test_an_eight_bit_png_rounds_to_the_nearest_level(tmp_path: Path) -> None:
    write_alpha(tmp_path / "alpha.png", ALPHA, bits=8)
    pixels = np.asarray(Image.open(tmp_path / "alpha.png"))
    assert pixels.dtype == np.uint8
    assert np.abs(pixels / 255 - ALPHA).max() <= 0.5 / 255 + 1e-7


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint8, 16), (np.uint16, 16)])
def test_every_level_of_an_integer_survives_writing_and_reading(tmp_path: Path, dtype: type, bits: int) -> None:
    highest = np.iinfo(dtype).max
    levels = np.arange(highest + 1, dtype=dtype).reshape(-1, 128)
    for name in ("alpha.png", "image.png", "image.tif"):
        if name.startswith("alpha"):
            write_alpha(tmp_path / name, levels, bits=bits)
        else:
            write_image(tmp_path / name, levels, bits=bits)
        result = read_image(tmp_path / name)
        np.testing.assert_array_equal(result, levels.astype(np.uint32) * ((2**bits - 1) // highest))


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF"])
def test_an_alpha_tiff_keeps_float32_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"alpha{suffix}"
    write_alpha(path, ALPHA)
    for reader in (tifffile.imread, skimage.io.imread, imageio.imread, Image.open):
        pixels = np.asarray(reader(path))
        assert pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels, ALPHA)
    np.testing.assert_array_equal(read_alpha(path), ALPHA)


@pytest.mark.parametrize("unit", ["um", "µm", "μm", "micrometer", "micron"])
def test_imagej_finds_the_calibration_and_the_record_of_an_alpha_tiff(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "alpha.tif"
    write_alpha(path, ALPHA, pixel_size=(0.2, 0.1625), unit=unit, metadata=RECORD)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        assert tiff.imagej_metadata["unit"] == "um"
        assert (tiff.imagej_metadata["min"], tiff.imagej_metadata["max"]) == (0, 1)
        record = json.loads(tiff.imagej_metadata["Info"])
        tags = tiff.pages.first.tags
        width, height = (
            denominator / numerator for numerator, denominator in (tags["XResolution"].value, tags["YResolution"].value)
        )
    assert record == {**RECORD, "pixel_size": [0.2, 0.1625], "unit": "um"}
    assert (height, width) == pytest.approx((0.2, 0.1625), rel=1e-6)


def test_a_unit_of_another_alphabet_is_escaped_as_imagej_does(tmp_path: Path) -> None:
    write_alpha(tmp_path / "alpha.tif", ALPHA, pixel_size=2, unit="Å")
    with tifffile.TiffFile(tmp_path / "alpha.tif") as tiff:
        assert "unit=\\xc5" in tiff.pages.first.description
        assert json.loads(tiff.imagej_metadata["Info"])["unit"] == "Å"


@pytest.mark.parametrize("write", [write_alpha, write_rgba])
def test_a_png_carries_pixel_size_and_record(tmp_path: Path, write: object) -> None:
    path = tmp_path / "alpha.png"
    write(path, ALPHA if write is write_alpha else RGBA, pixel_size=(200, 100), unit="um", metadata=RECORD)  # type: ignore[operator]
    with Image.open(path) as picture:
        picture.load()
        assert picture.info["dpi"] == pytest.approx((254, 127), rel=1e-4)  # x first: 10,000 and 5,000 a metre
        assert json.loads(picture.text["lsa-matting"]) == {**RECORD, "pixel_size": [200.0, 100.0], "unit": "um"}
        picture.close()
    assert Image.open(path).verify() is None


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_rgba_file_keeps_straight_colours_at_both_depths(
    tmp_path: Path, bits: int, dtype: type, suffix: str
) -> None:
    path = tmp_path / f"cutout{suffix}"
    write_rgba(path, RGBA, bits=bits, pixel_size=0.1, unit="mm")
    readers = [read_image, imagecodecs.imread]
    if suffix == ".tif":
        readers += [tifffile.imread, skimage.io.imread]
    elif bits == 8:  # of 16-bit colour PNG, Pillow and those that build on it drop half of the bits
        readers += [Image.open, imageio.imread, skimage.io.imread]
    for reader in readers:
        pixels = np.asarray(reader(path))
        assert pixels.dtype == dtype
        assert pixels.shape == RGBA.shape
        assert np.abs(pixels / np.iinfo(dtype).max - RGBA).max() <= 0.5 / np.iinfo(dtype).max + 1e-7


def test_an_rgba_tiff_says_that_alpha_is_straight_and_how_large_a_pixel_is(tmp_path: Path) -> None:
    path = tmp_path / "cutout.tif"
    write_rgba(path, RGBA, pixel_size=(0.2, 0.1), unit="mm", metadata=RECORD)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        assert tuple(page.extrasamples) == (tifffile.EXTRASAMPLE.UNASSALPHA,)
        assert page.resolutionunit == tifffile.RESUNIT.CENTIMETER
        assert page.resolution == pytest.approx((100, 50))
        assert json.loads(page.description)["lsa_matting"] == {**RECORD, "pixel_size": [0.2, 0.1], "unit": "mm"}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_bits_are_not_lost_unless_it_is_asked_for(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    deep = RNG.integers(0, 65536, (5, 6, 3), np.uint16)
    write_image(path, deep)
    np.testing.assert_array_equal(read_image(path), deep)
    write_rgba(path, np.dstack([deep, deep[..., 0]]))
    assert read_image(path).dtype == np.uint16
    write_image(path, deep, bits=8)
    np.testing.assert_array_equal(read_image(path), np.rint(deep / 257))
    write_image(path, deep / 65535)
    assert read_image(path).dtype == np.uint8


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
def test_a_gray_image_stays_gray(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape, np.uint8)
    for suffix in (".png", ".tif"):
        write_image(tmp_path / f"gray{suffix}", pixels)
        np.testing.assert_array_equal(read_image(tmp_path / f"gray{suffix}"), pixels.reshape(5, 6))


NAN = np.full((4, 4), np.nan, np.float32)


@pytest.mark.parametrize(
    ("write", "name", "pixels", "options", "words"),
    [
        (write_alpha, "a.png", ALPHA * 255, {}, "floats from"),
        (write_alpha, "a.tif", NAN, {}, "16 NaN"),
        (write_alpha, "a.png", RGBA, {}, "one channel"),
        (write_alpha, "a.png", ALPHA[:1], {}, "at least 2 × 2"),
        (write_alpha, "a.png", ALPHA[:0], {}, "is empty"),
        (write_alpha, "a.png", ALPHA, {"bits": 12}, "12 bits"),
        (write_alpha, "a.tif", ALPHA, {"bits": 32}, "32 bits"),
        (write_alpha, "a.tif", ALPHA, {"pixel_size": 0}, "two positive numbers"),
        (write_alpha, "a.tif", ALPHA, {"pixel_size": (1, 2, 3)}, "two positive numbers"),
        (write_alpha, "a.tif", ALPHA, {"pixel_size": np.nan}, "two positive numbers"),
        (write_alpha, "a.tif", ALPHA, {"pixel_size": 1e-12, "unit": "m"}, "another unit"),
        (write_alpha, "a.tif", ALPHA, {"unit": "um"}, "without a pixel size"),
        (write_alpha, "a.tif", ALPHA, {"metadata": {"array": ALPHA}}, "JSON"),
        (write_alpha, "a.tif", ALPHA, {"metadata": {"value": float("nan")}}, "JSON"),
        (write_alpha, "a.tif", ALPHA, {"metadata": ["a"]}, "dictionary"),
        (write_rgba, "a.png", RGBA[..., :3], {}, "join colours and alpha"),
        (write_rgba, "a.png", RGBA * 2, {}, "floats from"),
        (write_rgba, "a.png", RGBA[:1], {}, "at least 2 × 2"),
        (write_image, "a.png", RGBA, {}, "write_rgba"),
        (write_image, "a.png", RGBA[..., :2], {}, r"\(H, W, 3\) is expected"),
        (write_image, "a.png", np.zeros((4, 4), np.int32), {}, "signed integers"),
    ],
)
def test_pixels_and_options_that_make_no_sense_are_refused_and_no_file_appears(
    tmp_path: Path, write: object, name: str, pixels: np.ndarray, options: dict, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write(tmp_path / name, pixels, **options)  # type: ignore[operator]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["alpha.jpg", "alpha", "alpha.exr"])
def test_a_format_that_loses_bits_or_is_unknown_is_refused(tmp_path: Path, name: str) -> None:
    for write, pixels in ((write_alpha, ALPHA), (write_rgba, RGBA), (write_image, ALPHA)):
        with pytest.raises(FileError, match=r"\.png or \.tif"):
            write(tmp_path / name, pixels)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist: make it first"):
        write_alpha(tmp_path / "missing" / "alpha.png", ALPHA)

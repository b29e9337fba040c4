from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.io
import tifffile
from PIL import Image

from lsa_engine.errors import FileError, InputError, TrimapError
from lsa_engine.image_io import read_alpha, read_image, read_trimap, write_image, write_rgba

RNG = np.random.default_rng(8)
GRAY8 = RNG.integers(0, 256, (11, 13), np.uint8)
RGB8 = RNG.integers(0, 256, (11, 13, 3), np.uint8)
RGBA8 = RNG.integers(0, 256, (11, 13, 4), np.uint8)
GRAY16 = RNG.integers(0, 65536, (11, 13), np.uint16)
RGB16 = RNG.integers(0, 65536, (11, 13, 3), np.uint16)
TRIMAP = np.array([[0, 0, 128], [0, 128, 255], [128, 255, 255]], np.uint8)

ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("pixels", [GRAY8, RGB8, RGBA8, GRAY16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_files_of_other_writers_are_read_bit_for_bit(tmp_path: Path, pixels: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    for write in (
        lambda: Image.fromarray(pixels).save(path),
        lambda: imageio.imwrite(path, pixels),
        lambda: skimage.io.imsave(path, pixels, check_contrast=False),
    ):
        write()
        result = read_image(path)
        assert result.dtype == pixels.dtype
        np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"compression": "lzw"}, {"bigtiff": True}, {"tile": (16, 16)}, {"byteorder": ">"}],
)
def test_sixteen_bit_colour_tiffs_keep_every_bit(tmp_path: Path, options: dict) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RGB16, photometric="rgb", **options)
    np.testing.assert_array_equal(read_image(path), RGB16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint32])
def test_other_number_types_in_tiffs_stay_what_they_are(tmp_path: Path, dtype: type) -> None:
    pixels = (RNG.random((6, 5)) * 1000).astype(dtype)
    tifffile.imwrite(tmp_path / "image.tif", pixels)
    result = read_image(tmp_path / "image.tif")
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, pixels)


def test_a_planar_tiff_and_a_three_channel_stack_become_rgb(tmp_path: Path) -> None:
    channels_first = np.ascontiguousarray(np.moveaxis(RGB16, -1, 0))
    tifffile.imwrite(tmp_path / "planar.tif", channels_first, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "imagej.tif", channels_first, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "image.ome.tif", channels_first, metadata={"axes": "CYX"}, photometric="minisblack")
    for name in ("planar.tif", "imagej.tif", "image.ome.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), RGB16)


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_a_stack_is_refused_with_its_axes(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((3, 8, 9), np.uint8), imagej=True, metadata={"axes": axes})
    with pytest.raises(FileError, match=rf"stack with axes {axes} and shape \(3, 8, 9\)"):
        read_image(path)


def test_several_pictures_in_one_tiff_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(GRAY8)
        writer.write(RGB16, photometric="rgb")
    with pytest.raises(FileError, match="holds 2 pictures"):
        read_image(tmp_path / "two.tif")


def test_a_thumbnail_behind_the_picture_does_no_harm(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "photo.tif") as writer:
        writer.write(RGB8, photometric="rgb", metadata=None)
        writer.write(RGB8[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "photo.tif"), RGB8)


def test_a_five_channel_tiff_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "five.tif"
    tifffile.imwrite(path, np.zeros((8, 9, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(FileError, match="5 channels"):
        read_image(path)


def test_a_cmyk_tiff_is_refused(tmp_path: Path) -> None:
    Image.fromarray(RGB8).convert("CMYK").save(tmp_path / "print.tif")
    with pytest.raises(FileError, match=r"SEPARATED.*save it as RGB"):
        read_image(tmp_path / "print.tif")


def test_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "scan.tif", 255 - GRAY8, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "scan.tif"), GRAY8)


def test_samples_of_an_odd_depth_span_the_range_of_their_type(tmp_path: Path) -> None:
    packed = bytes.fromhex("000fff001800")  # two rows of two samples of twelve bits: 0, 4095 and 1, 2048
    tifffile.imwrite(
        tmp_path / "camera.tif",
        iter([packed]),
        shape=(2, 2),
        dtype=np.uint16,
        bitspersample=12,
        photometric="minisblack",
    )
    result = read_image(tmp_path / "camera.tif")
    np.testing.assert_array_equal(result, [[0, 65535], [16, 32776]])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_single_bits_become_black_and_white(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(GRAY8 > 100).save(tmp_path / f"mask{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"mask{suffix}"), (GRAY8 > 100) * 255)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif", ".bmp"])
def test_palettes_are_expanded(tmp_path: Path, suffix: str) -> None:
    palette = Image.fromarray(RGB8).quantize(16)
    palette.save(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"image{suffix}"), np.asarray(palette.convert("RGB")))


def test_a_palette_with_a_transparent_colour_becomes_rgba(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB8).quantize(4)
    palette.save(tmp_path / "image.png", transparency=2)
    result = read_image(tmp_path / "image.png")
    assert result.shape == (11, 13, 4)
    np.testing.assert_array_equal(result[..., 3] == 0, np.asarray(palette) == 2)


def test_gray_with_alpha_becomes_rgba(tmp_path: Path) -> None:
    gray_alpha = np.dstack([GRAY8, 255 - GRAY8])
    Image.fromarray(gray_alpha).save(tmp_path / "8.png")
    skimage_like = np.dstack([GRAY16, 65535 - GRAY16])
    tifffile.imwrite(
        tmp_path / "16.tif", skimage_like, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    for name, gray, alpha in (("8.png", GRAY8, 255 - GRAY8), ("16.tif", GRAY16, 65535 - GRAY16)):
        result = read_image(tmp_path / name)
        np.testing.assert_array_equal(result, np.dstack([gray, gray, gray, alpha]))


def test_premultiplied_colours_in_a_tiff_become_straight(tmp_path: Path) -> None:
    straight = np.array([[[200, 100, 50, 255], [200, 100, 50, 128]], [[255, 0, 10, 51], [9, 9, 9, 0]]], np.uint8)
    stored = np.rint(straight * (straight[..., 3:] / 255)).astype(np.uint8)
    stored[..., 3] = straight[..., 3]
    tifffile.imwrite(tmp_path / "over.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    result = read_image(tmp_path / "over.tif").astype(int)
    np.testing.assert_allclose(result[0], straight[0], atol=1)
    np.testing.assert_allclose(result[1, 0], straight[1, 0], atol=3)  # a fifth of the levels is left at α = 51 / 255
    np.testing.assert_array_equal(result[1, 1], 0)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["8-bit PNG", "16-bit PNG", "TIFF", "JPEG"])
def test_the_orientation_of_the_camera_is_applied(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    if kind == "TIFF":
        path, pixels = tmp_path / "photo.tif", RGB16
        tifffile.imwrite(path, RGB16, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    elif kind == "JPEG":
        path = tmp_path / "photo.jpg"
        Image.fromarray(RGB8).save(path, exif=exif)
        pixels = np.asarray(Image.open(path))
    else:
        path, pixels = tmp_path / "photo.png", RGB8 if kind == "8-bit PNG" else GRAY16
        Image.fromarray(pixels).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), ORIENTATIONS[orientation](pixels))


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "image.png", RGB16, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), RGB16)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB8), Image.fromarray(255 - RGB8)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="2 frames"):
        read_image(tmp_path / "film.gif")


def test_missing_empty_foreign_files_and_folders_each_get_their_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("This is a letter, not a picture, although its name says otherwise.")
    np.save(tmp_path / "array.npy", GRAY8)
    Image.fromarray(RGB8).save(tmp_path / "image.ppm")
    for name, words in [
        ("missing.png", "There is no file"),
        ("empty.png", "is empty"),
        ("text.png", "not an image of a known format, but PNG, TIFF, JPEG"),
        ("array.npy", "not an image of a known format"),
        ("image.ppm", "not an image of a known format"),
        ("", "is a folder"),
    ]:
        with pytest.raises(FileError, match=words):
            read_image(tmp_path / name)


SAVERS = {
    "gray8.png": lambda path: Image.fromarray(GRAY8).save(path),
    "palette.png": lambda path: Image.fromarray(RGB8).quantize(8).save(path),
    "rgb16.png": lambda path: write_image(path, RGB16),
    "rgba16.png": lambda path: write_rgba(path, np.dstack([RGB16, GRAY16])),
    "photo.jpg": lambda path: Image.fromarray(RGB8).save(path),
    "photo.webp": lambda path: Image.fromarray(RGB8).save(path, lossless=True),
    "photo.bmp": lambda path: Image.fromarray(RGB8).save(path),
    "raw.tif": lambda path: tifffile.imwrite(path, RGB16, photometric="rgb"),
    "zlib.tif": lambda path: tifffile.imwrite(path, RGB16, photometric="rgb", compression="zlib"),
    "lzw.tif": lambda path: tifffile.imwrite(path, GRAY16, compression="lzw"),
    "imagej.tif": lambda path: tifffile.imwrite(path, GRAY16, imagej=True),
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_truncated_file_is_never_taken_for_a_picture(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    SAVERS[name](path)
    data = path.read_bytes()
    whole = read_image(path)
    for length in {1, 3, 8, 20, 33, *(len(data) * np.arange(1, 20) // 20)}:
        path.write_bytes(data[:length])
        try:
            result = read_image(path)
        except FileError:
            continue
        # Some bytes at the end carry no pixels; without them the picture must be the same.
        np.testing.assert_array_equal(result, whole)


def test_what_a_decoder_says_of_a_damaged_file_goes_without_a_place_for_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    with pytest.raises(FileError, match=r"a.png is truncated or damaged \([^']+\), so it cannot be read"):
        read_image(path)


@pytest.mark.parametrize("name", SAVERS)
def test_a_damaged_file_gives_a_picture_or_a_file_error_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    SAVERS[name](path)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(len(name))
    for _ in range(40):
        damaged = data.copy()
        damaged[rng.integers(0, data.size, 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_image(path).ndim in (2, 3)
        except FileError as error:
            assert str(path) in str(error)


READ_AS_NOBODY = """
import os, sys
from lsa_engine.errors import FileError
from lsa_engine.image_io import read_image

if os.geteuid() == 0:  # nothing is forbidden to root
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    read_image(sys.argv[1])
except FileError as error:
    print(error)
"""


def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path
    while folder.stat().st_uid == os.geteuid() and folder != Path(folder.root):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    path = tmp_path / "private.png"
    Image.fromarray(GRAY8).save(path)
    path.chmod(0o000)
    command = [sys.executable, "-c", READ_AS_NOBODY, str(path)]
    message = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    assert "not open to this user" in message


def test_trimaps_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    palette = Image.fromarray(np.searchsorted([0, 128, 255], TRIMAP).astype(np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 128, 128, 128, 255, 255, 255])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(TRIMAP).save(tmp_path / "gray.png")
    Image.fromarray(np.dstack([TRIMAP] * 3)).save(tmp_path / "rgb.png")
    Image.fromarray(np.dstack([TRIMAP, np.full_like(TRIMAP, 255)])).save(tmp_path / "opaque.png")
    Image.fromarray(TRIMAP.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    tifffile.imwrite(tmp_path / "float.tif", np.select([TRIMAP == 0, TRIMAP == 255], [0, 1], 0.5).astype(np.float32))
    for name in ("palette.png", "gray.png", "rgb.png", "opaque.png", "deep.png", "float.tif"):
        np.testing.assert_array_equal(read_trimap(tmp_path / name).values, TRIMAP, err_msg=name)


def test_odd_values_in_a_trimap_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "smooth.png"
    Image.fromarray(np.where(TRIMAP == 128, 90, TRIMAP).astype(np.uint8)).save(path)
    with pytest.raises(TrimapError, match=r"smooth\.png: The trimap holds odd values, 90 \(3 pixels\)"):
        read_trimap(path)


def test_a_trimap_file_of_one_row_is_refused(tmp_path: Path) -> None:
    Image.fromarray(TRIMAP[:1]).save(tmp_path / "row.png")
    with pytest.raises(TrimapError, match=r"row\.png: .*at least 2 × 2"):
        read_trimap(tmp_path / "row.png")


def test_an_alpha_is_read_from_gray_from_gray_rgb_and_from_a_cutout(tmp_path: Path) -> None:
    Image.fromarray(GRAY8).save(tmp_path / "gray.png")
    Image.fromarray(np.dstack([GRAY8] * 3)).save(tmp_path / "rgb.png")
    Image.fromarray(np.dstack([RGB8, GRAY8])).save(tmp_path / "cutout.png")
    Image.fromarray(np.dstack([GRAY8] * 3 + [np.full_like(GRAY8, 255)])).save(tmp_path / "opaque.png")
    tifffile.imwrite(tmp_path / "float.tif", GRAY8 / np.float32(255))
    for name in ("gray.png", "rgb.png", "cutout.png", "opaque.png", "float.tif"):
        result = read_alpha(tmp_path / name)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, GRAY8 / 255, atol=1e-7, err_msg=name)


def test_a_coloured_photograph_is_no_alpha(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match=r"photo\.png is a coloured picture without transparency"):
        read_alpha(tmp_path / "photo.png")


def test_an_alpha_file_with_values_beyond_one_or_nan_is_refused(tmp_path: Path) -> None:
    for value, words in ((255.0, "floats from 0 to 255"), (np.nan, "1 NaN")):
        pixels = np.zeros((4, 4), np.float32)
        pixels[1, 1] = value
        tifffile.imwrite(tmp_path / "alpha.tif", pixels)
        with pytest.raises(InputError, match=rf"alpha\.tif holds .*{words}|alpha\.tif holds {words}"):
            read_alpha(tmp_path / "alpha.tif")

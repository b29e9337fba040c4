"""Layers that become files, read back by other programs' readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imagecodecs
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from PIL import Image

from lsa_engine.errors import Cancelled, FileError, InputError, TrimapError
from lsa_engine.image_io.stack_writing import StackAxis, write_stack
from lsa_engine.progress import CancelToken
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.readers import get_trimap_reader
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.writers import write_matte, write_trimap

PLACE: dict[str, Any] = {"scale": (0.5, 0.25), "units": ("um", "um")}


def settings_of(layer: Any) -> dict[str, Any]:
    settings: dict[str, Any] = layer.as_layer_data_tuple()[1]
    return settings


@pytest.fixture
def alpha(scene: Any) -> Any:
    metadata = {METADATA_KEY: {"kind": "alpha", "report": {"weights": "lsa-lite"}}}
    return ViewerModel().add_image(scene.alpha, name="alpha", metadata=metadata, **PLACE)


def test_an_alpha_png_has_sixteen_bits(tmp_path: Path, alpha: Any) -> None:
    path = tmp_path / "alpha.png"
    assert write_matte(str(path), alpha.data, settings_of(alpha)) == [str(path)]
    pixels = imageio.imread(path)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, np.rint(alpha.data * 65535))


def test_an_alpha_tiff_is_float_with_pixel_size_and_provenance(tmp_path: Path, alpha: Any) -> None:
    path = tmp_path / "alpha.tif"
    write_matte(str(path), alpha.data, settings_of(alpha))
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), alpha.data)
        x, y = (page.tags[name].value for name in ("XResolution", "YResolution"))
        assert (x[0] / x[1], y[0] / y[1]) == (4.0, 2.0)
        assert (file.imagej_metadata or {})["unit"] in ("um", "µm", "micron", "\\u00B5m")
        assert "lsa-lite" in json.dumps({**file.imagej_metadata, "description": page.description})


def test_a_plane_of_a_stack_is_written_and_a_png_holds_no_whole_stack(tmp_path: Path, alpha: Any) -> None:
    write_matte(str(tmp_path / "plane.png"), alpha.data[None], settings_of(alpha))
    assert imageio.imread(tmp_path / "plane.png").shape == (48, 64)
    with pytest.raises(FileError, match=r"choose a name that ends in \.tif"):
        write_matte(str(tmp_path / "stack.png"), np.stack([alpha.data] * 3), settings_of(alpha))
    assert not (tmp_path / "stack.png").exists()


@pytest.fixture
def series(rng: np.random.Generator) -> Any:
    """Mattes in z and time, with z first."""
    metadata = {METADATA_KEY: {"kind": "alpha", "settings": {"weights": "lsa-lite"}}}
    return ViewerModel().add_image(
        rng.random((3, 2, 8, 9), np.float32),
        scale=(2000, 5, 0.5, 0.25),
        units=("nm", "min", "um", "um"),
        axis_labels=("z", "t", "y", "x"),
        metadata=metadata,
    )


def test_a_stack_of_mattes_is_a_hyperstack_with_sizes_and_provenance(tmp_path: Path, series: Any) -> None:
    path = tmp_path / "series.tif"
    write_matte(str(path), series.data, settings_of(series))
    with tifffile.TiffFile(path) as file:
        assert (file.series[0].axes, file.series[0].shape) == ("TZYX", (2, 3, 8, 9))
        np.testing.assert_array_equal(file.asarray(), series.data.swapaxes(0, 1))
        about = file.imagej_metadata
        # ImageJ has one unit of length, and counts time in seconds.
        assert (about["unit"], about["finterval"]) == ("um", 300.0)
        assert about["spacing"] == pytest.approx(2.0)
        x, y = (file.pages[0].tags[name].value for name in ("XResolution", "YResolution"))
        assert (x[0] / x[1], y[0] / y[1]) == (4.0, 2.0)
        record = json.loads(about["Info"])
    assert record[METADATA_KEY]["settings"] == {"weights": "lsa-lite"}
    assert [axis["unit"] for axis in record["axes"]] == ["minute", "nanometer"]


def test_a_stack_of_mattes_becomes_an_ome_tiff_with_physical_sizes(tmp_path: Path, series: Any) -> None:
    path = tmp_path / "series.ome.tif"
    write_matte(str(path), series.data, settings_of(series))
    with tifffile.TiffFile(path) as file:
        assert (file.is_ome, file.series[0].axes) == (True, "TZYX")
        np.testing.assert_array_equal(file.asarray(), series.data.swapaxes(0, 1))
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeZ"], pixels["PhysicalSizeZUnit"]) == (2000, "nm")
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (5, "min")


def test_objects_are_channels_with_names(tmp_path: Path, rng: np.random.Generator) -> None:
    metadata = {METADATA_KEY: {"kind": "alpha", "objects": [4, 7], "names": ["nucleus", "cell"]}}
    labels = ("object", "z", "y", "x")
    layer = ViewerModel().add_image(rng.random((2, 1, 8, 9), np.float32), axis_labels=labels, metadata=metadata)
    for name in ("objects.tif", "objects.ome.tif"):
        write_matte(str(tmp_path / name), layer.data, settings_of(layer))
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.series[0].axes == "CYX"
            np.testing.assert_array_equal(file.asarray(), layer.data[:, 0])
            if file.is_ome:
                channels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]["Channel"]
                assert [channel["Name"] for channel in channels] == ["nucleus", "cell"]
            else:
                assert file.imagej_metadata["Labels"] == ["nucleus", "cell"]


@pytest.mark.parametrize("name", ["trimap.tif", "trimap.ome.tif"])
def test_a_stack_of_trimaps_is_written_with_how_it_was_made(tmp_path: Path, name: str) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (4, 9, 7), np.uint8)
    layer = ViewerModel().add_labels(labels, **trimap_settings(), scale=(3, 1, 1), units=("um",) * 3)
    write_trimap(str(tmp_path / name), layer.data, settings_of(layer))
    with tifffile.TiffFile(tmp_path / name) as file:
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), np.array([128, 255, 0], np.uint8)[labels])
        text = file.ome_metadata if file.is_ome else file.imagej_metadata["Info"]
    assert METADATA_KEY in text and "trimap" in text


def test_a_stack_beyond_two_gigabytes_keeps_its_axes(
    tmp_path: Path, series: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsa_engine.image_io.tiff.LARGE_BYTES", 100)
    path = tmp_path / "series.tif"
    write_matte(str(path), series.data, settings_of(series))
    with tifffile.TiffFile(path) as file:
        assert (file.is_bigtiff, file.series[0].axes) == (True, "TZYX")
        np.testing.assert_array_equal(file.asarray(), series.data.swapaxes(0, 1))
        assert file.shaped_metadata[0]["lsa_matting"][METADATA_KEY]["kind"] == "alpha"


def test_pages_are_read_one_after_the_other_and_a_stopped_file_is_not_left(tmp_path: Path) -> None:
    cancel, read = CancelToken(), []

    def page(index: tuple[int, ...]) -> Any:
        read.append(index)
        if len(read) > 3:
            cancel.cancel()
        return np.zeros((4, 5), np.float32)

    with pytest.raises(Cancelled):
        write_stack(tmp_path / "stack.tif", page, [StackAxis("Z", 50)], cancel=cancel)
    assert len(read) < 7
    assert list(tmp_path.iterdir()) == []


def test_a_cut_out_keeps_straight_colours_where_it_is_transparent(tmp_path: Path) -> None:
    pixels = np.zeros((6, 6, 4), np.float32)
    pixels[..., 0], pixels[:3, :, 3] = 1.0, 0.2
    layer = ViewerModel().add_image(pixels, rgb=True, name="cut-out")
    write_matte(str(tmp_path / "cutout.png"), layer.data, settings_of(layer))
    with Image.open(tmp_path / "cutout.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getpixel((5, 5)) == (255, 0, 0, 0)
        assert picture.getpixel((0, 0)) == (255, 0, 0, 51)


@pytest.mark.parametrize(("source", "depth"), [("uint8", np.uint8), ("uint16", np.uint16), ("float32", np.uint16)])
def test_colours_are_as_deep_as_the_photograph_unless_a_depth_is_asked_for(
    tmp_path: Path, scene: Any, source: str, depth: type
) -> None:
    metadata = {METADATA_KEY: {"kind": "foreground", "image_dtype": source}}
    layer = ViewerModel().add_image(scene.foreground, rgb=True, name="foreground", metadata=metadata)
    for bits, expected in ((None, depth), (8, np.uint8), (16, np.uint16)):
        write_matte(str(tmp_path / "foreground.png"), layer.data, settings_of(layer), bits=bits)
        pixels = imagecodecs.imread(tmp_path / "foreground.png")
        assert (pixels.dtype, pixels.shape) == (expected, (48, 64, 3))
        np.testing.assert_array_equal(pixels, np.rint(layer.data * np.float32(np.iinfo(expected).max)))


def test_an_ordinary_image_is_not_taken_for_an_alpha(tmp_path: Path) -> None:
    layer = ViewerModel().add_image(np.linspace(0, 900, 64).reshape(8, 8), name="cells")
    with pytest.raises(InputError, match="from 0 to 900"):
        write_matte(str(tmp_path / "cells.png"), layer.data, settings_of(layer))
    assert list(tmp_path.iterdir()) == []


def test_napari_saves_a_layer_with_this_plugin(tmp_path: Path, scene: Any, make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_image(scene.alpha, name="alpha", **PLACE)
    (path,) = viewer.layers.save(str(tmp_path / "saved.tif"), plugin="napari-lsa-matting")
    np.testing.assert_array_equal(tifffile.imread(path), layer.data)


def test_an_ome_tiff_has_physical_sizes_and_provenance(tmp_path: Path, alpha: Any) -> None:
    path = tmp_path / "alpha.ome.tif"
    write_matte(str(path), alpha.data, settings_of(alpha))
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        np.testing.assert_array_equal(file.series[0].asarray(), alpha.data)
        assert file.series[0].axes == "YX"
        image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    pixels = image["Pixels"]
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeYUnit"]) == (0.5, "µm")
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert json.loads(image["Description"])[METADATA_KEY]["report"] == {"weights": "lsa-lite"}
    np.testing.assert_array_equal(imageio.imread(path), alpha.data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["cutout.png", "cutout.tif", "cutout.ome.tif"])
def test_a_cut_out_keeps_its_bits_in_every_format(tmp_path: Path, name: str, dtype: type) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 7, 4), dtype)
    layer = ViewerModel().add_image(pixels, rgb=True)
    write_matte(str(tmp_path / name), layer.data, settings_of(layer))
    read = imagecodecs.imread(tmp_path / name) if name.endswith(".png") else tifffile.imread(tmp_path / name)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, pixels)
    # Pillow has no colours of 16 bits: it must come to the same in 8.
    if name.endswith(".png"):
        np.testing.assert_array_equal(imageio.imread(tmp_path / name), pixels >> 8 * (pixels.itemsize - 1))


@pytest.mark.parametrize("name", ["my_trimap.png", "my_trimap.tif", "my_trimap.ome.tif"])
def test_a_trimap_comes_back_from_a_file_that_other_programs_read(tmp_path: Path, name: str) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (9, 7), np.uint8)
    layer = ViewerModel().add_labels(labels, **trimap_settings(), **PLACE)
    path = str(tmp_path / name)
    assert write_trimap(path, layer.data, settings_of(layer)) == [path]
    np.testing.assert_array_equal(imageio.imread(path), np.array([128, 255, 0])[labels])
    reader = get_trimap_reader(path)
    assert reader is not None
    ((data, _, kind),) = reader(path)
    assert kind == "labels"
    np.testing.assert_array_equal(data, labels)


def test_a_segmentation_is_not_written_as_a_trimap(tmp_path: Path) -> None:
    layer = ViewerModel().add_labels(np.arange(20).reshape(4, 5))
    with pytest.raises(TrimapError):
        write_trimap(str(tmp_path / "cells.png"), layer.data, settings_of(layer))
    assert list(tmp_path.iterdir()) == []


def test_napari_still_writes_segmentations_itself(tmp_path: Path, make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    cells = np.arange(20).reshape(4, 5)
    viewer.add_labels(cells, name="cells")
    (path,) = viewer.layers.save(str(tmp_path / "cells.tif"))
    np.testing.assert_array_equal(tifffile.imread(path), cells)

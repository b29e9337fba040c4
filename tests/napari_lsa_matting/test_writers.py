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

from lsa_engine.errors import InputError, TrimapError
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


def test_a_plane_of_a_stack_is_written_and_a_whole_stack_is_refused(tmp_path: Path, alpha: Any) -> None:
    write_matte(str(tmp_path / "plane.png"), alpha.data[None], settings_of(alpha))
    assert imageio.imread(tmp_path / "plane.png").shape == (48, 64)
    with pytest.raises(InputError, match="one plane is written at a time"):
        write_matte(str(tmp_path / "stack.png"), np.stack([alpha.data] * 3), settings_of(alpha))
    assert not (tmp_path / "stack.png").exists()


def test_a_cut_out_keeps_straight_colours_where_it_is_transparent(tmp_path: Path) -> None:
    pixels = np.zeros((6, 6, 4), np.float32)
    pixels[..., 0], pixels[:3, :, 3] = 1.0, 0.2
    layer = ViewerModel().add_image(pixels, rgb=True, name="cut-out")
    write_matte(str(tmp_path / "cutout.png"), layer.data, settings_of(layer))
    with Image.open(tmp_path / "cutout.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getpixel((5, 5)) == (255, 0, 0, 0)
        assert picture.getpixel((0, 0)) == (255, 0, 0, 51)


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

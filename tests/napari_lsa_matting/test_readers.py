"""Files that become layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from PIL import Image

from lsa_engine.errors import FileError, InputError, TrimapError
from lsa_engine.image_io import write_image
from napari_lsa_matting.layers import METADATA_KEY, is_picture, is_trimap, with_provenance
from napari_lsa_matting.measurement import objects_of
from napari_lsa_matting.readers import get_alpha_reader, get_cutout_reader, get_trimap_reader
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.writers import write_matte, write_trimap


def read(get_reader: Any, path: Path) -> Any:
    reader = get_reader(str(path))
    assert reader is not None
    ((data, settings, kind),) = reader(str(path))
    return data, settings, kind


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_trimap_file_becomes_painted_labels(tmp_path: Path, scene: Any, mode: str) -> None:
    path = tmp_path / "moth_trimap.png"
    Image.fromarray(scene.trimap).convert(mode).save(path)
    data, settings, kind = read(get_trimap_reader, path)
    assert kind == "labels"
    assert settings["name"] == "moth_trimap"
    np.testing.assert_array_equal(data == 1, scene.trimap == 255)
    np.testing.assert_array_equal(data == 2, scene.trimap == 0)
    np.testing.assert_array_equal(data == 0, scene.trimap == 128)
    ViewerModel().add_labels(data, **settings)


def test_a_cut_out_keeps_its_sixteen_bits_and_straight_colours(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 65535, (7, 9, 4), dtype=np.uint16)
    path = tmp_path / "cutout.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    data, settings, kind = read(get_cutout_reader, path)
    assert kind == "image"
    assert settings["rgb"] is True
    assert settings["blending"] == "translucent_no_depth"
    np.testing.assert_array_equal(data, pixels)


def test_odd_values_in_a_trimap_file_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "trimap.png"
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(path)
    with pytest.raises(TrimapError, match=r"77 \(16 pixels\)"):
        read(get_trimap_reader, path)


def test_a_cut_out_without_transparency_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rgba.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    with pytest.raises(FileError, match="four channels"):
        read(get_cutout_reader, path)


def test_other_kinds_of_files_are_left_to_other_readers() -> None:
    assert get_trimap_reader("trimap.npy") is None
    assert get_cutout_reader(["cutout.png", "cutout.gif"]) is None


def test_napari_opens_a_trimap_file_with_this_plugin(tmp_path: Path, scene: Any, make_napari_viewer_proxy: Any) -> None:
    path = tmp_path / "moth_trimap.png"
    Image.fromarray(scene.trimap).save(path)
    viewer = make_napari_viewer_proxy()
    (layer,) = viewer.open(path, plugin="napari-lsa-matting")
    assert layer.name == "moth_trimap"
    assert int((layer.data == 1).sum()) == int((scene.trimap == 255).sum())


@pytest.mark.parametrize("frames", [0, 1, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:.*photometric:DeprecationWarning")
def test_what_napari_itself_saves_comes_back_as_a_trimap(
    tmp_path: Path, scene: Any, make_napari_viewer_proxy: Any, frames: int
) -> None:
    labels = np.select([scene.trimap == 255, scene.trimap == 0], [1, 2], 0).astype(np.uint8)
    if frames:
        labels = np.stack([np.roll(labels, 3 * shift, axis=0) for shift in range(frames)])
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_labels(labels, **trimap_settings())
    (path,) = layer.save(str(tmp_path / "trimap.tif"), plugin="napari")
    (opened,) = viewer.open(path, plugin="napari-lsa-matting")
    np.testing.assert_array_equal(opened.data, labels.squeeze())
    assert opened.data.dtype == np.uint8
    assert is_trimap(opened)
    assert [row["name"] for _, row in opened.features.iterrows()] == ["unknown", "foreground", "background"]


@pytest.mark.parametrize("name", ["trimap.tif", "trimap.ome.tif"])
def test_a_saved_stack_of_trimaps_comes_back_in_its_place_with_how_it_was_made(tmp_path: Path, name: str) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (2, 3, 9, 7), np.uint8)
    settings = trimap_settings() | {"scale": (5, 2, 0.5, 0.25), "units": ("min", "um", "um", "um")}
    settings["metadata"][METADATA_KEY]["made"] = {"0,1": [{"from": "strokes"}]}
    layer = ViewerModel().add_labels(labels, **settings, axis_labels=("t", "z", "y", "x"))
    write_trimap(str(tmp_path / name), layer.data, layer.as_layer_data_tuple()[1])
    data, settings, _ = read(get_trimap_reader, tmp_path / name)
    opened = ViewerModel().add_labels(data, **settings)
    np.testing.assert_array_equal(opened.data, labels)
    np.testing.assert_allclose(opened.scale, layer.scale)
    assert (opened.units, opened.axis_labels) == (layer.units, layer.axis_labels)
    assert opened.metadata == layer.metadata


@pytest.mark.parametrize("name", ["trimap.png", "trimap.tif", "trimap.ome.tif"])
def test_a_saved_trimap_comes_back_with_its_pixel_size(tmp_path: Path, scene: Any, name: str) -> None:
    labels = np.select([scene.trimap == 255, scene.trimap == 0], [1, 2], 0).astype(np.uint8)
    layer = ViewerModel().add_labels(labels, **trimap_settings(), scale=(0.5, 0.25), units=("um", "um"))
    write_trimap(str(tmp_path / name), layer.data, layer.as_layer_data_tuple()[1])
    data, settings, _ = read(get_trimap_reader, tmp_path / name)
    opened = ViewerModel().add_labels(data, **settings)
    np.testing.assert_array_equal(opened.data, labels)
    np.testing.assert_allclose(opened.scale, (0.5, 0.25))
    assert opened.units == layer.units


@pytest.mark.parametrize("name", ["cutout.png", "cutout.tif", "cutout.ome.tif"])
def test_a_saved_cut_out_comes_back_with_its_pixel_size(tmp_path: Path, rng: np.random.Generator, name: str) -> None:
    pixels = rng.random((7, 9, 4), np.float32)
    layer = ViewerModel().add_image(pixels, rgb=True, scale=(0.5, 0.25), units=("um", "um"))
    write_matte(str(tmp_path / name), layer.data, layer.as_layer_data_tuple()[1])
    data, settings, _ = read(get_cutout_reader, tmp_path / name)
    opened = ViewerModel().add_image(data, **settings)
    np.testing.assert_allclose(opened.scale, (0.5, 0.25))
    assert opened.units == layer.units
    assert is_picture(opened)


@pytest.mark.parametrize("unit", ["barleycorn", "not a unit", None])
def test_a_unit_that_napari_does_not_know_is_left_out(tmp_path: Path, scene: Any, unit: str | None) -> None:
    path = tmp_path / "trimap.png"
    write_image(path, scene.trimap, pixel_size=(2, 3), unit=unit)
    data, settings, _ = read(get_trimap_reader, path)
    opened = ViewerModel().add_labels(data, **settings)
    np.testing.assert_allclose(opened.scale, (2, 3))
    assert [str(each) for each in opened.units] == ["pixel", "pixel"]


def test_files_of_other_programs_lie_where_napari_puts_their_images(tmp_path: Path, scene: Any) -> None:
    path = tmp_path / "trimap.tif"
    tifffile.imwrite(path, scene.trimap, imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    _, settings, _ = read(get_trimap_reader, path)
    assert not {"scale", "units", "axis_labels"} & set(settings)
    assert settings["metadata"] == trimap_settings()["metadata"]


def test_numbers_whose_meaning_cannot_be_told_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "trimap.tif", np.eye(6, dtype=np.uint32))
    with pytest.raises(TrimapError, match="open it with napari's own reader and convert it to labels"):
        read(get_trimap_reader, tmp_path / "trimap.tif")


def written(path: Path, pixels: Any, **settings: Any) -> Any:
    """Write an alpha layer, read the file, and return both layers."""
    layer = ViewerModel().add_image(pixels, rgb=False, **settings)
    write_matte(str(path), layer.data, layer.as_layer_data_tuple()[1])
    data, settings, kind = read(get_alpha_reader, path)
    assert kind == "image"
    return layer, ViewerModel().add_image(data, **settings)


@pytest.mark.parametrize(("name", "step"), [("alpha.png", 1 / 65535), ("alpha.tif", 0), ("alpha.ome.tif", 0)])
def test_a_saved_alpha_comes_back_with_its_pixel_size_and_how_it_was_made(
    tmp_path: Path, scene: Any, name: str, step: float
) -> None:
    metadata = with_provenance({}, kind="alpha", image="photo", image_path=None)
    layer, opened = written(tmp_path / name, scene.alpha, scale=(0.5, 0.25), units=("um", "um"), metadata=metadata)
    np.testing.assert_allclose(opened.data, scene.alpha, atol=step)
    assert opened.data.dtype == np.float32
    np.testing.assert_allclose(opened.scale, (0.5, 0.25))
    assert (opened.units, opened.metadata) == (layer.units, metadata)
    assert tuple(opened.contrast_limits) == (0, 1)


@pytest.mark.parametrize("name", ["alpha.tif", "alpha.ome.tif"])
def test_saved_alphas_of_a_series_and_of_objects_come_back(tmp_path: Path, scene: Any, name: str) -> None:
    film = np.stack([scene.alpha * weight for weight in (1, 0.5, 0.25)]).astype(np.float32)
    place: dict[str, Any] = {"scale": (2, 0.5, 0.25), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
    layer, opened = written(tmp_path / name, film, metadata=with_provenance({}, kind="alpha"), **place)
    np.testing.assert_array_equal(opened.data, film)
    np.testing.assert_allclose(opened.scale, layer.scale)
    assert (opened.units, opened.axis_labels) == (layer.units, layer.axis_labels)
    metadata = with_provenance({}, kind="alpha", objects=[3, 7, 8], names=["mother", "left", "right"])
    place = {"scale": (1, 0.5, 0.25), "units": ("pixel", "um", "um"), "axis_labels": ("object", "y", "x")}
    _, opened = written(tmp_path / name, film, metadata=metadata, **place)
    np.testing.assert_array_equal(opened.data, film)
    assert [matte.name for matte in objects_of(opened)] == ["mother", "left", "right"]


def test_an_alpha_of_another_program_is_read_and_a_coloured_picture_refused(tmp_path: Path, scene: Any) -> None:
    gray = np.round(255 * scene.alpha).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "alpha.png")
    data, settings, _ = read(get_alpha_reader, tmp_path / "alpha.png")
    np.testing.assert_allclose(data, gray / 255, atol=1e-6)
    assert not {"scale", "units", "metadata"} & set(settings)
    Image.fromarray(np.round(255 * scene.image).astype(np.uint8)).save(tmp_path / "alpha.png")
    with pytest.raises(InputError, match="coloured picture"):
        read(get_alpha_reader, tmp_path / "alpha.png")

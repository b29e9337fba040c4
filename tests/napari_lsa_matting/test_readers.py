"""Files that become layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from lsa_engine.errors import FileError, TrimapError
from napari_lsa_matting.readers import get_cutout_reader, get_trimap_reader


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

"""Trimaps made in a worker belong to what they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lsa_engine.progress import CancelToken
from lsa_engine.trimap import Trimap
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.trimap_requests import AlphaRequest, FileRequest, LabelsRequest, MakeRequest, StrokesRequest
from napari_lsa_matting.trimap_widget import TrimapWidget

_SPACING = (1.0, 1.0)


def make(request: LabelsRequest) -> Any:
    return MakeRequest(request).run(lambda _: None, CancelToken())


@pytest.mark.parametrize("channels", [None, Channels(0, "mean")])
def test_strokes_on_a_picture_that_is_drawn_on_meanwhile_make_no_trimap(
    scene: Any, monkeypatch: pytest.MonkeyPatch, channels: Channels | None
) -> None:
    pixels = scene.image.copy() if channels is None else np.moveaxis(scene.image, -1, 0).copy()
    plane = ImagePlane(pixels, (0.0, 1.0), "photo", channels)
    request = StrokesRequest(plane, Trimap(scene.trimap).to_labels(), 0.8, 2.0, _SPACING)
    assert make(request).labels.any()
    fill = StrokesRequest.run

    def draw_meanwhile(*inputs: Any) -> Any:
        made = fill(*inputs)
        pixels[..., :2] = 0
        return made

    monkeypatch.setattr(StrokesRequest, "run", draw_meanwhile)
    with pytest.raises(ImageChangedError, match=r"The image was changed .* so that was dropped: try it again\."):
        make(request)


def test_an_alpha_that_is_drawn_on_meanwhile_makes_no_trimap(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = scene.alpha.copy()
    request = AlphaRequest(alpha, 1.0, 1.0, _SPACING)
    assert make(request).labels.any()
    find = Trimap.from_alpha

    def draw_meanwhile(*inputs: Any, **settings: Any) -> Any:
        made = find(*inputs, **settings)
        alpha[:5] = 1
        return made

    monkeypatch.setattr(Trimap, "from_alpha", draw_meanwhile)
    with pytest.raises(ImageChangedError, match="The alpha was changed while a trimap was made from it"):
        make(request)


@pytest.mark.parametrize("channels", [False, True])
def test_the_file_of_a_stack_makes_the_trimaps_of_all_its_planes(
    make_napari_viewer_proxy: Any,
    scene: Any,
    qtbot: Any,
    tmp_path: Path,
    notifications: list[str],
    copied: Any,
    execute: Any,
    channels: bool,
) -> None:
    trimaps = np.stack([np.roll(scene.trimap, 5 * frame, axis=1) for frame in range(3)])
    tifffile.imwrite(tmp_path / "mine.tif", trimaps, photometric="minisblack")
    tifffile.imwrite(tmp_path / "two.tif", trimaps[:2], photometric="minisblack")
    tifffile.imwrite(tmp_path / "one.tif", trimaps[0])
    viewer = make_napari_viewer_proxy()
    shape = (3, 2, 48, 64) if channels else (3, 48, 64)
    labels = ("t", "c", "y", "x") if channels else ("t", "y", "x")
    viewer.add_image(np.zeros(shape, np.uint8), name="film", axis_labels=labels)
    viewer.dims.set_current_step(0, 2)
    widget = TrimapWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Trimap")
    expected = np.stack([Trimap(plane).to_labels() for plane in trimaps])

    widget.open_file(tmp_path / "mine.tif")
    qtbot.waitUntil(lambda: not widget.busy)
    layer = viewer.layers["trimap"]
    np.testing.assert_array_equal(layer.data.reshape(expected.shape), expected)
    made = execute(copied(widget.code))["trimaps"]
    np.testing.assert_array_equal([trimap.values for trimap in made], trimaps)

    widget.open_file(tmp_path / "two.tif")
    qtbot.waitUntil(lambda: not widget.busy)
    assert notifications == [
        "two.tif is 2 × 48 × 64 and 'film' 3 × 48 × 64 pixels (height × width), but they must have the same size: "
        "choose the file of this image."
    ]
    widget.open_file(tmp_path / "one.tif")  # for the plane that is seen
    qtbot.waitUntil(lambda: not widget.busy)
    planes = viewer.layers[-1].data.reshape(expected.shape)
    np.testing.assert_array_equal(planes[2], expected[0])
    assert not planes[:2].any()


def test_a_file_that_is_only_written_while_it_is_read_makes_no_trimap(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "trimap.tif", FileRequest.run

    def read_late(*given: Any) -> Any:
        tifffile.imwrite(path, scene.trimap)
        return read(*given)

    monkeypatch.setattr(FileRequest, "run", read_late)
    request = FileRequest(path, scene.trimap.shape, "photo")
    with pytest.raises(ImageChangedError, match="The file was changed"):
        MakeRequest(request).run(lambda _: None, CancelToken())

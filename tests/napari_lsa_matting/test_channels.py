"""Which axis of an image holds channels, and layers that lie on all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_lsa_matting.channels import Channels, channel_note, channels_of, offered_channels
from napari_lsa_matting.layers import add_output, image_plane, plane_index
from napari_lsa_matting.session import session_of


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def values(*shape: int) -> Any:
    return np.random.default_rng(1).integers(0, 4000, shape).astype(np.uint16)


def test_a_label_tells_which_axis_holds_channels(viewer: ViewerModel) -> None:
    image = viewer.add_image(values(5, 3, 8, 9), axis_labels=("z", "C", "y", "x"))
    offered = [channels for _, channels in offered_channels(image)]
    assert offered[:3] == [Channels(1, "rgb"), Channels(1, "maximum"), Channels(1, "mean")]
    assert offered[3:] == [Channels(1, 0), Channels(1, 1), Channels(1, 2)]
    assert channels_of(viewer, image) == Channels(1, "rgb")


def test_a_short_axis_without_a_label_is_asked_about_and_a_labelled_one_not(viewer: ViewerModel) -> None:
    image = viewer.add_image(values(4, 8, 9), name="cells")
    assert offered_channels(image)[0] == ("none", None)
    assert channels_of(viewer, image) is None
    assert channel_note(image, None) == (
        "If the 4 planes along axis 0 of 'cells' are channels, say under Channels how to read them."
    )
    image.axis_labels = ("z", "y", "x")
    assert offered_channels(image) == []
    assert offered_channels(viewer.add_image(values(7, 8, 9))) == []
    assert offered_channels(viewer.add_image(values(8, 9, 3), rgb=True)) == []
    assert offered_channels(viewer.add_image(values(8, 9))) == []


def test_of_a_long_axis_without_a_label_it_is_said_how_to_make_it_one_of_channels(viewer: ViewerModel) -> None:
    image = viewer.add_image(values(5, 9, 8, 9), name="stains", axis_labels=("z", "-3", "-2", "-1"))
    text = channel_note(image, channels_of(viewer, image))
    assert text is not None
    said, code = text.splitlines()
    assert said == "If the 9 planes along axis 1 of 'stains' are channels, label the axis in napari's console:"
    exec(code, {"viewer": viewer})
    assert image.axis_labels == ("z", "c", "y", "x")
    assert channels_of(viewer, image) == Channels(1, "rgb")
    image.axis_labels = ("z", "t", "y", "x")
    assert channel_note(image, channels_of(viewer, image)) is None
    colours = viewer.add_image(values(9, 8, 9, 3), rgb=True)
    assert channel_note(colours, channels_of(viewer, colours)) is None


def test_what_was_said_holds_until_the_axis_is_another(viewer: ViewerModel) -> None:
    image = viewer.add_image(values(4, 8, 9))
    session_of(viewer).choose_channels(image, Channels(0, "mean"))
    assert channels_of(viewer, image) == Channels(0, "mean")
    image.axis_labels = ("t", "y", "x")
    assert channels_of(viewer, image) is None


@pytest.mark.parametrize("use", ["rgb", "maximum", "mean", 2])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_plane_is_made_of_its_channels(viewer: ViewerModel, axis: int, use: int | str) -> None:
    data = values(3, 5, 8, 9) if axis == 0 else values(5, 3, 8, 9)
    image = viewer.add_image(data, contrast_limits=(0, 4000))
    channels = Channels(axis, use)
    stains = data[:, 4] if axis == 0 else data[4]
    plane = image_plane(image, (4,), channels)
    expected = {
        "rgb": np.moveaxis(stains, 0, -1),
        "maximum": stains.max(axis=0),
        "mean": stains.mean(axis=0),
        2: stains[2],
    }
    np.testing.assert_allclose(plane.colours(), expected[use], rtol=1e-6)
    assert plane.record() == {"data_range": [0.0, 4000.0], "channels": {"axis": axis, "use": use}}


@pytest.mark.parametrize("axis", [0, 1])
def test_a_result_is_seen_on_every_channel_and_nowhere_else(viewer: ViewerModel, axis: int) -> None:
    shape = (3, 5, 8, 9) if axis == 0 else (5, 3, 8, 9)
    place: dict[str, Any] = {
        "scale": (2.0, 0.5, 0.3, 0.3),
        "translate": (7, 8, 9, 10),
        "affine": np.diag([1, 2, 1, 3, 1]),
        "axis_labels": ("c", "z", "y", "x") if axis == 0 else ("z", "c", "y", "x"),
        "units": ("pixel", "um", "um", "um") if axis == 0 else ("um", "pixel", "um", "um"),
    }
    image = viewer.add_image(values(*shape), **place)
    result = values(8, 9).astype(np.float32)
    alpha = add_output(viewer, result, image, (4,), name="alpha", facts={}, channels=Channels(axis, "mean"))
    assert alpha.data.shape == ((1, 8, 9) if axis == 0 else (1, 1, 8, 9))
    assert alpha.units == image.units[4 - alpha.ndim :]
    for channel in range(3):
        corner = (channel, 4, 2, 3) if axis == 0 else (4, channel, 2, 3)
        viewer.dims.set_point(range(4), image.data_to_world(corner))
        assert plane_index(image, viewer) == corner[:2]
        assert plane_index(alpha, viewer) == (0,) * (alpha.ndim - 2)
        np.testing.assert_allclose(alpha.data_to_world((0,) * (alpha.ndim - 2) + (2, 3))[-2:], viewer.dims.point[-2:])
    corner = (1, 3, 2, 3) if axis == 0 else (3, 1, 2, 3)
    assert not np.allclose(alpha.world_to_data(image.data_to_world(corner))[0], 0, atol=0.5)


def test_a_result_of_an_image_with_nothing_but_channels_is_plain(viewer: ViewerModel) -> None:
    image = viewer.add_image(values(3, 8, 9), axis_labels=("c", "y", "x"), scale=(1, 0.5, 0.5), rotate=(0, 0, 20))
    result = values(8, 9).astype(np.float32)
    alpha = add_output(viewer, result, image, (), name="alpha", facts={}, channels=Channels(0, "rgb"))
    np.testing.assert_array_equal(alpha.data, result)
    np.testing.assert_allclose(alpha.data_to_world((3, 4)), image.data_to_world((0, 3, 4))[1:])

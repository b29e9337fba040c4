"""What of the layers is measured."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from lsa_engine.errors import InputError
from napari_lsa_matting.measurement import (
    find_region,
    has_volume,
    image_pixels,
    is_distorted,
    likely_channel_axis,
    pixel_size,
)


def test_channels_come_last_whatever_axis_holds_them(rng: np.random.Generator) -> None:
    data = rng.random((4, 3, 5, 6))
    image = Image(data, axis_labels=("t", "C", "y", "x"))
    assert likely_channel_axis(image, 2) == 1
    pixels = image_pixels(image, (2, 0), 1)
    np.testing.assert_array_equal(pixels.read(), np.moveaxis(data[2], 0, -1))
    assert pixels.names == ("channel_0", "channel_1", "channel_2")


def test_the_transparency_of_rgba_is_left_away(rng: np.random.Generator) -> None:
    pixels = image_pixels(Image(rng.random((5, 6, 4)), rgb=True), (), None)
    assert pixels.read().shape == (5, 6, 3)


def test_volumes_must_lie_on_each_other_too() -> None:
    viewer = ViewerModel()
    alpha = viewer.add_image(np.zeros((3, 8, 9)), name="alpha")
    labels = viewer.add_labels(np.zeros((3, 8, 9), int), name="cells", scale=(2, 1, 1))
    with pytest.raises(InputError, match="another scale or position"):
        find_region(viewer, alpha, None, labels, 3)
    flat = viewer.add_labels(np.zeros((8, 9), int), name="flat")
    with pytest.raises(InputError, match="'alpha' is 3 × 8 × 9 and 'flat' 8 × 9 pixels"):
        find_region(viewer, alpha, None, flat, 3)


def test_volumes_are_measured_while_three_dimensions_are_shown() -> None:
    viewer = ViewerModel(ndisplay=3)
    alpha = viewer.add_image(np.zeros((3, 8, 9)), name="alpha", scale=(-2, 1, 1))
    region = find_region(viewer, alpha, None, None, 3)
    assert (region.index, region.spacing, region.unit) == ((), (2.0, 1.0, 1.0), "pixel")
    assert region.describe(alpha) == "Measures the volume 'alpha' in voxels of 2 × 1 × 1 px."
    with pytest.raises(InputError, match="switch it back to two dimensions"):
        find_region(viewer, alpha, None, None, 2)


def test_a_single_plane_is_no_volume() -> None:
    assert has_volume(Image(np.zeros((2, 8, 9))))
    assert not has_volume(Image(np.zeros((1, 8, 9))))
    assert not has_volume(Image(np.zeros((8, 9))))


@pytest.mark.parametrize("label", ["object", "channel", "T"])
def test_an_axis_that_is_labelled_otherwise_is_no_depth(label: str) -> None:
    assert not has_volume(Image(np.zeros((2, 8, 9)), axis_labels=(label, "y", "x")))
    assert has_volume(Image(np.zeros((2, 8, 9)), axis_labels=("z", "y", "x"), units=("um", "um", "um")))


def test_an_axis_in_seconds_is_no_depth() -> None:
    assert not has_volume(Image(np.zeros((2, 8, 9)), units=("ms", "um", "um")))


def test_axes_of_one_plane_need_one_unit() -> None:
    with pytest.raises(InputError, match="in mm, µm, but one unit is expected"):
        pixel_size(Image(np.zeros((8, 9)), units=("mm", "um")), 2)


def test_a_turn_leaves_pixels_as_they_are_and_shear_does_not() -> None:
    assert not is_distorted(Image(np.zeros((8, 9)), scale=(0.5, -0.25), rotate=40), 2)
    assert is_distorted(Image(np.zeros((8, 9)), scale=(0.5, 0.25), shear=[0.2]), 2)

"""The pixels that are measured."""

from __future__ import annotations

import numpy as np
from napari.layers import Image

from napari_lsa_matting.measure_pixels import channel_axes, image_pixels, likely_channel_axis


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


def test_an_axis_of_frames_holds_no_channels() -> None:
    image = Image(np.zeros((4, 3, 5, 6)), axis_labels=("c", "t", "y", "x"))
    assert channel_axes(image, 2) == [("all 4 of axis 'c'", 0), ("all 3 of axis 't'", 1)]
    assert channel_axes(image, 2, frames_from_end=3) == [("all 4 of axis 'c'", 0)]
    assert likely_channel_axis(image, 2, frames_from_end=4) is None

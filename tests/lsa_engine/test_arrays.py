from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.errors import InputError

GRAY = np.array([[0, 51], [102, 255]], np.uint8)
RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_unsigned_integers_are_scaled_by_the_range_of_their_type(dtype: type) -> None:
    highest = np.iinfo(dtype).max
    image = np.array([[0, highest], [highest // 5, highest]], dtype)
    result = as_float_image(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[..., 0], [[0, 1], [0.2, 1]], atol=1e-7)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 1)])
def test_one_channel_is_repeated_to_three(shape: tuple[int, ...]) -> None:
    result = as_float_image(GRAY.reshape(shape))
    assert result.shape == (2, 2, 3)
    for channel in range(3):
        np.testing.assert_allclose(result[..., channel], GRAY / 255, atol=1e-7)


def test_floats_in_the_unit_interval_are_taken_as_they_are() -> None:
    image = np.linspace(0, 1, 24).reshape(2, 4, 3)
    np.testing.assert_array_equal(as_float_image(image), image.astype(np.float32))


def test_rounding_beyond_the_unit_interval_is_clipped() -> None:
    image = np.array([[-1e-7, 1 + 1e-6], [0.5, 0.5]])
    assert as_float_image(image).min() == 0
    assert as_float_image(image).max() == 1


def test_tensors_on_the_processor_are_images_too() -> None:
    tensor = torch.tensor(RGB)
    np.testing.assert_allclose(as_float_image(tensor), RGB / 255, atol=1e-7)
    half = torch.full((2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(as_alpha(half), np.full((2, 2), 0.5, np.float32))


def test_the_door_does_not_import_torch() -> None:
    code = (
        "import sys, lsa_engine.trimap, lsa_engine.compositing, lsa_engine.image_io; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int64, np.uint16])
def test_a_data_range_says_what_black_and_white_are_and_clips_the_rest(dtype: type) -> None:
    image = np.array([[100, 300], [200, 500]], dtype)
    result = as_float_image(image, data_range=(200, 400))
    np.testing.assert_allclose(result[..., 1], [[0, 0.5], [0, 1]], atol=1e-7)


def test_a_large_offset_costs_no_precision() -> None:
    image = np.array([[1e9, 1e9 + 1], [1e9 + 2, 1e9 + 4]])
    np.testing.assert_allclose(as_float_image(image, data_range=(1e9, 1e9 + 4))[..., 0], [[0, 0.25], [0.5, 1]])


@pytest.mark.parametrize("data_range", [(1, 0), (0, 0), (0, np.nan), (0, np.inf), (0, 1, 2), 3, ("a", "b")])
def test_a_data_range_that_does_not_rise_is_refused(data_range: object) -> None:
    with pytest.raises(InputError, match="data_range of the image"):
        as_float_image(GRAY, data_range=data_range)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_signed_integers_need_a_data_range(dtype: type) -> None:
    with pytest.raises(InputError, match=r"signed integers.*from 0 to 100.*data_range"):
        as_float_image(np.array([[0, 100], [0, 3]], dtype))


@pytest.mark.parametrize(("low", "high"), [(0.0, 255.0), (-0.2, 1.0), (0.0, 1.001)])
def test_floats_outside_the_unit_interval_are_refused_with_their_range(low: float, high: float) -> None:
    with pytest.raises(InputError, match=rf"floats from {low:g} to {high:g}, but \[0, 1\] is expected.*data_range"):
        as_float_image(np.array([[low, high], [0, 0.5]]))
    with pytest.raises(InputError, match="The alpha holds floats"):
        as_alpha(np.array([[low, high], [0, 0.5]]))


@pytest.mark.parametrize(
    ("channels", "advice"),
    [
        (2, r"choose one channel, image\[\.\.\., 0\], or stack three"),
        (4, r"drop the alpha channel: image\[\.\.\., :3\]"),
        (5, r"choose one or three of them, for example image\[\.\.\., \[0, 1, 2\]\]"),
    ],
)
def test_two_four_and_five_channels_are_refused_with_a_way_to_choose(channels: int, advice: str) -> None:
    with pytest.raises(InputError, match=rf"{channels} channels.*{advice}\.$"):
        as_float_image(np.zeros((6, 6, channels), np.uint8))


def test_channels_that_come_first_are_recognised() -> None:
    with pytest.raises(InputError, match="moveaxis"):
        as_float_image(np.zeros((3, 20, 30), np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("data_range", [None, (0, 10)])
def test_nan_and_infinite_pixels_are_refused_and_counted(value: float, data_range: tuple | None) -> None:
    image = np.full((4, 4, 3), 0.5, np.float32)
    image[1, 1:3, 0] = value
    counts = "2 NaN and 0 infinite" if np.isnan(value) else "0 NaN and 2 infinite"
    with pytest.raises(InputError, match=counts):
        as_float_image(image, data_range=data_range)
    with pytest.raises(InputError, match=counts):
        as_alpha(image[..., 0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 5, 3), (5, 5, 0)])
def test_an_empty_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="is empty"):
        as_float_image(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 1, 3), (1, 7, 3)])
def test_a_pixel_or_a_line_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"at least 2 × 2 are needed"):
        as_float_image(np.zeros(shape, np.uint8))
    if len(shape) == 2:
        with pytest.raises(InputError, match=r"at least 2 × 2 are needed"):
            as_alpha(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(), (5,), (2, 5, 5, 3)])
def test_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=f"{len(shape)} axes"):
        as_float_image(np.zeros(shape, np.uint8))


def test_an_alpha_with_colour_channels_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(4, 4, 3\).*alpha\[\.\.\., 0\]"):
        as_alpha(np.zeros((4, 4, 3)))
    assert as_alpha(np.zeros((4, 4, 1))).shape == (4, 4)


def test_a_boolean_alpha_is_zero_and_one() -> None:
    np.testing.assert_array_equal(as_alpha(GRAY > 60), (GRAY > 60).astype(np.float32))


def test_a_path_is_not_taken_for_pixels() -> None:
    with pytest.raises(InputError, match=r"'photo\.png'.*image_io"):
        as_float_image("photo.png")


def test_the_name_of_the_input_appears_in_the_sentence() -> None:
    with pytest.raises(InputError, match="The background is empty"):
        as_float_image(np.zeros((0, 0)), name="background")

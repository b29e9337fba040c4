from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import measure

import lsa_engine
from lsa_engine.errors import Cancelled, InputError
from lsa_engine.measure import Measurement, measure_matte
from lsa_engine.progress import CancelToken, Progress

QUARTERS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0, 1, 2, 4]))
"""Small pictures of quarters of opacity, after division by 4; thirds would not be exact in floats."""


def only(alpha, *arguments, **options) -> Measurement:
    (found,) = measure_matte(alpha, *arguments, **options)
    return found


def ball(radius: float, width: float, size: int, spacing: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """A ball whose opacity falls linearly over `width`, its centre off the voxels."""
    axes = [np.arange(round(size / step)) * step - size / 2 + 0.3 for step in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return np.clip((radius - np.sqrt(x**2 + y**2 + z**2)) / width + 0.5, 0, 1)


# Areas


def test_the_coverage_drawn_for_these_tests_has_the_areas_that_are_claimed(ellipse, rectangle) -> None:
    assert ellipse((40, 40), (19.3, 20.6), (9, 6), 0.7).sum() == pytest.approx(math.pi * 54, rel=1e-5)
    assert rectangle((20, 20), (3.2, 4.1), (9.9, 11.7)).sum() == pytest.approx(6.7 * 7.6, rel=1e-12)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_soft_area_is_at_least_ten_times_nearer_to_the_true_one_than_the_hard_area(
    bits: int, ellipse, rectangle, rng: np.random.Generator, record_property
) -> None:
    depth = np.uint8 if bits == 8 else np.uint16
    for kind in ("disc", "ellipse", "rectangle"):
        soft, hard = [], []
        for _ in range(60):
            y, x = rng.uniform(22, 24, 2)
            a, b = rng.uniform(4, 18, 2)
            if kind == "disc":
                alpha, area = ellipse((46, 46), (y, x), (a, a)), math.pi * a * a
            elif kind == "ellipse":
                alpha, area = ellipse((46, 46), (y, x), (a, b), rng.uniform(0, math.pi)), math.pi * a * b
            else:
                alpha, area = rectangle((46, 46), (y - a, x - b), (y + a, x + b)), 4 * a * b
            found = only(np.rint(alpha * np.iinfo(depth).max).astype(depth))
            soft.append(abs(found.soft_area - area))
            hard.append(abs(found.hard_area - area))
        ratio = np.median(hard) / np.median(soft)
        record_property(f"median error of the hard area / of the soft area, {kind}, {bits} bits", float(ratio))
        assert ratio > 10, kind


def test_the_hard_area_counts_pixels_from_one_half_on() -> None:
    assert only(np.array([[0.49, 0.5], [0.51, 1.0]])).hard_area == 3
    assert only(np.array([[127, 128]], np.uint8)).hard_area == 1


def test_mean_opacity_is_over_visible_pixels_and_partial_pixels_exclude_both_ends() -> None:
    found = only(np.array([[0, 0.25, 0.5], [1, 1, 0]]))
    assert found.mean_opacity == pytest.approx(2.75 / 4)
    assert found.partial_pixels == 2


@given(QUARTERS, st.data())
@settings(max_examples=60, deadline=None)
def test_soft_areas_of_labels_add_up_to_that_of_the_whole(quarters: np.ndarray, data: st.DataObject) -> None:
    labels = data.draw(hnp.arrays(np.int32, quarters.shape, elements=st.sampled_from([1, 2, 700])))
    alpha = quarters / 4
    parts = measure_matte(alpha, labels=labels)
    assert [part.object for part in parts] == sorted(set(labels.ravel().tolist()))
    for field in ("soft_area", "hard_area", "partial_pixels"):
        assert sum(getattr(part, field) for part in parts) == getattr(only(alpha), field)


@given(QUARTERS, st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_moving_an_object_moves_its_centroid_and_nothing_else(quarters: np.ndarray, down: int, right: int) -> None:
    height, width = quarters.shape
    home = np.zeros((height + 6, width + 6))
    home[1 : height + 1, 1 : width + 1] = quarters / 4
    at_home, away = only(home), only(np.roll(home, (down, right), axis=(0, 1)))
    moved = [there - here for here, there in zip(at_home.centroid, away.centroid, strict=True)]
    if quarters.any():
        assert moved == pytest.approx([down, right])
    for field in ("soft_area", "outline_length", "transition_width", "band_width", "eccentricity"):
        assert getattr(away, field) == pytest.approx(getattr(at_home, field), nan_ok=True, abs=1e-6)
    np.testing.assert_allclose(away.covariance, at_home.covariance, atol=1e-9)


@given(QUARTERS, st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_scaling_the_spacing_scales_lengths_and_areas(quarters: np.ndarray, scale: float) -> None:
    alpha = quarters / 4
    plain, scaled = only(alpha, spacing=(1.0, 2.0)), only(alpha, spacing=(scale, 2 * scale))
    for field, power in {
        "soft_area": 2,
        "hard_area": 2,
        "outline_length": 1,
        "transition_width": 1,
        "band_width": 1,
        "mean_opacity": 0,
    }.items():
        assert getattr(scaled, field) == pytest.approx(getattr(plain, field) * scale**power, nan_ok=True), field
    np.testing.assert_allclose(scaled.centroid, np.multiply(plain.centroid, scale), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        scaled.axis_lengths, np.multiply(plain.axis_lengths, scale), rtol=1e-6, atol=1e-6 * scale
    )


# Moments


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.2)])
def test_moments_of_a_binary_shape_are_those_of_regionprops(spacing: tuple[float, float], ellipse) -> None:
    mask = ellipse((50, 60), (22.2, 31.7), (17, 8), -0.6) >= 0.5
    found = only(mask.astype(float), spacing=spacing)
    (expected,) = measure.regionprops(mask.astype(int), spacing=spacing)
    assert found.soft_area == pytest.approx(expected.area)
    assert found.centroid == pytest.approx(expected.centroid)
    assert found.axis_lengths == pytest.approx([expected.axis_major_length, expected.axis_minor_length])
    assert found.orientation == pytest.approx(expected.orientation)
    assert found.eccentricity == pytest.approx(expected.eccentricity)


def test_moments_of_a_volume_are_those_of_regionprops() -> None:
    z, y, x = np.mgrid[:20, :24, :28]
    mask = ((z - 9) / 5) ** 2 + ((y - 11) / 8) ** 2 + ((x - 13 - 0.5 * (y - 11)) / 7) ** 2 < 1
    spacing = (2.0, 0.5, 0.4)
    found = only(mask.astype(float), spacing=spacing)
    (expected,) = measure.regionprops(mask.astype(int), spacing=spacing)
    assert found.soft_area == pytest.approx(expected.area)
    assert found.centroid == pytest.approx(expected.centroid)
    assert found.axis_lengths[0] == pytest.approx(expected.axis_major_length)
    assert found.axis_lengths[2] == pytest.approx(expected.axis_minor_length)
    direction = np.array(found.major_axis)
    np.testing.assert_allclose(found.covariance @ direction, found.axis_lengths[0] ** 2 / 20 * direction, atol=1e-9)
    assert math.isnan(found.orientation)


@pytest.mark.parametrize("angle", [-1.2, -0.4, 0.0, 0.3, 0.9, math.pi / 2])
def test_an_antialiased_ellipse_has_its_centroid_axes_and_orientation(angle: float, ellipse) -> None:
    found = only(ellipse((60, 60), (29.3, 30.4), (21, 9), angle))
    assert found.centroid == pytest.approx((29.3, 30.4), abs=2e-3)
    assert math.sin(found.orientation - angle) == pytest.approx(0, abs=1e-3)  # π/2 and −π/2 are one axis
    # Averaging over a pixel's square has widened the variance by 1/12, the squared axes by 16/12.
    widened = [math.hypot(2 * half, 4 / math.sqrt(12)) for half in (21, 9)]
    assert found.axis_lengths == pytest.approx(widened, rel=5e-4)
    assert found.axis_lengths == pytest.approx((42, 18), rel=3e-3)
    assert found.eccentricity == pytest.approx(math.sqrt(1 - (9 / 21) ** 2), rel=1e-2)


def test_anisotropic_spacing_gives_the_object_its_true_form(ellipse) -> None:
    # Seen through pixels that are twice as high as wide, a disc is an ellipse.
    found = only(ellipse((40, 60), (20.0, 29.6), (8, 16)), spacing=(2.0, 1.0), unit="um")
    assert found.soft_area == pytest.approx(math.pi * 256, rel=1e-4)
    assert found.centroid == pytest.approx((40.0, 29.6), abs=1e-3)
    assert found.axis_lengths == pytest.approx((32, 32), rel=5e-3)
    assert found.outline_length == pytest.approx(2 * math.pi * 16, rel=1e-2)
    assert found.unit == "um"


def test_where_no_axis_is_the_longest_there_is_no_orientation() -> None:
    square = np.zeros((9, 9))
    square[2:6, 3:7] = 1
    found = only(square)
    assert math.isnan(found.orientation)
    assert found.axis_lengths[0] == found.axis_lengths[1] == pytest.approx(4 * math.sqrt(15 / 12))
    assert found.eccentricity == 0


def test_orientation_is_from_the_rows_axis_towards_positive_x() -> None:
    vertical, horizontal, diagonal = np.zeros((9, 9)), np.zeros((9, 9)), np.eye(9)
    vertical[1:8, 4] = horizontal[4, 1:8] = 1
    assert [only(alpha).orientation for alpha in (vertical, horizontal, diagonal, diagonal[::-1])] == pytest.approx(
        [0, math.pi / 2, math.pi / 4, -math.pi / 4]
    )


# Outline and transition


@pytest.mark.parametrize("width", [2.5, 5.0, 8.0])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2])
def test_a_linear_ramp_of_a_width_has_that_transition_width(width: float, angle: float) -> None:
    y, x = np.mgrid[:50, :50] - 24.5
    effective, counted = [], []
    for offset in np.arange(0, 1, 0.1):
        across = x * math.cos(angle) + y * math.sin(angle) - offset
        found = only(np.clip(across / width + 0.5, 0, 1))
        assert found.transition_width == pytest.approx(width, abs=1.001 / width)
        effective.append(found.transition_width)
        counted.append(found.band_width)
    assert np.mean(effective) == pytest.approx(width, rel=5e-3)
    assert np.mean(counted) == pytest.approx(width, rel=2e-2)
    assert np.ptp(effective) <= np.ptp(counted)


def test_a_ramp_of_anisotropic_pixels_is_measured_in_units() -> None:
    x = (np.arange(60) - 30.3) * 0.5
    ramp = np.tile(np.clip(x / 6 + 0.5, 0, 1), (11, 1))
    along_x, along_y = only(ramp, spacing=(3.0, 0.5)), only(ramp.T, spacing=(0.5, 3.0))
    assert along_x.transition_width == pytest.approx(6, abs=0.05)
    assert along_x.outline_length == pytest.approx(33)
    assert along_y.transition_width == pytest.approx(along_x.transition_width)


def test_a_sharp_antialiased_edge_is_about_a_pixel_wide(ellipse) -> None:
    assert only(ellipse((60, 60), (29.3, 30.4), (20, 20))).transition_width == pytest.approx(1, rel=0.1)


def test_a_faint_haze_hardly_widens_the_transition_but_fills_the_band(ellipse) -> None:
    disc = ellipse((60, 60), (29.3, 30.4), (20, 20))
    clear, hazy = only(disc), only(np.maximum(disc, 1e-3))
    assert hazy.transition_width == pytest.approx(clear.transition_width, rel=0.15)
    assert hazy.band_width > 10 * clear.band_width


def test_the_outline_of_a_disc_is_its_circumference(ellipse) -> None:
    found = only(ellipse((60, 60), (29.3, 30.4), (20, 20)))
    assert found.outline_length == pytest.approx(2 * math.pi * 20, rel=5e-3)


def test_the_frame_is_no_part_of_the_outline() -> None:
    half = np.zeros((10, 12))
    half[:, :6] = 1
    assert only(half).outline_length == pytest.approx(10)
    assert only(half, spacing=(2, 1)).outline_length == pytest.approx(20)


def test_a_ball_has_its_volume_surface_axes_and_transition_width() -> None:
    radius, width, spacing = 12.0, 4.0, (1.0, 0.5, 0.8)
    found = only(ball(radius, width, 32, spacing), spacing=spacing, unit="um")
    assert found.soft_area == pytest.approx(4 / 3 * math.pi * (radius**3 + radius * width**2 / 4), rel=1e-3)
    assert found.outline_length == pytest.approx(4 * math.pi * radius**2, rel=5e-3)
    # The shell is thicker outside than inside: 6 ∫ α (1 − α) over a ball is w + w³ / (20 R²) times its surface.
    assert found.transition_width == pytest.approx(width * (1 + width**2 / (20 * radius**2)), rel=1e-2)
    assert found.axis_lengths[2] > 0.99 * found.axis_lengths[0]


def test_a_volume_of_one_plane_is_measured_as_the_plane(ellipse) -> None:
    plane = ellipse((40, 40), (19.3, 20.1), (12, 7))
    flat, volume = only(plane), only(plane[None], spacing=(3, 1, 1))
    assert volume.soft_area == pytest.approx(3 * flat.soft_area)
    assert volume.outline_length == pytest.approx(3 * flat.outline_length, rel=1e-3)
    assert volume.transition_width == pytest.approx(flat.transition_width, rel=1e-3)


# What has no outline, no opacity or no extent


def test_a_matte_without_opacity_has_no_area_and_is_otherwise_undefined() -> None:
    found = only(np.zeros((4, 5)), np.ones((4, 5)))
    assert (found.soft_area, found.hard_area, found.outline_length, found.partial_pixels) == (0, 0, 0, 0)
    undefined = (found.mean_opacity, found.transition_width, found.orientation, found.eccentricity)
    assert np.isnan([*undefined, *found.centroid, *found.axis_lengths, found.channels[0].mean]).all()


def test_a_matte_that_is_opaque_everywhere_has_no_outline() -> None:
    found = only(np.full((4, 6), 255, np.uint8))
    assert (found.soft_area, found.hard_area, found.mean_opacity, found.outline_length) == (24, 24, 1, 0)
    assert math.isnan(found.transition_width) and math.isnan(found.band_width)
    assert found.centroid == (1.5, 2.5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 5)])
def test_a_single_pixel_is_a_point(shape: tuple[int, int]) -> None:
    alpha = np.zeros(shape)
    alpha[-1, -1] = 0.75
    found = only(alpha)
    assert (found.soft_area, found.centroid) == (0.75, (shape[0] - 1, shape[1] - 1))
    assert (found.axis_lengths, found.eccentricity) == ((0, 0), 0)
    assert (found.outline_length > 0) == (shape == (5, 5))


# Objects


def test_every_label_is_measured_as_if_alpha_were_zero_elsewhere(rng: np.random.Generator) -> None:
    alpha, image = rng.random((20, 30)), rng.integers(0, 4000, (20, 30, 2))
    labels = rng.integers(0, 4, (20, 30)).astype(np.uint16) * 20000
    for found in measure_matte(alpha, image, labels=labels):
        alone = only({found.object: np.where(labels == found.object, alpha, 0)}, image)
        assert found == alone


def test_labels_under_which_there_is_no_opacity_keep_their_row() -> None:
    alpha = np.zeros((4, 8))
    alpha[:, :2] = 1
    labels = np.repeat([[3, 3, 0, 0, 9, 9, 9, 9]], 4, axis=0)
    assert [(found.object, found.soft_area) for found in measure_matte(alpha, labels=labels)] == [(3, 8.0), (9, 0.0)]


def test_a_mask_as_labels_is_one_object() -> None:
    mask = np.zeros((4, 8), bool)
    mask[1:3] = True
    assert only(np.ones((4, 8)), labels=mask).soft_area == 16


def test_several_mattes_are_named_by_number_or_by_key() -> None:
    mattes = [np.full((3, 4), 0.25), np.ones((3, 4))]
    assert [(found.object, found.soft_area) for found in measure_matte(mattes)] == [(1, 3.0), (2, 12.0)]
    by_name = measure_matte(dict(zip(("cell", "nucleus"), mattes, strict=True)), np.ones((3, 4)))
    assert [(found.object, found.soft_area) for found in by_name] == [("cell", 3.0), ("nucleus", 12.0)]


def test_nested_lists_of_numbers_are_one_matte() -> None:
    assert only([[0, 0.5], [1.0, 0.25]]).soft_area == 1.75


@pytest.mark.parametrize("unit", ["µm", "μm", "micrometer", "um"])
def test_micrometres_are_um_however_they_are_spelt(unit: str) -> None:
    assert only(np.ones((2, 2)), unit=unit).unit == "um"


def test_one_number_is_the_spacing_of_square_pixels() -> None:
    assert only(np.ones((2, 3)), spacing=0.5).soft_area == 1.5


def test_progress_is_reported_for_every_object_and_cancelling_stops() -> None:
    seen: list[Progress] = []
    measure_matte(np.ones((4, 4)), labels=np.arange(16).reshape(4, 4), progress=seen.append)
    assert [progress.done for progress in seen] == list(range(16))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        measure_matte(np.ones((4, 4)), cancel=token)


def test_the_example_of_the_docstring_is_true() -> None:
    ramp = np.tile(np.clip((np.arange(40) - 10) / 8, 0, 1), (20, 1))
    found = lsa_engine.measure_matte(ramp, spacing=(0.5, 0.5), unit="um")[0]
    assert (found.soft_area, found.hard_area, round(found.transition_width, 2)) == (127.5, 130.0, 3.94)


# What is refused

WHOLE = np.ones((4, 6))
BAD = {
    "nan": ({"alpha": np.full((4, 6), np.nan)}, "alpha holds 24 NaN"),
    "range": ({"alpha": WHOLE * 255}, "alpha holds floats from 255 to 255"),
    "signed": ({"alpha": WHOLE.astype(int)}, "signed integers"),
    "line": ({"alpha": np.ones(4)}, "has 1 axes"),
    "hyperstack": ({"alpha": np.ones((2, 2, 4, 4))}, "has 4 axes"),
    "empty": ({"alpha": np.ones((0, 4))}, "is empty"),
    "none": ({"alpha": []}, "No mattes were given"),
    "nan of one": ({"alpha": {"cell": WHOLE * np.nan}}, "alpha of object 'cell' holds 24 NaN"),
    "key": ({"alpha": {(1, 2): WHOLE}}, "named (1, 2)"),
    "differing": ({"alpha": [WHOLE, WHOLE.T]}, "the shapes (4, 6), (6, 4)"),
    "cut-out": ({"alpha": np.ones((4, 6, 4))}, "alpha[..., 3] of a cut-out"),
    "spacing of a volume": ({"alpha": WHOLE, "spacing": (1, 1, 1)}, "pass spacing=(height, width)."),
    "zero spacing": ({"alpha": WHOLE, "spacing": (0, 1)}, "above 0"),
    "negative spacing": ({"alpha": WHOLE, "spacing": -1}, "above 0"),
    "infinite spacing": ({"alpha": WHOLE, "spacing": (np.inf, 1)}, "finite"),
    "words": ({"alpha": WHOLE, "spacing": "wide"}, "'wide'"),
    "unit": ({"alpha": WHOLE, "unit": "um/px"}, "'um/px'"),
    "no unit": ({"alpha": WHOLE, "unit": None}, "None"),
    "label type": ({"alpha": WHOLE, "labels": WHOLE}, "type float64"),
    "label shape": ({"alpha": WHOLE, "labels": np.ones((6, 4), int)}, "(6, 4)"),
    "negative label": ({"alpha": WHOLE, "labels": -np.ones((4, 6), int)}, "down to -1"),
    "no label": ({"alpha": WHOLE, "labels": np.zeros((4, 6), int)}, "0 everywhere"),
    "both": ({"alpha": [WHOLE], "labels": np.ones((4, 6), int)}, "given together"),
    "image size": ({"alpha": WHOLE, "image": np.ones((4, 5))}, "resize or crop it"),
    "channels first": ({"alpha": WHOLE, "image": np.ones((3, 4, 6))}, "numpy.moveaxis(image, 0, -1)"),
    "image of nan": ({"alpha": WHOLE, "image": WHOLE * np.nan}, "image under object 1 holds 24 NaN"),
    "names": ({"alpha": WHOLE, "image": WHOLE, "channel_names": ["a", "b"]}, "pass 1 different names"),
    "equal names": ({"alpha": WHOLE, "image": np.ones((4, 6, 2)), "channel_names": ["a", "a"]}, "2 different"),
    "names alone": ({"alpha": WHOLE, "channel_names": ["a"]}, "without an image"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused_in_a_sentence(case: str) -> None:
    arguments, words = BAD[case]
    with pytest.raises(InputError) as refused:
        measure_matte(**arguments)
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")

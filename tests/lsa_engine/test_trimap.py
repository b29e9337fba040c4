from __future__ import annotations

import numpy as np
import pytest
import torch

from lsa_engine.errors import InputError, TrimapError
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap, as_trimap

# One row of each region; every coding below stores this picture.
PLANE = np.array([[0, 0, 128], [0, 128, 255], [128, 255, 255]], np.uint8)


def recoded(background: float, unknown: float, foreground: float, dtype: str) -> np.ndarray:
    """Return PLANE with other values for its three regions."""
    table = {0: background, 128: unknown, 255: foreground}
    return np.vectorize(table.get, otypes=[float])(PLANE).astype(dtype)


@pytest.mark.parametrize(
    "array",
    [
        PLANE,
        recoded(0, 127, 255, "uint8"),
        recoded(0, 128, 255, "int64"),
        recoded(0, 128, 255, "uint16"),
        recoded(0, 32768, 65535, "uint16"),
        recoded(0, 32767, 65535, "uint16"),
        recoded(0, 128 * 257, 65535, "uint16"),
        recoded(0, 0.5, 1, "float32"),
        recoded(0, 0.5, 1, "float16"),
        recoded(0, 127 / 255, 1, "float16"),
        recoded(0, 128 / 255, 1, "float64"),
        recoded(0, 128, 255, "float32"),
        PLANE[..., None],
        np.dstack([PLANE] * 3),
        np.dstack([PLANE, PLANE, PLANE, np.full_like(PLANE, 255)]),
        PLANE.tolist(),
        torch.tensor(PLANE),
        torch.tensor(recoded(0, 0.5, 1, "float32"), dtype=torch.bfloat16, requires_grad=True),
    ],
)
def test_every_usual_coding_reads_as_the_same_trimap(array: object) -> None:
    trimap = Trimap.from_array(array)
    assert trimap.values.dtype == np.uint8
    np.testing.assert_array_equal(trimap.values, PLANE)


def test_the_three_regions_are_disjoint_and_complete() -> None:
    trimap = Trimap(PLANE)
    assert trimap.shape == (3, 3)
    assert (trimap.background.sum(), trimap.unknown.sum(), trimap.foreground.sum()) == (3, 3, 3)
    assert (trimap.background ^ trimap.unknown ^ trimap.foreground).all()
    assert (BACKGROUND, UNKNOWN, FOREGROUND) == (0, 128, 255)


def test_a_trimap_does_not_change_with_the_array_it_came_from() -> None:
    source = PLANE.copy()
    trimap = Trimap(source)
    source[:] = 0
    np.testing.assert_array_equal(trimap.values, PLANE)
    with pytest.raises(ValueError, match="read-only"):
        trimap.values[0, 0] = 255


def test_as_trimap_returns_a_trimap_as_it_is() -> None:
    trimap = Trimap(PLANE)
    assert as_trimap(trimap) is trimap
    np.testing.assert_array_equal(as_trimap(PLANE).values, PLANE)


def test_odd_values_are_listed_with_their_counts_the_most_frequent_first() -> None:
    array = np.full((10, 10), 128, np.uint8)
    array[0] = np.arange(1, 11)
    array[1, :3] = 200
    with pytest.raises(TrimapError) as caught:
        Trimap.from_array(array)
    message = str(caught.value)
    assert "200 (3 pixels), 1 (1 pixel), 2 (1 pixel)" in message
    assert "7 (1 pixel) and 3 more" in message  # eight are listed
    assert "8 (1 pixel)" not in message
    assert "0 (background), 128 (unknown) and 255 (foreground)" in message


def test_sixteen_bit_odd_values_are_judged_by_the_coding_that_explains_most() -> None:
    array = recoded(0, 32768, 65535, "uint16")
    array[0, 0] = 77
    with pytest.raises(TrimapError, match=r"odd values, 77 \(1 pixel\), but"):
        Trimap.from_array(array)


def test_two_codings_mixed_in_one_picture_are_odd_values() -> None:
    array = recoded(0, 128, 65535, "uint16")
    with pytest.raises(TrimapError, match="odd values"):
        Trimap.from_array(array)


def test_floats_between_the_three_values_are_odd() -> None:
    array = recoded(0, 0.5, 1, "float32")
    array[1, 1] = 0.25
    with pytest.raises(TrimapError, match=r"0\.25 \(1 pixel\), but only 0 \(background\), 0\.5"):
        Trimap.from_array(array)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (PLANE > 0, "from_mask"),
        ((PLANE > 0).astype(np.uint8), "from_mask"),
        (recoded(2, 0, 1, "uint8"), "from_labels"),
    ],
)
def test_masks_and_labels_are_refused_with_the_function_that_reads_them(array: np.ndarray, advice: str) -> None:
    with pytest.raises(TrimapError, match=advice):
        Trimap.from_array(array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_in_a_trimap_are_refused(value: float) -> None:
    array = recoded(0, 0.5, 1, "float32")
    array[0, :2] = value
    with pytest.raises(TrimapError, match="2 NaN or infinite"):
        Trimap.from_array(array)
    with pytest.raises(TrimapError, match="2 NaN or infinite"):
        Trimap.from_array(np.dstack([array] * 3))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 4, 3)])
def test_an_empty_trimap_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"empty|axes"):
        Trimap.from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (1, 9, 3)])
def test_a_pixel_or_a_line_is_no_trimap(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least 2 × 2"):
        Trimap.from_array(np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=r"at least 2 × 2|axes"):
        Trimap(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(), (4,), (2, 4, 4, 3)])
def test_a_trimap_with_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"axes.*\(H, W\) is expected"):
        Trimap.from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("channels", [2, 5])
def test_a_trimap_with_two_or_five_channels_is_refused(channels: int) -> None:
    with pytest.raises(InputError, match=rf"{channels} channels.*trimap\[\.\.\., 0\]"):
        Trimap.from_array(np.zeros((4, 4, channels), np.uint8))


def test_coloured_pixels_are_refused_and_counted() -> None:
    array = np.dstack([PLANE] * 3)
    array[0, 0] = (0, 255, 0)
    array[1, 1] = (128, 128, 0)
    with pytest.raises(TrimapError, match="2 coloured pixels"):
        Trimap.from_array(array)


def test_a_varying_alpha_channel_in_a_trimap_is_refused() -> None:
    with pytest.raises(TrimapError, match="transparency"):
        Trimap.from_array(np.dstack([PLANE] * 4))


@pytest.mark.parametrize("array", ["trimap.png", [[1, 2], [3]], np.array([["a", "b"]]), np.ones((3, 3), complex)])
def test_what_is_not_an_array_of_real_numbers_is_refused(array: object) -> None:
    with pytest.raises(InputError, match="trimap"):
        Trimap.from_array(array)


def test_the_constructor_takes_only_its_own_coding() -> None:
    with pytest.raises(TrimapError, match="from_array"):
        Trimap(recoded(0, 128, 255, "int32"))
    with pytest.raises(TrimapError, match=r"127 \(3 pixels\)"):
        Trimap(recoded(0, 127, 255, "uint8"))


def test_labels_go_there_and_back() -> None:
    labels = np.array([[0, 1, 2], [2, 2, 1]], np.int64)
    trimap = Trimap.from_labels(labels)
    np.testing.assert_array_equal(trimap.values, [[128, 255, 0], [0, 0, 255]])
    assert trimap.to_labels().dtype == np.uint8
    np.testing.assert_array_equal(trimap.to_labels(), labels)


def test_other_labels_are_listed() -> None:
    with pytest.raises(TrimapError, match=r"3 \(2 pixels\), -1 \(1 pixel\).*from_mask"):
        Trimap.from_labels(np.array([[0, 1, 2], [3, 3, -1]]))


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_labels_that_are_not_integers_are_refused(dtype: type) -> None:
    with pytest.raises(TrimapError, match="integers are expected"):
        Trimap.from_labels(np.zeros((3, 3), dtype))


def test_a_mask_keeps_its_distances_from_the_outline() -> None:
    mask = np.zeros((1, 20), bool).repeat(5, axis=0)
    mask[:, 10:] = True
    row = Trimap.from_mask(mask, inner=2, outer=3).values[2]
    # Columns 10 and 11 lie 1 and 2 from the nearest background pixel; 9, 8 and 7 lie 1 to 3 from the mask.
    np.testing.assert_array_equal(row, [0] * 7 + [128] * 5 + [255] * 8)


def test_distances_are_euclidean_and_in_the_units_of_the_spacing() -> None:
    mask = np.zeros((21, 21), np.uint16)
    mask[10, 10] = 7
    rows, columns = np.mgrid[-10:11, -10:11]
    trimap = Trimap.from_mask(mask, inner=0, outer=2.5, spacing=(0.5, 1.0))
    distance = np.hypot(rows * 0.5, columns)
    np.testing.assert_array_equal(trimap.unknown, (distance <= 2.5) & (distance > 0))
    np.testing.assert_array_equal(trimap.foreground, distance == 0)
    np.testing.assert_array_equal(trimap.background, distance > 2.5)


def test_zero_distances_leave_nothing_unknown() -> None:
    mask = np.eye(6, dtype=bool)
    trimap = Trimap.from_mask(mask, inner=0, outer=0)
    assert not trimap.unknown.any()
    np.testing.assert_array_equal(trimap.foreground, mask)


@pytest.mark.parametrize(("fill", "region"), [(True, "foreground"), (False, "background")])
def test_a_mask_without_an_outline_stays_whole(fill: bool, region: str) -> None:
    assert getattr(Trimap.from_mask(np.full((4, 5), fill), inner=3, outer=3), region).all()


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.zeros((4, 4), np.float32), {"inner": 1, "outer": 1}, "threshold"),
        (np.zeros((4, 4, 2), bool), {"inner": 1, "outer": 1}, "axes"),
        (np.zeros((4, 4), bool), {"inner": -1, "outer": 1}, "inner is -1"),
        (np.zeros((4, 4), bool), {"inner": 1, "outer": np.nan}, "outer is nan"),
        (np.zeros((4, 4), bool), {"inner": "1", "outer": 1}, "inner is '1'"),
        (np.zeros((4, 4), bool), {"inner": 1, "outer": None}, "outer is None"),
        (np.zeros((4, 4), bool), {"inner": 1, "outer": 1, "spacing": "wide"}, "two positive numbers"),
        (np.zeros((4, 4), bool), {"inner": 1, "outer": 1, "spacing": (1, 0)}, "two positive numbers"),
        (np.zeros((4, 4), bool), {"inner": 1, "outer": 1, "spacing": (1, 1, 1)}, "two positive numbers"),
    ],
)
def test_masks_distances_and_spacings_that_make_no_sense_are_refused(
    mask: np.ndarray, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Trimap.from_mask(mask, **options)


def test_the_training_trimap_dilates_both_regions_by_their_own_distance() -> None:
    alpha = np.zeros((3, 30), np.float32)
    alpha[:, 15:] = 1
    alpha[:, 14:16] = 0.5
    row = Trimap.from_alpha(alpha, foreground_distance=4, background_distance=2).values[1]
    # {α > 0} begins at 14 and reaches 12; {α < 1} ends at 15 and reaches 19.
    np.testing.assert_array_equal(row, [0] * 12 + [128] * 8 + [255] * 10)


def test_a_training_trimap_agrees_with_its_alpha_wherever_it_is_known() -> None:
    rng = np.random.default_rng(3)
    blob = np.clip(
        np.add.outer(np.sin(np.arange(40) / 5), np.cos(np.arange(50) / 7)) + rng.normal(0, 0.1, (40, 50)), 0, 1
    )
    alpha = np.rint(blob * 255).astype(np.uint8)
    trimap = Trimap.from_alpha(alpha, 1, 1)
    assert trimap.foreground.any()
    assert trimap.background.any()
    assert (alpha[trimap.foreground] == 255).all()
    assert (alpha[trimap.background] == 0).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[0, 128], [0, 128]], "no known foreground, but.*paint.*foreground"),
        ([[255, 128], [255, 255]], "no known background, but.*paint.*background"),
        ([[128, 128], [128, 128]], "no known foreground and no known background"),
    ],
)
def test_a_trimap_without_foreground_or_background_says_what_to_paint(values: list, words: str) -> None:
    with pytest.raises(TrimapError, match=words):
        Trimap(np.array(values, np.uint8)).require_known()


def test_a_trimap_with_nothing_unknown_is_a_trimap() -> None:
    trimap = Trimap.from_array(np.array([[0, 255], [0, 255]], np.uint8))
    trimap.require_known()
    assert not trimap.unknown.any()


def literal_paper_boundary(region: np.ndarray) -> np.ndarray:
    """Section 4: ({i} ∪ ∂{i}) meets R, and meets its complement."""
    height, width = region.shape
    boundary = np.zeros_like(region)
    for y in range(height):
        for x in range(width):
            around = [(y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [region[a, b] for a, b in around if 0 <= a < height and 0 <= b < width]
            boundary[y, x] = any(inside) and not all(inside)
    return boundary


def literal_released_boundary(unknown: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Unknown pixels, one of whose eight neighbours is in the region."""
    boundary = np.zeros_like(region)
    for y, x in np.argwhere(unknown):
        boundary[y, x] = region[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
    return boundary


def test_boundaries_match_a_literal_transcription_of_both_rules() -> None:
    rng = np.random.default_rng(11)
    trimap = Trimap(rng.choice(np.array([0, 128, 255], np.uint8), (17, 23), p=[0.2, 0.6, 0.2]))
    background, foreground = trimap.boundaries("paper")
    np.testing.assert_array_equal(background, literal_paper_boundary(trimap.background))
    np.testing.assert_array_equal(foreground, literal_paper_boundary(trimap.foreground))
    background, foreground = trimap.boundaries("released")
    np.testing.assert_array_equal(background, literal_released_boundary(trimap.unknown, trimap.background))
    np.testing.assert_array_equal(foreground, literal_released_boundary(trimap.unknown, trimap.foreground))


def test_the_frame_of_the_picture_is_no_boundary() -> None:
    trimap = Trimap(np.zeros((5, 5), np.uint8))
    for rule in ("paper", "released"):
        assert not any(boundary.any() for boundary in trimap.boundaries(rule))


def test_an_unknown_boundary_rule_is_refused() -> None:
    with pytest.raises(InputError, match="'paper' and 'released'"):
        Trimap(PLANE).boundaries("other")  # type: ignore[arg-type]

"""What 0, 1 and 2 mean is told from where they lie, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsa_engine.errors import TrimapError
from lsa_engine.trimap import Trimap
from lsa_engine.trimap_coding import Numbers, find_numbers

VALUES = np.repeat(np.array([[0, 0, 128, 255, 128, 0]], np.uint8), 4, axis=0)
LABELS = np.select([VALUES == 255, VALUES == 0], [1, 2], 0)
ORDERED = np.searchsorted([0, 128, 255], VALUES)


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int64"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("array", "numbers"), [(LABELS, Numbers.LABELS), (ORDERED, Numbers.ORDERED)])
def test_the_number_between_the_two_others_is_the_unknown(
    array: Any, numbers: Numbers, turned: bool, dtype: str
) -> None:
    plane, expected = (array.T, VALUES.T) if turned else (array, VALUES)
    plane = plane.astype(dtype)
    assert find_numbers([plane]) is numbers
    np.testing.assert_array_equal(Trimap.from_array(plane, numbers=numbers).values, expected)


def test_corners_do_not_touch() -> None:
    assert find_numbers([np.array([[0, 1], [2, 0]])]) is Numbers.LABELS


def test_all_planes_together_tell_what_numbers_mean() -> None:
    empty, no_background = np.zeros_like(LABELS), np.where(LABELS == 2, 0, LABELS)
    with pytest.raises(TrimapError, match=r"only 0 and 1, and not all of 0, 1 and 2"):
        find_numbers([empty, no_background])
    assert find_numbers([empty, no_background, LABELS]) is Numbers.LABELS
    touching = np.where(LABELS == 0, 1, LABELS)  # hard outlines in one plane leave it open
    with pytest.raises(TrimapError, match="neither 0 nor 1 lies between"):
        find_numbers([LABELS, touching])


@pytest.mark.parametrize(
    ("planes", "words"),
    [
        ([np.array([[0, 0, 2, 2, 1, 1]] * 2)], "neither 0 nor 1 lies between"),
        ([np.array([[0, 1], [0, 1]]), np.array([[2, 2], [2, 2]])], "both 0 and 1 may lie between"),
        ([np.array([[1, 2], [1, 2]])], "only 1 and 2"),
        ([np.array([[0, 2], [0, 2]])], "only 0 and 2"),
    ],
)
def test_numbers_that_fit_no_reading_or_several_are_refused(planes: list[Any], words: str) -> None:
    with pytest.raises(TrimapError, match=words):
        find_numbers(planes)


@pytest.mark.parametrize("plane", [VALUES, VALUES / 255, VALUES > 0, np.zeros((3, 3), int), LABELS - 1, LABELS[0]])
def test_other_codings_are_left_alone(plane: Any) -> None:
    assert find_numbers([plane]) is None


def test_a_plane_of_another_coding_among_numbers_is_odd() -> None:
    with pytest.raises(TrimapError, match=r"255 \(4 pixels\), but only 0 \(background\), 1 \(unknown\) and 2"):
        Trimap.from_array(np.where(VALUES == 255, VALUES, 0), numbers=Numbers.ORDERED)

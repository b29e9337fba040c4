"""Fig. 3: the places where the raw matte disobeys the trimap are found and shown before and after."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.errors import InputError
from lsa_engine.inference.comparison import compare_refinement, worst_places
from lsa_engine.inference.results import MatteResult


def test_the_worst_places_have_the_violation_in_their_middle_and_do_not_overlap() -> None:
    violation = np.zeros((90, 120), np.float32)
    violation[40, 60:63], violation[70, 30], violation[42, 70] = 1, 1, 0.5
    first, second, *others = worst_places(violation, 24, 5)
    assert np.abs(np.array(first) + 12 - (40, 62)).max() <= 2
    assert second == (70 - 12, 30 - 12)
    for number, (r, c) in enumerate(others, 2):
        for top, left in [first, second, *others][:number]:
            assert abs(r - top) >= 24 or abs(c - left) >= 24


@pytest.mark.parametrize("shape", [(20, 90), (33, 17), (5, 5)])
def test_images_smaller_than_a_window_are_shown_whole(shape: tuple[int, int]) -> None:
    violation = np.zeros(shape, np.float32)
    violation[-1, -1] = 1
    places = worst_places(violation, 24, 4)
    assert places == [(max(0, shape[0] - 24), max(0, shape[1] - 24))]


def test_a_matte_without_violation_still_has_one_place() -> None:
    assert len(worst_places(np.zeros((50, 50), np.float32), 24, 3)) == 1


def test_the_panels_are_image_matte_refined_matte_and_their_difference(scene) -> None:
    trimap = lsa.Trimap(scene.trimap)
    result = lsa.matte(scene.image, trimap, refinement=lsa.Refinement(iterations=1), device="cpu")
    rng = np.random.default_rng(0)
    moved = np.clip(result.initial_alpha + rng.normal(0, 0.1, trimap.shape) * trimap.unknown, 0, 1).astype(np.float32)
    result = dataclasses.replace(result, alpha=moved)
    picture = compare_refinement(scene.image, trimap, result, window=24, zoom=2, count=1)
    assert picture.shape == (28 + 48, 4 * 48 + 3 * 8, 3)
    top, left = worst_places(result.violation, 24, 1)[0]
    place = (slice(top, top + 24), slice(left, left + 24))
    panels = [picture[28:, i * 56 : i * 56 + 48][::2, ::2] for i in range(4)]
    for panel, alpha in ((panels[1], result.initial_alpha), (panels[2], result.alpha)):
        np.testing.assert_array_equal(panel[..., 0], np.round(alpha[place] * 255))
    change = (result.alpha - result.initial_alpha)[place]
    assert np.all(panels[3][change == 0] == 0)
    raised, lowered = change > 0.02, change < -0.02
    assert raised.any() and lowered.any()
    assert np.all(panels[3][raised][:, 0] > 0)
    assert np.all(panels[3][lowered][:, 2] > 0)
    outline = trimap.boundaries("paper")[1][place]
    assert np.all(panels[0][outline] == (255, 115, 0))


def test_a_result_without_violation_or_of_another_size_is_refused(scene) -> None:
    trimap = lsa.Trimap(scene.trimap)
    result = lsa.matte(scene.image, trimap, device="cpu")
    classical: MatteResult = dataclasses.replace(result, violation=None)
    with pytest.raises(InputError, match="Matter.refine"):
        compare_refinement(scene.image, trimap, classical)
    with pytest.raises(InputError, match="equal sizes"):
        compare_refinement(scene.image[1:], trimap, result)

"""Frozen requests do in a worker what the engine does when it is called directly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.requests import ForegroundRequest, MatteRequest, TrimapRequest, find_facilities
from napari_lsa_matting.session import Session


def ignore(progress: Progress) -> None:
    """A progress callback that nobody watches."""


def matte_request(scene: Any, weights: str, **changes: Any) -> MatteRequest:
    settings = {"device": "cpu", "refinement": "none", "iterations": 15, "tta": 0} | changes
    return MatteRequest(
        session=Session(),
        image=ImagePlane(scene.image, None, "photo"),
        labels=lsa.Trimap(scene.trimap).to_labels(),
        weights=weights,
        **settings,
    )


@pytest.mark.parametrize("tta", [0, 8])
def test_a_matte_is_the_engine_s(scene: Any, random_weights: str, tta: int) -> None:
    result = matte_request(scene, random_weights, tta=tta).run(ignore, CancelToken())
    expected = lsa.matte(scene.image, scene.trimap, weights=random_weights, device="cpu", tta=tta)
    np.testing.assert_array_equal(result.alpha, expected.alpha)
    assert result.report.tta == tta


def test_a_refined_matte_is_the_engine_s(scene: Any, random_weights: str) -> None:
    result = matte_request(scene, random_weights, refinement="fast", iterations=3).run(ignore, CancelToken())
    expected = lsa.matte(
        scene.image, scene.trimap, weights=random_weights, device="cpu", refinement=lsa.Refinement(iterations=3)
    )
    np.testing.assert_array_equal(result.alpha, expected.alpha)
    assert result.report.iterations == 3


def test_the_range_of_a_gray_image_reaches_the_engine(scene: Any, random_weights: str) -> None:
    gray = np.round(scene.image.mean(axis=2) * 1000 + 200).astype(np.uint16)
    request = matte_request(scene, random_weights)
    request = MatteRequest(**{**vars(request), "image": ImagePlane(gray, (200.0, 1200.0), "gray")})
    expected = lsa.matte(gray, scene.trimap, weights=random_weights, device="cpu", data_range=(200, 1200))
    np.testing.assert_array_equal(request.run(ignore, CancelToken()).alpha, expected.alpha)


def test_a_cancelled_request_stops_before_it_loads_anything(scene: Any) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(lsa.Cancelled):
        matte_request(scene, "there are no such weights").run(ignore, token)


def test_foreground_colours_are_the_engine_s(scene: Any) -> None:
    request = ForegroundRequest(
        ImagePlane(scene.image, None, "photo"),
        ImagePlane(scene.alpha, (0.2, 0.9), "alpha"),
        "lsa",
        ("cut-out", "background"),
    )
    results = request.run(ignore, CancelToken()).colours
    foreground, background = lsa.estimate_foreground(scene.image, scene.alpha)
    assert list(results) == ["cut-out", "background"]
    np.testing.assert_allclose(results["cut-out"][..., :3], foreground, atol=1e-6)
    # The contrast limits of an alpha layer are how it is shown, not what it means.
    np.testing.assert_array_equal(results["cut-out"][..., 3], scene.alpha)
    np.testing.assert_allclose(results["background"], background, atol=1e-6)


def test_an_alpha_outside_of_0_to_1_is_refused_with_its_range(scene: Any) -> None:
    request = ForegroundRequest(
        ImagePlane(scene.image, None, "photo"), ImagePlane(scene.alpha * 7, (0, 7), "alpha"), "multilevel", ("cut-out",)
    )
    with pytest.raises(InputError, match="from 0 to 7"):
        request.run(ignore, CancelToken())


def test_distances_of_a_trimap_are_physical_and_follow_the_pixels_of_each_axis() -> None:
    labels = np.zeros((40, 80), np.int32)
    labels[10:30, 20:60] = 7
    # Pixels are 1 µm high and 0.5 µm wide: 3 µm are 3 rows and 6 columns.
    trimap = TrimapRequest(labels, 3.0, 3.0, (1.0, 0.5)).run(ignore, CancelToken())
    middle_column, middle_row = trimap[:, 40], trimap[20]
    assert np.flatnonzero(middle_column == 1).tolist() == list(range(13, 27))
    assert np.flatnonzero(middle_row == 1).tolist() == list(range(26, 54))
    assert np.flatnonzero(middle_column == 2).tolist() == [*range(7), *range(33, 40)]


def test_facilities_name_the_installed_weights_and_a_device(random_weights: str) -> None:
    facilities = find_facilities(ignore, CancelToken())
    assert random_weights in facilities.weights
    assert facilities.devices[:2] == ("auto", "cpu")
    assert facilities.automatic in ("cpu", "cuda", "mps")

"""A matting run in a worker does what the engine does when it is called directly."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matte_request import ImageChangedError, MatteRequest, MatteSettings
from napari_lsa_matting.session import Session


def ignore(progress: Progress) -> None:
    """A progress callback that nobody watches."""


def matte_request(scene: Any, weights: str, **changes: Any) -> MatteRequest:
    settings = MatteSettings(**{"weights": weights, "device": "cpu"} | changes)
    return MatteRequest(
        session=Session(),
        image=ImagePlane(scene.image.copy(), None, "photo"),
        labels=lsa.Trimap(scene.trimap).to_labels(),
        settings=settings,
    )


@pytest.mark.parametrize("tta", [0, 8])
def test_a_matte_is_the_engine_s(scene: Any, random_weights: str, tta: int) -> None:
    result = matte_request(scene, random_weights, tta=tta).run(ignore, CancelToken()).result
    expected = lsa.matte(scene.image, scene.trimap, weights=random_weights, device="cpu", tta=tta)
    np.testing.assert_allclose(result.alpha, expected.alpha, atol=1e-4)
    assert result.report.tta == tta


def test_a_refined_matte_is_the_engine_s(scene: Any, random_weights: str) -> None:
    refinement = {"method": "fast", "iterations": 3, "boundary": "released", "gates": "frozen", "learning_rate": 0.05}
    result = matte_request(scene, random_weights, refinement=refinement).run(ignore, CancelToken()).result
    expected = lsa.matte(
        scene.image, scene.trimap, weights=random_weights, device="cpu", refinement=lsa.Refinement(**refinement)
    )
    np.testing.assert_allclose(result.alpha, expected.alpha, atol=1e-4)
    assert (result.report.iterations, result.report.boundary) == (3, "released")


def test_a_classical_method_needs_no_weights(scene: Any) -> None:
    result = matte_request(scene, "there are no such weights", method="knn").run(ignore, CancelToken()).result
    np.testing.assert_allclose(result.alpha, lsa.matte(scene.image, scene.trimap, method="knn").alpha, atol=1e-4)
    assert result.report.method == "knn"


def test_the_precision_reaches_the_engine(scene: Any, random_weights: str) -> None:
    request = matte_request(scene, random_weights, dtype="bfloat16")
    assert request.run(ignore, CancelToken()).result.report.dtype == "bfloat16"


def test_the_range_of_a_gray_image_reaches_the_engine(scene: Any, random_weights: str) -> None:
    gray = np.round(scene.image.mean(axis=2) * 1000 + 200).astype(np.uint16)
    request = matte_request(scene, random_weights)
    request = MatteRequest(**{**vars(request), "image": ImagePlane(gray, (200.0, 1200.0), "gray")})
    expected = lsa.matte(gray, scene.trimap, weights=random_weights, device="cpu", data_range=(200, 1200))
    np.testing.assert_allclose(request.run(ignore, CancelToken()).result.alpha, expected.alpha, atol=1e-4)


def test_a_cancelled_request_stops_before_it_loads_anything(scene: Any) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(lsa.Cancelled):
        matte_request(scene, "there are no such weights").run(ignore, token)


def test_a_request_that_waits_for_another_s_network_can_be_cancelled(scene: Any, random_weights: str) -> None:
    request = matte_request(scene, random_weights)
    token = CancelToken()
    with request.session.matter(random_weights, "cpu"):
        errors: list[Exception] = []
        waits = threading.Event()

        def wait_in_vain() -> None:
            with pytest.raises(lsa.Cancelled) as caught:
                request.run(lambda _: waits.set(), token)
            errors.append(caught.value)

        thread = threading.Thread(target=wait_in_vain)
        thread.start()
        assert waits.wait(60)
        token.cancel()
        thread.join(60)
        assert len(errors) == 1


@pytest.mark.parametrize("channels", [None, Channels(0, "maximum"), Channels(0, "rgb")])
def test_a_picture_drawn_on_during_the_run_is_noticed(
    scene: Any, random_weights: str, monkeypatch: pytest.MonkeyPatch, channels: Channels | None
) -> None:
    request = matte_request(scene, random_weights)
    if channels is not None:  # what is matted is then a picture made of the layer's pixels
        plane = ImagePlane(np.moveaxis(scene.image, -1, 0).copy(), (0.0, 1.0), "photo", channels)
        request = replace(request, image=plane)
    predict = lsa.Matter.predict

    def draw_meanwhile(matter: Any, **settings: Any) -> Any:
        request.image.pixels[..., :2] = 0
        return predict(matter, **settings)

    monkeypatch.setattr(lsa.Matter, "predict", draw_meanwhile)
    with pytest.raises(ImageChangedError, match="'photo' were changed while it was matted"):
        request.run(ignore, CancelToken())


def test_the_record_tells_inputs_and_settings(scene: Any, random_weights: str) -> None:
    request = matte_request(scene, random_weights, tta=8)
    record = request.run(ignore, CancelToken()).record()
    assert record["settings"] == request.settings.to_dict()
    assert record["report"]["versions"]["lsa_engine"] == lsa.__version__
    other = matte_request(scene, random_weights)
    other.labels[0, 0] = 0
    changed = other.run(ignore, CancelToken()).record()
    assert changed["image_sha256"] == record["image_sha256"]
    assert changed["trimap_sha256"] != record["trimap_sha256"]

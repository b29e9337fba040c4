"""Measurements made in a worker belong to what the layers hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lsa_engine.measure
from lsa_engine.progress import CancelToken
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.measure_pixels import ImagePixels, Pixels
from napari_lsa_matting.measure_request import MeasureRequest, Part
from napari_lsa_matting.measurement import Series

_FRAMES = 3


@pytest.fixture
def film(scene: Any) -> dict[str, Any]:
    """Alphas of three frames, their images, and one image for all."""
    return {"alpha": np.stack([scene.alpha] * _FRAMES), "image": np.stack([scene.alpha] * _FRAMES)}


def measure(film: dict[str, Any], one_image: bool = False) -> Any:
    parts = tuple(
        Part(
            alphas=(Pixels(film["alpha"], (frame,)),),
            image=ImagePixels(film["image"], (0 if one_image else frame,)),
            frame=frame,
        )
        for frame in range(_FRAMES)
    )
    request = MeasureRequest(parts, (1.0, 1.0), "pixel", series=Series("t", None, 1.0))
    return request.run(lambda _: None, CancelToken())


@pytest.mark.parametrize("one_image", [False, True])
@pytest.mark.parametrize("what", ["alpha", "image"])
@pytest.mark.parametrize("frame", [0, _FRAMES - 1])
def test_a_frame_that_is_drawn_on_meanwhile_drops_the_measurements(
    film: dict[str, Any], monkeypatch: pytest.MonkeyPatch, what: str, frame: int, one_image: bool
) -> None:
    assert measure(film, one_image).columns["frame"] == [0, 1, 2]
    last, turns = lsa_engine.measure.measure_matte, []

    def draw_meanwhile(*arrays: Any, **settings: Any) -> Any:
        turns.append(1)
        if len(turns) == _FRAMES:  # when the others are done
            film[what][0 if one_image and what == "image" else frame, :5] = 0.5
        return last(*arrays, **settings)

    monkeypatch.setattr(lsa_engine.measure, "measure_matte", draw_meanwhile)
    with pytest.raises(ImageChangedError, match=f"The pixels of the {what} were changed while they were measured"):
        measure(film, one_image)

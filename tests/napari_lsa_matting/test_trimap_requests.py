"""Trimaps made in a worker belong to what they were made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsa_engine.progress import CancelToken
from lsa_engine.trimap import Trimap
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.trimap_requests import AlphaRequest, LabelsRequest, MakeRequest, StrokesRequest

_SPACING = (1.0, 1.0)


def make(request: LabelsRequest) -> Any:
    return MakeRequest(request).run(lambda _: None, CancelToken())


@pytest.mark.parametrize("channels", [None, Channels(0, "mean")])
def test_strokes_on_a_picture_that_is_drawn_on_meanwhile_make_no_trimap(
    scene: Any, monkeypatch: pytest.MonkeyPatch, channels: Channels | None
) -> None:
    pixels = scene.image.copy() if channels is None else np.moveaxis(scene.image, -1, 0).copy()
    plane = ImagePlane(pixels, (0.0, 1.0), "photo", channels)
    request = StrokesRequest(plane, Trimap(scene.trimap).to_labels(), 0.8, 2.0, _SPACING)
    assert make(request).labels.any()
    fill = StrokesRequest.run

    def draw_meanwhile(*inputs: Any) -> Any:
        made = fill(*inputs)
        pixels[..., :2] = 0
        return made

    monkeypatch.setattr(StrokesRequest, "run", draw_meanwhile)
    with pytest.raises(ImageChangedError, match=r"The image was changed .* so that was dropped: try it again\."):
        make(request)


def test_an_alpha_that_is_drawn_on_meanwhile_makes_no_trimap(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = scene.alpha.copy()
    request = AlphaRequest(alpha, 1.0, 1.0, _SPACING)
    assert make(request).labels.any()
    find = Trimap.from_alpha

    def draw_meanwhile(*inputs: Any, **settings: Any) -> Any:
        made = find(*inputs, **settings)
        alpha[:5] = 1
        return made

    monkeypatch.setattr(Trimap, "from_alpha", draw_meanwhile)
    with pytest.raises(ImageChangedError, match="The alpha was changed while a trimap was made from it"):
        make(request)

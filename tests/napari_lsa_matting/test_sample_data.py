"""The sample: a photograph and its trimap."""

from __future__ import annotations

from typing import Any

from napari_lsa_matting.checks import check_trimap


def test_the_sample_opens_as_two_layers_that_can_be_matted(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-lsa-matting", "peacock")
    photograph, trimap = viewer.layers["photograph"], viewer.layers["trimap"]
    assert photograph.rgb
    assert photograph.data.shape[:2] == trimap.data.shape
    assert check_trimap(viewer, photograph, trimap).findings == ()

"""The samples: photographs and their trimaps."""

from __future__ import annotations

from typing import Any

import pytest

from lsa_engine.samples import SAMPLES
from napari_lsa_matting.checks import check_trimap
from napari_lsa_matting.labels_look import LabelsLook
from napari_lsa_matting.trimap_layer import find_islands


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_opens_as_two_layers_that_can_be_matted(name: str, make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.open_sample("napari-lsa-matting", name)
    photograph, trimap = viewer.layers[name], viewer.layers["trimap"]
    assert photograph.rgb
    assert photograph.data.shape[:2] == trimap.data.shape
    assert check_trimap(viewer, photograph, trimap, LabelsLook(viewer.window.file_menu.parent())).findings == ()
    assert find_islands(trimap.data) == []
    assert photograph.metadata["source"]["licence"] == SAMPLES[name].licence
    assert SAMPLES[name].credit.startswith(photograph.metadata["source"]["credit"][:20])

"""Sample data: File ▸ Open Sample ▸ LSA Matting."""

from __future__ import annotations

from typing import Any

from lsa_engine import samples
from napari_lsa_matting.trimap_layer import trimap_settings

LayerTuple = tuple[Any, dict[str, Any], str]


def load_sample() -> list[LayerTuple]:
    """Return the sample photograph (uint8 RGB) and its trimap as layers."""
    photograph = samples.load_photograph()
    labels = samples.load_trimap().to_labels()
    return [
        (photograph, {"name": "photograph", "rgb": True}, "image"),
        (labels, trimap_settings(), "labels"),
    ]

"""Sample data: File ▸ Open Sample ▸ LSA Matting."""

from __future__ import annotations

from typing import Any

from lsa_engine import samples
from napari_lsa_matting.trimap_layer import trimap_settings

LayerTuple = tuple[Any, dict[str, Any], str]


def load_sample(name: str) -> list[LayerTuple]:
    """Return a sample photograph (uint8 RGB) and its trimap as layers, with its source in the photograph's metadata.

    Parameters
    ----------
    name : str
        One of :data:`lsa_engine.samples.SAMPLES`.
    """
    sample = samples.find_sample(name)
    source = {"subject": sample.subject, "credit": sample.credit, "licence": sample.licence}
    labels = samples.load_trimap(name).to_labels()
    return [
        (samples.load_photograph(name), {"name": name, "rgb": True, "metadata": {"source": source}}, "image"),
        (labels, trimap_settings(), "labels"),
    ]


def load_peacock() -> list[LayerTuple]:
    """Return the peacock: feathers."""
    return load_sample("peacock")


def load_twigs() -> list[LayerTuple]:
    """Return the bare tree: fine branches."""
    return load_sample("twigs")


def load_jellyfish() -> list[LayerTuple]:
    """Return the jellyfish: a translucent specimen."""
    return load_sample("jellyfish")


def load_flower() -> list[LayerTuple]:
    """Return the flower: petals and foliage."""
    return load_sample("flower")

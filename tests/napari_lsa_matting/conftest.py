"""Fixtures of the plugin's tests: a viewer with a scene, random small weights, and a place for notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from lsa_engine.trimap import Trimap
from napari_lsa_matting.trimap_layer import trimap_settings


@pytest.fixture(scope="session")
def random_weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small network as it is before any training: enough to test everything but beauty."""
    import torch

    from lsa_engine.network import build_network
    from lsa_engine.weights.files import save_weights

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("random") / "random-lite.safetensors"
    network = build_network("lsanet-lite")
    save_weights(path, network.state_dict(), {"size": "lsanet-lite", "name": "random-lite", "licence": "CC0-1.0"})
    return path


@pytest.fixture
def random_weights(random_weights_file: Path, user_weights_folder: Path) -> str:
    """The name of random weights among the user's own."""
    (user_weights_folder / random_weights_file.name).symlink_to(random_weights_file)
    return random_weights_file.stem


@pytest.fixture
def viewer_model(scene: Any) -> ViewerModel:
    """A viewer without a window, with the scene's image in µm and its trimap."""
    viewer = ViewerModel()
    fill(viewer, scene)
    return viewer


@pytest.fixture
def scene_viewer(make_napari_viewer_proxy: Callable[..., Any], scene: Any) -> Any:
    """napari's public proxy of a real viewer, with the scene's image in µm and its trimap."""
    viewer = make_napari_viewer_proxy()
    fill(viewer, scene)
    return viewer


def fill(viewer: Any, scene: Any) -> None:
    """Add the scene's image and trimap."""
    place: dict[str, Any] = {
        "scale": (0.5, 0.5),
        "translate": (10, 20),
        "units": ("um", "um"),
        "axis_labels": ("y", "x"),
    }
    viewer.add_image(np.round(scene.image * 255).astype(np.uint8), name="photo", rgb=True, **place)
    viewer.add_labels(Trimap(scene.trimap).to_labels(), **trimap_settings(), **place)


@pytest.fixture
def notifications() -> Iterator[list[str]]:
    """The texts of napari's notifications during a test."""
    texts: list[str] = []

    def keep(notification: Any) -> None:
        texts.append(notification.message)

    notification_manager.notification_ready.connect(keep)
    yield texts
    notification_manager.notification_ready.disconnect(keep)

"""Fixtures of the command-line tests: a small network's weights, and the scene as files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained lsanet-lite: what it computes is of no use, that and where it computes is."""
    import torch

    from lsa_engine.network import build_network
    from lsa_engine.weights import save_weights

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("untrained") / "untrained.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite"}, half=True)
    return path


@pytest.fixture
def folder(tmp_path: Path, scene) -> Path:
    """A folder with image.png, trimap.png, alpha.png and foreground.png of the scene."""
    from lsa_engine.image_io import write_alpha, write_image

    write_image(tmp_path / "image.png", scene.image, bits=8)
    write_alpha(tmp_path / "trimap.png", scene.trimap, bits=8)
    write_alpha(tmp_path / "alpha.png", scene.alpha)
    write_image(tmp_path / "foreground.png", scene.foreground, bits=8)
    return tmp_path

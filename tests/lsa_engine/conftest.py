"""Fixtures for the engine's tests: the published network's oracle, and training data made on the spot."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@dataclass(frozen=True)
class Oracle:
    """What the published network gives with weights that a rule makes from their names.

    The names and shapes are those of the published checkpoint; `forward` is the matte of `image` and `trimap`, and
    `refined_5` the same after five iterations of the published backpropagating refinement.
    """

    shapes: dict[str, tuple[int, ...]]
    image: np.ndarray  # float32 (128, 192, 3) in [0, 1]
    trimap: np.ndarray  # uint8 (128, 192), 0, 128 or 255
    forward: np.ndarray  # float32 (128, 192)
    refined_5: np.ndarray  # float32 (128, 192)

    def tensor(self, name: str) -> np.ndarray:
        """Return the numbers of one tensor, which follow from its name."""
        shape = self.shapes[name]
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            return np.zeros(shape, np.int64)
        if name.endswith("running_var"):
            values = rng.uniform(0.5, 1.5, shape)
        elif name.endswith("running_mean"):
            values = rng.normal(0, 0.1, shape)
        elif len(shape) == 4:
            values = rng.normal(0, (1.6 / np.prod(shape[1:])) ** 0.5, shape)
        elif "weight" in name:
            values = rng.uniform(0.5, 1.5, shape)
        else:
            values = rng.normal(0, 0.1, shape)
        values = values.astype(np.float32)
        if name == "decoder.final_final.conv3.weight":
            values *= 0.12
        if name == "decoder.final_final.conv3.bias":
            values[:] = 0.45
        return values


@pytest.fixture(scope="session")
def oracle(data_dir: Path) -> Oracle:
    """The published network's names, input and output."""
    folder = data_dir / "oracle"
    shapes = json.loads((folder / "released_checkpoint_names.json").read_text())
    height, width = 128, 192
    rng = np.random.default_rng(1)
    yy, xx = np.mgrid[:height, :width].astype(np.float64)
    channels = [
        0.5 + 0.4 * np.sin(xx / (7 + 3 * c) + rng.uniform(0, 6)) * np.cos(yy / (9 + 2 * c) + rng.uniform(0, 6))
        for c in range(3)
    ]
    image = np.clip(np.stack(channels, -1) + rng.normal(0, 0.05, (height, width, 3)), 0, 1).astype(np.float32)
    radius = np.hypot((yy - height * 0.5) / (height * 0.42), (xx - width * 0.45) / (width * 0.4))
    trimap = np.where(radius < 0.55, 255, np.where(radius > 1, 0, 128)).astype(np.uint8)
    with np.load(folder / "expected.npz") as expected:
        return Oracle(
            {name: tuple(shape) for name, shape in shapes.items()},
            image,
            trimap,
            expected["forward"],
            expected["refined_5"],
        )


@pytest.fixture(scope="session")
def published_checkpoint(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the published format, with the oracle's numbers (150 MB)."""
    import torch

    path = tmp_path_factory.mktemp("published") / "lsa-matting.pth"
    state = {f"module.{name}": torch.from_numpy(np.asarray(oracle.tensor(name))) for name in oracle.shapes}
    torch.save({"epoch": 7, "state_dict": state}, path)
    return path


@pytest.fixture(scope="session")
def imported_weights(published_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published checkpoint after its import."""
    from lsa_engine.weights import import_checkpoint

    path = tmp_path_factory.mktemp("imported") / "lsa-r50d.safetensors"
    import_checkpoint(published_checkpoint, path)
    return path


@pytest.fixture(scope="session")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: two colourful `photos`, one in `photos-validation`, two soft mattes in `alphas`."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:96, :128] / 96
    for name in ("photos/first", "photos/second", "photos-validation/third"):
        waves = [
            np.sin(rng.uniform(2, 20) * rows + rng.uniform(2, 20) * columns + phase) for phase in rng.uniform(0, 6, 3)
        ]
        photo = 0.5 + 0.4 * np.stack(waves, -1) + rng.normal(0, 0.03, (96, 128, 3))
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray((np.clip(photo, 0, 1) * 255).astype(np.uint8)).save(root / f"{name}.png")
    (root / "alphas").mkdir()
    for name, radius in (("one", 30.0), ("two", 20.0)):
        alpha = np.clip((radius - np.hypot(rows - 0.5, columns - 0.6) * 96) / 8 + 0.5, 0, 1)
        Image.fromarray((alpha * 255).astype(np.uint8)).save(root / "alphas" / f"{name}.png")
    return root

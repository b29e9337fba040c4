"""Fixtures for all tests: few threads, fixed seeds, no user files, and one small scene with a known answer."""

from __future__ import annotations

import os

# Before numpy or torch is loaded: tests must not depend on, or fight over, the number of cores. Of two processes that
# share the tests, each has one.
_THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = str(_THREADS)
# On a busy machine, threads that spin while they wait take the core that the other one needs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Obey Ctrl-C, as programs do then that tests start: jobs in the background of a shell begin without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random state, in whatever libraries are loaded."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (libraries under test may use the legacy generator)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
        torch.set_num_threads(_THREADS)


@pytest.fixture(autouse=True)
def user_weights_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the user's own weights, so that a test sees only what ships."""
    folder = tmp_path_factory.mktemp("weights")
    monkeypatch.setenv("LSA_WEIGHTS_DIR", str(folder))
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder tests/data with golden numbers and small scenes."""
    return Path(__file__).parent / "data"


@dataclass(frozen=True)
class Scene:
    """A composite whose answer is known: a soft-edged disc over a background of another colour."""

    image: np.ndarray  # float32 (H, W, 3) in [0, 1]
    trimap: np.ndarray  # uint8 (H, W), 0, 128 or 255
    alpha: np.ndarray  # float32 (H, W) in [0, 1]
    foreground: np.ndarray  # float32 (H, W, 3)
    background: np.ndarray  # float32 (H, W, 3)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A 48 × 64 scene: alpha falls from 1 to 0 over six pixels around a circle of radius 14."""
    rows, columns = np.mgrid[:48, :64].astype(np.float32)
    radius = np.hypot(rows - 23.5, columns - 31.5)
    alpha = np.clip((17.0 - radius) / 6.0, 0.0, 1.0).astype(np.float32)
    ramp = (columns / 63.0)[..., None]
    foreground = (0.75 + 0.2 * ramp * np.array([0.0, 1.0, 0.5])).astype(np.float32)
    background = (0.10 + 0.2 * ramp * np.array([1.0, 0.5, 0.0])).astype(np.float32)
    image = alpha[..., None] * foreground + (1.0 - alpha[..., None]) * background
    trimap = np.full(alpha.shape, 128, np.uint8)
    trimap[radius < 9.0] = 255
    trimap[radius > 19.0] = 0
    return Scene(image.astype(np.float32), trimap, alpha, foreground, background)

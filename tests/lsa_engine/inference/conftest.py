"""What tests of large images share: a wide pair, and what the network is fed of all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lsa_engine.inference.preparation import network_input
from lsa_engine.network import LSANet
from lsa_engine.samples import load_photograph, load_trimap

Pair = tuple[np.ndarray, np.ndarray]
MakePair = Callable[[int, int], Pair]
WholeInput = Callable[[LSANet, Pair], torch.Tensor]


@pytest.fixture(scope="session")
def wide_pair() -> MakePair:
    """Make strips of the sample photograph side by side, uint8 (H, W, 3), and their trimap with few unknown pixels."""

    def make(height: int, width: int) -> Pair:
        rows = (70, 160, 300)
        image = np.hstack([load_photograph()[row : row + height] for row in rows])[:, :width]
        trimap = np.hstack([load_trimap().values[row : row + height] for row in rows])[:, :width].copy()
        trimap[:, 700:1100] = 0  # nothing to do there
        return np.ascontiguousarray(image), trimap

    return make


@pytest.fixture(scope="session")
def wide(wide_pair: MakePair) -> Pair:
    """A pair of (65, 1501), neither of which is even."""
    return wide_pair(65, 1501)


@pytest.fixture(scope="session")
def whole_input() -> WholeInput:
    """Make the network's input of the whole of a pair, to compare parts with."""

    def make(network: LSANet, pair: Pair) -> torch.Tensor:
        image = torch.from_numpy(pair[0].astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()
        return network_input(image, torch.from_numpy(pair[1])[None, None], network.size.guidance)

    return make

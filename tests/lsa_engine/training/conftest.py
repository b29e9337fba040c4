"""Fixtures of the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lsa_engine.training.trainer import TrainingResult, train
from trainings import tiny


@pytest.fixture
def one_thread(fixed_seeds: None) -> None:
    """Networks this small gain nothing from a second thread; sums must be taken in one order to agree to the bit."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory, training_data: Path) -> tuple[Path, TrainingResult]:
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    torch.set_num_threads(1)
    return folder, train(tiny(), folder, data=training_data, device="cpu")

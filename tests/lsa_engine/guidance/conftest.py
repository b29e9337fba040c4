"""Fixtures of the guidance tests."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def two_threads(fixed_seeds: None) -> None:
    """Share the work among threads, also where each of two test processes has one thread otherwise."""
    torch.set_num_threads(2)

"""Which devices there are, and which one is taken."""

from __future__ import annotations

import pytest
import torch

from lsa_engine.devices import choose_device, choose_training_device, present_devices


def test_devices_that_are_there_come_by_name_with_the_automatic_one_first() -> None:
    found = present_devices()
    assert list(found)[:2] == ["auto", "cpu"]
    assert found["auto"] == choose_device("auto")
    assert ("cuda" in found, "mps" in found) == (torch.cuda.is_available(), torch.backends.mps.is_available())


@pytest.mark.parametrize(("cuda", "taken"), [(True, "cuda"), (False, "cpu")])
def test_training_takes_apples_gpu_only_by_name(monkeypatch: pytest.MonkeyPatch, cuda: bool, taken: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_training_device("auto") == torch.device(taken)
    assert choose_training_device("mps") == torch.device("mps")

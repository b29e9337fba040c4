"""Which devices there are, and which one is taken."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from lsa_engine.devices import choose_device, choose_training_device, present_devices, release_memory
from lsa_engine.errors import InputError


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


@pytest.mark.parametrize("name", ["cpu:x", "cuda:", "cpu:7", "", "cuda:99"])
def test_devices_that_cannot_be_there_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"Got device '{name}'"):
        choose_device(name)


RELEASED = """
import resource
from lsa_engine.devices import release_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

small = [bytes(10_000) for _ in range(20_000)]
last = bytes(10_000)  # what lies before it the C library keeps
del small
before = resident()
release_memory()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is resident")
def test_what_is_no_longer_used_goes_back_to_the_system() -> None:
    release_memory()  # wherever there is nothing to give back
    done = subprocess.run([sys.executable, "-c", RELEASED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100

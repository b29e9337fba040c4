"""Weights files: whole or not at all, and never more than tensors."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lsa_engine.errors import FileError, WeightsError
from lsa_engine.weights import load_weights, read_metadata, save_weights

STATE = {
    "conv.weight": torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2),
    "norm.running_mean": torch.tensor([0.25, -3.0]),
    "norm.num_batches_tracked": torch.tensor(12),
}


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_weights(path, STATE, {"size": "lsanet-lite", "licence": "BSD-3-Clause"})
    loaded = load_weights(path)
    assert set(loaded.state) == {"conv.weight", "norm.running_mean"}
    assert torch.equal(loaded.state["conv.weight"], STATE["conv.weight"])
    assert loaded.metadata["size"] == "lsanet-lite"
    assert loaded.metadata["licence"] == "BSD-3-Clause"
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.path == path


def test_half_precision_halves_the_file_and_is_read_as_float32(tmp_path: Path) -> None:
    state = {"weight": torch.rand(64, 64)}
    save_weights(tmp_path / "whole.safetensors", state, {"size": "x"})
    save_weights(tmp_path / "half.safetensors", state, {"size": "x"}, half=True)
    saved = (tmp_path / "whole.safetensors").stat().st_size - (tmp_path / "half.safetensors").stat().st_size
    assert abs(saved - 64 * 64 * 2) < 64  # the header's length may differ by a few bytes
    loaded = load_weights(tmp_path / "half.safetensors").state["weight"]
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, state["weight"].half().float())


def test_a_tensor_in_another_memory_layout_keeps_its_numbers(tmp_path: Path) -> None:
    weight = torch.rand(4, 3, 3, 3).to(memory_format=torch.channels_last)
    save_weights(tmp_path / "a.safetensors", {"weight": weight}, {"size": "x"})
    assert torch.equal(load_weights(tmp_path / "a.safetensors").state["weight"], weight)


def test_weights_that_do_not_name_their_size_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="without 'size'"):
        save_weights(tmp_path / "a.safetensors", STATE, {"name": "a"})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, STATE, {"size": "old"})

    def fill_the_disk(tensors: dict[str, Any], target: Path, metadata: dict[str, str]) -> None:
        Path(target).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("safetensors.torch.save_file", fill_the_disk)
    with pytest.raises(FileError, match="disk is full"):
        save_weights(path, STATE, {"size": "new"})
    assert read_metadata(path)["size"] == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.safetensors"]


def safetensors_with_header(header: Any, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}q\x00.",
        b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        (5_000_000_000).to_bytes(8, "little") + b"{}",
        safetensors_with_header([1, 2]),
        safetensors_with_header({"__metadata__": 3}),
        safetensors_with_header({"__metadata__": {"size": "x"}, "a": {"dtype": "F32"}}),
        safetensors_with_header({"__metadata__": {"size": "x"}, "a": 4}),
        b"\x08\x00\x00\x00\x00\x00\x00\x00[[[[[[[[",
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    for read in (read_metadata, load_weights):
        with pytest.raises(WeightsError, match="foreign.safetensors"):
            read(path)


@pytest.mark.parametrize("lost", [1, 90])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, STATE, {"size": "x"})
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(WeightsError, match="cut short"):
        load_weights(path)


def test_safetensors_of_other_people_are_refused_with_what_to_do(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="names no network size.*lsa import-weights"):
        load_weights(tmp_path / "other.safetensors")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        load_weights(tmp_path / "nowhere.safetensors")

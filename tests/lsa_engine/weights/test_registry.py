"""Names of weights: what comes with the package, what the user has, and what is passed over."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest
import torch

from lsa_engine.errors import WeightsError
from lsa_engine.weights import available_weights, find_weights, registry, save_weights, user_weights_folder


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder with one weights file, in place of the real one."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(registry, "_SHIPPED_FOLDER", folder)
    write(folder / "ours.safetensors", licence="BSD-3-Clause", description="What ships.")
    return folder


def write(path: Path, **metadata: str) -> Path:
    save_weights(path, {"weight": torch.rand(3)}, {"size": "lsanet-lite"} | metadata)
    return path


def test_shipped_weights_come_before_the_users_own(user_weights_folder: Path) -> None:
    write(user_weights_folder / "a.safetensors")
    assert [info.name for info in available_weights()] == ["ours", "a"]


def test_a_listing_says_what_a_file_is(shipped: Path) -> None:
    info = available_weights()[0]
    path = shipped / "ours.safetensors"
    assert (info.name, info.size, info.kind, info.path) == ("ours", "lsanet-lite", "matting", path)
    assert (info.licence, info.description) == ("BSD-3-Clause", "What ships.")
    assert info.bytes == len(path.read_bytes())
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_says_nothing_of_its_licence_is_listed_as_unstated(user_weights_folder: Path) -> None:
    write(user_weights_folder / "a.safetensors")
    assert available_weights()[1].licence == "unstated"


def test_a_changed_file_is_hashed_again(user_weights_folder: Path) -> None:
    path = write(user_weights_folder / "a.safetensors", description="one")
    first = available_weights()[1].sha256
    write(path, description="two")
    os.utime(path, ns=(1, 1))
    second = available_weights()[1]
    assert second.description == "two"
    assert second.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != first


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_broken_file_is_passed_over_with_a_warning(
    user_weights_folder: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (user_weights_folder / "broken.safetensors").write_bytes(content)
    write(user_weights_folder / "good.safetensors")
    with caplog.at_level(logging.WARNING):
        names = [info.name for info in available_weights()]
    assert names == ["ours", "good"]
    assert "broken.safetensors" in caplog.text


def test_a_file_that_is_cut_short_is_passed_over(user_weights_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(user_weights_folder / "short.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    assert [info.name for info in available_weights()] == ["ours"]
    assert "cut short" in caplog.text


def test_other_files_and_half_written_ones_are_not_looked_at(
    user_weights_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (user_weights_folder / ".0a1b.part.safetensors").write_bytes(b"half")
    (user_weights_folder / "readme.txt").write_text("hello")
    assert [info.name for info in available_weights()] == ["ours"]
    assert caplog.text == ""


def test_a_users_file_cannot_take_a_shipped_name(
    user_weights_folder: Path, shipped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(user_weights_folder / "ours.safetensors", description="Not ours.")
    assert [info.description for info in available_weights()] == ["What ships."]
    assert "comes with the package" in caplog.text
    assert find_weights("ours") == shipped / "ours.safetensors"


def test_encoders_are_listed_apart(user_weights_folder: Path) -> None:
    write(user_weights_folder / "resnet.safetensors", kind="encoder")
    assert [info.name for info in available_weights()] == ["ours"]
    assert [info.name for info in available_weights("encoder")] == ["resnet"]
    assert [info.name for info in available_weights(None)] == ["ours", "resnet"]
    assert find_weights("resnet") == user_weights_folder / "resnet.safetensors"


def test_missing_folders_are_empty(shipped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "_SHIPPED_FOLDER", tmp_path / "nowhere")
    monkeypatch.setenv("LSA_WEIGHTS_DIR", str(tmp_path / "nowhere either"))
    assert available_weights() == []
    with pytest.raises(WeightsError, match="none is installed"):
        find_weights("ours")


def test_a_weights_folder_that_is_a_file_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSA_WEIGHTS_DIR", str(tmp_path / "file"))
    assert [info.name for info in available_weights()] == ["ours"]
    assert "Passed over weights folder" in caplog.text


def test_a_name_or_a_path_finds_the_file(user_weights_folder: Path, shipped: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere.safetensors")
    assert find_weights("ours") == shipped / "ours.safetensors"
    assert find_weights(elsewhere) == elsewhere
    assert find_weights(str(elsewhere)) == elsewhere


def test_an_unknown_name_is_refused_with_the_known_ones(user_weights_folder: Path) -> None:
    write(user_weights_folder / "mine.safetensors")
    with pytest.raises(WeightsError, match=r"'yours'.*\(ours, mine\)"):
        find_weights("yours")


@pytest.mark.parametrize("weights", [None, 3, "~nobody-of-this-name/lsa.safetensors", 300 * "x"])
def test_what_can_be_neither_name_nor_file_is_refused_like_an_unknown_name(weights: object) -> None:
    with pytest.raises(WeightsError, match=f"Got weights '{weights}', expected"):
        find_weights(weights)  # type: ignore[arg-type]


def test_the_users_folder_is_the_configured_one_or_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSA_WEIGHTS_DIR", "~/my weights")
    assert user_weights_folder() == Path.home() / "my weights"
    monkeypatch.delenv("LSA_WEIGHTS_DIR")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, **options: f"/data/{name}")
    assert user_weights_folder() == Path("/data/lsa-matting/weights")

"""Published checkpoints imported by the button beside the weights."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from qtpy.QtWidgets import QFileDialog, QFormLayout, QWidget

from lsa_engine.network import build_network
from lsa_engine.weights import available_weights
from lsa_engine.weights.published import ADOBE_LICENCE, _mmlab_name
from napari_lsa_matting.matting_options import MattingOptions
from napari_lsa_matting.requests import Facilities


@pytest.fixture
def options(qtbot: Any) -> Iterator[MattingOptions]:
    frame = QWidget()
    qtbot.addWidget(frame)
    options = MattingOptions(frame, QFormLayout(frame))
    options.show_facilities(Facilities({"lsa-lite": "small"}, {"auto": "float32", "cpu": "float32"}, "cpu"))
    yield options


def press(qtbot: Any, options: MattingOptions, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    options.browse_button.click()
    assert options.import_line.text() == f"Importing {path.name} …"
    assert not options.browse_button.isEnabled()
    qtbot.waitUntil(lambda: options.browse_button.isEnabled())
    assert options.import_line.text() == ""


def test_a_published_checkpoint_is_imported_chosen_and_its_licence_said(
    options: MattingOptions,
    qtbot: Any,
    user_weights_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[str],
) -> None:
    path = tmp_path / "paper.pth"
    shapes = {name: tensor.shape for name, tensor in build_network("lsanet-r50d").state_dict().items()}
    # One number a tensor, repeated, takes no room in the file.
    state = {
        f"module.{_mmlab_name(name)}": torch.full((1,) * len(shape), 0.5).expand(shape)
        for name, shape in shapes.items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save({"state_dict": state}, path)
    press(qtbot, options, path, monkeypatch)
    assert notifications == [f"Imported the weights paper. Licence: {ADOBE_LICENCE}"]
    assert options.settings.weights == "paper"
    assert ADOBE_LICENCE in options.weights.tooltip
    assert "paper" in {info.name for info in available_weights()}
    assert (user_weights_folder / "paper.safetensors").is_file()


class _Trap:
    def __reduce__(self) -> Any:
        return (Path("trapped").touch, ())


def test_a_checkpoint_that_would_run_code_is_refused_and_nothing_chosen(
    options: MattingOptions,
    qtbot: Any,
    user_weights_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trap.pth"
    path.write_bytes(pickle.dumps({"state_dict": _Trap()}))
    press(qtbot, options, path, monkeypatch)
    assert len(notifications) == 1 and "trap.pth" in notifications[0]
    assert not (tmp_path / "trapped").exists()
    assert options.settings.weights == "lsa-lite"
    assert not list(user_weights_folder.iterdir())

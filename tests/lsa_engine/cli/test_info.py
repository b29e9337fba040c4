from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch

import lsa_engine
from lsa_engine.cli.main import main


def test_json_states_versions_devices_weights_and_folders(
    weights_file: Path, user_weights_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(weights_file, user_weights_folder / "mine.safetensors")
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["versions"]["napari-lsa-matting"] == lsa_engine.__version__
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["devices"][0]["device"] == "cpu"
    assert facts["devices"][0]["threads"] == torch.get_num_threads()
    (mine,) = (weights for weights in facts["weights"] if weights["name"] == "mine")
    assert mine["size"] == "lsanet-lite"
    assert mine["bytes"] == weights_file.stat().st_size
    assert mine["sha256"] == sha256(weights_file.read_bytes()).hexdigest()
    own = facts["folders"]["own weights"]
    assert own == {"path": str(user_weights_folder), "exists": True, "files": 1, "bytes": weights_file.stat().st_size}


def test_the_text_names_the_same_things(
    weights_file: Path, user_weights_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(weights_file, user_weights_folder / "mine.safetensors")
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for part in ("napari-lsa-matting", torch.__version__, "threads", "mine", "lsanet-lite", str(user_weights_folder)):
        assert part in text

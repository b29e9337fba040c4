"""ONNX models against torch, and what cannot be exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsa_engine.cli.main import main
from lsa_engine.errors import InputError, WeightsError
from lsa_engine.inference.loading import load_network
from lsa_engine.inference.onnx_export import export_onnx
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import build_network
from lsa_engine.samples import load_photograph, load_trimap
from lsa_engine.weights import save_weights

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module", params=["lsanet-lite", "lsanet-r50d"])
def trained(request, tmp_path_factory):
    """A network with statistics of its own, and the file that holds it."""
    torch.manual_seed(2)
    network = build_network(request.param).train()
    with torch.no_grad():
        network(torch.rand(2, network.size.input_channels, 64, 64))
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.safetensors"
    save_weights(path, network.state_dict(), {"size": request.param, "name": "mine", "licence": "CC0-1.0"})
    return network.eval().requires_grad_(False), path


def test_the_model_answers_as_torch_does_at_any_size(trained, tmp_path):
    network, weights = trained
    made = export_onnx(weights, tmp_path / "model.onnx")
    assert made.difference is not None
    assert made.difference < 1e-4
    assert made.channels == network.size.input_channels
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert (facts["weights"], facts["licence"], facts["guidance"]) == ("mine", "CC0-1.0", network.size.guidance)
    for size in ((64, 96), (45, 67), (200, 33)):
        inputs = torch.rand(1, made.channels, *size)
        (answer,) = session.run(None, {"input": inputs.numpy()})
        np.testing.assert_allclose(answer, network(inputs).numpy(), atol=1e-4)


def test_the_shipped_weights_answer_as_torch_does_from_an_image_on(tmp_path):
    made = export_onnx("lsa-lite", tmp_path / "lite.onnx")
    assert made.difference is not None
    assert made.difference < 1e-4
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    network, _ = load_network("lsa-lite")
    image = torch.from_numpy(load_photograph()[150:311, 150:351].astype(np.float32) / 255).permute(2, 0, 1)[None]
    trimap = torch.from_numpy(load_trimap().values[150:311, 150:351].copy())[None, None]
    assert set(trimap.unique().tolist()) == {0, 128, 255}
    inputs = network_input(image.contiguous(), trimap, made.guidance)
    (answer,) = session.run(None, {"input": inputs.numpy()})
    with torch.no_grad():
        expected = network(inputs).numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    assert expected.min() < 0.1 < 0.9 < expected.max()


def test_the_command_line_says_what_it_wrote(trained, tmp_path, capsys):
    network, weights = trained
    assert main(["export", str(weights), "-o", str(tmp_path / "model.onnx")]) == 0
    said = capsys.readouterr().out
    assert f"{network.size.input_channels} input channels" in said
    assert "differs from torch's by" in said
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_what_cannot_be_exported_leaves_nothing_behind(tmp_path, monkeypatch):
    encoder = tmp_path / "encoder.safetensors"
    state = {f"encoder.{k}": v for k, v in build_network("lsanet-lite").encoder.state_dict().items()}
    save_weights(encoder, state, {"size": "lsanet-lite", "kind": "encoder"})
    with pytest.raises(WeightsError, match="encoder alone"):
        export_onnx(encoder, tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export_onnx("lsa-lite", tmp_path / "model.pb")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs onnx and onnxscript"):
        export_onnx("lsa-lite", tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.safetensors"]

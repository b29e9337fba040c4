"""Import of published checkpoints: every tensor to its place, nothing executed, nothing half written."""

from __future__ import annotations

import io
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lsa_engine.errors import FileError, InputError, LsaError
from lsa_engine.network import build_network
from lsa_engine.weights import available_weights, import_checkpoint, load_encoder, load_weights, registry

State = dict[str, Tensor]


def hollow(shapes: dict[str, tuple[int, ...]]) -> State:
    """Tensors of these shapes that take no room on the disk: one number each, repeated."""
    return {name: torch.full((1,) * len(shape), 0.5).expand(shape) for name, shape in shapes.items()}


@pytest.fixture
def published_state(oracle: Any) -> State:
    return hollow({f"module.{name}": shape for name, shape in oracle.shapes.items()})


def refusal(source: Path, **options: Any) -> str:
    """Return the message with which an import is refused, having checked that nothing was written."""
    folder = registry.user_weights_folder()
    before = sorted(folder.iterdir())
    with pytest.raises(LsaError) as caught:
        import_checkpoint(source, **options)
    assert sorted(folder.iterdir()) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


# --- the paper's checkpoint -------------------------------------------------------------------------------------------


def test_the_papers_checkpoint_joins_the_users_weights(
    published_checkpoint: Path, user_weights_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        info = import_checkpoint(published_checkpoint, name="paper")
    assert info == available_weights()[-1]
    assert (info.name, info.size, info.kind) == ("paper", "lsanet-r50d", "matting")
    assert info.path == user_weights_folder / "paper.safetensors"
    assert "Non-commercial" in info.licence
    assert "Adobe" in info.licence
    assert "Non-commercial" in caplog.text
    metadata = load_weights(info.path).metadata
    assert metadata["licence"] == info.licence
    assert metadata["epoch"] == "7"
    assert metadata["source_file"] == "lsa-matting.pth"


def test_every_published_number_is_kept(imported_weights: Path, oracle: Any) -> None:
    state = load_weights(imported_weights).state
    counted = [name for name in oracle.shapes if not name.endswith("num_batches_tracked")]
    assert len(state) == len(counted)
    kept = sorted(float(tensor.double().abs().sum()) for tensor in state.values())
    given = sorted(float(torch.from_numpy(oracle.tensor(name)).double().abs().sum()) for name in counted)
    assert kept == pytest.approx(given, rel=1e-9)


def test_missing_extra_and_wrong_shaped_tensors_are_named_as_in_the_checkpoint(
    tmp_path: Path, published_state: State
) -> None:
    del published_state["module.backbone.layer3.5.bn2.running_var"]
    published_state["module.decoder.decoder_6.fc.bias"] = torch.zeros(2)
    published_state["module.decoder.final_final.conv1.weight"] = torch.zeros(32, 64, 3, 3)
    message = refusal(save(tmp_path / "odd.pth", {"epoch": 1, "state_dict": published_state}))
    assert "1 missing: backbone.layer3.5.bn2.running_var" in message
    assert "1 extra: decoder.decoder_6.fc.bias" in message
    assert "decoder.final_final.conv1.weight (32, 64, 3, 3) instead of (32, 68, 3, 3)" in message


def test_a_licence_of_ones_own_is_kept(published_checkpoint: Path, tmp_path: Path) -> None:
    info = import_checkpoint(published_checkpoint, tmp_path / "a.safetensors", licence="CC-BY-4.0")
    assert info.licence == "CC-BY-4.0"


# --- ImageNet encoders ------------------------------------------------------------------------------------------------


def test_an_mmclassification_encoder_starts_with_a_blind_trimap_channel(
    oracle: Any, imported_weights: Path, tmp_path: Path
) -> None:
    names = [name for name in oracle.shapes if name.startswith("backbone.")]
    state = {name: torch.from_numpy(oracle.tensor(name).copy()) for name in names}
    stem = state["backbone.stem.0.conv.weight"]
    state["backbone.stem.0.conv.weight"] = stem[:, :3].clone()
    state |= {"head.fc.weight": torch.zeros(10, 2048), "head.fc.bias": torch.zeros(10)}
    source = save(tmp_path / "resnetv1d50.pth", {"meta": {"CLASSES": ["cat", "dog"]}, "state_dict": state})
    info = import_checkpoint(source)
    assert (info.name, info.kind, info.size) == ("resnetv1d50", "encoder", "lsanet-r50d")
    assert "Adobe" not in info.licence
    imported = load_weights(info.path).state
    whole = load_weights(imported_weights).state
    assert set(imported) == {name for name in whole if name.startswith("encoder.")}
    for name, tensor in imported.items():
        if name == "encoder.stem.0.conv.weight":
            assert torch.equal(tensor[:, :3], stem[:, :3])
            assert tensor.shape[1] == 4
            assert tensor[:, 3].abs().max() == 0
        else:
            assert torch.equal(tensor, whole[name]), name


@pytest.fixture(scope="module")
def timm_state() -> State:
    """A resnet50d as timm names it, with random numbers."""
    torch.manual_seed(5)
    state: State = {}

    def conv(name: str, inputs: int, outputs: int, kernel: int) -> None:
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel) * (1.5 / (inputs * kernel**2)) ** 0.5

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = torch.rand(width) * 0.4 + 0.4
        state[f"{name}.bias"] = torch.randn(width) * 0.1
        state[f"{name}.running_mean"] = torch.randn(width) * 0.1
        state[f"{name}.running_var"] = torch.rand(width) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(3)

    for index, (name, inputs, outputs) in enumerate([("bn1", 3, 32), ("bn1", 32, 32), ("bn1", 32, 64)]):
        conv(f"conv1.{3 * index}", inputs, outputs, 3)
        norm(f"conv1.{3 * index + 1}" if index < 2 else name, outputs)
    inputs = 64
    for stage, (width, depth) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 1):
        for block in range(depth):
            base = f"layer{stage}.{block}"
            for number, (i, o, kernel) in enumerate([(inputs, width, 1), (width, width, 3), (width, 4 * width, 1)], 1):
                conv(f"{base}.conv{number}", i, o, kernel)
                norm(f"{base}.bn{number}", o)
            if block == 0:
                conv(f"{base}.downsample.1", inputs, 4 * width, 1)
                norm(f"{base}.downsample.2", 4 * width)
            inputs = 4 * width
    state |= {"fc.weight": torch.zeros(5, 2048), "fc.bias": torch.zeros(5)}
    return state


def timm_features(state: State, x: Tensor) -> list[Tensor]:
    """The five feature maps of a resnet50d, written down from its definition in timm's names."""

    def norm(name: str, x: Tensor) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = norm("conv1.1", conv("conv1.0", x, 2)).relu()
    x = norm("conv1.4", conv("conv1.3", x)).relu()
    x = norm("bn1", conv("conv1.6", x)).relu()
    features = [x]
    x = F.max_pool2d(x, 3, 2, 1)
    for stage, depth in enumerate((3, 4, 6, 3), 1):
        for block in range(depth):
            base = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = norm(f"{base}.bn1", conv(f"{base}.conv1", x)).relu()
            y = norm(f"{base}.bn2", conv(f"{base}.conv2", y, stride)).relu()
            y = norm(f"{base}.bn3", conv(f"{base}.conv3", y))
            if block == 0:
                x = F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False) if stride == 2 else x
                x = norm(f"{base}.downsample.2", conv(f"{base}.downsample.1", x))
            x = (x + y).relu()
        features.append(x)
    return features


@torch.no_grad()
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_timm_encoder_sees_the_same_features(tmp_path: Path, timm_state: State, suffix: str) -> None:
    source = tmp_path / f"resnet50d.{suffix}"
    if suffix == "pth":
        torch.save(timm_state, source)
    else:
        from safetensors.torch import save_file

        save_file(timm_state, source)
    info = import_checkpoint(source, name="resnet50d-timm")
    assert (info.name, info.kind) == ("resnet50d-timm", "encoder")
    network = build_network("lsanet-r50d").eval()
    load_encoder(network, load_weights(info.path))
    image = torch.randn(1, 3, 45, 70)
    trimap = torch.rand(1, 1, 45, 70)  # its channel is blind so far
    for ours, theirs in zip(
        network.encode(torch.cat([image, trimap], 1)), timm_features(timm_state, image), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_a_deeper_timm_network_is_refused_by_its_extra_blocks(tmp_path: Path, timm_state: State) -> None:
    state = hollow({name: tuple(tensor.shape) for name, tensor in timm_state.items() if "num_batches" not in name})
    state["layer3.6.conv1.weight"] = torch.zeros(256, 1024, 1, 1)
    message = refusal(save(tmp_path / "resnet101d.pth", state))
    assert "timm resnet50d" in message
    assert "1 extra: layer3.6.conv1.weight" in message


def test_a_kind_that_does_not_fit_the_checkpoint_is_refused(tmp_path: Path, published_state: State) -> None:
    source = save(tmp_path / "a.pth", {"state_dict": published_state})
    message = refusal(source, kind="timm")
    assert "275 missing: conv1.0.weight" in message
    assert "timm resnet50d" in message
    with pytest.raises(InputError, match=r"'caffe'.*lsa-matting, mmclassification, timm"):
        import_checkpoint(source, kind="caffe")


# --- hostile and damaged files ----------------------------------------------------------------------------------------


class Hostile:
    """Pickles to an instruction that makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def as_checkpoint(path: Path, content: Any) -> None:
    torch.save({"epoch": 1, "state_dict": {"module.head": torch.zeros(1), "module.payload": content}}, path)


def as_old_checkpoint(path: Path, content: Any) -> None:
    torch.save({"state_dict": content}, path, _use_new_zipfile_serialization=False)


def as_plain_pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps({"state_dict": content}, protocol=5))


def as_ancient_pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content, protocol=0))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("write", [as_checkpoint, as_old_checkpoint, as_plain_pickle, as_ancient_pickle])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_pickle_that_would_execute_code_is_refused_and_not_executed(
    tmp_path: Path, write: Callable[[Path, Any], None], suffix: str
) -> None:
    marker = tmp_path / "executed"
    source = tmp_path / f"hostile.{suffix}"
    write(source, Hostile(marker))
    message = refusal(source)
    assert not marker.exists()
    assert "would run code when loaded" in message
    assert f"{os.name}.mkdir" in message
    # The same file, read without care, does what it says: the refusal above was needed.
    if write in (as_checkpoint, as_old_checkpoint):
        torch.load(io.BytesIO(source.read_bytes()), weights_only=False)
    else:
        pickle.loads(source.read_bytes())
    assert marker.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "network.pt", torch.nn.Conv2d(3, 4, 3))
    message = refusal(source)
    assert "torch.nn.modules.conv.Conv2d" in message
    assert "plain state_dict" in message


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04 and no more", bytes(100)]
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "foreign.pth"
    source.write_bytes(content)
    assert "damaged or of another kind" in refusal(source)


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_a_checkpoint_that_is_cut_short_is_refused(tmp_path: Path, published_state: State, part: float) -> None:
    source = save(tmp_path / "short.pth", {"state_dict": published_state})
    source.write_bytes(source.read_bytes()[: int(source.stat().st_size * part)])
    assert "damaged or of another kind" in refusal(source)


def test_a_missing_checkpoint_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.pth"):
        import_checkpoint(tmp_path / "nowhere.pth")
    with pytest.raises(FileError, match="cannot be read"):
        import_checkpoint(tmp_path, name="folder")


def test_entries_that_are_no_tensors_are_named(tmp_path: Path) -> None:
    source = save(tmp_path / "a.pth", {"weight": torch.zeros(2), "step": 4, "note": "hello"})
    assert "2 entries are no tensors (step, note)" in refusal(source)
    assert "nothing but list" in refusal(save(tmp_path / "b.pth", [torch.zeros(2)]))
    assert "nothing but dict" in refusal(save(tmp_path / "c.pth", {"state_dict": {}}))


def test_another_architecture_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7), "bn1.weight": torch.zeros(64)}
    message = refusal(save(tmp_path / "resnet50.pth", state))
    assert "2 tensors that begin with conv1.weight, bn1.weight" in message
    assert "mmclassification resnetv1d50" in message
    assert "timm resnet50d" in message


# --- where the result goes --------------------------------------------------------------------------------------------


def test_an_existing_destination_is_not_overwritten(tmp_path: Path, published_state: State) -> None:
    source = save(tmp_path / "a.pth", {"state_dict": published_state})
    target = tmp_path / "mine.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(FileError, match=r"mine\.safetensors, which exists already"):
        import_checkpoint(source, target)
    assert target.read_bytes() == b"precious"


def test_the_name_of_shipped_weights_is_not_given_away(
    tmp_path: Path, published_state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lsa-lite.safetensors").write_bytes(b"")
    monkeypatch.setattr(registry, "_SHIPPED_FOLDER", tmp_path)
    source = save(tmp_path / "a.pth", {"state_dict": published_state})
    assert "comes with the package" in refusal(source, name="lsa-lite")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "two words"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="weights name"):
        import_checkpoint(tmp_path / "a.pth", name=name)


def test_a_destination_that_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"ends in \.safetensors"):
        import_checkpoint(tmp_path / "a.pth", tmp_path / "b.pth")


def test_a_weights_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSA_WEIGHTS_DIR", str(tmp_path / "file" / "weights"))
    with pytest.raises(FileError, match="Cannot make the weights folder"):
        import_checkpoint(tmp_path / "a.pth")


def test_a_source_with_an_awkward_name_gets_a_plain_one(tmp_path: Path, published_state: State) -> None:
    source = save(tmp_path / "best model (1).pth", {"state_dict": published_state})
    assert import_checkpoint(source).name == "best-model-1"

"""Loading a state into a network: all of it or none, and a refusal that names what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lsa_engine.errors import WeightsError
from lsa_engine.network import LSANet, build_network
from lsa_engine.weights import LoadedWeights, fit_state, load_encoder

State = dict[str, Tensor]


def loaded(state: State, **metadata: str) -> LoadedWeights:
    return LoadedWeights(state, {"size": "lsanet-lite"} | metadata, "0" * 64, Path("some.safetensors"))


def other_state(seed: int = 9) -> State:
    torch.manual_seed(seed)
    return {name: t.clone() for name, t in build_network("lsanet-lite").state_dict().items()}


def assert_untouched(network: LSANet, before: State) -> None:
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.fixture
def network() -> LSANet:
    torch.manual_seed(1)
    return build_network("lsanet-lite")


@pytest.fixture
def before(network: LSANet) -> State:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_every_tensor_is_taken(network: LSANet) -> None:
    state = other_state()
    fit_state(network, loaded(state))
    assert_untouched(network, state)


def test_batch_counters_are_not_needed_and_not_taken(network: LSANet) -> None:
    state = {name: tensor for name, tensor in other_state().items() if not name.endswith("num_batches_tracked")}
    fit_state(network, loaded(state | {"encoder.stem.0.norm.num_batches_tracked": torch.tensor(99)}))
    assert torch.equal(network.state_dict()["head.conv3.weight"], state["head.conv3.weight"])
    assert network.state_dict()["encoder.stem.0.norm.num_batches_tracked"] == 0


def test_missing_extra_and_wrong_shaped_tensors_are_named(network: LSANet, before: State) -> None:
    state = other_state()
    del state["head.conv3.bias"]
    state["head.conv9.bias"] = torch.zeros(1)
    state["decoder.stages.5.fc.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as refusal:
        fit_state(network, loaded(state))
    message = str(refusal.value)
    assert "1 missing: head.conv3.bias" in message
    assert "1 extra: head.conv9.bias" in message
    assert "1 wrong-shaped: decoder.stages.5.fc.bias (7,) instead of (160,)" in message
    assert "some.safetensors" in message
    assert_untouched(network, before)


def test_at_most_eight_of_many_are_named_and_all_are_counted(network: LSANet, before: State) -> None:
    state = other_state()
    names = [name for name in state if name.startswith("encoder.") and not name.endswith("num_batches_tracked")]
    for name in names[:20]:
        del state[name]
    with pytest.raises(WeightsError) as refusal:
        fit_state(network, loaded(state))
    message = str(refusal.value)
    assert f"20 missing: {', '.join(names[:8])} and 12 more" in message
    assert names[8] not in message
    assert_untouched(network, before)


def test_a_tensor_of_whole_numbers_does_not_fit(network: LSANet, before: State) -> None:
    state = other_state()
    state["head.conv3.bias"] = torch.ones(1, dtype=torch.int64)
    with pytest.raises(WeightsError, match=r"head\.conv3\.bias \(1,\) of torch\.int64"):
        fit_state(network, loaded(state))
    assert_untouched(network, before)


def test_weights_of_another_size_are_refused_by_their_size(network: LSANet, before: State) -> None:
    state = build_network("lsanet-r50d").state_dict()
    with pytest.raises(WeightsError, match="made for lsanet-r50d"):
        fit_state(network, loaded(state, size="lsanet-r50d"))
    assert_untouched(network, before)


def encoder_of(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}


def test_an_encoder_alone_cannot_matte(network: LSANet, before: State) -> None:
    with pytest.raises(WeightsError, match="encoder without a decoder.*start_from"):
        fit_state(network, loaded(encoder_of(other_state()), kind="encoder"))
    assert_untouched(network, before)


@pytest.mark.parametrize("kind", ["encoder", "matting"])
def test_an_encoder_is_loaded_and_the_rest_left_alone(network: LSANet, before: State, kind: str) -> None:
    state = other_state()
    load_encoder(network, loaded(encoder_of(state) if kind == "encoder" else state, kind=kind))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, (state if name.startswith("encoder.") else before)[name]), name


def test_an_encoder_that_does_not_fit_is_refused(network: LSANet, before: State) -> None:
    state = encoder_of(other_state())
    state["encoder.stem.0.conv.weight"] = state["encoder.stem.0.conv.weight"][:, :4]
    state["head.conv3.bias"] = torch.zeros(1)
    with pytest.raises(WeightsError) as refusal:
        load_encoder(network, loaded(state, kind="encoder"))
    assert "1 extra: head.conv3.bias" in str(refusal.value)
    assert "encoder.stem.0.conv.weight (16, 4, 3, 3) instead of (16, 15, 3, 3)" in str(refusal.value)
    assert_untouched(network, before)

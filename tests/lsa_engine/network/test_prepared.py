"""The prepared decoder against the whole one, and the boxes that its head is computed in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsa_engine.boxes import cover
from lsa_engine.errors import InputError
from lsa_engine.network import LSANet, build_network, fold_batch_norm
from lsa_engine.network.decoder import DecoderStage
from lsa_engine.network.prepared import PreparedDecoder


@pytest.fixture(scope="module", params=["lsanet-lite", "lsanet-r50d"])
def network(request: pytest.FixtureRequest) -> LSANet:
    torch.manual_seed(3)
    network = build_network(request.param)
    # Statistics of their own, so that folding has something to fold.
    network.train()
    with torch.no_grad():
        network(torch.rand(2, network.size.input_channels, 64, 64))
    return fold_batch_norm(network.eval().requires_grad_(False))


def some_refinements(network: LSANet) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    return {
        stage: (0.3 * torch.randn(1, *shape), 0.3 * torch.randn(1, *shape))
        for stage, shape in network.refinement_shapes().items()
    }


def spots(height: int, width: int) -> np.ndarray:
    """A mask of a few small places, some at the frame."""
    wanted = np.zeros((height, width), bool)
    wanted[height // 3 : height // 3 + 4, width // 2 : width // 2 + 3] = True
    wanted[-1, -1] = wanted[0, width // 5] = True
    return wanted


@pytest.mark.parametrize("size", [(64, 96), (51, 67), (33, 40), (2, 3), (190, 260)])
def test_what_is_wanted_has_the_numbers_of_the_whole_decoder(network: LSANet, size: tuple[int, int]) -> None:
    torch.manual_seed(4)
    inputs = torch.rand(1, network.size.input_channels, *size)
    with torch.no_grad():
        features = network.encode(inputs)
        prepared = PreparedDecoder(network, inputs, features)
        for wanted in (np.ones(size, bool), spots(*size)):
            prepared.want(wanted)
            refinements = some_refinements(network)
            whole = network.decode(inputs, features, refinements)
            for box, part in zip(prepared.boxes, prepared(refinements), strict=True):
                torch.testing.assert_close(part, box.cut(whole), atol=3e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(64, 96), (51, 67), (2, 3), (190, 261)])
def test_with_frozen_gates_too_wherever_it_is_computed(
    network: LSANet, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(6)
    inputs = torch.rand(1, network.size.input_channels, *size)
    gates = {}
    plain = DecoderStage.gate

    def noted(stage: DecoderStage, x: torch.Tensor) -> torch.Tensor:
        return gates.setdefault(id(stage), plain(stage, x))

    with torch.no_grad():
        features = network.encode(inputs)
        prepared = PreparedDecoder(network, inputs, features, "frozen")
        refinements = some_refinements(network)
        # The whole decoder with the gates of its first pass.
        monkeypatch.setattr(DecoderStage, "gate", noted)
        network.decode(inputs, features)
        whole = network.decode(inputs, features, refinements)
        for wanted in (np.ones(size, bool), spots(*size)):
            prepared.want(wanted)
            for box, part in zip(prepared.boxes, prepared(refinements), strict=True):
                torch.testing.assert_close(part, box.cut(whole), atol=3e-5, rtol=1e-4)
        monkeypatch.undo()
        live = network.decode(inputs, features, refinements)
    assert (live - whole).abs().max() > 1e-4  # or the gates would not matter here


def test_settled_it_holds_little_and_gives_the_same_forth_and_back(network: LSANet) -> None:
    torch.manual_seed(7)
    size = (190, 261)
    inputs = torch.rand(1, network.size.input_channels, *size)
    with torch.no_grad():
        prepared = PreparedDecoder(network, inputs, network.encode(inputs), "frozen")
        prepared.want(spots(*size))
    refinements = some_refinements(network)
    leaves = [tensor.requires_grad_() for pair in refinements.values() for tensor in pair]

    def parts_and_gradients() -> list[torch.Tensor]:
        parts = prepared(refinements)
        return [*parts, *torch.autograd.grad([part.square().sum() for part in parts], leaves)]

    expected, held = parts_and_gradients(), prepared.nbytes
    prepared.settle()
    for now, before in zip(parts_and_gradients(), expected, strict=True):
        torch.testing.assert_close(now, before, atol=1e-5, rtol=1e-4)
    assert prepared.nbytes < held / 2


def test_live_gates_cannot_be_settled(network: LSANet) -> None:
    inputs = torch.rand(1, network.size.input_channels, 64, 64)
    with torch.no_grad():
        prepared = PreparedDecoder(network, inputs, network.encode(inputs))
    with pytest.raises(InputError, match="frozen"):
        prepared.settle()


@pytest.mark.parametrize("gates", ["live", "frozen"])
def test_gradients_are_right(gates: str) -> None:
    torch.manual_seed(5)
    network = fold_batch_norm(build_network("lsanet-lite").eval().requires_grad_(False)).double()
    inputs = torch.rand(1, network.size.input_channels, 48, 40).double()
    with torch.no_grad():
        features = network.encode(inputs)
        prepared = PreparedDecoder(network, inputs, features, gates)
        prepared.want(spots(48, 40))
    refinements = {stage: (a.double(), b.double()) for stage, (a, b) in some_refinements(network).items()}
    leaves = [tensor.requires_grad_() for pair in refinements.values() for tensor in pair]

    def cost() -> torch.Tensor:
        return sum((part.square().sum() for part in prepared(refinements)), torch.zeros(()).double())

    gradients = torch.autograd.grad(cost(), leaves)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        direction = torch.randn_like(leaf)
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                leaf += sign * 1e-5 * direction
                ends.append(float(cost()))
                leaf -= sign * 1e-5 * direction
        slope = float((gradient * direction).sum())
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("shape", [(130, 97), (64, 64), (5, 300), (1, 1)])
@pytest.mark.parametrize("share", [0.001, 0.02, 1.0])
def test_boxes_hold_all_that_is_wanted_are_even_and_do_not_overlap(shape: tuple[int, int], share: float) -> None:
    wanted = np.random.default_rng(0).random(shape) < share
    wanted[shape[0] // 2, shape[1] // 3] = True
    times = np.zeros(shape, int)
    for box in cover(wanted, rows=16, gap=10):
        times[box.top : box.bottom, box.left : box.right] += 1
        assert box.top % 2 == box.left % 2 == 0
        assert box.bottom % 2 == 0 or box.bottom == shape[0]
        assert box.right % 2 == 0 or box.right == shape[1]
    assert times[wanted].min() == 1
    assert times.max() == 1


def test_what_is_not_wanted_is_mostly_left_out() -> None:
    wanted = np.zeros((256, 512), bool)
    wanted[:, 100:110] = wanted[:, 400:410] = True
    area = sum((box.bottom - box.top) * (box.right - box.left) for box in cover(wanted))
    assert area < 0.05 * wanted.size
    assert cover(np.zeros((20, 20), bool)) == []

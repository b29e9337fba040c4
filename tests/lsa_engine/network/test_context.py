"""With fixed gates a part of an image is computed from its surroundings alone, and gives the same numbers."""

from __future__ import annotations

import pytest
import torch

from lsa_engine.boxes import Box
from lsa_engine.network import LSANet, build_network, fold_batch_norm
from lsa_engine.network.context import context
from lsa_engine.network.prepared import PreparedDecoder

WIDTH = 1040


@pytest.fixture(scope="module", params=["lsanet-lite", "lsanet-r50d"])
def network(request: pytest.FixtureRequest) -> LSANet:
    torch.manual_seed(3)
    return fold_batch_norm(build_network(request.param).eval().requires_grad_(False))


@pytest.fixture(scope="module")
def inputs(network: LSANet) -> torch.Tensor:
    torch.manual_seed(4)
    return torch.rand(1, network.size.input_channels, 51, WIDTH)


def test_given_the_gates_that_it_opens_itself_a_network_gives_its_own_matte(network: LSANet, inputs: torch.Tensor):
    with torch.no_grad():
        features = network.encode(inputs)
        gates = network.decoder.gates(features)
        whole = network.decode(inputs, features)
        torch.testing.assert_close(network.decode(inputs, features, gates=gates), whole)
        torch.testing.assert_close(network.decode(inputs, features, gates=gates, rows=16), whole, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("core", [(480, 544), (0, 64), (992, WIDTH)])
def test_a_part_with_its_context_is_what_the_whole_image_gives(network: LSANet, inputs: torch.Tensor, core):
    reach = context(network.size)
    left, right = max(0, core[0] - reach), min(WIDTH, core[1] + reach)
    with torch.no_grad():
        features = network.encode(inputs)
        gates = network.decoder.gates(features)
        whole = network.decode(inputs, features, gates=gates)
        part = inputs[..., left:right]
        matte = network.decode(part, network.encode(part), gates=gates)
    expected = whole[..., core[0] : core[1]]
    torch.testing.assert_close(matte[..., core[0] - left : core[1] - left], expected, atol=2e-5, rtol=1e-4)


def test_with_less_context_it_is_not(network: LSANet, inputs: torch.Tensor):
    exact = network.double()
    near = inputs.double()
    with torch.no_grad():
        features = exact.encode(near)
        gates = exact.decoder.gates(features)
        core = slice(480, 544)
        whole = exact.decode(near, features, gates=gates)[..., core]
        for distance, same in ((context(network.size) + 1, True), (context(network.size) - 32, False)):
            changed = near.clone()
            changed[..., core.start - distance] += 100
            matte = exact.decode(changed, exact.encode(changed), gates=gates)[..., core]
            assert torch.equal(matte, whole) is same
    network.float()


def test_refinement_tensors_reach_over_the_whole_image_when_a_part_is_prepared(network: LSANet, inputs: torch.Tensor):
    reach = context(network.size)
    left, right = 480 - reach, 544 + reach
    tensors = {
        stage: (0.3 * torch.randn(1, *shape), 0.3 * torch.randn(1, *shape))
        for stage, shape in network.refinement_shapes().items()
    }
    wanted = torch.zeros(51, WIDTH, dtype=torch.bool).numpy()
    wanted[7:40, 481:540] = True
    with torch.no_grad():
        features = network.encode(inputs)
        gates = network.decoder.gates(features)
        whole = network.decode(inputs, features, tensors, gates=gates)
        part = inputs[..., left:right]
        place = Box(0, 51, left, right)
        prepared = PreparedDecoder(network, part, network.encode(part), gates, (place, (51, WIDTH)))
        prepared.want(wanted[:, left:right])
        for box, matte in zip(prepared.boxes, prepared(tensors), strict=True):
            expected = box.shifted(place.top, place.left).cut(whole)
            torch.testing.assert_close(matte, expected, atol=3e-5, rtol=1e-4)
    untouched = network.decode(inputs, features)
    assert (whole - untouched)[..., 480:544].abs().max() > 0.01

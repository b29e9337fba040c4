"""LSANet: the published network to 1e-4, any size of image, and the rearrangements that must not change a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lsa_engine.boxes import Box
from lsa_engine.errors import InputError
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import REFINED_STAGES, SIZES, LSANet, build_network, fold_batch_norm
from lsa_engine.weights import fit_state, load_weights


@pytest.fixture(scope="module")
def published(imported_weights: Path) -> LSANet:
    """The paper's network with the oracle's weights, evaluating."""
    network = build_network("lsanet-r50d").eval()
    fit_state(network, load_weights(imported_weights))
    return network


@pytest.fixture(scope="module")
def lite() -> LSANet:
    """The narrow network with lively random weights, evaluating."""
    torch.manual_seed(1)
    network = build_network("lsanet-lite").eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def sample(oracle: Any) -> Tensor:
    """The oracle's image and trimap as the network's input."""
    image = torch.from_numpy(oracle.image).permute(2, 0, 1)[None]
    return network_input(image, torch.from_numpy(oracle.trimap)[None, None], "none")


def random_input(network: LSANet, height: int, width: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randn(batch, network.size.input_channels, height, width, generator=generator)


@torch.no_grad()
def test_imported_weights_give_the_published_networks_matte(published: LSANet, sample: Tensor, oracle: Any) -> None:
    matte = published(sample)
    assert matte.shape == (1, 1, 128, 192)
    np.testing.assert_allclose(matte[0, 0].numpy(), oracle.forward, atol=1e-4, rtol=0)


@torch.no_grad()
def test_memory_layout_does_not_change_the_matte(published: LSANet, sample: Tensor, oracle: Any) -> None:
    matte = published.to(memory_format=torch.channels_last)(sample)
    np.testing.assert_allclose(matte[0, 0].numpy(), oracle.forward, atol=1e-4, rtol=0)


def test_the_papers_network_has_as_many_parameters_as_published(oracle: Any) -> None:
    network = build_network("lsanet-r50d")
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == 38_067_809
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    published = sum(int(np.prod(shape)) for name, shape in oracle.shapes.items() if not name.endswith(buffers))
    assert count == published


def test_the_shipped_size_fits_a_wheel() -> None:
    network = build_network("lsanet-lite")
    stored = sum(tensor.numel() for tensor in network.state_dict().values())
    assert stored * 2 <= 10_000_000  # bytes in float16
    assert SIZES["lsanet-lite"].input_channels == 15
    assert SIZES["lsanet-r50d"].input_channels == 4


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (33, 47), (64, 96), (101, 77)])
def test_any_size_of_image_gets_a_matte_of_its_size(lite: LSANet, height: int, width: int) -> None:
    matte = lite(random_input(lite, height, width))
    assert matte.shape == (1, 1, height, width)
    assert torch.isfinite(matte).all()


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(37, 41), (64, 40)])
@pytest.mark.parametrize("rows", [1, 16, 30, 1000])
def test_last_stage_and_head_in_strips_equal_the_same_at_once(lite: LSANet, height: int, width: int, rows: int) -> None:
    inputs = random_input(lite, height, width)
    features = lite.encode(inputs)
    whole = lite.decode(inputs, features)
    strips = lite.decode(inputs, features, rows=rows)
    assert strips.shape == whole.shape
    torch.testing.assert_close(strips, whole, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_head_in_boxes_equals_the_same_at_once_and_is_0_elsewhere(lite: LSANet) -> None:
    inputs = random_input(lite, 37, 41, batch=2)
    features = lite.encode(inputs)
    whole = lite.decode(inputs, features)
    boxes = [Box(0, 10, 4, 12), Box(8, 20, 30, 41), Box(30, 37, 0, 6)]
    inside = torch.zeros(37, 41, dtype=torch.bool)
    for box in boxes:
        box.cut(inside)[...] = True
    part = lite.decode(inputs, features, rows=16, boxes=boxes)
    torch.testing.assert_close(part[..., inside], whole[..., inside], atol=1e-5, rtol=0)
    assert not part[..., ~inside].any()
    assert whole[..., ~inside].abs().max() > 1e-3


@torch.no_grad()
def test_examples_of_a_batch_do_not_touch_each_other(lite: LSANet) -> None:
    inputs = random_input(lite, 48, 56, batch=2)
    together = lite(inputs)
    torch.testing.assert_close(together[1:], lite(inputs[1:]), atol=1e-5, rtol=0)
    assert (together[0] - together[1]).abs().max() > 1e-3


@torch.no_grad()
def test_folding_batch_normalisation_keeps_the_matte(imported_weights: Path, sample: Tensor, oracle: Any) -> None:
    network = build_network("lsanet-r50d").eval()
    fit_state(network, load_weights(imported_weights))
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    np.testing.assert_allclose(folded(sample)[0, 0].numpy(), oracle.forward, atol=1e-4, rtol=0)


def test_folding_a_network_that_learns_is_refused() -> None:
    with pytest.raises(InputError, match="network.eval"):
        fold_batch_norm(build_network("lsanet-lite").train())


@torch.no_grad()
def test_refinement_modules_of_zeros_change_nothing(lite: LSANet) -> None:
    inputs = random_input(lite, 64, 96)
    shapes = lite.refinement_shapes()
    assert tuple(shapes) == REFINED_STAGES
    assert shapes[5] == (160, 8, 8)
    assert shapes[2] == (32, 64, 64)
    nothing = {stage: (torch.zeros(1, *shape), torch.zeros(1, *shape)) for stage, shape in shapes.items()}
    torch.testing.assert_close(lite(inputs, nothing), lite(inputs), atol=1e-5, rtol=0)


def test_every_refinement_module_moves_the_matte(lite: LSANet) -> None:
    inputs = random_input(lite, 64, 96)
    modules = {
        stage: (torch.zeros(1, *shape, requires_grad=True), torch.zeros(1, *shape, requires_grad=True))
        for stage, shape in lite.refinement_shapes().items()
    }
    lite(inputs, modules).square().sum().backward()
    for scale, shift in modules.values():
        assert scale.grad is not None
        assert shift.grad is not None
        assert scale.grad.abs().max() > 0
        assert shift.grad.abs().max() > 0


def test_a_refinement_module_is_an_exponential_scale_and_a_shift() -> None:
    from lsa_engine.network.decoder import refine_features

    features = torch.rand(1, 2, 6, 10)
    scale = torch.full((1, 2, 8, 8), 0.5)
    shift = torch.full((1, 2, 8, 8), -0.25)
    expected = features * float(np.exp(0.5)) - 0.25
    torch.testing.assert_close(refine_features(features, scale, shift), expected, atol=1e-5, rtol=0)


def test_an_unknown_size_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'lsanet-huge'.*lsanet-r50d, lsanet-lite"):
        build_network("lsanet-huge")

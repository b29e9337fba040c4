"""What the network is fed: the published coding of image and trimap, and behind them what is known without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lsa_engine.errors import InputError
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.fill import project_alpha, smooth_fill
from lsa_engine.guidance.light import from_light, to_light
from lsa_engine.guidance.sampled_matte import sampled_matte
from lsa_engine.inference.preparation import network_input, normalise
from lsa_engine.network import SIZES


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A batch of two images and their trimaps."""
    image = torch.from_numpy(rng.random((2, 3, 24, 30), np.float32))
    trimap = torch.full((2, 1, 24, 30), 128, dtype=torch.uint8)
    trimap[0, :, :6] = 255
    trimap[0, :, 18:] = 0
    trimap[1, :, :, :9] = 0
    trimap[1, :, :, 22:] = 255
    return image, trimap


def test_normalised_colours_have_imagenets_mean_and_deviation_taken_off() -> None:
    image = torch.tensor([0.485 + 0.229, 0.456, 0.406 - 2 * 0.225]).view(1, 3, 1, 1)
    expected = torch.tensor([1.0, 0.0, -2.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(normalise(image), expected, atol=1e-6, rtol=0)


def test_the_papers_input_is_the_image_and_the_trimap_by_255(pair: tuple[Tensor, Tensor]) -> None:
    image, trimap = pair
    inputs = network_input(image, trimap, "none")
    assert inputs.shape == (2, 4, 24, 30)
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs[:, :3], normalise(image))
    torch.testing.assert_close(inputs[:, 3].unique(), torch.tensor([0.0, 128 / 255, 1.0]), atol=1e-7, rtol=0)
    assert torch.equal(inputs[:, 3] == 1, trimap[:, 0] == 255)


def test_the_priors_lie_behind_the_papers_channels(pair: tuple[Tensor, Tensor]) -> None:
    image, trimap = pair
    inputs = network_input(image, trimap, "priors")
    assert inputs.shape == (2, 15, 24, 30)
    assert torch.equal(inputs[:, :4], network_input(image, trimap, "none"))
    light = to_light(image)
    foreground, background = smooth_fill(light, trimap == 255), smooth_fill(light, trimap == 0)
    assert torch.equal(inputs[:, 4:7], normalise(from_light(foreground)))
    assert torch.equal(inputs[:, 7:10], normalise(from_light(background)))
    assert torch.equal(inputs[:, 10:11], project_alpha(light, foreground, background))
    assert torch.equal(inputs[:, 11:12], coarse_matte(light, trimap))
    assert torch.equal(inputs[:, 12:], sampled_matte(light, trimap))


def test_known_regions_keep_their_own_colours_in_the_fills(pair: tuple[Tensor, Tensor]) -> None:
    image, trimap = pair
    inputs = network_input(image, trimap, "priors")
    for channels, value in ((slice(4, 7), 255), (slice(7, 10), 0)):
        known = (trimap == value).expand(-1, 3, -1, -1)
        torch.testing.assert_close(inputs[:, channels][known], inputs[:, :3][known], atol=1e-5, rtol=0)


@pytest.mark.parametrize("guidance", ["none", "priors"])
def test_an_image_is_fed_the_same_alone_and_in_a_batch(pair: tuple[Tensor, Tensor], guidance: str) -> None:
    image, trimap = pair
    together = network_input(image, trimap, guidance)
    alone = network_input(image[1:], trimap[1:], guidance)
    # A power is computed by another instruction at the end of an array, with another last digit.
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("guidance", ["none", "priors"])
def test_inputs_come_in_the_layout_that_is_fast(pair: tuple[Tensor, Tensor], guidance: str) -> None:
    assert network_input(*pair, guidance).is_contiguous(memory_format=torch.channels_last)


def test_every_size_gets_as_many_channels_as_it_takes(pair: tuple[Tensor, Tensor]) -> None:
    for size in SIZES.values():
        assert network_input(*pair, size.guidance).shape[1] == size.input_channels


def test_an_unknown_guidance_is_refused(pair: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(InputError, match="'stars', expected one of none, priors"):
        network_input(*pair, "stars")

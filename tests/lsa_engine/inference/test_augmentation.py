from __future__ import annotations

import pytest
import torch

from lsa_engine.inference.augmentation import augmented_matte, resize_pair, turn, turn_back


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turning_back_undoes_turning(quarters, mirrored):
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(turn_back(turn(x, quarters, mirrored), quarters, mirrored), x)


def test_the_eight_turns_are_all_different():
    x = torch.rand(1, 1, 6, 6)
    pictures = {turn(x, q, m).numpy().tobytes() for q in range(4) for m in (False, True)}
    assert len(pictures) == 8


@pytest.mark.parametrize("folds", [8, 24])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_prediction_that_turns_with_the_image_is_left_as_it_is(folds, batch):
    image = torch.rand(1, 3, 20, 30) * 0 + torch.linspace(0.2, 0.8, 30)
    trimap = torch.full((1, 1, 20, 30), 128, dtype=torch.uint8)
    calls = []

    def predict(images, trimaps):
        calls.append(len(images))
        assert len(images) <= batch
        return images[:, :1]

    mean, spread, copies = augmented_matte(image, trimap, folds, predict, batch)
    assert sum(calls) == copies == folds
    inner = (slice(None), slice(None), slice(3, -3), slice(3, -3))
    torch.testing.assert_close(mean[inner], image[:, :1][inner], atol=0.004, rtol=0)
    assert spread[inner].max() < 0.004


def test_the_mean_is_taken_over_all_copies():
    image = torch.rand(1, 3, 16, 16)
    trimap = torch.full((1, 1, 16, 16), 128, dtype=torch.uint8)
    values = iter(range(8))

    def predict(images, trimaps):
        return torch.stack([torch.full((1, 16, 16), float(next(values))) for _ in range(len(images))])

    assert float(augmented_matte(image, trimap, 8, predict, 4).mean.mean()) == pytest.approx(3.5)


def test_the_spread_is_the_standard_deviation_of_the_clamped_copies():
    image = torch.rand(1, 3, 16, 20)
    trimap = torch.full((1, 1, 16, 20), 128, dtype=torch.uint8)
    values = [-0.5, 0.1, 0.2, 0.3, 0.4, 0.9, 1.0, 3.0]
    given = iter(values)

    def predict(images, trimaps):
        return torch.stack([torch.full((1, *images.shape[-2:]), next(given)) for _ in images])

    expected = torch.tensor(values).clamp(0, 1).std(correction=0)
    torch.testing.assert_close(augmented_matte(image, trimap, 8, predict, 2).spread, expected.expand(1, 1, 16, 20))


@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_resizing_never_makes_an_unknown_pixel_known(scale):
    trimap = torch.full((1, 1, 40, 50), 128, dtype=torch.uint8)
    trimap[..., :20] = 0
    trimap[..., 30:] = 255
    _, resized = resize_pair(torch.rand(1, 3, 40, 50), trimap, scale)
    columns = (torch.arange(resized.shape[-1]) + 0.5) / scale
    assert set(resized.unique().tolist()) == {0, 128, 255}
    assert (columns[(resized[0, 0, 5] == 0)] < 20).all()
    assert (columns[(resized[0, 0, 5] == 255)] > 30).all()
    assert (resized[0, 0, 5] == 0).sum() > 20 * scale - 2

"""The sampled matte: known-to-unknown flow against its definition, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lsa_engine.guidance import sampled_matte as room
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.sampled_matte import flow, sampled_matte

REACH = 30.0


def columns_known(height: int, width: int, share: float = 0.3) -> NDArray[np.bool_]:
    """Foreground known on the left, background on the right, (2, H, W)."""
    columns = np.broadcast_to(np.arange(width), (height, width))
    return np.stack([columns < max(1, share * width), columns >= min(width - 1, (1 - share) * width)])


def literal_flow(
    colours: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """α, and the distances that tell whether to trust it, pixel by pixel: a Lagrangian system for the weights."""
    height, width = known.shape[1:]
    alpha, trust = known[0].astype(float), np.zeros((2, height, width))
    for row in range(height):
        for column in range(width):
            if known[:, row, column].any():
                continue
            near = []
            for layer in known:
                places = np.argwhere(layer)
                away = np.linalg.norm(places - (row, column), axis=1) / REACH
                distance = np.hypot(away, np.linalg.norm(colours[layer] - colours[row, column], axis=1))
                near.append(colours[layer][np.argsort(distance)[: room._NEIGHBOURS]])
            differences = np.concatenate(near) - colours[row, column]
            count = len(differences)
            ridge = room._RIDGE * np.square(differences).sum() / count + 1e-6
            system = np.zeros((count + 1, count + 1))
            system[:count, :count] = differences @ differences.T + ridge * np.eye(count)
            system[:count, count] = system[count, :count] = 1
            weights = np.linalg.solve(system, np.append(np.zeros(count), 1.0))[:count]
            alpha[row, column] = np.clip(weights[: len(near[0])].sum(), 0, 1)
            trust[0, row, column] = np.linalg.norm(near[0].mean(0) - near[1].mean(0))
            trust[1, row, column] = np.linalg.norm(weights @ differences)
    return alpha, trust


@pytest.mark.parametrize(("height", "width"), [(6, 9), (12, 14), (3, 4)])
def test_it_is_the_best_affine_combination_of_the_nearest_known_colours(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    monkeypatch.setattr(room, "_SLACK", 0.0)
    colours, known = rng.random((height, width, 3)), columns_known(height, width)
    alpha, trust = flow(colours, known, REACH)
    expected, trust_expected = literal_flow(colours, known)
    np.testing.assert_allclose(alpha, expected, atol=1e-6)
    np.testing.assert_allclose(trust, trust_expected, atol=1e-6)


def holes() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A foreground with small holes that no known background touches: image, alpha and trimap."""
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    hole = ((rows % 24 - 12).square() + (columns % 24 - 12).square() < 16) & (columns < 72)
    alpha = ((columns < 78) & ~hole).float()
    front, back = torch.tensor([0.8, 0.4, 0.1]).view(3, 1, 1), torch.tensor([0.3, 0.4, 0.7]).view(3, 1, 1)
    shade = 1 + 0.1 * torch.sin(rows / 5)
    image = alpha * front * shade + (1 - alpha) * back * shade.flip(0)
    unsure = torch.nn.functional.max_pool2d(hole.float()[None, None], 9, 1, 4)[0, 0] > 0
    trimap = torch.where(unsure | ((columns > 70) & (columns < 84)), 128, torch.where(alpha > 0, 255, 0))
    return image[None], alpha[None, None], trimap.to(torch.uint8)[None, None]


def test_a_hole_sees_the_colours_of_a_background_that_it_does_not_touch() -> None:
    image, alpha, trimap = holes()
    unknown = trimap == 128
    error = (sampled_matte(image, trimap)[:, :1] - alpha).abs()[unknown].mean()
    assert error < 0.1
    assert error < 0.5 * (coarse_matte(image, trimap) - alpha).abs()[unknown].mean()


def test_trust_is_the_distance_of_the_layers_and_of_the_combination() -> None:
    image, _, trimap = holes()
    _, apart, left = sampled_matte(image, trimap)[0]
    unknown = trimap[0, 0] == 128
    assert apart[unknown].mean() == pytest.approx(0.78, abs=0.1)  # of the two colours
    assert left[unknown].mean() < 0.05
    assert not (apart[~unknown].any() or left[~unknown].any())


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (1, 40), (13, 17), (64, 5)])
def test_any_size_is_served_and_known_pixels_are_kept(rng: np.random.Generator, size: tuple[int, int]) -> None:
    image = torch.from_numpy(rng.random((1, 3, *size), np.float32))
    trimap = torch.from_numpy(rng.choice(np.array([0, 128, 255], np.uint8), (1, 1, *size)))
    matte = sampled_matte(image, trimap)
    assert matte.shape == (1, 3, *size)
    assert matte.isfinite().all()
    assert 0 <= matte[:, 0].min() <= matte[:, 0].max() <= 1
    assert (matte[:, :1][trimap == 255] == 1).all()
    assert (matte[:, :1][trimap == 0] == 0).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_half_is_the_answer_where_a_layer_is_not_known(value: int) -> None:
    trimap = torch.full((1, 1, 32, 32), 128, dtype=torch.uint8)
    trimap[..., :8] = value
    matte = sampled_matte(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), trimap)
    far = matte[..., 16:]  # nearer, the lines lead over from what is known
    torch.testing.assert_close(far[:, 0], torch.full_like(far[:, 0], 0.5), atol=1e-4, rtol=0)
    assert not far[:, 1:].any()


def test_an_image_comes_out_the_same_alone_and_in_a_batch(rng: np.random.Generator) -> None:
    images = torch.from_numpy(rng.random((3, 3, 40, 36), np.float32))
    known = columns_known(40, 36)
    trimaps = torch.from_numpy(np.where(known[0], 255, np.where(known[1], 0, 128)).astype(np.uint8))
    trimaps = torch.stack([trimaps, trimaps.flip(-1), trimaps])[:, None]
    together = sampled_matte(images, trimaps)
    for index in range(3):
        alone = sampled_matte(images[index : index + 1], trimaps[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-6, rtol=0)


def test_much_that_is_known_or_unknown_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    image, alpha, trimap = holes()
    unknown = trimap == 128
    monkeypatch.setattr(room, "_MOST_KNOWN", 300)
    monkeypatch.setattr(room, "_MOST_UNKNOWN", 300)
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(room, "flow", lambda *a: seen.append(a[0].shape) or flow(*a))
    assert (sampled_matte(image, trimap)[:, :1] - alpha).abs()[unknown].mean() < 0.15
    assert seen == [(24, 24, 3)]

"""The priors of windows of a large image are those of the whole one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsa_engine.boxes import Box
from lsa_engine.guidance import coarse_matte as coarse
from lsa_engine.guidance import large
from lsa_engine.guidance import sampled_matte as sampled
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.fill import smooth_fill
from lsa_engine.guidance.large import LargePriors, Reduced
from lsa_engine.guidance.sampled_matte import sampled_matte


def picture(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A wavy image (1, 3, H, W) and the trimap (1, 1, H, W) of a blob with an unknown ring and an island."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rng = np.random.default_rng(0)
    planes = [np.sin(rows / a + phase) * np.cos(columns / b) for a, b, phase in ((9, 13, 0), (17, 7, 1), (31, 23, 2))]
    image = 0.5 + 0.4 * np.stack(planes) + 0.05 * rng.standard_normal((3, height, width))
    radius = np.hypot((rows - height * 0.5) / height, (columns - width * 0.4) / width)
    trimap = np.where(radius < 0.2, 255, np.where(radius < 0.3, 128, 0)).astype(np.uint8)
    trimap[: height // 6, -width // 5 :] = 128
    trimap[0, -1] = 255
    return torch.from_numpy(image.clip(0, 1).astype(np.float32))[None], torch.from_numpy(trimap)[None, None]


@pytest.mark.parametrize("size", [(260, 333), (129, 515)])
@pytest.mark.parametrize("reduced_further", [False, True])
def test_a_window_shows_what_the_whole_image_does(size, reduced_further, monkeypatch):
    image, trimap = picture(*size)
    if reduced_further:
        monkeypatch.setattr(coarse, "_MOST_UNKNOWN", 300)
        monkeypatch.setattr(sampled, "_MOST_UNKNOWN", 1000)
        monkeypatch.setattr(large, "_FILL_PIXELS", 1500)
    factors: dict[int, Reduced] = {}

    def reduced(factor: int) -> Reduced:
        return factors.setdefault(factor, Reduced(size, factor))

    priors = LargePriors(size, int((trimap == 128).sum()), reduced)
    assert (max(factors) > 4) is (priors.alignment > 2) is reduced_further
    step = 2 * max(*factors, priors.alignment)
    for top in range(0, size[0], step):
        strip = image[..., top : top + step, :], trimap[..., top : top + step, :]
        for taker in (priors, *factors.values()):
            taker.take(top, *strip)
    priors.solve(lambda: None)

    twice = torch.cat([image, image])
    foreground, background = smooth_fill(twice, torch.cat([trimap == 255, trimap == 0])).chunk(2)
    whole = (foreground, background, coarse_matte(image, trimap), sampled_matte(image, trimap))
    height, width = size
    for box in (Box(0, height, 0, width), Box(64, 97, 160, 231), Box(96, height, 288, width), Box(0, 32, 0, 64)):
        given = priors.surroundings(box)
        parts = priors.window(box, given.cut(image).contiguous(), given.cut(trimap).contiguous())
        for part, expected in zip(parts, whole, strict=True):
            torch.testing.assert_close(part, box.cut(expected), atol=2e-6, rtol=0)
    small = priors.surroundings(Box(64, 96, 160, 192))
    assert small.area < 0.5 * height * width

"""The priors can be stopped: little work lies between two checks, however large the image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lsa_engine.errors import Cancelled
from lsa_engine.guidance import closed_form_kernels, fill_kernels
from lsa_engine.guidance import sampled_matte as sampled
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.fill import smooth_fill
from lsa_engine.guidance.sampled_matte import sampled_matte
from lsa_engine.inference.preparation import network_input

SIZE = (300, 401)


class Meter:
    """Counts work, and how much of it lies between two checks at most."""

    def __init__(self) -> None:
        self.since = self.most = self.checks = 0

    def check(self) -> None:
        self.since, self.checks = 0, self.checks + 1

    def measured(self, loop: Callable, work: Callable[..., int]) -> Callable:
        def counted(*arguments):
            self.since += work(*arguments)
            self.most = max(self.most, self.since)
            return loop(*arguments)

        return counted


@pytest.fixture
def pair(rng) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    radius = np.hypot(rows - 150, columns - 200)
    trimap = np.where(radius < 60, 255, np.where(radius < 130, 128, 0)).astype(np.uint8)
    return torch.from_numpy(rng.random((1, 3, *SIZE), np.float32)), torch.from_numpy(trimap)[None, None]


def test_between_two_checks_a_fill_relaxes_each_cell_of_half_the_image_once(pair, monkeypatch) -> None:
    meter = Meter()
    relax = meter.measured(fill_kernels.relax, lambda source, target, known: known.size)
    monkeypatch.setattr(fill_kernels, "relax", relax)
    image, trimap = pair
    smooth_fill(image, trimap == 0, meter.check)
    assert 0 < meter.most <= 150 * 201


def test_between_two_checks_the_coarse_matte_solves_for_a_limited_number_of_rows(pair, monkeypatch) -> None:
    meter = Meter()
    advance = meter.measured(closed_form_kernels.advance, lambda diagonal, *rest: len(diagonal) * rest[-1])
    monkeypatch.setattr(closed_form_kernels, "advance", advance)
    monkeypatch.setattr(closed_form_kernels, "_ROWS", 6000)
    whole = coarse_matte(*pair)
    meter.most = meter.checks = 0
    torch.testing.assert_close(coarse_matte(*pair, meter.check), whole, atol=0, rtol=0)
    assert 0 < meter.most <= 6000
    assert meter.checks > 5


@pytest.mark.parametrize("workers", [1, 2])
def test_between_two_checks_the_sampled_matte_looks_a_limited_number_of_pixels_up(pair, monkeypatch, workers) -> None:
    torch.set_num_threads(workers)
    whole = sampled_matte(*pair)
    monkeypatch.setattr(sampled, "_QUERIES", 500)
    meter = Meter()
    torch.testing.assert_close(sampled_matte(*pair, meter.check), whole, atol=0, rtol=0)
    unknown = int((pair[1][..., ::2, ::2] == 128).sum())
    assert meter.checks >= 2 * unknown // (500 * workers)


def test_whichever_check_of_the_networks_input_raises_stops_it_there(pair) -> None:
    meter = Meter()
    network_input(*pair, "priors", meter.check)
    assert meter.checks > 40
    for last in (1, 2, meter.checks // 4, meter.checks // 2, meter.checks):
        seen = Meter()

        def stop(seen: Meter = seen, last: int = last) -> None:
            seen.check()
            if seen.checks >= last:
                raise Cancelled("Cancelled while testing; nothing was changed.")

        with pytest.raises(Cancelled):
            network_input(*pair, "priors", stop)
        assert seen.checks <= last + 2  # the two fills have a thread each

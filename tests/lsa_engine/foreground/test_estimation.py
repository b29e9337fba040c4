from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lsa_engine.errors import Cancelled, InputError
from lsa_engine.foreground import estimate_foreground
from lsa_engine.progress import CancelToken, Progress

RED, BLUE = np.array([0.9, 0.2, 0.1]), np.array([0.1, 0.3, 0.8])


def composite(size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A plain red foreground over plain blue, alpha rising from left to right."""
    alpha = np.broadcast_to(np.clip(np.linspace(-0.3, 1.3, size), 0, 1), (size, size))
    return alpha[..., None] * RED + (1 - alpha[..., None]) * BLUE, np.array(alpha)


@pytest.mark.parametrize("method", ["multilevel", "closed-form"])
def test_plain_colours_are_found_again_from_their_composite(method: str) -> None:
    image, alpha = composite()
    foreground, background = estimate_foreground(image, alpha, method=method)
    for colours in (foreground, background):
        assert colours.dtype == np.float32
        assert colours.shape == image.shape
        assert colours.min() >= 0
        assert colours.max() <= 1
    assert np.abs(foreground - RED)[alpha > 0.1].max() < 0.05
    assert np.abs(background - BLUE)[alpha < 0.9].max() < 0.05
    again = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    assert np.abs(again - image).max() < 0.02


def test_bytes_give_what_floats_give() -> None:
    image, alpha = ((array * 255).round().astype(np.uint8) for array in composite())
    from_bytes = estimate_foreground(image, alpha)[0]
    np.testing.assert_allclose(from_bytes, estimate_foreground(image / 255, alpha / 255)[0], atol=1e-5)


def test_a_channel_that_is_black_everywhere_stays_black_in_the_closed_form_solution() -> None:
    image, alpha = composite(16)
    image[..., 1] = 0
    foreground, background = estimate_foreground(image, alpha, method="closed-form")
    assert foreground[..., 1].max() == 0
    assert background[..., 1].max() == 0
    assert np.abs(foreground - RED * (1, 0, 1))[alpha > 0.5].max() < 0.05


@pytest.mark.parametrize("method", ["multilevel", "closed-form"])
def test_progress_ends_at_one(method: str) -> None:
    image, alpha = composite(16)
    seen: list[Progress] = []
    estimate_foreground(image, alpha, method=method, progress=seen.append)
    assert seen[0].fraction == 0
    assert "loading PyMatting" in seen[0].message
    assert seen[-1].fraction == 1


def test_cancelling_stops_the_closed_form_solver_between_channels() -> None:
    image, alpha = composite(16)
    token = CancelToken()

    def stop_after_one_channel(step: Progress) -> None:
        if step.done == 2:  # PyMatting is loaded, one channel is solved
            token.cancel()

    with pytest.raises(Cancelled):
        estimate_foreground(image, alpha, method="closed-form", progress=stop_after_one_channel, cancel=token)


@pytest.mark.parametrize("method", ["multilevel", "closed-form"])
def test_a_token_already_set_stops_before_any_work(method: str) -> None:
    image, alpha = composite(16)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        estimate_foreground(image, alpha, method=method, cancel=token)


def test_sizes_that_differ_and_unknown_methods_are_refused() -> None:
    image, alpha = composite(16)
    with pytest.raises(InputError, match="16×16 and alpha 16×15"):
        estimate_foreground(image, alpha[:, 1:])
    with pytest.raises(InputError, match="'magic', but one of multilevel, closed-form"):
        estimate_foreground(image, alpha, method="magic")


def test_importing_the_foreground_room_does_not_import_pymatting_or_torch() -> None:
    code = "import sys, lsa_engine.foreground; print([m for m in ('pymatting', 'torch', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Light: stored colours brought half-way to it and back, and what that does to a soft edge."""

from __future__ import annotations

import pytest
import torch

from lsa_engine.guidance.fill import project_alpha
from lsa_engine.guidance.light import from_light, to_light


def test_colours_come_back_from_light() -> None:
    stored = torch.linspace(0, 1, 256).view(1, 1, 1, 256)
    light = to_light(stored)
    assert light[0, 0, 0, 0] == 0
    assert light[0, 0, 0, -1] == 1
    assert torch.all(light.diff() > 0)
    torch.testing.assert_close(from_light(light), stored, atol=1e-6, rtol=0)


def test_what_lies_below_black_comes_back_as_black() -> None:
    assert from_light(torch.tensor([-1e-3])).item() == 0


@pytest.mark.parametrize(("foreground", "background"), [(0.1, 0.9), (0.9, 0.1), (0.3, 0.7)])
def test_an_edge_that_a_camera_saw_is_judged_with_half_the_error_in_light(foreground: float, background: float) -> None:
    alpha = torch.linspace(0, 1, 101).view(1, 1, 1, 101)
    front, back = (torch.full((1, 3, 1, 101), value) for value in (foreground, background))
    stored = (alpha * front**2.2 + (1 - alpha) * back**2.2) ** (1 / 2.2)

    def error(*colours: torch.Tensor) -> float:
        return float((project_alpha(*colours, softness=0.0) - alpha).abs().mean())

    assert error(*map(to_light, (stored, front, back))) < 0.75 * error(stored, front, back)


@pytest.mark.parametrize(("foreground", "background"), [(0.1, 0.9), (0.9, 0.1), (0.3, 0.7)])
def test_an_edge_that_an_editor_made_is_judged_with_less_error_than_stored_colours_make_of_a_cameras(
    foreground: float, background: float
) -> None:
    alpha = torch.linspace(0, 1, 101).view(1, 1, 1, 101)
    front, back = (torch.full((1, 3, 1, 101), value) for value in (foreground, background))

    def error(exponent: float, *, in_light: bool) -> float:
        stored = (alpha * front**exponent + (1 - alpha) * back**exponent) ** (1 / exponent)
        colours = [to_light(x) if in_light else x for x in (stored, front, back)]
        return float((project_alpha(*colours, softness=0.0) - alpha).abs().mean())

    assert error(1.0, in_light=True) < 0.5 * error(2.2, in_light=False)
    assert error(1.4, in_light=True) < 1e-5

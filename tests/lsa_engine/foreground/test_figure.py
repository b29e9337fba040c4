"""The figure's numbers, and that the figure shows them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lsa_engine.errors import InputError
from lsa_engine.foreground import refine_foreground
from lsa_engine.foreground.figure import draw_profiles, draw_refinement, gradient_by_alpha, gradient_magnitude


def noisy_edge(size: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A foreground that is noise wherever it is hardly seen."""
    rng = np.random.default_rng(0)
    alpha = np.broadcast_to(np.clip(np.linspace(-0.2, 1.2, size), 0, 1), (size, size)).astype(np.float32)
    colours = 0.5 + 0.4 * (1 - alpha[..., None]) * (rng.random((size, size, 3), np.float32) - 0.5)
    return colours.astype(np.float32), alpha


def test_the_gradient_is_that_of_a_ramp() -> None:
    rows, columns = np.mgrid[:5, :7].astype(np.float32)
    colours = np.dstack([0.03 * columns, 0.04 * rows, np.full((5, 7), 0.5, np.float32)])
    gradient = gradient_magnitude(colours)
    np.testing.assert_allclose(gradient[:-1, :-1], 0.05, atol=1e-6)
    np.testing.assert_allclose(gradient[-1, :-1], 0.03, atol=1e-6)
    np.testing.assert_allclose(gradient[:-1, -1], 0.04, atol=1e-6)
    assert gradient[-1, -1] == 0


def test_means_are_taken_over_intervals_of_alpha_between_0_and_1() -> None:
    colours = np.zeros((2, 4, 3), np.float32)
    colours[:, 1:] = 0.3  # the first column has a step to its right, of 0.3 in each channel
    alpha = np.array([[0.1, 0.1, 0.9, 1.0], [0.1, 0.6, 0.9, 0.0]], np.float32)
    centres, means = gradient_by_alpha(colours, alpha, bins=4)
    assert centres.tolist() == [0.125, 0.375, 0.625, 0.875]
    step = 0.3 * np.sqrt(3)
    np.testing.assert_allclose(means, [2 * step / 3, np.nan, 0, 0], atol=1e-6)


def test_refinement_lowers_the_gradient_where_alpha_is_low_and_leaves_it_where_it_is_high() -> None:
    colours, alpha = noisy_edge()
    refined = refine_foreground(colours, alpha)
    _, before = gradient_by_alpha(colours, alpha, bins=10)
    _, after = gradient_by_alpha(refined, alpha, bins=10)
    assert after[0] < 0.1 * before[0]
    assert after[-1] > 0.5 * before[-1]


def test_the_figure_has_both_rows_and_the_curves_that_were_computed() -> None:
    colours, alpha = noisy_edge()
    refined = refine_foreground(colours, alpha)
    figure = draw_refinement(colours, refined, alpha)
    axes = np.reshape(figure.axes, (2, 4))
    assert [axis.get_title() for axis in axes[0]] == ["F", "αF", "|∇F|", "|∇F| against α, 0 < α < 1"]
    for row, picture in zip(axes, (colours, refined), strict=True):
        np.testing.assert_array_equal(row[0].images[0].get_array(), picture)
        np.testing.assert_array_equal(row[1].images[0].get_array(), alpha[..., None] * picture)
        curve = row[3].lines[0]
        np.testing.assert_array_equal(curve.get_ydata(), gradient_by_alpha(picture, alpha)[1])
    figure.canvas.draw()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_soft_pixels_the_figure_says_so(value: float) -> None:
    colours, _ = noisy_edge()
    figure = draw_refinement(colours, colours, np.full((80, 80), value, np.float32))
    assert "too few pixels" in figure.axes[3].texts[0].get_text()


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    colours, alpha = noisy_edge()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"\[plots\]"):
        draw_refinement(colours, colours, alpha)


def test_arrays_that_do_not_fit_are_refused() -> None:
    colours, alpha = noisy_edge()
    with pytest.raises(InputError, match="same pixels"):
        gradient_by_alpha(colours, alpha[1:])


def test_the_profiles_are_those_of_both_pictures_under_their_names() -> None:
    colours, alpha = noisy_edge()
    refined = refine_foreground(colours, alpha)
    axes = draw_profiles(colours, refined, alpha, names=("one", "other")).axes[0]
    assert [line.get_label() for line in axes.lines] == ["one", "other"]
    for line, picture in zip(axes.lines, (colours, refined), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), gradient_by_alpha(picture, alpha)[1])

"""The paper's Fig. 2: a foreground before and after refinement, and how its gradient goes with alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 40
_FEW = 5
_LARGEST_SIDE = 1200
_MOST_POINTS = 200_000


def gradient_magnitude(colours: Any) -> NDArray[np.float32]:
    """Return |∇F| of an image: forward differences, all channels together.

    Parameters
    ----------
    colours : array (H, W), (H, W, 1) or (H, W, 3)
        Unsigned integers are scaled by their range, floats lie in [0, 1].

    Returns
    -------
    array (H, W), float32
        √(Σ_c (∂F^c/∂x)² + (∂F^c/∂y)²), in colour a pixel; the last row and column lack one of the differences.
    """
    image = as_float_image(colours, name="foreground")
    squares = np.zeros(image.shape[:2], np.float32)
    squares[:, :-1] += (np.diff(image, axis=1) ** 2).sum(-1)
    squares[:-1] += (np.diff(image, axis=0) ** 2).sum(-1)
    return np.sqrt(squares)


def gradient_by_alpha(colours: Any, alpha: Any, bins: int = _BINS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how the gradient of a foreground goes with alpha, where 0 < α < 1 (fourth column of Fig. 2).

    Parameters
    ----------
    colours, alpha : array
        As in :func:`gradient_magnitude`, and (H, W).
    bins : int
        Intervals of alpha.

    Returns
    -------
    centres, means : array (bins,)
        Middle of each interval, and the mean of |∇F| in it; NaN where no pixel lies.
    """
    gradient, opacity = gradient_magnitude(colours), as_alpha(alpha)
    if gradient.shape != opacity.shape:
        raise InputError(
            f"The foreground is {gradient.shape} and alpha {opacity.shape}, but they must cover the same pixels: "
            "resize or crop one of them."
        )
    soft = (opacity > 0) & (opacity < 1)
    index = np.minimum((opacity[soft] * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    sums = np.bincount(index, gradient[soft], bins)
    with np.errstate(invalid="ignore"):
        return (np.arange(bins) + 0.5) / bins, sums / counts


def draw_refinement(foreground: Any, refined: Any, alpha: Any) -> Figure:
    """Draw the paper's Fig. 2: F, αF, |∇F| and |∇F| against α, before and after refinement.

    Parameters
    ----------
    foreground, refined : array (H, W), (H, W, 1) or (H, W, 3)
        The foreground as given and as refined.
    alpha : array (H, W)
        Opacity.

    Returns
    -------
    matplotlib.figure.Figure
        Two rows of four; save it with ``savefig``.

    Raises
    ------
    InputError
        If matplotlib is not installed, or the arrays do not fit together.
    """
    opacity = as_alpha(alpha)
    images = [as_float_image(colours, name="foreground") for colours in (foreground, refined)]
    gradients = [gradient_magnitude(image) for image in images]
    soft = (opacity > 0) & (opacity < 1)
    highest = float(np.quantile(gradients[0], 0.999)) or 1.0
    tallest = max((float(np.quantile(g[soft], 0.999)) for g in gradients), default=0.0) if soft.any() else 0.0
    skip = max(1, -(-max(opacity.shape) // _LARGEST_SIDE))
    height, width = opacity.shape
    panel = 3.0
    figure = _new_figure(figsize=(4.4 * panel, 2 * panel * min(1.3, max(0.6, height / width)) + 0.6))
    axes = figure.subplots(2, 4)
    titles = ("F", "αF", "|∇F|", "|∇F| against α, 0 < α < 1")
    for row, name in enumerate(("as given", "refined")):
        image, gradient = images[row], gradients[row]
        for axis, picture in zip(axes[row], (image, opacity[..., None] * image), strict=False):
            axis.imshow(picture[::skip, ::skip])
        axes[row, 2].imshow(gradient[::skip, ::skip], cmap="magma", vmin=0, vmax=highest)
        for axis in axes[row, :3]:
            axis.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(name)
        _draw_profile(axes[row, 3], image, gradient, opacity, soft, tallest or 1.0)
        if row == 0:
            for axis, title in zip(axes[row], titles, strict=True):
                axis.set_title(title)
    return figure


def draw_profiles(
    foreground: Any,
    refined: Any,
    alpha: Any,
    *,
    names: tuple[str, str] = ("as given", "refined"),
    size: tuple[float, float] = (3.2, 2.0),
    colour: str = "black",
) -> Figure:
    """Draw the mean of |∇F| against α, 0 < α < 1, before and after refinement, small enough for a dock.

    Parameters
    ----------
    foreground, refined, alpha : array
        As in :func:`draw_refinement`.
    names : (str, str)
        What the two curves are called.
    size : (float, float)
        Width and height in inches.
    colour : str
        Of text and frame; the ground is transparent.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = _new_figure(figsize=size)
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    # Told apart without colours too, and to be seen on dark and light ground.
    for picture, name, look in zip((foreground, refined), names, (("tab:gray", "--"), ("#c8641e", "-")), strict=True):
        line, style = look
        axes.plot(*gradient_by_alpha(picture, alpha), color=line, linestyle=style, label=name)
    axes.set(xlim=(0, 1), xlabel="α", ylabel="mean |∇F|")
    axes.set_ylim(bottom=0)
    axes.tick_params(colors=colour, labelsize=8)
    axes.xaxis.label.set_color(colour)
    axes.yaxis.label.set_color(colour)
    for spine in axes.spines.values():
        spine.set_color(colour)
    axes.legend(frameon=False, labelcolor=colour, fontsize=8)
    return figure


def _new_figure(figsize: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "Drawing needs matplotlib, which is not installed: pip install 'napari-lsa-matting[plots]'."
        ) from error
    return Figure(figsize=figsize, layout="constrained")


def _draw_profile(
    axis: Any,
    image: NDArray[np.float32],
    gradient: NDArray[np.float32],
    opacity: NDArray[np.float32],
    soft: NDArray[np.bool_],
    tallest: float,
) -> None:
    """Draw where the pixels lie, as a cloud, and their mean, as a line."""
    axis.set(xlim=(0, 1), ylim=(0, tallest), xlabel="α")
    if soft.sum() < _FEW:
        axis.text(0.5, 0.5 * tallest, "too few pixels between 0 and 1", ha="center", va="center")
        return
    shown = np.flatnonzero(soft)
    shown = shown[:: max(1, -(-shown.size // _MOST_POINTS))]
    axis.hexbin(
        opacity.ravel()[shown],
        np.minimum(gradient.ravel()[shown], tallest),
        gridsize=40,
        extent=(0, 1, 0, tallest),
        bins="log",
        mincnt=1,
        cmap="Blues",
        linewidths=0.1,
    )
    centres, means = gradient_by_alpha(image, opacity)
    axis.plot(centres, means, color="tab:red", label="mean")
    axis.legend(loc="upper right", frameon=False)

"""The trimap: known background, known foreground, and the unknown between them (sections 1 and 4 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.arrays import as_alpha, require_area, to_numpy
from lsa_engine.distances import Spacing, checked_distance, checked_spacing, count_steps, within
from lsa_engine.errors import InputError, TrimapError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap_coding import (
    BACKGROUND,
    FOREGROUND,
    UNKNOWN,
    Numbers,
    decode_labels,
    decode_values,
    odd_values_error,
    single_channel,
)

__all__ = ["BACKGROUND", "FOREGROUND", "UNKNOWN", "Trimap", "as_trimap"]

_FOUR_NEIGHBOURS = ndimage.generate_binary_structure(2, 1)
_EIGHT_NEIGHBOURS = ndimage.generate_binary_structure(2, 2)


@dataclass(frozen=True, eq=False)
class Trimap:
    """What a person knows of a matte: T = 0 background, T = 0.5 unknown, T = 1 foreground.

    Trimaps that come in another form are made by :meth:`from_array`, :meth:`from_labels`, :meth:`from_mask` or
    :meth:`from_alpha`.

    Attributes
    ----------
    values : numpy.ndarray
        uint8 (H, W), 0 background, 128 unknown, 255 foreground; a read-only copy of what was given.

    Raises
    ------
    TrimapError
        If `values` holds anything else.
    InputError
        If `values` is not (H, W), is empty, a single pixel, or a single row or column.

    Examples
    --------
    >>> import numpy as np
    >>> trimap = Trimap.from_mask(np.eye(9, dtype=bool), inner=0, outer=2)
    >>> int(trimap.foreground.sum()), int(trimap.unknown.sum()), int(trimap.background.sum())
    (9, 30, 42)
    """

    values: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Validate, copy, and lock the values."""
        values = _checked_plane(to_numpy(self.values, "trimap"), "trimap")
        if values.dtype != np.uint8:
            raise TrimapError(
                f"The trimap holds {values.dtype}, but Trimap takes uint8 with 0, 128 and 255: "
                "use Trimap.from_array, which reads other codings."
            )
        odd = ~((values == BACKGROUND) | (values == UNKNOWN) | (values == FOREGROUND))
        if odd.any():
            raise odd_values_error(values, odd, "0 (background), 128 (unknown) and 255 (foreground)")
        values = values.copy()
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @classmethod
    def from_array(cls, array: Any, *, numbers: Numbers | None = None) -> Trimap:
        """Read a trimap in any of the usual codings.

        Parameters
        ----------
        array : array_like or torch.Tensor
            (H, W), (H, W, 1), or a gray picture stored as RGB or RGBA. Values are 0, 127 or 128, 255; or 0, 32767 or
            32768, 65535 in integers of 16 bits and more (also 8-bit values times 257); or 0, 0.5, 1 in floats.
        numbers : Numbers, optional
            What 0, 1 and 2 mean, as :func:`lsa_engine.trimap_coding.find_numbers` tells; by default they are refused.

        Returns
        -------
        Trimap

        Raises
        ------
        TrimapError
            For other values (up to eight are listed with their counts), booleans, NaN, coloured pixels, or an alpha
            channel that varies.
        InputError
            For another number of axes or channels, and trimaps that are empty, a single pixel, a row or a column.
        """
        return cls(decode_values(_checked_plane(single_channel(to_numpy(array, "trimap")), "trimap"), numbers))

    @classmethod
    def from_labels(cls, labels: Any) -> Trimap:
        """Read painted labels: 0 unknown (unpainted), 1 foreground, 2 background.

        Parameters
        ----------
        labels : array_like
            Integers, (H, W).

        Returns
        -------
        Trimap

        Raises
        ------
        TrimapError
            If there are other labels, or `labels` does not hold integers.
        InputError
            If `labels` is not (H, W), or too small.
        """
        return cls(decode_labels(_checked_plane(to_numpy(labels, "labels"), "labels")))

    @classmethod
    def from_mask(
        cls,
        mask: Any,
        *,
        inner: float,
        outer: float,
        spacing: float | Spacing = (1.0, 1.0),
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Trimap:
        """Make a trimap from a segmentation by keeping a distance from its outline.

        Pixels of the mask that lie farther than `inner` from the nearest pixel outside become foreground, pixels
        outside that lie farther than `outer` from the mask become background, the band between is unknown. Nothing is
        known beyond the frame of the picture, so a mask that the frame cuts is not eroded there.

        Parameters
        ----------
        mask : array_like
            (H, W), booleans, or integer labels of which all above 0 belong to the object.
        inner, outer : float
            Euclidean distances between pixel centres in the units of `spacing`, 0 or more.
        spacing : float or (float, float)
            Height and width of a pixel; the default counts in pixels.
        progress, cancel
            As everywhere in the engine.

        Returns
        -------
        Trimap
            Has no foreground where `inner` eats all of the mask: see :meth:`require_known`.

        Raises
        ------
        InputError
            If `mask` is not (H, W), is too small or holds floats, a distance is negative, or a spacing not positive.
        Cancelled
            If the token is set.
        """
        array = _checked_plane(to_numpy(mask, "mask"), "mask")
        if array.dtype.kind == "f":
            raise InputError(
                f"The mask holds {array.dtype}, but booleans or integer labels are expected: "
                "threshold it, for example mask > 0.5."
            )
        inside = array > 0
        distances = checked_distance(inner, "inner"), checked_distance(outer, "outer")
        return _with_band(inside, ~inside, *distances, checked_spacing(spacing), progress, cancel)

    @classmethod
    def from_alpha(
        cls,
        alpha: Any,
        foreground_distance: float,
        background_distance: float,
        *,
        spacing: float | Spacing = (1.0, 1.0),
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Trimap:
        """Make a trimap from a true matte by dilating {α < 1} and {α > 0}, as in training (section 5).

        Parameters
        ----------
        alpha : array_like or torch.Tensor
            (H, W) as :func:`lsa_engine.image_io.as_alpha` takes it.
        foreground_distance, background_distance : float
            Euclidean distances in the units of `spacing`, 0 or more, by which {α < 1} grows into the foreground and
            {α > 0} into the background (1 to 24 pixels in the paper).
        spacing : float or (float, float)
            Height and width of a pixel; the default counts in pixels.
        progress, cancel
            As everywhere in the engine.

        Returns
        -------
        Trimap
            Unknown is where the two dilated regions overlap; it holds every pixel with 0 < α < 1.

        Raises
        ------
        InputError
            If `alpha` is not a matte, a distance is negative, or a spacing not positive.
        Cancelled
            If the token is set.
        """
        matte = as_alpha(alpha)
        inner = checked_distance(foreground_distance, "foreground_distance")
        outer = checked_distance(background_distance, "background_distance")
        return _with_band(matte >= 1, matte <= 0, inner, outer, checked_spacing(spacing), progress, cancel)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.values.shape
        return height, width

    @property
    def background(self) -> NDArray[np.bool_]:
        """Where T = 0: bool (H, W)."""
        return np.equal(self.values, BACKGROUND)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Where T = 0.5: bool (H, W)."""
        return np.equal(self.values, UNKNOWN)

    @property
    def foreground(self) -> NDArray[np.bool_]:
        """Where T = 1: bool (H, W)."""
        return np.equal(self.values, FOREGROUND)

    def require_known(self) -> None:
        """Refuse a trimap that says nothing about the foreground, or nothing about the background.

        Raises
        ------
        TrimapError
            If there is no foreground or no background pixel; the sentence says what to paint.
        """
        paint = {}
        if not self.foreground.any():
            paint["foreground"] = "some pixels that surely belong to the object as foreground (255, or label 1)"
        if not self.background.any():
            paint["background"] = "some pixels that surely do not belong to it as background (0, or label 2)"
        if paint:
            height, width = self.shape
            raise TrimapError(
                f"The trimap, {height} × {width} with {int(self.unknown.sum())} unknown pixels, has no known "
                f"{' and no known '.join(paint)}, but matting needs both: paint {' and '.join(paint.values())}."
            )

    def to_labels(self) -> NDArray[np.uint8]:
        """Return painted labels, uint8 (H, W): 0 unknown, 1 foreground, 2 background."""
        labels = np.zeros(self.shape, np.uint8)
        labels[self.foreground] = 1
        labels[self.background] = 2
        return labels

    def boundaries(self, rule: Literal["paper", "released"] = "paper") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the boundaries ∂{T = 0} and ∂{T = 1}, on which Assumption 2 holds.

        Parameters
        ----------
        rule : {"paper", "released"}
            "paper" (section 4): i ∈ ∂R if i with its four neighbours meets both R and its complement, so that pixels
            on both sides count. "released", as in the authors' code: unknown pixels with one of their eight
            neighbours in R. Neighbours beyond the frame do not exist in either rule.

        Returns
        -------
        background_boundary, foreground_boundary : numpy.ndarray
            bool (H, W).

        Raises
        ------
        InputError
            If `rule` is neither.
        """
        if rule == "paper":
            return _two_sided_boundary(self.background), _two_sided_boundary(self.foreground)
        if rule == "released":
            unknown = self.unknown
            near_background = ndimage.binary_dilation(self.background, _EIGHT_NEIGHBOURS)
            near_foreground = ndimage.binary_dilation(self.foreground, _EIGHT_NEIGHBOURS)
            return unknown & near_background, unknown & near_foreground
        raise InputError(f"The boundary rule is {rule!r}, but only 'paper' and 'released' exist: choose one of them.")


def as_trimap(trimap: Any) -> Trimap:
    """Return a :class:`Trimap` as it is, and read anything else with :meth:`Trimap.from_array`.

    Parameters
    ----------
    trimap : Trimap or array_like
        A trimap in any of the usual codings.

    Returns
    -------
    Trimap

    Raises
    ------
    TrimapError, InputError
        As :meth:`Trimap.from_array`.
    """
    return trimap if isinstance(trimap, Trimap) else Trimap.from_array(trimap)


def _checked_plane(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.ndim != 2:
        raise InputError(
            f"The {name} has {array.ndim} axes, its shape is {array.shape}, but (H, W) is expected: "
            "pass one plane at a time."
        )
    require_area(array, name)
    return array


def _two_sided_boundary(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    near_region = ndimage.binary_dilation(region, _FOUR_NEIGHBOURS)
    near_complement = ndimage.binary_dilation(~region, _FOUR_NEIGHBOURS)
    return np.asarray(near_region & near_complement)


def _with_band(
    surely_inside: NDArray[np.bool_],
    surely_outside: NDArray[np.bool_],
    inner: float,
    outer: float,
    spacing: Spacing,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> Trimap:
    """Keep as known what lies farther than a distance from everything that is not sure."""
    shape = surely_inside.shape[0], surely_inside.shape[1]
    count = sum(count_steps(shape, distance, spacing) for distance in (inner, outer))
    steps = Steps("measuring distances", count, progress, cancel)
    values = np.full(shape, UNKNOWN, np.uint8)
    values[~within(inner, ~surely_inside, spacing, steps)] = FOREGROUND
    values[~within(outer, ~surely_outside, spacing, steps)] = BACKGROUND
    return Trimap(values)

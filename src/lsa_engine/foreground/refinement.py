"""Foreground refinement (paper, section 4.1): one function over its algorithms, for arrays and tensors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import require_finite, to_numpy, to_unit_range
from lsa_engine.bands import Bands
from lsa_engine.errors import InputError
from lsa_engine.foreground.direct import MOST_PIXELS, minimise
from lsa_engine.foreground.energy import check_kappa, energy
from lsa_engine.foreground.multigrid import Convergence, solve
from lsa_engine.foreground.paper import multiscale_refine
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

if TYPE_CHECKING:
    import torch

RefinementMethod = Literal["multigrid", "paper"]

_REFINING = "refining the foreground"
_COMPILING = "preparing to refine the foreground (compiling on first use)"

# Above this many pixels, one channel after the other: the grids then take half the memory.
_CHANNELWISE_FROM = 1 << 25
_ROUNDING = 1e-6  # relative gaps below this are of float32's making: no other solver would do better

# Of so many rows and columns one is looked at to tell how bright an image is.
_SAMPLED = 4


_UNKNOWN = Convergence(np.zeros(1), np.zeros(1), 0, True)


@dataclass(frozen=True)
class ForegroundReport:
    """What a refinement did.

    Attributes
    ----------
    method : str
        "multigrid" or "paper".
    device : str
        Where it ran.
    energy : float or None
        The cost E of the result before rounding to integers, summed over a batch; None for "paper", which does not
        compute it (:func:`lsa_engine.foreground.energy` does).
    relative_gap : float or None
        Estimated upper bound of (E − E*)/E*, the largest of a batch; None for "paper", infinite where E* is zero but
        for rounding.
    cycles : int
        Multigrid cycles at full size; 0 for "paper".
    seconds : float
        Wall time.
    notes : tuple of str
        What a user should know: a device that ran out of memory, a tolerance that was not reached.
    """

    method: str
    device: str
    energy: float | None
    relative_gap: float | None
    cycles: int
    seconds: float
    notes: tuple[str, ...] = ()


def refine_foreground(
    foreground: Any,
    alpha: Any,
    *,
    kappa: float = 1.0,
    method: RefinementMethod = "multigrid",
    tolerance: float = 1e-3,
    device: str = "auto",
    report: Callable[[ForegroundReport], None] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Any:
    """Make a foreground smooth where it is hardly seen, and leave it where it is (Assumption 1, section 4.1).

    Interpolating, rotating or resizing the result then no longer draws wrong colours into the visible part.

    Parameters
    ----------
    foreground : array or Tensor (H, W), (H, W, C) or (N, H, W, C)
        Straight (not premultiplied) colours, any number of channels; unsigned integers are scaled by their range,
        floats taken as they are.
    alpha : array or Tensor (H, W) or, for a batch, (N, H, W)
        Opacity: unsigned integers by their range, floats in [0, 1].
    kappa : float
        Weight κ > 0 of the smoothness term.
    method : {"multigrid", "paper"}
        "multigrid" goes to the minimum of :func:`~lsa_engine.foreground.energy.energy`; "paper" is Algorithm 2 as
        printed, with S = 6 and T = 20, which is smoother than the minimum.
    tolerance : float
        Largest (E − E*)/E* of "multigrid", by its own estimate.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps", for arrays: "auto" takes a CUDA GPU where there is one, else the
        processor. A Tensor stays on its own device. "paper" always runs on the processor.
    report : callable, optional
        Receives a :class:`ForegroundReport` at the end.
    progress, cancel : optional
        Called and checked several times a second.

    Returns
    -------
    array or Tensor, as `foreground`
        The refined colours, of the same shape, type and device; integers are rounded, booleans become float32.

    Raises
    ------
    InputError
        If the sizes differ, an array is empty or not usable, or an option is out of range.
    Cancelled
        If `cancel` was set.

    Notes
    -----
    An opaque pixel (α = 1) with a neighbour that is not opaque moves a little: the printed cost ties the neighbour to
    it by κ(1−α_j)². Opaque pixels among opaque ones keep their colour exactly.
    """
    _check_options(method, kappa, tolerance)
    began = time.perf_counter()
    tensor = _as_tensor(foreground)
    place = _device(device, tensor) if method == "multigrid" else "cpu"
    notes = []
    done = None
    if place != "cpu":
        done = _on_device(foreground, alpha, kappa, tolerance, place, progress, cancel)
        if done is not None and _led_away(done[1]):
            notes.append(f"Cycles on {place} did not converge; the processor refined the foreground instead.")
            done, place = None, "cpu"
        elif done is None:
            notes.append(f"{place} had too little free memory; the processor refined the foreground instead.")
            place = "cpu"
    result, outcome = done or _on_processor(foreground, alpha, method, kappa, tolerance, progress, cancel)
    if report is not None:
        exact = method == "multigrid"
        if not outcome.converged:
            notes.append(f"The tolerance {tolerance:g} was not reached in {outcome.cycles} cycles.")
        report(
            ForegroundReport(
                method=method,
                device=place,
                energy=float(outcome.energy.sum()) if exact else None,
                relative_gap=_relative(outcome) if exact else None,
                cycles=outcome.cycles,
                seconds=time.perf_counter() - began,
                notes=tuple(notes),
            )
        )
    if tensor is None or _as_tensor(result) is not None:
        return result
    import torch

    returned = torch.from_numpy(result).to(tensor.device)
    return returned.to(tensor.dtype) if tensor.dtype.is_floating_point else returned


def _check_options(method: str, kappa: float, tolerance: float) -> None:
    if method not in get_args(RefinementMethod):
        raise InputError(
            f"method is {method!r}, but one of {', '.join(get_args(RefinementMethod))} is expected: choose one."
        )
    check_kappa(kappa)
    if not 0 < tolerance < np.inf:
        raise InputError(
            f"tolerance is {tolerance!r}, but a positive number is expected: give 1e-3, or less for more exactness."
        )


def _check_pair(foreground: Any, alpha: Any) -> tuple[NDArray[Any], NDArray[np.float32], bool]:
    """Return the foreground in its own type, alpha as float32, and whether they are a batch."""
    given, opacity = to_numpy(foreground, "foreground"), to_numpy(alpha, "alpha")
    if given.ndim == 3 and opacity.ndim == 3 and opacity.shape[2] == 1:
        opacity = opacity[..., 0]
    batched = given.ndim == 4
    if given.ndim not in (2, 3, 4) or given.size == 0:
        raise InputError(
            f"The foreground has shape {given.shape}, but (H, W), (H, W, C) or (N, H, W, C) without an empty axis is "
            "expected: pass an image."
        )
    expected = given.shape[: 3 if batched else 2]
    if opacity.shape != expected:
        raise InputError(
            f"The foreground has shape {given.shape} and alpha {opacity.shape}, but alpha must be {expected}, the same "
            "pixels: resize or crop one of them."
        )
    if given.dtype.kind not in "buf":
        raise InputError(
            f"The foreground holds {given.dtype}, but unsigned integers or floats are expected: convert it to uint8, "
            "uint16 or float32."
        )
    # One pass finds out whether there is something to complain of; a sum that overflows is looked at too.
    if given.dtype.kind == "f" and not np.isfinite(np.vdot(given, given)):
        require_finite(given, "foreground")
    return given, np.ascontiguousarray(to_unit_range(opacity, None, "alpha")), batched


def _as_tensor(value: Any) -> torch.Tensor | None:
    return value if type(value).__module__.startswith("torch") else None


def _device(name: str, tensor: torch.Tensor | None) -> str:
    if tensor is not None:
        return str(tensor.device)
    if name == "cpu":
        return name
    import torch

    from lsa_engine.devices import choose_device

    # The compiled loops are faster than tensor operations on anything but a CUDA GPU.
    return str(choose_device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"))


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    """Scale integers by their range; floats as they are."""
    if values.dtype.kind == "u":
        return np.divide(values, np.iinfo(values.dtype).max, dtype=np.float32)
    return np.asarray(values, np.float32)


def _put(refined: NDArray[np.float32], out: NDArray[Any]) -> None:
    """Write colours into an array of the foreground's type."""
    if out.dtype.kind == "u":
        # 32 bits and more take double precision, whose rounding is coarser than a step for none but 64.
        wide = np.clip(refined, 0, 1, dtype=np.float32 if out.dtype.itemsize < 4 else np.float64)
        out[...] = np.rint(wide * wide.dtype.type(np.iinfo(out.dtype).max))
    else:
        out[...] = refined


def _on_processor(
    foreground: Any,
    alpha: Any,
    method: str,
    kappa: float,
    tolerance: float,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> tuple[NDArray[Any], Convergence]:
    """Return the refined colours as the foreground is, and how exact they are."""
    given, opacity, batched = _check_pair(foreground, alpha)
    result = _result_like(given)
    images, outs = _with_channels(given, batched), _with_channels(result, batched)
    parts = []
    for image, plane, out in zip(images, opacity if batched else opacity[None], outs, strict=True):
        if method == "paper":
            _put(multiscale_refine(_unit(image), plane, kappa=kappa, progress=progress, cancel=cancel), out)
        else:
            parts.append(_refine_image(image, plane, kappa, tolerance, out, progress, cancel))
    return result, _join(parts) if parts else _UNKNOWN


def _result_like(given: NDArray[Any]) -> NDArray[Any]:
    """Return an array for the result, of the foreground's shape and type; booleans become float32."""
    return np.empty(given.shape, given.dtype if given.dtype.kind in "uf" else np.float32)


def _with_channels(array: NDArray[Any], batched: bool) -> NDArray[Any]:
    """Return a view (N, H, W, C)."""
    array = array if batched else array[None]
    return array if array.ndim == 4 else array[..., None]


def _refine_image(
    colours: NDArray[Any],
    alpha: NDArray[np.float32],
    kappa: float,
    tolerance: float,
    out: NDArray[Any],
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> Convergence:
    """Refine one image (H, W, C) into `out`."""
    from lsa_engine.foreground.multigrid_processor import build_grids, is_compiled, load_colours, read_colours

    steps = Steps(_REFINING if is_compiled() else _COMPILING, 100, progress, cancel)

    channels = colours.shape[2]
    if not alpha.any():
        return _fill_with_mean(colours, out)
    at_once = 1 if alpha.size > _CHANNELWISE_FROM else channels
    # The loops read and write these types themselves; others are brought to float32 and back.
    plain = colours.dtype in (np.uint8, np.uint16, np.float32)
    source = np.ascontiguousarray(colours if plain else _unit(colours))
    target = out if plain else np.empty(colours.shape, np.float32)
    floor = _floor(source, tolerance) * at_once / channels
    parts = []
    with Bands(steps.check) as bands:
        grids = build_grids(alpha, at_once, kappa, bands)
        share = 100 * at_once // (channels * (len(grids) + 1))
        for first in range(0, channels, at_once):
            load_colours(grids[0], source, first)
            steps.advance(share, _REFINING)
            parts.append(solve(grids, tolerance, floor, after_cycle=lambda: steps.advance(share)))
            read_colours(grids[0], target, first)
    outcome = _join(parts)
    if _led_away(outcome) and alpha.size <= MOST_PIXELS:
        steps.check()
        given = _unit(source)
        exact = minimise(given, alpha, kappa)
        if np.isfinite(exact).all():
            _put(exact, out)
            steps.finish()
            return Convergence(np.array([energy(exact, given, alpha, kappa)]), np.zeros(1), outcome.cycles, True)
    if not plain:
        _put(target, out)
    steps.finish()
    return outcome


def _on_device(
    foreground: Any,
    alpha: Any,
    kappa: float,
    tolerance: float,
    place: str,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> tuple[Any, Convergence] | None:
    """Return the refined colours as the foreground is, and how exact they are; None where memory does not suffice."""
    import torch

    from lsa_engine.foreground.on_device import as_type, refine_tensors, usable_tensors

    steps = Steps(_REFINING, 100, progress, cancel)

    def after_cycle() -> None:
        steps.advance(6)

    try:
        if isinstance(foreground, torch.Tensor) and (pair := usable_tensors(foreground, alpha)) is not None:
            refined, outcome = refine_tensors(*pair, kappa, tolerance, after_cycle)
            result: Any = as_type(refined, foreground.dtype).reshape(foreground.shape)
        else:
            given, opacity, batched = _check_pair(foreground, alpha)
            colours = torch.from_numpy(np.ascontiguousarray(_unit(_with_channels(given, batched)))).to(place)
            planes = torch.from_numpy(opacity if batched else opacity[None]).to(place)
            refined, outcome = refine_tensors(colours, planes, kappa, tolerance, after_cycle)
            result = _result_like(given)
            _put(refined.cpu().numpy().reshape(given.shape), result)
    except torch.OutOfMemoryError:
        return None
    steps.finish()
    return result, outcome


def _floor(colours: NDArray[Any], tolerance: float) -> float:
    """Return a cost that is nothing beside the colours (…, H, W, C), for images whose optimum costs nothing."""
    some = _unit(colours[..., ::_SAMPLED, ::_SAMPLED, :])
    return 1e-6 * tolerance * float((some * some).mean()) * colours.size


def _fill_with_mean(colours: NDArray[Any], out: NDArray[Any]) -> Convergence:
    """Give an image of which nothing is seen its mean colour: of the constants, which all cost 0, the nearest."""
    _put(np.broadcast_to(_unit(colours).mean((0, 1), dtype=np.float64).astype(np.float32), out.shape), out)
    return Convergence(np.zeros(1), np.zeros(1), 0, True)


def _led_away(outcome: Convergence) -> bool:
    """Whether cycles ended far from the optimum, as they do on long strips of which very little is seen."""
    return not outcome.converged and _relative(outcome) > _ROUNDING


def _join(parts: list[Convergence]) -> Convergence:
    """Return the sums of energies and gaps."""
    return Convergence(
        np.sum([part.energy for part in parts], 0),
        np.sum([part.gap for part in parts], 0),
        max(part.cycles for part in parts),
        all(part.converged for part in parts),
    )


def _relative(outcome: Convergence) -> float:
    least = outcome.energy - outcome.gap
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(outcome.gap <= 0, 0.0, np.where(least > 0, outcome.gap / least, np.inf))
    return float(relative.max())

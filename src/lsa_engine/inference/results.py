"""What a matting run returns: the matte, the matte before refinement, and a report of what was done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Report:
    """What was done, for a person and for a file's metadata.

    Attributes
    ----------
    weights, weights_sha256, size : str
        Name and hash of the weights, and the network's named size; empty for a classical method.
    device, dtype : str
        Where and in what precision it was computed.
    method : str
        The refinement, "none", "fast", "paper" or "correction", or the name of a classical method; "known" if nothing
        was unknown.
    tta : int
        Number of augmented copies that were averaged; 0 without test-time augmentation.
    image_shape : (int, int)
        Height and width in pixels.
    seconds : float
        Wall time.
    tiles : int or None
        Side in pixels of the tiles that it was computed in; None for the whole image at once.
    iterations, evaluations : int
        Passes of the decoder that the refinement took, the most of any copy, and passes of the decoder in all.
    cancelled : bool
        Whether the refinement was stopped: the matte is the best until then.
    boundary, gates : str or None
        Rule by which ∂ was taken in a refinement, and whether its gates were "live" or "frozen": so are those of a
        reduced pass, in tiles, and those that a correction near an edit found. Else None without a refinement.
    cost_before, cost_after : float or None
        Refinement cost C1 + 0.1·C2 (§4.3) of the first pass and of the result; with copies, the means.
    boundary_cost_before, boundary_cost_after : float or None
        C1.
    fidelity_cost_before, fidelity_cost_after : float or None
        C2.
    violation : float or None
        Mean of :attr:`MatteResult.violation` over ∂{T = 0} and ∂{T = 1}; None where no network ran.
    peak_memory_bytes : int or None
        Peak memory: of the device in this run on a GPU, of the whole process so far on a processor; None if not known.
    versions : dict of str to str
        Versions of the engine and of what it computes with.
    notes : tuple of str
        Sentences that a user should read.
    """

    weights: str
    weights_sha256: str
    size: str
    device: str
    dtype: str
    method: str
    tta: int
    image_shape: tuple[int, int]
    seconds: float
    tiles: int | None = None
    iterations: int = 0
    evaluations: int = 0
    cancelled: bool = False
    boundary: str | None = None
    gates: str | None = None
    cost_before: float | None = None
    cost_after: float | None = None
    boundary_cost_before: float | None = None
    boundary_cost_after: float | None = None
    fidelity_cost_before: float | None = None
    fidelity_cost_after: float | None = None
    violation: float | None = None
    peak_memory_bytes: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        values = asdict(self)
        values["image_shape"] = list(self.image_shape)
        values["notes"] = list(self.notes)
        return values


@dataclass(frozen=True, eq=False)
class MatteResult:
    """A matte.

    Attributes
    ----------
    alpha : (H, W) float32
        Opacity in [0, 1]; exactly 0 and 1 where the trimap is known.
    initial_alpha : (H, W) float32
        The matte before refinement; equal to `alpha` without one.
    report : Report
        What was done.
    uncertainty : (H, W) float32 or None
        Standard deviation of the augmented copies' mattes, 0 where the trimap is known; None without test-time
        augmentation.
    violation : (H, W) float32 or None
        How far the matte before refinement is from what Assumption 2 says (§4): from 0 on ∂{T = 0} and from 1 on
        ∂{T = 1}, 0 elsewhere. None where no network ran.
    """

    alpha: NDArray[np.float32]
    initial_alpha: NDArray[np.float32]
    report: Report
    uncertainty: NDArray[np.float32] | None = None
    violation: NDArray[np.float32] | None = None

"""Natural image matting with local smoothness assumptions: the engine, without a graphical interface.

The names below are the whole of what a notebook needs. They are loaded on first use, so that ``import lsa_engine``
imports neither numpy nor torch::

    import lsa_engine as lsa

    result = lsa.matte(image, trimap)
    result.alpha  # float32 (H, W) in [0, 1]

The methods are those of R. Wang, J. Xie, J. Han and D. Qi, *Improving Deep Image Matting via Local Smoothness
Assumption*, ICME 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsa_engine.channels import merge_channels
    from lsa_engine.compositing import composite, cutout
    from lsa_engine.errors import (
        Cancelled,
        DataError,
        FileError,
        InputError,
        LsaError,
        RecipeError,
        TrimapError,
        WeightsError,
    )
    from lsa_engine.evaluation.metrics import Scores, evaluate
    from lsa_engine.foreground import energy, estimate_foreground, refine_foreground
    from lsa_engine.inference.matter import Matter
    from lsa_engine.inference.one_call import matte
    from lsa_engine.inference.refinement import Refinement
    from lsa_engine.inference.results import MatteResult
    from lsa_engine.measure import Measurement, measure_matte
    from lsa_engine.progress import CancelToken, Progress
    from lsa_engine.propagation import propose_trimaps
    from lsa_engine.training.recipe import Recipe
    from lsa_engine.training.trainer import train
    from lsa_engine.trimap import Trimap
    from lsa_engine.weights.published import import_checkpoint
    from lsa_engine.weights.registry import available_weights

    __version__: str

# PEP 562: where each public name lives. The type checker reads the imports above; a test holds the two together.
_HOMES = {
    "CancelToken": "lsa_engine.progress",
    "Cancelled": "lsa_engine.errors",
    "DataError": "lsa_engine.errors",
    "FileError": "lsa_engine.errors",
    "InputError": "lsa_engine.errors",
    "LsaError": "lsa_engine.errors",
    "MatteResult": "lsa_engine.inference.results",
    "Matter": "lsa_engine.inference.matter",
    "Measurement": "lsa_engine.measure",
    "Progress": "lsa_engine.progress",
    "Recipe": "lsa_engine.training.recipe",
    "RecipeError": "lsa_engine.errors",
    "Refinement": "lsa_engine.inference.refinement",
    "Scores": "lsa_engine.evaluation.metrics",
    "Trimap": "lsa_engine.trimap",
    "TrimapError": "lsa_engine.errors",
    "WeightsError": "lsa_engine.errors",
    "available_weights": "lsa_engine.weights.registry",
    "composite": "lsa_engine.compositing",
    "cutout": "lsa_engine.compositing",
    "energy": "lsa_engine.foreground",
    "estimate_foreground": "lsa_engine.foreground",
    "evaluate": "lsa_engine.evaluation.metrics",
    "import_checkpoint": "lsa_engine.weights.published",
    "matte": "lsa_engine.inference.one_call",
    "measure_matte": "lsa_engine.measure",
    "merge_channels": "lsa_engine.channels",
    "propose_trimaps": "lsa_engine.propagation",
    "refine_foreground": "lsa_engine.foreground",
    "train": "lsa_engine.training.trainer",
}

__all__ = [
    "CancelToken",
    "Cancelled",
    "DataError",
    "FileError",
    "InputError",
    "LsaError",
    "MatteResult",
    "Matter",
    "Measurement",
    "Progress",
    "Recipe",
    "RecipeError",
    "Refinement",
    "Scores",
    "Trimap",
    "TrimapError",
    "WeightsError",
    "__version__",
    "available_weights",
    "composite",
    "cutout",
    "energy",
    "estimate_foreground",
    "evaluate",
    "import_checkpoint",
    "matte",
    "measure_matte",
    "merge_channels",
    "propose_trimaps",
    "refine_foreground",
    "train",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use and keep it."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("napari-lsa-matting")
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'lsa_engine' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names beside the submodules already loaded."""
    return sorted({*globals(), *__all__})

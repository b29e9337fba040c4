"""Matte the sample photograph: write alpha.png, cutout.png, overview.png and refinement.png into a folder.

The overview shows image, trimap, alpha and the cut-out on a checkerboard side by side; refinement.png the two places
where the network obeyed the trimap least, without and with backpropagating refinement (the paper's Fig. 3).

  lsa demo --output demo
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lsa_engine.cli.options import add_model_options
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE
from lsa_engine.errors import FileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GAP = 12  # white pixels between the pictures of the overview


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa demo``."""
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo"), metavar="FOLDER", help="made if it does not exist (demo)"
    )
    add_model_options(parser)


def run(options: argparse.Namespace) -> int:
    """Matte and refine the sample and write four pictures."""
    from lsa_engine import samples
    from lsa_engine.compositing import cutout
    from lsa_engine.foreground import estimate_foreground
    from lsa_engine.image_io import as_float_image, write_alpha, write_image, write_rgba
    from lsa_engine.inference.comparison import compare_refinement
    from lsa_engine.inference.one_call import matte
    from lsa_engine.inference.refinement import Refinement

    image = as_float_image(samples.load_photograph())
    trimap = samples.load_trimap()
    with ProgressBar() as progress:
        result = matte(
            image,
            trimap,
            weights=options.weights,
            refinement=Refinement(),
            device=options.device,
            dtype=options.dtype,
            progress=progress,
        )
        foreground, _ = estimate_foreground(image, result.alpha, progress=progress)
    rgba = cutout(foreground, result.alpha)

    folder: Path = options.output
    _make_folder(folder)
    write_alpha(folder / "alpha.png", result.alpha)
    write_rgba(folder / "cutout.png", rgba, bits=8)
    write_image(folder / "overview.png", overview(image, trimap.values, rgba), bits=8)
    write_image(folder / "refinement.png", compare_refinement(image, trimap, result), bits=8)
    report = result.report
    print(f"Wrote alpha, cutout, overview and refinement.png into {folder} ({report.weights}, {report.seconds:.1f} s).")
    return DONE


def overview(image: NDArray[np.float32], trimap: NDArray[np.uint8], rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return image, trimap, alpha and the cut-out on a checkerboard side by side.

    Parameters
    ----------
    image : array (H, W, 3)
        In [0, 1].
    trimap : uint8 array (H, W)
        0, 128 or 255.
    rgba : array (H, W, 4)
        The cut-out, straight colour, in [0, 1].

    Returns
    -------
    array (H, 4·W + gaps, 3)
        In [0, 1].
    """
    import numpy as np

    from lsa_engine.compositing import checkerboard, composite

    alpha = rgba[..., 3]
    height = alpha.shape[0]
    gray = [np.repeat(plane[..., None], 3, axis=2) for plane in (trimap.astype(np.float32) / 255, alpha)]
    on_board = composite(rgba[..., :3], checkerboard(alpha.shape), alpha)
    gap = np.ones((height, _GAP, 3), np.float32)
    return np.concatenate([image, gap, gray[0], gap, gray[1], gap, on_board], axis=1).astype(np.float32)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno is not None else str(error)
        raise FileError(f"The folder {folder} cannot be made ({reason}): choose another one with --output.") from error

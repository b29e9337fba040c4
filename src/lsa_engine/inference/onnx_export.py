"""The plain forward as an ONNX model, for programs that have no torch."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lsa_engine.errors import InputError
from lsa_engine.image_io import atomic_path
from lsa_engine.inference.loading import load_network
from lsa_engine.network import LSANet

OPSET = 18

# Odd and unequal: a size that was baked in by mistake shows.
_TRACED, _CHECKED = (160, 224), (131, 97)


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes
    ----------
    path : Path
        The model: input "input" (1, K, H, W) float32, any H and W; output "alpha" (1, 1, H, W), not clamped.
    channels : int
        K, as :func:`lsa_engine.inference.preparation.network_input` fills them for `guidance`.
    guidance : {"none", "priors"}
        What the network sees.
    difference : float or None
        Largest difference between onnxruntime's and torch's answer to random numbers of another size; None if
        onnxruntime is not installed.
    """

    path: Path
    channels: int
    guidance: str
    difference: float | None


def export_onnx(weights: str | Path, path: str | os.PathLike[str]) -> Export:
    """Write a network's plain forward as an ONNX model, and compare it with torch's answer.

    Parameters
    ----------
    weights : str or path
        A name or file, as in :class:`lsa_engine.Matter`.
    path : path
        The file to write; ends in ``.onnx``.

    Returns
    -------
    Export

    Raises
    ------
    InputError
        If `path` ends otherwise, onnx and onnxscript are not installed, or the answers differ by more than 1e-4.
    WeightsError
        If the weights are unknown, damaged, or those of an encoder alone.
    FileError
        If the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".onnx":
        raise InputError(f"Got {target} to write an ONNX model to, expected a name that ends in .onnx; change it.")
    _require("onnx", "onnxscript")
    network, loaded = load_network(weights)
    facts = {
        "weights": loaded.metadata.get("name") or loaded.path.stem,
        "weights_sha256": loaded.sha256,
        "size": network.size.name,
        "guidance": network.size.guidance,
        "licence": loaded.metadata.get("licence", "unstated"),
    }
    with atomic_path(target) as temporary:
        _write(network, Path(temporary), facts)
        difference = _difference(network, Path(temporary))
        if difference is not None and difference > 1e-4:
            raise InputError(
                f"Got an ONNX model that differs from torch by {difference:.1e}, expected 1e-4 at most, so nothing was "
                "written; report the versions that `lsa info` lists."
            )
    return Export(target, network.size.input_channels, network.size.guidance, difference)


def _require(*packages: str) -> None:
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise InputError(
            f"Exporting needs {' and '.join(missing)}, not installed here: pip install 'napari-lsa-matting[onnx]'."
        )


def _write(network: LSANet, path: Path, facts: dict[str, str]) -> None:
    inputs = torch.zeros(1, network.size.input_channels, *_TRACED)
    anything = torch.export.Dim.DYNAMIC
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, on packages that it would rather see
        chatter.setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                network,
                (inputs,),
                dynamo=True,
                dynamic_shapes=({2: anything, 3: anything},),
                input_names=["input"],
                output_names=["alpha"],
                opset_version=OPSET,
                verbose=False,
            )
        finally:
            chatter.setLevel(level)
    assert program is not None
    program.model.metadata_props.update(facts)
    program.save(path)


def _difference(network: LSANet, path: Path) -> float | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    inputs = torch.rand(1, network.size.input_channels, *_CHECKED, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": inputs.numpy()})
    with torch.no_grad():
        return float(np.abs(answer - network(inputs).numpy()).max())

"""Weights files: safetensors with metadata, read without running code and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.errors import WeightsError
from lsa_engine.image_io import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "lsa-matting-weights-1"
SUFFIX = ".safetensors"
MATTING = "matting"
ENCODER = "encoder"


@dataclass(frozen=True)
class LoadedWeights:
    """A weights file in memory.

    Attributes
    ----------
    state : dict of str to Tensor
        Tensors by name, float32 for floating-point ones.
    metadata : dict of str to str
        What the file says of itself: ``size``, ``name``, ``kind``, ``licence``, ``recipe``, ….
    sha256 : str
        Hash of the file.
    path : Path
        Where it was read from.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    sha256: str
    path: Path


def save_weights(
    path: str | Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], *, half: bool = False
) -> None:
    """Write tensors and metadata to a safetensors file, atomically.

    Parameters
    ----------
    path : str or Path
        Where to write.
    state : mapping of str to Tensor
        A network's ``state_dict``. Counters of seen batches are left out: they serve training only.
    metadata : mapping of str to str
        At least ``size``, the network's named size.
    half : bool
        Store floating-point tensors in float16: half the file.

    Raises
    ------
    WeightsError
        If the metadata does not name the network's size.
    FileError
        If the file cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    if "size" not in metadata:
        raise WeightsError("Got weights metadata without 'size', expected the network's named size; add it.")
    tensors = {}
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        tensor = tensor.detach().cpu()
        if half and tensor.is_floating_point():
            tensor = tensor.to(torch.float16)
        tensors[name] = tensor.contiguous()
    texts = {"format": FORMAT} | {key: str(value) for key, value in metadata.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, texts)


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a weights file without reading its tensors.

    Raises
    ------
    WeightsError
        If the file is not one of ours.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 16_000_000:
                raise ValueError("no safetensors header")
            header: dict[str, Any] = json.loads(file.read(length))
            metadata: dict[str, str] = dict(header.pop("__metadata__", None) or {})
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if os.fstat(file.fileno()).st_size != 8 + length + end:
                raise ValueError("the file is cut short")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"Got {path} as weights, expected a readable safetensors file ({error}); "
            "convert a published checkpoint with 'lsa import-weights' first."
        ) from error
    if "size" not in metadata:
        raise WeightsError(
            f"Got {path}, a safetensors file that names no network size, expected weights written by this project; "
            "convert it with 'lsa import-weights'."
        )
    return metadata


def load_weights(path: str | Path) -> LoadedWeights:
    """Read a weights file.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or not one of ours.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    metadata = read_metadata(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"Got {path}, a damaged weights file ({error}), expected a whole one; copy or make it again."
        ) from error
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return LoadedWeights(state, metadata, file_sha256(path), path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

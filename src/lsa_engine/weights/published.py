"""Import of published checkpoints: the paper's own, and ImageNet encoders of mmclassification and timm."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lsa_engine.errors import FileError, InputError, WeightsError
from lsa_engine.weights.checkpoints import read_checkpoint
from lsa_engine.weights.files import ENCODER, MATTING, SUFFIX, file_sha256, save_weights
from lsa_engine.weights.fitting import expected_shapes, find_faults
from lsa_engine.weights.registry import WeightsInfo, describe_weights, shipped_names, user_weights_folder

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)

ADOBE_LICENCE = (
    "Non-commercial: trained on the Adobe Image Matting data set, whose terms allow research use only; "
    "do not use these weights commercially and do not pass them on."
)
_SIZE = "lsanet-r50d"
_STEM = "encoder.stem.0.conv.weight"


def _mmlab_name(name: str) -> str:
    """Return the name that the published network, and mmclassification for its encoder, give to one of our tensors."""
    kinds = {"conv": "conv", "norm": "bn"}
    match name.split("."):
        case ["encoder", "stem", index, layer, leaf]:
            return f"backbone.stem.{index}.{kinds[layer]}.{leaf}"
        case ["encoder", "stages", stage, block, "body", index, layer, leaf]:
            return f"backbone.layer{int(stage) + 1}.{block}.{kinds[layer]}{int(index) + 1}.{leaf}"
        case ["encoder", "stages", stage, block, "shortcut", index, layer, leaf]:
            # An average pool stands before the convolution wherever the stride is 2, in their list and in ours.
            return f"backbone.layer{int(stage) + 1}.{block}.downsample.{int(index) + (layer == 'norm')}.{leaf}"
        case ["decoder", "stages", stage, "fc", leaf]:
            return f"decoder.decoder_{stage}.fc.{leaf}"
        case ["decoder", "stages", stage, layer, leaf]:
            return f"decoder.decoder_{stage}.{layer}1.{leaf}"
        case ["head", layer, leaf]:
            return f"decoder.final_final.{layer}.{leaf}"
    raise ValueError(f"no published name for {name}")


def _timm_name(name: str) -> str:
    """Return the name that timm's resnet50d gives to one of our encoder's tensors."""
    match name.split("."):
        case ["encoder", "stem", "2", "norm", leaf]:
            return f"bn1.{leaf}"
        case ["encoder", "stem", index, layer, leaf]:
            # Convolution, normalisation and ReLU take turns in one list.
            return f"conv1.{3 * int(index) + (layer == 'norm')}.{leaf}"
        case ["encoder", "stages", stage, block, "shortcut", _, layer, leaf]:
            # Where nothing is pooled, an identity takes the pool's place.
            return f"layer{int(stage) + 1}.{block}.downsample.{1 + (layer == 'norm')}.{leaf}"
    return _mmlab_name(name).removeprefix("backbone.")


@dataclass(frozen=True)
class _Source:
    """A kind of checkpoint that can be imported."""

    title: str
    holds: str  # MATTING or ENCODER
    name_of: Callable[[str], str]
    signature: str  # what the names of some of its tensors, and of no earlier source's, begin with
    dropped: tuple[str, ...]  # beginnings of the names of its classifier
    licence: str
    description: str


_SOURCES = {
    "lsa-matting": _Source(
        title="the published LSA-Matting checkpoint",
        holds=MATTING,
        name_of=_mmlab_name,
        signature="decoder.",
        dropped=(),
        licence=ADOBE_LICENCE,
        description="LSANet as published with the paper, trained on the Adobe Image Matting data set.",
    ),
    # Both encoders learnt from RGB with ImageNet's mean and standard deviation, which is what our network is fed.
    "mmclassification": _Source(
        title="an mmclassification resnetv1d50",
        holds=ENCODER,
        name_of=_mmlab_name,
        signature="backbone.stem.",
        dropped=("head.", "neck."),
        licence="Apache-2.0, as published with mmclassification; trained on ImageNet, which has terms of its own.",
        description="ResNet-50-D encoder trained on ImageNet by mmclassification, to start training from.",
    ),
    "timm": _Source(
        title="a timm resnet50d",
        holds=ENCODER,
        name_of=_timm_name,
        signature="conv1.0.",
        dropped=("fc.",),
        licence="As stated on the model's page at timm; trained on ImageNet, which has terms of its own.",
        description="ResNet-50-D encoder trained on ImageNet, as published with timm, to start training from.",
    ),
}


def import_checkpoint(
    source: str | Path,
    destination: str | Path | None = None,
    *,
    name: str | None = None,
    licence: str | None = None,
    kind: str = "auto",
) -> WeightsInfo:
    """Convert a published checkpoint to a weights file of this project, without executing what it holds.

    The paper's checkpoint becomes weights of ``lsanet-r50d``. An ImageNet encoder (ResNet-50-D) becomes the start of a
    training: its stem gets a fourth input channel, the trimap, with zero weights, and its classifier is left out.

    Parameters
    ----------
    source : str or Path
        The checkpoint: ``.pth`` or ``.pt`` written by ``torch.save``, or ``.safetensors``.
    destination : str or Path, optional
        The ``.safetensors`` file to write; by default `name` in the user's own weights folder.
    name : str, optional
        Name of the weights; by default the destination's, else the source's, without its suffix.
    licence : str, optional
        Licence to write down; by default what is known of such checkpoints (trained on Adobe's data: non-commercial).
    kind : {"auto", "lsa-matting", "mmclassification", "timm"}
        What the checkpoint is; "auto" tells by the names of its tensors.

    Returns
    -------
    WeightsInfo
        The weights made, whose ``licence`` should be shown to the user.

    Raises
    ------
    InputError
        If `name` or `kind` does not fit.
    FileError
        If the source cannot be read, or the destination exists or cannot be written.
    WeightsError
        If the checkpoint is damaged, would run code, is of an unknown kind, or has missing, extra or wrong-shaped
        tensors.
    """
    if kind not in ("auto", *_SOURCES):
        raise InputError(
            f"Got checkpoint kind {kind!r}, expected one of auto, {', '.join(_SOURCES)}; choose one of these."
        )
    path = Path(source).expanduser()
    target = _target(path, destination, name)
    tensors, facts = read_checkpoint(path)
    known_as = _recognise(tensors, path) if kind == "auto" else kind
    origin = _SOURCES[known_as]
    state = _convert(tensors, origin, path)
    metadata = facts | {
        "size": _SIZE,
        "name": name or target.stem,
        "kind": origin.holds,
        "licence": licence or origin.licence,
        "description": origin.description,
        "imported_from": known_as,
        "source_file": path.name,
        "source_sha256": file_sha256(path),
    }
    save_weights(target, state, metadata)
    info = describe_weights(target)
    # A licence that forbids things is told even to those who do not look at what is returned.
    _LOG.log(
        logging.WARNING if info.licence == ADOBE_LICENCE else logging.INFO, "Weights %s: %s", info.name, info.licence
    )
    return info


def _target(source: Path, destination: str | Path | None, name: str | None) -> Path:
    """Return where to write, having looked at all that can be wrong with it before the work is done."""
    if name is not None and not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"Got weights name {name!r}, expected letters, digits and . _ + - only; choose such a name.")
    if destination is not None:
        target = Path(destination).expanduser()
        if target.suffix != SUFFIX:
            raise FileError(f"Got destination {target}, expected a file name that ends in {SUFFIX}; add that.")
    else:
        stem = name or re.sub(r"[^\w.+-]+", "-", source.stem).strip("-.") or "imported"
        if stem in shipped_names():
            raise FileError(f"Got weights name {stem!r}, which comes with the package; choose another name.")
        target = user_weights_folder() / f"{stem}{SUFFIX}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"Cannot make the weights folder {target.parent} ({error.strerror}); set LSA_WEIGHTS_DIR to another."
            ) from error
    if target.exists():
        raise FileError(f"Got destination {target}, which exists already; delete it first or choose another name.")
    return target


def _recognise(tensors: Mapping[str, Tensor], path: Path) -> str:
    for key, source in _SOURCES.items():
        if any(name.startswith(source.signature) for name in tensors):
            return key
    titles = ", ".join(source.title for source in _SOURCES.values())
    raise WeightsError(
        f"Got checkpoint {path} with {len(tensors)} tensors that begin with {', '.join(list(tensors)[:4])}, "
        f"expected {titles}; get one of these."
    )


def _convert(tensors: Mapping[str, Tensor], source: _Source, path: Path) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under our names, float32, having checked that they are all there, and no others."""
    import torch

    from lsa_engine.network import build_network

    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are not ours to use up
        shapes = expected_shapes(build_network(_SIZE))
    if source.holds == ENCODER:
        shapes = {name: shape for name, shape in shapes.items() if name.startswith("encoder.")}
        shapes[_STEM] = (shapes[_STEM][0], 3, *shapes[_STEM][2:])
    theirs = {name: source.name_of(name) for name in shapes}
    given = {name: tensor for name, tensor in tensors.items() if not name.startswith(source.dropped)}
    faults = find_faults({theirs[name]: shape for name, shape in shapes.items()}, given)
    if faults:
        raise WeightsError(
            f"Got checkpoint {path}, whose tensors are not those of {source.title} ({faults}); get the right file."
        )
    state = {name: given[theirs[name]].to(torch.float32) for name in shapes}
    if source.holds == ENCODER:
        stem = state[_STEM]
        state[_STEM] = torch.cat([stem, torch.zeros_like(stem[:, :1])], 1)
    return state

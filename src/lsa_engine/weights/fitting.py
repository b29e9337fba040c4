"""Put the tensors of a weights file into a network: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from lsa_engine.errors import WeightsError
from lsa_engine.weights.files import ENCODER, MATTING, LoadedWeights

if TYPE_CHECKING:
    from torch import Tensor

    from lsa_engine.network import LSANet

_NAMED = 8
_COUNTER = "num_batches_tracked"
_ENCODER_PREFIX = "encoder."

Shapes = Mapping[str, tuple[int, ...]]


def fit_state(network: LSANet, loaded: LoadedWeights) -> None:
    """Load a network's every tensor from a weights file.

    Counters of seen batches are not looked at: they serve training only.

    Parameters
    ----------
    network : LSANet
        Takes the tensors, in its own dtype, device and layout; left untouched if they do not fit.
    loaded : LoadedWeights
        Weights of a whole network.

    Raises
    ------
    WeightsError
        If a tensor is missing, extra or of another shape (up to eight of each are named), or there is only an encoder.
    """
    if loaded.metadata.get("kind", MATTING) == ENCODER:
        raise WeightsError(
            f"Got weights {loaded.path}, which hold an encoder without a decoder, expected those of a whole network; "
            "train from them first: name them as start_from in a recipe."
        )
    _load(network, loaded, expected_shapes(network), loaded.state)


def load_encoder(network: LSANet, loaded: LoadedWeights) -> None:
    """Load a network's encoder from a weights file, of an encoder alone or of a whole network; leave the rest as it is.

    Parameters
    ----------
    network : LSANet
        Takes the tensors; left untouched if they do not fit.
    loaded : LoadedWeights
        Weights whose names begin with ``encoder.``; of a whole network, the other tensors are passed over.

    Raises
    ------
    WeightsError
        If a tensor is missing, extra or of another shape (named, up to eight of each).
    """
    expected = {name: shape for name, shape in expected_shapes(network).items() if name.startswith(_ENCODER_PREFIX)}
    given = loaded.state
    if loaded.metadata.get("kind", MATTING) != ENCODER:
        given = {name: tensor for name, tensor in given.items() if name.startswith(_ENCODER_PREFIX)}
    _load(network, loaded, expected, given)


def expected_shapes(network: LSANet) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor that weights for this network must hold, by name."""
    return {name: tuple(t.shape) for name, t in network.state_dict().items() if not name.endswith(_COUNTER)}


def find_faults(expected: Shapes, given: Mapping[str, Tensor]) -> str:
    """Return what does not fit, in words: missing, extra and wrong-shaped tensors with their counts, or an empty text.

    Parameters
    ----------
    expected : mapping of str to tuple of int
        Shape of every tensor that must be there.
    given : mapping of str to Tensor
        What is there; floating-point tensors are expected, batch counters passed over.
    """
    names = {name for name in given if not name.endswith(_COUNTER)}
    missing = [name for name in expected if name not in names]
    extra = sorted(names - set(expected))
    wrong = [
        f"{name} {_kind_of(given[name])} instead of {shape}"
        for name, shape in expected.items()
        if name in names and (tuple(given[name].shape) != shape or not given[name].is_floating_point())
    ]
    faults = [("missing", missing), ("extra", extra), ("wrong-shaped", wrong)]
    return "; ".join(f"{len(items)} {word}: {_listed(items)}" for word, items in faults if items)


def _kind_of(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)}" if tensor.is_floating_point() else f"{tuple(tensor.shape)} of {tensor.dtype}"


def _listed(items: list[str]) -> str:
    rest = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _load(network: LSANet, loaded: LoadedWeights, expected: Shapes, given: Mapping[str, Tensor]) -> None:
    faults = find_faults(expected, given)
    if faults:
        made_for = loaded.metadata.get("size")
        hint = f"they were made for {made_for}" if made_for not in (None, network.size.name) else "the file is damaged"
        raise WeightsError(
            f"Got weights {loaded.path}, whose tensors do not fit network {network.size.name} ({faults}); "
            f"{hint}: choose weights made for this network."
        )
    network.load_state_dict(dict(_without_counters(given.items())), strict=False)


def _without_counters(items: Iterable[tuple[str, Tensor]]) -> Iterable[tuple[str, Tensor]]:
    return ((name, tensor) for name, tensor in items if not name.endswith(_COUNTER))

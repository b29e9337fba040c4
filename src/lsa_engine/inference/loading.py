"""A network with its weights, ready to evaluate."""

from __future__ import annotations

from pathlib import Path

from lsa_engine.errors import WeightsError
from lsa_engine.network import LSANet, build_network, fold_batch_norm
from lsa_engine.weights import LoadedWeights, find_weights, fit_state, load_weights


def load_network(weights: str | Path) -> tuple[LSANet, LoadedWeights]:
    """Return a network on the processor, frozen and with its batch normalisations folded, and what it was loaded from.

    Raises
    ------
    WeightsError
        If the weights are unknown, damaged, those of an encoder alone, or do not fit their network.
    """
    loaded = load_weights(find_weights(weights))
    if loaded.metadata.get("kind") == "encoder":
        raise WeightsError(
            f"Got {loaded.path.name}, weights of an encoder alone, expected those of a whole network; "
            "use them to start a training run from."
        )
    network = build_network(loaded.metadata["size"])
    fit_state(network, loaded)
    return fold_batch_norm(network.eval().requires_grad_(False)), loaded

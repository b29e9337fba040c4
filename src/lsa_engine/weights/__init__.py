"""Weights: the named ones, their files, and the import of published checkpoints."""

from lsa_engine.weights.files import LoadedWeights, load_weights, read_metadata, save_weights
from lsa_engine.weights.fitting import fit_state, load_encoder
from lsa_engine.weights.published import import_checkpoint
from lsa_engine.weights.registry import WeightsInfo, available_weights, find_weights, user_weights_folder

__all__ = [
    "LoadedWeights",
    "WeightsInfo",
    "available_weights",
    "find_weights",
    "fit_state",
    "import_checkpoint",
    "load_encoder",
    "load_weights",
    "read_metadata",
    "save_weights",
    "user_weights_folder",
]

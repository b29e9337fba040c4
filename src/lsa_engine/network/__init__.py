"""The network of §3: encoder, decoder, refinement modules, named sizes."""

from lsa_engine.network.decoder import REFINED_STAGES, Refinements
from lsa_engine.network.lsanet import SIZES, LSANet, NetworkSize, build_network, fold_batch_norm, lay_out

__all__ = [
    "REFINED_STAGES",
    "SIZES",
    "LSANet",
    "NetworkSize",
    "Refinements",
    "build_network",
    "fold_batch_norm",
    "lay_out",
]

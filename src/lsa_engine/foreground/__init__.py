"""Foreground colours: the refinement cost and its algorithms (paper, section 4.1), and estimation from a composite."""

from lsa_engine.foreground.energy import energy
from lsa_engine.foreground.estimation import estimate_foreground
from lsa_engine.foreground.paper import multiscale_refine, simple_refine
from lsa_engine.foreground.refinement import ForegroundReport, refine_foreground

__all__ = [
    "ForegroundReport",
    "energy",
    "estimate_foreground",
    "multiscale_refine",
    "refine_foreground",
    "simple_refine",
]

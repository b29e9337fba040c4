"""Inference (§4.3, §5.1): the Matter, backpropagating refinement, test-time augmentation."""

from lsa_engine.inference.matter import Matter
from lsa_engine.inference.one_call import matte
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.results import MatteResult, Report

__all__ = ["MatteResult", "Matter", "Refinement", "Report", "matte"]

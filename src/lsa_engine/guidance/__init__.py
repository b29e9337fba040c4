"""What is known without a network: fills of the known colours, a coarse matte from local lines, a sampled matte."""

from __future__ import annotations


def is_compiled() -> bool:
    """Whether the loops of the fills and mattes have run in this process already."""
    from lsa_engine.compiling import is_ready
    from lsa_engine.guidance import closed_form_kernels, fill_kernels, flow_kernels

    return is_ready(fill_kernels.relax, closed_form_kernels.advance, flow_kernels.combine)

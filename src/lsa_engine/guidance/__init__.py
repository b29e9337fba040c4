"""What is known without a network: fills of the known colours, and a coarse matte from the colours' local lines."""

from __future__ import annotations


def is_compiled() -> bool:
    """Whether the loops of the fills and of the coarse matte have run in this process already."""
    from lsa_engine.compiling import is_ready
    from lsa_engine.guidance import closed_form_kernels, fill_kernels

    return is_ready(fill_kernels.relax, closed_form_kernels.solve)

"""Watch a network at work: progress and cancellation between its layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from lsa_engine.progress import Steps


def _convolutions(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def layer_count(network: nn.Module) -> int:
    """Return how many steps :func:`watched` counts in one forward pass."""
    return len(_convolutions(network))


@contextmanager
def watched(network: nn.Module, steps: Steps, *, count: bool = True) -> Iterator[None]:
    """Let `steps` check for cancellation before every convolution and, if `count`, advance once for each."""
    seen: set[int] = set()

    def before(module: nn.Module, _: Any) -> None:
        if count and id(module) not in seen:
            seen.add(id(module))
            steps.advance()
        else:
            steps.check()

    handles = [module.register_forward_pre_hook(before) for module in _convolutions(network)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

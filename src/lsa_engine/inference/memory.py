"""Too little memory: what fails is tried again in smaller parts, then on the processor, and told."""

from __future__ import annotations

import gc
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple, TypeVar

import torch

from lsa_engine.devices import lack_of_memory, release_memory
from lsa_engine.errors import NotEnoughMemory
from lsa_engine.inference.tiling import smaller_side
from lsa_engine.inference.whole import Runner
from lsa_engine.network import LSANet, lay_out

ResultT = TypeVar("ResultT")


class Way(NamedTuple):
    """How something is computed: by which network where, and in tiles of which side (None: the whole at once)."""

    runner: Runner
    side: int | None

    def __str__(self) -> str:
        how = "at once" if self.side is None else f"in tiles of {self.side} pixels"
        return f"{how} on {self.runner.device}"


def with_what_memory_there_is(
    run: Callable[[Way], ResultT], way: Way, shape: tuple[int, int], *, tileable: bool
) -> tuple[ResultT, Way, tuple[str, ...]]:
    """Return what `run` returns, how it was computed in the end, and a sentence for each attempt that failed.

    Parameters
    ----------
    run : callable
        Computes in the way that it is given.
    way : Way
        The first to try.
    shape : (int, int)
        Height and width of the image.
    tileable : bool
        Whether tiles may be made where there were none, or smaller ones.

    Raises
    ------
    NotEnoughMemory
        If there is nothing smaller to try.
    """
    notes: list[str] = []
    first = way.side
    while True:
        try:
            return run(way), way, tuple(notes)
        except (MemoryError, RuntimeError) as error:
            reason = lack_of_memory(error)
            if reason is None:
                raise
        # Outside of the handler, so that the error no longer holds what had been computed.
        _let_go()
        failed, side = way, smaller_side(way.side, shape) if tileable else None
        if side is not None:
            way = way._replace(side=side)
        elif way.runner.device.type != "cpu":
            way = Way(_on_processor(way.runner), first)
        else:
            raise NotEnoughMemory(
                f"There is not enough memory to compute {shape[0]} × {shape[1]} pixels {way} ({reason}): close other "
                "programs, or make the image smaller."
            )
        notes.append(f"There was not enough memory to compute it {failed}; it was computed {way} instead.")


def or_too_little_memory(run: Callable[[], ResultT], what: str, instead: str) -> ResultT:
    """Return what `run` returns, for which there is no smaller way.

    Parameters
    ----------
    run : callable
        What to do.
    what, instead : str
        What is done, after "There is not enough memory", and what to do where it cannot be.

    Raises
    ------
    NotEnoughMemory
        If it does not fit.
    """
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        reason = lack_of_memory(error)
        if reason is None:
            raise
    _let_go()
    raise NotEnoughMemory(f"There is not enough memory {what} ({reason}): {instead}.")


def place(network: LSANet, device: torch.device) -> LSANet:
    """Move a network to a device, laid out as it is fastest, and return it.

    Raises
    ------
    NotEnoughMemory
        If it does not fit there; it is then where it was.
    """
    before = next(network.parameters()).device
    layout = torch.channels_last
    try:
        return or_too_little_memory(
            lambda: lay_out(network, device, layout),
            f"for the network on {device}",
            "close other programs, or choose device='cpu'",
        )
    except NotEnoughMemory:
        lay_out(network, before, layout)  # its layers go one by one, and some had gone
        _let_go()
        raise


def _let_go() -> None:
    gc.collect()
    release_memory()


def _on_processor(runner: Runner) -> Runner:
    processor = torch.device("cpu")
    return Runner(lay_out(deepcopy(runner.network), processor, torch.channels_last), processor, torch.float32)

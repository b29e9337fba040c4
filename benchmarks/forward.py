"""Forward of the paper's network at 512²: default layout against what the Matter runs, by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from lsa_engine.network import build_network, fold_batch_norm

SIDE = 512
ROUNDS = 5


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    print(f"## Forward at {SIDE}², processor, {torch.get_num_threads()} threads (medians of {ROUNDS})\n")
    print("| size | default layout, float32 | channels-last, folded, float32 | ratio | the same, bfloat16 | ratio |")
    print("|---|---|---|---|---|---|")
    for size in ("lsanet-r50d", "lsanet-lite"):
        plain = build_network(size).eval()
        fast = build_network(size).eval()
        fast.load_state_dict(plain.state_dict())
        fast = fold_batch_norm(fast).to(memory_format=torch.channels_last)
        inputs = torch.rand(1, plain.size.input_channels, SIDE, SIDE)
        last = inputs.contiguous(memory_format=torch.channels_last)

        def in_half(network: torch.nn.Module = fast, x: torch.Tensor = last) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return network(x)

        runs: dict[str, Callable[[], object]] = {
            "default": lambda network=plain, x=inputs: network(x),
            "float32": lambda network=fast, x=last: network(x),
            "bfloat16": in_half,
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        with torch.inference_mode():
            for run in runs.values():
                run()
            for _ in range(ROUNDS):
                for name, run in runs.items():
                    times[name].append(seconds(run))
        default, single, half = (statistics.median(times[name]) for name in ("default", "float32", "bfloat16"))
        print(
            f"| {size} | {default:.2f} s | {single:.2f} s | {default / single:.1f} "
            f"| {half:.2f} s | {default / half:.1f} |"
        )
    print()


if __name__ == "__main__":
    main()

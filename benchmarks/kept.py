"""What a process still holds after a large image, with and without giving back what the C library keeps for later.

Linux only, as it asks the system what is resident.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np

import lsa_engine as lsa
from lsa_engine.devices import release_memory
from lsa_engine.inference import answering
from lsa_engine.samples import load_photograph, load_trimap


def resident() -> float:
    """Return the resident memory in megabytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def nothing() -> None:
    """Give nothing back."""


def measured(run: Callable[[], object]) -> str:
    """Run, and return what is resident afterwards, once it is given back, and how long that took."""
    run()
    before = resident()
    began = time.perf_counter()
    release_memory()
    took = 1000 * (time.perf_counter() - began)
    return f"{before:.0f} MB | {resident():.0f} MB | {took:.0f} ms"


def main() -> None:
    image, trimap = (np.tile(x, (3, 4) + (1,) * (x.ndim - 2)) for x in (load_photograph(), load_trimap().values))
    answering.release_memory = nothing  # it is done here
    print("\n## What is kept after 1920 × 2560 pixels\n")
    print("| computed | resident | after giving back | took |\n|---|---:|---:|---:|")
    for tiles in ("off", 1024):
        with lsa.Matter("lsa-lite", device="cpu", tiles=tiles) as matter:
            matter.set_image(image)
            matter.set_trimap(trimap)
            print(f"| matte, tiles {tiles} | {measured(matter.predict)} |", flush=True)
            few = lsa.Refinement(iterations=2)
            print(f"| refined, tiles {tiles} | {measured(lambda: matter.refine(few))} |", flush=True)  # noqa: B023


if __name__ == "__main__":
    main()

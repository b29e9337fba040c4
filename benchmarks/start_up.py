"""How long `import lsa_engine` and `lsa --help` take, above Python itself: medians of several fresh processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 7


def median_seconds(*arguments: str) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    bare = median_seconds("-c", "pass")
    imported = median_seconds("-c", "import lsa_engine")
    helped = median_seconds("-m", "lsa_engine", "--help")
    print("## Start-up (medians of fresh processes)\n")
    print("| what | seconds | bar |\n|---|---|---|")
    print(f"| Python alone | {bare:.3f} | |")
    print(f"| `import lsa_engine`, above Python | {imported - bare:.3f} | 0.2 |")
    print(f"| `lsa --help`, all in all | {helped:.3f} | 0.3 |\n")


if __name__ == "__main__":
    main()

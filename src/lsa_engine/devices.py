"""Where and in what precision computations run."""

from __future__ import annotations

import ctypes
import sys

import torch

from lsa_engine.errors import InputError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")

_LACKING = (
    "allocate memory",
    "not enough memory",  # torch's allocator on Windows
    "out of memory",
    "bad_alloc",
    "could not create a primitive",  # oneDNN
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # no room for its handle
    "cudnn_status_alloc_failed",
    "unable to find an engine",  # cuDNN, no room for any algorithm's workspace
    "unable to find a valid cudnn algorithm",
)


def choose_device(name: str | torch.device) -> torch.device:
    """Return the device of a name; "auto" takes a CUDA GPU, then Apple's, then the processor.

    Raises
    ------
    InputError
        If the name is unknown, or the machine has no such device.
    """
    name = str(name)
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind, _, number = name.partition(":")
    if kind not in available or (number and not number.isdecimal()) or name.endswith(":"):
        raise InputError(f"Got device {name!r}, expected one of {', '.join(DEVICES)}; choose one of these.")
    there = torch.cuda.device_count() if kind == "cuda" else 1
    if not available[kind] or (number and int(number) >= there):
        raise InputError(f"Got device {name!r}, which this machine does not have; use 'auto' or 'cpu'.")
    return torch.device(name)


def present_devices() -> dict[str, torch.device]:
    """Return the devices that this machine has by their names, "auto" first."""
    found = {}
    for name in DEVICES:
        try:
            found[name] = choose_device(name)
        except InputError:
            continue
    return found


def choose_training_device(name: str) -> torch.device:
    """Return the device to train on; "auto" takes a CUDA GPU, or else the processor.

    Training on Apple's GPUs has not been tried: they are taken only by name.

    Raises
    ------
    InputError
        As :func:`choose_device`.
    """
    return choose_device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the precision of a name; "auto" takes bfloat16 where the device multiplies it far faster than float32.

    On a processor that is the case with AMX only: with AVX-512's bfloat16 products the shipped network is slower on
    Intel's processors than in float32, and faster by a sixth on AMD's (docs/benchmarks.md).

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name not in DTYPES:
        raise InputError(f"Got dtype {name!r}, expected one of {', '.join(DTYPES)}; choose one of these.")
    if name == "auto":
        fast = {
            "cpu": _has_amx,
            "cuda": lambda: torch.cuda.get_device_capability(device)[0] >= 8,
            "mps": lambda: False,
        }
        return torch.bfloat16 if fast[device.type]() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def _has_amx() -> bool:
    # Older versions of torch cannot tell; float32 is right everywhere.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))


def begin_peak_memory(device: torch.device) -> None:
    """Let the peak of a device's memory begin anew; that of a processor cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Return the peak memory in bytes: of the device on CUDA since it began, of the process so far on a processor."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows has no such module.
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def release_memory() -> None:
    """Give back to the system, and to other programs on a GPU, what was allocated and is no longer used.

    PyTorch on a GPU and the C library on Linux keep what is freed for what comes next: after tiles of a large image
    that is more than half a gigabyte.
    """
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
        if trim is not None:
            trim(0)


def lack_of_memory(error: BaseException) -> str | None:
    """Return the first line of an error that says that there is not enough memory, None of any other error.

    PyTorch has an exception for it on a GPU only, and even there its libraries say it in words of their own: the
    workspaces that they allocate for themselves do not fit.
    """
    text = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(word in text.lower() for word in _LACKING):
        return (text or type(error).__name__).splitlines()[0]
    return None

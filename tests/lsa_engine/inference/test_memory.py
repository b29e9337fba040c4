"""Too little memory: smaller tiles, then the processor, and always told; several Matters at once; closing frees."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.devices import lack_of_memory
from lsa_engine.errors import NotEnoughMemory
from lsa_engine.inference.memory import Way, with_what_memory_there_is
from lsa_engine.inference.tiling import chosen_side, smaller_side
from lsa_engine.inference.whole import Runner
from lsa_engine.network import LSANet, build_network
from lsa_engine.samples import load_photograph, load_trimap


@pytest.fixture(scope="module")
def strip() -> tuple[np.ndarray, np.ndarray]:
    """A strip of the sample photograph, (33, 1280, 3), and its trimap."""
    image = np.hstack([load_photograph()[row : row + 33] for row in (70, 160)])
    trimap = np.hstack([load_trimap().values[row : row + 33] for row in (70, 160)])
    return np.ascontiguousarray(image), trimap


def matter_on(strip, **settings) -> lsa.Matter:
    matter = lsa.Matter("lsa-lite", device="cpu", dtype="float32", **settings)
    matter.set_image(strip[0])
    matter.set_trimap(strip[1])
    return matter


def lacking(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let every network fail as CUDA does when more than so many pixels are encoded."""
    encode = LSANet.encode

    def limited(network: LSANet, inputs: torch.Tensor) -> list[torch.Tensor]:
        if inputs.shape[-2] * inputs.shape[-1] > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return encode(network, inputs)

    monkeypatch.setattr(LSANet, "encode", limited)
    monkeypatch.setattr("lsa_engine.inference.tiled._GATE_PIXELS", most)


@pytest.mark.parametrize("refine", [False, True])
def test_what_does_not_fit_at_once_is_computed_in_tiles_and_the_report_says_so(strip, monkeypatch, refine):
    settings = lsa.Refinement(iterations=2, tolerance=0)

    def run(matter: lsa.Matter) -> lsa.MatteResult:
        return matter.refine(settings) if refine else matter.predict()

    lacking(monkeypatch, 33 * 1000)
    result = run(matter_on(strip))
    assert result.report.tiles == 640
    assert result.report.notes[0] == (
        "There was not enough memory to compute it at once on cpu; it was computed in tiles of 640 pixels on cpu "
        "instead."
    )
    monkeypatch.undo()
    monkeypatch.setattr("lsa_engine.inference.tiled._GATE_PIXELS", 33 * 1000)
    expected = run(matter_on(strip, tiles=640))
    np.testing.assert_allclose(result.alpha, expected.alpha, atol=1e-4)


def test_when_nothing_fits_one_sentence_says_so(strip, monkeypatch):
    lacking(monkeypatch, 100)
    with pytest.raises(NotEnoughMemory, match=r"33 × 1280 pixels in tiles of 160 pixels on cpu \(CUDA out of memory"):
        matter_on(strip).predict()
    with pytest.raises(NotEnoughMemory, match="at once on cpu"):
        matter_on(strip, tiles="off").predict()
    with pytest.raises(NotEnoughMemory, match="at once on cpu"):
        matter_on(strip).refine(lsa.Refinement(iterations=1), tta=8)
    assert issubclass(NotEnoughMemory, MemoryError)


def test_a_device_with_too_little_memory_hands_over_to_the_processor():
    network = build_network("lsanet-lite").eval()
    tried = []

    def run(way: Way) -> str:
        tried.append(str(way))
        if way.runner.device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return "done"

    first = Way(Runner(network, torch.device("meta"), torch.bfloat16), None)
    result, way, notes = with_what_memory_there_is(run, first, (300, 600), tileable=True)
    assert result == "done"
    assert tried == [
        "at once on meta",
        "in tiles of 288 pixels on meta",
        "in tiles of 128 pixels on meta",
        "at once on cpu",
    ]
    assert way.runner.dtype == torch.float32
    assert way.runner.network is not network
    assert notes[-1].endswith("it was computed at once on cpu instead.")


@pytest.mark.parametrize(
    "sentence",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 4294967296 bytes.",
    ],
)
def test_a_lack_of_memory_is_known_by_the_words_of_every_library(sentence):
    assert lack_of_memory(RuntimeError(f"{sentence}\nException raised from allocate")) == sentence
    assert lack_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED")) is None
    assert lack_of_memory(MemoryError()) == "MemoryError"


def test_a_network_that_does_not_fit_on_a_device_is_told_and_stays_where_it_was(strip, monkeypatch):
    matter = matter_on(strip)
    before = matter.refine(lsa.Refinement(iterations=1))
    to, times = LSANet.to, []

    def limited(network: LSANet, *where: object, **how: object) -> LSANet:
        times.append(where)
        if len(times) == 1:
            to(network, memory_format=torch.contiguous_format)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        return to(network, *where, **how)

    monkeypatch.setattr(LSANet, "to", limited)
    with pytest.raises(NotEnoughMemory, match=r"for the network on cpu \(CUDA out of memory.*choose device='cpu'"):
        matter.to("cpu")
    assert len(times) == 2
    assert matter.correct(strip[1], lsa.Refinement(time_budget=0)).report.method == "correction"
    np.testing.assert_allclose(matter.predict().alpha, before.initial_alpha, atol=1e-5)
    times.clear()
    with pytest.raises(NotEnoughMemory, match="for the network on cpu"):
        lsa.Matter("lsa-lite", device="cpu")


@pytest.mark.parametrize("tiles", ["off", 640])
def test_a_correction_that_does_not_fit_is_told_and_the_one_before_it_stays(strip, monkeypatch, tiles):
    matter = matter_on(strip, tiles=tiles)
    matter.refine(lsa.Refinement(iterations=2))
    edited = [strip[1].copy(), strip[1].copy()]
    edited[0][10:14, 300:304] = edited[1][20:24, 300:304] = 255
    first = matter.correct(edited[0], lsa.Refinement(iterations=2))
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")

        patched.setattr("lsa_engine.network.prepared.PreparedDecoder.__call__", full)
        with pytest.raises(NotEnoughMemory, match=r"for a correction \(CUDA error: CUBLAS.*call set_trimap"):
            matter.correct(edited[1])
    second = matter.correct(edited[1], lsa.Refinement(iterations=2))
    assert second.alpha[21, 301] == 1
    np.testing.assert_allclose(matter.undo().alpha, first.alpha, atol=1e-6)


def test_other_errors_are_not_taken_for_a_lack_of_memory(strip, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(LSANet, "encode", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        matter_on(strip).predict()


LIMITED = """
import resource, sys
import numpy as np, torch
import lsa_engine as lsa
from lsa_engine.samples import load_photograph, load_trimap
torch.set_num_threads(1)
image, trimap = (np.tile(x, (6, 4) + (1,) * (x.ndim - 2)) for x in (load_photograph(), load_trimap().values))
trimap[:, 300:] = np.where(trimap[:, 300:] == 128, 0, trimap[:, 300:])
with lsa.Matter("lsa-lite", device="cpu", dtype="float32") as matter:
    matter.set_image(load_photograph()[200:264])
    matter.set_trimap(load_trimap().values[200:264])
    matter.predict()
    matter.set_image(image)
    matter.set_trimap(trimap)
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[1]) * 2**20,) * 2)
    report = matter.predict().report
    if report.tiles is None:
        sys.exit("It was computed at once.")
    print(report.tiles, report.notes[0], sep="|")
"""
TOO_LITTLE = "There is not enough memory to compute 3840 × 2560 pixels in tiles of 128 pixels on cpu"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_an_allocation_that_the_system_refuses_leads_to_tiles():
    # About 2.2 GB for the whole and 0.8 to 1.3 GB in tiles; other threads and allocators take more or less.
    least, most = 600, 4000
    megabytes = 1500
    while most - least > 50:
        command = [sys.executable, "-c", LIMITED, str(megabytes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        last = done.stderr.strip().splitlines()[-1]
        if last == "It was computed at once.":
            most = megabytes
        else:
            assert TOO_LITTLE in last, done.stderr
            least = megabytes
        megabytes = (least + most) // 2
    assert done.returncode == 0, done.stderr
    side, note = done.stdout.strip().split("|")
    assert int(side) <= 1024
    assert note.startswith("There was not enough memory to compute it at once on cpu;")


def test_tiles_get_smaller_until_they_cannot():
    assert smaller_side(None, (5000, 3000)) == 1024
    assert smaller_side(None, (700, 600)) == 320
    assert smaller_side(None, (200, 200)) is None
    assert smaller_side(1024, (5000, 3000)) == 512
    assert smaller_side(128, (5000, 3000)) is None
    network = build_network("lsanet-lite")
    assert chosen_side("auto", 4, network, (3000, 4000), refining=False) is None
    plain, refined = (chosen_side("auto", 4, network, (10_000, 10_000), refining=what) for what in (False, True))
    assert plain > refined > 512
    assert chosen_side(500, 4, network, (10_000, 10_000), refining=True) == 512


def test_two_matters_in_threads_give_what_they_give_one_after_the_other(strip):
    settings = lsa.Refinement(iterations=3, tolerance=0)
    strips = [strip, (strip[0][::-1].copy(), strip[1][::-1].copy())]

    def work(pair) -> list[np.ndarray]:
        with matter_on(pair) as matter:
            first = matter.refine(settings).alpha
            return [first, matter.predict().alpha, matter_on(pair, tiles=640).predict().alpha]

    alone = [work(pair) for pair in strips]
    together: list[list[np.ndarray]] = [[], []]

    def keep(k: int) -> None:
        together[k] = work(strips[k])

    threads = [threading.Thread(target=keep, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        for expected, alpha in zip(one, other, strict=True):
            np.testing.assert_allclose(alpha, expected, atol=1e-4)


@pytest.mark.parametrize("tiles", ["off", 640])
def test_closing_frees_the_network_and_all_that_corrections_go_on_from(strip, tiles):
    matter = matter_on(strip, tiles=tiles)
    matter.refine(lsa.Refinement(iterations=2))
    matter.correct(strip[1], lsa.Refinement(iterations=1))
    held = [weakref.ref(matter._network), weakref.ref(matter._live), weakref.ref(matter._image)]
    held += [weakref.ref(parameter) for parameter in matter._network.parameters()]
    assert all(reference() is not None for reference in held)
    matter.close()
    assert not any(reference() is not None for reference in held)


def test_moving_keeps_image_and_trimap_and_forgets_what_was_corrected(strip):
    matter = matter_on(strip)
    before = matter.refine(lsa.Refinement(iterations=1))
    assert matter.to("cpu") is matter
    with pytest.raises(lsa.InputError, match="call refine"):
        matter.correct(strip[1])
    np.testing.assert_allclose(matter.predict().alpha, before.initial_alpha, atol=1e-5)
    with pytest.raises(lsa.InputError, match="tpu"):
        matter.to("tpu")
    matter.close()
    with pytest.raises(lsa.InputError, match="closed"):
        matter.to("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_peak_of_a_gpus_memory_is_that_of_this_run():
    large = (load_photograph(), load_trimap().values)
    small = (large[0][200:264, 230:390], large[1][200:264, 230:390])
    peaks = []
    with lsa.Matter("lsa-lite", device="cuda", dtype="float32") as matter:
        for image, trimap in (large, small):
            matter.set_image(image)
            matter.set_trimap(trimap)
            reports = [matter.refine(lsa.Refinement(iterations=2)).report]
            reports.append(matter.correct(trimap, lsa.Refinement(iterations=2)).report)
            peaks.append([report.peak_memory_bytes for report in reports])
    assert peaks[1][0] < 0.8 * peaks[0][0]
    assert peaks[1][1] < 0.8 * peaks[0][1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_moved_to_a_gpu_and_back_a_matter_gives_the_same(strip):
    matter = matter_on(strip)
    expected = matter.predict().alpha
    np.testing.assert_allclose(matter.to("cuda").predict().alpha, expected, atol=2e-3)
    tiled = matter_on(strip, tiles=640)
    np.testing.assert_allclose(tiled.to("cuda").predict().alpha, tiled.to("cpu").predict().alpha, atol=2e-3)
    refined = tiled.to("cuda").refine(lsa.Refinement(iterations=2))
    assert refined.report.device.startswith("cuda")
    np.testing.assert_allclose(matter.to("cpu").predict().alpha, expected, atol=1e-4)

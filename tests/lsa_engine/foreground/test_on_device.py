"""Refinement of foregrounds that are tensors, in batches, and on devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foregrounds import METHODS, disc
from lsa_engine.errors import InputError
from lsa_engine.foreground import ForegroundReport, refine_foreground, refinement


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_comes_back_as_a_tensor(method: str) -> None:
    foreground, alpha = disc()
    refined = refine_foreground(torch.from_numpy(foreground), torch.from_numpy(alpha), method=method)
    assert isinstance(refined, torch.Tensor)
    assert refined.dtype == torch.uint8
    np.testing.assert_array_equal(refined.numpy(), refine_foreground(foreground, alpha, method=method))


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_its_images_give(method: str) -> None:
    foreground, alpha = disc()
    stack, alphas = np.stack([foreground, foreground[::-1]]), np.stack([alpha, np.zeros_like(alpha)])
    refined = refine_foreground(stack, alphas, method=method)
    for index in range(2):
        np.testing.assert_array_equal(refined[index], refine_foreground(stack[index], alphas[index], method=method))


def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch, device: str = "cpu") -> None:
    """Send arrays the way that a GPU takes, on a device that this machine has."""
    run = refinement._on_device
    monkeypatch.setattr(refinement, "_device", lambda *_: "gpu")
    monkeypatch.setattr(refinement, "_on_device", lambda f, a, k, t, _, *rest: run(f, a, k, t, device, *rest))


def test_tensor_operations_give_what_the_loops_give(monkeypatch: pytest.MonkeyPatch) -> None:
    foreground, alpha = disc()
    stack, alphas = np.stack([foreground, foreground[::-1]]) / 255, np.stack([alpha, np.zeros_like(alpha)])
    expected = refine_foreground(stack, alphas)
    as_on_a_gpu(monkeypatch)
    reports: list[ForegroundReport] = []
    np.testing.assert_allclose(refine_foreground(stack, alphas, report=reports.append), expected, atol=1e-4)
    assert reports[0].device == "gpu"
    assert reports[0].notes == ()


def test_tensors_are_refined_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    foreground, alpha = disc()
    pair = torch.from_numpy(foreground), torch.from_numpy(alpha)
    expected = refine_foreground(foreground, alpha)
    as_on_a_gpu(monkeypatch)
    # Nothing may go by way of the host, whose arrays this would be.
    monkeypatch.setattr(refinement, "_check_pair", lambda *_: pytest.fail("went through the host"))
    refined = refine_foreground(*pair)
    assert refined.dtype == torch.uint8
    np.testing.assert_allclose(refined.numpy().astype(int), expected.astype(int), atol=1)
    gray = refine_foreground(pair[0][..., 0], pair[1])
    torch.testing.assert_close(gray, refined[..., 0], atol=1, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("resident", [False, True])
def test_floating_tensors_keep_their_type(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, resident: bool) -> None:
    foreground, alpha = (torch.from_numpy(array / np.float32(255)) for array in disc())
    expected = refine_foreground(foreground, alpha)
    if resident:
        as_on_a_gpu(monkeypatch)
    refined = refine_foreground(foreground.to(dtype), alpha)
    assert refined.dtype == dtype
    torch.testing.assert_close(refined.float(), expected, atol=8 * torch.finfo(dtype).eps + 1e-4, rtol=0)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f, a: (f, a + 0.5), "alpha"),
        (lambda f, a: (f * torch.nan, a), "NaN"),
        (lambda f, a: (f, a[1:]), "shape"),
        (lambda f, a: (f[:0], a[:0]), "empty"),
        (lambda f, a: (f.to(torch.int32), a), "int32"),
    ],
)
def test_faults_of_tensors_on_a_device_are_named(monkeypatch: pytest.MonkeyPatch, break_it, message: str) -> None:
    foreground, alpha = (torch.from_numpy(array / np.float32(255)) for array in disc())
    as_on_a_gpu(monkeypatch)
    with pytest.raises(InputError, match=message):
        refine_foreground(*break_it(foreground, alpha))


def test_a_device_without_memory_gives_way_to_the_processor_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreground, alpha = disc()
    expected = refine_foreground(foreground, alpha)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr("lsa_engine.foreground.multigrid_torch.build_tensor_grids", full)
    as_on_a_gpu(monkeypatch)
    reports: list[ForegroundReport] = []
    np.testing.assert_array_equal(refine_foreground(foreground, alpha, report=reports.append), expected)
    assert reports[0].device == "cpu"
    assert "too little free memory" in reports[0].notes[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_cuda_gpu_gives_what_the_processor_gives() -> None:
    foreground, alpha = (array / np.float32(255) for array in disc(501))
    expected = refine_foreground(foreground, alpha, device="cpu")
    np.testing.assert_allclose(refine_foreground(foreground, alpha, device="cuda"), expected, atol=1e-4)
    tensors = torch.from_numpy(foreground).cuda(), torch.from_numpy(alpha).cuda()
    for turn in range(3):  # the second and third time it is replayed, with other images
        refined = refine_foreground(tensors[0].roll(turn, 0), tensors[1].roll(turn, 0))
        assert refined.is_cuda
        here = refine_foreground(np.roll(foreground, turn, 0), np.roll(alpha, turn, 0))
        np.testing.assert_allclose(refined.cpu().numpy(), here, atol=1e-4)

"""Half precision against float32, with the shipped weights: within bounds that docs/benchmarks.md gives reasons for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.devices import choose_dtype
from lsa_engine.inference.whole import Runner
from lsa_engine.samples import load_photograph, load_trimap

THREE = lsa.Refinement(iterations=3, tolerance=0)
# Largest and mean difference of alpha in the unknown region.
PLAIN = {"bfloat16": (0.02, 0.002), "float16": (0.003, 0.0003)}
REFINED = {"bfloat16": (0.3, 0.01), "float16": (0.003, 0.0003)}


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A part of the sample photograph, and its trimap."""
    return load_photograph()[200:328, 230:390].copy(), load_trimap().values[200:328, 230:390].copy()


def matter(dtype: str, pair: tuple[np.ndarray, np.ndarray]) -> lsa.Matter:
    made = lsa.Matter("lsa-lite", device="cpu", dtype=dtype)
    made.set_image(pair[0])
    made.set_trimap(pair[1])
    return made


def assert_near(rough: lsa.MatteResult, exact: lsa.MatteResult, unknown: np.ndarray, bounds: tuple[float, float]):
    difference = np.abs(rough.alpha - exact.alpha)[unknown]
    assert difference.max() <= bounds[0]
    assert difference.mean() <= bounds[1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_plain_matte_in_half_precision_stays_near_float32(pair, dtype):
    rough, exact = matter(dtype, pair).predict(), matter("float32", pair).predict()
    assert rough.report.dtype == dtype
    assert np.any(rough.alpha != exact.alpha)  # or it was not computed in half precision
    assert_near(rough, exact, pair[1] == 128, PLAIN[dtype])


@pytest.mark.parametrize(("dtype", "computed_in"), [("bfloat16", "bfloat16"), ("float16", "float32")])
def test_so_does_a_refined_one_and_float16_is_refined_in_float32(pair, dtype, computed_in):
    rough, exact = matter(dtype, pair).refine(THREE), matter("float32", pair).refine(THREE)
    assert rough.report.dtype == computed_in
    assert any("float16" in note for note in rough.report.notes) == (computed_in != dtype)
    assert_near(rough, exact, pair[1] == 128, REFINED[dtype])
    assert exact.report.cost_after < 0.9 * exact.report.cost_before
    # A tenth of what the refinement gained: where next to nothing is left, rounding decides about the rest.
    gained = exact.report.cost_before - exact.report.cost_after
    assert rough.report.cost_after == pytest.approx(exact.report.cost_after, rel=0.1, abs=0.1 * gained)


def test_a_correction_after_a_refinement_stays_in_its_precision(pair):
    lent = matter("float16", pair)
    lent.refine(lsa.Refinement(iterations=1))
    assert lent.correct(pair[1], lsa.Refinement(iterations=1)).report.dtype == "float32"
    assert lent.predict().report.dtype == "float16"


def test_each_name_is_its_type():
    processor = torch.device("cpu")
    for name in ("float32", "bfloat16", "float16"):
        dtype = choose_dtype(name, processor)
        assert str(dtype) == f"torch.{name}"
        with Runner(None, processor, dtype).precision():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert choose_dtype("auto", processor) in (torch.float32, torch.bfloat16)

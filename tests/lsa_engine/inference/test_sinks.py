"""Where mattes are written: arrays of every type hold what they can of them."""

from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.boxes import Box
from lsa_engine.inference.sinks import Sink


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "u4", "u8"])
@pytest.mark.filterwarnings("error")
def test_unsigned_integers_hold_a_matte_to_half_a_step_and_opaque_as_their_largest(dtype: str) -> None:
    alpha = np.array([[0, 0.25, 0.5], [np.nextafter(np.float32(1), np.float32(0)), 1, 1]], np.float32)
    written = np.zeros((2, 3), dtype)
    Sink(written, (2, 3)).write(Box(0, 2, 0, 3), alpha)
    largest = int(np.iinfo(written.dtype).max)
    assert (written[alpha == 1] == largest).all()
    for value, given in zip(written.ravel().tolist(), alpha.ravel().tolist(), strict=True):
        assert abs(value / largest - given) <= max(0.5 / largest, 1e-15)

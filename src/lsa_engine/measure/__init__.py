"""Measurements of mattes: areas, shapes, transition bands and intensities weighted by opacity, as tables."""

from __future__ import annotations

from lsa_engine.measure.intensity import PERCENTILES, ChannelStatistics, weighted_quantiles
from lsa_engine.measure.matte import Measurement, measure_matte
from lsa_engine.measure.table import to_columns, to_csv, to_markdown, write_csv

__all__ = [
    "PERCENTILES",
    "ChannelStatistics",
    "Measurement",
    "measure_matte",
    "to_columns",
    "to_csv",
    "to_markdown",
    "weighted_quantiles",
    "write_csv",
]

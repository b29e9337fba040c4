"""Evaluation: the four matting metrics, benchmark protocols, and tables of results (paper, section 5)."""

from __future__ import annotations

from lsa_engine.evaluation.metrics import (
    REGION,
    Scores,
    connectivity_error,
    evaluate,
    gradient_error,
    mse,
    sad,
)
from lsa_engine.evaluation.protocols import Case, Row, evaluate_method, evaluate_predictions, find_cases
from lsa_engine.evaluation.report import Mean, means, to_csv, to_json, to_markdown, write_report

__all__ = [
    "REGION",
    "Case",
    "Mean",
    "Row",
    "Scores",
    "connectivity_error",
    "evaluate",
    "evaluate_method",
    "evaluate_predictions",
    "find_cases",
    "gradient_error",
    "means",
    "mse",
    "sad",
    "to_csv",
    "to_json",
    "to_markdown",
    "write_report",
]

"""Figures, each beside its reference of the same run."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, what it is compared with, and what the ratio should be."""

    name: str
    value: float
    reference: float
    target: str

    def __str__(self) -> str:
        ratio = self.value / self.reference
        return f"{self.name}\n    {self.value:,.1f}  against {self.reference:,.1f}: {ratio:.2f} ({self.target})"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def note(text: str) -> None:
    """Progress, kept apart from the figures."""
    print(text, file=sys.stderr, flush=True)

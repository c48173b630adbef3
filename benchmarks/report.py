"""Figures, each beside its reference of the same run."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured and what it is compared with, in pairs of runs that followed each other, and
    what the ratio should be. The machine's speed drifts, so the ratio is taken pair by pair."""

    name: str
    values: Sequence[float]
    references: Sequence[float]
    target: str

    def __str__(self) -> str:
        ratios = [value / reference for value, reference in zip(self.values, self.references, strict=True)]
        value, reference, ratio = map(statistics.median, (self.values, self.references, ratios))
        spread = f", {min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else ""
        return f"{self.name}\n    {value:,.1f}  against {reference:,.1f}: {ratio:.2f} ({self.target}{spread})"


def note(text: str) -> None:
    """Progress, kept apart from the figures."""
    print(text, file=sys.stderr, flush=True)

"""Levels: which named range a score lies in."""

from __future__ import annotations

from collections.abc import Sequence

from leadvibe.scoring.model import Level


def level_of(levels: Sequence[Level], score: int) -> Level | None:
    """The first level whose range, bounds inclusive, holds the score; None: not classified."""
    for level in levels:
        if level.min_score <= score and (level.max_score is None or score <= level.max_score):
            return level
    return None


def level_name(levels: Sequence[Level], score: int) -> str | None:
    level = level_of(levels, score)
    return level.name if level else None

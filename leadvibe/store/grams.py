"""Finding a piece of a text by an index: every text is stored with its pieces of two and three characters.

A search asks for the rows that have all pieces of what it looks for, and then looks at their texts. The
pieces begin with a mark of the unit, so that no unit's search reads another's rows.
"""

from __future__ import annotations

from hashlib import md5


def fold(text: str) -> str:
    """The form in which texts are searched: case does not matter."""
    return text.lower()


def grams(unit_id: str, folded: str) -> list[str]:
    """All pieces of a text that is stored."""
    mark = _mark(unit_id)
    return sorted({mark + folded[i : i + n] for n in (2, 3) for i in range(len(folded) - n + 1)})


def wanted_grams(unit_id: str, folded: str) -> list[str]:
    """The pieces that a text must have to contain this one, of at least two characters."""
    mark, n = _mark(unit_id), min(len(folded), 3)
    return sorted({mark + folded[i : i + n] for i in range(len(folded) - n + 1)})


def _mark(unit_id: str) -> str:
    return md5(unit_id.encode(), usedforsecurity=False).hexdigest()[:4]

"""Ids the server makes: a readable prefix and 26 characters that sort by time."""

from __future__ import annotations

import random
import time
from functools import lru_cache

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Ten bits at once: ids are made for every event.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def new_id(prefix: str) -> str:
    """`new_id("ev")` → `ev_` + 26 base-32 characters: 48 bits of milliseconds, then 80 random bits.

    Unique, but no secret: the random bits can be guessed by whoever sees many ids.
    """
    bits = random.getrandbits(80)
    return (
        f"{prefix}_{_of_time(int(time.time() * 1000))}"
        f"{_PAIRS[bits >> 70]}{_PAIRS[bits >> 60 & 1023]}{_PAIRS[bits >> 50 & 1023]}{_PAIRS[bits >> 40 & 1023]}"
        f"{_PAIRS[bits >> 30 & 1023]}{_PAIRS[bits >> 20 & 1023]}{_PAIRS[bits >> 10 & 1023]}{_PAIRS[bits & 1023]}"
    )


@lru_cache(2)
def _of_time(milliseconds: int) -> str:
    return "".join([_PAIRS[(milliseconds >> shift) & 1023] for shift in range(40, -1, -10)])

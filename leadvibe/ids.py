"""Ids the server makes: a readable prefix and 26 characters that sort by time."""

from __future__ import annotations

import random
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Ten bits at once: ids are made for every event.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)


def new_id(prefix: str) -> str:
    """`new_id("ev")` → `ev_` + 26 base-32 characters: 48 bits of milliseconds, then 80 random bits.

    Unique, but no secret: the random bits can be guessed by whoever sees many ids.
    """
    number = (int(time.time() * 1000) << 80) | random.getrandbits(80)
    return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])

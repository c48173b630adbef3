"""Ids the server makes: a readable prefix and 26 characters that sort by time."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """`new_id("ev")` → `ev_` + 26 base-32 characters: 48 bits of milliseconds, then 80 random bits."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    digits = []
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return prefix + "_" + "".join(reversed(digits))

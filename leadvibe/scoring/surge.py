"""Surge: the later events of a session are worth more."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from leadvibe.scoring.model import Band, SurgePolicy

# The gap that ends a session unless the unit has another session timeout.
IDLE_SECONDS = 1800
# The cap of a custom policy that names none.
CUSTOM_CAP = 2.0

# The presets of the contract. An OU without a stored policy has the standard one.
OFF = SurgePolicy("off", (), IDLE_SECONDS, 1.0)
STANDARD = SurgePolicy(
    "standard", (Band(1, 2, 1.0), Band(3, 5, 1.25), Band(6, 9, 1.5), Band(10, None, 2.0)), IDLE_SECONDS, 2.0
)
GENTLE = SurgePolicy(
    "gentle", (Band(1, 3, 1.0), Band(4, 7, 1.1), Band(8, 14, 1.25), Band(15, None, 1.5)), IDLE_SECONDS, 1.5
)
PRESETS: dict[str, SurgePolicy] = {policy.mode: policy for policy in (OFF, STANDARD, GENTLE)}


def multiplier(policy: SurgePolicy, n: int) -> float:
    """What the n-th event of a session counts for; 1.0 where no band holds n."""
    for band in policy.bands:
        if band.min_events <= n and (band.max_events is None or n <= band.max_events):
            return min(band.multiplier, policy.multiplier_cap)
    return 1.0


@lru_cache(maxsize=4096)  # a unit has a handful of weights and bands, and decimals take microseconds
def boosted(weight: int, factor: float) -> int:
    """weight × factor in whole points, half away from zero; a weight ≤ 0 is never multiplied."""
    if weight <= 0 or factor == 1.0:
        return weight
    # As decimals: 10 × 1.15 is 11.5, which no binary fraction says.
    return int((weight * Decimal(str(factor))).quantize(Decimal(1), ROUND_HALF_UP))

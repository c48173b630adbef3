"""What limits the requests of a caller."""

from __future__ import annotations

from dataclasses import dataclass

from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`mode` is off, observe or enforce; `key` is what the caller's requests are counted by, of the kind `key_by`:
    org, ou, client or ip. The key's bucket holds `burst` requests and gets `rps` a second. `stage` names the
    deployment."""

    enabled: bool
    mode: str
    key_by: str
    key: str
    rps: float
    burst: int
    stage: str


@operation(Permission.MEMBER)
async def get_rate_limit(context: Context) -> RateLimit:
    """The limit that counts this very request, too."""
    settings = context.services.settings
    return RateLimit(
        enabled=context.services.limiter.enabled,
        mode=settings.rate_limit_mode,
        key_by=settings.rate_limit_key,
        key=context.rate_key(context.caller),
        rps=settings.rate_limit_rps,
        burst=settings.rate_limit_burst,
        stage=settings.stage,
    )

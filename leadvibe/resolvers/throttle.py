"""Bounds how often a password or a link is tried, over all processes.

One address may try one account a few times, and all accounts together some times more. Nobody can lock
an account for others: the count of an account is that of one address.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from leadvibe.errors import ApiError
from leadvibe.resolvers.context import Context
from leadvibe.store import proofs

WINDOW = timedelta(minutes=15)
_BY_ADDRESS_AND_ACCOUNT = 5
_BY_ADDRESS = 50


class Attempt:
    """One try, counted before it is known how it ends: many at once are no way around the bound."""

    def __init__(self, context: Context, what: str, account: str) -> None:
        address = _network(context.ip)
        self._pool = context.services.database.pool
        self._bounds = {
            f"{what} {address} {account.strip().lower()}": _BY_ADDRESS_AND_ACCOUNT,
            f"{what} {address}": _BY_ADDRESS,
        }

    async def begin(self) -> None:
        """Counts the try; 429 when there were too many."""
        now = datetime.now(UTC)
        for key, most in self._bounds.items():
            attempts, since = await proofs.attempted(self._pool, key, WINDOW, now)
            if attempts > most:
                wait = max(1, math.ceil((since + WINDOW - now).total_seconds()))
                raise ApiError(
                    429, "too_many_attempts", f"Too many attempts; try again in {wait} seconds.", retry_after=wait
                )

    async def succeeded(self) -> None:
        """Forgets the tries of this account, and this one of the address."""
        by_account, by_address = self._bounds
        await proofs.forgiven(self._pool, by_account, None)
        await proofs.forgiven(self._pool, by_address, 1)


def _network(ip: str) -> str:
    """The address, or the /64 network that one owner of IPv6 addresses has at least."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or int(address) >> 64)
    return ip

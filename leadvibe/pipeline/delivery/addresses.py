"""Which addresses messages may go to: a receiver's name must not lead into the operator's own network."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from leadvibe.pipeline.delivery.sender import Failed, Refused

# What leads to other addresses: NAT64, 6to4 and its relays, Teredo; and site-local, of which ipaddress says nothing.
_DETOURS = [
    ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.88.99.0/24", "fec0::/10")
]

# Threads of our own: the loop has four for names, and a name server that never answers would hold them all.
_RESOLVERS = ThreadPoolExecutor(256, "resolve")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a single host of the Internet: global, and no way around to another address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return (
        address.is_global
        and not (address.is_private or address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address.version == network.version and address in network for network in _DETOURS)
    )


async def resolve(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses of a host, to connect to these very ones: asked again, the name could lead elsewhere.

    Refused when one of them is not public; Failed when the name leads nowhere.
    """
    try:
        found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, _lookup, host, port)
    except (socket.gaierror, UnicodeError) as error:
        raise Failed(f"The name {host} has no address: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not allow_private and not is_public(ip_address(address)):
            raise Refused(f"{host} has the address {address}, which is not a public one.")
    return addresses


def _lookup(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

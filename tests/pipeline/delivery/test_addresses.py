"""No name and no spelling of an address leads a message into the operator's own network."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.config import Settings
from leadvibe.pipeline.delivery.addresses import is_public, resolve
from leadvibe.pipeline.delivery.posting import Poster
from leadvibe.pipeline.delivery.sender import Failed, Refused
from tests.pipeline.delivery.receiver import OK, receiver

V4 = st.one_of(
    st.ip_addresses(v=4),
    st.sampled_from(
        ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
    ).flatmap(lambda network: st.ip_addresses(network=network)),
)
V6 = st.one_of(
    st.ip_addresses(v=6),
    st.sampled_from(["fc00::/7", "fe80::/10", "ff00::/8", "::/96", "2001:db8::/32", "2606:4700::/32"]).flatmap(
        lambda network: st.ip_addresses(network=network)
    ),
)


@given(V4)
def test_ipv4_is_public_as_ipaddress_says(address: IPv4Address) -> None:
    relay = address in ip_network("192.88.99.0/24")
    assert is_public(address) == (address.is_global and not address.is_multicast and not relay)


@given(V6)
def test_what_ipaddress_calls_special_is_never_public(address: IPv6Address) -> None:
    special = (
        not address.is_global
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_site_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    if special:
        assert address.ipv4_mapped is not None or not is_public(address)


@given(V4)
def test_an_embedded_address_is_no_way_around(address: IPv4Address) -> None:
    number = int(address)
    assert is_public(IPv6Address((0xFFFF << 32) + number)) == is_public(address)  # ::ffff:a.b.c.d
    for around in ((0x64FF9B << 96) + number, (0x2002 << 112) + (number << 80), number):  # NAT64, 6to4, ::a.b.c.d
        assert not is_public(IPv6Address(around))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "255.255.255.255",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
    ],
)
def test_these_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_these_are(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1", "0", "[::ffff:127.0.0.1]"]
)
async def test_nothing_is_posted_to_this_machine(host: str) -> None:
    """The spellings are those that the system's resolver understands."""
    poster = Poster(1, allow_private=False)
    async with receiver(OK) as there:
        with pytest.raises(Refused, match="not a public one"):
            await poster.post(f"http://{host}:{there.port}/", b"{}", {})
        assert there.requests == []
    await poster.close()


async def test_one_private_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        await resolve("mixed.example", 80, allow_private=False)


async def test_the_name_is_asked_once_and_the_answer_is_where_the_message_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that answers differently the second time gains nothing."""
    asked = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    poster = Poster(1, allow_private=True)
    async with receiver(OK) as there:
        monkeypatch.setattr(socket, "getaddrinfo", answer)
        await poster.post(f"http://hooks.example:{there.port}/", b"{}", {})
    monkeypatch.undo()
    await poster.close()
    assert asked == ["hooks.example"]
    assert there.requests[0].headers["host"] == f"hooks.example:{there.port}"


async def test_a_name_without_an_address_may_have_one_later() -> None:
    with pytest.raises(Failed):
        await resolve("nowhere.invalid", 443, allow_private=False)


def test_private_addresses_are_refused_unless_the_operator_allows_them(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).allow_private_webhooks is False

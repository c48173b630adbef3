"""HTTP POST to a receiver that a user named: to a checked address, without redirects, within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from leadvibe.pipeline.delivery.addresses import resolve
from leadvibe.pipeline.delivery.sender import Failed, Refused

_PORTS = {"http": 80, "https": 443}


class Poster:
    """Posts to any receiver. Each message has a connection of its own, so that none meets a stale one."""

    def __init__(self, timeout_seconds: float, allow_private: bool) -> None:
        self._timeout = timeout_seconds
        self._allow_private = allow_private
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,  # a proxy would ask for addresses anew
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Returns the status, which is 2xx. Failed: network errors, 408, 429 and 5xx; Refused: every other answer, and
        URLs that lead to no public address."""
        target = _parsed(url)
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._connected(target, body, headers)
        except TimeoutError:
            raise Failed(f"There was no answer within {self._timeout:g} seconds.") from None
        except httpx.InvalidURL as error:
            raise Refused(f"The URL is none: {error}") from None
        except httpx.HTTPError as error:
            raise Failed(f"The connection failed: {error or type(error).__name__}") from None
        _judge(response)
        return response.status_code

    async def _connected(self, target: httpx.URL, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        port = target.port or _PORTS[target.scheme]
        addresses = await resolve(target.host, port, self._allow_private)
        for i, address in enumerate(addresses):
            try:
                return await self._send(target, address, body, headers)
            except httpx.ConnectError:
                if i == len(addresses) - 1:
                    raise
        raise Failed(f"The name {target.host} has no address.")

    async def _send(self, target: httpx.URL, address: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Goes to the address, and speaks to the host: in the header, and in the handshake of TLS."""
        own = {"Host": target.netloc.decode("ascii"), "Content-Type": "application/json", "User-Agent": "Leadvibe"}
        request = self._client.build_request(
            "POST",
            target.copy_with(host=address),
            content=body,
            headers=own | dict(headers),
            extensions={"sni_hostname": target.raw_host.decode("ascii")},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()  # the status says all; a body could go on for ever
        return response


def _parsed(url: str) -> httpx.URL:
    if any(character.isspace() for character in url):
        raise Refused("The URL is none: it has a space.")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Refused(f"The URL is none: {error}") from None
    if parsed.scheme not in _PORTS or not parsed.host:
        raise Refused("The URL is not one of http:// or https://.")
    return parsed


def _judge(response: httpx.Response) -> None:
    code = response.status_code
    if response.is_success:
        return
    reason = f"The receiver answered {code}."
    if code in (408, 429) or code >= 500:
        raise Failed(reason, _retry_after(response.headers.get("retry-after")), code)
    raise Refused(
        f"The receiver redirects ({code}); that is not followed." if response.has_redirect_location else reason, code
    )


def _retry_after(header: str | None) -> float | None:
    """Seconds from now, of either form of the header; None when it is missing or says nothing."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())

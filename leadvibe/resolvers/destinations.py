"""Where triggers send their messages: what every kind of trigger asks of its addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from leadvibe.errors import bad_request

_MOST_EMAILS = 50


def check_destinations(row: Any) -> None:
    """400 unless the webhook is a URL and every address one that any mail server takes (its domain may have any
    letters), of which there may be 50."""
    if row.webhook_url and not _is_url(row.webhook_url):
        raise bad_request("The webhook is no URL.", webhook_url="must be a URL that begins with http:// or https://")
    if len(row.emails or ()) > _MOST_EMAILS:
        raise bad_request("Too many addresses.", emails=f"must have at most {_MOST_EMAILS} entries")
    for address in row.emails or ():
        try:
            validate_email(address, check_deliverability=False, test_environment=True, allow_smtputf8=False)
        except EmailNotValidError:
            raise bad_request(f"{address[:80]} is no e-mail address.", emails="must be e-mail addresses") from None


def _is_url(text: str) -> bool:
    """Whether it names a scheme that is posted to, and a host. Which addresses that has is seen when it is sent."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and text.isprintable() and " " not in text


def has_destination(row: Any) -> bool:
    """Whether it names any."""
    return any((row.webhook_url, row.emails, row.slack_target_id, row.teams_target_id))

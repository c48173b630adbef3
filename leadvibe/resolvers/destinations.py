"""Where triggers send their messages: what every kind of trigger asks of its addresses."""

from __future__ import annotations

from typing import Any

from email_validator import EmailNotValidError, validate_email

from leadvibe.errors import bad_request

_MOST_EMAILS = 50


def check_destinations(row: Any) -> None:
    """400 unless the webhook is a URL and every address one of e-mail, of which there may be 50."""
    if row.webhook_url and not row.webhook_url.startswith(("http://", "https://")):
        raise bad_request("The webhook is no URL.", webhook_url="must begin with http:// or https://")
    if len(row.emails or ()) > _MOST_EMAILS:
        raise bad_request("Too many addresses.", emails=f"must have at most {_MOST_EMAILS} entries")
    for address in row.emails or ():
        try:
            validate_email(address, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            raise bad_request(f"{address[:80]} is no e-mail address.", emails="must be e-mail addresses") from None


def has_destination(row: Any) -> bool:
    """Whether it names any."""
    return any((row.webhook_url, row.emails, row.slack_target_id, row.teams_target_id))

"""E-mail over SMTP, by the settings LEADVIBE_SMTP_* and LEADVIBE_MAIL_FROM."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr

import aiosmtplib
from email_validator import validate_email

from leadvibe.config import Settings


class MailRefused(Exception):
    """The mail will never be taken, or there is no server to give it to."""


class MailFailed(Exception):
    """The server could not be reached, or said that another try may succeed."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in two forms. The same `message_id` (the part before the @) marks the same message."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mailer:
    """Gives mails to the configured server, one connection for each."""

    settings: Settings

    async def send(self, mail: Mail) -> None:
        """Returns when the server has taken the mail for at least one receiver; raises MailRefused or MailFailed."""
        settings = self.settings
        if settings.smtp_host is None:
            raise MailRefused("No mail server is set (LEADVIBE_SMTP_HOST).")
        message = self._message(mail)
        try:
            await aiosmtplib.send(
                message,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username,
                password=settings.smtp_password,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=settings.delivery_timeout_seconds,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [each.code for each in error.recipients]
            reason = "; ".join(f"{each.code} {each.message}" for each in error.recipients)
            raise (MailRefused if all(code >= 500 for code in codes) else MailFailed)(reason) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise MailFailed(f"The mail server does not know us: {error.code} {error.message}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise (MailRefused if error.code >= 500 else MailFailed)(f"{error.code} {error.message}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailFailed(f"The mail server failed: {error}") from None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(SMTP)
        try:
            name, sender = parseaddr(self.settings.mail_from)
            message["From"] = Address(display_name=name, addr_spec=sender)
            message["To"] = tuple(Address(addr_spec=_ascii(each)) for each in mail.to)
        except (ValueError, IndexError, HeaderParseError) as error:
            raise MailRefused(f"An address is none: {error}") from None
        # A line break would begin a header of its own.
        message["Subject"] = " ".join(mail.subject.split())
        message["Date"] = format_datetime(datetime.now(UTC))
        domain = sender.rpartition("@")[2]
        message["Message-ID"] = f"<{mail.message_id}@{domain}>" if mail.message_id else make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def _ascii(address: str) -> str:
    """The address as every server takes it, its domain in the letters of the DNS; ValueError when it has none."""
    if address.isascii():
        return address
    found = validate_email(address, check_deliverability=False, test_environment=True).ascii_email
    if found is None:
        raise ValueError(f"{address} has other letters than those of ASCII before its @.")
    return found

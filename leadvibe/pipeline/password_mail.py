"""Mails the links by which members set their passwords.

A link waits in its table until it is mailed, so that a process that dies, or a mail server that is away,
loses none. Its secret is made for the mail and nowhere kept: another try makes another one.
"""

from __future__ import annotations

import html
import logging
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import Update
from sqlmodel import col, delete, update

from leadvibe.config import Settings
from leadvibe.mail import Mail, Mailer, MailFailed, MailRefused
from leadvibe.store import proofs
from leadvibe.store.access_tables import PasswordLink
from leadvibe.store.database import Database
from leadvibe.store.tables import Member, Organisation

INVITATION, RESET = "invitation", "reset"
LIFE = {INVITATION: timedelta(days=7), RESET: timedelta(hours=1)}

# Longer than a mail server may take to answer, with all timeouts.
_LEASE = timedelta(minutes=5)

_log = logging.getLogger(__name__)


async def send_due(database: Database, settings: Settings, now: datetime, of: str | None = None) -> int:
    """Mails what is due, of all members or of one; how many are done with. A failed one is due again."""
    async with database.session() as session, session.begin():
        links = await proofs.claim_links(session, now, _LEASE, of)
    sent = 0
    for link in links:
        sent += await _send(database, settings, link)
    return sent


async def forget_expired(database: Database, now: datetime) -> None:
    """Removes the links that nobody used in time."""
    async with database.session() as session, session.begin():
        await session.exec(delete(PasswordLink).where(col(PasswordLink.expires_at) <= now))


async def _send(database: Database, settings: Settings, link: PasswordLink) -> bool:
    token = secrets.token_urlsafe(32)
    async with database.session() as session, session.begin():
        member = await session.get(Member, link.org_member_id)
        if member is None:
            return False
        org = await session.get(Organisation, member.org_id)
        assert org is not None
        await session.exec(_of(link).values(token_hash=proofs.digest(token)))
    due_at = await _try(settings, link, _mail(settings, link.purpose, member, org, token))
    # A link that was asked for anew meanwhile is no longer this one.
    async with database.session() as session, session.begin():
        await session.exec(_of(link).values(due_at=due_at))
    return due_at is None


async def _try(settings: Settings, link: PasswordLink, mail: Mail) -> datetime | None:
    """When to try again; None when the mail was taken or never will be."""
    try:
        await Mailer(settings).send(mail)
    except MailFailed as error:
        _log.warning("The %s of %s is not mailed yet: %s", link.purpose, link.org_member_id, error)
        return datetime.now(UTC) + timedelta(minutes=2**link.attempts)
    except MailRefused as error:
        _log.error("The %s of %s cannot be mailed: %s", link.purpose, link.org_member_id, error)
    return None


def _of(link: PasswordLink) -> Update:
    mine = update(PasswordLink).where(col(PasswordLink.org_member_id) == link.org_member_id)
    mine = mine.where(col(PasswordLink.purpose) == link.purpose)
    return mine.where(col(PasswordLink.created_at) == link.created_at)


def _mail(settings: Settings, purpose: str, member: Member, org: Organisation, token: str) -> Mail:
    # Behind the # it reaches no log of a proxy and no Referer.
    link = f"{settings.own_url}/auth/password/page#{token}"
    hello = f"Hello {member.first_name}," if member.first_name else "Hello,"
    if purpose == INVITATION:
        subject = f"You are invited to {org.name} on Leadvibe"
        why = f"you are now a member of {org.name} on Leadvibe. Set your password within 7 days:"
        end = "Until then nothing else is needed. If you expected no invitation, ignore this mail."
    else:
        subject = "Set a new Leadvibe password"
        why = "somebody, probably you, asked for a new Leadvibe password. Set it within one hour:"
        end = "If it was not you, ignore this mail: your password stays as it is."
    text = f"{hello}\n\n{why}\n\n{link}\n\nThe link works once. {end}\n"
    page = (
        f'<p>{html.escape(hello)}</p><p>{html.escape(why)}</p><p><a href="{html.escape(link)}">Set the password</a></p>'
    )
    return Mail((member.email,), subject, text, f"{page}<p>The link works once. {html.escape(end)}</p>")

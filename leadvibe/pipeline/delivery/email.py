"""E-mails that tell of a firing: the trigger's own words, then the facts of the lead."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, select_autoescape

from leadvibe.mail import Mail, Mailer, MailFailed, MailRefused
from leadvibe.pipeline.delivery.facts import facts, filled, headline
from leadvibe.pipeline.delivery.sender import Failed, Message, Refused
from leadvibe.pipeline.delivery.why import reason
from leadvibe.store.database import Database

_TEMPLATES = Environment(
    loader=PackageLoader("leadvibe"), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True
)


class EmailSender:
    def __init__(self, mailer: Mailer, database: Database) -> None:
        self._mailer = mailer
        self._database = database

    async def send(self, delivery: Message) -> None:
        try:
            await self._mailer.send(mail_of(delivery, await reason(self._database, delivery)))
        except MailRefused as error:
            raise Refused(str(error)) from None
        except MailFailed as error:
            raise Failed(str(error)) from None


def mail_of(delivery: Message, why: str | None) -> Mail:
    """The mail of a delivery. Its Message-ID is the delivery's, so that one that comes twice is known again."""
    target, payload = delivery.target, delivery.payload
    subject, preheader, message = (
        filled(target.get(name) or "", payload) for name in ("subject", "preheader", "message")
    )
    title = headline(payload)
    values = {"headline": title, "preheader": preheader, "message": message, "facts": facts(payload, why)}
    return Mail(
        to=tuple(target["to"]),
        subject=subject or title,
        text=_TEMPLATES.get_template("firing.txt").render(values),
        html=_TEMPLATES.get_template("firing.html").render(values),
        message_id=delivery.delivery_id,
    )

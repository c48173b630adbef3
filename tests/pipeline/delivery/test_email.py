"""E-mails over a real SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import orjson
import pytest
from aiosmtpd.smtp import SMTP

from leadvibe.config import Settings
from leadvibe.mail import Mail, Mailer, MailRefused
from leadvibe.store.database import Database
from tests.pipeline.delivery.outboxes import REASON, attempts, delivering, enqueue, message, milestone, until_status
from tests.pipeline.delivery.receiver import OK, receiver


class Post:
    """Takes mails; answers with the next of `says` while there are some, and refuses bad@."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.receivers: list[list[str]] = []
        self.says: list[str] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("bad@"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(cast(EmailMessage, message_from_bytes(envelope.content, policy=default)))
        self.receivers.append(envelope.rcpt_tos)
        return self.says.pop(0) if self.says else "250 OK"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
async def mailing(post: Post, settings: Settings) -> AsyncIterator[Settings]:
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(post), "127.0.0.1", 0)
    yield settings.model_copy(
        update={
            "smtp_host": "127.0.0.1",
            "smtp_port": server.sockets[0].getsockname()[1],
            "smtp_security": "none",
            "mail_from": "Leadvibe <news@leadvibe.example>",
        }
    )
    server.close()


def mail(*to: str, **target: Any) -> Any:
    return message("email", {"to": list(to), "subject": None, "preheader": None, "message": None} | target)


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


async def test_a_mail_tells_of_the_lead_behind_the_triggers_own_words(
    database: Database, mailing: Settings, unit: str, post: Post
) -> None:
    words = {
        "subject": "{{trigger_name}}: {{lead_email}} has {{score}} of {{ score_threshold }} {{nothing}}",
        "preheader": "Call {{lead_id}}",
        "message": "They did <b>{{event_type}}</b>.\nHurry!",
    }
    async with delivering(database, mailing):
        await enqueue(database, unit, mail("ada@acme.example", **words))
        (row,) = await until_status(database, unit, "delivered")
    (got,) = post.mails
    assert got["Subject"] == "Hot lead: jane@acme.example has 82 of 75 {{nothing}}"
    assert (got["To"], got["From"]) == ("ada@acme.example", "Leadvibe <news@leadvibe.example>")
    assert got["Message-ID"] == f"<{row['delivery_id']}@leadvibe.example>"
    text, html = parts(got)
    assert text.index("They did <b>demo_request</b>.") < text.index("job_title: VP Sales")
    assert "&lt;b&gt;demo_request&lt;/b&gt;" in html
    assert html.index("Call ld_1") < html.index("Hurry!") < html.index("VP Sales")


async def test_a_mail_and_a_message_in_teams_say_why(database: Database, mailing: Settings, post: Post) -> None:
    async with receiver(OK) as teams, delivering(database, mailing):
        place = await milestone(database, emails=["ada@acme.example"], teams_target_id=teams.url)
        await place.work()
        await until_status(database, place.unit_id, "delivered")
    ((got,), (request,)) = post.mails, teams.requests
    assert all(REASON in part for part in parts(got))
    (attachment,) = orjson.loads(request.body)["attachments"]
    title, shown = attachment["content"]["body"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert title["text"] == "\\[Hot lead\\] ld_1 reached 41"
    assert {"title": "Why", "value": REASON} in shown["facts"]


async def test_each_receiver_has_a_mail_of_its_own(
    database: Database, mailing: Settings, unit: str, post: Post
) -> None:
    async with delivering(database, mailing):
        await enqueue(database, unit, mail("bad@acme.example", "ada@acme.example", "ben@acme.example"))
        found = await until_status(database, unit, "delivered", "dead")
    assert {tuple(row["target"]["to"]): row["status"] for row in found} == {
        ("bad@acme.example",): "dead",
        ("ada@acme.example",): "delivered",
        ("ben@acme.example",): "delivered",
    }
    assert sorted(post.receivers) == [["ada@acme.example"], ["ben@acme.example"]]
    assert any("550" in row["error"] for row in found if row["error"])


async def test_a_busy_server_gets_the_same_mail_again(
    database: Database, mailing: Settings, unit: str, post: Post
) -> None:
    post.says = ["451 Later", "421 Not now"]
    async with delivering(database, mailing):
        await enqueue(database, unit, mail("ada@acme.example"))
        (row,) = await until_status(database, unit, "delivered")
    assert len({got["Message-ID"] for got in post.mails}) == 1
    assert [entry["outcome"] for entry in await attempts(database, row["delivery_id"])] == [
        "failed",
        "failed",
        "delivered",
    ]


async def test_what_leads_say_of_themselves_is_only_text(
    database: Database, mailing: Settings, unit: str, post: Post
) -> None:
    evil = {"name": "Eve\r\nBcc: all@acme.example\r\n\r\n<script>alert(1)</script>", "x": "{{score}} {% raw %}"}
    async with delivering(database, mailing):
        await enqueue(database, unit, message("email", {"to": ["ada@acme.example"]}, metadata=evil, lead_id="ld\n1"))
        await until_status(database, unit, "delivered")
    (got,) = post.mails
    assert got["Bcc"] is None
    assert "\n" not in got["Subject"]
    assert post.receivers == [["ada@acme.example"]]
    text, html = parts(got)
    assert "<script>" not in html
    assert "{{score}} {% raw %}" in text
    assert "{{score}} {% raw %}" in html


async def test_without_a_server_a_mail_is_refused_and_says_why(
    database: Database, settings: Settings, unit: str
) -> None:
    async with delivering(database, settings):
        await enqueue(database, unit, mail("ada@acme.example"))
        (row,) = await until_status(database, unit, "dead")
    assert "LEADVIBE_SMTP_HOST" in row["error"]


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: c@d", "a@b, c@d", "jörg@acme.example", "é@"])
async def test_an_address_that_is_none_is_refused(mailing: Settings, post: Post, address: str) -> None:
    with pytest.raises(MailRefused):
        await Mailer(mailing).send(Mail((address,), "Subject", "text", "<p>html</p>"))
    assert post.mails == []


async def test_a_domain_may_have_any_letters(mailing: Settings, post: Post) -> None:
    await Mailer(mailing).send(Mail(("ada@straße.test",), "Subject", "text", "<p>html</p>"))
    assert post.receivers == [["ada@xn--strae-oqa.test"]]

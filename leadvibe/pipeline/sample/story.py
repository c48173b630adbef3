"""What happens in the story: 90 days of visits, mails, webinars, trials and orders, and some robots.

The same number tells the same story, shifted to end now. Pure: no clock, no ids but the story's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from leadvibe.pipeline.events import normalise_alias
from leadvibe.pipeline.sample import cast
from leadvibe.pipeline.sample.cast import Company, Person

DAYS = 90
_COMPANIES = 40
_PARTS = {"buyer": 28, "evaluator": 66, "reader": 110, "lapsed": 80, "bot": 16}

# Of a part: how many visits, the days (of the story) in which they begin, and how many events each has.
_VISITS = {
    "buyer": ((8, 13), (5, 90), (3, 7)),
    "evaluator": ((3, 6), (15, 90), (2, 6)),
    "reader": ((2, 5), (0, 90), (1, 4)),
    "lapsed": ((3, 6), (0, 45), (2, 5)),
}
# What a visitor of a part does, by how often.
_ACTS = {
    "buyer": {
        "page_view": 30, "pricing_view": 12, "product_login": 14, "email_open": 10, "email_click": 8,
        "content_download": 6, "webinar_attended": 3, "demo_request": 3, "trial_started": 2, "meeting_booked": 2,
        "slack_community_post": 3,
    },
    "evaluator": {
        "page_view": 40, "pricing_view": 8, "email_open": 12, "email_click": 7, "content_download": 5,
        "webinar_registered": 4, "webinar_attended": 2, "demo_request": 1, "slack_community_post": 1,
    },
    "reader": {"page_view": 50, "email_open": 20, "email_click": 6, "content_download": 3, "email_unsubscribe": 1},
    "lapsed": {"page_view": 40, "email_open": 15, "content_download": 6, "webinar_registered": 4, "pricing_view": 3},
}  # fmt: skip
_PAGES = ("/", "/product", "/customers", "/blog/lead-scoring", "/blog/abm-guide", "/integrations", "/docs")
_SOURCES = ("google", "linkedin", "newsletter", "partner", "direct")
_CONTENTS = ("Lead scoring handbook", "Benchmark report", "ROI calculator")
_WEBINARS = ("Scoring in practice", "From signal to meeting")
_BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15"
_ROBOT = "HeadlessChrome/124.0"


class Happening(NamedTuple):
    """An event before it is scored. `aliases`: (kind, raw value) each."""

    at: datetime
    lead_id: str
    event_type: str
    metadata: dict[str, Any]
    aliases: tuple[tuple[str, str], ...] = ()


class Purchase(NamedTuple):
    """An order of a lead."""

    order_id: str
    lead_id: str
    amount: Decimal
    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """`events` and `orders` in the order of their times, from `begins`, a midnight, to before `ends`."""

    begins: datetime
    ends: datetime
    companies: list[Company]
    people: list[Person]
    events: list[Happening]
    orders: list[Purchase]

    def days(self) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
        """When each day ends, and its events as the queue has them; accepted when they happened."""
        rows: list[list[dict[str, Any]]] = [[] for _ in range(DAYS + 1)]
        for number, event in enumerate(self.events, 1):
            rows[(event.at - self.begins).days].append(_row(number, event))
        for day, of_day in enumerate(rows, 1):
            yield min(self.begins + timedelta(days=day), self.ends), of_day


def tell(number: int, now: datetime) -> Story:
    """The story of this number. `now` is in UTC."""
    random = Random(number)  # noqa: S311  (no secret)
    companies = cast.companies(random, _COMPANIES)
    people = cast.people(random, companies, _PARTS)
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    events = [event for person in people for event in _life(random, person, begins) if event.at < now]
    events.sort(key=lambda event: (event.at, event.lead_id))
    orders = [order for order in _purchases(random, people, begins) if order.at < now]
    return Story(begins, now, companies, people, events, orders)


def _row(number: int, event: Happening) -> dict[str, Any]:
    return {
        "event_id": f"ev_sample_{number:05}",
        "lead_id": event.lead_id,
        "aliases": [[kind, raw, normalise_alias(kind, raw)] for kind, raw in event.aliases],
        "event_type": event.event_type,
        "occurred_at": event.at,
        "received_at": event.at,
        "metadata": event.metadata,
        "skip_triggers": False,
    }


def _life(random: Random, person: Person, begins: datetime) -> Iterator[Happening]:
    if person.part == "bot":
        yield from _crawl(random, person, begins)
        return
    visits, (first, last), length = _VISITS[person.part]
    days = sorted(random.randint(first, last) for _ in range(random.randint(*visits)))
    known_from = random.randrange(2)  # a form in the first visit, or in the second
    for number, day in enumerate(days):
        at = begins + timedelta(days=day, hours=random.uniform(7, 18))
        yield from _visit(random, person, at, random.randint(*length), number, known_from)
        if number == known_from:
            yield _form(person, at - timedelta(minutes=1))
    if person.part == "buyer":
        yield from _surge(random, person, begins)


def _visit(
    random: Random, person: Person, at: datetime, length: int, number: int, known_from: int
) -> Iterator[Happening]:
    """Some events of one sitting."""
    acts = _ACTS[person.part]
    cookie = (("cookie", f"ck-{person.lead_id[3:]}"),)
    source = random.choice(_SOURCES)
    for act in random.choices(list(acts), list(acts.values()), k=length):
        kind = "page_view" if number < known_from and not act.startswith("page") else act
        yield Happening(at, person.lead_id, kind, _metadata(random, kind, source), cookie if number == 0 else ())
        at += timedelta(seconds=random.uniform(20, 240))


def _metadata(random: Random, event_type: str, utm_source: str) -> dict[str, Any]:
    match event_type:
        case "page_view":
            return {"path": random.choice(_PAGES), "utm_source": utm_source, "user_agent": _BROWSER}
        case "pricing_view":
            return {"path": "/pricing", "utm_source": utm_source, "user_agent": _BROWSER}
        case "email_open" | "email_click" | "email_unsubscribe":
            return {"campaign": f"nurture-{random.randint(1, 6)}"}
        case "content_download":
            return {"title": random.choice(_CONTENTS)}
        case "webinar_registered" | "webinar_attended":
            return {"webinar": random.choice(_WEBINARS), "minutes": random.randint(10, 60)}
        case "meeting_booked":
            return {"channel": "crm", "with": "Account executive"}
        case "product_login":
            return {"workspace": "trial"}
        case _:
            return {"utm_source": utm_source}


def _form(person: Person, at: datetime) -> Happening:
    """Whoever fills in a form tells a name; the visits before become that person's."""
    aliases = [("cookie", f"ck-{person.lead_id[3:]}"), ("email", person.email)]
    if person.phone is not None:
        aliases.append(("phone", person.phone))
    return Happening(at, person.lead_id, "form_submit", {"form": "newsletter", **person.properties}, tuple(aliases))


def _surge(random: Random, person: Person, begins: datetime) -> Iterator[Happening]:
    """A buying committee's afternoon: many pages in a short time."""
    at = begins + timedelta(days=random.randint(50, 88), hours=random.uniform(12, 16))
    for _ in range(random.randint(9, 14)):
        kind = random.choice(("page_view", "page_view", "pricing_view"))
        yield Happening(at, person.lead_id, kind, _metadata(random, kind, "direct"))
        at += timedelta(seconds=random.uniform(40, 110))


def _crawl(random: Random, person: Person, begins: datetime) -> Iterator[Happening]:
    """A robot fetches page after page; mail scanners open what nobody reads."""
    cookie = (("cookie", f"bot-{person.lead_id[3:]}"),)
    for day in random.sample(range(DAYS - 1), 2):
        at = begins + timedelta(days=day, hours=random.uniform(0, 23))
        event_type = random.choice(("page_view", "page_view", "email_open"))
        for _ in range(random.randint(15, 40)):
            metadata = {"path": random.choice(_PAGES), "user_agent": _ROBOT}
            yield Happening(at, person.lead_id, event_type, metadata, cookie)
            at += timedelta(milliseconds=random.randint(100, 900))


def _purchases(random: Random, people: list[Person], begins: datetime) -> Iterator[Purchase]:
    buyers = [person for person in people if person.part == "buyer" and random.random() < 0.6]
    times = sorted(begins + timedelta(days=random.uniform(30, 89)) for _ in buyers)
    for number, (person, at) in enumerate(zip(buyers, times, strict=True), 1):
        amount = Decimal(random.choice((490, 990, 2_400, 4_900, 12_000)))
        status = random.choice(("paid", "paid", "paid", "pending", "refunded"))
        yield Purchase(f"SO-{1000 + number}", person.lead_id, amount, status, at)

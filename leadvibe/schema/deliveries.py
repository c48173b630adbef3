"""Deliveries: what triggers told whom, and how that went."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import deliveries
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.selections import reading
from leadvibe.schema.triggers import Firing
from leadvibe.store import delivery_log, delivery_tables, outbox, webhook_secrets
from leadvibe.store.delivery_log import DeliveryFilter, LoggedDelivery

Id = Annotated[strawberry.ID, strawberry.argument(description="The delivery.")]


@strawberry.enum(description="How far a delivery is.")
class DeliveryStatus(Enum):
    WAITING = strawberry.enum_value("waiting", description="It will be tried, for the first time or again.")
    SENDING = strawberry.enum_value("sending", description="It is being sent.")
    DELIVERED = strawberry.enum_value("delivered", description="The receiver has taken it.")
    DEAD = strawberry.enum_value("dead", description="It was refused, or failed too often.")


@strawberry.enum(description="The way a message goes.")
class DeliveryChannel(Enum):
    WEBHOOK = strawberry.enum_value("webhook", description="POST to a URL.")
    EMAIL = strawberry.enum_value("email", description="An e-mail.")
    SLACK = strawberry.enum_value("slack", description="A message in Slack.")
    TEAMS = strawberry.enum_value("teams", description="A message in Microsoft Teams.")


@strawberry.enum(description="How a try ended.")
class AttemptOutcome(Enum):
    DELIVERED = strawberry.enum_value("delivered", description="The receiver has taken the message.")
    FAILED = strawberry.enum_value("failed", description="Another try may succeed.")
    REFUSED = strawberry.enum_value("refused", description="Another try would be no use.")


@strawberry.type(description="A try to deliver a message.")
class DeliveryAttempt:
    number: int = strawberry.field(description="1 for the first.")
    started_at: datetime = strawberry.field(description="When it began.")
    seconds: float = strawberry.field(description="How long it took.")
    outcome: AttemptOutcome = strawberry.field(description="How it ended.")
    status_code: int | None = strawberry.field(description="The HTTP status of the receiver's answer.")
    error: str | None = strawberry.field(description="Why it did not succeed.")

    @classmethod
    def of(cls, row: delivery_tables.DeliveryAttempt) -> DeliveryAttempt:
        return cls(
            number=row.number,
            started_at=row.started_at,
            seconds=row.seconds,
            outcome=AttemptOutcome(row.outcome),
            status_code=row.status_code,
            error=row.error,
        )


@strawberry.type(description="A message of a trigger to one receiver. At least once, and always under the same id.")
class Delivery:
    id: strawberry.ID = strawberry.field(description="Its id.")
    firing_id: strawberry.ID = strawberry.field(description="The firing; the `webhook-id` of its webhooks.")
    trigger_type: str = strawberry.field(description="What fired, such as milestone.entered.")
    channel: DeliveryChannel = strawberry.field(description="The way it goes.")
    destination: str = strawberry.field(description="Where: scheme, host and port, an address, or a channel.")
    payload: dict[str, Any] = strawberry.field(
        description="The webhook's body; other channels tell the same in their words."
    )
    status: DeliveryStatus = strawberry.field(description="How far it is.")
    attempt_count: int = strawberry.field(description="How many tries there were, those broken off included.")
    status_code: int | None = strawberry.field(description="The HTTP status of the last try.")
    error: str | None = strawberry.field(description="Why the last try did not succeed.")
    created_at: datetime = strawberry.field(description="When the trigger fired.")
    next_attempt_at: datetime | None = strawberry.field(description="When it is tried next; null when it is not.")
    finished_at: datetime | None = strawberry.field(description="When it was delivered or given up.")
    attempts: list[DeliveryAttempt] = strawberry.field(description="The tries, oldest first.")

    @field
    async def firing(self, info: Info) -> Firing | None:
        """The firing itself; null for a surge, which is none."""
        row = await info.context.firings.load(self.firing_id)
        return None if row is None else Firing.of(row)

    @classmethod
    def of(cls, logged: LoggedDelivery) -> Delivery:
        row = logged.delivery
        return cls(
            id=strawberry.ID(row.delivery_id),
            firing_id=strawberry.ID(row.firing_id),
            trigger_type=row.trigger_type,
            channel=DeliveryChannel(row.channel),
            destination=_shown(row),
            payload=row.payload,
            status=DeliveryStatus(row.status),
            attempt_count=row.attempts,
            status_code=row.status_code,
            error=row.error,
            created_at=row.created_at,
            next_attempt_at=row.due_at if row.status == "waiting" else None,
            finished_at=row.finished_at,
            attempts=[DeliveryAttempt.of(each) for each in logged.attempts],
        )


# The fields that read the large attributes of a delivery's row, and its tries.
_READERS = {"payload": ["payload"], delivery_log.TRIES: ["attempts"]}


def _shown(row: delivery_tables.Delivery) -> str:
    """Where a message goes, without the path of a URL: that is often a secret."""
    target = row.target
    if row.channel == "email":
        return ", ".join(target["to"])
    if "id" in target:
        return f"{target.get('kind', 'channel')} {target['id']}"
    return outbox.host_of(row.destination).removeprefix(f"{row.channel} ")


@strawberry.type(description="What signs the unit's webhooks: https://www.standardwebhooks.com/.")
class WebhookSecret:
    secret: str = strawberry.field(description="whsec_ and base64: what verifiers are given.")
    created_at: datetime = strawberry.field(description="When it was made.")
    previous: str | None = strawberry.field(description="The secret before it, while that signs beside it.")
    previous_until: datetime | None = strawberry.field(description="How long that does.")

    @classmethod
    def of(cls, found: webhook_secrets.WebhookSecrets) -> WebhookSecret:
        return cls(
            secret=found.secret,
            created_at=found.created_at,
            previous=found.previous,
            previous_until=found.previous_until,
        )


@strawberry.type
class DeliveryQueries:
    @field
    async def deliveries(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        status: Annotated[
            DeliveryStatus | None, strawberry.argument(description="Only those that are this far.")
        ] = None,
        channel: Annotated[
            DeliveryChannel | None, strawberry.argument(description="Only those that go this way.")
        ] = None,
        trigger_type: Annotated[
            str | None, strawberry.argument(description="Only those of such firings, as milestone.entered.")
        ] = None,
    ) -> Connection[Delivery]:
        """The log of deliveries, newest first. It is kept for 30 days."""
        wanted = DeliveryFilter(_value(status), _value(channel), trigger_type)
        read = reading(info, _READERS)
        page = await deliveries.list_deliveries(info.context, wanted, checked(first), after, read)
        return connection(page, [Delivery.of(row) for row in page.rows], after)

    @field
    async def delivery(self, info: Info, id: Id) -> Delivery | None:
        """A delivery; null, with `not_found`, when there is none of this id."""
        return Delivery.of(await deliveries.get_delivery(info.context, id))

    @field
    async def webhook_secret(self, info: Info) -> WebhookSecret | None:
        """The secret that signs the unit's webhooks; for owners only."""
        return WebhookSecret.of(await deliveries.get_webhook_secret(info.context))


@strawberry.input(description="Which dead deliveries are sent once more; what is left out does not filter.")
class DeadDeliveriesInput:
    channel: DeliveryChannel | None = strawberry.field(default=None, description="Only those that go this way.")


@strawberry.type
class DeliveryMutations:
    @field
    async def redeliver(self, info: Info, id: Id) -> Delivery | None:
        """Sends a delivery once more, whatever became of it. Its id stays the same."""
        return Delivery.of(await deliveries.redeliver(info.context, id))

    @field
    async def redeliver_dead(
        self, info: Info, input: Annotated[DeadDeliveriesInput, strawberry.argument(description="Which.")]
    ) -> int | None:
        """Sends dead deliveries once more, the oldest 10,000 of them; how many."""
        return await deliveries.redeliver_dead(info.context, _value(input.channel))

    @field
    async def rotate_webhook_secret(self, info: Info) -> WebhookSecret | None:
        """Makes a new secret; for 24 hours the one before it signs as well. For owners only."""
        return WebhookSecret.of(await deliveries.rotate_webhook_secret(info.context))


def _value(member: Any) -> str | None:
    return None if member is None else str(member.value)

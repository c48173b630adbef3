"""The log of deliveries, sending them again, and the secret that signs webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from leadvibe.crypto import SealError
from leadvibe.errors import ApiError, conflict, not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import delivery_log, outbox, webhook_secrets
from leadvibe.store.delivery_log import DeliveryFilter, LoggedDelivery
from leadvibe.store.paging import Page, Reading
from leadvibe.store.webhook_secrets import WebhookSecrets


@operation(Permission.READ)
async def list_deliveries(
    context: Context, wanted: DeliveryFilter, limit: int, after: str | None, read: Reading
) -> Page[LoggedDelivery]:
    """The unit's deliveries, newest first, each with its tries."""
    async with context.services.database.session() as session:
        return await delivery_log.page(session, context.caller.unit_id, wanted, limit, after, read)


@operation(Permission.READ)
async def get_delivery(context: Context, delivery_id: str) -> LoggedDelivery:
    """404 for one that the unit does not have."""
    async with context.services.database.session() as session:
        found = None if "\0" in delivery_id else await delivery_log.one(session, context.caller.unit_id, delivery_id)
    if found is None:
        raise not_found(f"Delivery {delivery_id}")
    return found


@operation(Permission.WRITE)
async def redeliver(context: Context, delivery_id: str) -> LoggedDelivery:
    """Sends a delivery once more, under the same id, with all its tries. 404 for an unknown one, 409 while it is
    just being sent."""
    await get_delivery(context, delivery_id)
    async with context.services.database.session() as session, session.begin():
        due = await delivery_log.again(session, context.caller.unit_id, delivery_id, datetime.now(UTC))
    if not due:
        raise conflict(f"Delivery {delivery_id} is just being sent.", "being_sent")
    await _wake(context)
    return await get_delivery(context, delivery_id)


@operation(Permission.WRITE)
async def redeliver_dead(context: Context, channel: str | None = None) -> int:
    """Sends dead deliveries once more, the oldest 10,000; how many."""
    async with context.services.database.session() as session, session.begin():
        count = await delivery_log.all_dead_again(session, context.caller.unit_id, channel, datetime.now(UTC))
    await _wake(context)
    return count


@operation(Permission.OWN)
async def get_webhook_secret(context: Context) -> WebhookSecrets:
    """The unit's secret, made when it is first asked for."""
    services = context.services
    try:
        return await webhook_secrets.of_unit(
            services.database.pool, services.vault, context.caller.unit_id, datetime.now(UTC)
        )
    except SealError as error:
        raise ApiError(409, "secret_sealed", f"{error} Rotate it to have a new one.") from None


@operation(Permission.OWN)
async def rotate_webhook_secret(context: Context) -> WebhookSecrets:
    """A new secret; the one before it signs beside it for 24 hours."""
    services = context.services
    return await webhook_secrets.rotate(
        services.database.pool, services.vault, context.caller.unit_id, datetime.now(UTC)
    )


async def _wake(context: Context) -> None:
    async with context.services.database.pool.acquire() as connection:
        await outbox.wake(connection)

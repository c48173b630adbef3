"""Backfills: what mappings and linking would have done, had they been there before a unit's leads.

Each works group by group under the unit's lane, so that live scoring goes on between the groups. A second
run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadvibe.pipeline import accounts
from leadvibe.pipeline.fit import ROWS_AT_ONCE
from leadvibe.scoring.fit import FitConfig, filled, mapped
from leadvibe.scoring.free_mail import company_domain
from leadvibe.store import account_links, backfill, fit_state, queue, unit_config
from leadvibe.store.database import Database
from leadvibe.store.fit_state import ACCOUNT, PROFILE, Properties
from leadvibe.store.queue import AnyConnection, LaneState

_EVENTS_AT_ONCE = 5_000


@dataclass(slots=True)
class MappedProfiles:
    """Over how many leads a backfill went, and of how many it changed the metadata."""

    leads_processed: int = 0
    leads_updated: int = 0


@dataclass(slots=True)
class LinkedAccounts:
    """`accounts_linked`: leads that got an account. `profile_scores_updated`: scores, of a lead in a profile
    ruleset, that changed."""

    leads_processed: int = 0
    accounts_linked: int = 0
    accounts_created: int = 0
    profile_scores_updated: int = 0


@dataclass(slots=True)
class NamedAccounts:
    """`events_updated`: events whose metadata now has the account of their lead. `leads_without_account`: leads
    with events and no account."""

    events_scanned: int = 0
    events_updated: int = 0
    leads_without_account: int = 0


@asynccontextmanager
async def _holding(database: Database, unit_id: str) -> AsyncIterator[tuple[AnyConnection, LaneState]]:
    """A transaction that holds the unit's lane."""
    async with database.pool.acquire() as connection, connection.transaction():
        lane = await queue.lock_lane(connection, unit_id, wait=True)
        assert lane is not None, "a unit has a lane"
        yield connection, lane


async def map_profiles(database: Database, unit_id: str, now: datetime) -> MappedProfiles:
    """Fills the leads' metadata by the profile mappings, and rescores the leads."""
    done, after = MappedProfiles(), ""
    while True:
        async with _holding(database, unit_id) as (connection, _):
            leads = await fit_state.next_page(connection, PROFILE, unit_id, after, ROWS_AT_ONCE)
            if not leads:
                return done
            mapped_leads = await _map_profiles(connection, unit_id, leads, now)
        done.leads_processed += len(leads)
        done.leads_updated += sum(mapped_leads[lead_id] != leads[lead_id] for lead_id in leads)
        after = max(leads)


async def _map_profiles(
    connection: AnyConnection, unit_id: str, leads: Mapping[str, Properties], now: datetime
) -> dict[str, Properties]:
    """The leads' metadata as it is now."""
    config = await unit_config.load_fit(connection, unit_id, PROFILE.name)
    after: dict[str, Properties] = {lead_id: filled(config.mappings, leads[lead_id]) for lead_id in leads}
    await fit_state.save(connection, PROFILE, unit_id, config, after, now)
    return after


async def link_accounts(database: Database, unit_id: str, now: datetime) -> LinkedAccounts:
    """Maps and rescores the leads' profiles; links leads to accounts as the worker does, and fills what their
    accounts lack from the leads' metadata. No account is touched while account-based scoring is off."""
    done, after = LinkedAccounts(), ""
    while True:
        async with _holding(database, unit_id) as (connection, _):
            leads = await fit_state.next_page(connection, PROFILE, unit_id, after, ROWS_AT_ONCE)
            if not leads:
                return done
            before = await fit_state.load_scores(connection, PROFILE, unit_id, list(leads))
            leads = await _map_profiles(connection, unit_id, leads, now)
            scores = await fit_state.load_scores(connection, PROFILE, unit_id, list(leads))
            config = await unit_config.load_account(connection, unit_id)
            linked = await _link_accounts(connection, unit_id, config, leads, now) if config else accounts.Linked()
        done.leads_processed += len(leads)
        done.accounts_linked += len(linked.links)
        done.accounts_created += linked.created
        done.profile_scores_updated += sum(_differing(before[lead_id], scores[lead_id]) for lead_id in leads)
        after = max(leads)


def _differing(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    return sum(before.get(ruleset_id) != after.get(ruleset_id) for ruleset_id in before.keys() | after.keys())


async def _link_accounts(
    connection: AnyConnection, unit_id: str, config: FitConfig, leads: Mapping[str, Properties], now: datetime
) -> accounts.Linked:
    known = await account_links.leads(connection, unit_id, leads)
    loose = {lead_id: [lead.metadata] for lead_id, lead in known.items() if lead.account_id is None}
    domains: dict[str, str] = {}
    for lead_id, address in await backfill.email_addresses(connection, unit_id, list(loose)):
        if domain := company_domain(address):
            domains.setdefault(lead_id, domain)
    linked = await accounts.link(connection, unit_id, config, loose, domains, now)
    told: dict[str, list[Properties]] = {}
    for lead_id in sorted(known):
        account_id = linked.links.get(lead_id, known[lead_id].account_id)
        if account_id is not None:
            told.setdefault(account_id, []).append(known[lead_id].metadata)
    await _fill_accounts(connection, unit_id, config, told, now)
    return linked


async def _fill_accounts(
    connection: AnyConnection, unit_id: str, config: FitConfig, told: Mapping[str, Sequence[Properties]], now: datetime
) -> None:
    """Maps leads' metadata to the properties that the account has not: what events brought is never older."""
    found = await fit_state.load(connection, ACCOUNT, unit_id, list(told))
    for account_id in found:
        for metadata in told[account_id]:
            empty = [each for each in config.mappings if found[account_id].get(each.target) in (None, "")]
            found[account_id] = mapped(empty, metadata, found[account_id])
    await fit_state.save(connection, ACCOUNT, unit_id, config, found, now)


async def name_accounts(database: Database, unit_id: str) -> NamedAccounts:
    """Writes `accountId` into the metadata of the events whose lead has an account, where it lacks or differs.
    Goes up to the event that was the last when it began."""
    done, after = NamedAccounts(), 0
    async with _holding(database, unit_id) as (_, lane):
        last = lane.last_seq
    while True:
        async with _holding(database, unit_id) as (connection, _):
            events = await backfill.next_events(connection, unit_id, after, last, _EVENTS_AT_ONCE)
            if not events:
                done.leads_without_account = await backfill.leads_without_account(connection, unit_id, last)
                return done
            wrong: dict[tuple[datetime, int], Any] = {
                (event["occurred_at"], event["seq"]): event["account_id"]
                for event in events
                if event["account_id"] is not None and event["said"] != event["account_id"]
            }
            await backfill.write_account_ids(connection, unit_id, wrong)
        done.events_scanned += len(events)
        done.events_updated += len(wrong)
        after = events[-1]["seq"]

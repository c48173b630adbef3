"""Backfills: what mappings and linking would have done, had they been there before a unit's leads.

Each is a job whose steps take a group of leads or events. A second run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leadvibe.pipeline import accounts
from leadvibe.pipeline.fit import ROWS_AT_ONCE
from leadvibe.pipeline.unit_job import Kind, Place, Step
from leadvibe.scoring.fit import FitConfig, filled, mapped
from leadvibe.scoring.free_mail import company_domain
from leadvibe.store import account_links, backfill, fit_state, segment_members, unit_config
from leadvibe.store.fit_state import ACCOUNT, PROFILE, Properties
from leadvibe.store.queue import AnyConnection

_EVENTS_AT_ONCE = 5_000


async def map_profiles(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    """Fills the leads' metadata by the profile mappings, and rescores the leads."""
    leads = await fit_state.next_page(connection, PROFILE, unit_id, place.after, ROWS_AT_ONCE)
    if not leads:
        return Step(None)
    after = await _map_profiles(connection, unit_id, leads, place.now)
    updated = sum(after[lead_id] != leads[lead_id] for lead_id in leads)
    return Step(max(leads), len(leads), {"leads_processed": len(leads), "leads_updated": updated})


async def _map_profiles(
    connection: AnyConnection, unit_id: str, leads: Mapping[str, Properties], now: datetime
) -> dict[str, Properties]:
    """The leads' metadata as it is now."""
    config = await unit_config.load_fit(connection, unit_id, PROFILE.name)
    after: dict[str, Properties] = {lead_id: filled(config.mappings, leads[lead_id]) for lead_id in leads}
    await fit_state.save(connection, PROFILE, unit_id, config, after, now)
    await segment_members.touch(connection, unit_id, (each for each in after if after[each] != leads[each]))
    return after


async def link_accounts(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    """Maps and rescores the leads' profiles; links leads to accounts as the worker does, and fills what their
    accounts lack from the leads' metadata. No account is touched while account-based scoring is off."""
    leads = await fit_state.next_page(connection, PROFILE, unit_id, place.after, ROWS_AT_ONCE)
    if not leads:
        return Step(None)
    before = await fit_state.load_scores(connection, PROFILE, unit_id, list(leads))
    leads = await _map_profiles(connection, unit_id, leads, place.now)
    scores = await fit_state.load_scores(connection, PROFILE, unit_id, list(leads))
    config = await unit_config.load_account(connection, unit_id)
    linked = await _link_accounts(connection, unit_id, config, leads, place.now) if config else accounts.Linked()
    counts = {
        "leads_processed": len(leads),
        "accounts_linked": len(linked.links),
        "accounts_created": linked.created,
        "profile_scores_updated": sum(_differing(before[lead_id], scores[lead_id]) for lead_id in leads),
    }
    return Step(max(leads), len(leads), counts)


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
    await segment_members.touch_rows(connection, unit_id, ACCOUNT, found)


async def name_accounts(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    """Writes `accountId` into the metadata of the events whose lead has an account, where it lacks or differs.
    Goes up to the event that was the last when the job was asked for."""
    events = await backfill.next_events(connection, unit_id, int(place.after or 0), place.up_to_seq, _EVENTS_AT_ONCE)
    if not events:
        loose = await backfill.leads_without_account(connection, unit_id, place.up_to_seq)
        return Step(None, counts={"leads_without_account": loose})
    wrong: dict[tuple[datetime, int], Any] = {
        (event["occurred_at"], event["seq"]): event["account_id"]
        for event in events
        if event["account_id"] is not None and event["said"] != event["account_id"]
    }
    await backfill.write_account_ids(connection, unit_id, wrong)
    await segment_members.touch_events(connection, unit_id, {seq: at for at, seq in wrong})
    counts = {"events_scanned": len(events), "events_updated": len(wrong)}
    return Step(str(events[-1]["seq"]), len(events), counts)


LINK_ACCOUNTS = Kind(
    "backfill_accounts",
    link_accounts,
    ("leads_processed", "accounts_linked", "accounts_created", "profile_scores_updated"),
)
NAME_ACCOUNTS = Kind(
    "backfill_event_accounts",
    name_accounts,
    ("events_scanned", "events_updated", "leads_without_account"),
    of_events=True,
)
MAP_PROFILES = Kind("backfill_profile_mappings", map_profiles, ("leads_processed", "leads_updated"))

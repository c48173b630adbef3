"""Accounts in the worker: which company a lead belongs to, and what its events say of that company."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leadvibe.pipeline import fit
from leadvibe.scoring.fit import FitConfig, fit_scores
from leadvibe.store import account_links, segment_members
from leadvibe.store.fit_state import ACCOUNT
from leadvibe.store.queue import AnyConnection

# Keys of metadata that name a lead's account, and its company.
_ACCOUNT_KEYS = ("account_id", "accountId")
_COMPANY_KEY = "company"
_LONGEST_NAME = 200

Metadata = Mapping[str, Any]


@dataclass(slots=True)
class Linked:
    """What linking did: the account of each lead that got one, and how many accounts were made."""

    links: dict[str, str] = field(default_factory=dict)
    created: int = 0


def telling_keys(config: FitConfig | None) -> frozenset[str]:
    """The keys of metadata that say something of accounts; none while account-based scoring is off."""
    if config is None:
        return frozenset()
    return frozenset({*_ACCOUNT_KEYS, _COMPANY_KEY, *(each.source for each in config.mappings)})


async def take_in(
    connection: AnyConnection,
    unit_id: str,
    config: FitConfig,
    heard: Sequence[tuple[str, Metadata]],
    domains: Mapping[str, str],
    now: datetime,
) -> None:
    """Links the leads of a batch, then maps what its events (lead, metadata) say to their accounts' properties.

    `domains`: lead → domain of a new e-mail address.
    """
    said: dict[str, list[Metadata]] = {lead_id: [] for lead_id in domains}
    for lead_id, metadata in heard:
        said.setdefault(lead_id, []).append(metadata)
    leads = await account_links.leads(connection, unit_id, said)
    loose = {lead_id: [*said[lead_id], lead.metadata] for lead_id, lead in leads.items() if lead.account_id is None}
    linked = await link(connection, unit_id, config, loose, domains, now)
    accounts = {lead_id: lead.account_id for lead_id, lead in leads.items()} | linked.links
    sources = {each.source for each in config.mappings}
    told: dict[str, list[Metadata]] = {}
    for lead_id, metadata in heard:
        account_id = accounts.get(lead_id)
        if account_id is not None and not sources.isdisjoint(metadata):
            told.setdefault(account_id, []).append(metadata)
    if told:
        await fit.take_in(connection, ACCOUNT, unit_id, config, told, now)


async def link(
    connection: AnyConnection,
    unit_id: str,
    config: FitConfig,
    loose: Mapping[str, Sequence[Metadata]],
    domains: Mapping[str, str],
    now: datetime,
) -> Linked:
    """Links leads without account (→ the metadata that tells of them) in the caller's transaction, which holds
    the unit's lane.

    An account that the metadata names decides, if the unit has it; else the domain, whose account is made
    where there is none (contract: "Account mapping by domain").
    """
    named = {lead_id: named_accounts(told) for lead_id, told in loose.items()}
    wanted = {account_id for of_lead in named.values() for account_id in of_lead}
    known = await account_links.existing(connection, unit_id, wanted) if wanted else set()
    done = Linked()
    for lead_id, account_ids in named.items():
        if account_id := next((each for each in account_ids if each in known), None):
            done.links[lead_id] = account_id
    rest = {lead_id: domains[lead_id] for lead_id in loose if lead_id in domains and lead_id not in done.links}
    if rest:
        found = await account_links.by_domain(connection, unit_id, set(rest.values()))
        names = _names(loose, {lead_id: domain for lead_id, domain in rest.items() if domain not in found})
        if names:
            made = await account_links.create(connection, unit_id, names, fit_scores(config, {}), now)
            found |= made
            done.created = len(made)
        done.links |= {lead_id: found[domain] for lead_id, domain in rest.items()}
    if done.links:
        await account_links.link(connection, unit_id, done.links, now)
        await segment_members.touch(connection, unit_id, done.links)
    return done


def named_accounts(told: Iterable[Metadata]) -> list[str]:
    """The accounts that metadata names as a lead's, in their order; the unit may not have them."""
    return _texts(told, _ACCOUNT_KEYS)


def _names(told: Mapping[str, Sequence[Metadata]], domains: Mapping[str, str]) -> dict[str, str]:
    """A name for the account of each domain: the company that a lead's metadata names, else the domain."""
    names: dict[str, str] = {}
    for lead_id, domain in domains.items():
        company = next(iter(_texts(told[lead_id], (_COMPANY_KEY,))), None)
        if company is not None and names.get(domain, domain) == domain:
            names[domain] = company[:_LONGEST_NAME]
        names.setdefault(domain, domain)
    return names


def _texts(told: Iterable[Metadata], keys: Sequence[str]) -> list[str]:
    """The texts under these keys that can be stored, in their order."""
    values = (metadata.get(key) for metadata in told for key in keys)
    return [text for value in values if isinstance(value, str) and (text := value.strip()) and "\0" not in text]

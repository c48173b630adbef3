"""Fit configuration: rulesets, rules and mappings of profiles (leads) and accounts.

Both surfaces are made by the same functions; accounts answer 403 while the organisation has ABM off.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import ApiError, conflict
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.family import Check, Family, Gate, inside, nothing_to_check
from leadvibe.resolvers.rulesets import settle
from leadvibe.store.config_tables import (
    AccountMapping,
    AccountRule,
    AccountRuleset,
    ProfileMapping,
    ProfileRule,
    ProfileRuleset,
)
from leadvibe.store.lanes import outdate_fit
from leadvibe.store.tables import Organisation


async def needs_abm(session: AsyncSession, caller: Caller, equals: dict[str, Any]) -> None:
    """403 while `abm_enabled` is off for the organisation."""
    organisation = await session.get(Organisation, caller.org_id)
    if organisation is None or not organisation.abm_enabled:
        raise ApiError(
            403, "abm_disabled", "Account-based scoring is off; turn on abm_enabled in PUT /settings/scoring."
        )


async def _outdates_profiles(session: AsyncSession, caller: Caller, row: Any) -> None:
    await outdate_fit(session, row.unit_id, "profile")


async def _outdates_accounts(session: AsyncSession, caller: Caller, row: Any) -> None:
    await outdate_fit(session, row.unit_id, "account")


def _ruleset_family(noun: str, row: type[Any], rule: type[Any], changed: Check[Any], gate: Gate | None) -> Family[Any]:
    """`changed` is told of every change."""

    async def accept(session: AsyncSession, caller: Caller, ruleset: Any) -> None:
        query = select(row).where(row.unit_id == ruleset.unit_id, row.id != ruleset.id)
        others = (await session.exec(query)).all()
        if ruleset.name in {other.name for other in others}:
            raise conflict(f"There is a ruleset named {ruleset.name} already.", code="name_taken")
        settle(ruleset, others, active="enabled")
        await changed(session, caller, ruleset)

    async def release(session: AsyncSession, caller: Caller, ruleset: Any) -> None:
        """The rules of a ruleset go with it."""
        await session.exec(delete(rule).where(col(rule.unit_id) == ruleset.unit_id, col(rule.ruleset_id) == ruleset.id))
        await changed(session, caller, ruleset)

    writable = ("name", "enabled", "is_primary")
    return Family(noun, row, writable, order="created_at", accept=accept, release=release, gate=gate)


def _rule_family(noun: str, row: type[Any], property_name: str, changed: Check[Any], gate: Gate) -> Family[Any]:
    writable = (property_name, "condition", "comparison_value", "weight", "ui_order")
    return Family(noun, row, writable, order="ui_order", accept=changed, release=changed, gate=gate)


def _mapping_family(noun: str, row: type[Any], property_name: str, gate: Gate | None) -> Family[Any]:
    writable = ("source_field", property_name, "update_behavior")
    check: Check[Any] = nothing_to_check
    return Family(noun, row, writable, order="created_at", accept=check, release=check, gate=gate)


PROFILE_RULESETS = _ruleset_family(
    "profile_ruleset", ProfileRuleset, ProfileRule, changed=_outdates_profiles, gate=None
)
PROFILE_RULES = _rule_family(
    "profile_rule",
    ProfileRule,
    "profile_property",
    changed=_outdates_profiles,
    gate=inside(PROFILE_RULESETS, "ruleset_id"),
)
PROFILE_MAPPINGS = _mapping_family("profile_mapping", ProfileMapping, "profile_property", gate=None)

ACCOUNT_RULESETS = _ruleset_family(
    "account_ruleset", AccountRuleset, AccountRule, changed=_outdates_accounts, gate=needs_abm
)
ACCOUNT_RULES = _rule_family(
    "account_rule",
    AccountRule,
    "account_property",
    changed=_outdates_accounts,
    gate=inside(ACCOUNT_RULESETS, "ruleset_id", needs_abm),
)
ACCOUNT_MAPPINGS = _mapping_family("account_mapping", AccountMapping, "account_property", gate=needs_abm)

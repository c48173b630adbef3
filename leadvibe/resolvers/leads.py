"""Leads: lists, search and scores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from leadvibe.errors import bad_request, not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.fit import PROFILE_RULESETS
from leadvibe.resolvers.levels import LEVELS, PROFILE_LEVELS, as_levels
from leadvibe.resolvers.rulesets import RULESETS
from leadvibe.scoring.levels import level_name
from leadvibe.store import lead_queries, sessions
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.lead_queries import Columns, LeadFilter, LeadOrder, Match
from leadvibe.store.paging import Page
from leadvibe.store.statements import Encoding
from leadvibe.store.tables import Account, Lead, LeadAlias
from leadvibe.store.time_ranges import TimeRange, bounds

# The reference: a search answers at most 10 leads and needs two characters.
MOST_MATCHES = 10
SHORTEST_QUERY = 2
# The reference: scores of 1 to 500 leads at once.
MOST_SCORES = 500
PRIMARY = "primary"
# Of a list without pages.
_LEADS_AT_ONCE = 1_000
_EVENTS_OF_SESSIONS = 200


@dataclass(frozen=True, slots=True)
class LeadMatch:
    """A search result with the lead's current level (None: not classified)."""

    id: str
    match_type: str
    best_alias: str | None
    engagement_level: str | None
    profile_level: str | None


@dataclass(frozen=True, slots=True)
class LeadScore:
    """A lead's scores. `score`: of the ruleset asked for, else the highest over all active rulesets."""

    lead_id: str
    score: int
    ruleset_id: str | None
    engagement_scores: dict[str, int]
    profile_scores: dict[str, int]


@dataclass(frozen=True, slots=True)
class ScoreOfLead:
    """A lead's score in one ruleset."""

    lead_id: str
    score: int


@operation(Permission.READ)
async def list_leads(
    context: Context,
    wanted: LeadFilter,
    order: LeadOrder = LeadOrder.SCORE,
    *,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    columns: Columns | Encoding | None = None,
    counted: bool = True,
) -> Page[Lead]:
    """The unit's leads that were not merged away. With `columns`, rows that have only these, or are encoded, and a
    total only if `counted`."""
    if columns is not None:
        database, unit_id = context.services.database, context.caller.unit_id
        return await lead_queries.rows(database, unit_id, wanted, order, limit, after, columns, counted)
    async with context.services.database.session() as session:
        return await lead_queries.page(session, context.caller.unit_id, wanted, order, limit, after, offset)


@operation(Permission.READ)
async def list_all_leads(context: Context, wanted: LeadFilter) -> AsyncIterator[list[Lead]]:
    """The same leads without pages, by score, group by group: each once, as it is when its group is read, unless it
    is gone by then. Between two groups only their ids are held: a client may read as slowly as it likes."""
    async with context.services.database.session() as session:
        lead_ids = await lead_queries.ids(session, context.caller.unit_id, wanted)
    return _in_groups(context, lead_ids)


async def _in_groups(context: Context, lead_ids: Sequence[str]) -> AsyncIterator[list[Lead]]:
    for start in range(0, len(lead_ids), _LEADS_AT_ONCE):
        group = lead_ids[start : start + _LEADS_AT_ONCE]
        async with context.services.database.session() as session:
            found = await lead_queries.some(session, context.caller.unit_id, group)
        yield [lead for lead_id in group if (lead := found.get(lead_id)) and lead.merged_into is None]


@operation(Permission.READ)
async def get_lead(context: Context, lead_id: str) -> Lead:
    """One lead, also when it was merged into another; 404 when the unit has none of this id."""
    async with context.services.database.session() as session:
        found = await lead_queries.lead(session, context.caller.unit_id, lead_id)
    if found is None:
        raise not_found(f"Lead {lead_id}")
    return found


@operation(Permission.READ)
async def get_leads(context: Context, lead_ids: Sequence[str]) -> dict[str, Lead]:
    """The leads that the unit has of these, by id; also those that were merged into others."""
    async with context.services.database.session() as session:
        return await lead_queries.some(session, context.caller.unit_id, lead_ids)


@operation(Permission.READ)
async def list_lead_aliases(context: Context, lead_ids: Sequence[str]) -> dict[str, list[LeadAlias]]:
    """The aliases of each of these leads, oldest first."""
    found: dict[str, list[LeadAlias]] = {lead_id: [] for lead_id in lead_ids}
    async with context.services.database.session() as session:
        for alias in await lead_queries.aliases(session, context.caller.unit_id, lead_ids):
            found[alias.lead_id].append(alias)
    return found


@operation(Permission.READ)
async def count_lead_sessions(
    context: Context, lead_ids: Sequence[str], range: TimeRange | None = None
) -> dict[str, int]:
    """How many sessions each of these leads had in the range, as far as the newest _EVENTS_OF_SESSIONS events there
    tell: an answer takes the same time however many there are."""
    start, end = bounds(range, datetime.now(UTC))
    async with context.services.database.pool.acquire() as connection:
        return await sessions.counts(connection, context.caller.unit_id, lead_ids, start, end, _EVENTS_OF_SESSIONS)


@operation(Permission.READ)
async def get_lead_accounts(context: Context, account_ids: Sequence[str]) -> dict[str, Account]:
    """The accounts that leads belong to, by id."""
    async with context.services.database.session() as session:
        return await lead_queries.accounts(session, context.caller.unit_id, account_ids)


@operation(Permission.READ)
async def list_scores_of_leads(
    context: Context, lead_ids: Sequence[str], ruleset: str = PRIMARY
) -> Sequence[ScoreOfLead]:
    """The leads' scores in a ruleset (its id or name; "primary": the primary engagement one), in the order
    asked for. An unknown lead has 0, and so has every lead of a unit without a primary ruleset."""
    if not 1 <= len(lead_ids) <= MOST_SCORES:
        raise bad_request(f"Name 1 to {MOST_SCORES} leads.", lead_ids=f"must have 1 to {MOST_SCORES} items")
    ruleset_id = _ruleset_named(await RULESETS.list(context), ruleset)
    known = [lead_id for lead_id in lead_ids if "\0" not in lead_id]
    async with context.services.database.session() as session:
        leads = await lead_queries.some(session, context.caller.unit_id, known)

    def score(lead_id: str) -> int:
        lead = leads.get(lead_id)
        return lead.scores.get(ruleset_id, 0) if lead and ruleset_id else 0

    return [ScoreOfLead(lead_id, score(lead_id)) for lead_id in lead_ids]


def _ruleset_named(rulesets: Sequence[Ruleset], name: str) -> str | None:
    """The id of the ruleset with this id or name; None when the primary one is meant and there is none."""
    if name == PRIMARY:
        return primary_of(rulesets)
    by_id = [ruleset.ruleset_id for ruleset in rulesets if ruleset.ruleset_id == name]
    by_name = [ruleset.ruleset_id for ruleset in rulesets if ruleset.name == name]
    if not by_id + by_name:
        raise not_found(f"Ruleset {name}")
    return (by_id + by_name)[0]


@operation(Permission.READ)
async def get_lead_score(context: Context, lead_id: str, ruleset_id: str | None = None) -> LeadScore:
    """404 for an unknown lead or ruleset; a lead that never scored has 0."""
    lead = await get_lead(context, lead_id)
    rulesets = await RULESETS.list(context)
    known = {ruleset.ruleset_id for ruleset in rulesets}
    if ruleset_id is not None and ruleset_id not in known:
        raise not_found(f"Ruleset {ruleset_id}")
    scores = {key: value for key, value in lead.scores.items() if key in known}
    active = [scores.get(ruleset.ruleset_id, 0) for ruleset in rulesets if ruleset.active]
    score = max(active, default=0) if ruleset_id is None else scores.get(ruleset_id, 0)
    fit = {ruleset.id for ruleset in await PROFILE_RULESETS.list(context)}
    profile_scores = {key: value for key, value in lead.profile_scores.items() if key in fit}
    return LeadScore(lead_id, score, primary_of(rulesets), scores, profile_scores)


@operation(Permission.READ)
async def search_leads(context: Context, q: str) -> Sequence[LeadMatch]:
    """Ids that begin with `q` first, then aliases that contain it; fewer than two characters: none."""
    if len(q) < SHORTEST_QUERY or "\0" in q:
        return []
    async with context.services.database.session() as session:
        matches = await lead_queries.search(session, context.caller.unit_id, q, MOST_MATCHES)
    levels, profile_levels = as_levels(await LEVELS.list(context)), as_levels(await PROFILE_LEVELS.list(context))

    def shown(match: Match) -> LeadMatch:
        level, profile_level = level_name(levels, match.score), level_name(profile_levels, match.profile_score)
        return LeadMatch(match.lead_id, match.match_type, match.best_alias, level, profile_level)

    return [shown(match) for match in matches]


def primary_of(rulesets: Sequence[Ruleset]) -> str | None:
    return next((ruleset.ruleset_id for ruleset in rulesets if ruleset.is_primary), None)

"""Routes of the configuration families: each family is one line of parameters."""

from __future__ import annotations

from typing import Any

from leadvibe.resolvers.context import Context
from leadvibe.resolvers.decays import DECAYS
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.fit import (
    ACCOUNT_MAPPINGS,
    ACCOUNT_RULES,
    ACCOUNT_RULESETS,
    PROFILE_MAPPINGS,
    PROFILE_RULES,
    PROFILE_RULESETS,
)
from leadvibe.resolvers.levels import ACCOUNT_LEVELS, LEVELS, PROFILE_LEVELS
from leadvibe.resolvers.rulesets import FILTERS, RULES, RULESETS
from leadvibe.resolvers.surge import SURGE_TRIGGERS
from leadvibe.resolvers.triggers import MILESTONES, PATTERNS, SEQUENCES
from leadvibe.rest_compat.table import BEARER, BOTH, Call, Route


def family_routes(
    family: Family[Any],
    path: str,
    tag: str,
    *aliases: str,
    within: str | None = None,
    update_status: int = 200,
    auth: tuple[str, ...] = BOTH,
) -> list[Route]:
    """List, create, update and delete under `path` and its aliases.

    `within` names the column whose value is the path's `{id}`; the row itself is then `{ruleId}`.
    """
    noun, param = family.noun.replace("_", " "), "id" if within is None else "ruleId"
    item, items = f"{path}/{{{param}}}", tuple(f"{alias}/{{{param}}}" for alias in aliases)
    article = "an" if noun[0] in "aeiou" else "a"

    def place(call: Call) -> dict[str, Any]:
        return {} if within is None else {within: call.path["id"]}

    async def listed(context: Context, call: Call) -> Any:
        return await family.list(context, **place(call))

    async def create(context: Context, call: Call) -> Any:
        return await family.create(context, call.body, **place(call))

    async def update(context: Context, call: Call) -> Any:
        return await family.update(context, call.path[param], call.body, **place(call))

    async def delete(context: Context, call: Call) -> None:
        await family.delete(context, call.path[param], **place(call))

    many, one = list[family.row], family.row  # type: ignore[name-defined]
    updated = one if update_status == 200 else None
    return [
        Route(method="GET", path=path, summary=f"List {noun}s", tag=tag, run=listed, returns=many,
              aliases=aliases, auth=auth, errors=(403, 404)),
        Route(method="POST", path=path, summary=f"Create {article} {noun}", tag=tag, run=create, status=201,
              aliases=aliases, auth=auth, body=family.Input, returns=one, errors=(404, 409)),
        Route(method="PUT", path=item, summary=f"Update {article} {noun}", tag=tag, run=update, status=update_status,
              aliases=items, auth=auth, body=family.Changes, returns=updated, errors=(404, 409)),
        Route(method="DELETE", path=item, summary=f"Delete {article} {noun}", tag=tag, run=delete, status=204,
              aliases=items, auth=auth, errors=(404,)),
    ]  # fmt: skip


_OF_RULESET = "ruleset_id"

ROUTES = [
    *family_routes(RULESETS, "/rulesets", "RuleSets"),
    *family_routes(RULES, "/rules", "Rules"),
    *family_routes(RULES, "/rulesets/{id}/rules", "Rules", within=_OF_RULESET)[:1],
    *family_routes(FILTERS, "/filters", "Filters", "/inorganic-filters"),
    *family_routes(DECAYS, "/decays", "Decays"),
    *family_routes(SURGE_TRIGGERS, "/surge-triggers", "Rules", update_status=204, auth=BEARER),
    *family_routes(PROFILE_RULESETS, "/profile-scoring/rulesets", "Profile"),
    *family_routes(PROFILE_RULES, "/profile-scoring/rulesets/{id}/rules", "Profile", within=_OF_RULESET),
    *family_routes(PROFILE_MAPPINGS, "/profile-mappings", "Profile"),
    *family_routes(ACCOUNT_RULESETS, "/account-scoring/rulesets", "Account"),
    *family_routes(ACCOUNT_RULES, "/account-scoring/rulesets/{id}/rules", "Account", within=_OF_RULESET),
    *family_routes(ACCOUNT_MAPPINGS, "/account-mappings", "Account"),
    *family_routes(PATTERNS, "/pattern-triggers", "Triggers"),
    *family_routes(MILESTONES, "/triggers", "Triggers"),
    *family_routes(SEQUENCES, "/sequences", "Sequences"),
    *family_routes(LEVELS, "/engagement-levels", "Levels"),
    *family_routes(PROFILE_LEVELS, "/profile-levels", "Levels"),
    *family_routes(ACCOUNT_LEVELS, "/account-levels", "Levels"),
]

"""Routes of the configuration families: each family is one line of parameters."""

from __future__ import annotations

from typing import Any

from leadvibe.resolvers.context import Context
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.levels import LEVELS
from leadvibe.resolvers.rulesets import FILTERS, RULES, RULESETS, list_rules_of_ruleset
from leadvibe.rest_compat.table import Call, Route


def family_routes(family: Family[Any], path: str, tag: str, *aliases: str, **equals: Any) -> list[Route]:
    """List, create, update and delete under `path` and its aliases, of the rows with the given values."""
    noun, item, items = family.noun.replace("_", " "), path + "/{id}", tuple(alias + "/{id}" for alias in aliases)

    async def listed(context: Context, call: Call) -> Any:
        return await family.list(context, **equals)

    async def create(context: Context, call: Call) -> Any:
        return await family.create(context, call.body)

    async def update(context: Context, call: Call) -> Any:
        return await family.update(context, call.path["id"], call.body)

    async def delete(context: Context, call: Call) -> None:
        await family.delete(context, call.path["id"])

    many, one = list[family.row], family.row  # type: ignore[name-defined]
    return [
        Route(method="GET", path=path, summary=f"List {noun}s", tag=tag, run=listed, returns=many,
              aliases=aliases),
        Route(method="POST", path=path, summary=f"Create a {noun}", tag=tag, run=create, status=201,
              aliases=aliases, body=family.Input, returns=one, errors=(404, 409)),
        Route(method="PUT", path=item, summary=f"Update a {noun}", tag=tag, run=update,
              aliases=items, body=family.Changes, returns=one, errors=(404, 409)),
        Route(method="DELETE", path=item, summary=f"Delete a {noun}", tag=tag, run=delete, status=204,
              aliases=items, errors=(404,)),
    ]  # fmt: skip


async def _rules_of_ruleset(context: Context, call: Call) -> Any:
    return await list_rules_of_ruleset(context, call.path["id"])


ROUTES = [
    *family_routes(RULESETS, "/rulesets", "RuleSets", surface="engagement"),
    *family_routes(RULES, "/rules", "Rules"),
    *family_routes(FILTERS, "/filters", "Filters", "/inorganic-filters"),
    *family_routes(LEVELS, "/engagement-levels", "Levels"),
    Route(
        method="GET",
        path="/rulesets/{id}/rules",
        summary="List the rules of a ruleset",
        tag="Rules",
        run=_rules_of_ruleset,
        returns=list[RULES.row],  # type: ignore[name-defined]
        errors=(404,),
    ),
]

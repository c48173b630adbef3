"""Where GraphQL has what a REST operation does: the way out of the compatibility layer."""

from __future__ import annotations

from collections.abc import Iterator

from leadvibe.rest_compat.table import Route

# Path of a family of four operations → its noun and list in GraphQL.
_FAMILIES = {
    "/rules": ("Rule", "rules"),
    "/rulesets": ("Ruleset", "rulesets"),
    "/filters": ("Filter", "filters"),
    "/decays": ("Decay", "decays"),
    "/surge-triggers": ("SurgeTrigger", "surgeTriggers"),
    "/triggers": ("MilestoneTrigger", "milestoneTriggers"),
    "/sequences": ("Sequence", "sequences"),
    "/pattern-triggers": ("PatternTrigger", "patternTriggers"),
    "/segments": ("Segment", "segments"),
    "/segments/{id}/rules": ("SegmentRule", "segmentRules"),
    "/profile-mappings": ("ProfileMapping", "profileMappings"),
    "/profile-scoring/rulesets": ("ProfileRuleset", "profileRulesets"),
    "/profile-scoring/rulesets/{id}/rules": ("ProfileRule", "profileRules"),
    "/account-mappings": ("AccountMapping", "accountMappings"),
    "/account-scoring/rulesets": ("AccountRuleset", "accountRulesets"),
    "/account-scoring/rulesets/{id}/rules": ("AccountRule", "accountRules"),
    "/engagement-levels": ("EngagementLevel", "engagementLevels"),
    "/profile-levels": ("ProfileLevel", "profileLevels"),
    "/account-levels": ("AccountLevel", "accountLevels"),
}

# The others: operation → type and field.
_FIELDS = {
    "GET /": "Service.status",
    "GET /home": "Query.service",
    "GET /metrics": "Service.metrics",
    "GET /livez": "Service.status",
    "GET /readyz": "Service.readiness",
    "POST /auth/login": "Mutation.login",
    "POST /auth/cleanup": "Mutation.expireLegacyCookies",
    "GET /auth/me": "Query.me",
    "PUT /auth/password": "Mutation.changePassword",
    "POST /auth/password/reset": "Mutation.requestPasswordReset",
    "POST /auth/password/set": "Mutation.setPassword",
    "POST /ingest": "Mutation.ingestEvents",
    "POST /import": "Mutation.importEvents",
    "GET /event-types": "Query.eventTypes",
    "GET /event-types/{eventType}/properties": "Query.eventTypeProperties",
    "GET /events": "Query.events",
    "GET /events/export": "Query.events",
    "DELETE /events/batch": "Mutation.deleteEvents",
    "GET /events/{leadID}": "Query.leadEvents",
    "GET /events/{eventID}/score-explain": "Query.eventScoreExplain",
    "GET /channels": "Query.channels",
    "GET /lead/{leadID}/activity": "Query.leadActivity",
    "GET /events-analytics": "Query.eventsAnalytics",
    "GET /event-stats": "Query.eventStats",
    "GET /top-leads": "Query.topLeads",
    "GET /score-gains": "Query.scoreGains",
    "POST /leads/scores": "Query.leadScores",
    "GET /score/{leadID}": "Lead.engagementScores",
    "GET /leads": "Query.leads",
    "POST /leads": "Mutation.createLead",
    "GET /leads/search": "Query.searchLeads",
    "GET /leads/{leadID}": "Query.lead",
    "PUT /lead/{leadID}": "Mutation.replaceLead",
    "DELETE /lead/{leadID}": "Mutation.deleteLead",
    "PATCH /leads/{leadID}/metadata": "Mutation.patchLeadMetadata",
    "GET /leads/{leadID}/aliases": "Lead.aliases",
    "GET /leads/{leadID}/profile": "Lead.profile",
    "GET /leads/{leadID}/account": "Lead.account",
    "GET /lead/{leadID}/deletion-status": "Query.leadDeletion",
    "GET /lead/{leadID}/score-explain": "Query.scoreExplanation",
    "GET /lead/{leadID}/score-history": "Query.scoreHistory",
    "POST /leads/merge": "Mutation.mergeLeads",
    "POST /leads/merge/preview": "Query.mergePreview",
    "GET /lead-metadata/properties": "Query.leadMetadataProperties",
    "GET /rulesets/{id}/rules": "Query.rules",
    "POST /api/v1/ou/{ouId}/scoring/rescore-preview": "Query.rescorePreview",
    "GET /surge-events": "Query.surgeEvents",
    "GET /api/v1/ou/{ouId}/surge/metrics": "Query.surgeMetrics",
    "GET /settings/ou/surge-policy": "Query.surgePolicy",
    "PUT /settings/ou/surge-policy": "Mutation.updateSurgePolicy",
    "GET /settings/scoring": "Query.scoringSettings",
    "PUT /settings/scoring": "Mutation.updateScoringSettings",
    "GET /segments/{id}/count": "Segment.count",
    "GET /segments/{id}/leads": "Segment.leads",
    "POST /triggers/{id}/simulate": "Query.simulateMilestoneTrigger",
    "GET /milestone-events": "Query.firings",
    "GET /milestone-events/export": "Query.firings",
    "POST /sequences/{id}/simulate": "Query.simulateSequence",
    "GET /sequence-events": "Query.firings",
    "GET /sequence-events/export": "Query.firings",
    "GET /org-units": "Query.orgUnits",
    "POST /org-units": "Mutation.createOrgUnit",
    "PUT /org-units/{id}": "Mutation.updateOrgUnit",
    "POST /org-units/active": "Mutation.setActiveOu",
    "GET /members": "Query.members",
    "POST /members": "Mutation.createMember",
    "POST /members/invite": "Mutation.inviteMember",
    "POST /members/{id}/invitation": "Mutation.resendInvitation",
    "PUT /members/{id}": "Mutation.updateMember",
    "DELETE /members/{id}": "Mutation.removeMember",
    "GET /org-units/{id}/memberships": "Query.memberships",
    "POST /org-units/{id}/memberships": "Mutation.assignMember",
    "PUT /org-units/{id}/memberships/{memberId}": "Mutation.changeUnitRole",
    "DELETE /org-units/{id}/memberships/{memberId}": "Mutation.unassignMember",
    "GET /me/rate-limit": "Query.rateLimit",
    "GET /usage": "Query.usage",
    "GET /admin/audit-logs": "Query.auditLogs",
    "GET /secrets": "Query.secrets",
    "POST /secrets": "Mutation.createSecret",
    "DELETE /secrets/{id}": "Mutation.deleteSecret",
    "GET /settings/tokens": "Query.personalAccessTokens",
    "POST /settings/tokens": "Mutation.createPersonalAccessToken",
    "DELETE /settings/tokens/{id}": "Mutation.revokePersonalAccessToken",
    "GET /stream": "Subscription.scoreUpdated",
    "POST /admin/backfill/account-profile": "Mutation.backfillAccounts",
    "POST /admin/backfill/event-account-ids": "Mutation.backfillEventAccounts",
    "POST /admin/backfill/profile-mappings": "Mutation.backfillProfileMappings",
    "POST /admin/seed": "Mutation.seedSampleData",
    "POST /admin/wipe": "Mutation.wipeSampleData",
    "GET /settings/org/slack-app": "Query.slackAppConfigured",
    "PUT /settings/org/slack-app": "Mutation.setSlackApp",
    "GET /settings/ou/event-types": "Query.eventTypeSettings",
    "PUT /settings/ou/event-types/{eventType}": "Mutation.updateEventType",
    "GET /settings/ou/event-types/{eventType}/events/dry-run": "Query.eventTypeDeletionPreview",
    "DELETE /settings/ou/event-types/{eventType}/events": "Mutation.deleteEventTypeEvents",
    "GET /integrations/slack/status": "Query.slackStatus",
    "GET /integrations/slack/install": "Mutation.beginSlackInstallation",
    "POST /integrations/slack/initiate": "Mutation.beginSlackInstallation",
    "GET /integrations/slack/callback": "Mutation.completeSlackInstallation",
    "DELETE /integrations/slack": "Mutation.disconnectSlack",
    "GET /integrations/slack/channels": "Query.slackChannels",
    "GET /integrations/slack/users": "Query.slackUsers",
    "PUT /integrations/slack/default-target": "Mutation.setSlackDefaultTarget",
    "POST /integrations/slack/test": "Mutation.sendSlackTest",
    "GET /accounts": "Query.accounts",
    "GET /accounts/{id}": "Query.account",
    "DELETE /accounts/batch": "Mutation.deleteAccounts",
    "GET /account-metadata/properties": "Query.accountMetadataProperties",
}


def _of_families() -> Iterator[tuple[str, str]]:
    for path, (noun, listed) in _FAMILIES.items():
        item = f"{path}/{{ruleId}}" if "{" in path else f"{path}/{{id}}"
        yield f"GET {path}", f"Query.{listed}"
        yield f"POST {path}", f"Mutation.create{noun}"
        yield f"PUT {item}", f"Mutation.update{noun}"
        yield f"DELETE {item}", f"Mutation.delete{noun}"


# Pages that people open, and this document, have none.
FIELDS = dict(_of_families()) | _FIELDS


def field_of(route: Route) -> str | None:
    """The GraphQL field of a route's operation, as `Type.field`."""
    return FIELDS.get(f"{route.method} {route.path}")


def migration_table(table: list[Route]) -> str:
    """Each path with its field, as a table in Markdown."""
    found = ((route, path, field) for route in table if (field := field_of(route)) for path in route.paths)
    rows = [f"| `{route.method} {path}` | `{field}` |" for route, path, field in found]
    return "\n".join(["| REST | GraphQL |", "| --- | --- |", *rows, ""])

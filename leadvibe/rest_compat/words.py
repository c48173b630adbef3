"""What the OpenAPI document says in words that no model says: of tags, statuses and parameters."""

from __future__ import annotations

TAGS = {
    "Root": "The service itself: health, metrics, this document.",
    "Home": "A page for people.",
    "Auth": "Logging in, and who the caller is.",
    "Events": "Engagement events: taking them in, reading, exporting, explaining and deleting them.",
    "Analytics": "Counts of events, and the leads that stand out.",
    "Leads": "Leads with their scores, aliases, properties and account.",
    "Rules": "Points for events, and surges: many events in a short time.",
    "RuleSets": "Collections of rules, each with an engagement score of its own.",
    "Profile": "Scores of who a lead is, by rules over its properties; and where properties come from.",
    "Segments": "Leads that meet rules, kept up to date.",
    "Decays": "Points that leads lose while nothing is heard of them.",
    "Filters": "Bursts of events that are no sign of interest.",
    "Triggers": "Messages when a lead reaches a score, or a pattern is seen.",
    "Sequences": "Messages when a lead has done several things.",
    "OrgUnits": "Organizational units, and the members of the organization.",
    "OUMemberships": "Who belongs to a unit, and as what.",
    "Me": "The caller's own limits.",
    "Secrets": "API credentials: pairs of client id and client secret.",
    "Stream": "Live updates by server-sent events.",
    "Usage": "How much was used.",
    "Surge": "Surges over time.",
    "Admin": "For owners: backfills, sample data, the audit log.",
    "Settings": "Settings of the unit, of its event types, and its Slack connection.",
    "Account": "The companies that leads belong to, and their scores.",
    "Levels": "Names for ranges of scores.",
}

STATUSES = {
    400: "Something in the request is wrong, or no unit is active.",
    401: "Credentials are missing or wrong.",
    403: "The caller may not do this, or the feature is off.",
    404: "It does not exist, or not in this unit.",
    409: "It conflicts with what is there.",
    413: "The body is too large.",
    415: "The body is of another type than this operation reads.",
    429: "Too many requests.",
    500: "The server failed to answer, and has logged why.",
    502: "Slack refused, or gave no answer.",
    503: "The server cannot do this at the moment.",
}

# Parameters that mean the same wherever they are.
PARAMETERS = {
    "channel": "Only of this channel.",
    "code": "What Slack gives for a token.",
    "eventID": "The event.",
    "eventType": "The event type.",
    "event_type": "Only of this event type.",
    "id": "Its id.",
    "last_active": "How long ago the last event was, at most.",
    "leadID": "The lead, by the id that the client chose.",
    "lead_id": "Only of this lead.",
    "limit": "Most entries in the answer.",
    "max_score": "Highest primary score.",
    "memberId": "The member.",
    "min_score": "Lowest primary score.",
    "ouId": "The organizational unit.",
    "page": "Number of the page, from 1.",
    "range": "Which span of time.",
    "ruleId": "The rule.",
    "sort_by": "What to sort by.",
    "sort_order": "Which way to sort.",
    "state": "What Slack was given when the installation began.",
}

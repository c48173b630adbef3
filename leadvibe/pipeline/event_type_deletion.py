"""Deleting all events of a type: lead by lead they leave the log and the counts, and each lead is scored as if it
had never had them. Usage stays: what was accepted was accepted."""

from __future__ import annotations

from leadvibe.pipeline.event_deletion import living
from leadvibe.pipeline.rescore import LEADS_AT_ONCE, rescore_leads
from leadvibe.pipeline.unit_job import Kind, Place, Step
from leadvibe.store import event_log, type_deletion
from leadvibe.store.queue import AnyConnection


async def _step(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    """Takes the events of some leads, all at once; at last those that belong to no lead."""
    event_type, up_to_seq = place.subject, place.up_to_seq
    found = await type_deletion.next_events(connection, unit_id, event_type, up_to_seq)
    if not found:
        return Step(None)
    lead_ids = list(dict.fromkeys(row["lead_id"] for row in found if row["lead_id"] is not None))[:LEADS_AT_ONCE]
    if lead_ids:
        gone = await type_deletion.delete_of_leads(connection, unit_id, event_type, up_to_seq, lead_ids)
    else:
        gone = await type_deletion.delete_of_nobody(
            connection, unit_id, [(row["occurred_at"], row["seq"]) for row in found]
        )
    days = {(row["day"], event_type, row["channel"]): -row["events"] for row in gone}
    await event_log.count_events(connection, unit_id, days)
    await rescore_leads(connection, unit_id, await living(connection, unit_id, set(lead_ids)))
    events = sum(row["events"] for row in gone)
    scores = sum(row["scores"] for row in gone)
    return Step(event_type, events, {"events_deleted": events, "event_scores_deleted": scores})


DELETE_EVENT_TYPE = Kind("event_type_deletion", _step, ("events_deleted", "event_scores_deleted"), of_events=True)

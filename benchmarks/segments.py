"""Scored events per second of a unit with 200 segments, beside the same unit without any."""

from __future__ import annotations

from benchmarks.report import Figure, note
from benchmarks.scoring import worker_rate
from benchmarks.server import EVENT_TYPES, Bench, process, worker_connected
from leadvibe.ids import new_id
from leadvibe.pipeline.segment_job import bring_up_to_date
from leadvibe.store.database import Database
from leadvibe.store.lanes import hold_lane
from leadvibe.store.segment_tables import Segment, SegmentRule
from leadvibe.store.tables import now

_SEGMENTS = 200
_RUNS = 3


async def make_segments(database: Database, unit_id: str, count: int = _SEGMENTS) -> None:
    """Segments of which half look at events of one type each, a quarter at levels, a quarter at properties."""
    own = {"unit_id": unit_id, "org_id": "bench"}
    rows: list[Segment | SegmentRule] = []
    for i in range(count):
        segment_id = new_id("sg")
        rows.append(Segment(**own, segment_id=segment_id, name=f"Segment {i}"))
        about = {"rule_name": f"Rule {i}", "order_index": 0, "segment_id": segment_id, "rule_id": new_id("sr")}
        match i % 4:
            case 0 | 1:
                what = {"rule_type": "event_metadata", "field_name": "path", "operator": "contains",
                        "value": "pricing" if i % 4 else f"page-{i}",
                        "event_type": EVENT_TYPES[i % len(EVENT_TYPES)]}  # fmt: skip
            case 2:
                what = {"rule_type": "engagement_level", "field_name": "engagement_level", "operator": "equals",
                        "value": f"Level {i % 5}"}  # fmt: skip
            case _:
                what = {"rule_type": "lead_metadata", "field_name": "job_title", "operator": "contains",
                        "value": f"Title {i}"}  # fmt: skip
        rows.append(SegmentRule(**own, **about, **what))
    async with database.session() as session, session.begin():
        await hold_lane(session, unit_id)
        session.add_all(rows)


async def measure(bench: Bench) -> list[Figure]:
    """Without segments first, then with them; their members are made before the worker's turn."""
    async with process("worker", bench):
        await worker_connected(bench)
        await worker_rate(bench)  # the leads come into being
        without = [await worker_rate(bench) for _ in range(_RUNS)]
        await make_segments(bench.database, bench.owner.unit_id)
        began = now()
        await bring_up_to_date(bench.database, began)
        note(f"  the members of {_SEGMENTS} segments were made in {(now() - began).total_seconds():.1f} s")
        rates = [await worker_rate(bench) for _ in range(_RUNS)]
    return [Figure(f"scored events/s with {_SEGMENTS} segments (reference: without)", rates, without, target="0.5")]

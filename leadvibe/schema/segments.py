"""Segments: their configuration, their leads, and who enters and leaves."""

# No postponed annotations here: Strawberry reads the types of inputs that are made at run time.

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from leadvibe.errors import bad_request
from leadvibe.resolvers import segments
from leadvibe.resolvers.segments import SEGMENT_RULES, SEGMENTS
from leadvibe.schema.configuration import way_to_parent, way_to_rules
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of, input_type, object_type
from leadvibe.schema.families import all_of, family_fields
from leadvibe.schema.fields import field
from leadvibe.schema.leads import LEAD_READERS, Lead
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.store import segment_tables

SegmentRule = object_type(segment_tables.SegmentRule, way_to_parent("segment", SEGMENTS, "segment_id", __name__))
SegmentRuleInput = input_type(SEGMENT_RULES.Input, "What a segment rule is made of.")

SegmentId = Annotated[strawberry.ID, strawberry.argument(description="The segment.")]
_FOLLOW = "Continue behind the message with this `cursor`: nothing is lost, nothing twice."


@strawberry.type(description="A lead entered a segment, or left it.")
class SegmentMembershipChange(OfLead):
    segment_id: strawberry.ID = strawberry.field(description="The segment.")
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    entered: bool = strawberry.field(description="True: it entered; false: it left.")
    changed_at: datetime = strawberry.field(description="When that was noticed.")
    cursor: str = strawberry.field(description="This change's place: pass it as `after` to continue behind it.")

    @classmethod
    def of(cls, row: segment_tables.SegmentChange) -> "SegmentMembershipChange":
        return cls(
            segment_id=strawberry.ID(row.segment_id),
            lead_id=strawberry.ID(row.lead_id),
            entered=row.entered,
            changed_at=row.changed_at,
            cursor=str(row.seq),
        )


@strawberry.type
class _SegmentFields:
    """What a segment has beside its columns; `self` is its row."""

    segment_id: strawberry.Private[str]

    @field
    async def count(self, info: Info) -> BigInt:
        """How many leads belong to it now."""
        return BigInt(await segments.count_segment(info.context, self.segment_id))

    @field
    async def leads(self, info: Info, first: First = 50, after: After = None) -> Connection[Lead]:
        """The leads that belong to it now, by score."""
        read = reading(info, LEAD_READERS)
        page = await segments.list_segment_leads(info.context, self.segment_id, checked(first), after, read=read)
        return connection(page, [Lead.of(row) for row in page.rows], after)

    @field
    async def recent_changes(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many to answer, 1 to 500.")] = 50,
    ) -> list[SegmentMembershipChange]:
        """Who entered and left last, newest first; kept 30 days."""
        rows = await segments.list_segment_changes(info.context, self.segment_id, first)
        return [SegmentMembershipChange.of(row) for row in rows]


Segment = object_type(
    segment_tables.Segment,
    way_to_rules(SEGMENT_RULES, "segment_id", __name__, "Its rules in the order in which they are joined."),
    *(each for each in _SegmentFields.__strawberry_definition__.fields if each.base_resolver),  # type: ignore[attr-defined]
)


@strawberry.type(description="Who would belong to a segment.")
class SegmentPreview:
    count: BigInt = strawberry.field(description="How many leads.")
    leads: list[Lead] = strawberry.field(description="Some of them, those with the highest scores.")


@strawberry.type
class SegmentQueries:
    @field
    async def segment(self, info: Info, id: SegmentId) -> Segment | None:  # type: ignore[valid-type]
        """One segment; null, with an error `not_found`, when the unit has none of this id."""
        return await segments.get_segment(info.context, id)

    @field
    async def preview_segment(
        self,
        info: Info,
        rules: Annotated[
            list[SegmentRuleInput],  # type: ignore[valid-type]
            strawberry.argument(description="The rules; without `orderIndex` they are joined as they come."),
        ],
        sample: Annotated[int, strawberry.argument(description="How many leads to show, 0 to 50.")] = 10,
    ) -> SegmentPreview:
        """Which leads would belong to a segment with these rules. Nothing is stored."""
        bodies = [body_of(SEGMENT_RULES.Input, rule) for rule in rules]
        found = await segments.preview_segment(info.context, bodies, sample)
        return SegmentPreview(count=BigInt(found.count), leads=[Lead.of(row) for row in found.leads])


async def membership_changes(
    info: Info, segment_id: str, after: str | None
) -> AsyncGenerator[SegmentMembershipChange, None]:
    """The messages of `segmentMembershipChanged`; `not_found` and `invalid_cursor` before the first of them."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise bad_request("The cursor is not one of this stream.", code="invalid_cursor", after="must be a cursor")
    changes = await segments.follow_segment(info.context, segment_id, None if after is None else int(after))
    return _messages(changes)


async def _messages(
    changes: AsyncGenerator[segment_tables.SegmentChange, None],
) -> AsyncGenerator[SegmentMembershipChange, None]:
    try:
        async for change in changes:
            yield SegmentMembershipChange.of(change)
    finally:
        await changes.aclose()


async def _rules(
    info: Info,
    segment_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only those of this segment.")] = None,
) -> Sequence[Any]:
    return await SEGMENT_RULES.list(info.context, **({} if segment_id is None else {"segment_id": segment_id}))


async def _create_rule(
    info: Info,
    segment_id: SegmentId,
    input: Annotated[SegmentRuleInput, strawberry.argument(description="The new segment rule.")],  # type: ignore[valid-type]
) -> Any:
    return await SEGMENT_RULES.create(info.context, body_of(SEGMENT_RULES.Input, input), segment_id=segment_id)


_SEGMENTS = family_fields(SEGMENTS, all_of(SEGMENTS), kind=Segment)
_RULES = family_fields(SEGMENT_RULES, _rules, kind=SegmentRule, create=_create_rule)

QUERIES = [_SEGMENTS.query, _RULES.query]
MUTATIONS = [*_SEGMENTS.mutations, *_RULES.mutations]
